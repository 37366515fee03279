/* SPDX-License-Identifier: Apache-2.0 */
/* Every checker can fail: each is shown a world that was damaged in the way that it is there to find. And the
 * tools around them: the same seed gives the same history and the same end, a shorter history is found. */
#include "base/test.h"

#include "sim/chaos/check.h"
#include "sim/chaos/fault.h"
#include "sim/chaos/shrink.h"

enum { A_WHILE_MS = 5000 };

/* One node, nothing happens. */
static ChaosHistory nothing(void) {
  ChaosHistory history = {.seed = 1, .options = sim_cluster_defaults(), .storm_ms = 1000};
  return history;
}

static void pass(ChaosWorld *world, uint64_t ms) {
  sim_cluster_run(world->cluster, world->cluster->host.now_ms + ms, NULL, NULL);
}

static void pass_time(ChaosWorld *world) {
  pass(world, A_WHILE_MS);
}

static void assert_sound(ChaosWorld *world) {
  const char *name;
  Error err;
  for (ChaosMoment moment = CHAOS_AT_CHANGE; moment <= CHAOS_AT_REST; moment++)
    assert_ok(chaos_check(world, moment, 0, &name, &err));
}

static void assert_found(ChaosWorld *world, ChaosMoment moment, const char *by, const char *text) {
  const char *name = NULL;
  Error err = {0};
  assert_fails(chaos_check(world, moment, 0, &name, &err), text);
  assert_string_equal(name, by);
}

static void world_init(ChaosWorld *world, ChaosHistory *history) {
  *history = nothing();
  chaos_world_begin(world, history, false);
  assert_null(world->checker);
}

/* A pod that runs for ever. */
static void run_pod(ChaosWorld *world) {
  Error err = {0};
  assert_ok(sim_cluster_create_pod(world->cluster, "1g.10gb", 0, &err));
  pass_time(world);
  assert_int_equal(sim_cluster_count_pods(world->cluster, "Running"), 1);
  assert_sound(world);
}

static void destroy_its_slice(ChaosWorld *world) {
  GpuResult *result = mem_alloc(sizeof *result);
  SimDriver *driver = world->cluster->nodes[0].driver;
  sim_driver_run_by_hand(driver, &(GpuJob){.kind = GPU_JOB_OBSERVE}, result);
  const GpuObserved *gpu = &result->observation.gpus[0];
  const char *id = world->cluster->nodes[0].disk.held.items[0]->ids.items[0];
  for (int i = 0; i < gpu->instance_count; i++) {
    GpuJob job = {.kind = GPU_JOB_DESTROY,
                  .nvml_id = gpu->instances[i].nvml_id,
                  .start = gpu->instances[i].start,
                  .size = gpu->instances[i].size};
    snprintf(job.uuid, sizeof job.uuid, "%s", gpu->uuid);
    GpuResult *done = mem_alloc(sizeof *done);
    if (strcmp(gpu->instances[i].uuid, id) == 0)
      sim_driver_run_by_hand(driver, &job, done);
    assert_int_equal(done->err.code, 0);
    free(done);
  }
  free(result);
}

static void a_used_slice_that_is_destroyed_is_found(void **state) {
  ChaosWorld world;
  ChaosHistory history;
  char text[256];
  world_init(&world, &history);
  run_pod(&world);
  destroy_its_slice(&world);
  const char *id = world.cluster->nodes[0].disk.held.items[0]->ids.items[0];
  snprintf(text, sizeof text, "p-1 has a slice on gpu-1 that was destroyed: %s", id);
  assert_found(&world, CHAOS_AT_CHANGE, "held", text);
  map_clear(&world.nodes[0].given);
  snprintf(text, sizeof text, "p-1 was admitted on gpu-1 with a slice that does not exist: %s", id);
  assert_found(&world, CHAOS_AT_CHANGE, "held", text);
  chaos_world_excuse_slices(&world, 0);
  chaos_world_excuse_lies(&world, 0, 1000);
  assert_sound(&world);
  chaos_world_deinit(&world);
}

