/* SPDX-License-Identifier: Apache-2.0 */
/* A client and a server session in memory, every byte between them in the test's hands. The scripted peers of
 * the failure cases speak HTTP/2 through nghttp2 directly, because our own sessions never misbehave. */
#include "kubelet/grpc.h"

#include "base/array.h"
#include "base/test.h"

#include <nghttp2/nghttp2.h>

enum { LOG_SIZE = 4096, HUGE_CHUNK = 1 << 30 };

/* What happened, as one line: the cases compare it as a whole. */
typedef struct Story {
  Text text;
} Story;

typedef struct Pair {
  Host host;
  GrpcSession *client, *server;
  Story story;
  size_t chunk_size; /* bytes are fed in pieces of this size */
  GrpcCall *open[8]; /* server calls kept for later */
  size_t open_count;
  const char *finish_on_message;
  int want_writes;
  bool is_free_client_on_end, is_free_client_on_message, is_free_server_on_call;
  bool is_cancel_on_message;
  GrpcCall *client_call;
} Pair;

static void tell(Pair *pair, const char *format, ...) PRINTF_LIKE(2, 3);

static void tell(Pair *pair, const char *format, ...) {
  char line[LOG_SIZE];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  text_append(&pair->story.text, line);
}

/* Compares the story since the last time. */
#define assert_story(pair, expected)                                                                         \
  do {                                                                                                       \
    assert_string_equal(text_string(&(pair)->story.text), expected);                                         \
    text_clear(&(pair)->story.text);                                                                         \
  } while (0)

static void on_gone(void *userdata) {
  tell(userdata, "gone;");
}

static void free_session(GrpcSession **session) {
  grpc_session_free(TAKE(*session));
}

/* Methods of the test's server: /echo answers the message, /stream keeps the call open, /fail refuses with a
 * text that needs encoding, /early answers with a status only, /big sends a message of 3 MiB. */
static void on_call(void *userdata, GrpcCall *call, const char *method, const void *message, size_t size) {
  Pair *pair = userdata;
  tell(pair, "call %s %.*s;", method, (int)(size < 20 ? size : 20), (const char *)message);
  if (pair->is_free_server_on_call)
    free_session(&pair->server);
  else if (strcmp(method, "/echo") == 0) {
    grpc_call_send(call, message, size);
    grpc_call_finish(call, GRPC_OK, NULL);
  } else if (strcmp(method, "/stream") == 0) {
    grpc_call_on_gone(call, on_gone, pair);
    pair->open[pair->open_count++] = call;
  } else if (strcmp(method, "/fail") == 0)
    grpc_call_finish(call, GRPC_FAILED_PRECONDITION, "100% n\xc3\xb6\n");
  else if (strcmp(method, "/early") == 0)
    grpc_call_finish(call, GRPC_OK, "");
  else
    grpc_call_finish(call, GRPC_UNIMPLEMENTED, "unknown method");
}

static void on_message(void *userdata, const void *message, size_t size) {
  Pair *pair = userdata;
  if (size > 20)
    tell(pair, "message of %zu;", size);
  else
    tell(pair, "message %.*s;", (int)size, (const char *)message);
  if (pair->is_cancel_on_message)
    grpc_call_cancel(pair->client_call);
  if (pair->is_free_client_on_message)
    free_session(&pair->client);
}

static void on_end(void *userdata, GrpcStatus status, const char *text) {
  Pair *pair = userdata;
  tell(pair, "end %d %s;", (int)status, text);
  if (pair->is_free_client_on_end)
    free_session(&pair->client);
}

static void on_want_write(void *userdata) {
  ((Pair *)userdata)->want_writes++;
}

static int pair_init(void **state) {
  Pair *pair = mem_alloc(sizeof *pair);
  host_init(&pair->host, 1);
  pair->chunk_size = HUGE_CHUNK;
  pair->client = grpc_session_new_client(&pair->host);
  pair->server = grpc_session_new_server(&pair->host, on_call, pair);
  grpc_session_on_want_write(pair->client, on_want_write, pair);
  grpc_session_on_want_write(pair->server, on_want_write, pair);
  *state = pair;
  return 0;
}

