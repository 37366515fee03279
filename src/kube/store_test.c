/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/store.h"

#include "base/test.h"

static const struct {
  const char *text;
  size_t size;
  const char *stored;
} texts[] = {
    {"", 0, ""},
    {"plain", 5, "plain"},
    {"z\xc3\xbcrich", 7, "z\xc3\xbcrich"},
    {"a\0b", 3,
     "a\xef\xbf\xbd"
     "b"},
    {"\xff", 1, "\xef\xbf\xbd"},
    {"\xc3", 1, "\xef\xbf\xbd"},
    {"\xc0\xaf", 2, "\xef\xbf\xbd\xef\xbf\xbd"}, /* overlong */
    {"\xe0\x80\xaf", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {"\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                   /* a surrogate */
    {"\xf4\x90\x80\x80!", 5, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd!"}, /* above U+10FFFF */
    {"\xf4\x8f\xbf\xbf", 4, "\xf4\x8f\xbf\xbf"},
    {"\xe2\x82\xac\xe2\x82", 5, "\xe2\x82\xac\xef\xbf\xbd\xef\xbf\xbd"},
};

static void text_that_no_string_can_hold_is_replaced(void **state) {
  CLEANUP(arena_deinit) Arena arena = {0};
  for (size_t i = 0; i < COUNT_OF(texts); i++)
    assert_string_equal(kube_store_text(&arena, texts[i].text, texts[i].size), texts[i].stored);
}

static void maps_are_sorted_and_the_last_of_equal_keys_stays(void **state) {
  KeyValue items[] = {{"b", "1"}, {"a", "2"}, {"b", "3"}, {"c", "4"}, {"a", "5"}, {"b", "6"}};
  KeyValues map = {items, COUNT_OF(items)};
  kube_store_sort(&map);
  assert_int_equal(map.count, 3);
  assert_string_equal(map.items[0].key, "a");
  assert_string_equal(map.items[0].value, "5");
  assert_string_equal(map.items[1].value, "6");
  assert_string_equal(map.items[2].value, "4");
  kube_store_sort(&map);
  assert_int_equal(map.count, 3);
}

static void lists_have_room_up_to_the_limit(void **state) {
  Error err;
  CLEANUP(arena_deinit) Arena arena = {0};
  Strings target = {0};
  KubeField field = {.name = "values", .kind = KUBE_STRINGS};
  assert_ok(kube_store_reserve(&arena, &field, &target, KUBE_ITEMS_MAX, &err));
  for (size_t i = 0; i < KUBE_ITEMS_MAX; i++)
    *(const char **)kube_store_push(&field, &target) = "x";
  assert_int_equal(target.count, KUBE_ITEMS_MAX);
  assert_fails(kube_store_reserve(&arena, &field, &target, KUBE_ITEMS_MAX + 1, &err),
               "\"values\" has 1048577 entries; at most 1048576 are read");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(text_that_no_string_can_hold_is_replaced),
      cmocka_unit_test(maps_are_sorted_and_the_last_of_equal_keys_stays),
      cmocka_unit_test(lists_have_room_up_to_the_limit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
