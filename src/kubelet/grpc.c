/* SPDX-License-Identifier: Apache-2.0 */
/* The session: nghttp2 does HTTP/2, this file connects its callbacks with the calls of grpc_call.c and keeps
 * the books on who may free what.
 *
 *     bytes --feed--> nghttp2 --callbacks--> calls --> owner
 *     bytes <-output- nghttp2 <--submit----- calls <-- owner
 *
 * The owner may do anything inside his callbacks, even free the session. nghttp2 is on the stack then, so
 * such a session is only marked, its calls end at once, and whoever entered first frees it on leaving. */
#include "kubelet/grpc_session.h"

#include "base/memory.h"

#include <assert.h>

enum {
  STREAM_WINDOW_SIZE = 1 << 20, /* HTTP/2's 64 KiB would make every larger list wait for us */
  CONNECTION_WINDOW_SIZE = 4 << 20,
};

void grpc_session_enter(GrpcSession *session) {
  session->depth++;
}

static void destroy(GrpcSession *session) {
  nghttp2_session_del(session->http2);
  while (!LIST_EMPTY(&session->calls))
    grpc_call_free(LIST_FIRST(&session->calls));
  free(session);
}

void grpc_session_leave(GrpcSession *session, bool may_write) {
  assert(session->depth > 0);
  if (--session->depth > 0)
    return;
  if (session->is_doomed)
    destroy(session);
  else if (may_write && session->on_want_write && !session->is_closing)
    session->on_want_write(session->want_write_userdata);
}

int grpc_session_checked(int result) {
  if (result == NGHTTP2_ERR_NOMEM)
    mem_fail();
  return result;
}

size_t grpc_session_unsent(const GrpcSession *session) {
  size_t size = 0;
  const GrpcCall *call = NULL;
  LIST_FOREACH(call, &session->calls, entry) {
    size += grpc_outbox_size(&call->outbox);
  }
  return size;
}

/* nghttp2's callbacks. Failing ends the session: wanted only where the owner has just freed it. */

static int verdict(const GrpcSession *session) {
  return session->is_doomed ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static GrpcCall *call_of(GrpcSession *session, int32_t stream_id) {
  return nghttp2_session_get_stream_user_data(session->http2, stream_id);
}

static int on_begin_headers(nghttp2_session *http2, const nghttp2_frame *frame, void *userdata) {
  GrpcSession *session = userdata;
  if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST || session->is_closing)
    return verdict(session);
  GrpcCall *call = grpc_call_new(session);
  call->stream_id = frame->hd.stream_id;
  return grpc_session_checked(nghttp2_session_set_stream_user_data(http2, frame->hd.stream_id, call));
}

static int on_header(nghttp2_session *http2, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *userdata) {
  GrpcSession *session = userdata;
  GrpcCall *call = call_of(session, frame->hd.stream_id);
  if (call)
    grpc_call_on_header(call, (const char *)name, value, value_size);
  return verdict(session);
}

static int on_data(nghttp2_session *http2, uint8_t flags, int32_t stream_id, const uint8_t *bytes,
                   size_t size, void *userdata) {
  GrpcSession *session = userdata;
  GrpcCall *call = call_of(session, stream_id);
  if (call)
    grpc_call_on_data(call, bytes, size);
  return verdict(session);
}

static int on_frame(nghttp2_session *http2, const nghttp2_frame *frame, void *userdata) {
  GrpcSession *session = userdata;
  if (frame->hd.type == NGHTTP2_GOAWAY)
    snprintf(session->complaint, sizeof session->complaint, "the peer said goodbye with %s",
             nghttp2_http2_strerror(frame->goaway.error_code));
  bool is_headers = frame->hd.type == NGHTTP2_HEADERS;
  GrpcCall *call =
      is_headers || frame->hd.type == NGHTTP2_DATA ? call_of(session, frame->hd.stream_id) : NULL;
  if (call && is_headers && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
    grpc_call_on_request(call);
  if (call && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
    grpc_call_on_end_stream(call);
  return verdict(session);
}

static int on_error(nghttp2_session *http2, int code, const char *text, size_t size, void *userdata) {
  GrpcSession *session = userdata;
  snprintf(session->complaint, sizeof session->complaint, "%.*s", (int)size, text);
  return 0;
}

/* Our answer is complete. Where the peer still sends its request, it is told that nobody reads it (RFC 9113,
 * 8.1): otherwise the stream would stay open for as long as the peer likes. */
static int on_frame_sent(nghttp2_session *http2, const nghttp2_frame *frame, void *userdata) {
  GrpcSession *session = userdata;
  bool ends = frame->hd.type == NGHTTP2_HEADERS && frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
  GrpcCall *call = session->is_server && ends ? call_of(session, frame->hd.stream_id) : NULL;
  if (call && nghttp2_session_get_stream_remote_close(http2, frame->hd.stream_id) == 0)
    grpc_call_reset(call, NGHTTP2_NO_ERROR);
  return 0;
}

static int on_stream_close(nghttp2_session *http2, int32_t stream_id, uint32_t http2_error, void *userdata) {
  GrpcSession *session = userdata;
  GrpcCall *call = call_of(session, stream_id);
  if (call)
    grpc_call_on_close(call, http2_error);
  return verdict(session);
}

static nghttp2_session_callbacks *callbacks_new(void) {
  nghttp2_session_callbacks *callbacks = NULL;
  if (nghttp2_session_callbacks_new(&callbacks))
    mem_fail();
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
  nghttp2_session_callbacks_set_error_callback2(callbacks, on_error);
  return callbacks;
}

static void submit_settings(GrpcSession *session) {
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW_SIZE},
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, session->is_server ? GRPC_STREAMS_MAX : 0},
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
  };
  size_t count = session->is_server ? COUNT_OF(settings) - 1 : COUNT_OF(settings);
  int result = grpc_session_checked(nghttp2_submit_settings(session->http2, 0, settings, count));
  assert(result == 0);
  result = grpc_session_checked(
      nghttp2_session_set_local_window_size(session->http2, 0, 0, CONNECTION_WINDOW_SIZE));
  assert(result == 0);
}

