/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/world_fixture.h"

#include "agent/publish.h"

#define RESOURCE "nvidia.com/mig-1g.10gb"
#define STATUS   "facet.gpu/status-gpu-0"
#define ECHO     "nos.nebuly.com/status-partitioning-plan"

/* Started, reported, and quiet. */
static void settle(World *world) {
  start_agent(world);
  run_for(world, 10000);
  text_clear(&world->story);
}

/* ---- the story ---- */

static void a_node_is_reported_once_and_then_it_is_quiet(void **state) {
  World *world = *state;
  start_agent(world);
  run(world);
  assert_story(world, "observe;patch;");
  assert_string_equal(annotation(world, "facet.gpu/gpu-0"), "GPU-0 NVIDIA-A100-SXM4-80GB mig=on");
  assert_string_equal(annotation(world, STATUS), "");
  run_for(world, 59999);
  assert_story(world, "");
  run_for(world, 600001);
  assert_story(world,
               "observe;observe;observe;observe;observe;observe;observe;observe;observe;observe;observe;");
}

static void a_slice_is_created_told_to_the_kubelet_known_there_and_then_reported(void **state) {
  World *world = *state;
  settle(world);
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 1000);
  assert_story(world, "create 1g.10gb@6;list 1g.10gb: MIG-0-6;patch;");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
  assert_string_equal(amount(world, "capacity", RESOURCE), "1");
  assert_string_equal(annotation(world, STATUS), "1g.10gb@6:free");
  assert_string_equal(annotation(world, ECHO), "p1");
  assert_string_equal(annotation(world, "facet.gpu/error"), "(absent)");
}

static void
slices_come_in_the_order_of_the_plan_and_each_is_reported_as_soon_as_it_can_be_used(void **state) {
  World *world = *state;
  settle(world);
  set_plan(world, "p1", "GPU-0 1g.10gb@6,1g.10gb@5,2g.20gb@0");
  run_for(world, 5000);
  const char *story = text_string(&world->story);
  const char *first = strstr(story, "create 1g.10gb@6;"), *second = strstr(story, "create 1g.10gb@5;"),
             *third = strstr(story, "create 2g.20gb@0;"), *last = strstr(story, "list 2g.20gb: MIG-0-0;");
  assert_true(first && first < second && second < third && third < last);
  assert_non_null(strstr(last, "patch;"));
  assert_string_equal(amount(world, "allocatable", RESOURCE), "2");
  assert_string_equal(amount(world, "allocatable", "nvidia.com/mig-2g.20gb"), "1");
  assert_string_equal(annotation(world, ECHO), "p1");
}

static void a_slow_driver_does_not_hold_back_the_slices_that_exist(void **state) {
  World *world = *state;
  settle(world);
  set_plan(world, "p1", "GPU-0 1g.10gb@6,1g.10gb@5");
  memory_port_run(&world->port, &world->host); /* the first job */
  driver_turn(world);
  world->driver_is_mute = true;
  run_for(world, 1000);
  assert_story(world, "create 1g.10gb@6;create 1g.10gb@5;list 1g.10gb: MIG-0-6;patch;");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
  assert_string_equal(annotation(world, ECHO), "(absent)");
}

static void what_exists_at_the_start_is_adopted(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6 1g.10gb@5");
  text_append(&world->held, "MIG-0-5");
  start_agent(world);
  run_for(world, 1000);
  assert_story(world, "observe;list 1g.10gb: MIG-0-5 MIG-0-6;patch;");
  assert_string_equal(annotation(world, STATUS), "1g.10gb@5:used,1g.10gb@6:free");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "2");
}

static void a_plan_that_is_carried_out_already_is_only_answered(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  settle(world);
  assert_string_equal(annotation(world, ECHO), "p1");
  set_annotation(world, MIG_ANNOTATION_SPEC_PLAN, "p2");
  run(world);
  assert_story(world, "patch;");
  assert_string_equal(annotation(world, ECHO), "p2");
}

static void an_incomplete_slice_of_an_earlier_life_is_completed(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6?");
  start_agent(world);
  run_for(world, 1000);
  assert_string_equal(annotation(world, STATUS), "1g.10gb@6:used");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "(absent)");
  world->truth->gpus[0].instance_count = 0; /* creating it again is what completes it */
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 1000);
  assert_string_equal(annotation(world, STATUS), "1g.10gb@6:free");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
}

/* ---- hands off ---- */

