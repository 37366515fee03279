/* SPDX-License-Identifier: Apache-2.0 */
/* Which calls go, and when. */
#include "kube/client_testing.h"

/* Answers all open calls, so that only the rate counts. */
static void answer_all(Stage *stage) {
  for (size_t i = 0; i < stage->fake.calls.count; i++)
    if (!stage->fake.calls.items[i]->is_over)
      fake_answer(stage->fake.calls.items[i], 200, "{}");
}

static void make_calls(Stage *stage, int count) {
  KubeCallOptions options = options_of(&stage->heard);
  for (int i = 0; i < count; i++)
    kube_client_call(stage->client, &options);
}

static void behind_the_burst_calls_go_at_their_rate(void **state) {
  Stage *stage = *state;
  advance(stage, 100000);
  make_calls(stage, KUBE_CALLS_BURST);
  answer_all(stage);
  assert_int_equal(stage->heard.count, KUBE_CALLS_BURST);
  make_calls(stage, 100);
  assert_int_equal(stage->fake.calls.count, KUBE_CALLS_BURST);
  for (int i = 0; i < 100; i++)
    advance(stage, 5);
  assert_int_equal(stage->fake.calls.count, KUBE_CALLS_BURST + 500 * KUBE_CALLS_PER_S / 1000);
  answer_all(stage);
  advance(stage, 1000000); /* much later there is one burst to be had, not more */
  make_calls(stage, KUBE_CALLS_BURST);
  answer_all(stage);
  make_calls(stage, 1);
  assert_int_equal(stage->fake.calls.count, 2 * KUBE_CALLS_BURST + 100);
}

static KubeCall *call_patiently(Stage *stage, const char *path) {
  KubeCallOptions options = options_of(&stage->heard);
  options.method = "POST";
  options.path = path;
  options.is_patient = true;
  size_t before = stage->fake.calls.count;
  kube_client_call(stage->client, &options);
  return stage->fake.calls.count > before ? stage->fake.calls.items[before] : NULL;
}

static void patient_calls_let_others_go_first(void **state) {
  Stage *stage = *state;
  advance(stage, 1000);
  KubeCall *first = call(stage), *second = call(stage);
  assert_null(call_patiently(stage, "/events/1"));
  assert_null(call_patiently(stage, "/events/2"));
  fake_answer(first, 200, "{}");
  advance(stage, 1);
  assert_int_equal(stage->fake.calls.count, 2);
  fake_answer(second, 200, "{}");
  advance(stage, 1);
  assert_int_equal(stage->fake.calls.count, 4);
  assert_string_equal(stage->fake.calls.items[2]->request.path, "/events/1");
  assert_string_equal(stage->fake.calls.items[3]->request.path, "/events/2");
  assert_non_null(call_patiently(stage, "/events/3")); /* they do not wait for one another */
}

static void patience_has_an_end(void **state) {
  Stage *stage = *state;
  advance(stage, 1000);
  KubeCall *stuck = call(stage);
  assert_null(call_patiently(stage, "/events/1"));
  advance(stage, KUBE_PATIENCE_MS - 1);
  assert_int_equal(stage->fake.calls.count, 1);
  advance(stage, 1);
  assert_int_equal(stage->fake.calls.count, 2);
  assert_false(stuck->is_over);
}

static void nobody_waits_for_what_keeps_the_lease(void **state) {
  Stage *stage = *state;
  advance(stage, 1000);
  KubeCallOptions renewal = options_of(&stage->heard);
  renewal.is_urgent = true;
  kube_client_call(stage->client, &renewal);
  assert_non_null(call_patiently(stage, "/events/1"));
}

static void a_busy_server_is_left_alone_for_as_long_as_it_asks(void **state) {
  static const struct {
    int status, retry_after_s, pause_ms;
  } rows[] = {{429, 3, 3000},      {429, -1, 1000}, {503, 2, 2000},
              {429, 86400, 30000}, {503, -1, 0},    {500, 9, 0}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    Stage *stage = NULL;
    assert_int_equal(set_up((void **)&stage), 0);
    advance(stage, 1000);
    KubeCall *open = call(stage);
    fake_head(open, rows[i].status, rows[i].retry_after_s);
    fake_done(open, NULL);
    assert_int_equal(stage->heard.count, 1); /* whoever made the call hears of it */
    make_calls(stage, 2);
    assert_int_equal(stage->fake.calls.count, rows[i].pause_ms ? 1 : 3);
    if (rows[i].pause_ms) {
      advance(stage, (uint64_t)rows[i].pause_ms - 1);
      assert_int_equal(stage->fake.calls.count, 1);
      advance(stage, 1);
      assert_int_equal(stage->fake.calls.count, 3);
    }
    assert_int_equal(tear_down((void **)&stage), 0);
  }
}

static void an_urgent_call_waits_for_nobody(void **state) {
  Stage *stage = *state;
  make_calls(stage, KUBE_CALLS_MAX);
  fake_head(stage->fake.calls.items[0], 429, 20);
  fake_done(stage->fake.calls.items[0], NULL);
  make_calls(stage, 1);
  assert_int_equal(stage->fake.calls.count, KUBE_CALLS_BURST);
  KubeCallOptions options = options_of(&stage->heard);
  options.is_urgent = true;
  kube_client_call(stage->client, &options);
  assert_int_equal(stage->fake.calls.count, KUBE_CALLS_BURST + 1);
  advance(stage, 1);
}

static void what_waits_keeps_its_order_and_its_body(void **state) {
  Stage *stage = *state;
  KubeCall *open = call(stage);
  fake_head(open, 429, 1);
  fake_done(open, NULL);
  for (int i = 0; i < 3; i++) {
    char path[16], body[16];
    snprintf(path, sizeof path, "/%d", i);
    snprintf(body, sizeof body, "body %d", i);
    kube_client_call(stage->client, &(KubeCallOptions){.method = "POST",
                                                       .path = path,
                                                       .content_type = "text/plain",
                                                       .body = body,
                                                       .body_size = strlen(body),
                                                       .on_answer = on_answer,
                                                       .userdata = &stage->heard});
  }
  advance(stage, 1000);
  for (int i = 0; i < 3; i++) {
    char path[16], body[16];
    snprintf(path, sizeof path, "/%d", i);
    snprintf(body, sizeof body, "body %d", i);
    assert_string_equal(stage->fake.calls.items[1 + i]->request.path, path);
    assert_string_equal(stage->fake.calls.items[1 + i]->request.body, body);
    assert_string_equal(stage->fake.calls.items[1 + i]->request.content_type, "text/plain");
  }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(behind_the_burst_calls_go_at_their_rate),
      TEST(patient_calls_let_others_go_first),
      TEST(patience_has_an_end),
      TEST(nobody_waits_for_what_keeps_the_lease),
      cmocka_unit_test(a_busy_server_is_left_alone_for_as_long_as_it_asks),
      TEST(an_urgent_call_waits_for_nobody),
      TEST(what_waits_keeps_its_order_and_its_body),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
