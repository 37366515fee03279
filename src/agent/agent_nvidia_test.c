/* SPDX-License-Identifier: Apache-2.0 */
/* The agent where NVIDIA's device plugin publishes: when it is made to read the GPUs, and what is said of it.
 */
#include "agent/nvidia_fixture.h"

#include "agent/publish.h"
#include "agent/recutting.h"
#include "agent/rereading.h"

#define SMALL "nvidia.com/mig-1g.10gb"
#define LARGE "nvidia.com/mig-3g.40gb"
#define STAGE "facet.gpu/stage"

static Plugin *plugin_of(World *world) {
  return world->plugin;
}

/* Two slices are made; the plugin does not know yet. */
static void begin_growth(World *world) {
  settle(world);
  set_plan(world, "p1", "GPU-0 1g.10gb@6,1g.10gb@5");
}

/* ---- growing ---- */

static void all_slices_of_a_plan_are_read_at_once_and_then_reported(void **state) {
  World *world = *state;
  begin_growth(world);
  run_for(world, AGENT_REREAD_GATHER_MS - 1);
  assert_story(world, "create 1g.10gb@6;create 1g.10gb@5;");
  run_for(world, 1);
  assert_story(world, "SIGHUP;");
  run_for(world, PLUGIN_READS_MS - 1);
  assert_story(world, "patch;"); /* what there is, but not yet what there is to have */
  assert_string_equal(amount(world, "allocatable", SMALL), "(absent)");
  run_for(world, AGENT_REREAD_POLL_MS + 1);
  assert_story(world, "plugin reads;patch;");
  assert_string_equal(amount(world, "allocatable", SMALL), "2");
  assert_string_equal(amount(world, "capacity", SMALL), "2");
  assert_string_equal(annotation(world, MIG_ANNOTATION_STATUS_PLAN), "p1");
  run_for(world, 3600000 - 1);
  assert_null(strstr(text_string(&world->story), "SIGHUP"));
  assert_null(strstr(text_string(&world->story), "patch"));
}

static void it_is_not_made_to_read_while_the_gpus_are_being_cut(void **state) {
  World *world = *state;
  settle(world);
  world->driver_is_mute = true;
  set_plan(world, "p1", "GPU-0 1g.10gb@6,1g.10gb@5");
  run_for(world, 100);
  world->driver_is_mute = false;
  driver_turn(world); /* the first one is there */
  world->driver_is_mute = true;
  run_for(world, 20000);
  assert_story(world, "create 1g.10gb@6;create 1g.10gb@5;patch;patch;"); /* ... and that it waits */
  world->driver_is_mute = false;
  run_for(world, 1000);
  assert_story(world, "SIGHUP;patch;plugin reads;patch;");
}

static void what_is_shown_already_is_not_asked_for(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  plugin_read(world->plugin);
  text_clear(&world->story);
  start_agent(world);
  run_for(world, 10000);
  assert_story(world, "observe;patch;");
  assert_string_equal(amount(world, "allocatable", SMALL), "1");
}

static void a_crash_while_it_waits_loses_nothing(void **state) {
  World *world = *state;
  begin_growth(world);
  run_for(world, 100);
  stop_agent(world);
  settle(world);
  assert_string_equal(amount(world, "allocatable", SMALL), "2");
}

static void the_agent_makes_no_plugin_sockets(void **state) {
  World *world = *state;
  begin_growth(world);
  run_for(world, 5000);
  assert_int_equal(world->kubelet.endpoints.count, 0);
  for (size_t i = 0; i < world->port.files.count; i++)
    assert_null(strstr(world->port.files.items[i].path, "facet"));
}

static void whole_gpus_are_left_to_it(void **state) {
  World *world = *state;
  observe_in(world->truth, "A100-80GB", "")->mode = MIG_MODE_OFF;
  set_amount(world, "nvidia.com/gpu", "9"); /* as where it shares them */
  begin_growth(world);
  run_for(world, 5000);
  assert_string_equal(amount(world, "allocatable", SMALL), "2");
  assert_string_equal(amount(world, "allocatable", "nvidia.com/gpu"), "9");
}

static void capacity_that_the_kubelet_keeps_for_a_while_is_not_contradicted(void **state) {
  World *world = *state;
  set_amount(world, SMALL, "3");
  settle(world);
  assert_string_equal(amount(world, "allocatable", SMALL), "0");
  assert_string_equal(amount(world, "capacity", SMALL), "3");
}

/* ---- its pod ---- */

