/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/printable.h"

#include "base/test.h"

typedef struct Case {
  const char *text, *printable, *valid;
} Case;

static const Case cases[] = {
    {NULL, "", ""},
    {"plain", "plain", "plain"},
    {"\xe6\x97\xa5 \xc3\xa9", "\xe6\x97\xa5 \xc3\xa9", "\xe6\x97\xa5 \xc3\xa9"},
    {"a\x1b[31m\n\t\x7f", "a?[31m???", "a\x1b[31m\n\t\x7f"},
    {"C1: \xc2\x9b", "C1: ??", "C1: \xc2\x9b"},
    {"turn \xe2\x80\xae and \xe2\x81\xa6", "turn ??? and ???", "turn \xe2\x80\xae and \xe2\x81\xa6"},
    {"not turned \xe2\x80\xa6", "not turned \xe2\x80\xa6", "not turned \xe2\x80\xa6"},
    {"cut \xe6\x97", "cut \xef\xbf\xbd\xef\xbf\xbd", "cut \xef\xbf\xbd\xef\xbf\xbd"},
};

static void what_a_terminal_could_obey_becomes_a_question_mark(void **state) {
  CLEANUP(arena_deinit) Arena arena = {0};
  for (size_t i = 0; i < COUNT_OF(cases); i++)
    assert_string_equal(cli_printable(&arena, cases[i].text), cases[i].printable);
}

static void what_is_no_text_is_replaced(void **state) {
  CLEANUP(arena_deinit) Arena arena = {0};
  for (size_t i = 0; i < COUNT_OF(cases); i++)
    assert_string_equal(cli_valid(&arena, cases[i].text), cases[i].valid);
}

static void plain_text_costs_no_memory(void **state) {
  static const char text[] = "web-1";
  CLEANUP(arena_deinit) Arena arena = {0};
  assert_ptr_equal(cli_printable(&arena, text), text);
  assert_ptr_equal(cli_valid(&arena, text), text);
  assert_int_equal(arena.total, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_a_terminal_could_obey_becomes_a_question_mark),
      cmocka_unit_test(what_is_no_text_is_replaced),
      cmocka_unit_test(plain_text_costs_no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
