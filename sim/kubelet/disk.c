/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/kubelet/disk.h"

static void drop(SimDisk *disk, size_t i) {
  SimHeld *held = disk->held.items[i];
  array_remove(&disk->held, i);
  Arena arena = held->arena;
  arena_deinit(&arena);
  free(held);
}

void sim_disk_deinit(SimDisk *disk) {
  while (disk->held.count)
    drop(disk, disk->held.count - 1);
  array_deinit(&disk->held);
  map_deinit(&disk->registered);
}

SimHeld *sim_disk_add(SimDisk *disk, const SimHeld *owner) {
  SimHeld *held = mem_alloc(sizeof *held);
  held->uid = arena_strdup(&held->arena, owner->uid);
  held->namespace_ = arena_strdup(&held->arena, owner->namespace_);
  held->pod = arena_strdup(&held->arena, owner->pod);
  held->container = arena_strdup(&held->arena, owner->container);
  held->resource = arena_strdup(&held->arena, owner->resource);
  *array_push(&disk->held) = held;
  return held;
}

SimHeld *sim_disk_find(const SimDisk *disk, const char *uid, const char *container, const char *resource) {
  for (size_t i = 0; i < disk->held.count; i++) {
    SimHeld *held = disk->held.items[i];
    if (strcmp(held->uid, uid) == 0 && strcmp(held->container, container) == 0 &&
        strcmp(held->resource, resource) == 0)
      return held;
  }
  return NULL;
}

bool sim_disk_is_taken(const SimDisk *disk, const char *resource, const char *id) {
  for (size_t i = 0; i < disk->held.count; i++) {
    const SimHeld *held = disk->held.items[i];
    for (size_t k = 0; strcmp(held->resource, resource) == 0 && k < held->ids.count; k++)
      if (strcmp(held->ids.items[k], id) == 0)
        return true;
  }
  return false;
}

void sim_disk_release(SimDisk *disk, const char *uid) {
  for (size_t i = disk->held.count; i-- > 0;)
    if (strcmp(disk->held.items[i]->uid, uid) == 0)
      drop(disk, i);
}

void sim_disk_forget_unanswered(SimDisk *disk) {
  for (size_t i = disk->held.count; i-- > 0;)
    if (!disk->held.items[i]->is_answered)
      drop(disk, i);
}

const char *sim_disk_find_env(const SimDisk *disk, const char *uid, const char *name) {
  for (size_t i = 0; i < disk->held.count; i++) {
    const SimHeld *held = disk->held.items[i];
    const char *value = strcmp(held->uid, uid) == 0 ? key_values_find(&held->envs, name) : NULL;
    if (value)
      return value;
  }
  return NULL;
}