static void without_a_process_to_signal_its_pod_is_deleted(void **state) {
  World *world = *state;
  plugin_of(world)->is_unseen = true;
  plugin_of(world)->label = "name%3Dnvidia-device-plugin-ds";
  begin_growth(world);
  run_for(world, 1000);
  assert_story(world, "create 1g.10gb@6;create 1g.10gb@5;patch;"
                      "pods app%3Dnvidia-device-plugin-daemonset;"
                      "pods app.kubernetes.io%2Fname%3Dnvidia-device-plugin;"
                      "pods name%3Dnvidia-device-plugin-ds;delete plugin-0;");
  run_for(world, PLUGIN_RESTARTS_MS);
  assert_story(world, "patch;plugin reads;patch;");
  assert_string_equal(amount(world, "allocatable", SMALL), "2");
  assert_string_equal(annotation(world, MIG_ANNOTATION_ERROR), "(absent)");
  assert_string_equal(annotation(world, STAGE), "(absent)");
}

static void the_pod_is_found_by_a_label_of_ones_own(void **state) {
  World *world = *state;
  world->plugin_process = NULL;
  world->options.plugin_selector = "team=gpu";
  plugin_of(world)->label = "team%3Dgpu";
  begin_growth(world);
  run_for(world, 1000);
  assert_story(world, "create 1g.10gb@6;create 1g.10gb@5;patch;pods team%3Dgpu;delete plugin-0;");
}

static void a_pod_that_is_starting_is_not_deleted_for_the_next_slice(void **state) {
  World *world = *state;
  world->plugin_process = NULL;
  world->options.plugin_selector = "team=gpu";
  plugin_of(world)->label = "team%3Dgpu";
  begin_growth(world);
  run_for(world, 1000);
  set_plan(world, "p2", "GPU-0 1g.10gb@6,1g.10gb@5,1g.10gb@4");
  run_for(world, AGENT_REREAD_STARTS_MS);
  assert_null(strstr(text_string(&world->story), "delete plugin-1"));
  assert_string_equal(amount(world, "allocatable", SMALL), "3");
}

static void where_sighup_does_not_help_the_pod_is_deleted(void **state) {
  World *world = *state;
  plugin_of(world)->is_deaf = true;
  plugin_of(world)->label = "app%3Dnvidia-device-plugin-daemonset";
  begin_growth(world);
  run_for(world, 1000);
  text_clear(&world->story);
  run_for(world, AGENT_REREAD_AGAIN_MS);
  assert_story(world, "patch;pods app%3Dnvidia-device-plugin-daemonset;delete plugin-0;patch;");
  run_for(world, PLUGIN_RESTARTS_MS + 1000);
  assert_string_equal(amount(world, "allocatable", SMALL), "2");
}

/* ---- what can go wrong ---- */

static void a_plugin_that_cannot_be_found_is_an_error_until_it_can(void **state) {
  World *world = *state;
  plugin_of(world)->is_unseen = true;
  begin_growth(world);
  run_for(world, 1000);
  assert_string_equal(
      annotation(world, MIG_ANNOTATION_ERROR),
      "NVIDIA's device plugin cannot be told to read the GPUs again: no process nvidia-device-plugin is to "
      "be seen (without hostPID: true none is), and no pod of this node has one of its usual labels: is it "
      "installed? Say which pod with --nvidia-plugin-selector");
  plugin_of(world)->is_unseen = false;
  run_for(world, AGENT_REREAD_REFUSED_MS + 1000);
  assert_string_equal(annotation(world, MIG_ANNOTATION_ERROR), "(absent)");
  assert_string_equal(amount(world, "allocatable", SMALL), "2");
}

static void rights_that_are_missing_are_named_and_asked_for_ever_more_rarely(void **state) {
  World *world = *state;
  plugin_of(world)->is_forbidden = true;
  plugin_of(world)->refuse_pods = 403;
  begin_growth(world);
  run_for(world, 1000);
  assert_string_equal(annotation(world, MIG_ANNOTATION_ERROR),
                      "NVIDIA's device plugin cannot be told to read the GPUs again: process 42 "
                      "(nvidia-device-plugin) may not "
                      "be sent SIGHUP: no, and its pod cannot be looked for: the API server refused GET "
                      "/api/v1/pods: no (403 "
                      "Forbidden); give this account the verb \"list\" on pods");
  text_clear(&world->story);
  run_for(world, 600000);
  const char *told = strstr(text_string(&world->story), "patch;"); /* that it waits */
  assert_non_null(told);
  assert_null(strstr(told + 1, "patch;"));
  size_t tries = 0;
  for (const char *at = text_string(&world->story); (at = strstr(at, "pods ")); at++)
    tries++;
  assert_int_equal(tries, 6); /* after 5, 10, 20, 40, 80 and 160 s */
  plugin_of(world)->refuse_pods = 0;
  plugin_of(world)->label = "app%3Dnvidia-device-plugin-daemonset";
  run_for(world, AGENT_REREAD_AGAIN_MAX_MS + PLUGIN_RESTARTS_MS);
  assert_string_equal(annotation(world, MIG_ANNOTATION_ERROR), "(absent)");
  assert_string_equal(amount(world, "allocatable", SMALL), "2");
}

