/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "base/random.h"
#include "cluster/live_pods.h"

static void pods_of_one_name_in_two_namespaces_are_two(void **state) {
  CLEANUP(live_pods_deinit) LivePods pods = {0};
  const Pod a = {.meta = {.namespace_ = "a", .name = "p"}}, b = {.meta = {.namespace_ = "b", .name = "p"}},
            none = {.meta = {.name = "p"}}, same = {.meta = {.namespace_ = "", .name = "p"}};
  assert_null(live_pods_find(&pods, &a));
  LivePod *first = live_pods_add(&pods, &a);
  assert_null(live_pods_find(&pods, &b));
  LivePod *second = live_pods_add(&pods, &none);
  assert_ptr_equal(live_pods_find(&pods, &a), first);
  assert_ptr_equal(live_pods_find(&pods, &same), second);
}

/* Held against a plain table. */
static void what_comes_and_goes_at_random_is_found(void **state) {
  enum { NAMES = 300, EVENTS = 20000 };
  CLEANUP(live_pods_deinit) LivePods pods = {0};
  static char names[NAMES][8];
  static Pod objects[NAMES];
  bool is_there[NAMES] = {false};
  size_t count = 0;
  Random random = {.state = 3};
  for (int i = 0; i < NAMES; i++) {
    snprintf(names[i], sizeof names[i], "p%d", i);
    objects[i] = (Pod){.meta = {.namespace_ = "demo", .name = names[i]}};
  }
  for (int event = 0; event < EVENTS; event++) {
    int i = (int)random_below(&random, NAMES);
    LivePod *found = live_pods_find(&pods, &objects[i]);
    assert_true((found != NULL) == is_there[i]);
    if (found) {
      assert_ptr_equal(found->object, &objects[i]);
      live_pods_remove(&pods, found);
    } else {
      live_pods_add(&pods, &objects[i]);
    }
    count += is_there[i] ? (size_t)-1 : 1;
    is_there[i] = !is_there[i];
    assert_int_equal(pods.slots.count, count);
  }
  assert_in_range(pods.count, count, NAMES); /* records are used again */
  for (uint32_t i = 0; i < pods.count; i++)
    count -= live_pods_at(&pods, i)->object != NULL;
  assert_int_equal(count, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pods_of_one_name_in_two_namespaces_are_two),
      cmocka_unit_test(what_comes_and_goes_at_random_is_found),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
