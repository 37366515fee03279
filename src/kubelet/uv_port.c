/* SPDX-License-Identifier: Apache-2.0 */
/* The kubelet seam over libuv. Every stream and listener is a heap object around a uv_pipe_t; libuv may use a
 * handle until its close callback, so that callback frees it. A stream ends in one way only, whoever ends it:
 *
 *     close() by the owner ----------.
 *     end of file, read error -------+--> uv_close --> on_handle_closed: on_closed, unless the owner closed
 *     connect or write failed -------'
 *
 * so on_closed always comes from the loop, and exactly once. The port itself goes with its last handle. */
#include "kubelet/uv_port.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum {
  READ_BUFFER_SIZE = 64 << 10,
  BACKLOG = 16,
};

struct KubeletStream {
  uv_pipe_t pipe;
  uv_connect_t connect;
  KubeletUvPort *port;
  LIST_ENTRY(KubeletStream) entry;
  KubeletStreamEvents events;
  void *userdata;
  bool is_ending; /* uv_close was called */
  bool is_silent; /* by the owner, who wants to hear nothing more */
  Error reason;
  char *path; /* of the socket, for messages */
};

struct KubeletListener {
  uv_pipe_t pipe;
  KubeletUvPort *port;
  LIST_ENTRY(KubeletListener) entry;
  void (*on_accept)(void *userdata, KubeletStream *stream);
  void *userdata;
  char *path;
  uint64_t identity; /* of our socket file */
};

typedef struct Watch {
  uv_fs_event_t handle;
  KubeletUvPort *port;
  void (*on_change)(void *userdata, const char *name);
  void *userdata;
} Watch;

struct KubeletUvPort {
  KubeletPort seam; /* first: the seam's pointer is the port's */
  uv_loop_t *loop;
  LIST_HEAD(, KubeletStream) streams;
  LIST_HEAD(, KubeletListener) listeners;
  Watch *watch;
  size_t handle_count; /* open or closing */
  bool is_freed;
  char read_buffer[READ_BUFFER_SIZE]; /* libuv reads into it and hands it to on_bytes at once */
};

typedef struct WriteRequest {
  uv_write_t request;
  char bytes[];
} WriteRequest;

static KubeletUvPort *port_of(KubeletPort *seam) {
  return (KubeletUvPort *)seam;
}

static void release_handle(KubeletUvPort *port) {
  assert(port->handle_count > 0);
  if (--port->handle_count == 0 && port->is_freed)
    free(port);
}

static int check_path(const char *path, Error *err) {
  size_t size_max = sizeof((struct sockaddr_un *)0)->sun_path - 1;
  if (strlen(path) <= size_max)
    return 0;
  return error_set(err, ERROR_LIMIT, "the socket path %s has %zu bytes, Unix sockets allow %zu", path,
                   strlen(path), size_max);
}

/* Streams */

static void on_stream_closed(uv_handle_t *handle) {
  KubeletStream *stream = handle->data;
  KubeletUvPort *port = stream->port;
  if (!stream->is_silent)
    stream->events.on_closed(stream->userdata, &stream->reason);
  LIST_REMOVE(stream, entry);
  free(stream->path);
  free(stream);
  release_handle(port);
}

static void stream_end(KubeletStream *stream) {
  if (stream->is_ending)
    return;
  stream->is_ending = true;
  uv_close((uv_handle_t *)&stream->pipe, on_stream_closed);
}

static void stream_fail(KubeletStream *stream, const char *what, int uv_error) {
  if (stream->is_ending)
    return;
  (void)error_set(&stream->reason, ERROR_UNAVAILABLE, "cannot %s %s: %s", what, stream->path,
                  uv_strerror(uv_error));
  stream_end(stream);
}

static KubeletStream *stream_new(KubeletUvPort *port, const char *path) {
  KubeletStream *stream = mem_alloc(sizeof *stream);
  int result = uv_pipe_init(port->loop, &stream->pipe, 0);
  assert(result == 0);
  stream->pipe.data = stream;
  stream->connect.data = stream;
  stream->port = port;
  stream->path = mem_strdup(path);
  LIST_INSERT_HEAD(&port->streams, stream, entry);
  port->handle_count++;
  return stream;
}

static void on_buffer(uv_handle_t *handle, size_t suggested_size, uv_buf_t *ret_buffer) {
  KubeletStream *stream = handle->data;
  *ret_buffer = uv_buf_init(stream->port->read_buffer, READ_BUFFER_SIZE);
}

static void on_read(uv_stream_t *handle, ssize_t size, const uv_buf_t *buffer) {
  KubeletStream *stream = handle->data;
  if (size > 0) {
    stream->events.on_bytes(stream->userdata, buffer->base, (size_t)size);
  } else if (size == UV_EOF) {
    (void)error_set(&stream->reason, ERROR_UNAVAILABLE, "the peer closed the connection at %s", stream->path);
    stream_end(stream);
  } else if (size < 0) {
    stream_fail(stream, "read from", (int)size);
  }
}

static void start_reading(KubeletStream *stream) {
  int result = uv_read_start((uv_stream_t *)&stream->pipe, on_buffer, on_read);
  if (result < 0)
    stream_fail(stream, "read from", result);
}

