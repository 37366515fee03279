/* SPDX-License-Identifier: Apache-2.0 */
/* Two controllers share a Lease, and the one that leads is cut off from the API server: it lives, plans, and
 * must not believe any more that it leads when the other one takes over. */
#include "sim/chaos/fault.h"

enum {
  LEAD_MS = 3000,     /* until one of them leads, where no Lease is left of an earlier pair */
  CUT_OFF_MS = 12000, /* the first that is worth being cut off for: it leads 10 s without an answer */
  AFTER_MS = 5000,    /* they see each other again */
};

static void end_candidates(ChaosWorld *world, int node) {
  for (int i = 0; i < CHAOS_CANDIDATES; i++)
    controller_free(TAKE(world->candidates[i].controller));
  if (!world->cluster->controller)
    sim_cluster_start_controller(world->cluster);
}

static ChaosCandidate *find_leader(ChaosWorld *world) {
  for (int i = 0; i < CHAOS_CANDIDATES; i++)
    if (controller_leads(world->candidates[i].controller))
      return &world->candidates[i];
  return NULL;
}

/* Whoever led the pair before was killed: its Lease has to end first. */
static void cut_off_leader(ChaosWorld *world, int node) {
  ChaosCandidate *leader = find_leader(world);
  if (!leader && !world->is_over) {
    chaos_world_later(world, LEAD_MS, cut_off_leader, 0);
    return;
  }
  if (leader) {
    chaos_world_note(world, "%s leads, and is cut off for %u ms", leader->name, world->cut_off_ms);
    sim_api_line_cut(&leader->line, world->cut_off_ms);
  }
  chaos_world_later(world, world->cut_off_ms + AFTER_MS, end_candidates, 0);
}

static void start_candidate(ChaosWorld *world, ChaosCandidate *candidate) {
  snprintf(candidate->name, sizeof candidate->name, "candidate-%u", ++world->candidates_ever);
  sim_api_line_init(world->cluster->api, &candidate->line);
  const ControllerLeaseOptions lease = {
      .namespace_ = SIM_CLUSTER_SYSTEM_NAMESPACE, .name = "facet-controller", .identity = candidate->name};
  const ControllerOptions options = {.batch_idle_ms = CONTROLLER_BATCH_IDLE_MS,
                                     .batch_timeout_ms = CONTROLLER_BATCH_TIMEOUT_MS,
                                     .leftover = world->cluster->options.leftover,
                                     .instance = candidate->name,
                                     .lease = &lease};
  candidate->controller = controller_new(&options, &world->cluster->host, &candidate->line.seam);
  controller_start(candidate->controller);
}

void chaos_strike_lost_leader(ChaosWorld *world, const ChaosStep *step) {
  if (!world->cluster->controller || world->candidates[0].controller)
    return;
  chaos_world_note(world, "two controllers that share a Lease take over");
  sim_cluster_kill_controller(world->cluster);
  for (int i = 0; i < CHAOS_CANDIDATES; i++)
    start_candidate(world, &world->candidates[i]);
  world->cut_off_ms = CUT_OFF_MS + step->b % 20000;
  chaos_world_later(world, LEAD_MS + step->a % 4000, cut_off_leader, 0);
}