static int pair_deinit(void **state) {
  Pair *pair = *state;
  grpc_session_free(pair->client);
  grpc_session_free(pair->server);
  text_deinit(&pair->story.text);
  host_deinit(&pair->host);
  free(pair);
  return 0;
}

static bool move_bytes(Pair *pair, GrpcSession **from, GrpcSession **to) {
  CLEANUP(text_deinit) Text bytes = {0};
  Error err = {0};
  if (*from)
    assert_ok(grpc_session_output(*from, &bytes, &err));
  for (size_t i = 0; i < bytes.size && *to; i += pair->chunk_size) {
    size_t left = bytes.size - i;
    assert_ok(
        grpc_session_feed(*to, bytes.bytes + i, left < pair->chunk_size ? left : pair->chunk_size, &err));
  }
  return bytes.size > 0;
}

/* Until both have nothing more to say. */
static void run(Pair *pair) {
  for (bool something = true; something;) {
    something = move_bytes(pair, &pair->client, &pair->server);
    something |= move_bytes(pair, &pair->server, &pair->client);
  }
}

static GrpcCall *start_call(Pair *pair, const char *method, const char *message, uint32_t timeout_ms) {
  const GrpcReply reply = {.on_message = on_message, .on_end = on_end, .userdata = pair};
  pair->client_call = grpc_session_call(pair->client, method, message, strlen(message), timeout_ms, &reply);
  return pair->client_call;
}

static void a_unary_call_is_answered_at_every_split_of_the_bytes(void **state) {
  Pair *pair = *state;
  static const size_t chunk_sizes[] = {1, 2, 3, 7, 9, 64, HUGE_CHUNK};
  for (size_t i = 0; i < COUNT_OF(chunk_sizes); i++) {
    pair->chunk_size = chunk_sizes[i];
    start_call(pair, "/echo", "hello", 0);
    run(pair);
    assert_story(pair, "call /echo hello;message hello;end 0 ;");
  }
}

static void an_empty_message_is_a_message(void **state) {
  Pair *pair = *state;
  start_call(pair, "/echo", "", 0);
  run(pair);
  assert_story(pair, "call /echo ;message ;end 0 ;");
}

static void a_status_text_survives_with_percent_and_control_characters(void **state) {
  Pair *pair = *state;
  start_call(pair, "/fail", "x", 0);
  run(pair);
  assert_story(pair, "call /fail x;end 9 100% n\xc3\xb6\n;");
}

static void a_status_alone_is_an_answer(void **state) {
  Pair *pair = *state;
  start_call(pair, "/early", "x", 0);
  run(pair);
  assert_story(pair, "call /early x;end 0 ;");
}

static void an_unknown_method_is_refused_by_its_owner(void **state) {
  Pair *pair = *state;
  start_call(pair, "/v1.Nobody/Knows", "x", 0);
  run(pair);
  assert_story(pair, "call /v1.Nobody/Knows x;end 12 unknown method;");
}

static void a_stream_carries_messages_until_it_is_finished(void **state) {
  Pair *pair = *state;
  start_call(pair, "/stream", "", 0);
  run(pair);
  assert_story(pair, "call /stream ;");
  for (int i = 0; i < 3; i++) {
    grpc_call_send(pair->open[0], "one", 3);
    grpc_call_send(pair->open[0], "two", 3);
    run(pair);
    assert_story(pair, "message one;message two;");
  }
  grpc_call_send(pair->open[0], "last", 4);
  grpc_call_finish(pair->open[0], GRPC_OK, "");
  run(pair);
  assert_story(pair, "message last;end 0 ;");
}

static void calls_of_one_connection_do_not_wait_for_each_other(void **state) {
  Pair *pair = *state;
  start_call(pair, "/stream", "1", 0);
  start_call(pair, "/stream", "2", 0);
  start_call(pair, "/echo", "3", 0);
  run(pair);
  assert_story(pair, "call /stream 1;call /stream 2;call /echo 3;message 3;end 0 ;");
  grpc_call_finish(pair->open[1], GRPC_NOT_FOUND, "second");
  grpc_call_finish(pair->open[0], GRPC_NOT_FOUND, "first");
  run(pair);
  assert_story(pair, "end 5 second;end 5 first;");
}

