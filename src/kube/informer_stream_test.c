/* SPDX-License-Identifier: Apache-2.0 */
/* An informer on a server that begins a watch with the list (WatchList), or does not after all. */
#include "kube/informer_testing.h"

#define LIST_END(version)                                                                                    \
  EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"" version                                          \
                    "\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}")

static int set_up_streaming(void **state) {
  int result = set_up(state);
  Stage *stage = *state;
  stage->fake.seam.streams_lists = true;
  return result;
}

static void streams_a_list(Stage *stage) {
  const char *path = fake_open_call(&stage->fake)->request.path;
  unsigned seconds = 0;
  int end = 0;
  sscanf(path,
         "/api/v1/pods?watch=1&allowWatchBookmarks=true&timeoutSeconds=%u"
         "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan%n",
         &seconds, &end);
  assert_int_equal(end, strlen(path));
  assert_in_range(seconds, KUBE_INFORMER_WATCH_SECONDS, 2 * KUBE_INFORMER_WATCH_SECONDS);
}

static KubeCall *start_stream(Stage *stage) {
  kube_informer_start(stage->informer);
  streams_a_list(stage);
  KubeCall *call = fake_open_call(&stage->fake);
  fake_head(call, 200, -1);
  return call;
}

static void the_list_is_the_beginning_of_the_watch(void **state) {
  Stage *stage = *state;
  KubeCall *call = start_stream(stage);
  fake_body(call, EVENT("ADDED", POD("a", "1", "5")) EVENT("ADDED", POD("b", "2", "6")));
  assert_int_equal(kube_informer_count(stage->informer), 0); /* nobody sees half a list */
  assert_false(kube_informer_is_synced(stage->informer));
  diary_is(stage, "");
  fake_body(call, LIST_END("10"));
  diary_is(stage, "+a:1 +b:2 synced ");
  fake_body(call, EVENT("MODIFIED", POD("a", "1", "11")) EVENT("DELETED", POD("b", "2", "12")));
  diary_is(stage, "~a:1 -b:2 ");
  assert_int_equal(stage->fake.calls.count, 1);
}

/* As the agent has one for the reservation pods of one namespace. */
static void a_type_with_a_path_of_its_own_streams_as_well(void **state) {
  Stage *stage = *state;
  KubeType type = kube_pod_type;
  renew_informer(stage, (KubeInformerOptions){.type = &type});
  fake_body(start_stream(stage), EVENT("ADDED", POD("a", "1", "5")) LIST_END("10"));
  diary_is(stage, "+a:1 synced ");
  assert_int_equal(stage->fake.calls.count, 1);
  kube_informer_free(TAKE(stage->informer));
}

static void a_stream_that_ends_after_its_list_is_watched_on(void **state) {
  Stage *stage = *state;
  KubeCall *call = start_stream(stage);
  fake_body(call, EVENT("ADDED", POD("a", "1", "5")) LIST_END("10"));
  advance(stage, 1000);
  fake_done(call, NULL);
  watches_from(stage, "10");
  diary_is(stage, "+a:1 synced ");
}

static void what_changes_while_the_list_comes_counts(void **state) {
  Stage *stage = *state;
  KubeCall *call = start_stream(stage);
  fake_body(call, EVENT("ADDED", POD("a", "1", "5")) EVENT("ADDED", POD("b", "2", "6")));
  fake_body(call, EVENT("MODIFIED", POD("a", "1", "7")) EVENT("DELETED", POD("b", "2", "8")));
  fake_body(call, EVENT("DELETED", POD("never-seen", "3", "9")) LIST_END("10"));
  diary_is(stage, "+a:1 synced ");
  const Pod *pod = kube_informer_find(stage->informer, "default/a");
  assert_string_equal(OBJECT_VERSION(pod->meta.resource_version), "7");
}

static void a_streamed_list_that_is_repeated_tells_the_differences(void **state) {
  Stage *stage = *state;
  KubeCall *call = start_stream(stage);
  fake_body(call, EVENT("ADDED", POD("a", "1", "5")) EVENT("ADDED", POD("b", "2", "6")) LIST_END("10"));
  const void *same = kube_informer_find(stage->informer, "default/b");
  fake_body(call, EVENT("ERROR", GONE));
  diary_is(stage, "+a:1 +b:2 synced trouble ");
  advance(stage, stage->retry_ms);
  streams_a_list(stage);
  call = fake_open_call(&stage->fake);
  fake_head(call, 200, -1);
  fake_body(call, EVENT("ADDED", POD("b", "2", "6")) EVENT("ADDED", POD("c", "3", "20")));
  assert_int_equal(kube_informer_count(stage->informer), 2);
  fake_body(call, LIST_END("50"));
  diary_is(stage, "-a:1 +c:3 synced ");
  assert_ptr_equal(kube_informer_find(stage->informer, "default/b"), same);
}

/* What servers say that do not stream lists, each of which is an invitation to ask for pages. */
static void a_server_that_does_not_stream_is_asked_for_pages_at_once(void **state) {
  static const int statuses[] = {400, 405, 422, 500, 501};
  for (size_t i = 0; i < COUNT_OF(statuses); i++) {
    Stage *stage = NULL;
    assert_int_equal(set_up_streaming((void **)&stage), 0);
    kube_informer_start(stage->informer);
    fake_answer(fake_open_call(&stage->fake), statuses[i],
                STATUS(422, "Invalid", "sendInitialEvents is forbidden for watch"));
    path_is(stage, FIRST_PAGE_PATH);
    fake_answer(fake_open_call(&stage->fake), 200, PAGE("10", "", POD("a", "1", "5")));
    diary_is(stage, "+a:1 synced ");
    watches_from(stage, "10");
    fake_answer(fake_open_call(&stage->fake), 410, GONE);
    advance(stage, stage->retry_ms);
    path_is(stage, FIRST_PAGE_PATH); /* it is not asked again */
    assert_false(stage->fake.seam.streams_lists);
    assert_int_equal(tear_down((void **)&stage), 0);
  }
}

