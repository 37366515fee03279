/* SPDX-License-Identifier: Apache-2.0 */
/* Nobody is rejected because of us. A kubelet whose plugin was killed cannot serve anybody, and where
 * somebody else made the node lie there is nothing to be done; everything else is our fault. */
#include "sim/chaos/check.h"
#include "sim/cluster/check.h"

/* The plugin died while it was asked: gRPC's UNAVAILABLE. */
#define PLUGIN_LOST "code = 14 "

enum { UNGUARDED_MS = 15000 }; /* what a lost reservation held is offered until the agent has said so */

static int node_of(const ChaosWorld *world, const char *key) {
  const json_t *pod = sim_api_store_find(sim_api_store(world->cluster->api), SIM_API_PODS, key);
  for (int i = 0; i < world->cluster->node_count; i++)
    if (strcmp(world->cluster->nodes[i].name, sim_check_text(pod, "spec", "nodeName")) == 0)
      return i;
  return -1; /* gone, or not bound any more */
}

int chaos_check_rejection(ChaosWorld *world, const SimRejection *rejection, Error *err) {
  uint64_t now_ms = world->cluster->host.now_ms;
  CLEANUP(cleanup_free) char *key = mem_format("%s/%s", rejection->namespace_, rejection->pod);
  int node = node_of(world, key);
  if (node < 0)
    return 0;
  if (strcmp(rejection->namespace_, SIM_CLUSTER_SYSTEM_NAMESPACE) == 0) {
    chaos_world_excuse_lies(world, node, UNGUARDED_MS);
    chaos_world_note_loss(world, node);
    return 0;
  }
  bool is_plugin_away = rejection->is_plugin_away || strstr(rejection->why, PLUGIN_LOST);
  if (is_plugin_away && now_ms < world->nodes[node].unplugged_until_ms) {
    world->counts.unplugged_victims++;
    return 0;
  }
  if (chaos_world_misleads(world, node) || map_find(&world->nodes[node].misled, key)) {
    world->counts.excused_victims++;
    return 0;
  }
  return error_set(err, ERROR_CONFLICT, "%s is rejected on %s: %.300s", rejection->pod,
                   chaos_world_node_name(world, node), rejection->why);
}