static void a_message_larger_than_every_window_arrives_whole(void **state) {
  Pair *pair = *state;
  size_t size = 6 << 20;
  CLEANUP(cleanup_free) char *message = mem_alloc(size);
  start_call(pair, "/stream", "", 0);
  run(pair);
  grpc_call_send(pair->open[0], message, size);
  grpc_call_finish(pair->open[0], GRPC_OK, "");
  run(pair);
  assert_story(pair, "call /stream ;message of 6291456;end 0 ;");
}

static void the_owner_is_told_when_there_is_something_to_write(void **state) {
  Pair *pair = *state;
  start_call(pair, "/stream", "", 0);
  assert_int_equal(pair->want_writes, 1);
  run(pair);
  assert_int_equal(pair->want_writes, 1); /* answering inside feed tells nothing: an output follows anyway */
  grpc_call_send(pair->open[0], "x", 1);
  assert_int_equal(pair->want_writes, 2);
  grpc_call_finish(pair->open[0], GRPC_OK, "");
  assert_int_equal(pair->want_writes, 3);
  run(pair);
}

static void a_deadline_ends_the_call_and_tells_the_server(void **state) {
  Pair *pair = *state;
  start_call(pair, "/stream", "", 250);
  run(pair);
  host_advance(&pair->host, 249, 0);
  host_run_timers(&pair->host);
  assert_story(pair, "call /stream ;");
  host_advance(&pair->host, 250, 0);
  host_run_timers(&pair->host);
  assert_story(pair, "end 4 no answer within 250 ms;");
  run(pair);
  assert_story(pair, "gone;");
}

static void an_answer_in_time_disarms_the_deadline(void **state) {
  Pair *pair = *state;
  start_call(pair, "/echo", "x", 250);
  run(pair);
  assert_int_equal(host_next_ms(&pair->host), HOST_NEVER);
}

static void a_cancelled_call_is_silent_and_the_server_learns_of_it(void **state) {
  Pair *pair = *state;
  GrpcCall *call = start_call(pair, "/stream", "", 1000);
  run(pair);
  grpc_call_cancel(call);
  run(pair);
  assert_story(pair, "call /stream ;gone;");
  assert_int_equal(host_next_ms(&pair->host), HOST_NEVER);
}

static void a_call_may_be_cancelled_before_a_byte_of_it_was_sent(void **state) {
  Pair *pair = *state;
  grpc_call_cancel(start_call(pair, "/echo", "x", 0));
  run(pair);
  assert_story(pair, "");
  start_call(pair, "/echo", "y", 0);
  run(pair);
  assert_story(pair, "call /echo y;message y;end 0 ;");
}

static void a_call_may_be_cancelled_inside_its_own_message(void **state) {
  Pair *pair = *state;
  start_call(pair, "/stream", "", 0);
  run(pair);
  pair->is_cancel_on_message = true;
  grpc_call_send(pair->open[0], "one", 3);
  grpc_call_send(pair->open[0], "two", 3);
  run(pair);
  assert_story(pair, "call /stream ;message one;gone;");
}

static void freeing_a_client_ends_its_calls_as_unavailable(void **state) {
  Pair *pair = *state;
  start_call(pair, "/stream", "", 1000);
  run(pair);
  free_session(&pair->client);
  assert_story(pair, "call /stream ;end 14 the connection was closed;");
  assert_int_equal(host_next_ms(&pair->host), HOST_NEVER);
}

static void freeing_a_server_tells_the_owners_of_its_calls(void **state) {
  Pair *pair = *state;
  start_call(pair, "/stream", "1", 0);
  start_call(pair, "/stream", "2", 0);
  run(pair);
  free_session(&pair->server);
  assert_story(pair, "call /stream 1;call /stream 2;gone;gone;");
}

static void a_failed_session_gives_its_reason_to_every_call(void **state) {
  Pair *pair = *state;
  start_call(pair, "/stream", "", 0);
  run(pair);
  grpc_session_fail(pair->client, "the cable was cut");
  assert_story(pair, "call /stream ;end 14 the cable was cut;");
}

static void a_session_may_be_freed_inside_each_of_its_callbacks(void **state) {
  Pair *pair = *state;
  pair->is_free_client_on_end = true;
  start_call(pair, "/echo", "x", 0);
  run(pair);
  assert_null(pair->client);
  assert_story(pair, "call /echo x;message x;end 0 ;");
}

