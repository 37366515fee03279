/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/placer.h"

#include "simulate/migbench.h"

typedef struct Placement {
  int gpu, start;
} Placement;

typedef struct Choice {
  int count; /* 0: none */
  int64_t cost;
  Placement places[SIMULATE_JOB_SLICES_MAX];
} Choice;

/* The cheapest place of one more slice on the node, whose layouts are these. */
static bool find_cheapest(const SimulateWorld *world, const SimulateNode *node, int kind,
                          const MigLayout *layouts, SimulateCost *cost, Placement *ret_place,
                          int64_t *ret_cost) {
  bool found = false;
  for (int i = 0; i < node->gpu_count; i++) {
    int profile = simulate_world_profile(world, node->first_gpu + i, kind);
    if (profile < 0)
      continue;
    for (uint32_t starts = simulate_layout_free_starts(&layouts[i], profile); starts; starts &= starts - 1) {
      int start = __builtin_ctz(starts);
      int64_t here = cost(&layouts[i], profile, start);
      if (found && here >= *ret_cost)
        continue;
      found = true;
      *ret_cost = here;
      *ret_place = (Placement){.gpu = node->first_gpu + i, .start = start};
    }
  }
  return found;
}

/* The whole request on one node, slice after slice. */
static void try_node(const SimulateWorld *world, const SimulateNode *node, const SimulateClass *request,
                     SimulateCost *cost, Choice *best) {
  MigLayout layouts[SIMULATE_NODE_GPUS_MAX];
  Choice choice = {0};
  for (int i = 0; i < node->gpu_count; i++)
    layouts[i] = world->fleet->gpus.items[node->first_gpu + i].layout;
  for (; choice.count < request->count; choice.count++) {
    Placement *place = &choice.places[choice.count];
    int64_t more = 0;
    if (!find_cheapest(world, node, request->kind, layouts, cost, place, &more))
      return;
    choice.cost += more;
    mig_layout_place(&layouts[place->gpu - node->first_gpu],
                     simulate_world_profile(world, place->gpu, request->kind), place->start);
  }
  if (!best->count || choice.cost < best->cost)
    *best = choice;
}

static bool has_room(const SimulateWorld *world, const SimulateNode *node, int kind) {
  for (int gpu = node->first_gpu; gpu < node->first_gpu + node->gpu_count; gpu++) {
    int profile = simulate_world_profile(world, gpu, kind);
    if (profile >= 0 && simulate_layout_free_starts(&world->fleet->gpus.items[gpu].layout, profile))
      return true;
  }
  return false;
}

static bool place_job(SimulateWorld *world, int job, SimulateCost *cost) {
  const SimulateClass *request = &world->load->classes.items[world->load->jobs.items[job].class_];
  Choice best = {0};
  for (size_t n = 0; n < world->fleet->nodes.count; n++)
    if (has_room(world, &world->fleet->nodes.items[n], request->kind))
      try_node(world, &world->fleet->nodes.items[n], request, cost, &best);
  for (int i = 0; i < best.count; i++) {
    int gpu = best.places[i].gpu, start = best.places[i].start;
    simulate_world_create(world, gpu, simulate_world_profile(world, gpu, request->kind), start);
    simulate_world_take(world, job, gpu, start);
  }
  return best.count > 0;
}

int64_t simulate_placer_decide(SimulateWorld *world, SimulateCost *cost) {
  simulate_world_unmake_released(world);
  for (int job; (job = simulate_world_find_oldest(world, NULL)) != SIMULATE_NOBODY;)
    if (!place_job(world, job, cost))
      world->stuck[world->load->jobs.items[job].class_] = true;
  return SIMULATE_NEVER;
}
