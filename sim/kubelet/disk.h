/* SPDX-License-Identifier: Apache-2.0 */
/* What outlives a kubelet: its checkpoint of who holds which partitions. A SimDisk of zeroes is that of a new
 * node. */
#pragma once

#include "base/arena.h"
#include "base/array.h"
#include "base/map.h"
#include "cluster/object.h"

/* What one container holds of one resource. */
typedef struct SimHeld {
  Arena arena; /* owns the strings */
  const char *uid, *namespace_, *pod, *container, *resource;
  Strings ids;
  bool is_answered; /* by Allocate */
  KeyValues envs;   /* what it gave the container */
} SimHeld;

typedef struct SimDisk {
  ARRAY(SimHeld *) held;
  Map registered; /* resources that a plugin ever registered */
} SimDisk;

void sim_disk_deinit(SimDisk *disk); /* a cleanup function as it is */
/* Adds a copy of the owner's texts; ids and envs are the caller's to set, in its arena. */
SimHeld *sim_disk_add(SimDisk *disk, const SimHeld *owner);
SimHeld *sim_disk_find(const SimDisk *disk, const char *uid, const char *container, const char *resource);
bool sim_disk_is_taken(const SimDisk *disk, const char *resource, const char *id);
/* Everything of the pod. */
void sim_disk_release(SimDisk *disk, const char *uid);
/* What Allocate had not answered yet when the kubelet died: the checkpoint is written after the answer. */
void sim_disk_forget_unanswered(SimDisk *disk);
/* An environment variable of the pod's first container that has it, or NULL. */
const char *sim_disk_find_env(const SimDisk *disk, const char *uid, const char *name);
