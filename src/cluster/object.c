/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/object.h"

#include "mig/contract.h"

#include "base/text.h"

#include <string.h>

const char *key_values_find(const KeyValues *list, const char *key) {
  for (size_t i = 0; i < list->count; i++)
    if (strcmp(list->items[i].key, key) == 0)
      return list->items[i].value;
  return NULL;
}

const char *key_values_find_index(const KeyValues *list, const char *prefix, int index) {
  char key[MIG_KEY_SIZE];
  snprintf(key, sizeof key, "%s%d", prefix, index);
  return key_values_find(list, key);
}

const PodCommon pod_common_empty;

void pod_trim(void *pod, Arena *arena) {
  (void)arena;
  Pod *trimmed = pod;
  PodCommon *common = trimmed->common;
  size_t kept = 0;
  for (size_t i = 0; i < common->volumes.count; i++)
    if (common->volumes.items[i].claim_name || common->volumes.items[i].is_ephemeral)
      common->volumes.items[kept++] = common->volumes.items[i];
  common->volumes.count = kept;
  trimmed->meta.annotations.count = 0;
}

bool pod_is_terminal(const Pod *pod) {
  return string_equal(pod->phase, "Succeeded") || string_equal(pod->phase, "Failed");
}

bool pod_is_reservation(const Pod *pod) {
  return key_values_find(&pod->meta.labels, MIG_LABEL_RESERVATION) != NULL;
}

static const Condition *find_condition(const Condition *conditions, size_t count, const char *type) {
  for (size_t i = 0; i < count; i++)
    if (string_equal(conditions[i].type, type))
      return &conditions[i];
  return NULL;
}

const Condition *pod_find_condition(const Pod *pod, const char *type) {
  return find_condition(pod_common(pod)->conditions.items, pod_common(pod)->conditions.count, type);
}

const Condition *node_find_condition(const Node *node, const char *type) {
  return find_condition(node->conditions.items, node->conditions.count, type);
}
