/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: a re-cut in the played world (world_fixture.h). */
#pragma once

#include "agent/world_fixture.h"

#include "agent/recutting.h"

#define SMALL "nvidia.com/mig-1g.10gb"
#define LARGE "nvidia.com/mig-3g.40gb"

/* Seven small slices, all reported; the plan wants a 3g.40gb in the place of three of them. */
static inline void begin_recut(World *world) {
  observe_slices(&world->truth->gpus[0],
                 "1g.10gb@0 1g.10gb@1 1g.10gb@2 1g.10gb@3 1g.10gb@4 1g.10gb@5 1g.10gb@6");
  settle(world);
  assert_string_equal(amount(world, "allocatable", SMALL), "7");
  text_append(&world->kubelet.reserved, "MIG-0-4 MIG-0-5 MIG-0-6");
  set_plan(world, "p1", "GPU-0 3g.40gb@4,1g.10gb@0,1g.10gb@1,1g.10gb@2,1g.10gb@3");
}

static const char *const CUT = "list 1g.10gb: MIG-0-0 MIG-0-1 MIG-0-2 MIG-0-3;"
                               "destroy 1g.10gb@4;destroy 1g.10gb@5;destroy 1g.10gb@6;create 3g.40gb@4;"
                               "list 3g.40gb: MIG-0-4;patch;patch;";

static inline void assert_cut(World *world) {
  assert_string_equal(amount(world, "allocatable", SMALL), "4");
  assert_string_equal(amount(world, "allocatable", LARGE), "1");
  assert_string_equal(annotation(world, MIG_ANNOTATION_STATUS_PLAN), "p1");
  assert_string_equal(annotation(world, MIG_ANNOTATION_ERROR), "(absent)");
}

static inline void assert_uncut(World *world) {
  assert_string_equal(amount(world, "allocatable", SMALL), "7");
  assert_int_equal(world->truth->gpus[0].instance_count, 7);
}
