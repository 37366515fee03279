/* SPDX-License-Identifier: Apache-2.0 */
/* One call, on either side. A call is an HTTP/2 stream:
 *
 *     client                                         server
 *     HEADERS  POST /service/method, te: trailers ->
 *     DATA     one message, END_STREAM            ->  on_call
 *                                                <-   HEADERS  200, application/grpc
 *     on_message                                 <-   DATA     messages
 *     on_end                                     <-   HEADERS  grpc-status, grpc-message, END_STREAM
 *
 * A server that has nothing but a status sends it in its first and only HEADERS ("Trailers-Only"). */
#include "kubelet/grpc_session.h"

#include "base/memory.h"
#include "kubelet/grpc_status.h"

#include <assert.h>
#include <string.h>

/* Longer ones are cut: no method of ours comes near, so they stay unknown. */
enum { METHOD_SIZE_MAX = 256 };

GrpcCall *grpc_call_new(GrpcSession *session) {
  GrpcCall *call = mem_alloc(sizeof *call);
  call->session = session;
  LIST_INSERT_HEAD(&session->calls, call, entry);
  session->call_count++;
  return call;
}

void grpc_call_free(GrpcCall *call) {
  GrpcSession *session = call->session;
  LIST_REMOVE(call, entry);
  session->call_count--;
  timer_cancel(session->host, &call->timer);
  grpc_inbox_deinit(&call->inbox);
  grpc_outbox_deinit(&call->outbox);
  text_deinit(&call->message);
  free(call->method);
  free(call);
}

void grpc_call_end(GrpcCall *call, GrpcStatus status, const char *text) {
  if (call->ended)
    return;
  call->ended = true;
  timer_cancel(call->session->host, &call->timer);
  if (!call->session->is_server)
    call->reply.on_end(call->reply.userdata, status, text);
  else if (call->on_gone)
    call->on_gone(call->gone_userdata);
}

void grpc_call_reset(GrpcCall *call, uint32_t http2_error) {
  if (!call->stream_id)
    return;
  int result = grpc_session_checked(
      nghttp2_submit_rst_stream(call->session->http2, NGHTTP2_FLAG_NONE, call->stream_id, http2_error));
  assert(result == 0);
}

