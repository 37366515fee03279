/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_fixture.h"

#include "agent/publish.h"

#include "cluster/test_objects.h"

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
  observe(f, "A100-80GB", "2g.20gb@0 1g.10gb@6 1g.10gb@5");
  observe(f, "NVIDIA H100 80GB HBM3", "1g.10gb@6 1g.10gb+me@0");
  assert_string_equal(resources_of(f), "nvidia.com/mig-1g.10gb: MIG-0-5 MIG-0-6 MIG-1-6; "
                                       "nvidia.com/mig-1g.10gb.me: MIG-1-0; nvidia.com/mig-2g.20gb: MIG-0-0");
}

static void incomplete_and_unknown_instances_are_not_offered(void **state) {
  Fixture *f = *state;
  GpuObserved *gpu = observe(f, "A100-80GB", "1g.10gb@6? 1g.10gb@5 2g.20gb@0");
  gpu->instances[2].nvml_id = 4711;
  assert_string_equal(resources_of(f), "nvidia.com/mig-1g.10gb: MIG-0-5");
}

static void a_full_node_is_offered_in_full(void **state) {
  Fixture *f = *state;
  for (int i = 0; i < GPU_COUNT_MAX; i++)
    observe(f, "A100-80GB", "1g.10gb@0 1g.10gb@1 1g.10gb@2 1g.10gb@3 1g.10gb@4 1g.10gb@5 1g.10gb@6");
  AgentResources resources;
  agent_publish_resources(f->observation, &f->arena, &resources);
  assert_int_equal(resources.count, 1);
  assert_int_equal(resources.items[0].partitions.count, 7 * GPU_COUNT_MAX);
}

/* ---- what the kubelet knows ---- */

#define RESOURCE "nvidia.com/mig-1g.10gb"

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

int main(void) {
  const struct CMUnitTest tests[] = {
      FIXTURE_TEST(no_gpu_gives_no_resource),
      FIXTURE_TEST(slices_of_all_gpus_are_grouped_by_profile_in_order),
      FIXTURE_TEST(incomplete_and_unknown_instances_are_not_offered),
      FIXTURE_TEST(a_full_node_is_offered_in_full),
      cmocka_unit_test(the_kubelet_knows_a_resource_when_it_has_exactly_its_slices),
      FIXTURE_TEST(a_slice_is_found_with_its_gpu),
      FIXTURE_TEST(preferred_slices_fill_one_gpu_after_the_other),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
