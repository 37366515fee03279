/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/release.h"

#include "base/test.h"

static void releases_before_1_26_are_too_old(void **state) {
  assert_int_equal(release_judge("v1.25.16"), RELEASE_TOO_OLD);
  assert_int_equal(release_judge("v1.9.0"), RELEASE_TOO_OLD);
  assert_int_equal(release_judge("v0.30.0"), RELEASE_TOO_OLD);
}

static void releases_from_1_26_to_1_28_were_never_tried(void **state) {
  assert_int_equal(release_judge("v1.26.0"), RELEASE_UNTESTED);
  assert_int_equal(release_judge("v1.28.15-eks-1"), RELEASE_UNTESTED);
}

static void releases_from_1_29_on_are_good(void **state) {
  assert_int_equal(release_judge("v1.29.0"), RELEASE_GOOD);
  assert_int_equal(release_judge("v1.36.2"), RELEASE_GOOD);
  assert_int_equal(release_judge("v2.0.0"), RELEASE_GOOD);
}

static void what_is_no_version_is_not_judged(void **state) {
  assert_int_equal(release_judge(NULL), RELEASE_UNKNOWN);
  assert_int_equal(release_judge(""), RELEASE_UNKNOWN);
  assert_int_equal(release_judge("master"), RELEASE_UNKNOWN);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(releases_before_1_26_are_too_old),
      cmocka_unit_test(releases_from_1_26_to_1_28_were_never_tried),
      cmocka_unit_test(releases_from_1_29_on_are_good),
      cmocka_unit_test(what_is_no_version_is_not_judged),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
