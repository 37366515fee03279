/* SPDX-License-Identifier: Apache-2.0 */
#include "base/version.h"

#include "base/test.h"

#include "base/cleanup.h"

typedef struct Case {
  const char *text;
  bool is_version;
  Version version;
} Case;

static const Case cases[] = {
    {"v1.36.2", true, {{1, 36, 2}}},
    {"v1.29.3-gke.100", true, {{1, 29, 3}}},
    {"v1.31.0+k3s1", true, {{1, 31, 0}}},
    {"470.57", true, {{470, 57, 0}}},
    {"535.161.08", true, {{535, 161, 8}}},
    {"29+", true, {{29, 0, 0}}},
    {"1.2.3.4", true, {{1, 2, 3}}},
    {"1.", true, {{1, 0, 0}}},
    {"99999", true, {{99999, 0, 0}}},
    {"100000", false, {{0}}},
    {"1.99999999999999999999", false, {{0}}},
    {"", false, {{0}}},
    {"v", false, {{0}}},
    {"latest", false, {{0}}},
    {"-1.2", false, {{0}}},
    {NULL, false, {{0}}},
};

static void numbers_are_read_and_the_rest_is_passed_over(void **state) {
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    Version version = {{7, 7, 7}};
    assert_int_equal(version_parse(cases[i].text, &version), cases[i].is_version);
    assert_int_equal(version_compare(&version, &cases[i].version), 0);
  }
}

static void the_first_part_that_differs_decides(void **state) {
  const Version old = {{1, 9, 9}}, new_ = {{1, 10, 0}};
  assert_true(version_compare(&old, &new_) < 0);
  assert_true(version_compare(&new_, &old) > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_are_read_and_the_rest_is_passed_over),
      cmocka_unit_test(the_first_part_that_differs_decides),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
