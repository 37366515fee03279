/* SPDX-License-Identifier: Apache-2.0 */
/* One more pod, and for each resource: request <= allocatable - requested. All that is missing is named, in
 * the scheduler's order: pods, cpu, memory, ephemeral-storage, then the others by name. */
#include "sched/filter.h"

#include <string.h>

static const char *const native[] = {"cpu", "memory", "ephemeral-storage"};

typedef struct Missing {
  char *text;
  size_t size, used;
} Missing;

static void add_missing(Missing *missing, const char *what, const char *resource) {
  int added = snprintf(missing->text + missing->used, missing->size - missing->used, "%s%s%s",
                       missing->used ? ", " : "", what, resource);
  if (added > 0)
    missing->used += (size_t)added;
  if (missing->used >= missing->size)
    missing->used = missing->size - 1; /* the text is cut, the verdict stands */
}

static bool is_native(const char *resource) {
  for (size_t i = 0; i < COUNT_OF(native); i++)
    if (strcmp(native[i], resource) == 0)
      return true;
  return false;
}

/* Names of one word are counted only where the scheduler knows them. */
static bool is_counted(const char *resource) {
  return strchr(resource, '/') || string_has_prefix(resource, "hugepages-") ||
         string_has_prefix(resource, "attachable-volumes-");
}

bool sched_resource_is_counted(const char *resource) {
  return is_native(resource) || is_counted(resource);
}

static bool is_short_of(const SnapshotNode *node, const char *resource, int64_t request) {
  int64_t rest;
  if (request <= 0)
    return false;
  if (__builtin_sub_overflow(resources_get(&node->allocatable, resource),
                             resources_get(&node->requested, resource), &rest))
    return true; /* only sums far below zero overflow */
  return request > rest;
}

bool sched_resources_fit(const SnapshotPod *pod, const SnapshotNode *node, bool skip_mig, char *ret_reason,
                         size_t size) {
  Missing missing = {.text = ret_reason, .size = size};
  ret_reason[0] = '\0';
  if (node->pod_count + 1 > node->pod_max)
    add_missing(&missing, "Too many pods", "");
  for (size_t i = 0; i < COUNT_OF(native); i++)
    if (is_short_of(node, native[i], resources_get(&pod->spec->requests, native[i])))
      add_missing(&missing, "Insufficient ", native[i]);
  for (size_t i = 0; i < pod->spec->requests.count; i++) {
    const Resource *request = &pod->spec->requests.items[i];
    if (is_native(request->name) || !is_counted(request->name) ||
        (skip_mig && mig_profile_is_resource(request->name)))
      continue;
    if (is_short_of(node, request->name, request->amount))
      add_missing(&missing, "Insufficient ", request->name);
  }
  return missing.used == 0;
}

bool sched_node_resources_fit(const SnapshotPod *pod, const SnapshotNode *node, char *ret_reason,
                              size_t size) {
  return sched_resources_fit(pod, node, false, ret_reason, size);
}