static void a_wait_is_told_to_the_node(void **state) {
  World *world = *state;
  plugin_of(world)->is_deaf = true;
  begin_growth(world);
  run_for(world, AGENT_REREAD_STAGE_MS - 1);
  assert_string_equal(annotation(world, STAGE), "(absent)");
  run_for(world, 100);
  assert_string_equal(
      annotation(world, STAGE),
      "waiting for NVIDIA's device plugin to show 2 slices, since 1969-12-31T23:59:55Z: SIGHUP "
      "was sent to its process 42");
  plugin_read(world->plugin);
  run_for(world, 1000);
  assert_string_equal(annotation(world, STAGE), "(absent)");
}

static void a_plugin_that_shows_nothing_is_an_error_after_a_minute(void **state) {
  World *world = *state;
  plugin_of(world)->is_blind = true;
  begin_growth(world);
  run_for(world, AGENT_REREAD_TROUBLE_MS - 1);
  const char *before = annotation(world, MIG_ANNOTATION_ERROR);
  assert_null(strstr(before, "does not show"));
  plugin_of(world)->label = "app%3Dnvidia-device-plugin-daemonset";
  run_for(world, AGENT_REREAD_TROUBLE_MS);
  assert_string_equal(annotation(world, MIG_ANNOTATION_ERROR),
                      "NVIDIA's device plugin does not show 2 slices, for a minute or longer: its pod "
                      "kube-system/plugin-0 was deleted; its log may say why");
  assert_string_equal(amount(world, "allocatable", SMALL), "(absent)");
}

static void a_strategy_that_does_not_fit_is_named_and_it_is_left_in_peace(void **state) {
  World *world = *state;
  plugin_of(world)->is_single = true;
  begin_growth(world);
  run_for(world, 600000);
  assert_string_equal(
      annotation(world, MIG_ANNOTATION_ERROR),
      "NVIDIA's device plugin publishes MIG-0-6 as nvidia.com/gpu: only its MIG strategy `mixed` "
      "fits (Helm migStrategy=mixed, GPU Operator mig.strategy=mixed)");
  const char *first = strstr(text_string(&world->story), "SIGHUP;");
  assert_non_null(first);
  assert_null(strstr(first + 1, "SIGHUP;"));
  assert_null(strstr(text_string(&world->story), "pods "));
  plugin_of(world)->is_single = false;
  plugin_read(world->plugin); /* somebody mended it, and it started again */
  run_for(world, 2000);
  assert_string_equal(annotation(world, MIG_ANNOTATION_ERROR), "(absent)");
  assert_string_equal(amount(world, "allocatable", SMALL), "2");
}

static void shared_slices_do_not_fit(void **state) {
  World *world = *state;
  plugin_of(world)->is_deaf = true;
  begin_growth(world);
  run_for(world, 1000);
  text_append(&world->kubelet.strange, SMALL "=MIG-0-6::0 " SMALL "=MIG-0-6::1 ");
  run_for(world, AGENT_REREAD_TROUBLE_MS);
  assert_string_equal(
      annotation(world, MIG_ANNOTATION_ERROR),
      "NVIDIA's device plugin shares slices between pods (MIG-0-6::0 of nvidia.com/mig-1g.10gb): "
      "take `sharing` of MIG slices out of its configuration");
}

static void a_restart_of_its_own_is_waited_for_and_nothing_is_offered_meanwhile(void **state) {
  World *world = *state;
  begin_growth(world);
  run_for(world, 5000);
  text_clear(&world->story);
  plugin_restart(world->plugin, 30000);
  set_amount(world, SMALL, "0"); /* says the kubelet */
  run_for(world, 29000);
  assert_string_equal(amount(world, "allocatable", SMALL), "0");
  assert_true(string_has_suffix(annotation(world, STAGE),
                                "it had shown them: is it starting again, or does it hold a GPU for sick?"));
  run_for(world, 5000);
  assert_story(world, "patch;plugin reads;patch;");
  assert_string_equal(amount(world, "allocatable", SMALL), "2");
}

