/* SPDX-License-Identifier: Apache-2.0 */
/* For the informer's tests: an informer of pods on a played server, and a diary of what it told. */
#pragma once

#include "base/test.h"

#include "base/text.h"
#include "cluster/object.h"
#include "kube/fake_transport.h"
#include "kube/informer.h"

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

static inline void on_change(void *userdata, const void *old, const void *new_) {
  Stage *stage = userdata;
  const Pod *before = old, *after = new_;
  const ObjectMeta *meta = after ? &after->meta : &before->meta;
  text_format(&stage->diary, "%s%s:%s ",
              !before ? "+"
              : after ? "~"
                      : "-",
              meta->name, OBJECT_UID(meta->uid));
  /* The cache already shows what is being told. */
  CLEANUP(text_deinit) Text key = {0};
  text_format(&key, "%s/%s", meta->namespace_, meta->name);
  assert_ptr_equal(kube_informer_find(stage->informer, text_string(&key)), new_);
}

static inline void on_synced(void *userdata) {
  Stage *stage = userdata;
  assert_true(kube_informer_is_synced(stage->informer));
  text_append(&stage->diary, "synced ");
}

static inline void on_trouble(void *userdata, const Error *err, uint64_t retry_ms) {
  Stage *stage = userdata;
  text_append(&stage->diary, "trouble ");
  stage->trouble = *err;
  stage->retry_ms = retry_ms;
  stage->troubles++;
}

/* Another informer in the place of the stage's, with the stage's callbacks. */
static inline void renew_informer(Stage *stage, KubeInformerOptions options) {
  options.on_change = on_change;
  options.on_synced = on_synced;
  options.on_trouble = on_trouble;
  options.userdata = stage;
  if (stage->informer)
    kube_informer_free(stage->informer);
  stage->informer = kube_informer_new(&stage->host, &stage->fake.seam, &options);
}

static inline int set_up(void **state) {
  Stage *stage = mem_alloc(sizeof *stage);
  host_init(&stage->host, 42);
  host_advance(&stage->host, 1000000, 0);
  fake_init(&stage->fake);
  renew_informer(stage, (KubeInformerOptions){.type = &kube_pod_type});
  *state = stage;
  return 0;
}

static inline int tear_down(void **state) {
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

static inline void advance(Stage *stage, uint64_t ms) {
  host_advance(&stage->host, stage->host.now_ms + ms, 0);
  host_run_timers(&stage->host);
}

static inline void diary_is(Stage *stage, const char *expected) {
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

static inline void path_is(Stage *stage, const char *expected) {
  assert_string_equal(fake_open_call(&stage->fake)->request.path, expected);
}

/* The open call is a watch from that version, of 300 to 600 s. */
static inline void watches_from(Stage *stage, const char *version) {
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
static inline KubeCall *start_watching(Stage *stage) {
  kube_informer_start(stage->informer);
  fake_answer(fake_open_call(&stage->fake), 200, PAGE("10", "", POD("a", "1", "5") "," POD("b", "2", "6")));
  diary_is(stage, "+a:1 +b:2 synced ");
  watches_from(stage, "10");
  KubeCall *watch = fake_open_call(&stage->fake);
  fake_head(watch, 200, -1);
  return watch;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
