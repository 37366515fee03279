/* SPDX-License-Identifier: Apache-2.0 */
/* Of a node's annotations what the controller needs, in little memory. Those of a node with eight GPUs are
 * mostly UUIDs, in texts that no other node has, and nos' counts, which say again what the exact status says:
 *
 *     facet.gpu/gpu-0       "GPU-8a2b6f0e-... NVIDIA-A30 mig=on"  ->  "NVIDIA-A30 mig=on"
 *     facet.gpu/spec-gpu-0  "GPU-8a2b6f0e-... 1g.6gb@0"           ->  "1g.6gb@0"
 *     Node.gpu_uuids                                                  {0, 8a2b6f0e...}
 *
 * What is left is the same on many nodes. Whoever reads these two annotations asks here, for nodes that were
 * trimmed and for those that were not. */
#pragma once

#include "base/arena.h"
#include "cluster/object.h"
#include "mig/contract.h"

/* Trims a node (Node); memory from the arena. Out go annotations that are neither facet's nor nos', and
 * counts of slices on a GPU whose exact status is there. */
void node_trim(void *node, Arena *arena);

/* What the node has there, of the text that is left; in `room` where that is less. */
const char *node_whole_identity(const Node *node, int index, const char *text,
                                char room[MIG_IDENTITY_TEXT_SIZE]);
/* facet.gpu/gpu-<i> as the node has it, in `room` where it was trimmed; NULL: absent. */
const char *node_find_identity(const Node *node, int index, char room[MIG_IDENTITY_TEXT_SIZE]);
/* facet.gpu/spec-gpu-<i>; the same. */
const char *node_find_spec(const Node *node, int index, char room[MIG_SPEC_TEXT_SIZE]);
