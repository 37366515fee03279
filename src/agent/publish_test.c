/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_fixture.h"

#include "agent/publish.h"

#include "cluster/test_objects.h"

#define RESOURCE "nvidia.com/mig-1g.10gb"

/* "nvidia.com/mig-1g.10gb: MIG-0-5 MIG-0-6; ..." */
static const char *resources_of(Fixture *f) {
  AgentResources resources;
  CLEANUP(text_deinit) Text text = {0};
  agent_publish_resources(f->observation, &f->arena, &resources);
  for (size_t i = 0; i < resources.count; i++) {
    const AgentResource *resource = &resources.items[i];
    text_format(&text, "%s%s:", i ? "; " : "", resource->name);
    for (size_t k = 0; k < resource->partitions.count; k++) {
      assert_true(resource->partitions.items[k].healthy);
      text_format(&text, " %s", resource->partitions.items[k].id);
    }
  }
  return arena_strdup(&f->arena, text_string(&text));
}

/* ---- resources ---- */

static void no_gpu_gives_no_resource(void **state) {
  assert_string_equal(resources_of(*state), "");
}

static void slices_of_all_gpus_are_grouped_by_profile_in_order(void **state) {
  Fixture *f = *state;
  observe(f, "A30", "2g.12gb@0 1g.6gb@3 1g.6gb@2");
  observe(f, "A30", "1g.6gb@3 1g.6gb+me@0");
  assert_string_equal(resources_of(f), "nvidia.com/mig-1g.6gb: MIG-0-2 MIG-0-3 MIG-1-3; "
                                       "nvidia.com/mig-1g.6gb.me: MIG-1-0; nvidia.com/mig-2g.12gb: MIG-0-0; "
                                       "nvidia.com/mig-2g.12gb.me:; nvidia.com/mig-4g.24gb:");
}

static void every_profile_is_named_before_the_first_slice_of_it(void **state) {
  Fixture *f = *state;
  observe(f, "A30", "");
  observe(f, "RTX-PRO-6000", "");
  assert_string_equal(resources_of(f),
                      "nvidia.com/mig-1g.24gb:; nvidia.com/mig-1g.24gb-me:; nvidia.com/mig-1g.24gb.gfx:; "
                      "nvidia.com/mig-1g.24gb.me:; nvidia.com/mig-1g.24gb.me.all:; nvidia.com/mig-1g.6gb:; "
                      "nvidia.com/mig-1g.6gb.me:; nvidia.com/mig-2g.12gb:; nvidia.com/mig-2g.12gb.me:; "
                      "nvidia.com/mig-2g.48gb:; nvidia.com/mig-2g.48gb-me:; nvidia.com/mig-2g.48gb.gfx:; "
                      "nvidia.com/mig-2g.48gb.me.all:; nvidia.com/mig-4g.24gb:; nvidia.com/mig-4g.96gb:; "
                      "nvidia.com/mig-4g.96gb.gfx:");
}

static void incomplete_and_unknown_instances_are_not_offered(void **state) {
  Fixture *f = *state;
  GpuObserved *gpu = observe(f, "A30", "1g.6gb@3? 1g.6gb@2 2g.12gb@0");
  gpu->instances[2].nvml_id = 4711;
  assert_string_equal(resources_of(f),
                      "nvidia.com/mig-1g.6gb: MIG-0-2; nvidia.com/mig-1g.6gb.me:; nvidia.com/mig-2g.12gb:; "
                      "nvidia.com/mig-2g.12gb.me:; nvidia.com/mig-4g.24gb:");
}

static void a_full_node_is_offered_in_full(void **state) {
  Fixture *f = *state;
  for (int i = 0; i < GPU_COUNT_MAX; i++)
    observe(f, "A100-80GB", "1g.10gb@0 1g.10gb@1 1g.10gb@2 1g.10gb@3 1g.10gb@4 1g.10gb@5 1g.10gb@6");
  AgentResources resources;
  agent_publish_resources(f->observation, &f->arena, &resources);
  assert_int_equal(resources.count, 7);
  assert_string_equal(resources.items[0].name, RESOURCE);
  assert_int_equal(resources.items[0].partitions.count, GPU_COUNT_MAX * 7);
}

/* ---- whole GPUs ---- */

static void a_gpu_is_offered_whole_or_in_slices_and_never_both(void **state) {
  Fixture *f = *state;
  observe(f, "A30", "")->mode = MIG_MODE_OFF;
  observe(f, "A30", "")->mode = MIG_MODE_PENDING;
  observe(f, "A30", "")->identified = false; /* off, or so it seems: nothing was read */
  f->observation->gpus[2].mode = MIG_MODE_OFF;
  GpuObserved *plain = observe(f, "A30", "");
  plain->mig_capable = false;
  plain->mode = MIG_MODE_OFF;
  plain->model.profile_count = 0;
  assert_string_equal(resources_of(f), "nvidia.com/gpu: GPU-0 GPU-3");
  f->observation->gpus[0].mode = MIG_MODE_ON;
  observe_slices(&f->observation->gpus[0], "4g.24gb@0");
  assert_string_equal(resources_of(f),
                      "nvidia.com/gpu: GPU-3; nvidia.com/mig-1g.6gb:; nvidia.com/mig-1g.6gb.me:; "
                      "nvidia.com/mig-2g.12gb:; nvidia.com/mig-2g.12gb.me:; nvidia.com/mig-4g.24gb: MIG-0-0");
}

