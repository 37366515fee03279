/* SPDX-License-Identifier: Apache-2.0 */
/* Each of them is asked what it asks itself before it writes. Where the API server has lost what it had
 * acknowledged, a leader cannot know before its next renewal. */
#include "sim/chaos/check.h"

int chaos_check_leaders(ChaosWorld *world, int node, Error *err) {
  const ChaosCandidate *leader = NULL;
  if (world->cluster->host.now_ms < world->lease_lost_until_ms)
    return 0;
  for (int i = 0; i < CHAOS_CANDIDATES; i++) {
    const ChaosCandidate *candidate = &world->candidates[i];
    if (!candidate->controller || !controller_leads(candidate->controller))
      continue;
    if (leader)
      return error_set(err, ERROR_CONFLICT, "%s and %s lead at the same time", leader->name, candidate->name);
    leader = candidate;
  }
  return 0;
}
