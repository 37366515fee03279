/* SPDX-License-Identifier: Apache-2.0 */
/* Who decides which slices are made, and where jobs go: one file each, a row in the table of policy.c. */
#pragma once

#include "simulate/world.h"

typedef struct SimulatePolicy {
  const char *name;                           /* "first-fit" */
  const char *title;                          /* for people */
  bool knows_hardware;                        /* decides by real models: nothing for simulate/migbench.h */
  void *(*start)(const SimulateWorld *world); /* the policy's own state for one run; NULL: it has none */
  void (*stop)(void *state);
  /* Something happened: jobs arrived, ended, or the time came that the policy had named. Acts on the world;
   * returns when it wants to be asked again even if nothing happens, SIMULATE_NEVER otherwise. */
  int64_t (*decide)(void *state, SimulateWorld *world);
} SimulatePolicy;

/* facet's planner (plan/plan.h): slices stay after their job, left-over room is cut for what was asked
 * lately, free slices are withdrawn where a job needs their slots. */
extern const SimulatePolicy simulate_policy_facet;
/* Only its placement: the planner is asked for one job after the other, the oldest first, who does not fit is
 * passed by; slices are unmade behind their job. */
extern const SimulatePolicy simulate_policy_facet_fifo;
/* The same with other placements:
 * as the DRA driver's allocator, the first place that fits; */
extern const SimulatePolicy simulate_policy_first_fit;
/* the GPU that has the fewest free slots left afterwards; */
extern const SimulatePolicy simulate_policy_best_fit;
/* the GPU that has the fewest slots taken, as MIGBench takes the DRA driver to do; */
extern const SimulatePolicy simulate_policy_spread;
/* the place that makes the least of the GPU's possible places impossible, weighted by size. */
extern const SimulatePolicy simulate_policy_min_frag;
/* nos' rule: node after node, GPU after GPU, the known geometry that brings the most of what is lacking. */
extern const SimulatePolicy simulate_policy_nos;

enum { SIMULATE_POLICIES_MAX = 8 };

const SimulatePolicy *const *simulate_policies(int *ret_count);
/* "facet,first-fit", or "all". Errors begin with --policy and say what there is. */
int simulate_policies_parse(const char *text, const SimulatePolicy *ret_policies[SIMULATE_POLICIES_MAX],
                            int *ret_count, Error *err) MUST_CHECK;