static GrpcSession *session_new(Host *host, bool is_server) {
  GrpcSession *session = mem_alloc(sizeof *session);
  session->host = host;
  session->is_server = is_server;
  nghttp2_option *option = NULL;
  if (nghttp2_option_new(&option))
    mem_fail();
  /* Closed streams are of use only to HTTP/2 priorities, which gRPC does not have. */
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_session_callbacks *callbacks = callbacks_new();
  int result = is_server ? nghttp2_session_server_new2(&session->http2, callbacks, session, option)
                         : nghttp2_session_client_new2(&session->http2, callbacks, session, option);
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_option_del(option);
  if (result)
    mem_fail();
  submit_settings(session);
  return session;
}

GrpcSession *grpc_session_new_server(Host *host, GrpcOnCall *on_call, void *userdata) {
  assert(host && on_call);
  GrpcSession *session = session_new(host, true);
  session->on_call = on_call;
  session->userdata = userdata;
  return session;
}

GrpcSession *grpc_session_new_client(Host *host) {
  assert(host);
  return session_new(host, false);
}

static GrpcCall *first_open_call(const GrpcSession *session) {
  GrpcCall *call = NULL;
  LIST_FOREACH(call, &session->calls, entry) {
    if (!call->ended)
      return call;
  }
  return NULL;
}

void grpc_session_fail(GrpcSession *session, const char *why) {
  grpc_session_enter(session);
  session->is_closing = true;
  for (GrpcCall *call; (call = first_open_call(session));)
    grpc_call_end(call, GRPC_UNAVAILABLE, why);
  grpc_session_leave(session, false);
}

void grpc_session_free(GrpcSession *session) {
  if (!session)
    return;
  grpc_session_enter(session);
  grpc_session_fail(session, "the connection was closed");
  session->is_doomed = true;
  grpc_session_leave(session, false);
}

int grpc_session_feed(GrpcSession *session, const void *bytes, size_t size, Error *err) {
  assert(session->depth == 0);
  if (session->failure)
    return error_set(err, ERROR_LIMIT, "%s", session->failure);
  grpc_session_enter(session);
  ssize_t result = nghttp2_session_mem_recv(session->http2, bytes, size);
  grpc_session_checked((int)result);
  bool is_doomed = session->is_doomed;
  grpc_session_leave(session, false);
  if (is_doomed || result >= 0)
    return 0;
  return error_set(err, ERROR_PROTOCOL, "the peer does not speak HTTP/2 as it should: %s",
                   nghttp2_strerror((int)result));
}

static int send_all(GrpcSession *session, Text *out, Error *err) {
  for (;;) {
    const uint8_t *bytes = NULL;
    ssize_t size = nghttp2_session_mem_send(session->http2, &bytes);
    grpc_session_checked((int)size);
    if (session->is_doomed || size == 0)
      return 0;
    if (size < 0)
      return error_set(err, ERROR_PROTOCOL, "HTTP/2 cannot go on: %s", nghttp2_strerror((int)size));
    text_append_bytes(out, bytes, (size_t)size);
  }
}

int grpc_session_output(GrpcSession *session, Text *out, Error *err) {
  if (session->depth > 0)
    return 0; /* inside a callback: the function that called back is followed by an output */
  grpc_session_enter(session);
  int result = send_all(session, out, err);
  bool is_doomed = session->is_doomed;
  if (!is_doomed && result == 0 && session->failure)
    result = error_set(err, ERROR_LIMIT, "%s", session->failure);
  if (!is_doomed && result == 0 && !nghttp2_session_want_read(session->http2) &&
      !nghttp2_session_want_write(session->http2))
    result = error_set(err, ERROR_UNAVAILABLE, "the HTTP/2 session has ended%s%s",
                       session->complaint[0] ? ": " : "", session->complaint);
  grpc_session_leave(session, false);
  return is_doomed ? 0 : result;
}

void grpc_session_on_want_write(GrpcSession *session, void (*on_want_write)(void *userdata), void *userdata) {
  session->on_want_write = on_want_write;
  session->want_write_userdata = userdata;
}