static void a_node_without_the_label_is_only_looked_at(void **state) {
  World *world = *state;
  set_label(world, NULL);
  observe_slices(&world->truth->gpus[0], "1g.10gb@5");
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  start_agent(world);
  run_for(world, 600000);
  assert_story(world, "observe;");
}

static void the_label_may_come_later_and_go_again(void **state) {
  World *world = *state;
  set_label(world, "mps");
  settle(world);
  set_label(world, "mig");
  run_for(world, 1000);
  assert_string_equal(annotation(world, "facet.gpu/gpu-0"), "GPU-0 NVIDIA-A100-SXM4-80GB mig=on");
  text_clear(&world->story);
  set_label(world, NULL);
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 600000);
  assert_story(world, "");
}

static void a_paused_node_is_reported_and_not_changed(void **state) {
  World *world = *state;
  set_annotation(world, "facet.gpu/paused", "true");
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  start_agent(world);
  run_for(world, 10000);
  assert_story(world, "observe;patch;");
  assert_string_equal(annotation(world, ECHO), "(absent)");
  set_annotation(world, "facet.gpu/paused", NULL);
  run_for(world, 1000);
  assert_story(world, "create 1g.10gb@6;list 1g.10gb: MIG-0-6;patch;");
  assert_string_equal(annotation(world, ECHO), "p1");
}

static void a_node_that_is_not_there_yet_is_waited_for(void **state) {
  World *world = *state;
  remove_node(world);
  start_agent(world);
  run_for(world, 10000);
  assert_story(world, "observe;");
  add_node(world);
  run(world);
  assert_story(world, "patch;");
}

static void a_node_that_is_made_again_is_reported_again(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  settle(world);
  remove_node(world);
  run_for(world, 10000);
  assert_story(world, "");
  add_node(world);
  run_for(world, 1000);
  assert_story(world, "patch;");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
}

/* ---- the driver fails ---- */

static void a_slice_that_cannot_be_created_is_named_and_the_plan_is_answered(void **state) {
  World *world = *state;
  settle(world);
  error_set(&world->driver_error, ERROR_GPU, "nvmlDeviceCreateGpuInstance: Insufficient Resources");
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 60000 - 10001);
  assert_story(world, "create 1g.10gb@6;patch;");
  assert_string_equal(annotation(world, "facet.gpu/error"),
                      "creating 1g.10gb at slot 6 of GPU 0 failed: nvmlDeviceCreateGpuInstance: Insufficient "
                      "Resources");
  assert_string_equal(annotation(world, ECHO), "p1");
}

static void the_next_plan_tries_again_and_takes_the_error_back(void **state) {
  World *world = *state;
  settle(world);
  error_set(&world->driver_error, ERROR_GPU, "no");
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 1000);
  world->driver_error = (Error){0};
  set_plan(world, "p2", "GPU-0 1g.10gb@6");
  run_for(world, 1000);
  assert_string_equal(annotation(world, "facet.gpu/error"), "(absent)");
  assert_string_equal(annotation(world, ECHO), "p2");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
}

static void after_one_failure_the_other_slices_follow(void **state) {
  World *world = *state;
  settle(world);
  set_plan(world, "p1", "GPU-0 1g.10gb@6,1g.10gb@5");
  memory_port_run(&world->port, &world->host);
  error_set(&world->driver_error, ERROR_GPU, "no");
  driver_turn(world);
  world->driver_error = (Error){0};
  run_for(world, 1000);
  assert_string_equal(annotation(world, STATUS), "1g.10gb@5:free");
  assert_string_equal(annotation(world, "facet.gpu/error"), "creating 1g.10gb at slot 6 of GPU 0 failed: no");
}

static void a_worker_that_dies_is_tried_three_times_for_one_slice(void **state) {
  World *world = *state;
  settle(world);
  world->dying = 1000;
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 1000);
  assert_story(world,
               "create 1g.10gb@6;observe;create 1g.10gb@6;observe;create 1g.10gb@6;observe;patch;patch;");
  assert_string_equal(annotation(world, "facet.gpu/error"),
                      "creating 1g.10gb at slot 6 of GPU 0 failed: the NVML worker died");
  assert_string_equal(annotation(world, ECHO), "p1");
}

static void a_worker_that_dies_twice_is_no_failure(void **state) {
  World *world = *state;
  settle(world);
  world->dying = 2;
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 1000);
  assert_string_equal(annotation(world, STATUS), "1g.10gb@6:free");
  assert_string_equal(annotation(world, "facet.gpu/error"), "(absent)");
}

