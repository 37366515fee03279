/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions against peers that our own sessions never are: scripted ones, which speak HTTP/2 through nghttp2
 * directly and break one rule of gRPC each. */
#include "kubelet/grpc.h"

#include "base/memory.h"
#include "base/test.h"

#include <nghttp2/nghttp2.h>

enum { HEADERS_MAX = 10, NO_RESET = -1 };

typedef struct Header {
  const char *name, *value;
} Header;

/* What a scripted peer sends: a request or an answer. */
typedef struct Script {
  Header headers[HEADERS_MAX];
  const char *body;
  size_t body_size;
  Header trailers[3];
  bool is_left_open; /* END_STREAM never comes */
  int reset;         /* RST_STREAM with this code instead of END_STREAM, or NO_RESET */
} Script;

#define BODY(text) .body = (text), .body_size = sizeof(text) - 1

typedef struct Raw {
  nghttp2_session *http2;
  const Script *script;
  size_t body_sent;
  Text story; /* what it received */
  /* our side */
  Host host;
  GrpcSession *session;
  size_t calls;
} Raw;

static void tell(Text *story, const char *format, ...) PRINTF_LIKE(2, 3);

static void tell(Text *story, const char *format, ...) {
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  text_append(story, line);
}

static size_t headers_count(const Header *headers, size_t max) {
  size_t count = 0;
  while (count < max && headers[count].name)
    count++;
  return count;
}

static size_t make_headers(const Header *headers, size_t max, nghttp2_nv *ret) {
  size_t count = headers_count(headers, max);
  for (size_t i = 0; i < count; i++)
    ret[i] = (nghttp2_nv){(uint8_t *)headers[i].name, (uint8_t *)headers[i].value, strlen(headers[i].name),
                          strlen(headers[i].value), NGHTTP2_NV_FLAG_NONE};
  return count;
}

static ssize_t read_body(nghttp2_session *http2, int32_t stream_id, uint8_t *buffer, size_t size,
                         uint32_t *data_flags, nghttp2_data_source *source, void *userdata) {
  Raw *raw = userdata;
  const Script *script = raw->script;
  size_t left = script->body_size - raw->body_sent;
  size_t taken = size < left ? size : left;
  if (taken)
    memcpy(buffer, script->body + raw->body_sent, taken);
  raw->body_sent += taken;
  if (raw->body_sent < script->body_size)
    return (ssize_t)taken;
  if (script->is_left_open)
    return taken ? (ssize_t)taken : NGHTTP2_ERR_DEFERRED;
  if (script->reset != NO_RESET) {
    assert_int_equal(nghttp2_submit_rst_stream(http2, 0, stream_id, (uint32_t)script->reset), 0);
    return taken ? (ssize_t)taken : NGHTTP2_ERR_DEFERRED;
  }
  *data_flags |= NGHTTP2_DATA_FLAG_EOF;
  nghttp2_nv trailers[COUNT_OF(script->trailers)];
  size_t count = make_headers(script->trailers, COUNT_OF(script->trailers), trailers);
  if (count) {
    *data_flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    assert_int_equal(nghttp2_submit_trailer(http2, stream_id, trailers, count), 0);
  }
  return (ssize_t)taken;
}

static void play(Raw *raw, int32_t stream_id) {
  const Script *script = raw->script;
  nghttp2_nv headers[HEADERS_MAX];
  size_t count = make_headers(script->headers, HEADERS_MAX, headers);
  const nghttp2_data_provider provider = {.read_callback = read_body};
  bool is_headers_only =
      !script->body && !script->trailers[0].name && !script->is_left_open && script->reset == NO_RESET;
  raw->body_sent = 0;
  if (stream_id)
    assert_int_equal(
        nghttp2_submit_response(raw->http2, stream_id, headers, count, is_headers_only ? NULL : &provider),
        0);
  else
    assert_true(nghttp2_submit_request(raw->http2, NULL, headers, count, is_headers_only ? NULL : &provider,
                                       NULL) > 0);
}

