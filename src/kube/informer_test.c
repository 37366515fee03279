/* SPDX-License-Identifier: Apache-2.0 */
/* An informer while all goes well: lists, pages, events, watches that end in time. */
#include "kube/informer_testing.h"

static void a_list_fills_the_cache_and_a_watch_follows(void **state) {
  Stage *stage = *state;
  kube_informer_start(stage->informer);
  assert_false(kube_informer_is_synced(stage->informer));
  path_is(stage, FIRST_PAGE_PATH);
  KubeCall *call = fake_open_call(&stage->fake);
  assert_string_equal(call->request.method, "GET");
  assert_string_equal(call->request.accept, "application/vnd.kubernetes.protobuf,application/json");
  assert_int_equal(call->request.timeout_ms, 60000);
  fake_answer(call, 200, PAGE("10", "", POD("a", "1", "5")));
  diary_is(stage, "+a:1 synced ");
  assert_int_equal(kube_informer_count(stage->informer), 1);
  const Pod *pod = kube_informer_find(stage->informer, "default/a");
  assert_string_equal(OBJECT_UID(pod->meta.uid), "1");
  assert_ptr_equal(kube_informer_at(stage->informer, 0), pod);
  assert_null(kube_informer_find(stage->informer, "default/b"));
  watches_from(stage, "10");
  assert_int_equal(fake_open_call(&stage->fake)->request.timeout_ms, 0);
}

static void forget_annotations(void *object, Arena *arena) {
  (void)arena;
  ((Pod *)object)->common->annotations.count = 0;
}

static void what_nobody_needs_is_taken_out_before_it_is_kept(void **state) {
  Stage *stage = *state;
#define ANNOTATED(name, version)                                                                             \
  "{\"metadata\":{\"name\":\"" name                                                                          \
  "\",\"namespace\":\"default\",\"uid\":\"1\",\"resourceVersion\":\"" version                                \
  "\",\"labels\":{\"app\":\"web\"},\"annotations\":{\"ip\":\"10.0.0.7\"}}}"
  renew_informer(stage, (KubeInformerOptions){.type = &kube_pod_type, .trim = forget_annotations});
  kube_informer_start(stage->informer);
  fake_answer(fake_open_call(&stage->fake), 200, PAGE("10", "", ANNOTATED("a", "5")));
  fake_head(fake_open_call(&stage->fake), 200, -1);
  fake_body(fake_open_call(&stage->fake), EVENT("ADDED", ANNOTATED("b", "11")));
  diary_is(stage, "+a:1 synced +b:1 ");
  for (size_t i = 0; i < 2; i++) {
    const Pod *pod = kube_informer_at(stage->informer, i);
    assert_int_equal(pod->common->annotations.count, 0);
    assert_int_equal(pod->meta.labels.count, 1);
  }
}

static void an_empty_list_is_synced_too(void **state) {
  Stage *stage = *state;
  kube_informer_start(stage->informer);
  fake_answer(fake_open_call(&stage->fake), 200, PAGE("1", "", ""));
  diary_is(stage, "synced ");
  watches_from(stage, "1");
}

static void a_selector_goes_with_every_request(void **state) {
  Stage *stage = *state;
  renew_informer(
      stage, (KubeInformerOptions){.type = &kube_node_type, .selector = "fieldSelector=metadata.name%3Dn1"});
  kube_informer_start(stage->informer);
  path_is(stage, "/api/v1/nodes?limit=500&fieldSelector=metadata.name%3Dn1");
  fake_answer(fake_open_call(&stage->fake), 200,
              "{\"kind\":\"NodeList\",\"metadata\":{\"resourceVersion\":\"3\"},\"items\":[]}");
  assert_true(string_has_suffix(fake_open_call(&stage->fake)->request.path,
                                "&resourceVersion=3&fieldSelector=metadata.name%3Dn1"));
}

static void pages_are_put_together_before_anything_is_told(void **state) {
  Stage *stage = *state;
  kube_informer_start(stage->informer);
  fake_answer(fake_open_call(&stage->fake), 200, PAGE("10", "a+/=b", POD("a", "1", "5")));
  path_is(stage, FIRST_PAGE_PATH "&continue=a%2B%2F%3Db");
  diary_is(stage, "");
  assert_int_equal(kube_informer_count(stage->informer), 0);
  fake_answer(fake_open_call(&stage->fake), 200, PAGE("10", "c2", POD("b", "2", "6")));
  path_is(stage, FIRST_PAGE_PATH "&continue=c2");
  fake_answer(fake_open_call(&stage->fake), 200, PAGE("10", "", POD("c", "3", "7")));
  diary_is(stage, "+a:1 +b:2 +c:3 synced ");
  watches_from(stage, "10");
}

