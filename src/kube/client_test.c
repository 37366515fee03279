/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/client_testing.h"

static void an_answer_in_pieces_is_collected(void **state) {
  Stage *stage = *state;
  KubeCall *open = call(stage);
  assert_string_equal(open->request.method, "PATCH");
  assert_string_equal(open->request.path, "/api/v1/nodes/n1/status");
  assert_string_equal(open->request.content_type, KUBE_MERGE_PATCH);
  assert_string_equal(open->request.body, "{}");
  assert_int_equal(open->request.timeout_ms, KUBE_CALL_TIMEOUT_MS);
  fake_head(open, 200, -1);
  fake_body(open, "{\"a\"");
  fake_body(open, ":1}");
  assert_int_equal(stage->heard.count, 0);
  fake_done(open, NULL);
  assert_int_equal(stage->heard.count, 1);
  assert_int_equal(stage->heard.status, 200);
  assert_string_equal(stage->heard.body, "{\"a\":1}");
  assert_true(stage->heard.is_ok);
  advance(stage, 60000);
  assert_int_equal(stage->heard.count, 1);
}

static void a_call_without_a_body_sends_none(void **state) {
  Stage *stage = *state;
  KubeCallOptions options = {
      .method = "GET", .path = "/api/v1/nodes/n1", .on_answer = on_answer, .userdata = &stage->heard};
  kube_client_call(stage->client, &options);
  assert_null(fake_open_call(&stage->fake)->request.body);
  fake_answer(fake_open_call(&stage->fake), 204, "");
  assert_true(stage->heard.is_ok);
  assert_int_equal(stage->heard.body_size, 0);
}

static void a_broken_connection_is_passed_on_in_its_own_words(void **state) {
  Stage *stage = *state;
  KubeCall *open = call(stage);
  fake_head(open, 200, -1);
  fake_break(open);
  assert_false(stage->heard.is_ok);
  assert_int_equal(stage->heard.err.code, ERROR_UNAVAILABLE);
  assert_string_equal(stage->heard.err.text, "the connection broke");
  assert_int_equal(stage->heard.status, 0); /* nothing is known */
}

static void a_transport_that_never_answers_is_given_up(void **state) {
  Stage *stage = *state;
  KubeCall *open = call(stage);
  advance(stage, KUBE_CALL_TIMEOUT_MS);
  assert_int_equal(stage->heard.count, 0);
  advance(stage, 1000);
  assert_int_equal(stage->heard.count, 1);
  assert_true(open->was_cancelled);
  assert_int_equal(stage->heard.err.code, ERROR_TIMEOUT);
  assert_string_equal(stage->heard.err.text,
                      "the API server did not answer PATCH /api/v1/nodes/n1/status within 10 s");
}

static void an_answer_is_collected_up_to_its_limit(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_free) char *piece = mem_alloc((1 << 20) + 1);
  memset(piece, 'x', 1 << 20);
  KubeCall *open = call(stage);
  fake_head(open, 200, -1);
  for (int i = 0; i < KUBE_ANSWER_SIZE_MAX >> 20; i++)
    fake_body(open, piece);
  fake_done(open, NULL);
  assert_int_equal(stage->heard.body_size, KUBE_ANSWER_SIZE_MAX);

  open = call(stage);
  fake_head(open, 200, -1);
  for (int i = 0; i < KUBE_ANSWER_SIZE_MAX >> 20; i++)
    fake_body(open, piece);
  fake_body(open, "y");
  assert_true(open->was_cancelled);
  assert_int_equal(stage->heard.count, 2);
  assert_string_equal(stage->heard.err.text,
                      "the API server's answer to PATCH /api/v1/nodes/n1/status is larger than 4 MiB");
}

static void calls_beyond_the_limit_are_answered_from_the_loop(void **state) {
  Stage *stage = *state;
  KubeCall *first = call(stage);
  for (int i = 1; i < KUBE_CALLS_MAX; i++)
    call(stage);
  KubeCallOptions options = options_of(&stage->heard);
  kube_client_call(stage->client, &options);
  assert_int_equal(stage->fake.calls.count, KUBE_CALLS_BURST); /* the others wait for their turn */
  assert_int_equal(stage->heard.count, 0);                     /* never from inside the call */
  advance(stage, 0);
  assert_int_equal(stage->heard.count, 1);
  assert_int_equal(stage->heard.err.code, ERROR_LIMIT);
  assert_string_equal(stage->heard.err.text,
                      "PATCH /api/v1/nodes/n1/status was not sent: 512 calls to the API "
                      "server wait or are in flight already");
  fake_answer(first, 200, "{}");
  assert_int_equal(stage->heard.count, 2);
  kube_client_call(stage->client, &options);
  advance(stage, 1000 / KUBE_CALLS_PER_S);
  assert_int_equal(stage->heard.count, 2); /* it may wait again */
  assert_int_equal(stage->fake.calls.count, KUBE_CALLS_BURST + 1);
}

