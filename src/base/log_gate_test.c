/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "base/log_gate.h"

#include <stdio.h>

enum { BEGIN_MS = 1000000 };

static void assert_passes(LogGate *gate, const char *text, uint64_t now_ms, uint32_t expected_held_back) {
  uint32_t held_back = UINT32_MAX;
  assert_true(log_gate_pass(gate, text, now_ms, &held_back));
  assert_int_equal(held_back, expected_held_back);
}

static void assert_held_back(LogGate *gate, const char *text, uint64_t now_ms) {
  uint32_t held_back = 12345;
  assert_false(log_gate_pass(gate, text, now_ms, &held_back));
  assert_int_equal(held_back, 12345);
}

static void the_first_of_a_text_passes_also_at_time_zero(void **state) {
  LogGate gate = {0};
  assert_passes(&gate, "no route", 0, 0);
  assert_held_back(&gate, "no route", 1);
  assert_passes(&gate, "", 1, 0);
}

static void the_same_text_passes_once_a_minute_and_says_how_often_it_did_not(void **state) {
  LogGate gate = {0};
  assert_passes(&gate, "no route", BEGIN_MS, 0);
  assert_held_back(&gate, "no route", BEGIN_MS);
  assert_held_back(&gate, "no route", BEGIN_MS + LOG_GATE_MS - 1);
  assert_passes(&gate, "no route", BEGIN_MS + LOG_GATE_MS, 2);
  assert_held_back(&gate, "no route", BEGIN_MS + LOG_GATE_MS + 1);
  assert_passes(&gate, "no route", BEGIN_MS + 2 * LOG_GATE_MS, 1);
}

static void texts_that_alternate_do_not_open_the_gate_for_each_other(void **state) {
  LogGate gate = {0};
  assert_passes(&gate, "no route", BEGIN_MS, 0);
  assert_passes(&gate, "refused", BEGIN_MS, 0);
  for (int i = 1; i < 100; i++) {
    assert_held_back(&gate, "no route", BEGIN_MS + (uint64_t)i);
    assert_held_back(&gate, "refused", BEGIN_MS + (uint64_t)i);
  }
}

static void ten_thousand_different_texts_are_a_bounded_number_of_lines_a_minute(void **state) {
  LogGate gate = {0};
  uint32_t passed = 0, held_back = 0, told = 0;
  for (int i = 0; i < 10000; i++) {
    char text[32];
    snprintf(text, sizeof text, "pod-%d is gone", i);
    passed += log_gate_pass(&gate, text, BEGIN_MS + (uint64_t)i, &held_back);
  }
  assert_int_equal(passed, LOG_GATE_TEXTS_MAX);
  assert_true(log_gate_pass(&gate, "another", BEGIN_MS + LOG_GATE_MS, &told));
  assert_int_equal(told, 10000 - LOG_GATE_TEXTS_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_first_of_a_text_passes_also_at_time_zero),
      cmocka_unit_test(the_same_text_passes_once_a_minute_and_says_how_often_it_did_not),
      cmocka_unit_test(texts_that_alternate_do_not_open_the_gate_for_each_other),
      cmocka_unit_test(ten_thousand_different_texts_are_a_bounded_number_of_lines_a_minute),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