static int on_raw_header(nghttp2_session *http2, const nghttp2_frame *frame, const uint8_t *name,
                         size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                         void *userdata) {
  Raw *raw = userdata;
  tell(&raw->story, "%s=%s ", (const char *)name, (const char *)value);
  return 0;
}

static int on_raw_frame(nghttp2_session *http2, const nghttp2_frame *frame, void *userdata) {
  Raw *raw = userdata;
  bool is_request = frame->hd.type == NGHTTP2_DATA && frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
  if (is_request && nghttp2_session_check_server_session(http2))
    play(raw, frame->hd.stream_id);
  return 0;
}

static int on_raw_close(nghttp2_session *http2, int32_t stream_id, uint32_t http2_error, void *userdata) {
  tell(&((Raw *)userdata)->story, "closed %s;", nghttp2_http2_strerror(http2_error));
  return 0;
}

static void raw_init(Raw *raw, bool is_server) {
  nghttp2_session_callbacks *callbacks = NULL;
  *raw = (Raw){0};
  host_init(&raw->host, 1);
  assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_raw_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_raw_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_raw_close);
  assert_int_equal(
      (is_server ? nghttp2_session_server_new : nghttp2_session_client_new)(&raw->http2, callbacks, raw), 0);
  nghttp2_session_callbacks_del(callbacks);
  assert_int_equal(nghttp2_submit_settings(raw->http2, 0, NULL, 0), 0);
}

static void raw_deinit(Raw *raw) {
  nghttp2_session_del(raw->http2);
  grpc_session_free(raw->session);
  text_deinit(&raw->story);
  host_deinit(&raw->host);
}

static bool raw_to_session(Raw *raw) {
  const uint8_t *bytes = NULL;
  ssize_t size = nghttp2_session_mem_send(raw->http2, &bytes);
  Error err = {0};
  assert_true(size >= 0);
  if (size)
    assert_ok(grpc_session_feed(raw->session, bytes, (size_t)size, &err));
  return size > 0;
}

static bool session_to_raw(Raw *raw) {
  CLEANUP(text_deinit) Text out = {0};
  Error err = {0};
  assert_ok(grpc_session_output(raw->session, &out, &err));
  if (out.size)
    assert_int_equal(nghttp2_session_mem_recv(raw->http2, (const uint8_t *)out.bytes, out.size), out.size);
  return out.size > 0;
}

static void run(Raw *raw) {
  for (bool something = true; something;) {
    something = raw_to_session(raw);
    something |= session_to_raw(raw);
  }
}

/* Our client, scripted servers */

static void on_message(void *userdata, const void *message, size_t size) {
  tell(userdata, "message %.*s;", (int)size, (const char *)message);
}

static void on_end(void *userdata, GrpcStatus status, const char *text) {
  tell(userdata, "end %d %s;", (int)status, text);
}

#define OK_HEADERS                                                                                           \
  {                                                                                                          \
    {":status", "200"}, {                                                                                    \
      "content-type", "application/grpc"                                                                     \
    }                                                                                                        \
  }
#define STATUS(code)                                                                                         \
  {                                                                                                          \
    { "grpc-status", code }                                                                                  \
  }

