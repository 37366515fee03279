/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/uids.h"

#include "base/test.h"

#include "base/random.h"

/* Held against a plain table; every third is no uid as API servers make them. */
static void what_comes_and_goes_at_random_is_told_apart(void **state) {
  enum { NAMES = 200, EVENTS = 20000 };
  CLEANUP(controller_uids_deinit) ControllerUids uids = {0};
  char texts[NAMES][OBJECT_UID_SIZE];
  bool is_there[NAMES] = {false};
  size_t count = 0;
  Random random = {.state = 5};
  for (int i = 0; i < NAMES; i++)
    snprintf(texts[i], sizeof texts[i], i % 3 ? "%08x-0000-4000-8000-000000000000" : "u-%d", (unsigned)i);
  for (int event = 0; event < EVENTS; event++) {
    size_t i = random_below(&random, NAMES);
    ObjectUid uid = {.text = texts[i]};
    if (random_below(&random, 2)) {
      assert_true(controller_uids_add(&uids, uid) != is_there[i]);
      count += !is_there[i];
      is_there[i] = true;
    } else {
      controller_uids_remove(&uids, uid);
      count -= is_there[i];
      is_there[i] = false;
    }
    assert_int_equal(uids.items.count, count);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_comes_and_goes_at_random_is_told_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