static void answers_may_come_byte_by_byte(void **state) {
  Stage *stage = *state;
  const char *page = PAGE("10", "", POD("a", "1", "5"));
  const char *events = EVENT("ADDED", POD("b", "2", "11")) EVENT("DELETED", POD("a", "1", "12"));
  kube_informer_start(stage->informer);
  KubeCall *call = fake_open_call(&stage->fake);
  fake_head(call, 200, -1);
  for (const char *p = page; *p; p++)
    fake_body(call, (char[]){*p, '\0'});
  fake_done(call, NULL);
  call = fake_open_call(&stage->fake);
  fake_head(call, 200, -1);
  for (const char *p = events; *p; p++)
    fake_body(call, (char[]){*p, '\0'});
  diary_is(stage, "+a:1 synced +b:2 -a:1 ");
}

static void watch_events_change_the_cache(void **state) {
  Stage *stage = *state;
  KubeCall *watch = start_watching(stage);
  fake_body(watch, EVENT("ADDED", POD("c", "3", "11")) EVENT("MODIFIED", POD("a", "1", "12")));
  diary_is(stage, "+c:3 ~a:1 ");
  fake_body(watch, EVENT("DELETED", POD("b", "2", "13")));
  diary_is(stage, "-b:2 ");
  assert_int_equal(kube_informer_count(stage->informer), 2);
  const Pod *pod = kube_informer_find(stage->informer, "default/a");
  assert_string_equal(OBJECT_VERSION(pod->meta.resource_version), "12");
}

static void an_event_that_changes_nothing_is_not_told(void **state) {
  Stage *stage = *state;
  KubeCall *watch = start_watching(stage);
  const void *before = kube_informer_find(stage->informer, "default/a");
  fake_body(watch,
            EVENT("ADDED", POD("a", "1", "5")) EVENT("DELETED", POD("unknown", "9", "11")) BOOKMARK("12"));
  diary_is(stage, "");
  assert_ptr_equal(kube_informer_find(stage->informer, "default/a"), before);
}

static void the_same_name_with_another_uid_is_another_object(void **state) {
  Stage *stage = *state;
  KubeCall *watch = start_watching(stage);
  fake_body(watch, EVENT("MODIFIED", POD("a", "77", "11")));
  diary_is(stage, "-a:1 +a:77 ");
}

static void a_watch_that_ends_goes_on_from_the_last_version(void **state) {
  Stage *stage = *state;
  KubeCall *watch = start_watching(stage);
  fake_body(watch, EVENT("ADDED", POD("c", "3", "11")));
  fake_done(watch, NULL);
  watches_from(stage, "11");
  watch = fake_open_call(&stage->fake);
  fake_head(watch, 200, -1);
  fake_body(watch, EVENT("DELETED", POD("c", "3", "12")));
  fake_done(watch, NULL);
  watches_from(stage, "12");
  watch = fake_open_call(&stage->fake);
  fake_head(watch, 200, -1);
  fake_body(watch, BOOKMARK("20"));
  fake_done(watch, NULL);
  watches_from(stage, "20");
  diary_is(stage, "+c:3 -c:3 ");
}

static void half_an_event_at_the_end_is_forgotten(void **state) {
  Stage *stage = *state;
  KubeCall *watch = start_watching(stage);
  fake_body(watch, BOOKMARK("11"));
  fake_body(watch, "{\"type\":\"ADDED\",\"object\":{\"meta");
  fake_done(watch, NULL);
  watches_from(stage, "11");
  diary_is(stage, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_list_fills_the_cache_and_a_watch_follows),
      TEST(what_nobody_needs_is_taken_out_before_it_is_kept),
      TEST(an_empty_list_is_synced_too),
      TEST(a_selector_goes_with_every_request),
      TEST(pages_are_put_together_before_anything_is_told),
      TEST(answers_may_come_byte_by_byte),
      TEST(watch_events_change_the_cache),
      TEST(an_event_that_changes_nothing_is_not_told),
      TEST(the_same_name_with_another_uid_is_another_object),
      TEST(a_watch_that_ends_goes_on_from_the_last_version),
      TEST(half_an_event_at_the_end_is_forgotten),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
