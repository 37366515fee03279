/* SPDX-License-Identifier: Apache-2.0 */
/* Each end of a connection is a stream with a timer of its own: whoever has something for it puts it there
 * (bytes, the end) and wakes it, and when the timer fires the stream tells its owner.
 *
 *     write(a) -> b.received, wake b -> b.on_bytes          close(a) -> b.is_ended, wake b -> b.on_closed
 *
 * A socket file is a name and a number; a new listener makes a new number. */
#include "sim/kubelet/port.h"

#include "base/array.h"
#include "base/text.h"

#include <assert.h>

struct KubeletStream {
  SimPort *port;
  KubeletStream *peer; /* NULL: gone, or not connected yet */
  char *path;          /* to be dialled; NULL once connected */
  Text received;
  bool is_ended;
  Error why;
  bool is_closed; /* its owner has closed it, or knows that it is closed */
  int depth;
  HostTimer timer;
  KubeletStreamEvents events;
  void *userdata;
};

struct KubeletListener {
  char *path;
  void (*on_accept)(void *userdata, KubeletStream *stream);
  void *userdata;
  uint64_t identity;
};

typedef struct SocketFile {
  char *path;
  uint64_t identity;
  KubeletListener *listener; /* NULL: nobody listens any more */
} SocketFile;

struct SimPort {
  KubeletPort seam; /* first: the seam's pointer is the port's */
  Host *host;
  uint32_t jitter_ms;
  ARRAY(SocketFile) files;
  uint64_t identities;
  bool is_killing;
  size_t stream_count;
  HostTimer watch_timer;
  void (*on_change)(void *userdata, const char *name);
  void *watch_userdata;
};

static uint64_t delay(SimPort *port) {
  return random_below(&port->host->random, (uint64_t)port->jitter_ms + 1);
}

/* ---- files ---- */

static SocketFile *find_file(SimPort *port, const char *path) {
  for (size_t i = 0; i < port->files.count; i++)
    if (strcmp(port->files.items[i].path, path) == 0)
      return &port->files.items[i];
  return NULL;
}

static void folder_changed(SimPort *port) {
  if (port->on_change && !timer_is_set(&port->watch_timer))
    timer_set(port->host, &port->watch_timer, delay(port));
}

static void remove_file(SimPort *port, SocketFile *file) {
  free(file->path);
  array_remove(&port->files, file - port->files.items);
  folder_changed(port);
}

void sim_port_clear(SimPort *port, const char *folder) {
  for (size_t i = port->files.count; i-- > 0;)
    if (string_has_prefix(port->files.items[i].path, folder))
      remove_file(port, &port->files.items[i]);
}

static void on_watch_timer(void *userdata) {
  SimPort *port = userdata;
  port->on_change(port->watch_userdata, "");
}

/* ---- streams ---- */

static void release(KubeletStream *stream) {
  if (stream->depth || !stream->is_closed)
    return;
  stream->port->stream_count--;
  text_deinit(&stream->received);
  free(stream->path);
  free(stream);
}

static void wake(KubeletStream *stream) {
  if (!stream->is_closed && !timer_is_set(&stream->timer))
    timer_set(stream->port->host, &stream->timer, delay(stream->port));
}

static void end(KubeletStream *stream, const char *what, const char *why) {
  stream->is_ended = true;
  (void)error_set(&stream->why, ERROR_UNAVAILABLE, "%s%s", what, why);
}

static void on_stream_timer(void *userdata);

static KubeletStream *stream_new(SimPort *port) {
  KubeletStream *stream = mem_alloc(sizeof *stream);
  stream->port = port;
  stream->timer = (HostTimer){.fire = on_stream_timer, .userdata = stream};
  port->stream_count++;
  return stream;
}

static void connect_stream(KubeletStream *stream) {
  CLEANUP(cleanup_free) char *path = TAKE(stream->path);
  const SocketFile *file = find_file(stream->port, path);
  if (!file || !file->listener) {
    CLEANUP(cleanup_free) char *what = mem_format("cannot connect to %s: ", path);
    end(stream, what, file ? "connection refused" : "no such file or directory");
    return;
  }
  KubeletStream *accepted = stream_new(stream->port);
  accepted->peer = stream;
  stream->peer = accepted;
  file->listener->on_accept(file->listener->userdata, accepted);
  if (!stream->is_closed && stream->events.on_connected)
    stream->events.on_connected(stream->userdata);
}

static void deliver_bytes(KubeletStream *stream) {
  CLEANUP(text_deinit) Text bytes = stream->received;
  stream->received = (Text){0};
  stream->events.on_bytes(stream->userdata, bytes.bytes, bytes.size);
}

