/* SPDX-License-Identifier: Apache-2.0 */
/* The agent and the kubelet: what is told to whom in which order, restarts, allocations. */
#include "agent/world_fixture.h"

#define RESOURCE "nvidia.com/mig-1g.10gb"
#define STATUS   "facet.gpu/status-gpu-0"

static void no_amount_is_reported_before_the_kubelet_shows_it(void **state) {
  World *world = *state;
  settle(world);
  world->kubelet.hides_new_slices = true;
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, AGENT_BARRIER_MS - 1);
  assert_story(world, "create 1g.10gb@6;list 1g.10gb: MIG-0-6;");
  run_for(world, 5000);
  assert_story(world, "patch;"); /* the slice exists, but nobody may come for it */
  assert_string_equal(annotation(world, STATUS), "1g.10gb@6:free");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "(absent)");
  world->kubelet.hides_new_slices = false;
  run_for(world, AGENT_BARRIER_POLL_MAX_MS);
  assert_story(world, "patch;");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
}

static void every_profile_is_registered_before_its_first_slice(void **state) {
  World *world = *state;
  settle(world);
  assert_int_equal(world->kubelet.endpoints.count, 7); /* the profiles of an A100 */
  assert_string_equal(amount(world, "allocatable", RESOURCE), "(absent)");
  set_plan(world, "p1", "GPU-0 1g.10gb@6,2g.20gb@0");
  run_for(world, 10000);
  assert_int_equal(world->kubelet.endpoints.count, 7);
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
}

/* The kubelet writes 0 for what is registered and empty, at its own time. */
static void an_empty_resource_is_left_to_the_kubelet(void **state) {
  World *world = *state;
  settle(world);
  set_amount(world, RESOURCE, "0");
  run_for(world, 10000);
  assert_story(world, "");
}

static void a_gpu_outside_mig_mode_is_offered_whole(void **state) {
  World *world = *state;
  world->truth->gpus[0].mode = MIG_MODE_OFF;
  start_agent(world);
  run_for(world, 1000);
  assert_story(world, "observe;list gpu: GPU-0;patch;");
  assert_string_equal(amount(world, "allocatable", "nvidia.com/gpu"), "1");
  world->truth->gpus[0].mode = MIG_MODE_ON; /* by hand */
  run_for(world, AGENT_OBSERVE_MS + 1000);
  assert_string_equal(amount(world, "allocatable", "nvidia.com/gpu"), "0");
  assert_int_equal(world->kubelet.endpoints.count, 1 + 7);
}

static void without_a_kubelet_the_gpus_are_reported_without_amounts(void **state) {
  World *world = *state;
  kubelet_kill(&world->kubelet);
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  start_agent(world);
  run_for(world, AGENT_USE_WAIT_MS - 1);
  assert_story(world, "observe;");
  run_for(world, 1);
  assert_story(world, "patch;");
  assert_string_equal(annotation(world, STATUS), "1g.10gb@6:used"); /* nobody can say it is free */
  run_for(world, 60000);
  assert_string_equal(amount(world, "allocatable", RESOURCE), "(absent)");
  kubelet_start(&world->kubelet);
  run_for(world, 2000);
  assert_string_equal(annotation(world, STATUS), "1g.10gb@6:free");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
}

static void a_restarted_kubelet_gets_the_list_again(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6 2g.20gb@0");
  settle(world);
  kubelet_kill(&world->kubelet);
  run_for(world, 3000);
  kubelet_start(&world->kubelet);
  run_for(world, 3000);
  assert_story(world, "list 1g.10gb: MIG-0-6;list 2g.20gb: MIG-0-0;");
}

static void a_restarted_kubelet_is_not_contradicted_before_it_has_the_list(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  settle(world);
  world->kubelet.hides_new_slices = true;
  kubelet_kill(&world->kubelet);
  run_for(world, 100);
  set_amount(world, RESOURCE, "0"); /* the new kubelet's first words, before any plugin is back */
  run_for(world, 100);
  kubelet_start(&world->kubelet);
  run_for(world, 1000);
  assert_string_equal(amount(world, "allocatable", RESOURCE), "0");
  world->kubelet.hides_new_slices = false;
  run_for(world, AGENT_BARRIER_POLL_MAX_MS);
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
}

static void a_kubelet_that_restarted_unnoticed_is_not_contradicted_either(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  settle(world);
  world->kubelet.hides_new_slices = true;
  kubelet_kill(&world->kubelet);
  kubelet_start(&world->kubelet);
  run_for(world, 1000);
  set_amount(world, RESOURCE, "0");
  run_for(world, 1000);
  assert_string_equal(amount(world, "allocatable", RESOURCE), "0");
  world->kubelet.hides_new_slices = false;
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
  text_append(&world->kubelet.held, "MIG-0-6");
  run_for(world, AGENT_USE_POLL_MS);
  assert_story(world, "patch;");
  assert_string_equal(annotation(world, STATUS), "1g.10gb@5:free,1g.10gb@6:used");
  run_for(world, 10 * AGENT_USE_POLL_MS);
  assert_story(world, "");
  text_clear(&world->kubelet.held);
  run_for(world, AGENT_USE_POLL_MS);
  assert_string_equal(annotation(world, STATUS), "1g.10gb@5:free,1g.10gb@6:free");
}

