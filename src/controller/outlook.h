/* SPDX-License-Identifier: Apache-2.0 */
/* What the log says of a cluster on which nothing will happen, and of nodes that are left alone by mistake.
 */
#pragma once

#include "base/log_gate.h"
#include "cluster/object.h"
#include "kube/informer.h"

/* A node came or changed (old NULL: it came). */
void controller_outlook_note_node(LogGate *gate, uint64_t now_ms, const Node *old, const Node *new_);
/* All nodes are here. */
void controller_outlook_note_synced(const KubeInformer *nodes);