static void offering_more_than_there_is_is_found(void **state) {
  ChaosWorld world;
  ChaosHistory history;
  world_init(&world, &history);
  json_auto_t *patch = json_pack("{s:{s:{s:s}}}", "status", "allocatable", "nvidia.com/mig-3g.40gb", "2");
  sim_api_patch(world.cluster->api, "/api/v1/nodes/gpu-1/status", patch);
  assert_found(&world, CHAOS_AT_CHANGE, "offers",
               "gpu-1 offers 2 x nvidia.com/mig-3g.40gb, its GPUs have 0, reservations hold 0");
  chaos_world_excuse_lies(&world, 0, 1000);
  assert_sound(&world);
  chaos_world_deinit(&world);
}

static void edit_an_amount(ChaosWorld *world) {
  chaos_strike_amount_edit(world, &(ChaosStep){.a = 0, .b = 0}); /* 3 x 1g.10gb */
}

/* Nobody is there who could contradict. */
static void an_amount_by_hand_is_excused_until_somebody_must_have_noticed(void **state) {
  ChaosWorld world;
  ChaosHistory history;
  const char *name;
  Error err = {0};
  world_init(&world, &history);
  sim_cluster_kill_agent(world.cluster, 0);
  sim_cluster_kill_kubelet(world.cluster, 0);
  edit_an_amount(&world);
  pass(&world, 170000);
  assert_ok(chaos_check(&world, CHAOS_AT_CHANGE, 0, &name, &err));
  pass(&world, 20000);
  assert_found(&world, CHAOS_AT_CHANGE, "offers",
               "gpu-1 offers 3 x nvidia.com/mig-1g.10gb, its GPUs have 0, reservations hold 0");
  chaos_world_deinit(&world);
}

static void an_amount_by_hand_that_was_taken_back_excuses_nothing_any_more(void **state) {
  ChaosWorld world;
  ChaosHistory history;
  world_init(&world, &history);
  edit_an_amount(&world);
  pass(&world, 20000);
  json_auto_t *patch = json_pack("{s:{s:{s:s}}}", "status", "allocatable", "nvidia.com/mig-1g.10gb", "3");
  sim_api_patch(world.cluster->api, "/api/v1/nodes/gpu-1/status", patch);
  assert_found(&world, CHAOS_AT_CHANGE, "offers",
               "gpu-1 offers 3 x nvidia.com/mig-1g.10gb, its GPUs have 0, reservations hold 0");
  chaos_world_deinit(&world);
}

static void an_amount_by_hand_that_is_true_excuses_nothing(void **state) {
  ChaosWorld world;
  ChaosHistory history;
  Error err = {0};
  world_init(&world, &history);
  for (int i = 0; i < 3; i++)
    assert_ok(sim_cluster_create_pod(world.cluster, "1g.10gb", 0, &err));
  pass_time(&world);
  edit_an_amount(&world);
  pass(&world, 20000);
  assert_false(chaos_world_is_excused(&world, 0));
  chaos_world_deinit(&world);
}

static bool has_node(const ChaosWorld *world) {
  return sim_api_store_find(sim_api_store(world->cluster->api), SIM_API_NODES, "gpu-1") != NULL;
}

/* Whatever was bound to the old one until then goes with it. A kubelet that has just begun would admit it,
 * and give it nothing. */
static void a_new_machine_takes_its_time_to_boot(void **state) {
  ChaosWorld world;
  ChaosHistory history;
  world_init(&world, &history);
  chaos_strike_replacement(&world, &(ChaosStep){.a = 0, .b = 1});
  pass(&world, 4000);
  assert_false(has_node(&world));
  pass(&world, 2000);
  assert_true(has_node(&world));
  chaos_world_deinit(&world);
}

