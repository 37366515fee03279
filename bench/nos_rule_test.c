/* SPDX-License-Identifier: Apache-2.0 */
/* The rule beside nos 12e0a72 itself, as measured: eight A100-80GB per node, five pods of 1g.10gb to three of
 * 2g.20gb and two of 3g.40gb, room for all. */
#include "nos_rule.h"

#include "base/memory.h"
#include "base/test.h"

static NosResult plan(int nodes, int pods) {
  CLEANUP(cleanup_free) uint8_t *profiles = mem_alloc((size_t)pods);
  for (int i = 0; i < pods; i++)
    profiles[i] = i < pods / 2 ? 0 : i < pods * 8 / 10 ? 1 : 2;
  return nos_rule_plan(nodes, profiles, pods);
}

static void as_many_pods_as_measured_get_a_slice(void **state) {
  static const struct {
    int nodes, pods, least, most;
  } measured[] = {{10, 100, 100, 100}, {10, 300, 150, 150}, {20, 200, 161, 165},
                  {40, 400, 200, 200}, {80, 800, 400, 400}, {160, 1600, 800, 800}};
  for (size_t i = 0; i < COUNT_OF(measured); i++) {
    NosResult result = plan(measured[i].nodes, measured[i].pods);
    /* Of geometries that are equally good nos takes any, the rule the first: one pod more or less. */
    int slack = measured[i].least < measured[i].most;
    assert_in_range(result.admitted, measured[i].least - slack, measured[i].most + slack);
  }
}

static void the_smallest_profile_swallows_the_plan(void **state) {
  assert_int_equal(plan(40, 400).added,
                   2240); /* 40 nodes, 8 GPUs, 7 slices of 1g.10gb each; 200 were asked */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(as_many_pods_as_measured_get_a_slice),
      cmocka_unit_test(the_smallest_profile_swallows_the_plan),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