static void what_an_earlier_life_took_over_is_given_back(void **state) {
  World *world = *state;
  json_object_set_new(metadata_of(world, "labels"), "nvidia.com/gpu.deploy.device-plugin",
                      json_string("false"));
  set_annotation(world, "facet.gpu/took-over", "absent");
  begin_growth(world);
  run_for(world, 5000);
  assert_string_equal(annotation(world, "facet.gpu/took-over"), "(absent)");
  assert_null(json_object_get(metadata_of(world, "labels"), "nvidia.com/gpu.deploy.device-plugin"));
}

static void when_the_label_goes_the_reports_go_and_the_amounts_stay(void **state) {
  World *world = *state;
  begin_growth(world);
  run_for(world, 5000);
  set_label(world, NULL);
  run_for(world, 30000);
  assert_string_equal(annotation(world, "facet.gpu/status-gpu-0"), "(absent)");
  assert_string_equal(amount(world, "allocatable", SMALL), "2");
  set_label(world, "mig");
  run_for(world, 5000);
  assert_string_equal(annotation(world, "facet.gpu/status-gpu-0"), "1g.10gb@5:free,1g.10gb@6:free");
}

/* ---- re-cutting ---- */

/* Seven small slices, one used; the plan wants a 3g.40gb in the place of three of the six free ones. */
static void begin_recut(World *world) {
  observe_slices(&world->truth->gpus[0],
                 "1g.10gb@0 1g.10gb@1 1g.10gb@2 1g.10gb@3 1g.10gb@4 1g.10gb@5 1g.10gb@6");
  text_append(&world->kubelet.held, "MIG-0-0");
  plugin_read(world->plugin);
  settle(world);
  assert_string_equal(amount(world, "allocatable", SMALL), "7");
  text_append(&world->kubelet.reserved, "MIG-0-1 MIG-0-2 MIG-0-3 MIG-0-4 MIG-0-5 MIG-0-6");
  set_plan(world, "p1", "GPU-0 3g.40gb@4,1g.10gb@0,1g.10gb@1,1g.10gb@2,1g.10gb@3");
}

static const char *asked_amount(World *world) {
  const json_t *containers = json_object_get(json_object_get(world->pod, "spec"), "containers");
  const json_t *resources = json_object_get(json_array_get(containers, 0), "resources");
  return json_string_value(json_object_get(json_object_get(resources, "limits"), SMALL));
}

static void a_re_cut_reserves_all_free_slices_and_has_the_gpus_read_once(void **state) {
  World *world = *state;
  begin_recut(world);
  run_for(world, AGENT_REREAD_GATHER_MS);
  assert_string_equal(asked_amount(world), "6");
  run_for(world, PLUGIN_READS_MS + 300);
  assert_story(world, "reserve;destroy 1g.10gb@4;destroy 1g.10gb@5;destroy 1g.10gb@6;create 3g.40gb@4;"
                      "SIGHUP;patch;plugin reads;patch;");
  run_for(world, AGENT_KUBELET_LATE_MS - 1000);
  assert_story(world, ""); /* the plugin's list has become shorter only when it had read */
  run_for(world, 1000);
  assert_story(world, "patch;release;");
  assert_string_equal(amount(world, "allocatable", SMALL), "4");
  assert_string_equal(amount(world, "allocatable", LARGE), "1");
  assert_null(world->pod);
}

static void a_re_cut_keeps_its_reservation_until_the_kubelet_shows_the_new_slices(void **state) {
  World *world = *state;
  plugin_of(world)->is_deaf = true;
  begin_recut(world);
  run_for(world, 10000);
  assert_non_null(world->pod);
  assert_string_equal(amount(world, "allocatable", SMALL), "7"); /* all free ones are reserved */
  plugin_read(world->plugin);
  run_for(world, AGENT_KUBELET_LATE_MS + 1000);
  assert_null(world->pod);
  assert_string_equal(amount(world, "allocatable", SMALL), "4");
}

static void too_few_of_the_targets_are_given_back(void **state) {
  World *world = *state;
  begin_recut(world);
  text_clear(&world->kubelet.reserved);
  text_append(&world->kubelet.reserved, "MIG-0-1 MIG-0-2 MIG-0-3 MIG-0-4 MIG-0-5");
  run_for(world, AGENT_RECUT_PATIENCE_MS + 1000);
  assert_story(world, "reserve;patch;release;");
  assert_int_equal(world->truth->gpus[0].instance_count, 7);
}