static void slices_of_a_gpu_that_waits_for_its_reset_are_still_offered(void **state) {
  Fixture *f = *state;
  observe(f, "A30", "4g.24gb@0")->mode = MIG_MODE_PENDING;
  assert_string_equal(resources_of(f), "nvidia.com/mig-4g.24gb: MIG-0-0");
}

static void what_is_offered_exists_for_a_container(void **state) {
  Fixture *f = *state;
  observe(f, "A30", "1g.6gb@3? 1g.6gb@2");
  observe(f, "A30", "")->mode = MIG_MODE_OFF;
  assert_true(agent_publish_exists(f->observation, "MIG-0-2"));
  assert_true(agent_publish_exists(f->observation, "GPU-1"));
  assert_false(agent_publish_exists(f->observation, "GPU-0")); /* it is cut */
  assert_false(agent_publish_exists(f->observation, "MIG-0-3"));
  assert_false(agent_publish_exists(f->observation, ""));
}

static void only_names_that_can_be_ours_are_resources(void **state) {
  assert_true(agent_publish_is_resource("nvidia.com/mig-1g.6gb"));
  assert_true(agent_publish_is_resource("nvidia.com/gpu"));
  assert_false(agent_publish_is_resource("nvidia.com/gpu.shared"));
  assert_false(agent_publish_is_resource("amd.com/gpu"));
}

/* ---- what the kubelet knows ---- */

static void the_kubelet_knows_a_resource_when_it_has_exactly_its_slices(void **state) {
  KubeletPartition items[] = {{"MIG-a", true}, {"MIG-b", true}};
  const AgentResource two = {.name = RESOURCE, .partitions = {.items = items, .count = 2}};
  const AgentResource none = {.name = RESOURCE};
  const struct {
    const AgentResource *resource;
    KubeletHelds allocatable;
    bool known;
  } answers[] = {
      {&two, {0}, false},
      {&two, LIST_OF(KubeletHeld, {.resource = RESOURCE, .ids = LIST_OF(const char *, "MIG-b", "MIG-a")}),
       true},
      {&two,
       LIST_OF(KubeletHeld, {.resource = "cpu"},
               {.resource = RESOURCE, .ids = LIST_OF(const char *, "MIG-b")},
               {.resource = RESOURCE, .ids = LIST_OF(const char *, "MIG-a")}),
       true},
      {&two, LIST_OF(KubeletHeld, {.resource = RESOURCE, .ids = LIST_OF(const char *, "MIG-a")}), false},
      {&two, LIST_OF(KubeletHeld, {.resource = RESOURCE, .ids = LIST_OF(const char *, "MIG-a", "MIG-c")}),
       false},
      {&two,
       LIST_OF(KubeletHeld, {.resource = RESOURCE, .ids = LIST_OF(const char *, "MIG-a", "MIG-b", "MIG-c")}),
       false},
      {&two,
       LIST_OF(KubeletHeld,
               {.resource = "nvidia.com/mig-2g.20gb", .ids = LIST_OF(const char *, "MIG-a", "MIG-b")}),
       false},
      {&two, LIST_OF(KubeletHeld, {.ids = LIST_OF(const char *, "MIG-a", "MIG-b")}), false}, /* names none */
      {&none, {0}, true},
      {&none, LIST_OF(KubeletHeld, {.resource = RESOURCE, .ids = LIST_OF(const char *, "MIG-a")}), false},
  };
  for (size_t i = 0; i < COUNT_OF(answers); i++)
    if (agent_publish_is_known(answers[i].resource, &answers[i].allocatable) != answers[i].known)
      fail_msg("answer %zu: expected %s", i, answers[i].known ? "known" : "unknown");
}

/* ---- finding ---- */

static void a_slice_is_found_with_its_gpu(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "1g.10gb@6?");
  observe(f, "A100-80GB", "1g.10gb@5");
  const GpuObserved *gpu = NULL;
  assert_int_equal(agent_publish_find(f->observation, "MIG-1-5", &gpu)->start, 5);
  assert_int_equal(gpu->index, 1);
  assert_non_null(agent_publish_find(f->observation, "MIG-1-5", NULL));
  assert_null(agent_publish_find(f->observation, "MIG-1-6", NULL));
  assert_null(agent_publish_find(f->observation, "", NULL)); /* not the incomplete one */
}

/* ---- preferences ---- */

