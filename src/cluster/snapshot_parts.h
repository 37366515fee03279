/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that build a snapshot share; nobody else includes this. */
#pragma once

#include "cluster/snapshot.h"

/* The texts are copied. */
void snapshot_warn(Snapshot *snapshot, SnapshotWarnings *warnings, const char *object, const char *text);
/* One copy of the name for the whole snapshot, so that comparing it with others reads memory that was read
 * just before. */
const char *snapshot_share_name(Snapshot *snapshot, const char *name);
/* The one copy of the layout that the snapshot has. */
const MigLayout *snapshot_share_layout(Snapshot *snapshot, const MigLayout *layout);
/* into["nvidia.com/mig-<profile>"] += count, of amounts of the node */
void snapshot_add_slices(Snapshot *snapshot, SnapshotNode *node, Resources *into, const char *profile,
                         int count);

/* Reads the node's annotations into its GPUs: gpus, managed, blocked, plans, and the MIG part of allocatable
 * and requested. name, object and allocatable are filled before. */
void node_gpus_read(Snapshot *snapshot, SnapshotNode *node, SnapshotWarnings *warnings);
/* Shows a node that is being re-cut as it will be, and blocks it; others stay as they are. The node's GPUs
 * were read, and it may change. */
void node_recut_read(Snapshot *snapshot, SnapshotNode *node);

/* All of snapshot_add_node() but the node's place: `item` is filled afresh, no pod is charged to it. `held`:
 * why it gets nothing new; NULL. */
void snapshot_read_node(Snapshot *snapshot, SnapshotNode *item, const Node *node, const char *held,
                        bool growth_only, SnapshotWarnings *warnings);
/* Says again what is brief about the GPU. */
void snapshot_brief_gpu(Snapshot *snapshot, SnapshotNode *node, int gpu);
/* Charges a pod that is on the node. */
void snapshot_charge_pod(Snapshot *snapshot, const Pod *pod, int node, int spec);

/* The number of the pod's spec, which is read where it is new, with one holder more. */
int pod_spec_hold(Snapshot *snapshot, const Pod *pod);
/* True where it was the last holder: the spec is forgotten. */
bool pod_spec_release(Snapshot *snapshot, int spec);
void pod_spec_free(SnapshotSpec *spec);
/* Another pod than before waits at this index, or none. */
void snapshot_note_pod(Snapshot *snapshot, int pod);
/* Is a node that is there nominated for the pod that waits? */
bool snapshot_is_nominated(const Snapshot *snapshot, const SnapshotPod *pod);
