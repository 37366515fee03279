/* SPDX-License-Identifier: Apache-2.0 */
/* How pods end, and when what they hold is free again. */
#include "sim/kubelet/world_fixture.h"

static void a_pod_that_finishes_gives_its_slice_back(void **state) {
  World *world = *state;
  announce(world, "a");
  send_pod_with(world, "p", "annotations", SIM_KUBELET_RUN_MS, "500");
  pass_time(world, START_MS + 600);
  assert_string_equal(pod_text(world, "p", "status", "phase"), "Succeeded");
  assert_string_equal(ask_held(world), "");
  send_pod(world, "q");
  pass_time(world, 1000);
  assert_string_equal(env_of(world, "q"), "a");
}

static void a_deleted_pod_goes_in_every_state_and_gives_its_slice_back(void **state) {
  static const uint64_t ages_ms[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 100, START_MS, 1000};
  World *world = *state;
  announce(world, "a");
  for (size_t i = 0; i < COUNT_OF(ages_ms); i++) {
    send_pod(world, "p");
    pass_time(world, ages_ms[i]);
    sim_api_delete_pod(world->api, "demo", "p");
    pass_time(world, 1000);
    assert_null(find_pod(world, "p"));
    assert_string_equal(ask_held(world), "");
  }
}

static void a_slice_is_held_until_the_container_has_ended(void **state) {
  World *world = *state;
  announce(world, "a");
  send_pod(world, "p");
  pass_time(world, 1000);
  sim_api_delete_pod(world->api, "demo", "p");
  pass_time(world, STOP_MS - 50);
  assert_non_null(find_pod(world, "p"));
  assert_string_equal(ask_held(world), "p a; ");
  pass_time(world, 50);
  assert_null(find_pod(world, "p"));
  assert_string_equal(ask_held(world), "");
}

static void a_forced_deletion_hides_the_pod_but_its_slice_is_still_held(void **state) {
  World *world = *state;
  announce(world, "a");
  send_pod(world, "p");
  pass_time(world, 1000);
  sim_api_remove_pod(world->api, "demo", "p");
  send_pod(world, "q");
  pass_time(world, 50);
  assert_string_equal(ask_held(world), "");
  assert_string_equal(pod_text(world, "q", "status", "message"),
                      "Allocate failed due to requested number of devices unavailable for " RESOURCE
                      ". Requested: 1, Available: 0, which is unexpected");
  pass_time(world, STOP_MS);
  send_pod(world, "r");
  pass_time(world, 50);
  assert_string_equal(env_of(world, "r"), "a");
}

static void a_pod_whose_image_is_nowhere_holds_its_slice_and_never_starts(void **state) {
  World *world = *state;
  announce(world, "a");
  send_pod_with(world, "p", "labels", SIM_KUBELET_NO_IMAGE, "n1");
  pass_time(world, 60000);
  assert_string_equal(pod_text(world, "p", "status", "phase"), "Pending");
  assert_string_equal(ask_pod(world, "p"), "p a; ");
  sim_api_delete_pod(world->api, "demo", "p");
  pass_time(world, STOP_MS + 50);
  assert_null(find_pod(world, "p"));
  assert_string_equal(ask_pod(world, "p"), "");
  send_pod(world, "q");
  pass_time(world, 50);
  assert_string_equal(env_of(world, "q"), "a");
}

static void a_restarted_kubelet_finishes_a_deletion(void **state) {
  static const uint64_t ages_ms[] = {1, 50, STOP_MS, STOP_MS + 2, STOP_MS + 4, STOP_MS + 6, STOP_MS + 8};
  World *world = *state;
  announce(world, "a");
  for (size_t i = 0; i < COUNT_OF(ages_ms); i++) {
    send_pod(world, "p");
    pass_time(world, 1000);
    sim_api_delete_pod(world->api, "demo", "p");
    pass_time(world, ages_ms[i]);
    sim_kubelet_free(world->kubelet);
    kubelet_start(world);
    pass_time(world, 1000);
    assert_null(find_pod(world, "p"));
    assert_string_equal(ask_held(world), "");
  }
}

