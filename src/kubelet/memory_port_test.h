/* SPDX-License-Identifier: Apache-2.0 */
/* A kubelet port in memory for the tests of this folder: sockets are names, files are numbers, and nothing
 * happens before memory_port_run() delivers it, so that every order of events can be made. */
#pragma once

#include "base/array.h"
#include "base/host.h"
#include "base/text.h"
#include "kubelet/port.h"

struct KubeletStream {
  KubeletStream *other; /* NULL: gone */
  Text received;
  KubeletStreamEvents events;
  void *userdata;
  bool is_dialled, is_connected, is_ended;
  Error why;
  bool is_closed; /* by its owner, or after on_closed */
};

struct KubeletListener {
  char *path;
  void (*on_accept)(void *userdata, KubeletStream *stream);
  void *userdata;
  uint64_t identity;
  bool is_closed;
};

typedef struct MemoryFile {
  char *path;
  uint64_t identity;
} MemoryFile;

typedef struct MemoryPort {
  KubeletPort seam;
  ARRAY(KubeletStream *) streams;
  ARRAY(KubeletListener *) listeners;
  ARRAY(MemoryFile) files;
  uint64_t identities;
  bool has_changed; /* in the watched folder */
  void (*on_change)(void *userdata, const char *name);
  void *watch_userdata;
  const char *listen_error, *watch_error; /* what these calls fail with; NULL: they succeed */
  int listen_count, dial_count;
} MemoryPort;

static inline MemoryFile *memory_port_find(MemoryPort *port, const char *path) {
  for (size_t i = 0; i < port->files.count; i++) {
    if (strcmp(port->files.items[i].path, path) == 0)
      return &port->files.items[i];
  }
  return NULL;
}

static inline void memory_port_remove(MemoryPort *port, const char *path) {
  MemoryFile *file = memory_port_find(port, path);
  if (!file)
    return;
  free(file->path);
  array_remove(&port->files, file - port->files.items);
  port->has_changed = true;
}

static inline uint64_t memory_port_touch(MemoryPort *port, const char *path) {
  MemoryFile *file = memory_port_find(port, path);
  if (!file) {
    file = array_push(&port->files);
    file->path = mem_strdup(path);
  }
  port->has_changed = true;
  return file->identity = ++port->identities;
}

static inline KubeletStream *memory_port_stream(MemoryPort *port) {
  KubeletStream *stream = mem_alloc(sizeof *stream);
  *array_push(&port->streams) = stream;
  return stream;
}

static inline void memory_port_end(KubeletStream *stream, const char *why) {
  if (!stream || stream->is_ended)
    return;
  stream->is_ended = true;
  (void)error_set(&stream->why, ERROR_UNAVAILABLE, "%s", why);
}

static inline KubeletListener *memory_port_listener_at(MemoryPort *port, const char *path) {
  const MemoryFile *file = memory_port_find(port, path);
  for (size_t i = 0; file && i < port->listeners.count; i++) {
    KubeletListener *listener = port->listeners.items[i];
    if (!listener->is_closed && listener->identity == file->identity)
      return listener;
  }
  return NULL;
}

static inline KubeletStream *memory_port_dial(KubeletPort *seam, const char *path,
                                              const KubeletStreamEvents *events, void *userdata) {
  MemoryPort *port = (MemoryPort *)seam;
  KubeletStream *stream = memory_port_stream(port);
  stream->events = *events;
  stream->userdata = userdata;
  stream->is_dialled = true;
  port->dial_count++;
  KubeletListener *listener = memory_port_listener_at(port, path);
  if (!listener) {
    memory_port_end(stream, memory_port_find(port, path) ? "connection refused" : "no such file");
    return stream;
  }
  stream->other = memory_port_stream(port);
  stream->other->other = stream;
  stream->other->userdata = listener;
  return stream;
}

static inline int memory_port_listen(KubeletPort *seam, const char *path,
                                     void (*on_accept)(void *userdata, KubeletStream *stream), void *userdata,
                                     KubeletListener **ret_listener, Error *err) {
  MemoryPort *port = (MemoryPort *)seam;
  if (port->listen_error)
    return error_set(err, ERROR_IO, "%s", port->listen_error);
  KubeletListener *listener = mem_alloc(sizeof *listener);
  *listener = (KubeletListener){.path = mem_strdup(path), .on_accept = on_accept, .userdata = userdata};
  listener->identity = memory_port_touch(port, path);
  *array_push(&port->listeners) = listener;
  port->listen_count++;
  *ret_listener = listener;
  return 0;
}

static inline void memory_port_attach(KubeletPort *seam, KubeletStream *stream,
                                      const KubeletStreamEvents *events, void *userdata) {
  stream->events = *events;
  stream->userdata = userdata;
}