static void each_slice_has_its_own_three_tries(void **state) {
  World *world = *state;
  settle(world);
  world->dying = 5;
  set_plan(world, "p1", "GPU-0 1g.10gb@6,1g.10gb@5");
  run_for(world, 1000);
  assert_string_equal(annotation(world, STATUS), "1g.10gb@5:free");
}

static void a_slice_that_was_made_before_the_worker_died_is_taken(void **state) {
  World *world = *state;
  settle(world);
  world->dying = 1;
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  memory_port_run(&world->port, &world->host);
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  run_for(world, 1000);
  assert_story(world, "create 1g.10gb@6;observe;list 1g.10gb: MIG-0-6;patch;");
  assert_string_equal(annotation(world, ECHO), "p1");
}

static void a_driver_that_says_done_and_has_nothing_to_show_is_not_asked_for_ever(void **state) {
  World *world = *state;
  settle(world);
  world->driver_lies = true;
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 30000);
  assert_story(world, "create 1g.10gb@6;patch;");
  assert_string_equal(
      annotation(world, "facet.gpu/error"),
      "creating 1g.10gb at slot 6 of GPU 0 failed: the driver reported success, but the slice is "
      "not there");
}

static void gpus_that_cannot_be_read_are_said_so_and_looked_at_again(void **state) {
  World *world = *state;
  error_set(&world->driver_error, ERROR_GPU, "libnvidia-ml.so.1 was not found");
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  start_agent(world);
  run_for(world, 14999);
  assert_story(world, "observe;patch;observe;observe;");
  assert_string_equal(annotation(world, "facet.gpu/error"), "libnvidia-ml.so.1 was not found");
  world->driver_error = (Error){0};
  run_for(world, 1000);
  assert_string_equal(annotation(world, "facet.gpu/error"), "(absent)");
  assert_string_equal(annotation(world, STATUS), "1g.10gb@6:free");
}

static void gpus_that_become_unreadable_keep_their_report(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  settle(world);
  error_set(&world->driver_error, ERROR_TIMEOUT, "NVML hangs");
  run_for(world, 60000);
  assert_string_equal(annotation(world, "facet.gpu/error"), "NVML hangs");
  assert_string_equal(annotation(world, STATUS), "1g.10gb@6:free");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
}

static void a_node_that_has_nothing_to_partition_says_what_to_do(void **state) {
  static const struct {
    int gpu_count;
    bool capable;
    const char *error;
  } nodes[] = {
      {0, true,
       "NVML reports no GPU on this node, but the node is labelled for MIG partitioning: remove the label or "
       "check the "
       "driver with nvidia-smi"},
      {1, false,
       "no GPU of this node can be partitioned with MIG, but the node is labelled for it: remove the label"},
      {1, true,
       "no GPU of this node has MIG mode on: switch it on with `nvidia-smi -i <gpu> -mig 1` (A100 and A30 "
       "need a GPU "
       "reset or reboot after it)"},
  };
  for (size_t i = 0; i < COUNT_OF(nodes); i++) {
    void *own;
    world_init(&own);
    World *world = own;
    world->truth->gpu_count = nodes[i].gpu_count;
    world->truth->gpus[0].mode = MIG_MODE_OFF;
    world->truth->gpus[0].mig_capable = nodes[i].capable;
    start_agent(world);
    run_for(world, 1000);
    assert_string_equal(annotation(world, "facet.gpu/error"), nodes[i].error);
    world_deinit(&own);
  }
}

static void a_bad_wish_is_reported_and_the_plan_is_answered(void **state) {
  World *world = *state;
  settle(world);
  set_plan(world, "p1", "GPU-7 1g.10gb@6");
  run_for(world, 1000);
  assert_story(world, "patch;");
  assert_string_equal(annotation(world, "facet.gpu/error"),
                      "GPU 0 is GPU-0, but the plan was made for GPU-7: nothing was changed on it");
  assert_string_equal(annotation(world, ECHO), "p1");
}

static void a_plan_that_comes_while_a_slice_is_made_replaces_the_rest(void **state) {
  World *world = *state;
  settle(world);
  world->driver_is_mute = true;
  set_plan(world, "p1", "GPU-0 1g.10gb@6,1g.10gb@5");
  run_for(world, 100);
  set_plan(world, "p2", "GPU-0 1g.10gb@6,2g.20gb@0");
  run_for(world, 100);
  assert_story(world, "create 1g.10gb@6;");
  world->driver_is_mute = false;
  run_for(world, 1000);
  assert_null(strstr(text_string(&world->story), "1g.10gb@5"));
  assert_string_equal(annotation(world, STATUS), "2g.20gb@0:free,1g.10gb@6:free");
  assert_string_equal(annotation(world, ECHO), "p2");
}

