/* SPDX-License-Identifier: Apache-2.0 */
/* An informer while things fail: every step may break, and the cache equals the server in the end. */
#include "kube/informer_testing.h"

static void a_broken_watch_waits_and_goes_on(void **state) {
  Stage *stage = *state;
  KubeCall *watch = start_watching(stage);
  fake_body(watch, BOOKMARK("15"));
  fake_break(watch);
  diary_is(stage, "trouble ");
  assert_string_equal(stage->trouble.text, "watching pods: the connection broke");
  size_t calls = stage->fake.calls.count;
  advance(stage, stage->retry_ms - 1);
  assert_int_equal(stage->fake.calls.count, calls);
  advance(stage, 1);
  watches_from(stage, "15");
  assert_true(kube_informer_is_synced(stage->informer));
}

static void a_quiet_watch_that_ends_in_time_is_no_trouble(void **state) {
  Stage *stage = *state;
  KubeCall *watch = start_watching(stage);
  advance(stage, 1000);
  fake_done(watch, NULL);
  diary_is(stage, "");
  watches_from(stage, "10");
}

static void a_watch_that_ends_at_once_waits(void **state) {
  Stage *stage = *state;
  KubeCall *watch = start_watching(stage);
  advance(stage, 999);
  fake_done(watch, NULL);
  diary_is(stage, "trouble ");
  assert_string_equal(stage->trouble.text, "watching pods: the API server ended the stream at once");
  advance(stage, stage->retry_ms);
  watches_from(stage, "10");
}

/* Nothing says that the place is no good, but it leads nowhere. */
static void a_watch_that_ends_at_once_twice_lists_again(void **state) {
  Stage *stage = *state;
  fake_done(start_watching(stage), NULL);
  advance(stage, stage->retry_ms);
  watches_from(stage, "10");
  KubeCall *watch = fake_open_call(&stage->fake);
  fake_head(watch, 200, -1);
  fake_done(watch, NULL);
  assert_in_range(stage->retry_ms, KUBE_INFORMER_BACKOFF_FIRST_MS / 2, KUBE_INFORMER_BACKOFF_FIRST_MS);
  advance(stage, stage->retry_ms);
  path_is(stage, FIRST_PAGE_PATH);
  assert_int_equal(kube_informer_count(stage->informer), 2);
  fake_answer(fake_open_call(&stage->fake), 200, PAGE("50", "", POD("a", "1", "45")));
  watches_from(stage, "50");
}

/* What changed while nobody watched is found by comparing. */
static void relist(Stage *stage) {
  advance(stage, stage->retry_ms);
  path_is(stage, FIRST_PAGE_PATH);
  assert_int_equal(kube_informer_count(stage->informer), 2);
  fake_answer(fake_open_call(&stage->fake), 200,
              PAGE("50", "", POD("d", "4", "40") "," POD("b", "2", "6") "," POD("a", "8", "41")));
  diary_is(stage, "+d:4 -a:1 +a:8 synced ");
  watches_from(stage, "50");
}

static void a_list_that_is_repeated_tells_the_differences(void **state) {
  Stage *stage = *state;
  KubeCall *watch = start_watching(stage);
  fake_body(watch, EVENT("ERROR", GONE));
  diary_is(stage, "trouble ");
  advance(stage, stage->retry_ms);
  fake_answer(fake_open_call(&stage->fake), 200, PAGE("50", "", POD("a", "1", "45")));
  diary_is(stage, "-b:2 ~a:1 synced ");
}

static void gone_as_an_event_lists_again(void **state) {
  Stage *stage = *state;
  KubeCall *watch = start_watching(stage);
  fake_body(watch, EVENT("ERROR", GONE) EVENT("ADDED", POD("ignored", "9", "99")));
  assert_true(watch->was_cancelled);
  diary_is(stage, "trouble ");
  assert_string_equal(stage->trouble.text, "watching pods: the API server refused GET /api/v1/pods: too old "
                                           "resource version (410 Gone)");
  relist(stage);
}

