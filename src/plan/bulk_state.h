/* SPDX-License-Identifier: Apache-2.0 */
/* GPUs of one shape with the same slots occupied are alike: they share a state, which knows their holes and
 * what each place for each rank costs. */
#pragma once

#include "base/array.h"
#include "base/intern.h"
#include "plan/hole.h"

typedef struct PlanWay { /* to place one slice */
  uint64_t loss;
  int before, after; /* the state that it is a way of, and the one that comes of it, -1: not known yet */
  int taken;         /* how often since somebody counted */
  uint8_t start, type;
} PlanWay;

typedef struct PlanGpuState {
  uint32_t occupied;
  int free_slots;
  PlanHoles holes;
  int first_way[PLAN_RANKS_MAX + 1]; /* of each rank in PlanStates.ways, the least loss first */
} PlanGpuState;

typedef struct PlanStates {
  const PlanGeometry *geometry;
  ARRAY(PlanGpuState) items;
  ARRAY(PlanWay) ways;
  int *direct;           /* by occupied slots: state + 1, where they are few; else NULL */
  uint32_t direct_slots; /* all of them */
  Intern others;         /* where they are many */
} PlanStates;

/* The geometry is borrowed. */
void plan_states_init(PlanStates *states, const PlanGeometry *geometry);
void plan_states_deinit(PlanStates *states);
/* The state of a GPU with these slots occupied, as an index; others move when it is a new one. */
int plan_states_find(PlanStates *states, uint32_t occupied);
/* The same, where it mostly is known already. */
static inline int plan_states_look_up(PlanStates *states, uint32_t occupied) {
  int known = states->direct ? states->direct[occupied & states->direct_slots] : 0;
  return known ? known - 1 : plan_states_find(states, occupied);
}
/* The slots that a slice of the rank takes. */
uint32_t plan_rank_slots(const PlanRank *rank, int start);