static void freeing_the_client_in_a_message_ends_the_call_at_once(void **state) {
  Pair *pair = *state;
  pair->is_free_client_on_message = true;
  start_call(pair, "/echo", "x", 0);
  run(pair);
  assert_story(pair, "call /echo x;message x;end 14 the connection was closed;");
}

static void freeing_the_server_in_a_call_needs_no_answer(void **state) {
  Pair *pair = *state;
  pair->is_free_server_on_call = true;
  start_call(pair, "/echo", "x", 0);
  start_call(pair, "/echo", "never seen", 0);
  run(pair);
  assert_null(pair->server);
  assert_story(pair, "call /echo x;");
}

static void freeing_the_client_at_its_deadline_is_safe(void **state) {
  Pair *pair = *state;
  pair->is_free_client_on_end = true;
  start_call(pair, "/stream", "", 5);
  host_advance(&pair->host, 5, 0);
  host_run_timers(&pair->host);
  assert_null(pair->client);
  assert_story(pair, "end 4 no answer within 5 ms;");
}

static void more_calls_than_the_limit_fail_in_a_later_turn(void **state) {
  Pair *pair = *state;
  for (int i = 0; i < GRPC_STREAMS_MAX; i++)
    start_call(pair, "/nothing", "", 0);
  start_call(pair, "/nothing", "", 1000);
  assert_story(pair, "");
  host_run_timers(&pair->host);
  assert_story(pair, "end 8 too many calls are open on this connection;");
  grpc_call_cancel(start_call(pair, "/nothing", "", 0));
  host_run_timers(&pair->host);
  assert_story(pair, "");
}

static void a_peer_that_never_reads_ends_the_session_at_the_queue_limit(void **state) {
  Pair *pair = *state;
  Error err = {0};
  CLEANUP(text_deinit) Text out = {0};
  size_t size = (8 << 20) - 5;
  CLEANUP(cleanup_free) char *message = mem_alloc(size);
  start_call(pair, "/stream", "", 0);
  run(pair);
  for (int i = 0; i < GRPC_QUEUE_SIZE_MAX / (8 << 20); i++)
    grpc_call_send(pair->open[0], message, size);
  assert_ok(grpc_session_output(pair->server, &out, &err)); /* as much as the window allows */
  grpc_call_send(pair->open[0], message, size);
  assert_fails(grpc_session_output(pair->server, &out, &err),
               "the peer does not read: too many bytes wait to be sent");
  assert_fails(grpc_session_feed(pair->server, "", 0, &err),
               "the peer does not read: too many bytes wait to be sent");
  assert_int_equal(err.code, ERROR_LIMIT);
}

static void output_stays_within_the_window_of_a_peer_that_does_not_read(void **state) {
  Pair *pair = *state;
  Error err = {0};
  CLEANUP(text_deinit) Text out = {0};
  size_t size = 4 << 20;
  CLEANUP(cleanup_free) char *message = mem_alloc(size);
  start_call(pair, "/stream", "", 0);
  run(pair);
  grpc_call_send(pair->open[0], message, size);
  assert_ok(grpc_session_output(pair->server, &out, &err));
  assert_in_range(out.size, 1 << 20, (1 << 20) + 4096); /* the client's window of one stream */
}

static void bytes_that_are_not_http2_break_the_server(void **state) {
  Pair *pair = *state;
  Error err = {0};
  assert_fails(grpc_session_feed(pair->server, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, &err),
               "the peer does not speak HTTP/2 as it should: Received bad client magic byte string");
  assert_int_equal(err.code, ERROR_PROTOCOL);
}

/* Feeds the client hand-made HTTP/2 frames: an empty SETTINGS first, then `frames`. */
static int feed_frames(GrpcSession *session, const char *frames, size_t size, Error *err) {
  int result = grpc_session_feed(session, "\0\0\0\4\0\0\0\0\0", 9, err);
  return result < 0 ? result : grpc_session_feed(session, frames, size, err);
}