static void gone_as_a_status_lists_again(void **state) {
  Stage *stage = *state;
  kube_informer_start(stage->informer);
  fake_answer(fake_open_call(&stage->fake), 200, PAGE("10", "", POD("a", "1", "5") "," POD("b", "2", "6")));
  text_clear(&stage->diary);
  fake_answer(fake_open_call(&stage->fake), 410, GONE);
  diary_is(stage, "trouble ");
  relist(stage);
}

static void garbage_in_a_watch_lists_again(void **state) {
  Stage *stage = *state;
  KubeCall *watch = start_watching(stage);
  fake_body(watch, "\x01\x02<html>\n");
  assert_true(watch->was_cancelled);
  diary_is(stage, "trouble ");
  relist(stage);
}

static void an_object_without_a_name_is_garbage(void **state) {
  Stage *stage = *state;
  KubeCall *watch = start_watching(stage);
  fake_body(watch, EVENT("ADDED", "{\"metadata\":{\"uid\":\"1\",\"resourceVersion\":\"11\"}}"));
  assert_true(watch->was_cancelled);
  assert_string_equal(stage->trouble.text, "watching pods: the API server sent an object without a name");
  diary_is(stage, "trouble ");
  relist(stage);
}

static void a_nameless_object_in_a_list_starts_it_over(void **state) {
  Stage *stage = *state;
  kube_informer_start(stage->informer);
  KubeCall *call = fake_open_call(&stage->fake);
  fake_answer(call, 200, PAGE("10", "next", "{\"metadata\":{\"uid\":\"1\"}}"));
  assert_true(call->was_cancelled);
  assert_string_equal(stage->trouble.text, "listing pods: the API server sent an object without a name");
  advance(stage, stage->retry_ms);
  path_is(stage, FIRST_PAGE_PATH);
}

static void a_list_that_breaks_off_asks_for_the_same_page(void **state) {
  Stage *stage = *state;
  kube_informer_start(stage->informer);
  fake_answer(fake_open_call(&stage->fake), 200, PAGE("10", "c2", POD("a", "1", "5")));
  KubeCall *call = fake_open_call(&stage->fake);
  fake_head(call, 200, -1);
  fake_body(call, "{\"kind\":\"PodList\",\"items\":[" POD("b", "2", "6") ",");
  fake_break(call);
  diary_is(stage, "trouble ");
  assert_string_equal(stage->trouble.text, "listing pods: the connection broke");
  advance(stage, stage->retry_ms);
  path_is(stage, FIRST_PAGE_PATH "&continue=c2");
  fake_answer(fake_open_call(&stage->fake), 200, PAGE("10", "", POD("b", "2", "6") "," POD("c", "3", "7")));
  diary_is(stage, "+a:1 +b:2 +c:3 synced ");
}

static void half_a_first_page_leaves_nothing_behind(void **state) {
  Stage *stage = *state;
  kube_informer_start(stage->informer);
  KubeCall *call = fake_open_call(&stage->fake);
  fake_head(call, 200, -1);
  fake_body(call, "{\"kind\":\"PodList\",\"items\":[" POD("deleted-since", "1", "5") ",");
  fake_break(call);
  advance(stage, stage->retry_ms);
  path_is(stage, FIRST_PAGE_PATH);
  fake_answer(fake_open_call(&stage->fake), 200, PAGE("11", "", POD("a", "2", "6")));
  diary_is(stage, "trouble +a:2 synced ");
}

