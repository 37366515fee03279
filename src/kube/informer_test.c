/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/informer.h"

#include "base/test.h"
#include "base/text.h"
#include "cluster/object.h"
#include "kube/fake_transport.h"

/* Everything the informer tells goes into one diary: "+default/a" added, "~" changed, "-" gone, "synced",
 * "trouble". */
typedef struct Stage {
  Host host;
  FakeTransport fake;
  KubeInformer *informer;
  Text diary;
  Error trouble;
  uint64_t retry_ms;
  int troubles;
} Stage;

static void on_change(void *userdata, const void *old, const void *new_) {
  Stage *stage = userdata;
  const Pod *before = old, *after = new_;
  const ObjectMeta *meta = after ? &after->meta : &before->meta;
  text_format(&stage->diary, "%s%s:%s ", !before ? "+" : after ? "~" : "-", meta->name, meta->uid);
  /* The cache already shows what is being told. */
  CLEANUP(text_deinit) Text key = {0};
  text_format(&key, "%s/%s", meta->namespace_, meta->name);
  assert_ptr_equal(kube_informer_find(stage->informer, text_string(&key)), new_);
}

static void on_synced(void *userdata) {
  Stage *stage = userdata;
  assert_true(kube_informer_is_synced(stage->informer));
  text_append(&stage->diary, "synced ");
}

static void on_trouble(void *userdata, const Error *err, uint64_t retry_ms) {
  Stage *stage = userdata;
  text_append(&stage->diary, "trouble ");
  stage->trouble = *err;
  stage->retry_ms = retry_ms;
  stage->troubles++;
}

static int set_up(void **state) {
  Stage *stage = mem_alloc(sizeof *stage);
  host_init(&stage->host, 42);
  host_advance(&stage->host, 1000000, 0);
  fake_init(&stage->fake);
  KubeInformerOptions options = {.type = &kube_pod_type,
                                 .on_change = on_change,
                                 .on_synced = on_synced,
                                 .on_trouble = on_trouble,
                                 .userdata = stage};
  stage->informer = kube_informer_new(&stage->host, &stage->fake.seam, &options);
  *state = stage;
  return 0;
}

static int tear_down(void **state) {
  Stage *stage = *state;
  size_t open = 0;
  kube_informer_free(TAKE(stage->informer));
  for (size_t i = 0; i < stage->fake.calls.count; i++)
    open += !stage->fake.calls.items[i]->is_over;
  bool is_quiet = open == 0 && host_next_ms(&stage->host) == HOST_NEVER;
  fake_deinit(&stage->fake);
  host_deinit(&stage->host);
  text_deinit(&stage->diary);
  free(stage);
  return is_quiet ? 0 : -1; /* nothing may be left behind */
}

static void advance(Stage *stage, uint64_t ms) {
  host_advance(&stage->host, stage->host.now_ms + ms, 0);
  host_run_timers(&stage->host);
}

static void diary_is(Stage *stage, const char *expected) {
  assert_string_equal(text_string(&stage->diary), expected);
  text_clear(&stage->diary);
}

#define POD(name, uid, version)                                                                              \
  "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"default\",\"uid\":\"" uid                            \
  "\",\"resourceVersion\":\"" version "\"}}"
#define PAGE(version, continue_token, items)                                                                 \
  "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"" version                 \
  "\",\"continue\":\"" continue_token "\"},\"items\":[" items "]}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define BOOKMARK(version)   EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"" version "\"}}")
#define STATUS(code, reason, message)                                                                        \
  "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"" message                 \
  "\",\"reason\":\"" reason "\",\"code\":" #code "}"
#define GONE STATUS(410, "Expired", "too old resource version")

#define FIRST_PAGE_PATH "/api/v1/pods?limit=500"

static void path_is(Stage *stage, const char *expected) {
  assert_string_equal(fake_open_call(&stage->fake)->request.path, expected);
}

/* The open call is a watch from that version, of 300 to 600 s. */
static void watches_from(Stage *stage, const char *version) {
  const char *path = fake_open_call(&stage->fake)->request.path;
  unsigned seconds = 0;
  char from[64] = "";
  assert_int_equal(
      sscanf(path, "/api/v1/pods?watch=1&allowWatchBookmarks=true&timeoutSeconds=%u&resourceVersion=%63s",
             &seconds, from),
      2);
  assert_in_range(seconds, KUBE_INFORMER_WATCH_SECONDS, 2 * KUBE_INFORMER_WATCH_SECONDS);
  assert_string_equal(from, version);
}

/* Listed pods a and b at version 10, watching. */
static KubeCall *start_watching(Stage *stage) {
  kube_informer_start(stage->informer);
  fake_answer(fake_open_call(&stage->fake), 200, PAGE("10", "", POD("a", "1", "5") "," POD("b", "2", "6")));
  diary_is(stage, "+a:1 +b:2 synced ");
  watches_from(stage, "10");
  KubeCall *watch = fake_open_call(&stage->fake);
  fake_head(watch, 200, -1);
  return watch;
}

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
  assert_string_equal(pod->meta.uid, "1");
  assert_ptr_equal(kube_informer_at(stage->informer, 0), pod);
  assert_null(kube_informer_find(stage->informer, "default/b"));
  watches_from(stage, "10");
  assert_int_equal(fake_open_call(&stage->fake)->request.timeout_ms, 0);
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
  KubeInformerOptions options = {.type = &kube_node_type,
                                 .selector = "fieldSelector=metadata.name%3Dn1",
                                 .on_change = on_change,
                                 .on_synced = on_synced,
                                 .on_trouble = on_trouble,
                                 .userdata = stage};
  kube_informer_free(stage->informer);
  stage->informer = kube_informer_new(&stage->host, &stage->fake.seam, &options);
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
  assert_string_equal(pod->meta.resource_version, "12");
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
  assert_true(watch->was_cancelled);
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
  assert_true(call->was_cancelled);
  assert_string_equal(stage->trouble.text, "listing pods: nothing came from the API server for 150 s");
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_list_fills_the_cache_and_a_watch_follows),
      TEST(an_empty_list_is_synced_too),
      TEST(a_selector_goes_with_every_request),
      TEST(pages_are_put_together_before_anything_is_told),
      TEST(answers_may_come_byte_by_byte),
      TEST(watch_events_change_the_cache),
      TEST(an_event_that_changes_nothing_is_not_told),
      TEST(the_same_name_with_another_uid_is_another_object),
      TEST(a_watch_that_ends_goes_on_from_the_last_version),
      TEST(half_an_event_at_the_end_is_forgotten),
      TEST(a_broken_watch_waits_and_goes_on),
      TEST(a_quiet_watch_that_ends_in_time_is_no_trouble),
      TEST(a_watch_that_ends_at_once_waits),
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
      TEST(a_list_in_progress_does_not_disturb_the_cache),
      cmocka_unit_test(it_may_be_freed_at_any_moment),
      cmocka_unit_test(it_recovers_from_a_failure_at_every_step),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
