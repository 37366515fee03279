/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include "base/test.h"

static void a_text_of_zeroes_is_empty(void **state) {
  CLEANUP(text_deinit) Text text = {0};
  assert_string_equal(text_string(&text), "");
  text_clear(&text);
  text_drop_front(&text, 3);
  text_append(&text, "");
  assert_int_equal(text.size, 0);
  assert_string_equal(text_string(&text), "");
}

static void pieces_are_appended_in_order(void **state) {
  CLEANUP(text_deinit) Text text = {0};
  text_append(&text, "one");
  text_append_bytes(&text, " two!", 4);
  text_format(&text, " %d-%s", 3, "three");
  assert_string_equal(text_string(&text), "one two 3-three");
  assert_int_equal(text.size, strlen("one two 3-three"));
}

static void numbers_are_written_in_decimal(void **state) {
  CLEANUP(text_deinit) Text text = {0};
  text_append_number(&text, 0);
  text_append(&text, " ");
  text_append_number(&text, 1020);
  text_append(&text, " ");
  text_append_number(&text, UINT64_MAX);
  assert_string_equal(text_string(&text), "0 1020 18446744073709551615");
}

/* Whether it fits into the room that is left, or not. */
static void what_is_formatted_may_have_any_length(void **state) {
  static const char digits[] = "0123456789012345678901234567890123456789012345678901234567890123456789";
  for (int before = 0; before < 70; before++)
    for (int size = 0; size < 70; size++) {
      CLEANUP(text_deinit) Text text = {0};
      text_append_bytes(&text, digits, (size_t)before);
      text_format(&text, "<%.*s>", size, digits);
      assert_int_equal(text.size, before + size + 2);
      assert_memory_equal(text.bytes, digits, (size_t)before);
      assert_int_equal(text.bytes[before], '<');
      assert_memory_equal(text.bytes + before + 1, digits, (size_t)size);
      assert_string_equal(text.bytes + before + 1 + size, ">");
    }
}

static void items_are_parted_and_empty_ones_left_out(void **state) {
  CLEANUP(text_deinit) Text text = {0};
  text_append_item(&text, "; ", NULL);
  text_append_item(&text, "; ", "");
  assert_string_equal(text_string(&text), "");
  text_append_item(&text, "; ", "a");
  text_append_item(&text, "; ", "");
  text_append_item(&text, "; ", "b");
  assert_string_equal(text_string(&text), "a; b");
}

static void bytes_may_hold_zeroes(void **state) {
  CLEANUP(text_deinit) Text text = {0};
  text_append_bytes(&text, "a\0b", 3);
  assert_int_equal(text.size, 3);
  assert_memory_equal(text.bytes, "a\0b", 4);
}

static void a_text_grows_over_every_size_and_stays_terminated(void **state) {
  CLEANUP(text_deinit) Text text = {0};
  for (size_t i = 0; i < 1000; i++) {
    assert_int_equal(text.size, i);
    text_append(&text, "x");
    assert_true(text.size < text.capacity);
    assert_int_equal(text.bytes[text.size], '\0');
  }
  for (int size = 0; size < 300; size++) {
    CLEANUP(text_deinit) Text formatted = {0};
    text_format(&formatted, "%*s", size, "");
    assert_int_equal(strlen(text_string(&formatted)), size);
  }
}

static void dropping_the_front_keeps_the_rest(void **state) {
  CLEANUP(text_deinit) Text text = {0};
  text_append(&text, "0123456789");
  text_drop_front(&text, 0);
  assert_string_equal(text_string(&text), "0123456789");
  text_drop_front(&text, 4);
  assert_string_equal(text_string(&text), "456789");
  text_drop_front(&text, 5);
  assert_string_equal(text_string(&text), "9");
  text_drop_front(&text, 1);
  assert_string_equal(text_string(&text), "");
  text_append(&text, "again");
  text_drop_front(&text, 100);
  assert_int_equal(text.size, 0);
}

static void a_taken_text_belongs_to_the_taker(void **state) {
  CLEANUP(text_deinit) Text text = {0};
  text_append(&text, "mine");
  CLEANUP(cleanup_free) char *taken = text_take(&text);
  assert_string_equal(taken, "mine");
  assert_string_equal(text_string(&text), "");
  CLEANUP(cleanup_free) char *nothing = text_take(&text);
  assert_string_equal(nothing, "");
}

static void json_strings_are_quoted_and_escaped(void **state) {
  static const struct {
    const char *string, *json;
  } cases[] = {
      {"", "\"\""},
      {"plain", "\"plain\""},
      {"\"\\", "\"\\\"\\\\\""},
      {"a\nb\t\x01\x1f", "\"a\\u000ab\\u0009\\u0001\\u001f\""},
      {"\x7f/\xc3\xa9", "\"\x7f/\xc3\xa9\""},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    CLEANUP(text_deinit) Text text = {0};
    text_append_json(&text, cases[i].string);
    assert_string_equal(text_string(&text), cases[i].json);
  }
}

static void a_string_knows_its_ends(void **state) {
  assert_true(string_has_prefix("1g.10gb", "1g."));
  assert_true(string_has_prefix("1g", ""));
  assert_false(string_has_prefix("1g", "1g."));
  assert_true(string_has_suffix("1g.10gb+me", "+me"));
  assert_true(string_has_suffix("1g", ""));
  assert_false(string_has_suffix("me", "+me"));
}

static void equality_knows_absence(void **state) {
  assert_true(string_equal("a", "a"));
  assert_false(string_equal("a", "b"));
  assert_false(string_equal("", NULL));
  assert_false(string_equal(NULL, ""));
  assert_true(string_equal(NULL, NULL));
  assert_string_equal(string_or_empty(NULL), "");
  assert_string_equal(string_or_empty("a"), "a");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_text_of_zeroes_is_empty),
      cmocka_unit_test(pieces_are_appended_in_order),
      cmocka_unit_test(numbers_are_written_in_decimal),
      cmocka_unit_test(what_is_formatted_may_have_any_length),
      cmocka_unit_test(items_are_parted_and_empty_ones_left_out),
      cmocka_unit_test(bytes_may_hold_zeroes),
      cmocka_unit_test(a_text_grows_over_every_size_and_stays_terminated),
      cmocka_unit_test(dropping_the_front_keeps_the_rest),
      cmocka_unit_test(a_taken_text_belongs_to_the_taker),
      cmocka_unit_test(json_strings_are_quoted_and_escaped),
      cmocka_unit_test(a_string_knows_its_ends),
      cmocka_unit_test(equality_knows_absence),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