static void pods_that_went_while_no_kubelet_was_there_are_forgotten(void **state) {
  World *world = *state;
  announce(world, "a");
  send_pod(world, "p");
  pass_time(world, 1000);
  sim_kubelet_free(world->kubelet);
  sim_api_delete_pod(world->api, "demo", "p");
  kubelet_start(world);
  pass_time(world, 1000);
  assert_null(find_pod(world, "p"));
  assert_string_equal(ask_held(world), "");
}

/* Two containers are two entries in the checkpoint. */
static void all_pods_that_went_while_no_kubelet_was_there_are_forgotten(void **state) {
  World *world = *state;
  announce(world, "a b c");
  send_pod(world, "p");
  pass_time(world, 1000);
  create(world, PODS,
         "{\"metadata\":{\"name\":\"q\"},\"spec\":{\"nodeName\":\"n1\",\"containers\":["
         "{\"name\":\"one\",\"resources\":{\"limits\":{\"" RESOURCE "\":\"1\"}}},"
         "{\"name\":\"two\",\"resources\":{\"limits\":{\"" RESOURCE "\":\"1\"}}}]}}");
  pass_time(world, 1000);
  assert_int_equal(world->disk.held.count, 3);
  sim_kubelet_free(world->kubelet);
  sim_api_remove_pod(world->api, "demo", "p");
  sim_api_remove_pod(world->api, "demo", "q");
  kubelet_start(world);
  pass_time(world, 1000);
  assert_int_equal(world->disk.held.count, 0);
}

/* As in the real device manager, which forgets pods that are unknown before it looks for what is free. */
static void what_pods_held_that_are_forgotten_is_free_for_those_that_wait(void **state) {
  World *world = *state;
  announce(world, "a");
  send_pod(world, "p");
  pass_time(world, 1000);
  sim_kubelet_free(world->kubelet);
  sim_api_remove_pod(world->api, "demo", "p");
  send_pod(world, "q");
  kubelet_start(world);
  pass_time(world, 1);
  sim_api_stall_watches(world->api, SIM_API_PODS, 6000); /* the plugin is quicker */
  pass_time(world, 10000);
  assert_string_equal(string_or_empty(env_of(world, "q")), "a");
}

static void what_the_plugin_has_not_answered_for_yet_is_shown_to_nobody(void **state) {
  World *world = *state;
  announce(world, "a");
  send_pod(world, "p");
  pass_time(world, 1000);
  assert_string_equal(ask_held(world), "p a; ");
  world->disk.held.items[0]->is_answered = false;
  assert_string_equal(ask_held(world), "");
  assert_string_equal(ask_pod(world, "p"), "");
}

static void what_the_api_server_did_not_hear_is_said_again(void **state) {
  World *world = *state;
  announce(world, "a");
  send_pod(world, "p");
  pass_time(world, START_MS - 50);
  sim_api_fail_next(world->api, 2, 503);
  pass_time(world, 500);
  assert_string_equal(pod_text(world, "p", "status", "phase"), "Pending");
  pass_time(world, 1500);
  assert_string_equal(pod_text(world, "p", "status", "phase"), "Running");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(a_pod_that_finishes_gives_its_slice_back),
      CASE(a_deleted_pod_goes_in_every_state_and_gives_its_slice_back),
      CASE(a_slice_is_held_until_the_container_has_ended),
      CASE(a_forced_deletion_hides_the_pod_but_its_slice_is_still_held),
      CASE(a_pod_whose_image_is_nowhere_holds_its_slice_and_never_starts),
      CASE(a_restarted_kubelet_finishes_a_deletion),
      CASE(pods_that_went_while_no_kubelet_was_there_are_forgotten),
      CASE(all_pods_that_went_while_no_kubelet_was_there_are_forgotten),
      CASE(what_pods_held_that_are_forgotten_is_free_for_those_that_wait),
      CASE(what_the_plugin_has_not_answered_for_yet_is_shown_to_nobody),
      CASE(what_the_api_server_did_not_hear_is_said_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
