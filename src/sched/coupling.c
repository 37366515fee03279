/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/coupling.h"

#include <assert.h>
#include <limits.h>

void sched_tally_find_least(SchedTally *tally, int domain_count) {
  tally->least = INT_MAX;
  tally->at_least = 0;
  for (int domain = 0; domain < domain_count; domain++) {
    if (!tally->domains[domain])
      continue;
    if (tally->counts[domain] < tally->least) {
      tally->least = tally->counts[domain];
      tally->at_least = 0;
    }
    tally->at_least += tally->counts[domain] == tally->least;
  }
}

/* The least is kept up to date in steps of one; only when its last domain grows, all are looked at. */
void sched_tally_add(SchedTally *tally, int domain, int sign) {
  int before = tally->counts[domain];
  tally->counts[domain] += sign;
  tally->total += sign;
  if (!tally->domains)
    return;
  if (sign > 0 && before == tally->least)
    tally->at_least--;
  if (sign < 0 && before == tally->least) {
    tally->least = before - 1;
    tally->at_least = 1;
  } else if (sign < 0 && before - 1 == tally->least) {
    tally->at_least++;
  }
}

static void count_in(SchedCoupling *coupling, const int *tallies, int count, int node, int sign) {
  for (int i = 0; i < count; i++) {
    SchedTally *tally = &coupling->tallies.items[tallies[i]];
    const SchedTopology *topology = &coupling->topologies.items[tally->topology];
    int domain = topology->domains[node];
    if (domain < 0 || (tally->nodes && !tally->nodes[node]))
      continue;
    sched_tally_add(tally, domain, sign);
    if (tally->domains && tally->at_least == 0)
      sched_tally_find_least(tally, topology->domain_count);
  }
}

void sched_coupling_count(SchedCoupling *coupling, int group, int node, int sign) {
  const SchedGroup *feeding = &coupling->groups.items[group];
  count_in(coupling, feeding->feeds, feeding->feed_count, node, sign);
  if (coupling->is_trying)
    count_in(coupling, feeding->trial_feeds, feeding->trial_feed_count, node, sign);
}

static void on_bind(void *self, int pod, int node, int sign) {
  SchedCoupling *coupling = self;
  if (coupling->volumes && !coupling->is_trying)
    sched_volumes_on_bind(coupling->volumes, pod, node, sign);
  if (!coupling->is_needed)
    return;
  if (coupling->group_of_pod[pod] >= 0)
    sched_coupling_count(coupling, coupling->group_of_pod[pod], node, sign);
  if (!coupling->ports)
    return;
  const Pod *object = coupling->snapshot->pods.items[pod].object;
  if (sign > 0)
    sched_ports_add(coupling, object, node);
  else /* what was bound last is undone first */
    coupling->ports[node].count -= (size_t)sched_ports_count(object);
}

static void coupling_free(void *self) {
  SchedCoupling *coupling = self;
  for (size_t node = 0; coupling->ports && node < coupling->snapshot->nodes.count; node++)
    array_deinit(&coupling->ports[node]);
  free(coupling->ports);
  array_deinit(&coupling->topologies);
  array_deinit(&coupling->tallies);
  array_deinit(&coupling->rules);
  array_deinit(&coupling->wants);
  array_deinit(&coupling->groups);
  sched_volumes_free(coupling->volumes);
  arena_deinit(&coupling->arena);
  free(coupling);
}

/* Made once, even where it finds nothing: whether pods depend on each other does not change in a fork. */
SchedCoupling *sched_coupling_get(Snapshot *snapshot) {
  if (snapshot->observer.self)
    return snapshot->observer.self;
  assert(snapshot->undo_count == 0); /* nobody is bound in a fork yet */
  SchedCoupling *coupling = mem_alloc(sizeof *coupling);
  coupling->snapshot = snapshot;
  coupling->is_needed = sched_coupling_build(coupling);
  coupling->volumes = sched_volumes_new(snapshot);
  snapshot->observer = (SnapshotObserver){.self = coupling, .on_bind = on_bind, .free = coupling_free};
  return coupling;
}

static bool has_coupled_volumes(const SchedCoupling *coupling, int pod) {
  return coupling->volumes && coupling->volumes->pods[pod] && coupling->volumes->pods[pod]->is_coupled;
}

bool sched_is_coupled(Snapshot *snapshot, int pod) {
  const SchedCoupling *coupling = sched_coupling_get(snapshot);
  if (has_coupled_volumes(coupling, pod))
    return true;
  if (!coupling->is_needed)
    return false;
  int group = coupling->group_of_pod[pod];
  return coupling->want_of_pod[pod] >= 0 || (group >= 0 && coupling->groups.items[group].refuser_count > 0);
}

bool sched_has_volumes(Snapshot *snapshot, int pod) {
  const SchedCoupling *coupling = sched_coupling_get(snapshot);
  return coupling->volumes && coupling->volumes->pods[pod];
}

void sched_coupling_add_key(Snapshot *snapshot, int pod, Text *key) {
  const SchedCoupling *coupling = sched_coupling_get(snapshot);
  if (coupling->is_needed && coupling->class_of_pod[pod])
    text_format(key, "coupled%d;", coupling->class_of_pod[pod]);
  if (coupling->volumes)
    sched_volumes_add_key(coupling->volumes, pod, key);
}