static const struct ServerRow {
  Script script;
  const char *story; /* what our client makes of it */
} server_rows[] = {
    {{.headers = OK_HEADERS, BODY("\0\0\0\0\2hi"), .trailers = STATUS("0"), .reset = NO_RESET},
     "message hi;end 0 ;"},
    {{.headers = {{":status", "200"}, {"content-type", "application/grpc+proto;x=y"}},
      BODY("\0\0\0\0\2hi\0\0\0\0\0\0\0\0\0\1!"),
      .trailers = {{"grpc-status", "0"}, {"grpc-message", "fine"}},
      .reset = NO_RESET},
     "message hi;message ;message !;end 0 fine;"},
    /* Trailers-Only */
    {{.headers = {{":status", "200"},
                  {"content-type", "application/grpc"},
                  {"grpc-status", "5"},
                  {"grpc-message", "no%20such%2"}},
      .reset = NO_RESET},
     "end 5 no such%2;"},
    {{.headers = {{":status", "200"}, {"grpc-status", "16"}}, .reset = NO_RESET}, "end 16 ;"},
    {{.headers = {{":status", "403"}, {"grpc-status", "9"}}, .reset = NO_RESET}, "end 9 ;"},
    /* statuses that are none */
    {{.headers = {{":status", "200"}, {"grpc-status", "17"}}, .reset = NO_RESET}, "end 2 ;"},
    {{.headers = {{":status", "200"}, {"grpc-status", "OK"}}, .reset = NO_RESET}, "end 2 ;"},
    {{.headers = {{":status", "200"}, {"grpc-status", "000"}}, .reset = NO_RESET}, "end 2 ;"},
    {{.headers = {{":status", "200"}, {"grpc-status", ""}}, .reset = NO_RESET}, "end 2 ;"},
    /* not gRPC */
    {{.headers = {{":status", "400"}}, .reset = NO_RESET},
     "end 13 HTTP status 400 instead of a gRPC answer;"},
    {{.headers = {{":status", "401"}}, .reset = NO_RESET},
     "end 16 HTTP status 401 instead of a gRPC answer;"},
    {{.headers = {{":status", "403"}}, .reset = NO_RESET}, "end 7 HTTP status 403 instead of a gRPC answer;"},
    {{.headers = {{":status", "404"}, {"content-type", "text/plain"}},
      BODY("\0\0\0\0\1x"),
      .reset = NO_RESET},
     "end 12 HTTP status 404 instead of a gRPC answer;"},
    {{.headers = {{":status", "429"}}, .reset = NO_RESET},
     "end 14 HTTP status 429 instead of a gRPC answer;"},
    {{.headers = {{":status", "503"}}, .reset = NO_RESET},
     "end 14 HTTP status 503 instead of a gRPC answer;"},
    {{.headers = {{":status", "500"}}, .reset = NO_RESET}, "end 2 HTTP status 500 instead of a gRPC answer;"},
    {{.headers = {{":status", "200"}, {"content-type", "text/html"}}, BODY("<html>"), .reset = NO_RESET},
     "end 2 the answer's content type is not application/grpc;"},
    {{.headers = {{":status", "200"}, {"content-type", "application/grpcx"}}, BODY("x"), .reset = NO_RESET},
     "end 2 the answer's content type is not application/grpc;"},
    /* broken messages */
    {{.headers = OK_HEADERS, BODY("\1\0\0\0\2hi"), .trailers = STATUS("0"), .reset = NO_RESET},
     "end 12 compressed messages are not supported;"},
    {{.headers = OK_HEADERS, BODY("\0\1\0\0\1"), .trailers = STATUS("0"), .reset = NO_RESET},
     "end 8 a message of 16777217 bytes is larger than the limit of 16777216;"},
    {{.headers = OK_HEADERS, BODY("\0\0\0\0\3hi"), .trailers = STATUS("0"), .reset = NO_RESET},
     "end 13 the answer ends in the middle of a message;"},
    {{.headers = OK_HEADERS, BODY("\0\0\0\0\3hi"), .trailers = STATUS("8"), .reset = NO_RESET}, "end 8 ;"},
    /* no end, or none that was announced */
    {{.headers = OK_HEADERS, BODY("\0\0\0\0\2hi"), .reset = NO_RESET},
     "message hi;end 13 the answer ends without a status;"},
    {{.headers = OK_HEADERS, .reset = NO_RESET}, "end 13 the answer ends without a status;"},
    {{.headers = OK_HEADERS, BODY("\0\0\0\0\2hi"), .reset = NGHTTP2_NO_ERROR},
     "message hi;end 13 the stream was reset: NO_ERROR;"},
    {{.headers = OK_HEADERS, .reset = NGHTTP2_INTERNAL_ERROR},
     "end 13 the stream was reset: INTERNAL_ERROR;"},
    {{.headers = OK_HEADERS, .reset = NGHTTP2_CANCEL}, "end 1 the stream was reset: CANCEL;"},
    {{.headers = OK_HEADERS, .reset = NGHTTP2_REFUSED_STREAM},
     "end 14 the stream was reset: REFUSED_STREAM;"},
    {{.headers = OK_HEADERS, .reset = NGHTTP2_ENHANCE_YOUR_CALM},
     "end 8 the stream was reset: ENHANCE_YOUR_CALM;"},
    {{.headers = OK_HEADERS, .reset = NGHTTP2_INADEQUATE_SECURITY},
     "end 7 the stream was reset: INADEQUATE_SECURITY;"},
};