static void a_callback_may_call_again(void **state) {
  Stage *stage = *state;
  stage->heard.then = DO_CALL_AGAIN;
  fake_answer(call(stage), 200, "1");
  fake_answer(fake_open_call(&stage->fake), 200, "2");
  assert_int_equal(stage->heard.count, 2);
  assert_string_equal(stage->heard.body, "2");
}

static void a_callback_may_free_the_client(void **state) {
  Stage *stage = *state;
  KubeCall *other = call(stage);
  KubeCall *open = call(stage);
  stage->heard.then = DO_FREE;
  fake_answer(open, 200, "1");
  assert_int_equal(stage->heard.count, 1);
  assert_true(other->was_cancelled);
}

static void freeing_cancels_without_callbacks(void **state) {
  Stage *stage = *state;
  KubeCall *open = call(stage);
  fake_head(open, 200, -1);
  fake_body(open, "half");
  for (int i = 0; i < KUBE_CALLS_MAX; i++) {
    KubeCallOptions options = options_of(&stage->heard);
    kube_client_call(stage->client, &options); /* the last of them is over the limit */
  }
  kube_client_free(TAKE(stage->heard.client));
  assert_true(open->was_cancelled);
  advance(stage, 60000);
  assert_int_equal(stage->heard.count, 0);
}

typedef struct Refusal {
  int status;
  const char *method, *path, *body;
  ErrorCode code;
  const char *expected;
} Refusal;

#define STATUS(code, reason, message)                                                                        \
  "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"" message                 \
  "\",\"reason\":\"" reason "\",\"code\":" #code "}"

static const Refusal refusals[] = {
    {403, "PATCH", "/api/v1/nodes/n1/status",
     STATUS(403, "Forbidden", "nodes \\\"n1\\\" is forbidden: User \\\"u\\\" cannot patch"), ERROR_DENIED,
     "the API server refused PATCH /api/v1/nodes/n1/status: nodes \"n1\" is forbidden: User \"u\" cannot "
     "patch (403 Forbidden); give this account the verb \"patch\" on nodes/status"},
    {403, "GET", "/api/v1/pods?limit=500", STATUS(403, "Forbidden", "no"), ERROR_DENIED,
     "the API server refused GET /api/v1/pods: no (403 Forbidden); give this account the verb \"list\" on "
     "pods"},
    {403, "GET", "/api/v1/nodes?watch=1", STATUS(403, "Forbidden", "no"), ERROR_DENIED,
     "the API server refused GET /api/v1/nodes: no (403 Forbidden); give this account the verb \"watch\" on "
     "nodes"},
    {403, "POST", "/api/v1/namespaces/f/pods",
     STATUS(403, "Forbidden",
            "pods \\\"r\\\" is forbidden: no PriorityClass with name facet-reservation was found"),
     ERROR_DENIED,
     "the API server refused POST /api/v1/namespaces/f/pods: pods \"r\" is forbidden: no PriorityClass with "
     "name facet-reservation was found (403 Forbidden); create it, `facet check` says how"},
    {403, "POST", "/api/v1/namespaces/f/pods", STATUS(403, "Forbidden", "exceeded quota: q"), ERROR_DENIED,
     "the API server refused POST /api/v1/namespaces/f/pods: exceeded quota: q (403 Forbidden)"},
    {404, "POST", "/api/v1/namespaces/f/pods", STATUS(404, "NotFound", "namespaces \\\"f\\\" not found"),
     ERROR_NOT_FOUND,
     "the API server refused POST /api/v1/namespaces/f/pods: namespaces \"f\" not found (404 Not Found); "
     "create the "
     "namespace, `facet check` says how"},
    {403, "GET", "/version", STATUS(403, "Forbidden", "no"), ERROR_DENIED,
     "the API server refused GET /version: no (403 Forbidden); give this account the verb \"get\" on the "
     "nonResourceURL /version"},
    {403, "GET", "/api/v1/nodes/n1", STATUS(403, "Forbidden", "no"), ERROR_DENIED,
     "the API server refused GET /api/v1/nodes/n1: no (403 Forbidden); give this account the verb \"get\" on "
     "nodes"},
    {403, "POST", "/apis/events.k8s.io/v1/namespaces/demo/events", STATUS(403, "Forbidden", "no"),
     ERROR_DENIED,
     "the API server refused POST /apis/events.k8s.io/v1/namespaces/demo/events: no (403 Forbidden); give "
     "this account the verb \"create\" on events.events.k8s.io"},
    {403, "PUT", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/facet",
     STATUS(403, "Forbidden", "no"), ERROR_DENIED,
     "the API server refused PUT /apis/coordination.k8s.io/v1/namespaces/kube-system/leases/facet: no (403 "
     "Forbidden); give this account the verb \"update\" on leases.coordination.k8s.io"},
    {403, "DELETE", "/api/v1/namespaces/demo/pods/p", STATUS(403, "Forbidden", "no"), ERROR_DENIED,
     "the API server refused DELETE /api/v1/namespaces/demo/pods/p: no (403 Forbidden); give this account "
     "the verb \"delete\" on pods"},
    {403, "PATCH", "/api/v1/namespaces/demo/status", STATUS(403, "Forbidden", "no"), ERROR_DENIED,
     "the API server refused PATCH /api/v1/namespaces/demo/status: no (403 Forbidden); give this account the "
     "verb \"patch\" on namespaces/status"},
    {401, "GET", "/x", STATUS(401, "Unauthorized", "Unauthorized"), ERROR_DENIED,
     "the API server refused GET /x: Unauthorized (401 Unauthorized); the token or client certificate is not "
     "accepted, give a valid one"},
    {404, "GET", "/x", STATUS(404, "NotFound", "nodes \\\"n\\\" not found"), ERROR_NOT_FOUND,
     "the API server refused GET /x: nodes \"n\" not found (404 Not Found)"},
    {409, "PUT", "/x", STATUS(409, "Conflict", "the object has been modified"), ERROR_CONFLICT,
     "the API server refused PUT /x: the object has been modified (409 Conflict); somebody else changed it "
     "at the same time"},
    {422, "PATCH", "/x", STATUS(422, "Invalid", "the server rejected our request"), ERROR_INVALID,
     "the API server refused PATCH /x: the server rejected our request (422 Unprocessable Entity)"},
    {429, "GET", "/x", "Too many requests", ERROR_UNAVAILABLE,
     "the API server refused GET /x: Too many requests (429 Too Many Requests); the server is overloaded"},
    {500, "GET", "/x", STATUS(500, "InternalError", "boom"), ERROR_UNAVAILABLE,
     "the API server failed at GET /x: boom (500 Internal Server Error); the server's log tells more"},
    {503, "GET", "/x", "", ERROR_UNAVAILABLE,
     "the API server failed at GET /x (503 Service Unavailable); the server is starting, ending or "
     "overloaded"},
    {302, "GET", "/x", "", ERROR_PROTOCOL, "the API server refused GET /x (302 unexpected status)"},
    {599, "GET", "/x", "", ERROR_UNAVAILABLE, "the API server failed at GET /x (599 unexpected status)"},
};

