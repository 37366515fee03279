/* SPDX-License-Identifier: Apache-2.0 */
/* The order is the one in which kube-scheduler runs its plugins, so that the first refusal is the one that
 * its event tells. The plugins that are not here (ports, volumes, spreading, affinity between pods) are left
 * to it. */
#include "sched/filter.h"

#include <assert.h>

static const SchedPlugin plugins[] = {
    {"NodeUnschedulable", sched_node_unschedulable, false}, {"NodeName", sched_node_name, false},
    {"TaintToleration", sched_taint_toleration, false},     {"NodeAffinity", sched_node_affinity, false},
    {"NodeResourcesFit", sched_node_resources_fit, true},
};

const SchedPlugin *sched_plugins(int *ret_count) {
  *ret_count = (int)COUNT_OF(plugins);
  return plugins;
}

static bool run(const SnapshotPod *pod, const SnapshotNode *node, bool with_resources,
                SchedVerdict *ret_verdict) {
  assert(pod && node && ret_verdict);
  *ret_verdict = (SchedVerdict){0};
  for (size_t i = 0; i < COUNT_OF(plugins); i++) {
    if (plugins[i].is_resource_fit && !with_resources)
      continue;
    if (!plugins[i].filter(pod, node, ret_verdict->reason, sizeof ret_verdict->reason)) {
      ret_verdict->plugin = plugins[i].name;
      return false;
    }
  }
  return true;
}

bool sched_fits(const SnapshotPod *pod, const SnapshotNode *node, SchedVerdict *ret_verdict) {
  return run(pod, node, true, ret_verdict);
}

bool sched_admits(const SnapshotPod *pod, const SnapshotNode *node, SchedVerdict *ret_verdict) {
  return run(pod, node, false, ret_verdict);
}