static void every_kind_of_answer_becomes_one_end(void **state) {
  for (size_t i = 0; i < COUNT_OF(server_rows); i++) {
    CLEANUP(raw_deinit) Raw raw = {0};
    CLEANUP(text_deinit) Text story = {0};
    raw_init(&raw, true);
    raw.script = &server_rows[i].script;
    raw.session = grpc_session_new_client(&raw.host);
    const GrpcReply reply = {.on_message = on_message, .on_end = on_end, .userdata = &story};
    grpc_session_call(raw.session, "/x/Y", "", 0, 0, &reply);
    run(&raw);
    assert_string_equal(text_string(&story), server_rows[i].story);
  }
}

static void a_request_has_the_headers_that_grpc_asks_for(void **state) {
  static const Script answer = {.headers = OK_HEADERS, .trailers = STATUS("0"), .reset = NO_RESET};
  static const struct {
    uint32_t timeout_ms;
    const char *header;
  } rows[] = {{0, ""},
              {1, "grpc-timeout=1m "},
              {99999999, "grpc-timeout=99999999m "},
              {100000001, "grpc-timeout=100001S "},
              {UINT32_MAX, "grpc-timeout=4294968S "}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    CLEANUP(raw_deinit) Raw raw = {0};
    CLEANUP(text_deinit) Text story = {0};
    char expected[400];
    raw_init(&raw, true);
    raw.script = &answer;
    raw.session = grpc_session_new_client(&raw.host);
    const GrpcReply reply = {.on_end = on_end, .userdata = &story};
    grpc_session_call(raw.session, "/x/Y", "", 0, rows[i].timeout_ms, &reply);
    run(&raw);
    snprintf(expected, sizeof expected,
             ":method=POST :scheme=http :path=/x/Y :authority=localhost te=trailers "
             "content-type=application/grpc user-agent=facet/" FACET_VERSION " %sclosed NO_ERROR;",
             rows[i].header);
    assert_string_equal(text_string(&raw.story), expected);
  }
}

/* A server that allows one stream at a time: the second call waits for the first. */
static void calls_wait_for_the_servers_limit_of_streams(void **state) {
  static const Script answer = {.headers = OK_HEADERS, .trailers = STATUS("0"), .reset = NO_RESET};
  CLEANUP(raw_deinit) Raw raw = {0};
  CLEANUP(text_deinit) Text story = {0};
  const nghttp2_settings_entry one_stream = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1};
  raw_init(&raw, true);
  raw.script = &answer;
  raw.session = grpc_session_new_client(&raw.host);
  assert_int_equal(nghttp2_submit_settings(raw.http2, 0, &one_stream, 1), 0);
  raw_to_session(&raw);
  const GrpcReply reply = {.on_end = on_end, .userdata = &story};
  for (int i = 0; i < 3; i++)
    grpc_session_call(raw.session, "/x/Y", "", 0, 0, &reply);
  grpc_call_cancel(grpc_session_call(raw.session, "/x/Y", "", 0, 0, &reply));
  run(&raw);
  assert_string_equal(text_string(&story), "end 0 ;end 0 ;end 0 ;");
}

