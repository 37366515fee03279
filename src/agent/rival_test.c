/* SPDX-License-Identifier: Apache-2.0 */
/* Another plugin announces our resources: how it is noticed, and that it is never fought. */
#include "agent/world_fixture.h"

#define RESOURCE "nvidia.com/mig-1g.10gb"
#define ERROR    "facet.gpu/error"
#define SENTENCE                                                                                             \
  " on this node: two plugins cannot share a resource; switch NVIDIA's off with the node label "             \
  "nvidia.com/gpu.deploy.device-plugin=false or run the agent with --publish nvidia"
#define TAKEN "another device plugin has registered " RESOURCE SENTENCE

/* One slice, published and free. */
static void settle_with_a_slice(World *world) {
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  settle(world);
}

static void a_list_that_is_not_ours_is_reported_and_not_answered(void **state) {
  World *world = *state;
  settle_with_a_slice(world);
  size_t registrations = world->kubelet.endpoints.count;
  world->kubelet.foreign = "MIG-x MIG-y";
  run_for(world, AGENT_RIVAL_LOOK_MS);
  assert_string_equal(annotation(world, ERROR), TAKEN);
  text_clear(&world->story);
  set_amount(world, RESOURCE, "2"); /* what the kubelet makes of the other's list */
  set_plan(world, "p1", "GPU-0 1g.10gb@6,1g.10gb@5");
  run_for(world, 5 * AGENT_RIVAL_LOOK_MS);
  assert_null(strstr(text_string(&world->story), "list "));
  assert_string_equal(amount(world, "allocatable", RESOURCE), "2");
  assert_int_equal(world->kubelet.endpoints.count, registrations);
}

static void when_the_other_one_has_gone_the_resource_is_registered_again(void **state) {
  World *world = *state;
  settle_with_a_slice(world);
  world->kubelet.foreign = "MIG-x";
  run_for(world, AGENT_RIVAL_LOOK_MS);
  world->kubelet.foreign = "";
  run_for(world, AGENT_RIVAL_LOOK_MS);
  world->kubelet.foreign = NULL;
  run_for(world, AGENT_BARRIER_POLL_MAX_MS);
  assert_string_equal(annotation(world, ERROR), "(absent)");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
}

static void a_pod_that_got_a_slice_without_us_gives_the_other_one_away(void **state) {
  World *world = *state;
  settle_with_a_slice(world);
  run_for(world, AGENT_RIVAL_GRACE_MS);
  world->kubelet.asks_another = true;
  text_append(&world->kubelet.held, "MIG-0-6");
  run_for(world, 3 * AGENT_USE_POLL_MS);
  assert_string_equal(annotation(world, ERROR), TAKEN);
}

static void what_pods_held_before_us_and_get_from_us_is_no_sign_of_another_one(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6 1g.10gb@5");
  text_append(&world->kubelet.held, "MIG-0-6");
  world->kubelet.asks_another = true; /* an earlier life of ours was asked */
  settle(world);
  world->kubelet.asks_another = false;
  text_append(&world->kubelet.held, " MIG-0-5");
  run_for(world, 5 * AGENT_RIVAL_LOOK_MS);
  assert_string_equal(annotation(world, ERROR), "(absent)");
}

static void what_a_restarted_kubelet_remembers_late_is_no_sign_of_another_one(void **state) {
  World *world = *state;
  settle_with_a_slice(world);
  run_for(world, AGENT_RIVAL_GRACE_MS);
  kubelet_kill(&world->kubelet);
  kubelet_start(&world->kubelet);
  run_for(world, 5 * AGENT_USE_POLL_MS);
  world->kubelet.asks_another = true; /* an earlier life of ours was asked */
  text_append(&world->kubelet.held, "MIG-0-6");
  run_for(world, 5 * AGENT_RIVAL_LOOK_MS);
  assert_string_equal(annotation(world, ERROR), "(absent)");
}

