/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated kubelet between a real device plugin (kubelet/plugins.h) and the simulated API server. */
#include "sim/kubelet/world_fixture.h"

/* ---- partitions ---- */

static void an_announced_slice_is_known_at_once_and_offered_at_the_next_tick(void **state) {
  World *world = *state;
  pass_time(world, TICK_MS);
  announce(world, "a b c!");
  assert_int_equal(world->registered_count, 1);
  assert_true(kubelet_plugins_is_current(world->plugins, RESOURCE));
  assert_string_equal(ask_allocatable(world), "a; b; ");
  assert_null(offered(world, "allocatable"));
  pass_time(world, TICK_MS);
  assert_string_equal(offered(world, "capacity"), "3");
  assert_string_equal(offered(world, "allocatable"), "2");
  announce(world, "a b c d");
  assert_string_equal(ask_allocatable(world), "a; b; c; d; ");
}

static void without_its_plugin_a_resource_has_nothing_healthy(void **state) {
  World *world = *state;
  announce(world, "a b");
  agent_stop(world);
  pass_time(world, 2 * TICK_MS);
  assert_string_equal(offered(world, "capacity"), "2");
  assert_string_equal(offered(world, "allocatable"), "0");
  agent_start(world);
  announce(world, "a b");
  pass_time(world, TICK_MS);
  assert_string_equal(offered(world, "allocatable"), "2");
}

static void a_second_registration_leaves_the_first_stream_open_and_the_last_list_counts(void **state) {
  World *world = *state;
  announce(world, "a");
  kubelet_plugins_claim(world->plugins, RESOURCE);
  pass_time(world, 100);
  assert_int_equal(world->registered_count, 2);
  pass_time(world, TICK_MS);
  assert_int_equal(world->registered_count, 2); /* nobody was hung up on */
  announce(world, "a b");
  assert_string_equal(ask_allocatable(world), "a; b; ");
}

/* ---- pods ---- */

static void a_pod_gets_a_slice_and_its_environment_and_runs_after_the_start_time(void **state) {
  World *world = *state;
  announce(world, "a");
  send_pod(world, "p");
  pass_time(world, START_MS - 50);
  assert_string_equal(pod_text(world, "p", "status", "phase"), "Pending");
  assert_string_equal(env_of(world, "p"), "a");
  pass_time(world, 100);
  assert_string_equal(pod_text(world, "p", "status", "phase"), "Running");
  assert_string_equal(ask_held(world), "p a; ");
}

static void the_plugin_chooses_among_the_available_ones(void **state) {
  World *world = *state;
  world->prefers_last = true;
  announce(world, "a b c");
  send_pod(world, "p");
  send_pod(world, "q");
  pass_time(world, 1000);
  assert_string_equal(env_of(world, "p"), "c");
  assert_string_equal(env_of(world, "q"), "b");
}

static void a_pod_without_a_healthy_slice_is_rejected_for_good(void **state) {
  World *world = *state;
  announce(world, "a b!");
  send_pod(world, "p");
  send_pod(world, "q");
  pass_time(world, 1000);
  assert_string_equal(pod_text(world, "p", "status", "phase"), "Running");
  assert_string_equal(pod_text(world, "q", "status", "phase"), "Failed");
  assert_string_equal(pod_text(world, "q", "status", "reason"), "UnexpectedAdmissionError");
  assert_string_equal(pod_text(world, "q", "status", "message"),
                      "Allocate failed due to requested number of devices unavailable for " RESOURCE
                      ". Requested: 1, Available: 0, which is unexpected");
  announce(world, "a b");
  pass_time(world, 1000);
  assert_string_equal(pod_text(world, "q", "status", "phase"), "Failed");
}

static void a_pod_that_comes_while_the_plugin_is_away_is_rejected(void **state) {
  World *world = *state;
  announce(world, "a");
  agent_stop(world);
  pass_time(world, 100);
  send_pod(world, "p");
  pass_time(world, 1000);
  assert_string_equal(
      pod_text(world, "p", "status", "message"),
      "Allocate failed due to no healthy devices present; cannot allocate unhealthy devices " RESOURCE
      ", which is unexpected");
}

static void a_plugin_that_refuses_rejects_the_pod_and_keeps_the_slice(void **state) {
  World *world = *state;
  announce(world, "a");
  world->refusal = "the slice is gone";
  send_pod(world, "p");
  pass_time(world, 1000);
  assert_string_equal(
      pod_text(world, "p", "status", "message"),
      "Allocate failed due to rpc error: code = 9 desc = the slice is gone, which is unexpected");
  world->refusal = NULL;
  send_pod(world, "q");
  pass_time(world, 1000);
  assert_string_equal(env_of(world, "q"), "a");
}

static void a_resource_that_nobody_registered_is_not_looked_after(void **state) {
  World *world = *state;
  send_pod(world, "p");
  pass_time(world, 1000);
  assert_string_equal(pod_text(world, "p", "status", "phase"), "Running");
  assert_null(env_of(world, "p"));
}

static void a_slice_that_left_the_list_stays_with_its_pod(void **state) {
  World *world = *state;
  announce(world, "a b");
  send_pod(world, "p");
  pass_time(world, 1000);
  announce(world, "b");
  assert_string_equal(ask_held(world), "p a; ");
  assert_string_equal(ask_allocatable(world), "b; ");
  assert_string_equal(pod_text(world, "p", "status", "phase"), "Running");
  announce(world, "a b");
  send_pod(world, "q");
  pass_time(world, 1000);
  assert_string_equal(env_of(world, "q"), "b");
}