/* A server may answer before it has read the request; the rest of the request is not sent then. */
static void an_early_answer_ends_the_call_and_its_request(void **state) {
  static const Script answer = {.headers = {{":status", "200"}, {"grpc-status", "8"}}, .reset = NO_RESET};
  CLEANUP(raw_deinit) Raw raw = {0};
  CLEANUP(text_deinit) Text story = {0};
  CLEANUP(cleanup_free) char *message = mem_alloc(1 << 20); /* more than the server's windows */
  raw_init(&raw, true);
  raw.script = &answer;
  raw.session = grpc_session_new_client(&raw.host);
  const GrpcReply reply = {.on_end = on_end, .userdata = &story};
  grpc_session_call(raw.session, "/x/Y", message, 1 << 20, 0, &reply);
  session_to_raw(&raw);
  play(&raw, 1);
  run(&raw);
  assert_string_equal(text_string(&story), "end 8 ;");
  assert_non_null(strstr(text_string(&raw.story), "closed CANCEL;"));
}

/* Our server, scripted clients */

static void on_call(void *userdata, GrpcCall *call, const char *method, const void *message, size_t size) {
  Raw *raw = userdata;
  raw->calls++;
  grpc_call_send(call, message, size);
  grpc_call_finish(call, GRPC_OK, "");
}

#define REQUEST(method, type)                                                                                \
  {                                                                                                          \
    {":method", method}, {":scheme", "http"}, {":path", "/x/Y"}, {":authority", "x"}, {                      \
      "content-type", type                                                                                   \
    }                                                                                                        \
  }
#define GRPC_REQUEST REQUEST("POST", "application/grpc")
#define REFUSAL      ":status=200 content-type=application/grpc "

static const struct ClientRow {
  Script script;
  size_t calls;      /* how many reach the owner */
  const char *story; /* what the client sees */
} client_rows[] = {
    {{.headers = GRPC_REQUEST, BODY("\0\0\0\0\2hi"), .reset = NO_RESET},
     1,
     REFUSAL "grpc-status=0 closed NO_ERROR;"},
    {{.headers = REQUEST("POST", "application/grpc+proto"), BODY("\0\0\0\0\2hi"), .reset = NO_RESET},
     1,
     REFUSAL "grpc-status=0 closed NO_ERROR;"},
    {{.headers = REQUEST("GET", "application/grpc"), .reset = NO_RESET}, 0, ":status=405 closed NO_ERROR;"},
    {{.headers = REQUEST("POST", "application/json"), BODY("{}"), .reset = NO_RESET},
     0,
     ":status=415 closed NO_ERROR;"},
    {{.headers = REQUEST("POST", "application/grpc+json"), BODY("{}"), .reset = NO_RESET},
     0,
     ":status=415 closed NO_ERROR;"},
    {{.headers = GRPC_REQUEST, .reset = NO_RESET},
     0,
     REFUSAL "grpc-status=13 grpc-message=the request ends before its message does closed NO_ERROR;"},
    {{.headers = GRPC_REQUEST, BODY("\0\0\0\0\3hi"), .reset = NO_RESET},
     0,
     REFUSAL "grpc-status=13 grpc-message=the request ends before its message does closed NO_ERROR;"},
    {{.headers = GRPC_REQUEST, BODY("\0\0\0\0\1x\0\0\0\0\1y"), .reset = NO_RESET},
     0,
     REFUSAL "grpc-status=13 grpc-message=the request has more than one message closed NO_ERROR;"},
    {{.headers = GRPC_REQUEST, BODY("\1\0\0\0\1x"), .reset = NO_RESET},
     0,
     REFUSAL "grpc-status=12 grpc-message=compressed messages are not supported closed NO_ERROR;"},
    {{.headers = GRPC_REQUEST, BODY("\0\1\0\0\1"), .reset = NO_RESET},
     0,
     REFUSAL
     "grpc-status=8 grpc-message=a message of 16777217 bytes is larger than the limit of 16777216 closed "
     "NO_ERROR;"},
    /* A request that goes on after its refusal is cut off. */
    {{.headers = GRPC_REQUEST, BODY("\1\0\0\0\1x"), .is_left_open = true, .reset = NO_RESET},
     0,
     REFUSAL "grpc-status=12 grpc-message=compressed messages are not supported closed NO_ERROR;"},
    {{.headers = REQUEST("PUT", "application/grpc"), BODY("x"), .is_left_open = true, .reset = NO_RESET},
     0,
     ":status=405 closed NO_ERROR;"},
    /* A client that gives up, or never finishes, reaches nobody. */
    {{.headers = GRPC_REQUEST, BODY("\0\0\0\0\2hi"), .reset = NGHTTP2_CANCEL}, 0, "closed CANCEL;"},
    {{.headers = GRPC_REQUEST, BODY("\0\0\0\0\2hi"), .is_left_open = true, .reset = NO_RESET}, 0, ""},
};

