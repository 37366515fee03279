/* SPDX-License-Identifier: Apache-2.0 */
/* What other filters ask of node affinity: spreading counts such nodes only, and volumes have terms too. */
#pragma once

#include "cluster/snapshot.h"

/* Does any of the terms match a node of this name with these labels? NULL: fields are left out of account. */
bool sched_terms_match(const NodeSelectorTerm *terms, size_t count, const KeyValues *labels,
                       const char *node_name);
/* spec.nodeSelector and the required node affinity. */
bool sched_node_is_wanted(const Pod *pod, const SnapshotNode *node);
