/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "cluster/resources.h"
#include "cluster/test_objects.h"

static void assert_sorted(const Resources *resources) {
  for (size_t i = 1; i < resources->count; i++)
    assert_true(strcmp(resources->items[i - 1].name, resources->items[i].name) < 0);
}

static void a_list_is_parsed_in_the_scale_of_each_resource(void **state) {
  CLEANUP(arena_deinit) Arena arena = {0};
  ResourceTexts texts = LIST_OF(ResourceText, {"memory", "1Gi"}, {"cpu", "1500m"}, {"pods", "110"});
  Resources resources;
  Error err;
  assert_ok(resources_parse(&texts, &arena, &resources, &err));
  assert_int_equal(resources.count, 3);
  assert_int_equal(resources_get(&resources, "cpu"), 1500);
  assert_int_equal(resources_get(&resources, "memory"), 1 << 30);
  assert_int_equal(resources_get(&resources, "pods"), 110);
  assert_sorted(&resources);
}

static void an_absent_resource_is_zero(void **state) {
  CLEANUP(arena_deinit) Arena arena = {0};
  Resources resources = {0};
  assert_int_equal(resources_get(&resources, "cpu"), 0);
  assert_false(resources_has(&resources, "cpu"));
  resources_set(&resources, "cpu", 0, &arena);
  assert_true(resources_has(&resources, "cpu"));
}

static void a_bad_quantity_is_reported_with_its_resource(void **state) {
  CLEANUP(arena_deinit) Arena arena = {0};
  Resources resources;
  Error err;
  ResourceTexts bad = LIST_OF(ResourceText, {"cpu", "1"}, {"memory", "much"});
  assert_fails(resources_parse(&bad, &arena, &resources, &err),
               "memory: \"much\" is not a quantity such as 500m, 4 or 2Gi");
  ResourceTexts null = LIST_OF(ResourceText, {"cpu", NULL});
  assert_fails(resources_parse(&null, &arena, &resources, &err),
               "cpu: \"\" is not a quantity such as 500m, 4 or 2Gi");
}

static void the_number_of_resources_is_limited(void **state) {
  CLEANUP(arena_deinit) Arena arena = {0};
  ResourceText items[RESOURCES_MAX + 1];
  for (int i = 0; i <= RESOURCES_MAX; i++)
    items[i] = (ResourceText){arena_format(&arena, "example.com/%d", i), "1"};
  ResourceTexts texts = {.items = items, .count = RESOURCES_MAX};
  Resources resources;
  Error err;
  assert_ok(resources_parse(&texts, &arena, &resources, &err));
  assert_int_equal(resources.count, RESOURCES_MAX);
  assert_sorted(&resources);
  texts.count++;
  assert_fails(resources_parse(&texts, &arena, &resources, &err),
               "257 resources are listed, more than the limit of 256");
}

static void lists_are_added_and_subtracted_by_name(void **state) {
  CLEANUP(arena_deinit) Arena arena = {0};
  Resources into = {0};
  Resources what = LIST_OF(Resource, {"b", 2}, {"d", 4});
  resources_set(&into, "c", 3, &arena);
  resources_set(&into, "b", 10, &arena);
  resources_add(&into, &what, 1, &arena);
  assert_int_equal(resources_get(&into, "b"), 12);
  assert_int_equal(resources_get(&into, "c"), 3);
  assert_int_equal(resources_get(&into, "d"), 4);
  resources_add(&into, &what, -1, &arena);
  assert_int_equal(resources_get(&into, "b"), 10);
  assert_int_equal(resources_get(&into, "d"), 0);
  assert_sorted(&into);
}

static void sums_saturate(void **state) {
  CLEANUP(arena_deinit) Arena arena = {0};
  Resources into = {0};
  Resources huge = LIST_OF(Resource, {"memory", INT64_MAX});
  Resources lowest = LIST_OF(Resource, {"memory", INT64_MIN});
  resources_add(&into, &huge, 1, &arena);
  resources_add(&into, &huge, 1, &arena);
  assert_int_equal(resources_get(&into, "memory"), INT64_MAX);
  resources_set(&into, "memory", -2, &arena);
  resources_add(&into, &lowest, 1, &arena);
  assert_int_equal(resources_get(&into, "memory"), INT64_MIN);
  resources_set(&into, "memory", 5, &arena);
  resources_add(&into, &lowest, -1, &arena);
  assert_int_equal(resources_get(&into, "memory"), INT64_MAX);
}

static void the_maximum_is_taken_name_by_name(void **state) {
  CLEANUP(arena_deinit) Arena arena = {0};
  Resources into = {0};
  resources_set(&into, "a", 1, &arena);
  resources_set(&into, "b", 5, &arena);
  Resources what = LIST_OF(Resource, {"a", 3}, {"b", 4}, {"c", -1});
  resources_max(&into, &what, &arena);
  assert_int_equal(resources_get(&into, "a"), 3);
  assert_int_equal(resources_get(&into, "b"), 5);
  assert_int_equal(resources_get(&into, "c"), -1);
}

static void a_literal_list_can_grow(void **state) {
  CLEANUP(arena_deinit) Arena arena = {0};
  Resources into = LIST_OF(Resource, {"b", 1}, {"d", 2});
  static const char *const names[] = {"a", "c", "e", "f", "g", "h"};
  for (size_t i = 0; i < COUNT_OF(names); i++)
    resources_set(&into, names[i], (int64_t)i, &arena);
  assert_int_equal(into.count, 8);
  assert_int_equal(resources_get(&into, "d"), 2);
  assert_sorted(&into);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_list_is_parsed_in_the_scale_of_each_resource),
      cmocka_unit_test(an_absent_resource_is_zero),
      cmocka_unit_test(a_bad_quantity_is_reported_with_its_resource),
      cmocka_unit_test(the_number_of_resources_is_limited),
      cmocka_unit_test(lists_are_added_and_subtracted_by_name),
      cmocka_unit_test(sums_saturate),
      cmocka_unit_test(the_maximum_is_taken_name_by_name),
      cmocka_unit_test(a_literal_list_can_grow),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