/* It asks the API server for its pods before it shows them, and that may hang for minutes. */
static void a_kubelet_that_hangs_for_minutes_is_no_sign_of_another_one(void **state) {
  World *world = *state;
  settle_with_a_slice(world);
  run_for(world, AGENT_RIVAL_GRACE_MS);
  kubelet_kill(&world->kubelet);
  kubelet_start(&world->kubelet);
  run_for(world, AGENT_RIVAL_GRACE_MS - 3 * AGENT_USE_POLL_MS);
  world->kubelet.asks_another = true; /* an earlier life of ours was asked */
  text_append(&world->kubelet.held, "MIG-0-6");
  run_for(world, 5 * AGENT_RIVAL_LOOK_MS);
  assert_string_equal(annotation(world, ERROR), "(absent)");
}

static void a_kubelet_that_hung_up_unnoticed_is_registered_with_again(void **state) {
  World *world = *state;
  settle_with_a_slice(world);
  size_t registrations = world->kubelet.endpoints.count;
  world->kubelet.foreign = ""; /* the plugin that it asked last has ended; our stream is still open */
  run_for(world, AGENT_RIVAL_LOOK_MS);
  assert_int_equal(world->kubelet.endpoints.count, registrations + 1);
  assert_string_equal(annotation(world, ERROR), "(absent)");
}

static void nvidias_plugin_is_noticed_by_its_sockets(void **state) {
  World *world = *state;
  settle_with_a_slice(world);
  memory_port_touch(&world->port, FOLDER "/nvidia-mig-1g.10gb.sock");
  run_for(world, 1000);
  assert_string_equal(annotation(world, ERROR), TAKEN);
  memory_port_touch(&world->port, FOLDER "/nvidia-mig-2g.20gb.sock");
  memory_port_touch(&world->port, FOLDER "/nvidia-mig-3g.40gb.sock");
  run_for(world, 1000);
  assert_string_equal(annotation(world, ERROR),
                      "another device plugin has registered " RESOURCE " and 2 more resources" SENTENCE);
  memory_port_remove(&world->port, FOLDER "/nvidia-mig-1g.10gb.sock");
  memory_port_remove(&world->port, FOLDER "/nvidia-mig-2g.20gb.sock");
  memory_port_remove(&world->port, FOLDER "/nvidia-mig-3g.40gb.sock");
  run_for(world, 1000);
  assert_string_equal(annotation(world, ERROR), "(absent)");
}

static void a_restarted_kubelet_makes_a_new_start(void **state) {
  World *world = *state;
  settle_with_a_slice(world);
  world->kubelet.foreign = "MIG-x";
  run_for(world, AGENT_RIVAL_LOOK_MS);
  world->kubelet.foreign = NULL;
  kubelet_kill(&world->kubelet);
  kubelet_start(&world->kubelet);
  run_for(world, 2000);
  assert_string_equal(annotation(world, ERROR), "(absent)");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
}

static void a_socket_that_cannot_be_made_is_reported_until_it_can(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  world->port.listen_error = "no room for a socket";
  start_agent(world);
  run_for(world, 5000);
  assert_string_equal(annotation(world, ERROR), "no room for a socket (and 6 more: see the agent's log)");
  world->port.listen_error = NULL;
  run_for(world, 15000);
  assert_string_equal(annotation(world, ERROR), "(absent)");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      WORLD_TEST(a_list_that_is_not_ours_is_reported_and_not_answered),
      WORLD_TEST(when_the_other_one_has_gone_the_resource_is_registered_again),
      WORLD_TEST(a_pod_that_got_a_slice_without_us_gives_the_other_one_away),
      WORLD_TEST(what_pods_held_before_us_and_get_from_us_is_no_sign_of_another_one),
      WORLD_TEST(what_a_restarted_kubelet_remembers_late_is_no_sign_of_another_one),
      WORLD_TEST(a_kubelet_that_hangs_for_minutes_is_no_sign_of_another_one),
      WORLD_TEST(a_kubelet_that_hung_up_unnoticed_is_registered_with_again),
      WORLD_TEST(nvidias_plugin_is_noticed_by_its_sockets),
      WORLD_TEST(a_restarted_kubelet_makes_a_new_start),
      WORLD_TEST(a_socket_that_cannot_be_made_is_reported_until_it_can),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
