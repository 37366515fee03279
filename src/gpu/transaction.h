/* SPDX-License-Identifier: Apache-2.0 */
/* One GPU's way from the layout that it has to the one that is wanted: the smallest set of destructions and
 * creations, destructions first, each with an explicit placement and judged by what the driver shows
 * afterwards. Pure: it says what the next job is, and is told what came of it.
 *
 *     FORWARD --everything wanted exists--> DONE
 *        |
 *        | a step failed for good
 *        v
 *     UNDOING --the last good layout is back, as far as it can be--> UNDONE
 *
 * The last good layout are the whole slices that were there when it began. Where nothing was destroyed yet
 * there is nothing to bring back: what was created is whole and wanted and stays, the slice that failed is
 * left out, and the others follow - unless it is all or nothing.
 *
 * It remembers nothing that the next life would need: killed at any instant, a new transaction for the same
 * goal goes on from what the driver shows. */
#pragma once

#include "gpu/observed.h"

enum { GPU_TRANSACTION_TRIES_MAX = 3 /* of one step, where the worker died or hung */ };

typedef enum GpuTransactionState {
  GPU_TRANSACTION_NONE, /* zeroed: not begun */
  GPU_TRANSACTION_FORWARD,
  GPU_TRANSACTION_DONE,
  GPU_TRANSACTION_UNDOING,
  GPU_TRANSACTION_UNDONE,
} GpuTransactionState;

typedef struct GpuTransaction {
  GpuTransactionState state;
  char uuid[MIG_UUID_SIZE]; /* of the GPU */
  int gpu;                  /* its index, for messages */
  GpuPlaces good;           /* the last good layout */
  GpuPlaces failed;         /* not tried again on this way */
  bool is_all_or_nothing;   /* one failure undoes everything */
  bool has_destroyed;
  int tries;                         /* of the present step, that the worker did not survive */
  int blocked;                       /* wanted slices that had no room when it was last asked */
  int lost;                          /* slices of the last good layout that could not be brought back */
  char reason[ERROR_TEXT_SIZE];      /* "" or why a step failed for good, with the step */
  char undo_reason[ERROR_TEXT_SIZE]; /* "" or the same of the undoing */
} GpuTransaction;

void gpu_transaction_begin(GpuTransaction *transaction, const GpuObserved *gpu, bool is_all_or_nothing);
/* A slice that is known to have been there when an earlier life began the same change. */
void gpu_transaction_add_good(GpuTransaction *transaction, GpuPlace place);

/* May this instance, which the layout that is aimed at leaves out, be destroyed now? Used and kept ones never
 * may. */
typedef bool GpuMayDestroy(void *userdata, const GpuObserved *gpu, const GpuInstance *instance);

typedef enum GpuStep {
  GPU_STEP_JOB,     /* ret_job is next; gpu_transaction_note() when it is over */
  GPU_STEP_BLOCKED, /* wanted slices wait for room that may not be made now */
  GPU_STEP_OVER,    /* nothing to do: DONE or UNDONE */
} GpuStep;

/* goal: the whole layout that is wanted, in the order of creation. It may change from call to call. */
GpuStep gpu_transaction_next(GpuTransaction *transaction, const GpuObserved *gpu, const GpuPlaces *goal,
                             GpuMayDestroy *may_destroy, void *userdata, GpuJob *ret_job);

/* What came of the job, by the driver's words and by a fresh look at the GPU (NULL: there is none, and the
 * next one decides). profile: the name of the job's, for messages. Returns 0 where the step did what it
 * should, positive GPU_TRANSACTION_AGAIN where it is to be tried again, and the error where it failed for
 * good. */
enum { GPU_TRANSACTION_AGAIN = 1 };
int gpu_transaction_note(GpuTransaction *transaction, const GpuJob *job, const char *profile,
                         const GpuObserved *gpu, const Error *result, Error *err) MUST_CHECK;

/* Neither failed nor undone. */
bool gpu_transaction_is_sound(const GpuTransaction *transaction);
/* One sentence for an operator, or "" where nothing failed. */
void gpu_transaction_format(const GpuTransaction *transaction, char *ret_text, size_t size);