static void a_reservation_that_goes_in_the_middle_saves_the_slices_that_are_left(void **state) {
  World *world = *state;
  begin_recut(world);
  world->driver_is_mute = true; /* in the middle of the first destruction */
  run_for(world, 100);
  remove_pod(world);
  world->driver_is_mute = false;
  run_for(world, 20000);
  assert_non_null(agent_publish_find(world->truth, "MIG-0-5", NULL));
  assert_non_null(agent_publish_find(world->truth, "MIG-0-6", NULL));
  assert_string_equal(amount(world, "allocatable", SMALL), "6");
}

static void leaving_keeps_the_reservation_while_slices_that_are_gone_are_shown(void **state) {
  World *world = *state;
  plugin_of(world)->is_deaf = true;
  begin_recut(world);
  run_for(world, 2000);
  set_label(world, NULL);
  run_for(world, 5000);
  assert_non_null(world->pod);
  plugin_read(world->plugin);
  run_for(world, AGENT_KUBELET_LATE_MS + 1000);
  assert_null(world->pod);
}

static void note_left(void *userdata) {
  *(bool *)userdata = true;
}

static void an_agent_that_ends_lets_its_reservation_go_first(void **state) {
  World *world = *state;
  bool has_left = false;
  begin_recut(world);
  run_for(world, 100);
  agent_leave(world->agent, note_left, &has_left);
  assert_false(has_left);
  run_for(world, 5000);
  assert_true(has_left);
  assert_null(world->pod);
}

static void a_crash_at_any_moment_of_a_re_cut_loses_nothing(void **state) {
  World *world = *state;
  begin_recut(world);
  for (uint64_t moment = 0; moment < 60; moment++) {
    run_for(world, moment % 7);
    stop_agent(world);
    start_agent(world);
  }
  run_for(world, 60000);
  assert_string_equal(amount(world, "allocatable", SMALL), "4");
  assert_string_equal(amount(world, "allocatable", LARGE), "1");
  assert_null(world->pod);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      NVIDIA_TEST(all_slices_of_a_plan_are_read_at_once_and_then_reported),
      NVIDIA_TEST(it_is_not_made_to_read_while_the_gpus_are_being_cut),
      NVIDIA_TEST(what_is_shown_already_is_not_asked_for),
      NVIDIA_TEST(a_crash_while_it_waits_loses_nothing),
      NVIDIA_TEST(the_agent_makes_no_plugin_sockets),
      NVIDIA_TEST(whole_gpus_are_left_to_it),
      NVIDIA_TEST(capacity_that_the_kubelet_keeps_for_a_while_is_not_contradicted),
      NVIDIA_TEST(without_a_process_to_signal_its_pod_is_deleted),
      NVIDIA_TEST(the_pod_is_found_by_a_label_of_ones_own),
      NVIDIA_TEST(a_pod_that_is_starting_is_not_deleted_for_the_next_slice),
      NVIDIA_TEST(where_sighup_does_not_help_the_pod_is_deleted),
      NVIDIA_TEST(a_plugin_that_cannot_be_found_is_an_error_until_it_can),
      NVIDIA_TEST(rights_that_are_missing_are_named_and_asked_for_ever_more_rarely),
      NVIDIA_TEST(a_wait_is_told_to_the_node),
      NVIDIA_TEST(a_plugin_that_shows_nothing_is_an_error_after_a_minute),
      NVIDIA_TEST(a_strategy_that_does_not_fit_is_named_and_it_is_left_in_peace),
      NVIDIA_TEST(shared_slices_do_not_fit),
      NVIDIA_TEST(a_restart_of_its_own_is_waited_for_and_nothing_is_offered_meanwhile),
      NVIDIA_TEST(what_an_earlier_life_took_over_is_given_back),
      NVIDIA_TEST(when_the_label_goes_the_reports_go_and_the_amounts_stay),
      NVIDIA_TEST(a_re_cut_reserves_all_free_slices_and_has_the_gpus_read_once),
      NVIDIA_TEST(a_re_cut_keeps_its_reservation_until_the_kubelet_shows_the_new_slices),
      NVIDIA_TEST(too_few_of_the_targets_are_given_back),
      NVIDIA_TEST(a_reservation_that_goes_in_the_middle_saves_the_slices_that_are_left),
      NVIDIA_TEST(leaving_keeps_the_reservation_while_slices_that_are_gone_are_shown),
      NVIDIA_TEST(an_agent_that_ends_lets_its_reservation_go_first),
      NVIDIA_TEST(a_crash_at_any_moment_of_a_re_cut_loses_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
