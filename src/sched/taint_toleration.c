/* SPDX-License-Identifier: Apache-2.0 */
/* Taints of effect NoSchedule and NoExecute keep away every pod that does not tolerate them. An empty effect
 * or key of a toleration matches all; the comparing operators Lt and Gt are behind a feature gate that is
 * off. */
#include "sched/filter.h"

#include "sched/toleration.h"

#include <string.h>

static bool tolerates(const Toleration *toleration, const Taint *taint) {
  const char *effect = string_or_empty(toleration->effect);
  const char *key = string_or_empty(toleration->key);
  const char *operator_ = string_or_empty(toleration->operator_);
  if (*effect && strcmp(effect, string_or_empty(taint->effect)) != 0)
    return false;
  if (*key && strcmp(key, string_or_empty(taint->key)) != 0)
    return false;
  if (strcmp(operator_, "Exists") == 0)
    return true;
  if (*operator_ && strcmp(operator_, "Equal") != 0)
    return false;
  return strcmp(string_or_empty(toleration->value), string_or_empty(taint->value)) == 0;
}

bool sched_tolerates(const Pod *pod, const Taint *taint) {
  const PodCommon *common = pod_common(pod);
  for (size_t i = 0; i < common->tolerations.count; i++)
    if (tolerates(&common->tolerations.items[i], taint))
      return true;
  return false;
}

static bool keeps_away(const Taint *taint) {
  return string_equal(taint->effect, "NoSchedule") || string_equal(taint->effect, "NoExecute");
}

bool sched_tolerates_all(const Pod *pod, const Node *node) {
  for (size_t i = 0; i < node->taints.count; i++)
    if (keeps_away(&node->taints.items[i]) && !sched_tolerates(pod, &node->taints.items[i]))
      return false;
  return true;
}

bool sched_taint_toleration(const SnapshotPod *pod, const SnapshotNode *node, char *ret_reason, size_t size) {
  if (sched_tolerates_all(pod->object, node->object))
    return true;
  snprintf(ret_reason, size, "node(s) had untolerated taint(s)");
  return false;
}
