/* SPDX-License-Identifier: Apache-2.0 */
/* Against a small real HTTP/1.1 server over plain http. TLS and HTTP/2 are tested against a real API server,
 * end to end. */
#include "kube/curl_testing.h"

static void an_answer_comes_as_head_body_and_end(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard heard = {0};
  start_get(stage, &heard, "/api/v1/pods?q=a%2Fb", 0);
  run(stage);
  assert_int_equal(heard.status, 200);
  assert_string_equal(heard.content_type, "application/vnd.kubernetes.protobuf");
  assert_int_equal(heard.retry_after_s, -1);
  assert_string_equal(text_string(&heard.body), "hello");
  assert_int_equal(heard.dones, 1);
  assert_int_equal(heard.err.code, 0);
  CLEANUP(cleanup_free)
  char *expected = mem_format("GET /api/v1/pods q=a/b\nHost: %s\nUser-Agent: facet/" FACET_VERSION
                              " (linux)\nAccept: application/json\n",
                              stage->url + strlen("http://"));
  assert_seen(expected);
}

static void a_body_is_sent_with_its_type(void **state) {
  Stage *stage = *state;
  static const char *const methods[] = {"PATCH", "POST", "PUT", "DELETE"};
  for (size_t i = 0; i < COUNT_OF(methods); i++) {
    CLEANUP(cleanup_heard) Heard heard = {0};
    char body[] = "{\"a\":1}";
    start_request(stage, &heard,
                  (KubeRequest){.method = methods[i],
                                .path = "/x",
                                .content_type = "application/merge-patch+json",
                                .accept = "text/special",
                                .body = body,
                                .body_size = strlen(body)});
    memset(body, 'X', sizeof body); /* it was copied */
    run(stage);
    CLEANUP(cleanup_free)
    char *expected =
        mem_format("%s /x\nHost: %s\nUser-Agent: facet/" FACET_VERSION " (linux)\nAccept: text/special\n"
                   "Content-Type: application/merge-patch+json\n{\"a\":1}",
                   methods[i], stage->url + strlen("http://"));
    assert_seen(expected);
    assert_int_equal(heard.err.code, 0);
  }
}

static void a_delete_may_have_no_body(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard heard = {0};
  start_request(stage, &heard, (KubeRequest){.method = "DELETE", .path = "/empty"});
  run(stage);
  assert_true(was_seen("DELETE /empty\n"));
  assert_int_equal(heard.status, 204);
  assert_int_equal(heard.size, 0);
  assert_int_equal(heard.dones, 1);
}

static void a_refusal_is_an_answer_like_any_other(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard heard = {0};
  start_get(stage, &heard, "/busy", 0);
  run(stage);
  assert_int_equal(heard.status, 429);
  assert_int_equal(heard.retry_after_s, 7);
  assert_string_equal(text_string(&heard.body), "{\"code\":429}");
  assert_int_equal(heard.err.code, 0);
}

static void a_large_body_arrives_whole(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard heard = {0};
  start_get(stage, &heard, "/large", 0);
  run(stage);
  assert_int_equal(heard.size, LARGE_SIZE);
  assert_int_equal(heard.err.code, 0);
}

static void many_calls_run_side_by_side(void **state) {
  Stage *stage = *state;
  Heard heard[40] = {0};
  for (size_t i = 0; i < COUNT_OF(heard); i++)
    start_get(stage, &heard[i], i % 4 ? "/hello" : "/large", 0);
  run(stage);
  for (size_t i = 0; i < COUNT_OF(heard); i++) {
    assert_int_equal(heard[i].dones, 1);
    assert_int_equal(heard[i].size, i % 4 ? 5 : LARGE_SIZE);
    cleanup_heard(&heard[i]);
  }
}

/* As the renewals of a Lease beside a list that does not end. */
static void small_calls_of_a_second_transport_are_answered_beside_a_flood(void **state) {
  Stage *stage = *state;
  Error err = {0};
  CLEANUP(cleanup_heard) Heard flood = {0};
  start_get(stage, &flood, "/flood", 0);
  run_until(stage, &flood.size, 1 << 20);
  KubeCurl *first = stage->curl;
  stage->curl = NULL;
  assert_ok(kube_curl_new(&stage->loop, &stage->config, &stage->curl, &err));
  for (int i = 0; i < 20; i++) {
    CLEANUP(cleanup_heard) Heard heard = {0};
    size_t before = flood.size;
    start_get(stage, &heard, "/hello", 0);
    run_until(stage, &heard.size, 5);
    while (!heard.dones)
      assert_true(uv_run(&stage->loop, UV_RUN_ONCE));
    assert_int_equal(heard.err.code, 0);
    run_until(stage, &flood.size, before + 1); /* which goes on */
    assert_int_equal(flood.dones, 0);
  }
  kube_curl_free(stage->curl);
  stage->curl = first;
}

static void a_stream_can_be_cancelled_from_outside(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard heard = {0};
  start_get(stage, &heard, "/endless", 0);
  run_until(stage, &heard.size, 3);
  kube_transport_cancel(kube_curl_seam(stage->curl), heard.call);
  size_t size = heard.size;
  run(stage);
  assert_int_equal(heard.size, size);
  assert_int_equal(heard.dones, 0);
}