static void on_connect(uv_connect_t *request, int status) {
  KubeletStream *stream = request->data;
  if (stream->is_ending)
    return;
  if (status < 0) {
    stream_fail(stream, "connect to", status);
    return;
  }
  start_reading(stream);
  if (!stream->is_ending)
    stream->events.on_connected(stream->userdata);
}

static KubeletStream *uv_port_dial(KubeletPort *seam, const char *path, const KubeletStreamEvents *events,
                                   void *userdata) {
  KubeletStream *stream = stream_new(port_of(seam), path);
  assert(events->on_connected && events->on_bytes && events->on_closed);
  stream->events = *events;
  stream->userdata = userdata;
  if (check_path(path, &stream->reason) < 0)
    stream_end(stream);
  else
    uv_pipe_connect(&stream->connect, &stream->pipe, path, on_connect);
  return stream;
}

static void uv_port_attach(KubeletPort *seam, KubeletStream *stream, const KubeletStreamEvents *events,
                           void *userdata) {
  assert(events->on_bytes && events->on_closed);
  stream->events = *events;
  stream->userdata = userdata;
}

static void on_written(uv_write_t *request, int status) {
  KubeletStream *stream = request->handle->data;
  if (status < 0)
    stream_fail(stream, "write to", status);
  free(request->data);
}

static void uv_port_write(KubeletPort *seam, KubeletStream *stream, const void *bytes, size_t size) {
  if (stream->is_ending)
    return;
  if (uv_stream_get_write_queue_size((uv_stream_t *)&stream->pipe) + size > KUBELET_WRITE_QUEUE_SIZE_MAX) {
    (void)error_set(&stream->reason, ERROR_LIMIT, "the peer at %s does not read: more than %d bytes wait",
                    stream->path, KUBELET_WRITE_QUEUE_SIZE_MAX);
    stream_end(stream);
    return;
  }
  WriteRequest *request = mem_alloc(sizeof *request + size);
  memcpy(request->bytes, bytes, size);
  request->request.data = request;
  uv_buf_t buffer = uv_buf_init(request->bytes, (unsigned)size);
  int result = uv_write(&request->request, (uv_stream_t *)&stream->pipe, &buffer, 1, on_written);
  if (result == 0)
    return;
  free(request);
  stream_fail(stream, "write to", result);
}

static void uv_port_close(KubeletPort *seam, KubeletStream *stream) {
  stream->is_silent = true;
  stream_end(stream);
}

/* Listeners */

static void on_listener_closed(uv_handle_t *handle) {
  KubeletListener *listener = handle->data;
  KubeletUvPort *port = listener->port;
  free(listener->path);
  free(listener);
  release_handle(port);
}

static void on_connection(uv_stream_t *handle, int status) {
  KubeletListener *listener = handle->data;
  if (status < 0)
    return; /* libuv could not take it (no file descriptors left): the peer sees its connection end */
  KubeletStream *stream = stream_new(listener->port, listener->path);
  int result = uv_accept(handle, (uv_stream_t *)&stream->pipe);
  if (result < 0) {
    stream->is_silent = true;
    stream_end(stream);
    return;
  }
  listener->on_accept(listener->userdata, stream);
  if (stream->is_ending)
    return;
  assert(stream->events.on_bytes);
  start_reading(stream);
}

static uint64_t uv_port_identity(KubeletPort *seam, const char *path) {
  struct statx status;
  if (statx(AT_FDCWD, path, 0, STATX_INO | STATX_CTIME, &status) < 0)
    return 0;
  const uint64_t parts[] = {(uint64_t)status.stx_dev_major << 32 | status.stx_dev_minor, status.stx_ino,
                            (uint64_t)status.stx_ctime.tv_sec, status.stx_ctime.tv_nsec};
  uint64_t identity = 0;
  for (size_t i = 0; i < COUNT_OF(parts); i++) {
    Random mixer = {.state = identity ^ parts[i]};
    identity = random_next(&mixer);
  }
  return identity ? identity : 1;
}

static int remove_old_socket(const char *path, Error *err) {
  struct stat status;
  if (lstat(path, &status) < 0)
    return errno == ENOENT ? 0 : error_set_errno(err, ERROR_IO, errno, "cannot look at %s", path);
  if (!S_ISSOCK(status.st_mode))
    return error_set(err, ERROR_CONFLICT, "%s exists and is not a socket", path);
  if (unlink(path) < 0 && errno != ENOENT)
    return error_set_errno(err, ERROR_IO, errno, "cannot remove the old socket %s", path);
  return 0;
}

/* Bound here and not by libuv, which would remove the path on closing even when it is another's by then. */
static int bind_socket(const char *path, int *ret_fd, Error *err) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memcpy(address.sun_path, path, strlen(path));
  CLEANUP(cleanup_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return error_set_errno(err, ERROR_IO, errno, "cannot make a socket for %s", path);
  if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0)
    return error_set_errno(err, ERROR_IO, errno, "cannot bind %s", path);
  *ret_fd = fd;
  fd = -1;
  return 0;
}

