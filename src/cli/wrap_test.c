/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/wrap.h"

#include "base/test.h"

static void assert_wrapped(const char *text, int columns, const char *expected) {
  CLEANUP(text_deinit) Text out = {0};
  cli_wrap(text, columns, &out);
  assert_string_equal(text_string(&out), expected);
}

static void lines_that_fit_stay(void **state) {
  assert_wrapped("1234567890 1234567890 1234567890 123456", 40, "1234567890 1234567890 1234567890 123456");
  assert_wrapped("1234567890 1234567890 1234567890 1234567\n", 40,
                 "1234567890 1234567890 1234567890 1234567\n");
  assert_wrapped("", 40, "");
  assert_wrapped("a\n\nb\n", 40, "a\n\nb\n");
}

static void words_go_on_below_further_in(void **state) {
  assert_wrapped("  GPU 0 A100-80GB: 7g.80gb needs all slots: 3g.40gb@4 is held by ml/notebook\nnext\n", 40,
                 "  GPU 0 A100-80GB: 7g.80gb needs all\n"
                 "      slots: 3g.40gb@4 is held by\n"
                 "      ml/notebook\n"
                 "next\n");
}

static void a_word_that_is_longer_than_the_line_is_not_cut(void **state) {
  assert_wrapped("a 1234567890123456789012345678901234567890123 b", 40,
                 "a 1234567890123456789012345678901234567890123\n    b");
}

static void columns_are_counted_not_bytes(void **state) {
  assert_wrapped("ääääääääää ääääääääää ääääääääää äääääää", 40, "ääääääääää ääääääääää ääääääääää äääääää");
}

static void commands_and_drawings_stay_whole(void **state) {
  const char *drawing = "  |2g.20gb new      |1g.10gb+|   .    |   .    |   .    |   .    |   .    |\n";
  assert_wrapped(drawing, 40, drawing);
  const char *command = "    $ kubectl label node gpu-1 --overwrite nos.nebuly.com/gpu-partitioning=mig\n";
  assert_wrapped(command, 40, command);
}

static void without_a_width_nothing_is_broken(void **state) {
  const char *text = "1234567890 1234567890 1234567890 1234567890 1234567890\n";
  assert_wrapped(text, 0, text);
  assert_wrapped(text, CLI_WRAP_COLUMNS_MIN - 1, text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lines_that_fit_stay),
      cmocka_unit_test(words_go_on_below_further_in),
      cmocka_unit_test(a_word_that_is_longer_than_the_line_is_not_cut),
      cmocka_unit_test(columns_are_counted_not_bytes),
      cmocka_unit_test(commands_and_drawings_stay_whole),
      cmocka_unit_test(without_a_width_nothing_is_broken),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
