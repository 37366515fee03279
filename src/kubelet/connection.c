/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that arrive are answered in the same turn. What the owner starts by himself is collected and written
 * in the next turn (a timer of no delay), so that no callback ever comes out of a function that he calls. */
#include "kubelet/connection.h"

#include "base/memory.h"

struct KubeletConnection {
  Host *host;
  KubeletPort *port;
  KubeletStream *stream;
  GrpcSession *session;
  HostTimer flush;
  bool is_connected;
  int depth;    /* functions of this connection on the stack that still need it */
  bool is_gone; /* ended; freed when depth is 0 again */
  KubeletOnLost *on_lost;
  void *userdata;
};

static void release(KubeletConnection *connection) {
  if (connection->depth == 0 && connection->is_gone)
    free(connection);
}

/* `why` NULL: the owner closed it and wants to hear nothing. The stream is closed already or NULL. */
static void end(KubeletConnection *connection, const Error *why) {
  if (connection->is_gone)
    return;
  connection->is_gone = true;
  timer_cancel(connection->host, &connection->flush);
  if (connection->stream)
    connection->port->close(connection->port, TAKE(connection->stream));
  connection->depth++;
  if (why) {
    connection->on_lost(connection->userdata, why);
    grpc_session_fail(connection->session, why->text);
  }
  grpc_session_free(connection->session);
  connection->depth--;
  release(connection);
}

static void write_output(KubeletConnection *connection) {
  CLEANUP(text_deinit) Text out = {0};
  Error err = {0};
  if (!connection->is_connected || connection->is_gone)
    return;
  int result = grpc_session_output(connection->session, &out, &err);
  if (connection->is_gone)
    return;
  /* The last bytes of a broken session say what is wrong with it: they are sent before it ends. */
  if (out.size)
    connection->port->write(connection->port, connection->stream, out.bytes, out.size);
  if (result < 0)
    end(connection, &err);
}

static void on_flush(void *userdata) {
  KubeletConnection *connection = userdata;
  connection->depth++;
  write_output(connection);
  /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is on the stack is not freed, see depth */
  connection->depth--;
  release(connection);
}

static void on_want_write(void *userdata) {
  KubeletConnection *connection = userdata;
  if (!connection->is_gone && !timer_is_set(&connection->flush))
    timer_set(connection->host, &connection->flush, 0);
}

static void on_connected(void *userdata) {
  KubeletConnection *connection = userdata;
  connection->is_connected = true;
  on_flush(connection);
}

static void on_bytes(void *userdata, const void *bytes, size_t size) {
  KubeletConnection *connection = userdata;
  Error err = {0};
  connection->depth++;
  if (grpc_session_feed(connection->session, bytes, size, &err) < 0)
    end(connection, &err);
  else
    write_output(connection);
  /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is on the stack is not freed, see depth */
  connection->depth--;
  release(connection);
}

static void on_closed(void *userdata, const Error *err) {
  KubeletConnection *connection = userdata;
  Error closed = {0};
  (void)error_set(&closed, ERROR_UNAVAILABLE, "the peer closed the connection");
  connection->stream = NULL;
  end(connection, err ? err : &closed);
}

static const KubeletStreamEvents stream_events = {
    .on_connected = on_connected, .on_bytes = on_bytes, .on_closed = on_closed};

static KubeletConnection *connection_new(Host *host, KubeletPort *port, GrpcSession *session,
                                         KubeletOnLost *on_lost, void *userdata) {
  KubeletConnection *connection = mem_alloc(sizeof *connection);
  *connection = (KubeletConnection){
      .host = host,
      .port = port,
      .session = session,
      .flush = {.fire = on_flush, .userdata = connection},
      .on_lost = on_lost,
      .userdata = userdata,
  };
  grpc_session_on_want_write(session, on_want_write, connection);
  return connection;
}

KubeletConnection *kubelet_connection_dial(Host *host, KubeletPort *port, const char *path,
                                           KubeletOnLost *on_lost, void *userdata) {
  KubeletConnection *connection =
      connection_new(host, port, grpc_session_new_client(host), on_lost, userdata);
  connection->stream = port->dial(port, path, &stream_events, connection);
  return connection;
}

KubeletConnection *kubelet_connection_accept(Host *host, KubeletPort *port, KubeletStream *stream,
                                             GrpcOnCall *on_call, KubeletOnLost *on_lost, void *userdata) {
  KubeletConnection *connection =
      connection_new(host, port, grpc_session_new_server(host, on_call, userdata), on_lost, userdata);
  connection->stream = stream;
  connection->is_connected = true;
  port->attach(port, stream, &stream_events, connection);
  /* gRPC clients wait for the server's SETTINGS before they speak. */
  on_want_write(connection);
  return connection;
}

GrpcSession *kubelet_connection_session(KubeletConnection *connection) {
  return connection->session;
}

void kubelet_connection_close(KubeletConnection *connection) {
  if (connection)
    end(connection, NULL);
}