static inline void memory_port_write(KubeletPort *seam, KubeletStream *stream, const void *bytes,
                                     size_t size) {
  assert(!stream->is_closed);
  if (stream->other)
    text_append_bytes(&stream->other->received, bytes, size);
}

static inline void memory_port_close(KubeletPort *seam, KubeletStream *stream) {
  assert(!stream->is_closed);
  stream->is_closed = true;
  if (!stream->other)
    return;
  memory_port_end(stream->other, "the peer closed the connection");
  stream->other->other = NULL;
  stream->other = NULL;
}

static inline void memory_port_unlisten(KubeletPort *seam, KubeletListener *listener) {
  MemoryPort *port = (MemoryPort *)seam;
  const MemoryFile *file = memory_port_find(port, listener->path);
  if (file && file->identity == listener->identity)
    memory_port_remove(port, listener->path);
  listener->is_closed = true;
}

static inline int memory_port_watch(KubeletPort *seam, const char *folder,
                                    void (*on_change)(void *userdata, const char *name), void *userdata,
                                    Error *err) {
  MemoryPort *port = (MemoryPort *)seam;
  if (port->watch_error)
    return error_set(err, ERROR_IO, "%s", port->watch_error);
  port->on_change = on_change;
  port->watch_userdata = userdata;
  return 0;
}

static inline void memory_port_unwatch(KubeletPort *seam) {
  ((MemoryPort *)seam)->on_change = NULL;
}

static inline uint64_t memory_port_identity(KubeletPort *seam, const char *path) {
  const MemoryFile *file = memory_port_find((MemoryPort *)seam, path);
  return file ? file->identity : 0;
}

static inline void memory_port_init(MemoryPort *port) {
  *port = (MemoryPort){.seam = {
                           .dial = memory_port_dial,
                           .listen = memory_port_listen,
                           .attach = memory_port_attach,
                           .write = memory_port_write,
                           .close = memory_port_close,
                           .unlisten = memory_port_unlisten,
                           .watch = memory_port_watch,
                           .unwatch = memory_port_unwatch,
                           .identity = memory_port_identity,
                       }};
}

/* One event of one stream; false where there was none. */
static inline bool memory_port_step(KubeletStream *stream) {
  if (stream->is_closed)
    return false;
  if (stream->is_dialled && stream->other && !stream->is_connected) {
    const KubeletListener *listener = stream->other->userdata;
    stream->is_connected = true;
    listener->on_accept(listener->userdata, stream->other);
    if (!stream->is_closed)
      stream->events.on_connected(stream->userdata);
    return true;
  }
  if (stream->received.size && stream->events.on_bytes) {
    CLEANUP(text_deinit) Text bytes = stream->received;
    stream->received = (Text){0};
    stream->events.on_bytes(stream->userdata, bytes.bytes, bytes.size);
    return true;
  }
  if (!stream->is_ended)
    return false;
  stream->is_closed = true;
  if (stream->other)
    stream->other->other = NULL;
  if (stream->events.on_closed) /* nobody accepted it yet otherwise */
    stream->events.on_closed(stream->userdata, &stream->why);
  return true;
}

/* Delivers everything and fires what is due, until nothing happens any more. */
static inline void memory_port_run(MemoryPort *port, Host *host) {
  for (bool something = true; something;) {
    something = host_next_ms(host) <= host->now_ms;
    host_run_timers(host);
    for (size_t i = 0; i < port->streams.count; i++)
      something |= memory_port_step(port->streams.items[i]);
    if (port->has_changed && port->on_change) {
      port->has_changed = false;
      port->on_change(port->watch_userdata, "");
      something = true;
    }
  }
}

/* Lets time pass, stopping at every timer. */
static inline void memory_port_run_for(MemoryPort *port, Host *host, uint64_t duration_ms) {
  uint64_t end_ms = host->now_ms + duration_ms;
  memory_port_run(port, host);
  while (host_next_ms(host) <= end_ms) {
    host_advance(host, host_next_ms(host), 0);
    memory_port_run(port, host);
  }
  host_advance(host, end_ms, 0);
}

static inline void memory_port_deinit(MemoryPort *port) {
  for (size_t i = 0; i < port->streams.count; i++) {
    text_deinit(&port->streams.items[i]->received);
    free(port->streams.items[i]);
  }
  for (size_t i = 0; i < port->listeners.count; i++) {
    free(port->listeners.items[i]->path);
    free(port->listeners.items[i]);
  }
  while (port->files.count)
    memory_port_remove(port, port->files.items[0].path);
  array_deinit(&port->streams);
  array_deinit(&port->listeners);
  array_deinit(&port->files);
}
