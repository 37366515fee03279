/* SPDX-License-Identifier: Apache-2.0 */
/* Pods come and go, and the scheduler takes its time. */
#include "sim/chaos/fault.h"
#include "sim/cluster/check.h"

enum {
  WAITING_MAX = 25,     /* pods */
  LASTING_MAX = 6,      /* pods that never end */
  FINISHED_MAX = 8,     /* pods that are kept although they are over */
  UNGUARDED_MS = 15000, /* so long after a reservation lost its pod: reports that fail are late */
};

static bool is_finished(const json_t *pod) {
  const char *phase = sim_check_text(pod, "status", "phase");
  return strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0;
}

/* As the controller of pods that are over does: the oldest ones go. */
static void collect_garbage(ChaosWorld *world) {
  SimApi *api = world->cluster->api;
  size_t finished =
      sim_cluster_count_pods(world->cluster, "Succeeded") + sim_cluster_count_pods(world->cluster, "Failed");
  for (const Map *pods = &sim_api_store(api)->objects[SIM_API_PODS]; finished > FINISHED_MAX; finished--) {
    const json_t *oldest = NULL;
    for (size_t i = 0; i < pods->count; i++) {
      const json_t *pod = pods->entries[i].value;
      bool is_older = !oldest || strcmp(sim_check_text(pod, "metadata", "creationTimestamp"),
                                        sim_check_text(oldest, "metadata", "creationTimestamp")) < 0;
      if (is_finished(pod) && is_older)
        oldest = pod;
    }
    CLEANUP(cleanup_free) char *space = mem_strdup(sim_check_text(oldest, "metadata", "namespace"));
    CLEANUP(cleanup_free) char *name = mem_strdup(sim_check_text(oldest, "metadata", "name"));
    sim_api_remove_pod(api, space, name);
  }
}

void chaos_strike_pod(ChaosWorld *world, const ChaosStep *step) {
  static const char *const profiles[] = {"1g.10gb", "1g.10gb", "1g.10gb", "2g.20gb",
                                         "2g.20gb", "3g.40gb", "3g.40gb", "7g.80gb"};
  SimCluster *cluster = world->cluster;
  const char *profile = profiles[step->a % COUNT_OF(profiles)];
  uint64_t run_ms = 50 + step->b % 3000;
  Error err;
  collect_garbage(world);
  if (sim_cluster_count_pods(cluster, "Pending") >= WAITING_MAX)
    return;
  if (world->lasting < LASTING_MAX && step->b / 3000 % 25 == 0 && strcmp(profile, "7g.80gb") != 0) {
    world->lasting++;
    run_ms = 0;
  }
  if (sim_cluster_create_pod(cluster, profile, run_ms, &err) < 0) {
    chaos_world_fail(world, "pod", &err);
    return;
  }
  world->counts.pods++;
  chaos_world_note(world, "p-%d comes: %s for %llu ms", cluster->pod_count, profile,
                   (unsigned long long)run_ms);
}

/* The first at or behind that place in the list which is in the namespace. */
static void delete_pod(ChaosWorld *world, const char *namespace_, uint32_t place, bool by_force) {
  const Map *pods = &sim_api_store(world->cluster->api)->objects[SIM_API_PODS];
  for (size_t i = 0; i < pods->count; i++) {
    const json_t *pod = pods->entries[(place + i) % pods->count].value;
    if (strcmp(sim_check_text(pod, "metadata", "namespace"), namespace_) != 0)
      continue;
    CLEANUP(cleanup_free) char *name = mem_strdup(sim_check_text(pod, "metadata", "name"));
    chaos_world_note(world, "somebody deletes %s%s", name, by_force ? " by force" : "");
    (by_force ? sim_api_remove_pod : sim_api_delete_pod)(world->cluster->api, namespace_, name);
    return;
  }
}

void chaos_strike_pod_deletion(ChaosWorld *world, const ChaosStep *step) {
  delete_pod(world, SIM_CLUSTER_NAMESPACE, step->a, false);
}

/* If its slices are gone already, their count is offered until the agent has said so. By force, the kubelet
 * holds its slices longer than the scheduler counts them. */
void chaos_strike_reservation_deletion(ChaosWorld *world, const ChaosStep *step) {
  if (sim_check_count_reservations(world->cluster) == 0)
    return;
  for (int i = 0; i < world->cluster->node_count; i++) {
    chaos_world_excuse_lies(world, i, world->cluster->options.container_stop_ms + UNGUARDED_MS);
    chaos_world_note_loss(world, i);
  }
  delete_pod(world, SIM_CLUSTER_SYSTEM_NAMESPACE, step->a, step->b % 5 == 0);
}

static void go_on(ChaosWorld *world, int node) {
  sim_scheduler_pause(world->cluster->scheduler, false);
}

void chaos_strike_scheduler_pause(ChaosWorld *world, const ChaosStep *step) {
  chaos_world_note(world, "the scheduler stops for %u ms", step->a % 2500);
  sim_scheduler_pause(world->cluster->scheduler, true);
  chaos_world_later(world, step->a % 2500, go_on, 0);
}

void chaos_strike_scheduler_restart(ChaosWorld *world, const ChaosStep *step) {
  chaos_world_note(world, "the scheduler starts afresh");
  sim_cluster_restart_scheduler(world->cluster);
  sim_scheduler_delay_bindings(world->cluster->scheduler, 20, 3000);
  sim_scheduler_wander(world->cluster->scheduler, world->history->wanders ? 50 : 0);
}
