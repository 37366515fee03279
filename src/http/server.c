/* SPDX-License-Identifier: Apache-2.0 */
/* A connection lives as long as its two handles, stream and timer:
 *
 *     accepted -> reading the head -> answer made and written -> closed
 *                     '---- 10 s, or anything wrong ----------^
 *
 * The server's memory stays until the last handle of any connection is closed. */
#include "http/server.h"

#include "base/array.h"
#include "http/listen.h"
#include "http/request.h"

#include <unistd.h>

enum { BACKLOG = 64, PIECE_SIZE = 4096 };

typedef union Stream {
  uv_handle_t handle;
  uv_stream_t stream;
  uv_tcp_t tcp;
  uv_pipe_t pipe;
} Stream;

typedef struct Connection {
  HttpServer *server;
  Stream stream;
  uv_timer_t timer;
  int open_handles;
  Text head;
  char piece[PIECE_SIZE];
  uv_write_t write;
  Text answer;
} Connection;

struct HttpServer {
  uv_loop_t *loop;
  const HttpRoute *routes;
  size_t route_count;
  void *userdata;
  Stream listener;
  bool is_listening, is_freed;
  char *unix_path;                 /* NULL: TCP */
  ARRAY(Connection *) connections; /* that are not being closed */
  uint32_t connection_ms;
  size_t handle_count; /* that are open or being closed */
};

/* ---- ends ---- */

static void release_server(HttpServer *server) {
  if (!server->is_freed || server->handle_count)
    return;
  array_deinit(&server->connections);
  free(server->unix_path);
  free(server);
}

static void on_connection_handle_closed(uv_handle_t *handle) {
  Connection *connection = handle->data;
  HttpServer *server = connection->server;
  server->handle_count--;
  if (--connection->open_handles == 0) {
    text_deinit(&connection->head);
    text_deinit(&connection->answer);
    free(connection);
  }
  release_server(server);
}

static void close_connection(Connection *connection) {
  HttpServer *server = connection->server;
  if (uv_is_closing(&connection->stream.handle))
    return;
  for (size_t i = 0; i < server->connections.count; i++)
    if (server->connections.items[i] == connection) {
      array_remove(&server->connections, i);
      break;
    }
  uv_close(&connection->stream.handle, on_connection_handle_closed);
  uv_close((uv_handle_t *)&connection->timer, on_connection_handle_closed);
}

static void on_timeout(uv_timer_t *timer) {
  close_connection(timer->data);
}

/* ---- answers ---- */