static void an_expired_continue_token_starts_the_list_over(void **state) {
  Stage *stage = *state;
  kube_informer_start(stage->informer);
  fake_answer(fake_open_call(&stage->fake), 200, PAGE("10", "c2", POD("gone-later", "1", "5")));
  fake_answer(
      fake_open_call(&stage->fake), 410,
      "{\"kind\":\"Status\",\"metadata\":{\"continue\":\"fresh\"},\"message\":\"The provided continue "
      "parameter is too old\",\"reason\":\"Expired\",\"code\":410}");
  assert_string_equal(stage->trouble.text,
                      "listing pods: the API server refused GET /api/v1/pods: The provided "
                      "continue parameter is too old (410 Gone)");
  advance(stage, stage->retry_ms);
  path_is(stage, FIRST_PAGE_PATH);
  fake_answer(fake_open_call(&stage->fake), 200, PAGE("20", "", POD("a", "2", "6")));
  diary_is(stage, "trouble +a:2 synced ");
}

static void a_list_that_ends_in_the_middle_starts_over(void **state) {
  Stage *stage = *state;
  kube_informer_start(stage->informer);
  fake_answer(fake_open_call(&stage->fake), 200, PAGE("10", "c2", POD("a", "1", "5")));
  fake_answer(fake_open_call(&stage->fake), 200, "{\"kind\":\"PodList\",\"items\":[");
  diary_is(stage, "trouble ");
  assert_int_equal(stage->trouble.code, ERROR_PROTOCOL);
  advance(stage, stage->retry_ms);
  path_is(stage, FIRST_PAGE_PATH);
}

static void an_answer_without_any_list_is_trouble(void **state) {
  Stage *stage = *state;
  kube_informer_start(stage->informer);
  fake_answer(fake_open_call(&stage->fake), 204, "");
  diary_is(stage, "trouble ");
  assert_false(kube_informer_is_synced(stage->informer));
}

static void a_refusal_is_told_in_the_servers_words(void **state) {
  Stage *stage = *state;
  kube_informer_start(stage->informer);
  fake_answer(fake_open_call(&stage->fake), 403, STATUS(403, "Forbidden", "pods is forbidden"));
  assert_string_equal(
      stage->trouble.text,
      "listing pods: the API server refused GET /api/v1/pods: pods is forbidden (403 Forbidden); "
      "give this account the verb \"list\" on pods");
  assert_int_equal(stage->trouble.code, ERROR_DENIED);
  advance(stage, stage->retry_ms);
  path_is(stage, FIRST_PAGE_PATH);
}

typedef struct Refusal {
  int status;
  bool keeps_place;
} Refusal;

static const Refusal refusals[] = {{400, false}, {401, true},  {403, true},  {404, false},
                                   {408, true},  {410, false}, {422, false}, {429, true},
                                   {500, true},  {502, true},  {503, true},  {504, false}};

static void a_refused_watch_goes_on_where_the_place_is_still_good(void **state) {
  Stage *stage = *state;
  start_watching(stage);
  for (size_t i = 0; i < COUNT_OF(refusals); i++) {
    fake_break(fake_open_call(&stage->fake));
    advance(stage, stage->retry_ms);
    watches_from(stage, "10");
    fake_answer(fake_open_call(&stage->fake), refusals[i].status, "no");
    advance(stage, stage->retry_ms);
    if (!refusals[i].keeps_place) {
      path_is(stage, FIRST_PAGE_PATH);
      fake_answer(fake_open_call(&stage->fake), 200, PAGE("10", "", ""));
    }
    watches_from(stage, "10");
  }
}

static void the_server_may_ask_for_patience(void **state) {
  Stage *stage = *state;
  kube_informer_start(stage->informer);
  KubeCall *call = fake_open_call(&stage->fake);
  fake_head(call, 429, 17);
  fake_done(call, NULL);
  assert_int_equal(stage->retry_ms, 17000);
  advance(stage, 16999);
  assert_int_equal(stage->fake.calls.count, 1);
  advance(stage, 1);
  fake_answer(fake_open_call(&stage->fake), 503,
              "{\"kind\":\"Status\",\"code\":503,\"message\":\"x\",\"details\":{\"retryAfterSeconds\":9}}");
  assert_int_equal(stage->retry_ms, 9000);
  advance(stage, 9000);
  call = fake_open_call(&stage->fake);
  fake_head(call, 429, 86400);
  fake_done(call, NULL);
  assert_int_equal(stage->retry_ms, 300000); /* but not for a day */
}

