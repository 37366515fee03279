/* SPDX-License-Identifier: Apache-2.0 */
/* The zone and region labels of a bound volume must be those of the node, unless the node has none at all.
 * One label may hold several zones: "a__b". */
#include "sched/volumes.h"

#include <string.h>

const char *const sched_zone_labels[SCHED_ZONE_LABELS] = {
    "failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region",
    "topology.kubernetes.io/zone", "topology.kubernetes.io/region"};

static bool has_zone(const KeyValues *labels) {
  for (int i = 0; i < SCHED_ZONE_LABELS; i++)
    if (key_values_find(labels, sched_zone_labels[i]))
      return true;
  return false;
}

static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Takes the next zone off the list, trimmed; returns its size. */
static size_t next_zone(const char **list, const char **ret_zone) {
  const char *end = strstr(*list, "__"), *zone = *list;
  size_t size = end ? (size_t)(end - zone) : strlen(zone);
  *list = end ? end + 2 : NULL;
  while (size > 0 && is_space(zone[size - 1]))
    size--;
  while (size > 0 && is_space(*zone)) {
    zone++;
    size--;
  }
  *ret_zone = zone;
  return size;
}

/* A list with an empty name in it is ignored as a whole. */
static bool lists_zone(const char *zones, const char *wanted) {
  const char *zone;
  bool found = false;
  while (zones) {
    size_t size = next_zone(&zones, &zone);
    if (!size)
      return true;
    found |= wanted && strlen(wanted) == size && memcmp(zone, wanted, size) == 0;
  }
  return found;
}

static bool is_near(const PersistentVolume *volume, const KeyValues *labels) {
  for (int i = 0; i < SCHED_ZONE_LABELS; i++) {
    const char *zones = key_values_find(&volume->meta.labels, sched_zone_labels[i]);
    const char *at = key_values_find(labels, sched_zone_labels[i]);
    if (!at && i < 2) /* the node may have the new label only */
      at = key_values_find(labels, sched_zone_labels[i + 2]);
    if (zones && !lists_zone(zones, at))
      return false;
  }
  return true;
}

bool sched_volume_zone(const SchedVolumes *volumes, int pod, int node, char *ret_reason, size_t size) {
  const SchedPodVolumes *found = volumes->pods[pod];
  const KeyValues *labels = &volumes->snapshot->nodes.items[node].object->meta.labels;
  if (!found || !has_zone(labels))
    return true;
  for (int i = 0; i < found->claim_count; i++) {
    const SchedClaim *claim = &found->claims[i];
    if (!claim->volume || claim->is_ephemeral || is_near(claim->volume, labels))
      continue;
    snprintf(ret_reason, size, "node(s) had no available volume zone");
    return false;
  }
  return true;
}