static nghttp2_nv header(const char *name, const char *value) {
  return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

/* Sending */

typedef struct Trailer {
  char status[4];
  nghttp2_nv headers[2];
  size_t count;
} Trailer;

static void trailer_init(Trailer *trailer, const GrpcCall *call) {
  snprintf(trailer->status, sizeof trailer->status, "%u", (unsigned)call->status & 0xff);
  trailer->headers[0] = header("grpc-status", trailer->status);
  trailer->headers[1] = header("grpc-message", text_string(&call->message));
  trailer->count = call->message.size ? 2 : 1;
}

static ssize_t read_outbox(nghttp2_session *http2, int32_t stream_id, uint8_t *buffer, size_t size,
                           uint32_t *data_flags, nghttp2_data_source *source, void *userdata) {
  GrpcCall *call = source->ptr;
  size_t taken = grpc_outbox_take(&call->outbox, buffer, size);
  if (grpc_outbox_size(&call->outbox) > 0)
    return (ssize_t)taken;
  if (!call->session->is_server) {
    *data_flags |= NGHTTP2_DATA_FLAG_EOF;
  } else if (call->is_finished) {
    Trailer trailer;
    trailer_init(&trailer, call);
    *data_flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    int result =
        grpc_session_checked(nghttp2_submit_trailer(http2, stream_id, trailer.headers, trailer.count));
    assert(result == 0);
  } else if (taken == 0) {
    call->is_deferred = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  return (ssize_t)taken;
}

static nghttp2_data_provider outbox_provider(GrpcCall *call) {
  return (nghttp2_data_provider){.source.ptr = call, .read_callback = read_outbox};
}

static void resume(GrpcCall *call) {
  if (!call->is_deferred)
    return;
  call->is_deferred = false;
  grpc_session_checked(nghttp2_session_resume_data(call->session->http2, call->stream_id));
}

static void respond(GrpcCall *call, const nghttp2_nv *headers, size_t count,
                    const nghttp2_data_provider *provider) {
  assert(!call->is_answered);
  call->is_answered = true;
  int result = grpc_session_checked(
      nghttp2_submit_response(call->session->http2, call->stream_id, headers, count, provider));
  assert(result == 0);
}

/* Server */

void grpc_call_send(GrpcCall *call, const void *message, size_t size) {
  GrpcSession *session = call->session;
  assert(session->is_server && call->is_dispatched && !call->ended);
  grpc_session_enter(session);
  if (grpc_session_unsent(session) + size + GRPC_FRAME_PREFIX_SIZE > GRPC_QUEUE_SIZE_MAX)
    session->failure = "the peer does not read: too many bytes wait to be sent";
  if (!session->failure)
    grpc_outbox_add(&call->outbox, message, size);
  if (call->is_answered) {
    resume(call);
  } else {
    const nghttp2_nv headers[] = {header(":status", "200"), header("content-type", "application/grpc")};
    const nghttp2_data_provider provider = outbox_provider(call);
    respond(call, headers, COUNT_OF(headers), &provider);
  }
  grpc_session_leave(session, true);
}

void grpc_call_finish(GrpcCall *call, GrpcStatus status, const char *text) {
  GrpcSession *session = call->session;
  assert(session->is_server && !call->ended);
  grpc_session_enter(session);
  call->ended = call->is_finished = call->is_dispatched = true;
  call->status = status;
  char cut[GRPC_STATUS_TEXT_SIZE];
  snprintf(cut, sizeof cut, "%s", string_or_empty(text));
  grpc_message_encode(cut, &call->message);
  if (call->is_answered) {
    resume(call);
  } else {
    Trailer trailer;
    trailer_init(&trailer, call);
    const nghttp2_nv headers[] = {header(":status", "200"), header("content-type", "application/grpc"),
                                  trailer.headers[0], trailer.headers[1]};
    respond(call, headers, 2 + trailer.count, NULL);
  }
  grpc_session_leave(session, true);
}

void grpc_call_on_gone(GrpcCall *call, void (*on_gone)(void *userdata), void *userdata) {
  assert(call->session->is_server && !call->ended);
  call->on_gone = on_gone;
  call->gone_userdata = userdata;
}

/* Not gRPC at all: answered in plain HTTP, as the protocol asks. */
static void refuse_http(GrpcCall *call, const char *http_status) {
  const nghttp2_nv headers[] = {header(":status", http_status)};
  call->ended = call->is_finished = call->is_dispatched = true;
  respond(call, headers, COUNT_OF(headers), NULL);
}

void grpc_call_on_request(GrpcCall *call) {
  if (call->ended)
    return;
  if (!call->is_post)
    refuse_http(call, "405");
  else if (!call->is_grpc)
    refuse_http(call, "415");
}

static void dispatch(GrpcCall *call) {
  GrpcSession *session = call->session;
  if (call->is_dispatched || call->ended)
    return;
  const void *message = NULL;
  size_t size = 0;
  Error err = {0};
  if (grpc_inbox_next(&call->inbox, &message, &size, &err) != GRPC_FRAME_MESSAGE) {
    grpc_call_finish(call, GRPC_INTERNAL, "the request ends before its message does");
  } else if (grpc_inbox_size(&call->inbox) > 0) {
    grpc_call_finish(call, GRPC_INTERNAL, "the request has more than one message");
  } else {
    call->is_dispatched = true;
    session->on_call(session->userdata, call, call->method, message, size);
  }
  /* A stream such as ListAndWatch stays for days; its request is not needed any more. */
  grpc_inbox_deinit(&call->inbox);
}

/* Client */

static void fail_later(GrpcCall *call, GrpcStatus status, const char *why) {
  call->status = status;
  call->failure = why;
  timer_set(call->session->host, &call->timer, 0);
}

static void on_timer(void *userdata) {
  GrpcCall *call = userdata;
  GrpcSession *session = call->session;
  grpc_session_enter(session);
  if (call->failure) {
    grpc_call_end(call, call->status, call->failure);
    grpc_call_free(call);
  } else {
    char text[64];
    snprintf(text, sizeof text, "no answer within %u ms", call->timeout_ms);
    grpc_call_reset(call, NGHTTP2_CANCEL);
    grpc_call_end(call, GRPC_DEADLINE_EXCEEDED, text);
  }
  grpc_session_leave(session, true);
}

static void submit_request(GrpcCall *call, const char *method) {
  GrpcSession *session = call->session;
  char timeout[GRPC_TIMEOUT_SIZE];
  grpc_timeout_encode(call->timeout_ms, timeout);
  const nghttp2_nv headers[] = {
      header(":method", "POST"),
      header(":scheme", "http"),
      header(":path", method),
      header(":authority", "localhost"),
      header("te", "trailers"),
      header("content-type", "application/grpc"),
      header("user-agent", "facet/" FACET_VERSION),
      header("grpc-timeout", timeout),
  };
  const nghttp2_data_provider provider = outbox_provider(call);
  size_t count = call->timeout_ms ? COUNT_OF(headers) : COUNT_OF(headers) - 1;
  int32_t stream_id =
      grpc_session_checked(nghttp2_submit_request(session->http2, NULL, headers, count, &provider, call));
  if (stream_id > 0) {
    call->stream_id = stream_id;
    return;
  }
  assert(stream_id == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE);
  session->failure = "the connection has used up its stream numbers";
  fail_later(call, GRPC_UNAVAILABLE, session->failure);
}

GrpcCall *grpc_session_call(GrpcSession *session, const char *method, const void *message, size_t size,
                            uint32_t timeout_ms, const GrpcReply *reply) {
  assert(!session->is_server && !session->is_closing && reply->on_end && method[0] == '/');
  grpc_session_enter(session);
  size_t others = session->call_count;
  size_t unsent = grpc_session_unsent(session);
  GrpcCall *call = grpc_call_new(session);
  call->reply = *reply;
  call->timeout_ms = timeout_ms;
  call->timer = (HostTimer){.fire = on_timer, .userdata = call};
  if (others >= GRPC_STREAMS_MAX || unsent + size + GRPC_FRAME_PREFIX_SIZE > GRPC_QUEUE_SIZE_MAX) {
    fail_later(call, GRPC_RESOURCE_EXHAUSTED, "too many calls are open on this connection");
  } else {
    grpc_outbox_add(&call->outbox, message, size);
    submit_request(call, method);
    if (timeout_ms && !call->failure)
      timer_set(session->host, &call->timer, timeout_ms);
  }
  grpc_session_leave(session, true);
  return call;
}

void grpc_call_cancel(GrpcCall *call) {
  GrpcSession *session = call->session;
  assert(!session->is_server && !call->ended);
  grpc_session_enter(session);
  call->ended = true;
  timer_cancel(session->host, &call->timer);
  grpc_call_reset(call, NGHTTP2_CANCEL);
  if (!call->stream_id)
    grpc_call_free(call);
  grpc_session_leave(session, true);
}

/* Receiving, both sides */

static bool is_name(const char *name, const char *wanted) {
  return strcmp(name, wanted) == 0;
}

static bool has_prefix(const void *value, size_t size, const char *prefix) {
  return size >= strlen(prefix) && memcmp(value, prefix, strlen(prefix)) == 0;
}

/* "application/grpc" or "application/grpc+proto", with or without parameters behind a semicolon. */
static bool is_grpc_type(const char *value, size_t size) {
  static const char *const types[] = {"application/grpc", "application/grpc+proto"};
  for (size_t i = 0; i < COUNT_OF(types); i++) {
    size_t length = strlen(types[i]);
    if (has_prefix(value, size, types[i]) && (size == length || value[length] == ';'))
      return true;
  }
  return false;
}

static void on_request_header(GrpcCall *call, const char *name, const void *value, size_t size) {
  if (is_name(name, ":path") && !call->method)
    call->method = mem_strndup(value, size < METHOD_SIZE_MAX ? size : METHOD_SIZE_MAX);
  else if (is_name(name, ":method"))
    call->is_post = size == 4 && memcmp(value, "POST", 4) == 0;
}

static void on_response_header(GrpcCall *call, const char *name, const void *value, size_t size) {
  if (is_name(name, ":status")) {
    const char *digits = value; /* nghttp2 lets only three digits through */
    call->http_status = size == 3 ? (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + digits[2] - '0' : 0;
  } else if (is_name(name, "grpc-status")) {
    call->has_status = true;
    call->status = grpc_status_decode(value, size);
  } else if (is_name(name, "grpc-message")) {
    grpc_message_decode(value, size, call->text);
  }
}

void grpc_call_on_header(GrpcCall *call, const char *name, const void *value, size_t size) {
  if (is_name(name, "content-type"))
    call->is_grpc = is_grpc_type(value, size);
  else if (call->session->is_server)
    on_request_header(call, name, value, size);
  else
    on_response_header(call, name, value, size);
}

/* A message that we refuse ends the call on either side. */
static void refuse(GrpcCall *call, const Error *err) {
  GrpcStatus status = err->code == ERROR_UNSUPPORTED ? GRPC_UNIMPLEMENTED : GRPC_RESOURCE_EXHAUSTED;
  grpc_inbox_deinit(&call->inbox);
  if (call->session->is_server) {
    grpc_call_finish(call, status, err->text);
    return;
  }
  grpc_call_reset(call, NGHTTP2_CANCEL);
  grpc_call_end(call, status, err->text);
}

static size_t unread(const GrpcSession *session) {
  size_t size = 0;
  const GrpcCall *call = NULL;
  LIST_FOREACH(call, &session->calls, entry) {
    size += call->inbox.bytes.size;
  }
  return size;
}

static int hand_out(GrpcCall *call, Error *err) {
  const void *message = NULL;
  size_t size = 0;
  int result = 0;
  while (!call->ended && (result = grpc_inbox_next(&call->inbox, &message, &size, err)) > 0) {
    if (call->reply.on_message)
      call->reply.on_message(call->reply.userdata, message, size);
  }
  return call->ended ? 0 : result;
}

void grpc_call_on_data(GrpcCall *call, const void *bytes, size_t size) {
  bool is_server = call->session->is_server;
  if (call->ended || call->is_dispatched || (!is_server && (call->http_status != 200 || !call->is_grpc)))
    return;
  Error err = {0};
  int result = 0;
  if (unread(call->session) + size > GRPC_QUEUE_SIZE_MAX) {
    result = error_set(&err, ERROR_LIMIT, "unfinished messages of more than %d bytes on one connection",
                       GRPC_QUEUE_SIZE_MAX);
  } else {
    grpc_inbox_add(&call->inbox, bytes, size);
    result = is_server ? grpc_inbox_check(&call->inbox, &err) : hand_out(call, &err);
  }
  if (result < 0)
    refuse(call, &err);
}

static void complete(GrpcCall *call) {
  char text[64];
  if (call->has_status && call->status == GRPC_OK && grpc_inbox_size(&call->inbox) > 0) {
    grpc_call_end(call, GRPC_INTERNAL, "the answer ends in the middle of a message");
  } else if (call->has_status) {
    grpc_call_end(call, call->status, call->text);
  } else if (call->http_status != 200) {
    snprintf(text, sizeof text, "HTTP status %d instead of a gRPC answer", call->http_status);
    grpc_call_end(call, grpc_status_of_http(call->http_status), text);
  } else if (!call->is_grpc) {
    grpc_call_end(call, GRPC_UNKNOWN, "the answer's content type is not application/grpc");
  } else {
    grpc_call_end(call, GRPC_INTERNAL, "the answer ends without a status");
  }
}

void grpc_call_on_end_stream(GrpcCall *call) {
  if (call->session->is_server) {
    dispatch(call);
    return;
  }
  if (call->ended)
    return;
  /* The peer has answered before it read all of our request: nobody will take the rest. */
  if (grpc_outbox_size(&call->outbox) > 0)
    grpc_call_reset(call, NGHTTP2_CANCEL);
  complete(call);
}

void grpc_call_on_close(GrpcCall *call, uint32_t http2_error) {
  char text[64];
  if (!call->ended) {
    snprintf(text, sizeof text, "the stream was reset: %s", nghttp2_http2_strerror(http2_error));
    grpc_call_end(call, grpc_status_of_reset(http2_error), text);
  }
  grpc_call_free(call);
}