static void patience_may_be_asked_for_by_an_event(void **state) {
  Stage *stage = *state;
  KubeCall *watch = start_watching(stage);
  fake_body(watch, EVENT("ERROR", "{\"kind\":\"Status\",\"code\":429,\"message\":\"slow "
                                  "down\",\"details\":{\"retryAfterSeconds\":12}}"));
  assert_int_equal(stage->retry_ms, 12000);
  advance(stage, 12000);
  watches_from(stage, "10");
}

static void the_back_off_doubles_up_to_its_limit_with_jitter(void **state) {
  Stage *stage = *state;
  kube_informer_start(stage->informer);
  uint64_t full = KUBE_INFORMER_BACKOFF_FIRST_MS;
  for (int i = 0; i < 40; i++) {
    fake_break(fake_open_call(&stage->fake));
    assert_in_range(stage->retry_ms, full / 2, full);
    advance(stage, stage->retry_ms);
    full = full * 2 < KUBE_INFORMER_BACKOFF_MAX_MS ? full * 2 : KUBE_INFORMER_BACKOFF_MAX_MS;
  }
  assert_int_equal(stage->troubles, 40);
}

static void an_event_resets_the_back_off_and_a_list_does_not(void **state) {
  Stage *stage = *state;
  kube_informer_start(stage->informer);
  for (int i = 0; i < 10; i++) {
    fake_break(fake_open_call(&stage->fake));
    advance(stage, stage->retry_ms);
  }
  fake_answer(fake_open_call(&stage->fake), 200, PAGE("10", "", ""));
  fake_break(fake_open_call(&stage->fake));
  assert_in_range(stage->retry_ms, KUBE_INFORMER_BACKOFF_MAX_MS / 2, KUBE_INFORMER_BACKOFF_MAX_MS);
  advance(stage, stage->retry_ms);
  KubeCall *watch = fake_open_call(&stage->fake);
  fake_head(watch, 200, -1);
  fake_body(watch, BOOKMARK("11"));
  fake_break(watch);
  assert_in_range(stage->retry_ms, KUBE_INFORMER_BACKOFF_FIRST_MS / 2, KUBE_INFORMER_BACKOFF_FIRST_MS);
}

static void a_server_that_is_always_gone_is_not_asked_in_a_tight_loop(void **state) {
  Stage *stage = *state;
  kube_informer_start(stage->informer);
  for (int i = 0; i < 10; i++) {
    fake_answer(fake_open_call(&stage->fake), 200, PAGE("10", "", ""));
    KubeCall *watch = fake_open_call(&stage->fake);
    fake_head(watch, 200, -1);
    fake_body(watch, EVENT("ERROR", GONE));
    advance(stage, stage->retry_ms);
  }
  assert_in_range(stage->retry_ms, KUBE_INFORMER_BACKOFF_MAX_MS / 2, KUBE_INFORMER_BACKOFF_MAX_MS);
}

/* The usual end of an outage: the server is back and has forgotten old versions. */
static void a_server_that_is_back_and_has_no_memory_is_listed_soon(void **state) {
  Stage *stage = *state;
  start_watching(stage);
  for (int i = 0; i < 10; i++) {
    fake_break(fake_open_call(&stage->fake));
    advance(stage, stage->retry_ms);
  }
  fake_answer(fake_open_call(&stage->fake), 410, GONE);
  assert_in_range(stage->retry_ms, KUBE_INFORMER_BACKOFF_FIRST_MS / 2, KUBE_INFORMER_BACKOFF_FIRST_MS);
  advance(stage, stage->retry_ms);
  path_is(stage, FIRST_PAGE_PATH);
}

