/* SPDX-License-Identifier: Apache-2.0 */
/* The API server, as its clients see it. Within one stream the order always holds; two streams may be apart
 * by any time. */
#include "sim/chaos/fault.h"

enum { LOST_MS = 1000, LOST_EXCUSE_MS = 30000 };

void chaos_strike_watch_cut(ChaosWorld *world, const ChaosStep *step) {
  chaos_world_note(world, "all watches break");
  sim_api_cut_watches(world->cluster->api);
}

/* Both forms of 410 Gone. */
void chaos_strike_history_loss(ChaosWorld *world, const ChaosStep *step) {
  bool by_status = step->a % 2;
  chaos_world_note(world, "all watches break, and the history is gone (410 as %s)",
                   by_status ? "a status" : "an event");
  sim_api_set_gone_by_status(world->cluster->api, by_status);
  sim_api_compact(world->cluster->api);
  sim_api_cut_watches(world->cluster->api);
}

void chaos_strike_kind_stall(ChaosWorld *world, const ChaosStep *step) {
  bool is_pods = step->a % 2;
  uint32_t duration_ms = 50 + step->b % 4000;
  chaos_world_note(world, "watches of %s are behind for %u ms", is_pods ? "pods" : "nodes", duration_ms);
  sim_api_stall_watches(world->cluster->api, is_pods ? SIM_API_PODS : SIM_API_NODES, duration_ms);
}

/* One client's cache is stale, while what it writes gets through. */
void chaos_strike_watch_stall(ChaosWorld *world, const ChaosStep *step) {
  uint32_t duration_ms = 100 + step->b % 20000;
  chaos_world_note(world, "one watch is behind for %u ms", duration_ms);
  sim_api_stall_watch(world->cluster->api, step->a, duration_ms);
}

void chaos_strike_watch_silence(ChaosWorld *world, const ChaosStep *step) {
  chaos_world_note(world, "one watch is dead, and nobody says so");
  sim_api_silence_watch(world->cluster->api, step->a);
}

static void repeat_no_more(ChaosWorld *world, int node) {
  sim_api_repeat_events(world->cluster->api, 0);
}

void chaos_strike_repetition(ChaosWorld *world, const ChaosStep *step) {
  chaos_world_note(world, "events come twice for %u ms", step->b % 5000);
  sim_api_repeat_events(world->cluster->api, 20 + step->a % 80);
  chaos_world_later(world, step->b % 5000, repeat_no_more, 0);
}

void chaos_strike_refusal(ChaosWorld *world, const ChaosStep *step) {
  static const SimApiFailure failures[] = {
      {.status = 429, .retry_after_s = 1},  {.status = 429, .retry_after_s = -1},
      {.status = 500, .retry_after_s = -1}, {.status = 503, .retry_after_s = 2},
      {.status = 504, .retry_after_s = 1},  {.status = 409, .retry_after_s = -1, .only_patches = true},
  };
  SimApiFailure failure = failures[step->a % COUNT_OF(failures)];
  failure.count = 1 + step->b % 6;
  chaos_world_note(world, "%u %s are refused with %d", failure.count,
                   failure.only_patches ? "patches" : "requests", failure.status);
  sim_api_fail(world->cluster->api, &failure);
}

void chaos_strike_lost_answer(ChaosWorld *world, const ChaosStep *step) {
  uint32_t count = 1 + step->a % 3;
  chaos_world_note(world, "%u requests are done, and their connections break", count);
  sim_api_lose_next(world->cluster->api, count);
}

void chaos_strike_hung_answer(ChaosWorld *world, const ChaosStep *step) {
  uint32_t count = 1 + step->a % 3;
  chaos_world_note(world, "%u requests are done, and never answered", count);
  sim_api_hang_next(world->cluster->api, count);
}

void chaos_strike_api_restart(ChaosWorld *world, const ChaosStep *step) {
  chaos_world_note(world, "the API server is away for %u ms", step->a % 5000);
  sim_api_restart(world->cluster->api, step->a % 5000, 0);
}

/* What made the cluster and its nodes stays: nobody here would make it again. Bindings and reservations that
 * were acted on may be among what never happened. Scheduler and kubelets start afresh, as Kubernetes'
 * documentation of such a restore demands; controller and agents have to find out by themselves. */
void chaos_strike_lost_second(ChaosWorld *world, const ChaosStep *step) {
  uint64_t made_ms = world->node_made_ms > world->began_ms ? world->node_made_ms : world->began_ms;
  uint64_t now_ms = world->cluster->host.now_ms, age_ms = now_ms > made_ms ? now_ms - made_ms : 0;
  chaos_world_note(world, "the API server is away for %u ms, and its last second is lost", step->a % 5000);
  for (int i = 0; i < world->cluster->node_count; i++) {
    chaos_world_excuse_lies(world, i, LOST_EXCUSE_MS);
    chaos_strike_kubelet(world, &(ChaosStep){.node = (uint16_t)i, .a = 1});
  }
  world->lease_lost_until_ms = world->cluster->host.now_ms + KUBE_ELECTION_RENEW_MS;
  sim_api_restart(world->cluster->api, step->a % 5000, age_ms < LOST_MS ? age_ms : LOST_MS);
  chaos_strike_scheduler_restart(world, step);
}
