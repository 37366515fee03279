/* SPDX-License-Identifier: Apache-2.0 */
/* Constraints with DoNotSchedule: with this pod, the domain of the node may have at most maxSkew pods more
 * than the domain that has the fewest. Where fewer than minDomains domains are eligible, the fewest count as
 * none. */
#include "sched/coupling.h"

#include "base/text.h"

bool sched_pod_topology_spread(const SchedCoupling *coupling, int pod, int node, char *ret_reason,
                               size_t size) {
  if (coupling->want_of_pod[pod] < 0)
    return true;
  const SchedWant *want = &coupling->wants.items[coupling->want_of_pod[pod]];
  if (!want->spread_is_valid) {
    snprintf(ret_reason, size, "a topologySpreadConstraint of the pod has an invalid labelSelector");
    return false;
  }
  for (int i = 0; i < want->spread_count; i++) {
    const SchedSpread *spread = &want->spread[i];
    const SchedTally *tally = &coupling->tallies.items[spread->tally];
    int domain = coupling->topologies.items[tally->topology].domains[node];
    if (domain < 0) {
      snprintf(ret_reason, size,
               "node(s) didn't match pod topology spread constraints (missing required label)");
      return false;
    }
    int least = tally->domain_count < spread->min_domains ? 0 : tally->least;
    if ((int64_t)tally->counts[domain] + spread->counts_itself - least > spread->max_skew) {
      snprintf(ret_reason, size, "node(s) didn't match pod topology spread constraints");
      return false;
    }
  }
  return true;
}