static void an_illegal_layout_is_found(void **state) {
  ChaosWorld world;
  ChaosHistory history;
  Error err = {0};
  world_init(&world, &history);
  run_pod(&world);
  world.machine.gpus[0].mig_on = false;
  assert_true(chaos_check_layouts(&world, 0, &err) < 0);
  assert_true(string_has_prefix(err.text, "the GPUs of gpu-1: "));
  chaos_world_deinit(&world);
}

static void half_a_slice_is_found(void **state) {
  ChaosWorld world;
  ChaosHistory history;
  Error err = {0};
  world_init(&world, &history);
  run_pod(&world);
  world.machine.gpus[0].gis[0].ci_count = 0;
  assert_fails(chaos_check_halves(&world, 0, &err),
               "GPU 0 of gpu-1 has a GPU instance at slot 0 without a compute instance");
  chaos_world_deinit(&world);
}

static bool has_left_half(void *userdata) {
  return sim_driver_left_half(userdata);
}

/* The worker died between the two instances; nobody is left to take the first one back. */
static void half_a_slice_that_a_dead_worker_left_must_not_stay(void **state) {
  ChaosWorld world;
  ChaosHistory history;
  world_init(&world, &history);
  SimDriver *driver = world.cluster->nodes[0].driver;
  Error err = {0};
  sim_driver_fail(driver, &(SimDriverFault){.kind = SIM_DRIVER_DIES, .call = 2});
  assert_ok(sim_cluster_create_pod(world.cluster, "7g.80gb", 0, &err));
  assert_true(sim_cluster_run(world.cluster, world.cluster->host.now_ms + A_WHILE_MS, has_left_half, driver));
  sim_cluster_kill_agent(world.cluster, 0);
  const char *name;
  assert_ok(chaos_check(&world, CHAOS_AT_CHANGE, 0, &name, &err));
  assert_fails(chaos_check_left_halves(&world, -1, &err),
               "GPU 0 of gpu-1 has a GPU instance at slot 0 without a compute instance");
  sim_cluster_start_agent(world.cluster, 0);
  pass_time(&world);
  assert_ok(chaos_check_left_halves(&world, -1, &err));
  chaos_world_deinit(&world);
}

static void a_rejection_is_our_fault_unless_it_is_excused(void **state) {
  ChaosWorld world;
  ChaosHistory history;
  Error err = {0};
  world_init(&world, &history);
  run_pod(&world);
  SimRejection rejection = {.namespace_ = "demo", .pod = "p-1", .why = "no slice"};
  assert_fails(chaos_check_rejection(&world, &rejection, &err), "p-1 is rejected on gpu-1: no slice");
  rejection.is_plugin_away = true;
  assert_fails(chaos_check_rejection(&world, &rejection, &err), "p-1 is rejected on gpu-1: no slice");
  chaos_world_excuse_unplugged(&world, 0, 1000);
  assert_ok(chaos_check_rejection(&world, &rejection, &err));
  rejection.is_plugin_away = false;
  assert_fails(chaos_check_rejection(&world, &rejection, &err), "p-1 is rejected on gpu-1: no slice");
  chaos_world_excuse_lies(&world, 0, 1000);
  assert_ok(chaos_check_rejection(&world, &rejection, &err));
  assert_int_equal(world.counts.unplugged_victims + world.counts.excused_victims, 2);
  chaos_world_deinit(&world);
}

/* A free 2g.20gb is there, the machine reboots and cannot make it again; so long nobody hears of nodes. */
static void send_a_pod_after_a_reboot(ChaosWorld *world, uint64_t deaf_ms) {
  Error err = {0};
  run_pod(world);
  if (deaf_ms)
    sim_api_stall_watches(world->cluster->api, SIM_API_NODES, deaf_ms);
  chaos_strike_reboot(world, &(ChaosStep){.node = 0});
  sim_driver_fail(
      world->cluster->nodes[0].driver,
      &(SimDriverFault){.kind = SIM_DRIVER_REFUSES, .call = 1, .times = 1000, .code = NVML_UNKNOWN});
  pass(world, 100000);
  assert_ok(sim_cluster_create_pod(world->cluster, "2g.20gb", 0, &err));
  pass(world, 5000);
}