static void cancel_itself(Heard *heard) {
  kube_transport_cancel(kube_curl_seam(*heard->curl), heard->call);
}

static void cancel_other(Heard *heard) {
  if (!heard->other)
    return;
  kube_transport_cancel(kube_curl_seam(*heard->curl), heard->other->call);
  heard->other = NULL;
}

static void a_callback_may_cancel_its_own_call(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard heard = {.during_body = cancel_itself};
  start_get(stage, &heard, "/endless", 0);
  run(stage);
  assert_true(heard.size > 0);
  assert_int_equal(heard.dones, 0);
}

static void a_callback_may_cancel_another_call(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard other = {0}, heard = {.during_body = cancel_other, .other = &other};
  start_get(stage, &other, "/endless", 0);
  run_until(stage, &other.size, 1);
  start_get(stage, &heard, "/hello", 0);
  run(stage);
  assert_int_equal(heard.dones, 1);
  assert_int_equal(other.dones, 0);
}

static void a_call_can_be_cancelled_before_it_began(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard heard = {0};
  start_get(stage, &heard, "/hello", 0);
  cancel_itself(&heard);
  run(stage);
  assert_int_equal(heard.heads + heard.dones, 0);
}

static Stage *the_stage;

static void start_other(Heard *heard) {
  Heard *other = heard->other;
  if (!other)
    return;
  heard->other = NULL;
  start_get(the_stage, other, "/hello", 0);
}

static void callbacks_may_start_calls(void **state) {
  the_stage = *state;
  CLEANUP(cleanup_heard)
  Heard third = {0}, second = {.at_done = start_other, .other = &third},
        first = {.during_body = start_other, .other = &second};
  start_get(the_stage, &first, "/hello", 0);
  run(the_stage);
  assert_int_equal(first.dones + second.dones + third.dones, 3);
  assert_string_equal(text_string(&third.body), "hello");
}

static void start_and_cancel_other(Heard *heard) {
  Heard *other = heard->other;
  start_other(heard);
  if (other)
    cancel_itself(other);
}

static void a_call_started_and_cancelled_in_a_callback_never_was(void **state) {
  the_stage = *state;
  CLEANUP(cleanup_heard) Heard other = {0}, heard = {.during_body = start_and_cancel_other, .other = &other};
  start_get(the_stage, &heard, "/hello", 0);
  run(the_stage);
  assert_int_equal(heard.dones, 1);
  assert_int_equal(other.heads + other.dones, 0);
}

static void free_transport(Heard *heard) {
  kube_curl_free(TAKE(*heard->curl));
}

static void it_may_be_freed_inside_a_body_callback(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard other = {0}, heard = {.during_body = free_transport};
  start_get(stage, &other, "/endless", 0);
  run_until(stage, &other.size, 1);
  start_get(stage, &heard, "/endless", 0);
  run(stage);
  assert_null(stage->curl);
  assert_int_equal(heard.dones + other.dones, 0);
}

static void it_may_be_freed_inside_a_done_callback(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard other = {0}, heard = {.at_done = free_transport};
  start_get(stage, &other, "/endless", 0);
  start_get(stage, &heard, "/hello", 0);
  run(stage);
  assert_null(stage->curl);
  assert_int_equal(other.dones, 0);
}

static void it_may_be_freed_with_calls_in_every_state(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard running = {0}, fresh = {0};
  start_get(stage, &running, "/endless", 0);
  run_until(stage, &running.size, 1);
  start_get(stage, &fresh, "/hello", 0);
  kube_curl_free(TAKE(stage->curl));
  run(stage);
  assert_int_equal(running.dones + fresh.heads + fresh.dones, 0);
}

static void a_closed_connection_is_a_failure(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard heard = {0};
  start_get(stage, &heard, "/broken?q=1", 0);
  run(stage);
  assert_int_equal(heard.heads, 1);
  assert_int_equal(heard.err.code, ERROR_UNAVAILABLE);
  CLEANUP(cleanup_free)
  char *beginning = mem_format("the connection to the API server %s broke during GET /broken: ", stage->url);
  assert_true(string_has_prefix(heard.err.text, beginning));
}

/* A TCP port of this machine on which nobody answers: `backlog` 0 refuses, else connects and stays silent. */
static void open_silent_port(Stage *stage, int backlog) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
  if (backlog)
    assert_int_equal(listen(fd, backlog), 0);
  snprintf(stage->url, sizeof stage->url, "http://127.0.0.1:%u", ntohs(address.sin_port));
  use_config(stage);
  stage->silent_fd = fd;
}

static void a_refused_connection_names_the_address(void **state) {
  Stage *stage = *state;
  open_silent_port(stage, 0);
  CLEANUP(cleanup_heard) Heard heard = {0};
  start_get(stage, &heard, "/x", 0);
  run(stage);
  CLEANUP(cleanup_free)
  char *expected = mem_format("cannot reach the API server %s: connection refused; is it "
                              "running and is the address right?",
                              stage->url);
  assert_string_equal(heard.err.text, expected);
  assert_int_equal(heard.err.code, ERROR_UNAVAILABLE);
  assert_int_equal(heard.heads, 0);
}

