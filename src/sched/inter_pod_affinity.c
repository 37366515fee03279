/* SPDX-License-Identifier: Apache-2.0 */
/* Required terms, in the scheduler's order: the pod's affinity, its anti-affinity, and that of the pods that
 * are there already.
 *
 * A pod counts for affinity only where it matches all terms. The first pod of a series that wants its own
 * kind would wait forever, so where no pod on any node of such a topology matches, matching itself is enough.
 */
#include "sched/coupling.h"

#include "base/text.h"

/* The count in the node's domain; -1 where the node has no such label. */
static int count_at(const SchedCoupling *coupling, int tally, int node) {
  const SchedTally *asked = &coupling->tallies.items[tally];
  int domain = coupling->topologies.items[asked->topology].domains[node];
  return domain < 0 ? -1 : asked->counts[domain];
}

static bool satisfies_affinity(const SchedCoupling *coupling, const SchedWant *want, int node) {
  bool all_there = true;
  int64_t total = 0;
  for (int i = 0; i < want->affinity_count; i++) {
    int count = count_at(coupling, want->affinity[i], node);
    if (count < 0)
      return false;
    all_there &= count > 0;
    total += coupling->tallies.items[want->affinity[i]].total;
  }
  return all_there || (total == 0 && want->matches_itself);
}

static bool is_free_of(const SchedCoupling *coupling, const int *tallies, int count, int node) {
  for (int i = 0; i < count; i++)
    if (count_at(coupling, tallies[i], node) > 0)
      return false;
  return true;
}

/* What is wrong, in the scheduler's words, or NULL. */
static const char *find_refusal(const SchedCoupling *coupling, int pod, int node) {
  int group = coupling->group_of_pod[pod];
  const SchedWant *want =
      coupling->want_of_pod[pod] < 0 ? NULL : &coupling->wants.items[coupling->want_of_pod[pod]];
  if (want && !want->is_valid)
    return "a required affinity term of the pod has an invalid selector";
  if (want && !satisfies_affinity(coupling, want, node))
    return "node(s) didn't match pod affinity rules";
  if (want && !is_free_of(coupling, want->anti, want->anti_count, node))
    return "node(s) didn't match pod anti-affinity rules";
  if (group >= 0 && !is_free_of(coupling, coupling->groups.items[group].refusers,
                                coupling->groups.items[group].refuser_count, node))
    return "node(s) didn't satisfy existing pods anti-affinity rules";
  return NULL;
}

bool sched_inter_pod_affinity_is_skipped(const SchedCoupling *coupling, int pod) {
  const SchedWant *want =
      coupling->want_of_pod[pod] < 0 ? NULL : &coupling->wants.items[coupling->want_of_pod[pod]];
  const SchedGroup *group =
      coupling->group_of_pod[pod] < 0 ? NULL : &coupling->groups.items[coupling->group_of_pod[pod]];
  if (want && want->affinity_count + want->anti_count > 0)
    return false;
  for (int i = 0; group && i < group->refuser_count; i++)
    if (coupling->tallies.items[group->refusers[i]].total > 0)
      return false;
  return true;
}

bool sched_inter_pod_affinity(const SchedCoupling *coupling, int pod, int node, char *ret_reason,
                              size_t size) {
  const char *refusal = find_refusal(coupling, pod, node);
  if (refusal)
    snprintf(ret_reason, size, "%s", refusal);
  return !refusal;
}