static void a_goaway_ends_an_idle_session(void **state) {
  Pair *pair = *state;
  Error err = {0};
  CLEANUP(text_deinit) Text out = {0};
  static const char goaway[] = "\0\0\10\7\0\0\0\0\0\0\0\0\0\0\0\0\0";
  assert_ok(feed_frames(pair->client, goaway, sizeof goaway - 1, &err));
  assert_fails(grpc_session_output(pair->client, &out, &err),
               "the HTTP/2 session has ended: the peer said goodbye with NO_ERROR");
  assert_int_equal(err.code, ERROR_UNAVAILABLE);
}

static void calls_that_a_goaway_excludes_end_as_unavailable(void **state) {
  Pair *pair = *state;
  Error err = {0};
  CLEANUP(text_deinit) Text out = {0};
  static const char goaway[] = "\0\0\10\7\0\0\0\0\0\0\0\0\0\0\0\0\0";
  start_call(pair, "/echo", "sent", 0);
  assert_ok(grpc_session_output(pair->client, &out, &err));
  start_call(pair, "/echo", "not sent", 0);
  assert_ok(feed_frames(pair->client, goaway, sizeof goaway - 1, &err));
  assert_fails(grpc_session_output(pair->client, &out, &err),
               "the HTTP/2 session has ended: the peer said goodbye with NO_ERROR");
  assert_story(pair,
               "end 14 the stream was reset: REFUSED_STREAM;end 14 the stream was reset: REFUSED_STREAM;");
}

static void a_ping_is_answered(void **state) {
  Pair *pair = *state;
  Error err = {0};
  CLEANUP(text_deinit) Text out = {0};
  static const char ping[] = "\0\0\10\6\0\0\0\0\0pingpong", pong[] = "\0\0\10\6\1\0\0\0\0pingpong";
  run(pair);
  assert_ok(grpc_session_feed(pair->client, ping, sizeof ping - 1, &err));
  assert_ok(grpc_session_output(pair->client, &out, &err));
  assert_int_equal(out.size, sizeof pong - 1);
  assert_memory_equal(out.bytes, pong, sizeof pong - 1);
}

static void the_server_speaks_first(void **state) {
  Pair *pair = *state;
  Error err = {0};
  CLEANUP(text_deinit) Text out = {0};
  assert_ok(grpc_session_output(pair->server, &out, &err));
  assert_true(out.size > 9);
  assert_int_equal(out.bytes[3], NGHTTP2_SETTINGS);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, pair_init, pair_deinit)
  const struct CMUnitTest tests[] = {
      CASE(a_unary_call_is_answered_at_every_split_of_the_bytes),
      CASE(an_empty_message_is_a_message),
      CASE(a_status_text_survives_with_percent_and_control_characters),
      CASE(a_status_alone_is_an_answer),
      CASE(an_unknown_method_is_refused_by_its_owner),
      CASE(a_stream_carries_messages_until_it_is_finished),
      CASE(calls_of_one_connection_do_not_wait_for_each_other),
      CASE(a_message_larger_than_every_window_arrives_whole),
      CASE(the_owner_is_told_when_there_is_something_to_write),
      CASE(a_deadline_ends_the_call_and_tells_the_server),
      CASE(an_answer_in_time_disarms_the_deadline),
      CASE(a_cancelled_call_is_silent_and_the_server_learns_of_it),
      CASE(a_call_may_be_cancelled_before_a_byte_of_it_was_sent),
      CASE(a_call_may_be_cancelled_inside_its_own_message),
      CASE(freeing_a_client_ends_its_calls_as_unavailable),
      CASE(freeing_a_server_tells_the_owners_of_its_calls),
      CASE(a_failed_session_gives_its_reason_to_every_call),
      CASE(a_session_may_be_freed_inside_each_of_its_callbacks),
      CASE(freeing_the_client_in_a_message_ends_the_call_at_once),
      CASE(freeing_the_server_in_a_call_needs_no_answer),
      CASE(freeing_the_client_at_its_deadline_is_safe),
      CASE(more_calls_than_the_limit_fail_in_a_later_turn),
      CASE(a_peer_that_never_reads_ends_the_session_at_the_queue_limit),
      CASE(output_stays_within_the_window_of_a_peer_that_does_not_read),
      CASE(bytes_that_are_not_http2_break_the_server),
      CASE(a_goaway_ends_an_idle_session),
      CASE(calls_that_a_goaway_excludes_end_as_unavailable),
      CASE(a_ping_is_answered),
      CASE(the_server_speaks_first),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