static void each_refusal_is_a_sentence(void **state) {
  Stage *stage = *state;
  for (size_t i = 0; i < COUNT_OF(refusals); i++) {
    const Refusal *refusal = &refusals[i];
    KubeCallOptions options = {
        .method = refusal->method, .path = refusal->path, .on_answer = on_answer, .userdata = &stage->heard};
    kube_client_call(stage->client, &options);
    fake_answer(fake_open_call(&stage->fake), refusal->status, refusal->body);
    assert_false(stage->heard.is_ok);
    assert_string_equal(stage->heard.err.text, refusal->expected);
    assert_int_equal(stage->heard.err.code, refusal->code);
    assert_int_equal(stage->heard.status, refusal->status);
    advance(stage, 1000); /* after a 429 */
  }
}

static void the_advice_survives_a_very_long_message(void **state) {
  Stage *stage = *state;
  char body[8192];
  memset(body, 'm', sizeof body);
  body[sizeof body - 1] = '\0';
  fake_answer(call(stage), 403, body);
  assert_true(string_has_suffix(stage->heard.err.text,
                                "mmm (403 Forbidden); give this account the verb \"patch\" on nodes/status"));
}

static void the_wait_that_the_server_asks_for_is_handed_on(void **state) {
  Stage *stage = *state;
  KubeCall *open = call(stage);
  fake_head(open, 429, 7);
  fake_body(open, "slow");
  fake_done(open, NULL);
  assert_int_equal(stage->heard.failure.retry_after_s, 7);
  advance(stage, 7000);
  fake_answer(
      call(stage), 429,
      "{\"kind\":\"Status\",\"status\":\"Failure\",\"details\":{\"retryAfterSeconds\":3},\"code\":429}");
  assert_int_equal(stage->heard.failure.retry_after_s, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(an_answer_in_pieces_is_collected),
      TEST(a_call_without_a_body_sends_none),
      TEST(a_broken_connection_is_passed_on_in_its_own_words),
      TEST(a_transport_that_never_answers_is_given_up),
      TEST(an_answer_is_collected_up_to_its_limit),
      TEST(calls_beyond_the_limit_are_answered_from_the_loop),
      TEST(a_callback_may_call_again),
      TEST(a_callback_may_free_the_client),
      TEST(freeing_cancels_without_callbacks),
      TEST(each_refusal_is_a_sentence),
      TEST(the_advice_survives_a_very_long_message),
      TEST(the_wait_that_the_server_asks_for_is_handed_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
