/* SPDX-License-Identifier: Apache-2.0 */
/* The order is the one in which kube-scheduler runs its plugins, so that the first refusal is the one that
 * its event tells. What its plugins check before any node (PreEnqueue, PreFilter) comes first. */
#include "sched/filter.h"

#include "sched/begin.h"
#include "sched/coupling.h"

#include <assert.h>

typedef bool CoupledFilter(const SchedCoupling *coupling, int pod, int node, char *ret_reason, size_t size);
typedef bool VolumeFilter(const SchedVolumes *volumes, int pod, int node, char *ret_reason, size_t size);

/* Bits: what a caller wants to know. */
typedef enum Phase { ADMITS = 1, FITS = 2, AGREES = 4, JOINS = 8 } Phase;

typedef struct Plugin {
  const char *name;
  Phase phases;
  SchedFilter *filter; /* one of these three is there */
  CoupledFilter *coupled;
  VolumeFilter *volume;
} Plugin;

/* Volumes never come nearer by placing pods, so a refusal before is one for good. */
static const Plugin plugins[] = {
    {"NodeUnschedulable", ADMITS, sched_node_unschedulable, NULL, NULL},
    {"NodeName", ADMITS, sched_node_name, NULL, NULL},
    {"TaintToleration", ADMITS, sched_taint_toleration, NULL, NULL},
    {"NodeAffinity", ADMITS, sched_node_affinity, NULL, NULL},
    {"NodePorts", AGREES, NULL, sched_node_ports, NULL},
    {"NodeResourcesFit", FITS, sched_node_resources_fit, NULL, NULL},
    {"VolumeRestrictions", ADMITS | AGREES, NULL, NULL, sched_volume_restrictions},
    {"VolumeBinding", ADMITS | AGREES, NULL, NULL, sched_volume_binding},
    {"VolumeZone", ADMITS, NULL, NULL, sched_volume_zone},
    {"PodTopologySpread", AGREES, NULL, sched_pod_topology_spread, NULL},
    {"InterPodAffinity", JOINS, NULL, sched_inter_pod_affinity, NULL},
};

const char *sched_plugin_name(int place) {
  return place >= 0 && place < (int)COUNT_OF(plugins) ? plugins[place].name : NULL;
}

static bool passes(const Plugin *plugin, const SchedCoupling *coupling, int pod, int node,
                   SchedVerdict *verdict) {
  const Snapshot *snapshot = coupling->snapshot;
  if (plugin->filter)
    return plugin->filter(&snapshot->pods.items[pod], &snapshot->nodes.items[node], verdict->reason,
                          sizeof verdict->reason);
  if (plugin->coupled)
    return !coupling->is_needed ||
           plugin->coupled(coupling, pod, node, verdict->reason, sizeof verdict->reason);
  return !coupling->volumes ||
         plugin->volume(coupling->volumes, pod, node, verdict->reason, sizeof verdict->reason);
}

static bool run(Snapshot *snapshot, int pod, int node, int phases, SchedVerdict *ret_verdict) {
  assert(pod >= 0 && (size_t)pod < snapshot->pods.count);
  assert(node >= 0 && (size_t)node < snapshot->nodes.count);
  const SchedCoupling *coupling = sched_coupling_get(snapshot);
  *ret_verdict = (SchedVerdict){0};
  for (size_t i = 0; i < COUNT_OF(plugins); i++)
    if (plugins[i].phases & phases && !passes(&plugins[i], coupling, pod, node, ret_verdict)) {
      ret_verdict->plugin = plugins[i].name;
      return false;
    }
  return true;
}

bool sched_may_begin(Snapshot *snapshot, int pod, SchedVerdict *ret_verdict) {
  return sched_begin(sched_coupling_get(snapshot), pod, ret_verdict);
}

bool sched_admits(Snapshot *snapshot, int pod, int node, SchedVerdict *ret_verdict) {
  return sched_may_begin(snapshot, pod, ret_verdict) && run(snapshot, pod, node, ADMITS, ret_verdict);
}

bool sched_agrees(Snapshot *snapshot, int pod, int node, SchedVerdict *ret_verdict) {
  return run(snapshot, pod, node, AGREES | JOINS, ret_verdict);
}

/* Binds the pods for which the node is kept; false where there are none. */
static bool bind_nominated(Snapshot *snapshot, int pod, int node) {
  bool found = false;
  for (size_t i = 0; i < snapshot->nominated.count; i++) {
    int other = snapshot->nominated.items[i];
    const SnapshotPod *nominated = &snapshot->pods.items[other];
    if (other == pod || nominated->node >= 0 ||
        nominated->object->priority < snapshot->pods.items[pod].object->priority ||
        !string_equal(pod_common(nominated->object)->nominated_node_name, snapshot->nodes.items[node].name))
      continue;
    snapshot_bind(snapshot, other, node);
    found = true;
  }
  return found;
}

/* A plugin that had nothing to do before the nominated pods came is not asked about them. */
static bool fits_beside_nominated(Snapshot *snapshot, int pod, int node, SchedVerdict *ret_verdict) {
  SchedCoupling *coupling = sched_coupling_get(snapshot);
  bool skips = coupling->is_needed && sched_inter_pod_affinity_is_skipped(coupling, pod);
  size_t mark = snapshot_fork(snapshot);
  coupling->is_trying = true;
  bool fits = !bind_nominated(snapshot, pod, node) ||
              run(snapshot, pod, node, ADMITS | FITS | AGREES | (skips ? 0 : JOINS), ret_verdict);
  snapshot_rollback(snapshot, mark);
  coupling->is_trying = false;
  return fits;
}

bool sched_fits(Snapshot *snapshot, int pod, int node, SchedVerdict *ret_verdict) {
  return sched_may_begin(snapshot, pod, ret_verdict) &&
         (!snapshot->nominated.count || fits_beside_nominated(snapshot, pod, node, ret_verdict)) &&
         run(snapshot, pod, node, ADMITS | FITS | AGREES | JOINS, ret_verdict);
}
