/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/filter.h"

#include "sched/toleration.h"

bool sched_node_unschedulable(const SnapshotPod *pod, const SnapshotNode *node, char *ret_reason,
                              size_t size) {
  /* The taint that a cordoned node gets; tolerating it is tolerating the cordon. */
  static const Taint cordon = {.key = "node.kubernetes.io/unschedulable", .effect = "NoSchedule"};
  if (!node->object->unschedulable || sched_tolerates(pod->object, &cordon))
    return true;
  snprintf(ret_reason, size, "node(s) were unschedulable");
  return false;
}