static void silence_cancels_the_watch(void **state) {
  Stage *stage = *state;
  KubeCall *watch = start_watching(stage);
  advance(stage, KUBE_INFORMER_SILENCE_MS - 1);
  fake_body(watch, BOOKMARK("11")); /* a sign of life */
  advance(stage, KUBE_INFORMER_SILENCE_MS - 1);
  assert_false(watch->is_over);
  advance(stage, 1);
  assert_true(watch->was_silent);
  diary_is(stage, "trouble ");
  assert_string_equal(stage->trouble.text, "watching pods: nothing came from the API server for 150 s");
  advance(stage, stage->retry_ms);
  watches_from(stage, "11");
}

static void silence_cancels_a_list(void **state) {
  Stage *stage = *state;
  kube_informer_start(stage->informer);
  KubeCall *call = fake_open_call(&stage->fake);
  advance(stage, KUBE_INFORMER_SILENCE_MS);
  assert_true(call->was_silent);
  assert_string_equal(stage->trouble.text, "listing pods: nothing came from the API server for 150 s");
}

static void a_watch_that_does_not_begin_within_a_minute_is_asked_for_again(void **state) {
  Stage *stage = *state;
  kube_informer_start(stage->informer);
  fake_answer(fake_open_call(&stage->fake), 200, PAGE("10", "", ""));
  KubeCall *watch = fake_open_call(&stage->fake);
  advance(stage, 59999);
  assert_false(watch->is_over);
  advance(stage, 1);
  assert_true(watch->was_silent);
  assert_string_equal(stage->trouble.text, "watching pods: nothing came from the API server for 60 s");
  advance(stage, stage->retry_ms);
  watches_from(stage, "10");
}

/* Who asks for one object does not wait for a lost request as long as for thousands. */
static void small_lists_and_their_watches_can_be_asked_for_again_sooner(void **state) {
  Stage *stage = *state;
  renew_informer(stage, (KubeInformerOptions){.type = &kube_pod_type, .answer_ms = 20000});
  kube_informer_start(stage->informer);
  assert_int_equal(fake_open_call(&stage->fake)->request.timeout_ms, 20000);
  fake_answer(fake_open_call(&stage->fake), 200, PAGE("10", "", ""));
  KubeCall *watch = fake_open_call(&stage->fake);
  assert_int_equal(watch->request.timeout_ms, 0);
  advance(stage, 20000);
  assert_true(watch->was_silent);
  assert_string_equal(stage->trouble.text, "watching pods: nothing came from the API server for 20 s");
}

static void a_list_in_progress_does_not_disturb_the_cache(void **state) {
  Stage *stage = *state;
  KubeCall *watch = start_watching(stage);
  fake_body(watch, EVENT("ERROR", GONE));
  advance(stage, stage->retry_ms);
  KubeCall *call = fake_open_call(&stage->fake);
  fake_head(call, 200, -1);
  fake_body(call, "{\"kind\":\"PodList\",\"items\":[" POD("c", "3", "20"));
  assert_int_equal(kube_informer_count(stage->informer), 2);
  assert_non_null(kube_informer_find(stage->informer, "default/a"));
  assert_null(kube_informer_find(stage->informer, "default/c"));
  assert_true(kube_informer_is_synced(stage->informer));
}

/* Frees the informer at one moment of a life; the tear-down looks for calls and timers left behind. */
static void it_may_be_freed_at_any_moment(void **state) {
  for (int moment = 0; moment < 9; moment++) {
    Stage *stage = NULL;
    assert_int_equal(set_up((void **)&stage), 0);
    KubeCall *watch = NULL;
    if (moment >= 1)
      kube_informer_start(stage->informer);
    if (moment >= 2)
      fake_head(fake_open_call(&stage->fake), 200, -1);
    if (moment >= 3)
      fake_body(fake_open_call(&stage->fake), "{\"kind\":\"PodList\",\"items\":[" POD("a", "1", "5"));
    if (moment >= 4)
      fake_body(fake_open_call(&stage->fake),
                "],\"metadata\":{\"resourceVersion\":\"7\",\"continue\":\"x\"}}");
    if (moment >= 5)
      fake_done(fake_open_call(&stage->fake), NULL);
    if (moment >= 6)
      fake_answer(fake_open_call(&stage->fake), 200, PAGE("7", "", ""));
    if (moment >= 7) {
      watch = fake_open_call(&stage->fake);
      fake_head(watch, 200, -1);
      fake_body(watch, EVENT("ADDED", POD("b", "2", "8")) "{\"type\"");
    }
    if (moment >= 8)
      fake_break(watch);
    assert_int_equal(tear_down((void **)&stage), 0);
  }
}