static void a_slice_may_be_asked_for_that_has_just_left_the_list(void **state) {
  World *world = *state;
  announce(world, "a b");
  world->announces = "b";
  send_pod(world, "p");
  pass_time(world, 1000);
  assert_string_equal(env_of(world, "p"), "a");
  assert_string_equal(ask_allocatable(world), "b; ");
}

static void one_pod_can_be_asked_for(void **state) {
  World *world = *state;
  announce(world, "a b");
  send_pod(world, "p");
  send_pod(world, "q");
  pass_time(world, 1000);
  assert_string_equal(ask_pod(world, "p"), "p a; ");
  assert_string_equal(ask_pod(world, "q"), "q b; ");
  assert_string_equal(ask_pod(world, "r"), "");
}

/* ---- restarts ---- */

/* It hears of its pods only when the plugin is there again. */
static void kubelet_start_late(World *world) {
  kubelet_start(world);
  sim_api_fail_next(world->api, 2, 503);
  pass_time(world, 5000);
}

static void a_restarted_kubelet_rejects_what_did_not_run_while_the_plugin_is_away(void **state) {
  World *world = *state;
  announce(world, "a");
  send_pod(world, "p");
  pass_time(world, 100);
  agent_stop(world);
  sim_kubelet_free(world->kubelet);
  kubelet_start(world);
  pass_time(world, 1000);
  assert_string_equal(
      pod_text(world, "p", "status", "message"),
      "Allocate failed due to no healthy devices present; cannot allocate unhealthy devices " RESOURCE
      ", which is unexpected");
}

static void a_restarted_kubelet_knows_who_holds_what(void **state) {
  World *world = *state;
  announce(world, "a b");
  send_pod(world, "p");
  pass_time(world, 1000);
  sim_kubelet_free(world->kubelet);
  pass_time(world, 100);
  kubelet_start(world);
  pass_time(world, 500);
  assert_int_equal(world->registered_count, 2);
  assert_string_equal(ask_held(world), "p a; ");
  send_pod(world, "q");
  pass_time(world, 1000);
  assert_string_equal(env_of(world, "q"), "b");
  assert_string_equal(pod_text(world, "p", "status", "phase"), "Running");
}

static void a_restarted_kubelet_starts_what_it_had_admitted(void **state) {
  World *world = *state;
  announce(world, "a");
  send_pod(world, "p");
  pass_time(world, 100);
  assert_string_equal(env_of(world, "p"), "a");
  sim_kubelet_free(world->kubelet);
  kubelet_start_late(world);
  assert_string_equal(pod_text(world, "p", "status", "phase"), "Running");
  assert_string_equal(ask_held(world), "p a; ");
}

static void a_restarted_kubelet_rejects_what_did_not_run_and_lost_its_slice(void **state) {
  World *world = *state;
  announce(world, "a b");
  send_pod_with(world, "p", "labels", SIM_KUBELET_NO_IMAGE, "n1");
  pass_time(world, 1000);
  announce(world, "b");
  sim_kubelet_free(world->kubelet);
  kubelet_start_late(world);
  assert_string_equal(pod_text(world, "p", "status", "phase"), "Failed");
  assert_string_equal(pod_text(world, "p", "status", "message"),
                      "Allocate failed due to previously allocated devices are no longer healthy; cannot "
                      "allocate unhealthy devices " RESOURCE ", which is unexpected");
}

static void a_killed_kubelet_leaves_sockets_that_refuse(void **state) {
  World *world = *state;
  sim_kubelet_free(TAKE(world->kubelet));
  assert_string_equal(ask_held(world), "the kubelet's pod-resources socket " SIM_KUBELET_POD_RESOURCES
                                       " does not answer: cannot connect to " SIM_KUBELET_POD_RESOURCES
                                       ": connection refused");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(an_announced_slice_is_known_at_once_and_offered_at_the_next_tick),
      CASE(without_its_plugin_a_resource_has_nothing_healthy),
      CASE(a_second_registration_leaves_the_first_stream_open_and_the_last_list_counts),
      CASE(a_pod_gets_a_slice_and_its_environment_and_runs_after_the_start_time),
      CASE(the_plugin_chooses_among_the_available_ones),
      CASE(a_pod_without_a_healthy_slice_is_rejected_for_good),
      CASE(a_pod_that_comes_while_the_plugin_is_away_is_rejected),
      CASE(a_plugin_that_refuses_rejects_the_pod_and_keeps_the_slice),
      CASE(a_resource_that_nobody_registered_is_not_looked_after),
      CASE(a_slice_that_left_the_list_stays_with_its_pod),
      CASE(a_slice_may_be_asked_for_that_has_just_left_the_list),
      CASE(one_pod_can_be_asked_for),
      CASE(a_restarted_kubelet_knows_who_holds_what),
      CASE(a_restarted_kubelet_starts_what_it_had_admitted),
      CASE(a_restarted_kubelet_rejects_what_did_not_run_while_the_plugin_is_away),
      CASE(a_restarted_kubelet_rejects_what_did_not_run_and_lost_its_slice),
      CASE(a_killed_kubelet_leaves_sockets_that_refuse),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
