/* SPDX-License-Identifier: Apache-2.0 */
/* Try, then keep or drop. A draft is a fork of the snapshot in which waiting pods are served one by one; what
 * it did can be taken out as an offer, a value that is compared with others and applied to another draft. */
#pragma once

#include "plan/offer.h"

typedef enum PlanAnswer {
  PLAN_SERVED,
  PLAN_SCHEDULER_REFUSED, /* the slices would be there, but the scheduler would not put the pod on the node */
  PLAN_OTHERS_NEED_IT,    /* the places are taken, or what is reserved would not fit any more */
} PlanAnswer;

typedef struct PlanDraft {
  const PlanProblem *problem;
  size_t mark;             /* of the fork */
  int *hosts;              /* by waiting pod, -1: not served */
  bool *recuts;            /* by waiting pod: slices were withdrawn for it */
  ARRAY(PlanSlice) slices; /* placed in the fork */
  int *free;               /* free slices by host, by kind */
  bool *touched_gpus, *touched_hosts;
  ARRAY(PlanSlice) withdrawn; /* free slices that go first */
  uint32_t *withdrawn_starts; /* by GPU: where they start */
  uint32_t *versions;         /* by host: how often it was changed */
  uint32_t *openings; /* by host: how often slices were withdrawn, so that there is more room than before */
  PlanHoles *holes;   /* by pool */
  PlanAmounts *reserved;  /* by pool: slices that must stay possible */
  bool scheduler_refused; /* at least once */
  int services;           /* pods served so far */
  ARRAY(int) journal;     /* the host of each service, in their order */
  int *turns;             /* by waiting pod: how many were served before it */
} PlanDraft;

void plan_draft_init(PlanDraft *draft, const PlanProblem *problem); /* forks the snapshot */
void plan_draft_deinit(PlanDraft *draft);                           /* rolls back */

/* Free slices of a kind on a host. */
int *plan_draft_free(const PlanDraft *draft, int host, int kind);
/* Creates the slices and binds the pod, if that is what the scheduler would do and what is reserved in the
 * pools still fits; else nothing changes. */
PlanAnswer plan_draft_serve(PlanDraft *draft, int waiting, int host, const PlanSlice *slices, int count);
/* The same with all that the packing says, withdrawals included. */
PlanAnswer plan_draft_recut(PlanDraft *draft, int waiting, int host, const PlanPacking *packing);
/* Takes withdrawals back whose places nobody needed in the end. */
void plan_draft_reprieve(PlanDraft *draft);
/* Creates a slice that nobody asked for. */
void plan_draft_fill(PlanDraft *draft, int gpu, int profile, int start);

void plan_draft_get_offer(const PlanDraft *draft, PlanOffer *ret_offer);
/* Serves what the offer serves of the waiting pods from first to end; what turns out to be impossible is left
 * out. */
void plan_draft_apply(PlanDraft *draft, const PlanOffer *offer, size_t first, size_t end);