static void deliver_end(KubeletStream *stream) {
  stream->is_closed = true;
  if (stream->peer)
    stream->peer->peer = NULL;
  stream->peer = NULL;
  stream->events.on_closed(stream->userdata, &stream->why);
}

static void on_stream_timer(void *userdata) {
  KubeletStream *stream = userdata;
  stream->depth++;
  if (stream->path)
    connect_stream(stream);
  if (!stream->is_closed && stream->received.size)
    deliver_bytes(stream);
  if (!stream->is_closed && stream->is_ended)
    deliver_end(stream);
  stream->depth--;
  release(stream);
}

static KubeletStream *port_dial(KubeletPort *seam, const char *path, const KubeletStreamEvents *events,
                                void *userdata) {
  KubeletStream *stream = stream_new((SimPort *)seam);
  stream->path = mem_strdup(path);
  stream->events = *events;
  stream->userdata = userdata;
  wake(stream);
  return stream;
}

static void port_attach(KubeletPort *seam, KubeletStream *stream, const KubeletStreamEvents *events,
                        void *userdata) {
  stream->events = *events;
  stream->userdata = userdata;
}

static void port_write(KubeletPort *seam, KubeletStream *stream, const void *bytes, size_t size) {
  assert(!stream->is_closed);
  if (!stream->peer)
    return;
  text_append_bytes(&stream->peer->received, bytes, size);
  wake(stream->peer);
}

static void port_close(KubeletPort *seam, KubeletStream *stream) {
  assert(!stream->is_closed);
  stream->is_closed = true;
  timer_cancel(stream->port->host, &stream->timer);
  KubeletStream *peer = TAKE(stream->peer);
  if (peer) {
    peer->peer = NULL;
    end(peer, "", "the peer closed the connection");
    wake(peer);
  }
  release(stream);
}

/* ---- listeners ---- */

static int port_listen(KubeletPort *seam, const char *path,
                       void (*on_accept)(void *userdata, KubeletStream *stream), void *userdata,
                       KubeletListener **ret_listener, Error *err) {
  SimPort *port = (SimPort *)seam;
  KubeletListener *listener = mem_alloc(sizeof *listener);
  *listener = (KubeletListener){
      .path = mem_strdup(path), .on_accept = on_accept, .userdata = userdata, .identity = ++port->identities};
  SocketFile *file = find_file(port, path);
  if (!file) {
    file = array_push(&port->files);
    file->path = mem_strdup(path);
  }
  file->identity = listener->identity;
  file->listener = listener;
  folder_changed(port);
  *ret_listener = listener;
  return 0;
}

static void port_unlisten(KubeletPort *seam, KubeletListener *listener) {
  SimPort *port = (SimPort *)seam;
  SocketFile *file = find_file(port, listener->path);
  if (file && file->listener == listener && port->is_killing)
    file->listener = NULL;
  else if (file && file->listener == listener)
    remove_file(port, file);
  free(listener->path);
  free(listener);
}

static int port_watch(KubeletPort *seam, const char *folder,
                      void (*on_change)(void *userdata, const char *name), void *userdata, Error *err) {
  SimPort *port = (SimPort *)seam;
  assert(!port->on_change);
  port->on_change = on_change;
  port->watch_userdata = userdata;
  return 0;
}

static void port_unwatch(KubeletPort *seam) {
  SimPort *port = (SimPort *)seam;
  timer_cancel(port->host, &port->watch_timer);
  port->on_change = NULL;
}

static uint64_t port_identity(KubeletPort *seam, const char *path) {
  const SocketFile *file = find_file((SimPort *)seam, path);
  return file ? file->identity : 0;
}

/* ---- life ---- */

SimPort *sim_port_new(Host *host, uint32_t jitter_ms) {
  SimPort *port = mem_alloc(sizeof *port);
  *port = (SimPort){
      .seam =
          {
              .dial = port_dial,
              .listen = port_listen,
              .attach = port_attach,
              .write = port_write,
              .close = port_close,
              .unlisten = port_unlisten,
              .watch = port_watch,
              .unwatch = port_unwatch,
              .identity = port_identity,
          },
      .host = host,
      .jitter_ms = jitter_ms,
      .watch_timer = {.fire = on_watch_timer, .userdata = port},
  };
  return port;
}

void sim_port_free(SimPort *port) {
  if (!port)
    return;
  assert(port->stream_count == 0 && !port->on_change);
  sim_port_clear(port, "");
  array_deinit(&port->files);
  free(port);
}

KubeletPort *sim_port_seam(SimPort *port) {
  return &port->seam;
}

void sim_port_set_jitter(SimPort *port, uint32_t jitter_ms) {
  port->jitter_ms = jitter_ms;
}

void sim_port_set_killing(SimPort *port, bool is_killing) {
  port->is_killing = is_killing;
}