/* ---- the kubelet ---- */

static void no_amount_is_reported_before_the_kubelet_shows_it(void **state) {
  World *world = *state;
  settle(world);
  world->hides_new_slices = true;
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, AGENT_BARRIER_MS - 1);
  assert_story(world, "create 1g.10gb@6;list 1g.10gb: MIG-0-6;");
  run_for(world, 5000);
  assert_story(world, "patch;"); /* the slice exists, but nobody may come for it */
  assert_string_equal(annotation(world, STATUS), "1g.10gb@6:free");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "(absent)");
  world->hides_new_slices = false;
  run_for(world, AGENT_BARRIER_POLL_MAX_MS);
  assert_story(world, "patch;");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
}

static void without_a_kubelet_the_gpus_are_reported_without_amounts(void **state) {
  World *world = *state;
  kubelet_kill(world);
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  start_agent(world);
  run_for(world, AGENT_USE_WAIT_MS - 1);
  assert_story(world, "observe;");
  run_for(world, 1);
  assert_story(world, "patch;");
  assert_string_equal(annotation(world, STATUS), "1g.10gb@6:used"); /* nobody can say it is free */
  run_for(world, 60000);
  assert_string_equal(amount(world, "allocatable", RESOURCE), "(absent)");
  kubelet_start(world);
  run_for(world, 2000);
  assert_string_equal(annotation(world, STATUS), "1g.10gb@6:free");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
}

static void a_restarted_kubelet_gets_the_list_again(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6 2g.20gb@0");
  settle(world);
  kubelet_kill(world);
  run_for(world, 3000);
  kubelet_start(world);
  run_for(world, 3000);
  assert_story(world, "list 1g.10gb: MIG-0-6;list 2g.20gb: MIG-0-0;");
}

static void a_restarted_kubelet_is_not_contradicted_before_it_has_the_list(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  settle(world);
  world->hides_new_slices = true;
  kubelet_kill(world);
  run_for(world, 100);
  set_amount(world, RESOURCE, "0"); /* the new kubelet's first words, before any plugin is back */
  run_for(world, 100);
  kubelet_start(world);
  run_for(world, 1000);
  assert_string_equal(amount(world, "allocatable", RESOURCE), "0");
  world->hides_new_slices = false;
  run_for(world, AGENT_BARRIER_POLL_MAX_MS);
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
}

static void after_a_crash_slices_are_published_before_the_api_server_says_anything(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  memory_port_touch(&world->port, FOLDER "/facet-mig-1g.10gb.sock");
  world->api_is_mute = true;
  start_agent(world);
  run_for(world, 1000);
  assert_story(world, "observe;list 1g.10gb: MIG-0-6;");
}

static void without_an_earlier_life_nothing_is_published_before_the_label_is_seen(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  world->api_is_mute = true;
  start_agent(world);
  run_for(world, 1000);
  assert_story(world, "observe;");
}

static void who_holds_what_is_reported_when_it_changes(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6 1g.10gb@5");
  settle(world);
  text_append(&world->held, "MIG-0-6");
  run_for(world, AGENT_USE_POLL_MS);
  assert_story(world, "patch;");
  assert_string_equal(annotation(world, STATUS), "1g.10gb@5:free,1g.10gb@6:used");
  run_for(world, 10 * AGENT_USE_POLL_MS);
  assert_story(world, "");
  text_clear(&world->held);
  run_for(world, AGENT_USE_POLL_MS);
  assert_string_equal(annotation(world, STATUS), "1g.10gb@5:free,1g.10gb@6:free");
}

static void slices_that_vanish_are_announced_as_none(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  settle(world);
  world->truth->gpus[0].instance_count = 0; /* by hand, with nvidia-smi */
  run_for(world, AGENT_OBSERVE_MS);
  assert_story(world, "observe;list 1g.10gb:;patch;");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "0");
  assert_string_equal(annotation(world, STATUS), "");
}

typedef struct Allocation {
  World *world;
  Text told;
} Allocation;

static void on_allocation(void *userdata, const void *message, size_t size) {
  Allocation *allocation = userdata;
  CLEANUP(arena_deinit) Arena arena = {0};
  KubeletAllocations answers = {0};
  Error err = {0};
  assert_ok(kubelet_allocations_decode(message, size, &arena, &answers, &err));
  assert_int_equal(answers.count, 1);
  assert_int_equal(answers.items[0].envs.count, 1);
  text_format(&allocation->told, "%s=%s", answers.items[0].envs.items[0].key,
              answers.items[0].envs.items[0].value);
}

