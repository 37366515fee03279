/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: the agent leaves the node of the played world (world_fixture.h). */
#pragma once

#include "agent/recut_fixture.h"

#include "agent/leaving.h"

/* The kubelet of these tests writes nothing by itself: so long its tick is waited for. */
enum { SERVED_MS = AGENT_KUBELET_TICK_MS + AGENT_KUBELET_LATE_MS };

static inline void note_left(void *userdata) {
  *(bool *)userdata = true;
}

static inline bool leaves_within(World *world, uint64_t ms, bool *has_left) {
  run_for(world, ms);
  return *has_left;
}

static inline void settle_with_two(World *world) {
  observe_slices(&world->truth->gpus[0], "1g.10gb@5 1g.10gb@6");
  settle(world);
  assert_string_equal(amount(world, "allocatable", SMALL), "2");
}