static void a_server_that_does_not_answer_in_time_is_named(void **state) {
  Stage *stage = *state;
  open_silent_port(stage, 4);
  CLEANUP(cleanup_heard) Heard heard = {0};
  start_get(stage, &heard, "/api/v1/nodes/n1?q=1", 50);
  run(stage);
  CLEANUP(cleanup_free)
  char *expected =
      mem_format("the API server %s did not answer GET /api/v1/nodes/n1 within 0.05 s", stage->url);
  assert_string_equal(heard.err.text, expected);
  assert_int_equal(heard.err.code, ERROR_TIMEOUT);
}

static void a_silent_connection_takes_all_its_calls_with_it(void **state) {
  Stage *stage = *state;
  open_silent_port(stage, 4);
  CLEANUP(cleanup_heard) Heard watch = {0}, heard = {0};
  start_get(stage, &watch, "/watch", 0);
  start_get(stage, &heard, "/x", 50);
  run(stage);
  assert_int_equal(heard.err.code, ERROR_TIMEOUT);
  assert_int_equal(watch.err.code, ERROR_UNAVAILABLE);
  CLEANUP(cleanup_free)
  char *expected = mem_format(
      "the connection to the API server %s broke during GET /watch: the server went silent", stage->url);
  assert_string_equal(watch.err.text, expected);
}

static void a_call_cancelled_for_its_silence_takes_the_connection_with_it(void **state) {
  Stage *stage = *state;
  open_silent_port(stage, 4);
  CLEANUP(cleanup_heard) Heard watch = {0}, other = {0};
  start_get(stage, &watch, "/watch", 0);
  start_get(stage, &other, "/other", 0);
  kube_transport_cancel_silent(kube_curl_seam(stage->curl), watch.call);
  assert_int_equal(other.dones, 0); /* never from inside */
  run(stage);
  assert_int_equal(watch.dones, 0);
  CLEANUP(cleanup_free)
  char *expected = mem_format(
      "the connection to the API server %s broke during GET /other: the server went silent", stage->url);
  assert_string_equal(other.err.text, expected);
}

static void silence_the_other(Heard *heard) {
  if (heard->other->call)
    kube_transport_cancel_silent(kube_curl_seam(*heard->curl), TAKE(heard->other->call));
}

static void a_call_is_silent_alone_beside_a_lively_one(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard lively = {0}, silent = {0};
  start_get(stage, &silent, "/endless", 0);
  run_until(stage, &silent.size, 1);
  start_get(stage, &lively, "/endless", 0);
  lively.during_body = silence_the_other;
  lively.other = &silent;
  run_until(stage, &lively.size, 1);
  assert_null(silent.call);
  run_until(stage, &lively.size, lively.size + 10);
  assert_int_equal(lively.dones, 0);
  cancel_itself(&lively);
}

static void a_late_answer_beside_a_lively_stream_fails_alone(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard stream = {0}, slow = {0};
  start_get(stage, &stream, "/endless", 0);
  run_until(stage, &stream.size, 1);
  start_get(stage, &slow, "/endless", 50);
  while (!slow.dones)
    uv_run(&stage->loop, UV_RUN_ONCE);
  assert_int_equal(slow.err.code, ERROR_TIMEOUT);
  assert_int_equal(stream.dones, 0);
  cancel_itself(&stream);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(an_answer_comes_as_head_body_and_end),
      TEST(a_body_is_sent_with_its_type),
      TEST(a_delete_may_have_no_body),
      TEST(a_refusal_is_an_answer_like_any_other),
      TEST(a_large_body_arrives_whole),
      TEST(many_calls_run_side_by_side),
      TEST(small_calls_of_a_second_transport_are_answered_beside_a_flood),
      TEST(a_stream_can_be_cancelled_from_outside),
      TEST(a_callback_may_cancel_its_own_call),
      TEST(a_callback_may_cancel_another_call),
      TEST(a_call_can_be_cancelled_before_it_began),
      TEST(callbacks_may_start_calls),
      TEST(a_call_started_and_cancelled_in_a_callback_never_was),
      TEST(it_may_be_freed_inside_a_body_callback),
      TEST(it_may_be_freed_inside_a_done_callback),
      TEST(it_may_be_freed_with_calls_in_every_state),
      TEST(a_closed_connection_is_a_failure),
      TEST(a_refused_connection_names_the_address),
      TEST(a_server_that_does_not_answer_in_time_is_named),
      TEST(a_silent_connection_takes_all_its_calls_with_it),
      TEST(a_call_cancelled_for_its_silence_takes_the_connection_with_it),
      TEST(a_call_is_silent_alone_beside_a_lively_one),
      TEST(a_late_answer_beside_a_lively_stream_fails_alone),
  };
  return cmocka_run_group_tests(tests, clean_environment, forget_seen);
}
