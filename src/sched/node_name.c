/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/filter.h"

#include <string.h>

bool sched_node_name(const SnapshotPod *pod, const SnapshotNode *node, char *ret_reason, size_t size) {
  const char *wanted = string_or_empty(pod->object->node_name);
  if (!*wanted || strcmp(wanted, node->name) == 0)
    return true;
  snprintf(ret_reason, size, "node(s) didn't match the requested node name");
  return false;
}
