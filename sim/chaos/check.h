/* SPDX-License-Identifier: Apache-2.0 */
/* What must be true of a world, a file each. A checker fails with a sentence. */
#pragma once

#include "sim/chaos/world.h"

typedef enum ChaosMoment {
  CHAOS_AT_CHANGE, /* of an object or a GPU of this node; world->machine is what its GPUs are now */
  CHAOS_AT_STEP,   /* of the history, and again at the end */
  CHAOS_AT_REST,   /* some time after the storm */
} ChaosMoment;

typedef struct ChaosChecker {
  const char *name;
  ChaosMoment moment;
  int (*check)(ChaosWorld *world, int node, Error *err); /* node: CHAOS_AT_CHANGE */
} ChaosChecker;

extern const ChaosChecker chaos_checkers[];
extern const size_t chaos_checker_count;

/* Runs all of that moment; negative after the first that failed, whose name is returned as well. */
int chaos_check(ChaosWorld *world, ChaosMoment moment, int node, const char **ret_name,
                Error *err) MUST_CHECK;

int chaos_check_layouts(ChaosWorld *world, int node, Error *err) MUST_CHECK;
/* No job leaves a slice half made, unless the driver made it impossible; and then it does not stay. */
int chaos_check_halves(ChaosWorld *world, int node, Error *err) MUST_CHECK;
int chaos_check_left_halves(ChaosWorld *world, int node, Error *err) MUST_CHECK;
/* No used slice is taken away; nobody is admitted to one that does not exist. */
int chaos_check_held(ChaosWorld *world, int node, Error *err) MUST_CHECK;
/* No more is offered than there is. */
int chaos_check_offers(ChaosWorld *world, int node, Error *err) MUST_CHECK;
/* A pod is rejected at admission: whose fault is it? Asked by the world, whenever that happens. */
int chaos_check_rejection(ChaosWorld *world, const SimRejection *rejection, Error *err) MUST_CHECK;
/* Timers, requests, reservations and memory stay within bounds. */
int chaos_check_bounds(ChaosWorld *world, int node, Error *err) MUST_CHECK;
/* Of controllers that share a Lease at most one believes that it leads. */
int chaos_check_leaders(ChaosWorld *world, int node, Error *err) MUST_CHECK;
/* Nothing is half done: every plan answered, no reservation left. */
int chaos_check_rest(ChaosWorld *world, int node, Error *err) MUST_CHECK;
/* Nobody waits who could be admitted by re-cutting free slices on one node. By a rule of its own: the planner
 * is not asked. */
int chaos_check_served(ChaosWorld *world, int node, Error *err) MUST_CHECK;
/* version: of the API server's store when everything was at rest. Nothing was written since. */
int chaos_check_quiet(ChaosWorld *world, uint64_t version, Error *err) MUST_CHECK;