typedef struct Question {
  const char *what;
  Strings available, must_include;
  int size;
  const char *chosen;
} Question;

/* GPU 0 has three free slices, GPU 1 two (one is held). */
static const Question questions[] = {
    {"the GPU with fewer free ones, there the highest place",
     LIST_OF(const char *, "MIG-0-4", "MIG-0-5", "MIG-0-6", "MIG-1-4", "MIG-1-5"),
     {0},
     1,
     "MIG-1-5"},
    {"it is emptied before the next",
     LIST_OF(const char *, "MIG-0-4", "MIG-0-5", "MIG-0-6", "MIG-1-4", "MIG-1-5"),
     {0},
     3,
     "MIG-1-5 MIG-1-4 MIG-0-6"},
    {"only what is available", LIST_OF(const char *, "MIG-0-4", "MIG-0-5"), {0}, 1, "MIG-0-5"},
    {"what must be included comes first and once", LIST_OF(const char *, "MIG-0-4", "MIG-0-5", "MIG-1-5"),
     LIST_OF(const char *, "MIG-0-4"), 2, "MIG-0-4 MIG-1-5"},
    {"no more than asked for even of those", LIST_OF(const char *, "MIG-0-4", "MIG-0-5"),
     LIST_OF(const char *, "MIG-0-4", "MIG-0-5"), 1, "MIG-0-4"},
    {"more than there are", LIST_OF(const char *, "MIG-0-4", "MIG-0-5"), {0}, 5, "MIG-0-5 MIG-0-4"},
    {"ids that are not here are the last choice",
     LIST_OF(const char *, "MIG-x", "MIG-0-4", "MIG-w"),
     {0},
     2,
     "MIG-0-4 MIG-w"},
    {"nothing asked", LIST_OF(const char *, "MIG-0-4"), {0}, 0, ""},
    {"less than nothing asked", LIST_OF(const char *, "MIG-0-4"), LIST_OF(const char *, "MIG-0-4"), -3, ""},
    {"nothing available", {0}, {0}, 2, ""},
};

static void preferred_slices_fill_one_gpu_after_the_other(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "1g.10gb@4 1g.10gb@5 1g.10gb@6");
  observe(f, "A100-80GB", "1g.10gb@4 1g.10gb@5 1g.10gb@6 1g.10gb@0? 1g.10gb@1?"); /* which nobody can get */
  CLEANUP(map_deinit) Map used = {0};
  map_put(&used, "MIG-1-6", f);
  for (size_t i = 0; i < COUNT_OF(questions); i++) {
    const Question *question = &questions[i];
    const KubeletPreferred request = {
        .available = question->available, .must_include = question->must_include, .size = question->size};
    Strings ids;
    agent_publish_prefer(f->observation, &used, &request, &f->arena, &ids);
    CLEANUP(text_deinit) Text chosen = {0};
    for (size_t k = 0; k < ids.count; k++)
      text_format(&chosen, "%s%s", k ? " " : "", ids.items[k]);
    if (strcmp(text_string(&chosen), question->chosen) != 0)
      fail_msg("%s: \"%s\" where \"%s\" is expected", question->what, text_string(&chosen), question->chosen);
  }
}

static void whole_gpus_are_preferred_by_their_index(void **state) {
  Fixture *f = *state;
  for (int i = 0; i < 3; i++)
    observe(f, "A30", "")->mode = MIG_MODE_OFF;
  const KubeletPreferred request = {.available = LIST_OF(const char *, "GPU-2", "GPU-0", "GPU-1"), .size = 2};
  CLEANUP(map_deinit) Map used = {0};
  Strings ids;
  agent_publish_prefer(f->observation, &used, &request, &f->arena, &ids);
  assert_int_equal(ids.count, 2);
  assert_string_equal(ids.items[0], "GPU-0");
  assert_string_equal(ids.items[1], "GPU-1");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      FIXTURE_TEST(no_gpu_gives_no_resource),
      FIXTURE_TEST(slices_of_all_gpus_are_grouped_by_profile_in_order),
      FIXTURE_TEST(every_profile_is_named_before_the_first_slice_of_it),
      FIXTURE_TEST(incomplete_and_unknown_instances_are_not_offered),
      FIXTURE_TEST(a_full_node_is_offered_in_full),
      FIXTURE_TEST(a_gpu_is_offered_whole_or_in_slices_and_never_both),
      FIXTURE_TEST(slices_of_a_gpu_that_waits_for_its_reset_are_still_offered),
      FIXTURE_TEST(what_is_offered_exists_for_a_container),
      cmocka_unit_test(only_names_that_can_be_ours_are_resources),
      cmocka_unit_test(the_kubelet_knows_a_resource_when_it_has_exactly_its_slices),
      FIXTURE_TEST(a_slice_is_found_with_its_gpu),
      FIXTURE_TEST(preferred_slices_fill_one_gpu_after_the_other),
      FIXTURE_TEST(whole_gpus_are_preferred_by_their_index),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