static void a_scheduler_that_has_not_seen_a_reboot_is_not_our_fault(void **state) {
  ChaosWorld world;
  ChaosHistory history;
  world_init(&world, &history);
  send_a_pod_after_a_reboot(&world, 140000);
  assert_true(chaos_world_misleads(&world, 0));
  assert_false(chaos_world_is_excused(&world, 0));
  assert_int_equal(world.counts.excused_victims, 1);
  assert_null(world.checker);
  chaos_world_deinit(&world);
}

static void a_scheduler_that_has_seen_a_reboot_excuses_nothing(void **state) {
  ChaosWorld world;
  ChaosHistory history;
  world_init(&world, &history);
  send_a_pod_after_a_reboot(&world, 0);
  assert_false(chaos_world_misleads(&world, 0));
  assert_int_equal(world.counts.excused_victims, 0);
  chaos_world_deinit(&world);
}

/* A pod is on its way to a slice when somebody destroys it. */
static void who_was_promised_what_somebody_destroyed_is_not_our_fault(void **state) {
  ChaosWorld world;
  ChaosHistory history;
  Error err = {0};
  world_init(&world, &history);
  sim_cluster_kill_kubelet(world.cluster, 0);
  assert_ok(sim_cluster_create_pod(world.cluster, "1g.10gb", 0, &err));
  json_auto_t *bound = json_pack("{s:{s:s}}", "spec", "nodeName", "gpu-1");
  sim_api_patch(world.cluster->api, "/api/v1/namespaces/demo/pods/p-1", bound);
  const SimRejection rejection = {.namespace_ = "demo", .pod = "p-1", .why = "no healthy devices present"};
  assert_fails(chaos_check_rejection(&world, &rejection, &err),
               "p-1 is rejected on gpu-1: no healthy devices present");
  chaos_world_excuse_promised(&world, 0);
  assert_ok(chaos_check_rejection(&world, &rejection, &err));
  chaos_world_deinit(&world);
}

static void too_many_reservations_are_found(void **state) {
  ChaosWorld world;
  ChaosHistory history;
  Error err = {0};
  world_init(&world, &history);
  for (int i = 0; i < 31; i++) {
    char name[16];
    snprintf(name, sizeof name, "r-%d", i);
    json_auto_t *pod =
        json_pack("{s:{s:s,s:{s:s}}}", "metadata", "name", name, "labels", MIG_LABEL_RESERVATION, "gpu-1");
    assert_ok(sim_api_create(world.cluster->api, "/api/v1/namespaces/facet-system/pods", pod, &err));
  }
  assert_found(&world, CHAOS_AT_STEP, "bounds", "there are 31 reservations, and 30 would be many");
  assert_found(&world, CHAOS_AT_REST, "rest", "31 reservation pods are left");
  chaos_world_deinit(&world);
}

static void a_plan_without_an_answer_is_found(void **state) {
  ChaosWorld world;
  ChaosHistory history;
  world_init(&world, &history);
  sim_cluster_kill_agent(world.cluster, 0);
  json_auto_t *patch = json_pack("{s:{s:{s:s}}}", "metadata", "annotations", MIG_ANNOTATION_SPEC_PLAN, "x");
  sim_api_patch(world.cluster->api, "/api/v1/nodes/gpu-1", patch);
  assert_found(&world, CHAOS_AT_REST, "rest", "gpu-1 was told plan x and answered ");
  chaos_world_deinit(&world);
}

