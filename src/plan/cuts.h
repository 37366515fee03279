/* SPDX-License-Identifier: Apache-2.0 */
/* What one GPU can give at most, as numbers: each cut is a set of slices that no other cut contains. */
#pragma once

#include "base/intern.h"
#include "plan/realise.h"

enum {
  PLAN_AMOUNT_KINDS_MAX = 32,
  PLAN_AMOUNT_MAX = 127, /* of one kind */
  PLAN_AMOUNT_WORDS = PLAN_AMOUNT_KINDS_MAX / 8,
};

/* Slices by kind, a byte each, so that eight kinds are compared at once. */
typedef union PlanAmount {
  uint8_t of_kind[PLAN_AMOUNT_KINDS_MAX];
  uint64_t words[PLAN_AMOUNT_WORDS];
} PlanAmount;

typedef struct PlanCuts {
  ARRAY(PlanAmount) items;
  bool is_whole;   /* false: some are missing, because a GPU has more than are worth it */
  PlanAmount most; /* of each kind, whatever becomes of the others */
  int slots_most;  /* that all slices of one cut take, in the measure of PlanKind.size */
} PlanCuts;

/* GPUs that are alike share their cuts. */
typedef struct PlanCutTable {
  const PlanProblem *problem;
  PlanMeans means;
  Intern states;
  ARRAY(PlanCuts) cuts; /* by number of the state */
  int64_t steps;        /* that it took to find them, in the measure of PlanBudget */
} PlanCutTable;

/* Of the GPUs as the snapshot has them when they are asked for. By growth a cut has new slices only; by
 * withdrawal also the free ones that may go and stay. */
void plan_cut_table_init(PlanCutTable *table, const PlanProblem *problem, PlanMeans means);
void plan_cut_table_deinit(PlanCutTable *table);
/* The number of the GPU's cuts in the table. */
int plan_cut_table_find(PlanCutTable *table, int gpu);
/* Free slices of the kind on the host that are part of no cut, because they stay whatever is done. Below 0
 * where floating claims need some of those that are. */
int plan_cut_table_fixed(const PlanCutTable *table, int host, int kind);

/* Places these slices on one GPU, free ones that stay among them by withdrawal: so that the fewest go, then
 * the fewest are created, then the least worth is lost. What is created and what goes is added to the
 * packing. False where there is no place, or too many to look at. */
bool plan_cuts_place(const PlanProblem *problem, int gpu, PlanMeans means, const PlanAmount *amount,
                     PlanPacking *packing);

/* Has `a` at least as many slices of each kind? `words`: of the amounts that are used. */
static inline bool plan_amount_contains(const PlanAmount *a, const PlanAmount *b, int words) {
  const uint64_t high = UINT64_C(0x8080808080808080);
  for (int i = 0; i < words; i++)
    if ((((a->words[i] | high) - b->words[i]) & high) != high)
      return false;
  return true;
}

/* What is left of `a` without `b`, no kind below 0. */
static inline PlanAmount plan_amount_rest(const PlanAmount *a, const PlanAmount *b, int words) {
  const uint64_t high = UINT64_C(0x8080808080808080);
  PlanAmount rest = {.words = {0}};
  for (int i = 0; i < words; i++) {
    uint64_t difference = (a->words[i] | high) - b->words[i], positive = difference & high;
    rest.words[i] = difference & (positive - (positive >> 7));
  }
  return rest;
}

static inline int plan_amount_slots(const PlanAmount *amount, const PlanProblem *problem) {
  int slots = 0;
  for (size_t kind = 0; kind < problem->kinds.count; kind++)
    slots += amount->of_kind[kind] * problem->kinds.items[kind].size;
  return slots;
}