static void on_allocation_end(void *userdata, GrpcStatus status, const char *text) {
  Allocation *allocation = userdata;
  if (status != GRPC_OK)
    text_format(&allocation->told, "refused: %s", text);
}

/* The kubelet asks the first plugin for these ids; "" ends the test's interest. */
static void assert_allocated(World *world, const char *ids, const char *expected) {
  CLEANUP(arena_deinit) Arena arena = {0};
  CLEANUP(text_deinit) Text request = {0};
  Allocation allocation = {.world = world};
  Strings container = split(ids, &arena);
  kubelet_allocate_encode(&(KubeletIdLists){.items = &container, .count = 1}, &request);
  const GrpcReply reply = {.on_message = on_allocation, .on_end = on_allocation_end, .userdata = &allocation};
  grpc_session_call(kubelet_connection_session(world->endpoints.items[0]->connection),
                    KUBELET_METHOD_ALLOCATE, request.bytes, request.size, 0, &reply);
  run(world);
  assert_string_equal(text_string(&allocation.told), expected);
  text_deinit(&allocation.told);
}

static void a_container_gets_its_slices_by_the_environment_variable(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6 1g.10gb@5");
  settle(world);
  assert_allocated(world, "MIG-0-6", "NVIDIA_VISIBLE_DEVICES=MIG-0-6");
  assert_allocated(world, "MIG-0-5 MIG-0-6", "NVIDIA_VISIBLE_DEVICES=MIG-0-5,MIG-0-6");
  text_append(&world->held, "MIG-0-6");
  run_for(world, AGENT_USE_SOON_MS);
  assert_story(world, "patch;"); /* the allocation was followed up at once */
}

static void a_slice_that_is_gone_is_refused_by_name(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  settle(world);
  assert_allocated(world, "MIG-0-6 MIG-0-3",
                   "refused: slice MIG-0-3 of " RESOURCE " does not exist on this node any more");
}

/* ---- the API server ---- */

static void a_lost_answer_is_no_second_report(void **state) {
  World *world = *state;
  settle(world);
  world->patch_is_lost = true;
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 30000);
  assert_story(world, "create 1g.10gb@6;list 1g.10gb: MIG-0-6;patch;");
}

static void a_refused_report_is_tried_ever_more_rarely(void **state) {
  World *world = *state;
  world->refuse_status = 403;
  start_agent(world);
  run_for(world, 600000);
  assert_in_range(world->patch_count, 10, 15); /* 2, 4, ... 32 s, then every minute */
  world->refuse_status = 0;
  run_for(world, AGENT_RETRY_MAX_MS);
  assert_string_equal(annotation(world, STATUS), "");
  text_clear(&world->story);
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 1000);
  assert_story(world, "create 1g.10gb@6;list 1g.10gb: MIG-0-6;patch;"); /* and at once again */
}

static void a_report_that_somebody_undoes_is_made_again(void **state) {
  World *world = *state;
  settle(world);
  set_annotation(world, STATUS, "7g.80gb@0:free");
  run_for(world, 1000);
  assert_story(world, "patch;");
  assert_string_equal(annotation(world, STATUS), "");
}

static void while_the_api_server_is_silent_slices_are_made_and_told_to_the_kubelet(void **state) {
  World *world = *state;
  settle(world);
  set_plan(world, "p1", "GPU-0 1g.10gb@6,1g.10gb@5");
  world->api_is_mute = true;
  run_for(world, 5000);
  assert_non_null(strstr(text_string(&world->story), "list 1g.10gb: MIG-0-5 MIG-0-6;"));
  world->api_is_mute = false;
  run_for(world, 60000);
  assert_string_equal(amount(world, "allocatable", RESOURCE), "2");
}

/* ---- at any time ---- */

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
    kubelet_kill(world);
    return;
  case 3:
    kubelet_kill(world);
    kubelet_start(world);
    return;
  case 4:
    world->driver_is_mute = !world->driver_is_mute;
    return;
  case 5:
    world->dying = (int)random_below(random, 5);
    return;
  case 6:
    world->hides_new_slices = !world->hides_new_slices;
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
  world->driver_is_mute = world->hides_new_slices = world->patch_is_lost = false;
  world->dying = world->refuse_status = 0;
  if (!world->node)
    add_node(world);
  set_label(world, "mig");
  kubelet_kill(world);
  kubelet_start(world);
  run_for(world, 2 * AGENT_RETRY_MAX_MS);
}