static void a_pod_that_nobody_helps_is_found(void **state) {
  ChaosWorld world;
  ChaosHistory history;
  Error err = {0};
  world_init(&world, &history);
  sim_cluster_kill_controller(world.cluster);
  assert_ok(sim_cluster_create_pod(world.cluster, "3g.40gb", 0, &err));
  pass_time(&world);
  assert_found(&world, CHAOS_AT_REST, "served",
               "p-1 still waits for a 3g.40gb, which could be cut on GPU 0 of gpu-1");
  chaos_world_deinit(&world);
}

static void a_write_at_rest_is_found(void **state) {
  ChaosWorld world;
  ChaosHistory history;
  Error err = {0};
  world_init(&world, &history);
  uint64_t version = sim_api_store(world.cluster->api)->version;
  assert_ok(chaos_check_quiet(&world, version, &err));
  assert_ok(sim_cluster_create_pod(world.cluster, "3g.40gb", 0, &err));
  assert_fails(chaos_check_quiet(&world, version, &err),
               "1 changes at rest, the last of the object demo/p-1");
  chaos_world_deinit(&world);
}

/* ---- histories ---- */

static void a_seed_gives_the_same_history_and_the_same_end(void **state) {
  ChaosHistory first, second;
  ChaosWorld worlds[2];
  chaos_history_make(7, &first);
  chaos_history_make(7, &second);
  chaos_world_play(&worlds[0], &first, true);
  chaos_world_play(&worlds[1], &second, true);
  assert_true(first.steps.count > 50);
  assert_string_equal(text_string(&worlds[0].timeline), text_string(&worlds[1].timeline));
  for (int i = 0; i < 2; i++)
    chaos_world_deinit(&worlds[i]);
  chaos_history_deinit(&first);
  chaos_history_deinit(&second);
}

static void a_list_of_steps_is_kept_and_told(void **state) {
  ChaosHistory history;
  CLEANUP(text_deinit) Text places = {0};
  Error err = {0};
  chaos_history_make(7, &history);
  assert_ok(chaos_history_keep(&history, "2,4-6,9", &err));
  assert_int_equal(history.steps.count, 5);
  chaos_history_format_places(&history, &places);
  assert_string_equal(text_string(&places), "2,4-6,9");
  assert_fails(chaos_history_keep(&history, "4-", &err), "\"4-\" is no list of steps of seed 7, which has 5");
  chaos_history_deinit(&history);
}

static void lead(ChaosWorld *world, int i, const char *name) {
  const ControllerLeaseOptions lease = {
      .namespace_ = SIM_CLUSTER_SYSTEM_NAMESPACE, .name = name, .identity = name};
  const ControllerOptions options = {.lease = &lease};
  ChaosCandidate *candidate = &world->candidates[i];
  snprintf(candidate->name, sizeof candidate->name, "%s", name);
  sim_api_line_init(world->cluster->api, &candidate->line);
  candidate->controller = controller_new(&options, &world->cluster->host, &candidate->line.seam);
  controller_start(candidate->controller);
}

/* They hold a Lease each, and so believe what two that share one must not. */
static void two_that_lead_are_found(void **state) {
  ChaosHistory history;
  ChaosWorld world;
  world_init(&world, &history);
  lead(&world, 0, "a");
  pass_time(&world);
  assert_sound(&world);
  lead(&world, 1, "b");
  assert_sound(&world);
  pass_time(&world);
  assert_found(&world, CHAOS_AT_CHANGE, "leaders", "a and b lead at the same time");
  assert_found(&world, CHAOS_AT_STEP, "leaders", "a and b lead at the same time");
  chaos_world_deinit(&world);
}

