/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/chaos/check.h"

const ChaosChecker chaos_checkers[] = {
    {"layouts", CHAOS_AT_CHANGE, chaos_check_layouts},  {"held", CHAOS_AT_CHANGE, chaos_check_held},
    {"halves", CHAOS_AT_CHANGE, chaos_check_halves},    {"offers", CHAOS_AT_CHANGE, chaos_check_offers},
    {"leaders", CHAOS_AT_CHANGE, chaos_check_leaders},  {"leaders", CHAOS_AT_STEP, chaos_check_leaders},
    {"bounds", CHAOS_AT_STEP, chaos_check_bounds},      {"rest", CHAOS_AT_REST, chaos_check_rest},
    {"halves", CHAOS_AT_REST, chaos_check_left_halves}, {"served", CHAOS_AT_REST, chaos_check_served},
};

const size_t chaos_checker_count = COUNT_OF(chaos_checkers);

int chaos_check(ChaosWorld *world, ChaosMoment moment, int node, const char **ret_name, Error *err) {
  *ret_name = "machine";
  if (moment == CHAOS_AT_CHANGE &&
      sim_driver_load(world->cluster->nodes[node].driver, &world->machine, err) < 0)
    return -err->code;
  for (size_t i = 0; i < chaos_checker_count; i++) {
    const ChaosChecker *checker = &chaos_checkers[i];
    int result = checker->moment == moment ? checker->check(world, node, err) : 0;
    if (result == 0)
      continue;
    *ret_name = checker->name;
    return result;
  }
  return 0;
}
