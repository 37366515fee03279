/* SPDX-License-Identifier: Apache-2.0 */
/* There are at most a few hundred states, whatever the size of the cluster; each is made when it is first
 * met. */
#include "plan/bulk_state.h"

enum { DIRECT_SLOTS_MAX = 16 };

uint32_t plan_rank_slots(const PlanRank *rank, int start) {
  return (uint32_t)(((UINT64_C(1) << rank->size) - 1) << start);
}

static uint8_t type_at(const PlanGeometry *geometry, uint32_t slots) {
  int i = 0;
  while (geometry->regions[i].mask != slots)
    i++;
  assert(i < geometry->region_count);
  return geometry->regions[i].type;
}

/* Of equal losses the last start first, as everywhere. */
static void add_way(PlanStates *states, size_t base, PlanWay way) {
  array_push(&states->ways);
  size_t place = states->ways.count - 1;
  for (; place > base && states->ways.items[place - 1].loss >= way.loss; place--)
    states->ways.items[place] = states->ways.items[place - 1];
  states->ways.items[place] = way;
}

static void add_ways(PlanStates *states, uint32_t occupied, int rank) {
  const PlanGeometry *geometry = states->geometry;
  const PlanRank *placed = &geometry->ranks[rank];
  size_t base = states->ways.count;
  uint64_t worth = plan_geometry_worth(geometry, ~occupied);
  for (uint32_t starts = placed->starts; starts; starts &= starts - 1) {
    int start = __builtin_ctz(starts);
    uint32_t slots = plan_rank_slots(placed, start);
    if (slots & occupied)
      continue;
    add_way(states, base,
            (PlanWay){.loss = worth - plan_geometry_worth(geometry, ~(occupied | slots)),
                      .before = (int)states->items.count - 1, /* the one that is being made */
                      .after = -1,
                      .start = (uint8_t)start,
                      .type = type_at(geometry, slots)});
  }
}

static int add_state(PlanStates *states, uint32_t occupied) {
  PlanGpuState *state = array_push(&states->items);
  uint32_t slots = (uint32_t)((UINT64_C(1) << states->geometry->slot_count) - 1);
  state->occupied = occupied;
  state->free_slots = __builtin_popcount(slots & ~occupied);
  plan_holes_of_slots(states->geometry, occupied, &state->holes);
  for (int rank = 0; rank < states->geometry->rank_count; rank++) {
    state->first_way[rank] = (int)states->ways.count;
    add_ways(states, occupied, rank);
    state->first_way[rank + 1] = (int)states->ways.count;
  }
  return (int)states->items.count - 1;
}

int plan_states_find(PlanStates *states, uint32_t occupied) {
  if (states->direct) {
    occupied &= states->direct_slots;
    if (!states->direct[occupied])
      states->direct[occupied] = add_state(states, occupied) + 1;
    return states->direct[occupied] - 1;
  }
  int state = intern_number(&states->others, &occupied, sizeof occupied);
  return state == (int)states->items.count ? add_state(states, occupied) : state;
}

void plan_states_init(PlanStates *states, const PlanGeometry *geometry) {
  *states = (PlanStates){.geometry = geometry};
  if (geometry->slot_count > DIRECT_SLOTS_MAX)
    return;
  states->direct_slots = (UINT32_C(1) << geometry->slot_count) - 1;
  states->direct = mem_alloc(((size_t)1 << geometry->slot_count) * sizeof *states->direct);
}

void plan_states_deinit(PlanStates *states) {
  array_deinit(&states->items);
  array_deinit(&states->ways);
  free(states->direct);
  intern_deinit(&states->others);
}
