/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include "base/test.h"

#include "base/random.h"

static int one = 1, two = 2, three = 3;

static void an_empty_map_finds_and_removes_nothing(void **state) {
  CLEANUP(map_deinit) Map map = {0};
  assert_null(map_find(&map, "a"));
  assert_null(map_remove(&map, "a"));
  map_clear(&map);
}

static void what_was_put_is_found_until_it_is_removed(void **state) {
  CLEANUP(map_deinit) Map map = {0};
  assert_null(map_put(&map, "a", &one));
  assert_null(map_put(&map, "", &two));
  assert_ptr_equal(map_find(&map, "a"), &one);
  assert_ptr_equal(map_find(&map, ""), &two);
  assert_ptr_equal(map_remove(&map, "a"), &one);
  assert_null(map_find(&map, "a"));
  assert_null(map_remove(&map, "a"));
  assert_int_equal(map.count, 1);
}

static void putting_again_replaces_and_returns_what_was_there(void **state) {
  CLEANUP(map_deinit) Map map = {0};
  map_put(&map, "a", &one);
  assert_ptr_equal(map_put(&map, "a", &two), &one);
  assert_ptr_equal(map_find(&map, "a"), &two);
  assert_int_equal(map.count, 1);
}

static void keys_are_copied(void **state) {
  CLEANUP(map_deinit) Map map = {0};
  char key[] = "a";
  map_put(&map, key, &one);
  key[0] = 'b';
  assert_ptr_equal(map_find(&map, "a"), &one);
  assert_null(map_find(&map, "b"));
}

/* The key is a part of the value, as in an object that knows its name. */
static void borrowed_keys_are_those_of_the_values_that_are_in(void **state) {
  CLEANUP(map_deinit) Map map = {.borrows_keys = true};
  char first[] = "same", second[] = "same", other[] = "other";
  assert_null(map_put(&map, first, first));
  assert_ptr_equal(map.entries[0].key, first);
  assert_ptr_equal(map_put(&map, second, second), first);
  first[0] = '?'; /* as good as freed */
  assert_ptr_equal(map.entries[0].key, second);
  assert_ptr_equal(map_find(&map, "same"), second);
  assert_null(map_put(&map, other, other));
  assert_ptr_equal(map_remove(&map, second), second);
  assert_ptr_equal(map_find(&map, "other"), other);
}

static void entries_come_in_the_order_of_insertion(void **state) {
  CLEANUP(map_deinit) Map map = {0};
  map_put(&map, "zebra", &one);
  map_put(&map, "ape", &two);
  map_put(&map, "zebra", &three);
  map_put(&map, "newt", &one);
  assert_string_equal(map.entries[0].key, "zebra");
  assert_string_equal(map.entries[1].key, "ape");
  assert_string_equal(map.entries[2].key, "newt");
}

static void the_last_entry_moves_into_the_gap(void **state) {
  CLEANUP(map_deinit) Map map = {0};
  map_put(&map, "a", &one);
  map_put(&map, "b", &two);
  map_put(&map, "c", &three);
  map_remove(&map, "a");
  assert_string_equal(map.entries[0].key, "c");
  assert_string_equal(map.entries[1].key, "b");
  assert_ptr_equal(map_find(&map, "c"), &three);
}

static void a_cleared_map_is_empty_and_usable(void **state) {
  CLEANUP(map_deinit) Map map = {0};
  map_put(&map, "a", &one);
  map_clear(&map);
  assert_int_equal(map.count, 0);
  assert_null(map_find(&map, "a"));
  assert_null(map_put(&map, "a", &two));
  assert_ptr_equal(map_find(&map, "a"), &two);
}

static void an_empty_map_gives_back_what_a_crowd_had(void **state) {
  enum { CROWD = 2000 };
  for (int clears = 0; clears < 2; clears++) {
    CLEANUP(map_deinit) Map map = {.borrows_keys = false};
    char key[16];
    for (int i = 0; i < CROWD; i++) {
      snprintf(key, sizeof key, "%d", i);
      map_put(&map, key, &one);
    }
    for (int i = 0; i < CROWD && !clears; i++) {
      assert_true(map.capacity >= CROWD);
      snprintf(key, sizeof key, "%d", i);
      assert_ptr_equal(map_remove(&map, key), &one);
    }
    if (clears)
      map_clear(&map);
    assert_int_equal(map.capacity, 0);
    assert_null(map_find(&map, "1"));
    assert_null(map_put(&map, "1", &two));
    assert_ptr_equal(map_find(&map, "1"), &two);
  }
}

/* The model of a map: an array indexed by the number in the key. */
static void a_map_behaves_like_its_model_under_random_use(void **state) {
  enum { KEYS = 300, STEPS = 50000 };
  static int values[KEYS];
  int *expected[KEYS] = {0};
  size_t count = 0;
  Random random = {.state = 20250105};
  print_message("# seed %llu\n", (unsigned long long)random.state);
  CLEANUP(map_deinit) Map map = {0};
  for (int step = 0; step < STEPS; step++) {
    int number = (int)random_below(&random, KEYS);
    char key[16];
    snprintf(key, sizeof key, "key-%d", number);
    assert_ptr_equal(map_find(&map, key), expected[number]);
    /* In turns mostly growing and mostly shrinking, so that chains of all lengths are cut. */
    bool grow = random_below(&random, 4) > 0;
    if (step / 2000 % 2)
      grow = !grow;
    int *value = grow ? &values[random_below(&random, KEYS)] : NULL;
    void *old = grow ? map_put(&map, key, value) : map_remove(&map, key);
    assert_ptr_equal(old, expected[number]);
    count = count + (value != NULL) - (old != NULL);
    expected[number] = value;
    assert_int_equal(map.count, count);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_empty_map_finds_and_removes_nothing),
      cmocka_unit_test(what_was_put_is_found_until_it_is_removed),
      cmocka_unit_test(putting_again_replaces_and_returns_what_was_there),
      cmocka_unit_test(keys_are_copied),
      cmocka_unit_test(borrowed_keys_are_those_of_the_values_that_are_in),
      cmocka_unit_test(entries_come_in_the_order_of_insertion),
      cmocka_unit_test(the_last_entry_moves_into_the_gap),
      cmocka_unit_test(a_cleared_map_is_empty_and_usable),
      cmocka_unit_test(an_empty_map_gives_back_what_a_crowd_had),
      cmocka_unit_test(a_map_behaves_like_its_model_under_random_use),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