static void who_holds_what_is_reported_while_the_kubelet_is_behind_with_new_slices(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  settle(world);
  world->kubelet.hides_new_slices = true;
  set_plan(world, "p1", "GPU-0 1g.10gb@6,2g.20gb@0");
  run_for(world, 2000);
  text_append(&world->kubelet.held, "MIG-0-6");
  run_for(world, AGENT_USE_POLL_MS);
  assert_string_equal(annotation(world, STATUS), "2g.20gb@0:free,1g.10gb@6:used");
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
  assert_int_equal(answers.items[0].envs.count + answers.items[0].cdi_names.count, 1);
  if (answers.items[0].cdi_names.count)
    text_format(&allocation->told, "cdi %s", answers.items[0].cdi_names.items[0]);
  else
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
  grpc_session_call(kubelet_connection_session(world->kubelet.endpoints.items[0]->connection),
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
  text_append(&world->kubelet.held, "MIG-0-6");
  run_for(world, AGENT_USE_POLL_MS);
  assert_story(world, "patch;"); /* the allocation was followed up */
}

/* It would forget what it has chosen for the next one. */
static void the_kubelet_is_not_asked_who_holds_what_while_it_admits_pods(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6 1g.10gb@5");
  settle(world);
  for (int i = 0; i < 8; i++) {
    run_for(world, AGENT_USE_QUIET_MS / 2);
    assert_allocated(world, "MIG-0-6", "NVIDIA_VISIBLE_DEVICES=MIG-0-6");
    if (i == 0)
      text_append(&world->kubelet.held, "MIG-0-6");
    assert_story(world, "");
  }
  run_for(world, AGENT_USE_QUIET_MS / 2);
  assert_story(world, "");
  run_for(world, AGENT_USE_QUIET_MS / 2);
  assert_story(world, "patch;");
}

static void but_not_for_ever(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6 1g.10gb@5");
  settle(world);
  text_append(&world->kubelet.held, "MIG-0-6");
  for (int i = 0; i < 20; i++) {
    assert_allocated(world, "MIG-0-6", "NVIDIA_VISIBLE_DEVICES=MIG-0-6");
    run_for(world, AGENT_USE_QUIET_MS / 2);
  }
  assert_story(world, "patch;");
}

/* ---- CDI ---- */

static AgentOnCdiEdits *edits_wanted;
static void *edits_userdata;

static void ask_for_edits(AgentCdiSource *source, AgentOnCdiEdits *on_edits, void *userdata) {
  edits_wanted = on_edits;
  edits_userdata = userdata;
}

static void forget_edits(AgentCdiSource *source) {
  edits_wanted = NULL;
}

static AgentCdiSource edits_source = {.ask = ask_for_edits, .cancel = forget_edits};

/* A GPU that is offered whole needs nothing from the kernel's lists. */
static void with_cdi_a_gpu_is_offered_when_its_file_is_written(void **state) {
  World *world = *state;
  char folder[] = "/tmp/facet-agent-test-XXXXXX";
  assert_non_null(mkdtemp(folder));
  world->cdi = (AgentCdiOptions){.source = &edits_source, .folder = folder, .proc = folder};
  world->truth->gpus[0].mode = MIG_MODE_OFF;
  snprintf(world->truth->driver_version, sizeof world->truth->driver_version, "550");
  settle(world);
  assert_string_equal(amount(world, "allocatable", "nvidia.com/gpu"), "(absent)");
  assert_non_null(edits_wanted);
  edits_wanted(edits_userdata, "{\"cdiVersion\":\"0.5.0\",\"containerEdits\":{}}", NULL);
  run_for(world, 1000);
  assert_story(world, "list gpu: GPU-0;patch;");
  assert_string_equal(amount(world, "allocatable", "nvidia.com/gpu"), "1");
  assert_allocated(world, "GPU-0", "cdi facet.gpu/gpu=GPU-0");
  CLEANUP(cleanup_free) char *path = mem_format("%s/facet-GPU-0.json", folder);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(rmdir(folder), 0);
}

static void a_slice_that_is_gone_is_refused_by_name(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  settle(world);
  assert_allocated(world, "MIG-0-6 MIG-0-3",
                   "refused: slice MIG-0-3 of " RESOURCE " does not exist on this node any more");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      WORLD_TEST(no_amount_is_reported_before_the_kubelet_shows_it),
      WORLD_TEST(every_profile_is_registered_before_its_first_slice),
      WORLD_TEST(an_empty_resource_is_left_to_the_kubelet),
      WORLD_TEST(a_gpu_outside_mig_mode_is_offered_whole),
      WORLD_TEST(without_a_kubelet_the_gpus_are_reported_without_amounts),
      WORLD_TEST(a_restarted_kubelet_gets_the_list_again),
      WORLD_TEST(a_restarted_kubelet_is_not_contradicted_before_it_has_the_list),
      WORLD_TEST(a_kubelet_that_restarted_unnoticed_is_not_contradicted_either),
      WORLD_TEST(after_a_crash_slices_are_published_before_the_api_server_says_anything),
      WORLD_TEST(without_an_earlier_life_nothing_is_published_before_the_label_is_seen),
      WORLD_TEST(who_holds_what_is_reported_when_it_changes),
      WORLD_TEST(who_holds_what_is_reported_while_the_kubelet_is_behind_with_new_slices),
      WORLD_TEST(slices_that_vanish_are_announced_as_none),
      WORLD_TEST(a_container_gets_its_slices_by_the_environment_variable),
      WORLD_TEST(the_kubelet_is_not_asked_who_holds_what_while_it_admits_pods),
      WORLD_TEST(but_not_for_ever),
      WORLD_TEST(with_cdi_a_gpu_is_offered_when_its_file_is_written),
      WORLD_TEST(a_slice_that_is_gone_is_refused_by_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
