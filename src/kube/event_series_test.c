/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "kube/event_series.h"

enum { WALL_MS_DAY = 86400000 };

typedef struct Told {
  KubeEventSeries series;
  ObjectMeta meta;
  KubeEvent event;
  uint64_t now_ms, unique;
  Text body;
} Told;

static int told_init(void **state) {
  Told *told = mem_alloc(sizeof *told);
  told->meta = (ObjectMeta){.name = "n1", .uid.text = "u1"};
  told->event = (KubeEvent){.kind = "Node",
                            .regarding = &told->meta,
                            .controller = "facet.gpu/agent",
                            .instance = "n1",
                            .reason = "RepartitionFailed",
                            .is_warning = true,
                            .note = "it failed"};
  told->now_ms = 1000;
  *state = told;
  return 0;
}

static int told_deinit(void **state) {
  Told *told = *state;
  kube_event_series_deinit(&told->series);
  text_deinit(&told->body);
  free(told);
  return 0;
}

/* "POST", or the body of the PATCH. */
static const char *tell(Told *told) {
  text_clear(&told->body);
  const char *name = kube_event_series_next(&told->series, &told->event, told->now_ms,
                                            (int64_t)told->now_ms + WALL_MS_DAY, ++told->unique, &told->body);
  if (!name)
    return strstr(text_string(&told->body), "\"note\":\"") ? "POST" : "a POST without a note";
  assert_string_equal(name, "n1.5265fe80001");
  return text_string(&told->body);
}

static void a_repetition_is_the_series_of_the_first_one(void **state) {
  Told *told = *state;
  assert_string_equal(tell(told), "POST");
  assert_non_null(strstr(text_string(&told->body), "\"name\":\"n1.5265fe80001\""));
  told->now_ms += 1000;
  assert_string_equal(tell(told),
                      "{\"series\":{\"count\":2,\"lastObservedTime\":\"1970-01-02T00:00:02.000000Z\"}}");
  told->now_ms += KUBE_EVENT_SERIES_MS - 1;
  assert_string_equal(tell(told),
                      "{\"series\":{\"count\":3,\"lastObservedTime\":\"1970-01-02T00:06:01.999000Z\"}}");
}

static void after_six_quiet_minutes_it_is_another_one(void **state) {
  Told *told = *state;
  assert_string_equal(tell(told), "POST");
  told->now_ms += KUBE_EVENT_SERIES_MS;
  assert_string_equal(tell(told), "POST");
}

static void what_differs_is_no_repetition(void **state) {
  Told *told = *state;
  assert_string_equal(tell(told), "POST");
  told->event.note = "it failed otherwise";
  assert_string_equal(tell(told), "POST");
  told->event.reason = "GpuError";
  assert_string_equal(tell(told), "POST");
  told->event.is_warning = false;
  assert_string_equal(tell(told), "POST");
  told->meta.uid.text = "u2";
  assert_string_equal(tell(told), "POST");
}

static void after_a_refusal_it_begins_anew(void **state) {
  Told *told = *state;
  assert_string_equal(tell(told), "POST");
  kube_event_series_forget(&told->series);
  assert_string_equal(tell(told), "POST");
}

static void only_so_many_are_remembered(void **state) {
  Told *told = *state;
  static char note[32]; /* the event keeps it */
  told->event.note = note;
  for (int round = 0; round < 2; round++)
    for (int i = 0; i <= KUBE_EVENT_SERIES_MAX; i++) {
      snprintf(note, sizeof note, "failure %d", i);
      assert_string_equal(tell(told), "POST"); /* one too many: each is gone when it comes again */
      assert_true(told->series.past.count <= KUBE_EVENT_SERIES_MAX);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, told_init, told_deinit)
  const struct CMUnitTest tests[] = {
      TEST(a_repetition_is_the_series_of_the_first_one),
      TEST(after_six_quiet_minutes_it_is_another_one),
      TEST(what_differs_is_no_repetition),
      TEST(after_a_refusal_it_begins_anew),
      TEST(only_so_many_are_remembered),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
