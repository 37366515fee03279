/* SPDX-License-Identifier: Apache-2.0 */
/* Halves of slices that stay although the change is over that left them: the driver refused to complete and
 * to remove them. What failed is not tried again for the same plan (gpu/transaction.h). A half is: by itself,
 * when there is nothing else to do, after longer and longer waits. Pure. */
#pragma once

#include "agent/wanted.h"
#include "base/array.h"
#include "base/text.h"

enum { AGENT_HALF_FIRST_MS = 30000, AGENT_HALF_MOST_MS = 600000 };

typedef struct AgentHalf {
  char gpu_uuid[MIG_UUID_SIZE];
  GpuPlace place;
  int gpu; /* its index, for messages */
  char profile[MIG_PROFILE_NAME_SIZE];
  uint32_t delay_ms; /* the last wait */
  uint64_t at_ms;    /* the next try */
  bool is_there;     /* when it was last looked for */
} AgentHalf;

typedef struct AgentHalves {
  ARRAY(AgentHalf) items;
} AgentHalves;

/* Looks which halves have been given up by the GPUs' transactions, and forgets those that are gone. Returns
 * the one that is to be tried now, whose next wait begins; NULL: none. Lent until the next call. */
const AgentHalf *agent_halves_next(AgentHalves *halves, const AgentWantedView *view,
                                   AgentTransactions *transactions);
void agent_halves_set_job(const AgentHalf *half, GpuJob *ret_job);
/* Appends a sentence for each, parted by "; ". */
void agent_halves_append(const AgentHalves *halves, Text *text);
void agent_halves_deinit(AgentHalves *halves);
