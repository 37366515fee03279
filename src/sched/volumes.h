/* SPDX-License-Identifier: Apache-2.0 */
/* Where the volumes of a pod may be: its claims with the objects behind them, looked up once per waiting pod.
 * What is unknown is a refusal that names it, never a guess. Space on storage back-ends (CSIStorageCapacity)
 * and the number of volumes a node can attach (CSINode) stand in no dump and are left to the scheduler. */
#pragma once

#include "base/text.h"
#include "cluster/snapshot.h"

enum { SCHED_ZONE_LABELS = 4 };
extern const char *const sched_zone_labels[SCHED_ZONE_LABELS];

typedef struct SchedClaimUsers { /* the pods that use one claim */
  int waiting;                   /* how many wait for a node, those of the fork included */
  int on_nodes;                  /* how many are on nodes, those of the fork included */
  int in_fork;                   /* of these, how many are in the fork */
  int node;                      /* of one in the fork; -1: there is none */
} SchedClaimUsers;

typedef struct SchedClaim {
  const PersistentVolumeClaim *object;
  SchedClaimUsers *users;
  const PersistentVolume *volume; /* NULL: not bound yet, or not there */
  const StorageClass *class_;     /* of unbound ones: waits for the first pod that uses it */
  const char *selected_node;      /* of unbound ones: where it is being made; NULL: open */
  bool is_bound;
  bool is_ephemeral;
  bool is_alone;   /* ReadWriteOncePod: one pod at a time */
  bool has_choice; /* unbound, and there are volumes of its class */
} SchedClaim;

typedef struct SchedPodVolumes {
  SchedClaim *claims;
  int claim_count;
  const char *plugin; /* that refuses the pod on every node; NULL: none does */
  const char *reason;
  bool is_coupled; /* the answer depends on which pods are placed before this one */
} SchedPodVolumes;

typedef struct SchedVolumes {
  Arena arena;
  Snapshot *snapshot;
  SchedPodVolumes **pods;          /* by waiting pod; NULL: has no claims */
  Map users;                       /* "namespace/name" of claims that waiting pods use -> SchedClaimUsers */
  const PersistentVolume **sorted; /* all of them, the smallest first, then by name */
  size_t sorted_count;
  ARRAY(const PersistentVolume *) chosen; /* by pods of the fork, in the order of binding */
  ARRAY(int) chosen_counts;               /* how many each of them chose */
} SchedVolumes;

/* NULL where the snapshot does not know volumes, or no waiting pod has a claim. */
SchedVolumes *sched_volumes_new(Snapshot *snapshot);
void sched_volumes_free(SchedVolumes *volumes);
/* A pod was bound in the fork, or taken off again. */
void sched_volumes_on_bind(SchedVolumes *volumes, int pod, int node, int sign);

/* As far as the pod alone decides: VolumeRestrictions, VolumeBinding or VolumeZone refuses it everywhere. */
bool sched_volumes_are_known(const SchedVolumes *volumes, int pod, const char **ret_plugin, char *ret_reason,
                             size_t size);
bool sched_volume_restrictions(const SchedVolumes *volumes, int pod, int node, char *ret_reason, size_t size);
bool sched_volume_binding(const SchedVolumes *volumes, int pod, int node, char *ret_reason, size_t size);
bool sched_volume_zone(const SchedVolumes *volumes, int pod, int node, char *ret_reason, size_t size);
/* The volumes that the pod's unbound claims would be bound to on this node, in ret_chosen (room for one per
 * claim; may be NULL); returns how many, or -1 where the node cannot serve one of them. */
int sched_volumes_choose(const SchedVolumes *volumes, int pod, int node, const PersistentVolume **ret_chosen);
const char *sched_claim_class_name(const PersistentVolumeClaim *claim);
const char *sched_volume_class_name(const PersistentVolume *volume);
int64_t sched_storage_amount(const ResourceTexts *texts);
/* For the key of the pod's class: equal where the filters cannot tell two pods apart. */
void sched_volumes_add_key(const SchedVolumes *volumes, int pod, Text *key);