/* What an API server says whose etcd is older than 3.4.31. */
static void an_error_event_may_say_that_lists_are_not_streamed(void **state) {
  Stage *stage = *state;
  KubeCall *call = start_stream(stage);
  fake_body(call, EVENT("ERROR", STATUS(500, "InternalError",
                                        "a watch stream was requested by the client but the required storage "
                                        "feature RequestWatchProgress is disabled")));
  assert_true(call->was_cancelled);
  path_is(stage, FIRST_PAGE_PATH);
  diary_is(stage, "");
}

static void a_bookmark_before_the_end_comes_from_a_server_that_knows_no_lists(void **state) {
  Stage *stage = *state;
  KubeCall *call = start_stream(stage);
  fake_body(call, EVENT("ADDED", POD("a", "1", "5")) BOOKMARK("9"));
  assert_true(call->was_cancelled);
  path_is(stage, FIRST_PAGE_PATH);
  fake_answer(fake_open_call(&stage->fake), 200, PAGE("10", "", POD("b", "2", "6")));
  diary_is(stage, "+b:2 synced ");
}

static void a_busy_server_is_asked_for_the_stream_again(void **state) {
  static const int statuses[] = {401, 403, 408, 429, 502, 503, 504};
  Stage *stage = *state;
  kube_informer_start(stage->informer);
  for (size_t i = 0; i < COUNT_OF(statuses); i++) {
    fake_answer(fake_open_call(&stage->fake), statuses[i], "no");
    advance(stage, stage->retry_ms);
    streams_a_list(stage);
  }
  assert_int_equal(stage->troubles, COUNT_OF(statuses));
}

static void a_list_that_breaks_off_twice_is_asked_for_in_pages(void **state) {
  Stage *stage = *state;
  KubeCall *call = start_stream(stage);
  fake_body(call, EVENT("ADDED", POD("deleted-since", "1", "5")));
  fake_break(call);
  assert_string_equal(stage->trouble.text, "listing pods: the connection broke");
  advance(stage, stage->retry_ms);
  streams_a_list(stage);
  call = fake_open_call(&stage->fake);
  fake_head(call, 200, -1);
  fake_body(call, EVENT("ADDED", POD("a", "2", "6")));
  fake_break(call);
  advance(stage, stage->retry_ms);
  path_is(stage, FIRST_PAGE_PATH);
  fake_answer(fake_open_call(&stage->fake), 200, PAGE("10", "", POD("a", "2", "6")));
  diary_is(stage, "trouble trouble +a:2 synced ");
  fake_answer(fake_open_call(&stage->fake), 410, GONE);
  advance(stage, stage->retry_ms);
  streams_a_list(stage); /* that was bad luck, not the server's nature */
}

static void a_connection_that_is_refused_does_not_count_as_a_list_that_broke(void **state) {
  Stage *stage = *state;
  kube_informer_start(stage->informer);
  for (int i = 0; i < 5; i++) {
    fake_break(fake_open_call(&stage->fake));
    advance(stage, stage->retry_ms);
    streams_a_list(stage);
  }
}

static void a_stream_that_ends_before_its_list_does_is_trouble(void **state) {
  Stage *stage = *state;
  KubeCall *call = start_stream(stage);
  fake_body(call, EVENT("ADDED", POD("a", "1", "5")));
  advance(stage, 5000);
  fake_done(call, NULL);
  assert_string_equal(stage->trouble.text,
                      "listing pods: the API server ended the stream before all objects were there");
  assert_false(kube_informer_is_synced(stage->informer));
}

static void garbage_in_a_list_that_is_streamed_begins_it_anew(void **state) {
  Stage *stage = *state;
  KubeCall *call = start_stream(stage);
  fake_body(call, EVENT("ADDED", POD("a", "1", "5")) "<html>");
  assert_true(call->was_cancelled);
  advance(stage, stage->retry_ms);
  streams_a_list(stage);
  call = fake_open_call(&stage->fake);
  fake_head(call, 200, -1);
  fake_body(call, EVENT("ADDED", POD("b", "2", "6")) LIST_END("10"));
  diary_is(stage, "trouble +b:2 synced ");
}

#define STREAM(name) cmocka_unit_test_setup_teardown(name, set_up_streaming, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      STREAM(the_list_is_the_beginning_of_the_watch),
      STREAM(a_type_with_a_path_of_its_own_streams_as_well),
      STREAM(a_stream_that_ends_after_its_list_is_watched_on),
      STREAM(what_changes_while_the_list_comes_counts),
      STREAM(a_streamed_list_that_is_repeated_tells_the_differences),
      cmocka_unit_test(a_server_that_does_not_stream_is_asked_for_pages_at_once),
      STREAM(an_error_event_may_say_that_lists_are_not_streamed),
      STREAM(a_bookmark_before_the_end_comes_from_a_server_that_knows_no_lists),
      STREAM(a_busy_server_is_asked_for_the_stream_again),
      STREAM(a_list_that_breaks_off_twice_is_asked_for_in_pages),
      STREAM(a_connection_that_is_refused_does_not_count_as_a_list_that_broke),
      STREAM(a_stream_that_ends_before_its_list_does_is_trouble),
      STREAM(garbage_in_a_list_that_is_streamed_begins_it_anew),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
