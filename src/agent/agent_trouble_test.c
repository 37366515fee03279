/* SPDX-License-Identifier: Apache-2.0 */
/* The agent can be freed at any time, and whatever happens in between it ends with the truth. */
#include "agent/world_fixture.h"

#include "agent/publish.h"

#define ECHO "nos.nebuly.com/status-partitioning-plan"

static void it_can_be_freed_before_it_was_started_to_run(void **state) {
  start_agent(*state);
}

static void it_can_be_freed_while_the_driver_works(void **state) {
  World *world = *state;
  settle(world);
  world->driver_is_mute = true;
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run(world);
  assert_non_null(world->on_result);
}

static void change_something(World *world, Random *random) {
  static const char *const specs[] = {"GPU-0 1g.10gb@6,1g.10gb@5,2g.20gb@0", "GPU-0 3g.40gb@4,1g.10gb@0",
                                      "GPU-0", "GPU-1 1g.10gb@6", "garbage"};
  char plan[16];
  snprintf(plan, sizeof plan, "p%d", (int)random_below(random, 1000));
  switch (random_below(random, 12)) {
  case 0:
  case 1:
    if (world->node)
      set_plan(world, plan, specs[random_below(random, COUNT_OF(specs))]);
    return;
  case 2:
    kubelet_kill(&world->kubelet);
    return;
  case 3:
    kubelet_kill(&world->kubelet);
    kubelet_start(&world->kubelet);
    return;
  case 4:
    world->driver_is_mute = !world->driver_is_mute;
    return;
  case 5:
    world->dying = (int)random_below(random, 5);
    return;
  case 6:
    world->kubelet.hides_new_slices = !world->kubelet.hides_new_slices;
    return;
  case 7:
    world->refuse_status = world->refuse_status ? 0 : 500;
    return;
  case 8:
    if (world->node)
      set_label(world, random_below(random, 3) ? "mig" : NULL);
    return;
  case 9:
    if (world->node)
      remove_node(world);
    else
      add_node(world);
    return;
  case 10:
    stop_agent(world);
    start_agent(world);
    return;
  default:
    world->patch_is_lost = !world->patch_is_lost;
  }
}

/* All is well again, and one more plan comes. */
static void heal(World *world) {
  world->driver_is_mute = world->kubelet.hides_new_slices = world->patch_is_lost = false;
  world->dying = world->refuse_status = 0;
  if (!world->node)
    add_node(world);
  set_label(world, "mig");
  kubelet_kill(&world->kubelet);
  kubelet_start(&world->kubelet);
  run_for(world, 2 * AGENT_RETRY_MAX_MS);
}

/* What nobody ever had is not there at all. */
static const char *offered(World *world, const char *resource) {
  const char *text = amount(world, "allocatable", resource);
  return strcmp(text, "(absent)") == 0 ? "0" : text;
}

/* What the node offers is what the kubelet has, and what the GPUs have. */
static void assert_truth(World *world, int seed) {
  CLEANUP(arena_deinit) Arena arena = {0};
  AgentResources resources;
  agent_publish_resources(world->truth, &arena, &resources);
  for (size_t i = 0; i < resources.count; i++) {
    char count[16];
    snprintf(count, sizeof count, "%zu", resources.items[i].partitions.count);
    if (strcmp(offered(world, resources.items[i].name), count) != 0)
      fail_msg("seed=%d: the node offers %s of %s, the GPUs have %s", seed,
               offered(world, resources.items[i].name), resources.items[i].name, count);
  }
  assert_string_equal(annotation(world, ECHO), annotation(world, MIG_ANNOTATION_SPEC_PLAN));
}

static void whatever_happens_it_can_be_freed_and_ends_with_the_truth(void **state) {
  for (int seed = 1; seed <= 60; seed++) {
    print_message("# seed=%d\n", seed);
    Random random = {.state = (uint64_t)seed};
    void *own;
    world_init(&own);
    World *world = own;
    start_agent(world);
    for (int steps = (int)random_below(&random, 60); steps > 0; steps--) {
      change_something(world, &random);
      run_for(world, random_below(&random, 4000));
    }
    if (seed % 3) { /* the others are freed where they stand */
      heal(world);
      set_plan(world, "last", "GPU-0 1g.10gb@3");
      run_for(world, 10000);
      assert_truth(world, seed);
    }
    world_deinit(&own);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      WORLD_TEST(it_can_be_freed_before_it_was_started_to_run),
      WORLD_TEST(it_can_be_freed_while_the_driver_works),
      cmocka_unit_test(whatever_happens_it_can_be_freed_and_ends_with_the_truth),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