/* Whatever breaks when, in the end the cache equals the server. */
static void it_recovers_from_a_failure_at_every_step(void **state) {
  for (int step = 0; step < 8; step++) {
    Stage *stage = NULL;
    assert_int_equal(set_up((void **)&stage), 0);
    kube_informer_start(stage->informer);
    for (int at = 0; at <= 8; at++) {
      KubeCall *call = fake_open_call(&stage->fake);
      bool is_watch = strstr(call->request.path, "watch=1") != NULL;
      if (at == step) {
        if (step % 3 == 1)
          fake_head(call, 200, -1);
        if (step % 3 == 2)
          fake_answer(call, 500, "no");
        else
          fake_break(call);
        advance(stage, stage->retry_ms);
      } else if (is_watch) {
        fake_answer(call, 200, EVENT("ADDED", POD("w", "9", "30")));
      } else if (!strstr(call->request.path, "continue")) {
        fake_answer(call, 200, PAGE("20", "next", POD("a", "1", "5")));
      } else {
        fake_answer(call, 200, PAGE("20", "", POD("b", "2", "6")));
      }
    }
    assert_int_equal(kube_informer_count(stage->informer), 3);
    watches_from(stage, "30");
    assert_int_equal(tear_down((void **)&stage), 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_broken_watch_waits_and_goes_on),
      TEST(a_quiet_watch_that_ends_in_time_is_no_trouble),
      TEST(a_watch_that_ends_at_once_waits),
      TEST(a_watch_that_ends_at_once_twice_lists_again),
      TEST(a_list_that_is_repeated_tells_the_differences),
      TEST(gone_as_an_event_lists_again),
      TEST(gone_as_a_status_lists_again),
      TEST(garbage_in_a_watch_lists_again),
      TEST(an_object_without_a_name_is_garbage),
      TEST(a_nameless_object_in_a_list_starts_it_over),
      TEST(a_list_that_breaks_off_asks_for_the_same_page),
      TEST(half_a_first_page_leaves_nothing_behind),
      TEST(an_expired_continue_token_starts_the_list_over),
      TEST(a_list_that_ends_in_the_middle_starts_over),
      TEST(an_answer_without_any_list_is_trouble),
      TEST(a_refusal_is_told_in_the_servers_words),
      TEST(a_refused_watch_goes_on_where_the_place_is_still_good),
      TEST(the_server_may_ask_for_patience),
      TEST(patience_may_be_asked_for_by_an_event),
      TEST(the_back_off_doubles_up_to_its_limit_with_jitter),
      TEST(an_event_resets_the_back_off_and_a_list_does_not),
      TEST(a_server_that_is_always_gone_is_not_asked_in_a_tight_loop),
      TEST(a_server_that_is_back_and_has_no_memory_is_listed_soon),
      TEST(silence_cancels_the_watch),
      TEST(silence_cancels_a_list),
      TEST(a_watch_that_does_not_begin_within_a_minute_is_asked_for_again),
      TEST(small_lists_and_their_watches_can_be_asked_for_again_sooner),
      TEST(a_list_in_progress_does_not_disturb_the_cache),
      cmocka_unit_test(it_may_be_freed_at_any_moment),
      cmocka_unit_test(it_recovers_from_a_failure_at_every_step),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
