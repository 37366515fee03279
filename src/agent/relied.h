/* SPDX-License-Identifier: Apache-2.0 */
/* Slices that pods hold, and where they are: so that they can be made again at the same place when a GPU has
 * lost them - by a reboot, a reset, a driver that was loaded again, or a hand. Two witnesses: what the
 * kubelet says while the agent runs, and what the node says of the time before. Pure. */
#pragma once

#include "agent/wanted.h"
#include "base/array.h"
#include "base/map.h"

typedef struct AgentReliedSlice {
  char id[MIG_UUID_SIZE]; /* that a pod holds; "": by the node's words, from an earlier life */
  char gpu[MIG_UUID_SIZE];
  GpuPlace place;
} AgentReliedSlice;

struct AgentRelied {
  ARRAY(AgentReliedSlice) slices;
};

/* Once, at the start: what facet.gpu/status-gpu-<i> calls used, of GPUs that are still the same. */
void agent_relied_read(AgentRelied *relied, const Node *node, const GpuObservation *observation);
/* Likewise: what an earlier life had taken away for the change that it was about is part of the last good
 * layout, free slices too. */
void agent_relied_remember_good(const Node *node, const GpuObservation *observation,
                                AgentTransactions *transactions);
/* held: ids that pods hold now. */
void agent_relied_note(AgentRelied *relied, const Map *held, const GpuObservation *observation);
/* Appends what this GPU has lost; false where that is nothing. What only the node says counts less than an
 * unanswered exact wish, which is made of newer knowledge. */
bool agent_relied_find_lost(const AgentRelied *relied, const AgentWantedView *view, const GpuObserved *gpu,
                            GpuPlaces *ret_lost);
void agent_relied_deinit(AgentRelied *relied);