/* The one that is cut off stops before the other one begins, and the cluster's own controller comes back. */
static void a_leader_that_is_cut_off_is_followed_by_the_other(void **state) {
  ChaosHistory history;
  ChaosWorld world;
  const ChaosStep step = {.a = 0, .b = 10000};
  world_init(&world, &history);
  chaos_strike_lost_leader(&world, &step);
  assert_null(world.cluster->controller);
  pass_time(&world);
  int first = controller_leads(world.candidates[0].controller) ? 0 : 1;
  assert_true(controller_leads(world.candidates[first].controller));
  for (int seconds = 0; seconds < 20; seconds += A_WHILE_MS / 1000) {
    assert_sound(&world);
    pass_time(&world);
  }
  assert_false(controller_leads(world.candidates[first].controller));
  assert_true(controller_leads(world.candidates[1 - first].controller));
  pass_time(&world);
  assert_null(world.candidates[0].controller);
  assert_non_null(world.cluster->controller);
  chaos_world_deinit(&world);
}

typedef struct Wanted {
  uint32_t first, second; /* places without which nothing fails */
  int tries;
} Wanted;

static int fails_with_both(void *userdata, const ChaosHistory *history, Error *err) {
  Wanted *wanted = userdata;
  int found = 0;
  wanted->tries++;
  for (size_t i = 0; i < history->places.count; i++)
    found += history->places.items[i] == wanted->first || history->places.items[i] == wanted->second;
  return found == 2;
}

static void a_history_is_shrunk_to_the_steps_that_matter(void **state) {
  ChaosHistory history, shorter;
  Wanted wanted = {.first = 3, .second = 71};
  CLEANUP(text_deinit) Text places = {0};
  Error err = {0};
  chaos_history_make(7, &history);
  assert_ok(chaos_shrink(&history, fails_with_both, &wanted, 1000, &shorter, &err));
  chaos_history_format_places(&shorter, &places);
  assert_string_equal(text_string(&places), "3,71");
  assert_in_range(wanted.tries, 2, 100);
  chaos_history_deinit(&shorter);
  wanted.tries = 0;
  assert_ok(chaos_shrink(&history, fails_with_both, &wanted, 5, &shorter, &err));
  assert_int_equal(wanted.tries, 5);
  assert_true(shorter.steps.count < history.steps.count);
  chaos_history_deinit(&shorter);
  chaos_history_deinit(&history);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_used_slice_that_is_destroyed_is_found),
      cmocka_unit_test(offering_more_than_there_is_is_found),
      cmocka_unit_test(an_amount_by_hand_is_excused_until_somebody_must_have_noticed),
      cmocka_unit_test(an_amount_by_hand_that_was_taken_back_excuses_nothing_any_more),
      cmocka_unit_test(an_amount_by_hand_that_is_true_excuses_nothing),
      cmocka_unit_test(a_new_machine_takes_its_time_to_boot),
      cmocka_unit_test(an_illegal_layout_is_found),
      cmocka_unit_test(half_a_slice_is_found),
      cmocka_unit_test(half_a_slice_that_a_dead_worker_left_must_not_stay),
      cmocka_unit_test(a_rejection_is_our_fault_unless_it_is_excused),
      cmocka_unit_test(a_scheduler_that_has_not_seen_a_reboot_is_not_our_fault),
      cmocka_unit_test(a_scheduler_that_has_seen_a_reboot_excuses_nothing),
      cmocka_unit_test(who_was_promised_what_somebody_destroyed_is_not_our_fault),
      cmocka_unit_test(too_many_reservations_are_found),
      cmocka_unit_test(a_plan_without_an_answer_is_found),
      cmocka_unit_test(a_pod_that_nobody_helps_is_found),
      cmocka_unit_test(a_write_at_rest_is_found),
      cmocka_unit_test(two_that_lead_are_found),
      cmocka_unit_test(a_leader_that_is_cut_off_is_followed_by_the_other),
      cmocka_unit_test(a_seed_gives_the_same_history_and_the_same_end),
      cmocka_unit_test(a_list_of_steps_is_kept_and_told),
      cmocka_unit_test(a_history_is_shrunk_to_the_steps_that_matter),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