static void every_kind_of_request_is_answered_or_refused(void **state) {
  for (size_t i = 0; i < COUNT_OF(client_rows); i++) {
    CLEANUP(raw_deinit) Raw raw = {0};
    raw_init(&raw, false);
    raw.script = &client_rows[i].script;
    raw.session = grpc_session_new_server(&raw.host, on_call, &raw);
    play(&raw, 0);
    run(&raw);
    assert_string_equal(text_string(&raw.story), client_rows[i].story);
    assert_int_equal(raw.calls, client_rows[i].calls);
  }
}

static void a_method_longer_than_every_known_one_is_cut(void **state) {
  char path[1000] = "/";
  memset(path + 1, 'x', sizeof path - 2);
  const Script script = {.headers = {{":method", "POST"},
                                     {":scheme", "http"},
                                     {":path", path},
                                     {":authority", "x"},
                                     {"content-type", "application/grpc"}},
                         BODY("\0\0\0\0\0"),
                         .reset = NO_RESET};
  CLEANUP(raw_deinit) Raw raw = {0};
  raw_init(&raw, false);
  raw.script = &script;
  raw.session = grpc_session_new_server(&raw.host, on_call, &raw);
  play(&raw, 0);
  run(&raw);
  assert_int_equal(raw.calls, 1);
}

/* Many requests that never end: together they may hold GRPC_QUEUE_SIZE_MAX bytes, the next one is refused. */
static void unfinished_messages_of_one_connection_are_limited(void **state) {
  enum { SIZE = (8 << 20) };
  CLEANUP(cleanup_free) char *body = mem_alloc(SIZE);
  memcpy(body, "\0\0\xff\xff\xff", 5);
  const Script script = {
      .headers = GRPC_REQUEST, .body = body, .body_size = SIZE, .is_left_open = true, .reset = NO_RESET};
  CLEANUP(raw_deinit) Raw raw = {0};
  raw_init(&raw, false);
  raw.script = &script;
  raw.session = grpc_session_new_server(&raw.host, on_call, &raw);
  for (int i = 0; i < GRPC_QUEUE_SIZE_MAX / SIZE; i++) {
    play(&raw, 0);
    run(&raw);
  }
  assert_string_equal(text_string(&raw.story), "");
  play(&raw, 0);
  run(&raw);
  assert_string_equal(text_string(&raw.story), REFUSAL
                      "grpc-status=8 grpc-message=unfinished messages of more than 33554432 bytes on one "
                      "connection closed NO_ERROR;");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_of_answer_becomes_one_end),
      cmocka_unit_test(a_request_has_the_headers_that_grpc_asks_for),
      cmocka_unit_test(calls_wait_for_the_servers_limit_of_streams),
      cmocka_unit_test(an_early_answer_ends_the_call_and_its_request),
      cmocka_unit_test(every_kind_of_request_is_answered_or_refused),
      cmocka_unit_test(a_method_longer_than_every_known_one_is_cut),
      cmocka_unit_test(unfinished_messages_of_one_connection_are_limited),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