static KubeletListener *listener_new(KubeletUvPort *port, const char *path,
                                     void (*on_accept)(void *userdata, KubeletStream *stream),
                                     void *userdata) {
  KubeletListener *listener = mem_alloc(sizeof *listener);
  int result = uv_pipe_init(port->loop, &listener->pipe, 0);
  assert(result == 0);
  listener->pipe.data = listener;
  listener->port = port;
  listener->on_accept = on_accept;
  listener->userdata = userdata;
  listener->path = mem_strdup(path);
  LIST_INSERT_HEAD(&port->listeners, listener, entry);
  port->handle_count++;
  return listener;
}

static void listener_close(KubeletListener *listener) {
  LIST_REMOVE(listener, entry);
  uv_close((uv_handle_t *)&listener->pipe, on_listener_closed);
}

/* Takes the descriptor as soon as libuv owns it. */
static int listener_start(KubeletListener *listener, int *fd) {
  int result = uv_pipe_open(&listener->pipe, *fd);
  if (result < 0)
    return result;
  *fd = -1;
  return uv_listen((uv_stream_t *)&listener->pipe, BACKLOG, on_connection);
}

static int uv_port_listen(KubeletPort *seam, const char *path,
                          void (*on_accept)(void *userdata, KubeletStream *stream), void *userdata,
                          KubeletListener **ret_listener, Error *err) {
  CLEANUP(cleanup_close) int fd = -1;
  int result = check_path(path, err);
  if (result < 0 || (result = remove_old_socket(path, err)) < 0 || (result = bind_socket(path, &fd, err)) < 0)
    return result;
  KubeletListener *listener = listener_new(port_of(seam), path, on_accept, userdata);
  listener->identity = uv_port_identity(seam, path);
  result = listener_start(listener, &fd);
  if (result < 0) {
    unlink(path);
    listener_close(listener);
    return error_set(err, ERROR_IO, "cannot listen on %s: %s", path, uv_strerror(result));
  }
  *ret_listener = listener;
  return 0;
}

static void uv_port_unlisten(KubeletPort *seam, KubeletListener *listener) {
  if (uv_port_identity(seam, listener->path) == listener->identity)
    unlink(listener->path);
  listener_close(listener);
}

/* The folder */

static void on_watch_closed(uv_handle_t *handle) {
  Watch *watch = handle->data;
  KubeletUvPort *port = watch->port;
  free(watch);
  release_handle(port);
}

static void on_folder_change(uv_fs_event_t *handle, const char *name, int events, int status) {
  Watch *watch = handle->data;
  watch->on_change(watch->userdata, string_or_empty(name));
}

static void uv_port_unwatch(KubeletPort *seam) {
  KubeletUvPort *port = port_of(seam);
  if (port->watch)
    uv_close((uv_handle_t *)&TAKE(port->watch)->handle, on_watch_closed);
}

static int uv_port_watch(KubeletPort *seam, const char *folder,
                         void (*on_change)(void *userdata, const char *name), void *userdata, Error *err) {
  KubeletUvPort *port = port_of(seam);
  uv_port_unwatch(seam);
  Watch *watch = mem_alloc(sizeof *watch);
  int result = uv_fs_event_init(port->loop, &watch->handle);
  assert(result == 0);
  watch->handle.data = watch;
  watch->port = port;
  watch->on_change = on_change;
  watch->userdata = userdata;
  port->handle_count++;
  result = uv_fs_event_start(&watch->handle, on_folder_change, folder, 0);
  if (result < 0) {
    uv_close((uv_handle_t *)&watch->handle, on_watch_closed);
    return error_set(err, ERROR_IO, "cannot watch the folder %s: %s", folder, uv_strerror(result));
  }
  port->watch = watch;
  return 0;
}

/* The port */

KubeletUvPort *kubelet_uv_port_new(uv_loop_t *loop) {
  KubeletUvPort *port = mem_alloc(sizeof *port);
  port->loop = loop;
  port->seam = (KubeletPort){
      .dial = uv_port_dial,
      .listen = uv_port_listen,
      .attach = uv_port_attach,
      .write = uv_port_write,
      .close = uv_port_close,
      .unlisten = uv_port_unlisten,
      .watch = uv_port_watch,
      .unwatch = uv_port_unwatch,
      .identity = uv_port_identity,
  };
  /* A peer that goes while we write must be an error of that stream, not our end. */
  signal(SIGPIPE, SIG_IGN);
  return port;
}

void kubelet_uv_port_free(KubeletUvPort *port) {
  if (!port)
    return;
  KubeletStream *stream = NULL;
  LIST_FOREACH(stream, &port->streams, entry) {
    uv_port_close(&port->seam, stream);
  }
  while (!LIST_EMPTY(&port->listeners))
    uv_port_unlisten(&port->seam, LIST_FIRST(&port->listeners));
  uv_port_unwatch(&port->seam);
  port->is_freed = true;
  if (port->handle_count == 0)
    free(port);
}

KubeletPort *kubelet_uv_port_seam(KubeletUvPort *port) {
  return &port->seam;
}
