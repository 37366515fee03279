/* SPDX-License-Identifier: Apache-2.0 */
/* What a node says in two ways, held against itself. Nothing here changes what is planned: the snapshot has
 * decided already which one counts; this tells people that there was something to decide. */
#pragma once

#include "cluster/snapshot.h"

/* Warns of labels and annotations that contradict each other, and of wishes that no GPU can fulfil. Texts
 * live in the snapshot. */
void node_check(Snapshot *snapshot, const SnapshotNode *node, SnapshotWarnings *warnings);