static const char *phrase_of(int status) {
  static const struct {
    int status;
    const char *phrase;
  } phrases[] = {{200, "OK"},
                 {400, "Bad Request"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {413, "Content Too Large"},
                 {414, "URI Too Long"},
                 {431, "Request Header Fields Too Large"},
                 {503, "Service Unavailable"},
                 {505, "HTTP Version Not Supported"}};
  for (size_t i = 0; i < COUNT_OF(phrases); i++)
    if (phrases[i].status == status)
      return phrases[i].phrase;
  return "Error";
}

static void on_written(uv_write_t *write, int status) {
  close_connection(write->data);
}

static void respond(Connection *connection, const HttpAnswer *answer, bool has_body) {
  text_format(&connection->answer,
              "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%sConnection: close\r\n\r\n",
              answer->status, phrase_of(answer->status), answer->content_type, answer->body.size,
              answer->status == 405 ? "Allow: GET, HEAD\r\n" : "");
  if (has_body)
    text_append_bytes(&connection->answer, text_string(&answer->body), answer->body.size);
  uv_buf_t buffer = uv_buf_init(connection->answer.bytes, (unsigned)connection->answer.size);
  connection->write.data = connection;
  uv_read_stop(&connection->stream.stream);
  if (uv_write(&connection->write, &connection->stream.stream, &buffer, 1, on_written) < 0)
    close_connection(connection);
}

static void make_answer(const HttpServer *server, const char *path, HttpAnswer *answer) {
  for (size_t i = 0; i < server->route_count; i++)
    if (strcmp(server->routes[i].path, path) == 0) {
      server->routes[i].answer(server->userdata, answer);
      return;
    }
  answer->status = 404;
  text_append(&answer->body, "There is nothing here; there is:\n");
  for (size_t i = 0; i < server->route_count; i++)
    text_format(&answer->body, "%s\n", server->routes[i].path);
}

static void handle(Connection *connection) {
  HttpRequest request;
  int status = http_request_parse(text_string(&connection->head), connection->head.size, &request);
  if (status == HTTP_REQUEST_MORE)
    return;
  HttpAnswer answer = {.status = status, .content_type = "text/plain; charset=utf-8"};
  if (status == HTTP_REQUEST_DONE)
    make_answer(connection->server, request.path, &answer);
  else
    text_format(&answer.body, "%s\n", phrase_of(status));
  respond(connection, &answer, status != HTTP_REQUEST_DONE || !request.is_head);
  text_deinit(&answer.body);
}

/* ---- connections ---- */

static void on_alloc(uv_handle_t *handle_, size_t suggested, uv_buf_t *ret_buffer) {
  Connection *connection = handle_->data;
  *ret_buffer = uv_buf_init(connection->piece, sizeof connection->piece);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer) {
  Connection *connection = stream->data;
  if (size < 0) {
    close_connection(connection);
    return;
  }
  text_append_bytes(&connection->head, buffer->base, (size_t)size);
  handle(connection);
}

static void init_stream(const HttpServer *server, Stream *stream) {
  if (server->unix_path)
    uv_pipe_init(server->loop, &stream->pipe, 0);
  else
    uv_tcp_init(server->loop, &stream->tcp);
}

static void on_connection(uv_stream_t *listener, int status) {
  HttpServer *server = listener->data;
  if (status < 0)
    return;
  Connection *connection = mem_alloc(sizeof *connection);
  connection->server = server;
  init_stream(server, &connection->stream);
  uv_timer_init(server->loop, &connection->timer);
  connection->stream.handle.data = connection->timer.data = connection;
  connection->open_handles = 2;
  server->handle_count += 2;
  bool has_room = server->connections.count < HTTP_CONNECTIONS_MAX;
  *array_push(&server->connections) = connection;
  if (uv_accept(listener, &connection->stream.stream) < 0 || !has_room) {
    close_connection(connection);
    return;
  }
  uv_timer_start(&connection->timer, on_timeout, server->connection_ms, 0);
  uv_read_start(&connection->stream.stream, on_alloc, on_read);
}

/* ---- life ---- */

HttpServer *http_server_new(uv_loop_t *loop, const HttpRoute *routes, size_t route_count, void *userdata) {
  HttpServer *server = mem_alloc(sizeof *server);
  server->loop = loop;
  server->routes = routes;
  server->route_count = route_count;
  server->userdata = userdata;
  server->connection_ms = HTTP_CONNECTION_MS;
  return server;
}

void http_server_set_connection_ms(HttpServer *server, uint32_t connection_ms) {
  server->connection_ms = connection_ms;
}

static void begin_listener(HttpServer *server) {
  assert(!server->is_listening);
  init_stream(server, &server->listener);
  server->listener.handle.data = server;
  server->is_listening = true;
  server->handle_count++;
}

int http_server_listen_tcp(HttpServer *server, const char *address, Error *err) {
  begin_listener(server);
  int r = http_listen_bind_tcp(&server->listener.tcp, address, err);
  if (r < 0)
    return r;
  r = uv_listen(&server->listener.stream, BACKLOG, on_connection);
  return r < 0 ? error_set(err, ERROR_IO, "cannot listen on %s: %s", address, uv_strerror(r)) : 0;
}

int http_server_listen_unix(HttpServer *server, const char *path, Error *err) {
  int fd;
  int r = http_listen_open_unix(path, &fd, err);
  if (r < 0)
    return r;
  server->unix_path = mem_strdup(path);
  begin_listener(server);
  r = uv_pipe_open(&server->listener.pipe, fd);
  if (r == 0)
    r = uv_listen(&server->listener.stream, BACKLOG, on_connection);
  else
    close(fd);
  return r < 0 ? error_set(err, ERROR_IO, "cannot listen on %s: %s", path, uv_strerror(r)) : 0;
}

int http_server_port(const HttpServer *server) {
  struct sockaddr_storage name;
  int size = sizeof name;
  if (uv_tcp_getsockname(&server->listener.tcp, (struct sockaddr *)&name, &size) < 0)
    return 0;
  return ntohs(name.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&name)->sin6_port
                                          : ((const struct sockaddr_in *)&name)->sin_port);
}

static void on_listener_closed(uv_handle_t *handle_) {
  HttpServer *server = handle_->data;
  server->handle_count--;
  release_server(server);
}

void http_server_free(HttpServer *server) {
  if (!server || server->is_freed)
    return;
  server->is_freed = true;
  while (server->connections.count)
    close_connection(server->connections.items[0]);
  if (server->unix_path)
    unlink(server->unix_path);
  if (server->is_listening)
    uv_close(&server->listener.handle, on_listener_closed);
  else
    release_server(server);
}