/* What the node offers is what the kubelet has, and what the GPUs have. */
static void assert_truth(World *world, int seed) {
  CLEANUP(arena_deinit) Arena arena = {0};
  AgentResources resources;
  agent_publish_resources(world->truth, &arena, &resources);
  for (size_t i = 0; i < resources.count; i++) {
    char count[16];
    snprintf(count, sizeof count, "%zu", resources.items[i].partitions.count);
    if (strcmp(amount(world, "allocatable", resources.items[i].name), count) != 0)
      fail_msg("seed=%d: the node offers %s of %s, the GPUs have %s", seed,
               amount(world, "allocatable", resources.items[i].name), resources.items[i].name, count);
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
      WORLD_TEST(a_node_is_reported_once_and_then_it_is_quiet),
      WORLD_TEST(a_slice_is_created_told_to_the_kubelet_known_there_and_then_reported),
      WORLD_TEST(slices_come_in_the_order_of_the_plan_and_each_is_reported_as_soon_as_it_can_be_used),
      WORLD_TEST(a_slow_driver_does_not_hold_back_the_slices_that_exist),
      WORLD_TEST(what_exists_at_the_start_is_adopted),
      WORLD_TEST(a_plan_that_is_carried_out_already_is_only_answered),
      WORLD_TEST(an_incomplete_slice_of_an_earlier_life_is_completed),
      WORLD_TEST(a_node_without_the_label_is_only_looked_at),
      WORLD_TEST(the_label_may_come_later_and_go_again),
      WORLD_TEST(a_paused_node_is_reported_and_not_changed),
      WORLD_TEST(a_node_that_is_not_there_yet_is_waited_for),
      WORLD_TEST(a_node_that_is_made_again_is_reported_again),
      WORLD_TEST(a_slice_that_cannot_be_created_is_named_and_the_plan_is_answered),
      WORLD_TEST(the_next_plan_tries_again_and_takes_the_error_back),
      WORLD_TEST(after_one_failure_the_other_slices_follow),
      WORLD_TEST(a_worker_that_dies_is_tried_three_times_for_one_slice),
      WORLD_TEST(a_worker_that_dies_twice_is_no_failure),
      WORLD_TEST(each_slice_has_its_own_three_tries),
      WORLD_TEST(a_slice_that_was_made_before_the_worker_died_is_taken),
      WORLD_TEST(a_driver_that_says_done_and_has_nothing_to_show_is_not_asked_for_ever),
      WORLD_TEST(gpus_that_cannot_be_read_are_said_so_and_looked_at_again),
      WORLD_TEST(gpus_that_become_unreadable_keep_their_report),
      cmocka_unit_test(a_node_that_has_nothing_to_partition_says_what_to_do),
      WORLD_TEST(a_bad_wish_is_reported_and_the_plan_is_answered),
      WORLD_TEST(a_plan_that_comes_while_a_slice_is_made_replaces_the_rest),
      WORLD_TEST(no_amount_is_reported_before_the_kubelet_shows_it),
      WORLD_TEST(without_a_kubelet_the_gpus_are_reported_without_amounts),
      WORLD_TEST(a_restarted_kubelet_gets_the_list_again),
      WORLD_TEST(a_restarted_kubelet_is_not_contradicted_before_it_has_the_list),
      WORLD_TEST(after_a_crash_slices_are_published_before_the_api_server_says_anything),
      WORLD_TEST(without_an_earlier_life_nothing_is_published_before_the_label_is_seen),
      WORLD_TEST(who_holds_what_is_reported_when_it_changes),
      WORLD_TEST(slices_that_vanish_are_announced_as_none),
      WORLD_TEST(a_container_gets_its_slices_by_the_environment_variable),
      WORLD_TEST(a_slice_that_is_gone_is_refused_by_name),
      WORLD_TEST(a_lost_answer_is_no_second_report),
      WORLD_TEST(a_refused_report_is_tried_ever_more_rarely),
      WORLD_TEST(a_report_that_somebody_undoes_is_made_again),
      WORLD_TEST(while_the_api_server_is_silent_slices_are_made_and_told_to_the_kubelet),
      WORLD_TEST(it_can_be_freed_before_it_was_started_to_run),
      WORLD_TEST(it_can_be_freed_while_the_driver_works),
      cmocka_unit_test(whatever_happens_it_can_be_freed_and_ends_with_the_truth),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
