/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_fixture.h"

#include "agent/report.h"

#include "cluster/test_objects.h"

#include <jansson.h>

static const Map nobody; /* no pod holds anything */

/* A report of the fixture's GPUs; every resource known to the kubelet. */
static AgentReport report_of(Fixture *f, const Map *used) {
  AgentResources *resources = arena_alloc(&f->arena, sizeof *resources);
  agent_publish_resources(f->observation, &f->arena, resources);
  bool *known = arena_alloc(&f->arena, resources->count + 1);
  memset(known, true, resources->count + 1);
  return (AgentReport){.observation = f->observation, .used = used, .resources = resources, .known = known};
}

/* The patch, which must be JSON; "" where there is nothing to report. */
static const char *patch_with(Fixture *f, const AgentReport *report) {
  CLEANUP(text_deinit) Text body = {0};
  if (!agent_report_format(&f->node, report, &body)) {
    assert_int_equal(body.size, 0);
    return "";
  }
  json_error_t error;
  json_t *patch = json_loads(text_string(&body), JSON_REJECT_DUPLICATES, &error);
  if (!patch)
    fail_msg("%s in %s", error.text, text_string(&body));
  json_decref(patch);
  return arena_strdup(&f->arena, text_string(&body));
}

static const char *patch_of(Fixture *f, const Map *used) {
  AgentReport report = report_of(f, used);
  return patch_with(f, &report);
}

static void set_amounts(Fixture *f, ResourceTexts *list, const char *object_name, const json_t *status) {
  json_t *amounts = json_object_get(status, object_name);
  const char *name;
  json_t *amount;
  json_object_foreach(amounts, name, amount) {
    ResourceText *items = arena_alloc(&f->arena, (list->count + 1) * sizeof *items);
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++)
      if (strcmp(list->items[i].key, name) != 0)
        items[count++] = list->items[i];
    items[count++] =
        (ResourceText){arena_strdup(&f->arena, name), arena_strdup(&f->arena, json_string_value(amount))};
    *list = (ResourceTexts){.items = items, .count = count};
  }
}

/* What the API server does with it: a merge patch of the node. */
static void apply(Fixture *f, const char *patch_text) {
  json_t *patch = json_loads(patch_text, 0, NULL), *value;
  const char *key;
  json_object_foreach(json_object_get(json_object_get(patch, "metadata"), "annotations"), key, value)
      annotate(f, key, json_string_value(value));
  const json_t *status = json_object_get(patch, "status");
  set_amounts(f, &f->node.capacity, "capacity", status);
  set_amounts(f, &f->node.allocatable, "allocatable", status);
  json_decref(patch);
}

/* The node as after its first report. */
static void report_once(Fixture *f) {
  apply(f, patch_of(f, &nobody));
  assert_string_equal(patch_of(f, &nobody), "");
}

/* ---- annotations ---- */

static void the_first_report_says_everything_in_one_patch(void **state) {
  Fixture *f = *state;
  observe(f, "A30", "1g.6gb@0 1g.6gb@1 2g.12gb@2");
  CLEANUP(map_deinit) Map used = {0};
  map_put(&used, "MIG-0-1", f);
  char profiles[MIG_PROFILES_TEXT_MAX];
  const MigModel *model = test_model("A30");
  mig_profiles_format(&model, 1, profiles, sizeof profiles);
  const char *expected = arena_format(
      &f->arena,
      "{\"metadata\":{\"annotations\":{\"facet.gpu/gpu-0\":\"GPU-0 NVIDIA-A30 mig=on\","
      "\"facet.gpu/status-gpu-0\":\"1g.6gb@0:free,1g.6gb@1:used,2g.12gb@2:free\","
      "\"nos.nebuly.com/status-gpu-0-1g.6gb-free\":\"1\",\"nos.nebuly.com/status-gpu-0-1g.6gb-used\":\"1\","
      "\"nos.nebuly.com/status-gpu-0-2g.12gb-free\":\"1\",\"facet.gpu/profiles\":\"%s\"}},"
      "\"status\":{\"capacity\":{\"nvidia.com/mig-1g.6gb\":\"2\",\"nvidia.com/mig-2g.12gb\":\"1\"},"
      "\"allocatable\":{\"nvidia.com/mig-1g.6gb\":\"2\",\"nvidia.com/mig-2g.12gb\":\"1\"}}}",
      profiles);
  assert_string_equal(patch_of(f, &used), expected);
}

static void nothing_is_reported_twice(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "1g.10gb@6 2g.20gb@0");
  observe(f, "A100-80GB", "");
  report_once(f);
}

static void only_what_changed_is_in_the_patch(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "1g.10gb@6");
  report_once(f);
  CLEANUP(map_deinit) Map used = {0};
  map_put(&used, "MIG-0-6", f);
  assert_string_equal(patch_of(f, &used),
                      "{\"metadata\":{\"annotations\":{\"facet.gpu/status-gpu-0\":\"1g.10gb@6:used\","
                      "\"nos.nebuly.com/status-gpu-0-1g.10gb-used\":\"1\","
                      "\"nos.nebuly.com/status-gpu-0-1g.10gb-free\":null}}}");
}

static void a_new_slice_changes_its_lists_counts_and_amounts(void **state) {
  Fixture *f = *state;
  GpuObserved *gpu = observe(f, "A100-80GB", "1g.10gb@6");
  report_once(f);
  observe_slices(gpu, "1g.10gb@5");
  assert_string_equal(
      patch_of(f, &nobody),
      "{\"metadata\":{\"annotations\":{\"facet.gpu/status-gpu-0\":\"1g.10gb@5:free,1g.10gb@6:free\","
      "\"nos.nebuly.com/status-gpu-0-1g.10gb-free\":\"2\"}},"
      "\"status\":{\"capacity\":{\"nvidia.com/mig-1g.10gb\":\"2\"},"
      "\"allocatable\":{\"nvidia.com/mig-1g.10gb\":\"2\"}}}");
}

static void while_use_is_unknown_every_slice_is_in_use(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "1g.10gb@6 1g.10gb@5");
  const char *patch = patch_of(f, NULL);
  assert_non_null(strstr(patch, "\"facet.gpu/status-gpu-0\":\"1g.10gb@5:used,1g.10gb@6:used\""));
  assert_non_null(strstr(patch, "\"nos.nebuly.com/status-gpu-0-1g.10gb-used\":\"2\""));
  assert_null(strstr(patch, "-free"));
}

static void an_incomplete_slice_is_in_use_because_no_pod_can_get_it(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "1g.10gb@6? 1g.10gb@5");
  const char *patch = patch_of(f, &nobody);
  assert_non_null(strstr(patch, "\"facet.gpu/status-gpu-0\":\"1g.10gb@5:free,1g.10gb@6:used\""));
  assert_non_null(strstr(patch, "\"capacity\":{\"nvidia.com/mig-1g.10gb\":\"1\"}"));
}

static void what_is_gone_from_the_gpus_is_taken_back(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "1g.10gb@6");
  observe(f, "A100-80GB", "");
  report_once(f);
  annotate(f, "nos.nebuly.com/status-gpu-0-nonsense-of-old", "1");
  f->observation->gpu_count = 1;
  f->observation->gpus[0].instance_count = 0;
  assert_string_equal(
      patch_of(f, &nobody),
      "{\"metadata\":{\"annotations\":{\"facet.gpu/status-gpu-0\":\"\","
      "\"nos.nebuly.com/status-gpu-0-1g.10gb-free\":null,\"facet.gpu/gpu-1\":null,"
      "\"facet.gpu/status-gpu-1\":null,\"nos.nebuly.com/status-gpu-0-nonsense-of-old\":null}},"
      "\"status\":{\"capacity\":{\"nvidia.com/mig-1g.10gb\":\"0\"},"
      "\"allocatable\":{\"nvidia.com/mig-1g.10gb\":\"0\"}}}");
}

static void annotations_of_people_and_of_the_controller_are_left_alone(void **state) {
  static const char *const foreign[] = {"facet.gpu/exclude-gpus",
                                        "facet.gpu/keep-gpu-0",
                                        "facet.gpu/allowed-profiles",
                                        "facet.gpu/paused",
                                        "facet.gpu/mig-mode",
                                        "facet.gpu/spec-gpu-0",
                                        "nos.nebuly.com/spec-gpu-0-1g.10gb",
                                        "nos.nebuly.com/spec-partitioning-plan",
                                        "example.com/status-gpu-0",
                                        "facet.gpu/gpu-",
                                        "facet.gpu/gpu-x",
                                        "facet.gpu/status-gpu-64"};
  Fixture *f = *state;
  observe(f, "A100-80GB", "1g.10gb@6");
  for (size_t i = 0; i < COUNT_OF(foreign); i++)
    annotate(f, foreign[i], "theirs");
  report_once(f);
  for (size_t i = 0; i < COUNT_OF(foreign); i++)
    assert_string_equal(key_values_find(&f->node.meta.annotations, foreign[i]), "theirs");
}

static void media_profiles_have_a_plus_in_lists_and_a_dot_in_keys(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "1g.10gb+me@0");
  const char *patch = patch_of(f, &nobody);
  assert_non_null(strstr(patch, "\"facet.gpu/status-gpu-0\":\"1g.10gb+me@0:free\""));
  assert_non_null(strstr(patch, "\"nos.nebuly.com/status-gpu-0-1g.10gb.me-free\":\"1\""));
  assert_non_null(strstr(patch, "\"nvidia.com/mig-1g.10gb.me\":\"1\""));
}

static void a_gpu_that_cannot_do_mig_is_identified_and_offered_whole(void **state) {
  Fixture *f = *state;
  GpuObserved *gpu = observe(f, "A100-80GB", "");
  gpu->mig_capable = false;
  gpu->mode = MIG_MODE_OFF;
  gpu->model.profile_count = 0;
  snprintf(gpu->product, sizeof gpu->product, "Tesla T4");
  assert_string_equal(patch_of(f, &nobody),
                      "{\"metadata\":{\"annotations\":{\"facet.gpu/gpu-0\":\"GPU-0 Tesla-T4 mig=off\"}},"
                      "\"status\":{\"capacity\":{\"nvidia.com/gpu\":\"1\"},"
                      "\"allocatable\":{\"nvidia.com/gpu\":\"1\"}}}");
}

static void equal_models_are_described_once(void **state) {
  Fixture *f = *state;
  for (int i = 0; i < 8; i++)
    observe(f, i % 2 ? "A30" : "A100-80GB", "");
  const char *profiles = strstr(patch_of(f, &nobody), "facet.gpu/profiles");
  assert_non_null(profiles);
  const char *second = strchr(profiles, ';');
  assert_non_null(second);
  assert_null(strchr(second + 1, ';'));
}

/* ---- plan and error ---- */

static void a_plan_is_answered_once_and_stays_answered(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "");
  report_once(f);
  AgentReport report = report_of(f, &nobody);
  report.answered_plan = "p1";
  const char *patch = patch_with(f, &report);
  assert_string_equal(
      patch, "{\"metadata\":{\"annotations\":{\"nos.nebuly.com/status-partitioning-plan\":\"p1\"}}}");
  apply(f, patch);
  assert_string_equal(patch_with(f, &report), "");
  report.answered_plan = NULL; /* the next plan is under way */
  assert_string_equal(patch_with(f, &report), "");
}

static void an_error_is_set_changed_and_removed(void **state) {
  static const char *const errors[] = {"GPU 0 says \"no\"", "GPU 1 too", NULL};
  static const char *const values[] = {"\"GPU 0 says \\\"no\\\"\"", "\"GPU 1 too\"", "null"};
  Fixture *f = *state;
  observe(f, "A100-80GB", "1g.10gb@6");
  report_once(f);
  for (size_t i = 0; i < COUNT_OF(errors); i++) {
    AgentReport report = report_of(f, &nobody);
    report.error = errors[i];
    const char *patch = patch_with(f, &report);
    assert_string_equal(
        patch,
        arena_format(&f->arena, "{\"metadata\":{\"annotations\":{\"facet.gpu/error\":%s}}}", values[i]));
    apply(f, patch);
    assert_string_equal(patch_with(f, &report), "");
  }
}

static void gpus_that_cannot_be_read_change_nothing_but_the_error(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "1g.10gb@6");
  report_once(f);
  AgentReport report = report_of(f, &nobody);
  report.observation = NULL;
  report.answered_plan = "p1"; /* even this waits until somebody can see the GPUs */
  report.error = "NVML hangs";
  const char *patch = patch_with(f, &report);
  assert_string_equal(patch, "{\"metadata\":{\"annotations\":{\"facet.gpu/error\":\"NVML hangs\"}}}");
  apply(f, patch);
  assert_string_equal(patch_with(f, &report), "");
}

/* ---- amounts ---- */

static void amounts_wait_until_the_kubelet_knows_each_resource(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "1g.10gb@6 2g.20gb@0");
  AgentReport report = report_of(f, &nobody);
  assert_string_equal(report.resources->items[3].name, "nvidia.com/mig-2g.20gb");
  const bool none[7] = {false}, second[7] = {[3] = true};
  report.known = none;
  apply(f, patch_with(f, &report));
  assert_int_equal(f->node.capacity.count + f->node.allocatable.count, 0);
  report.known = second;
  assert_string_equal(patch_with(f, &report), "{\"status\":{\"capacity\":{\"nvidia.com/mig-2g.20gb\":\"1\"},"
                                              "\"allocatable\":{\"nvidia.com/mig-2g.20gb\":\"1\"}}}");
}

static void capacity_and_allocatable_are_compared_each_for_itself(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "1g.10gb@6");
  report_once(f);
  f->node.allocatable = (ResourceTexts)LIST_OF(ResourceText, {"nvidia.com/mig-1g.10gb", "7"});
  assert_string_equal(patch_of(f, &nobody),
                      "{\"status\":{\"allocatable\":{\"nvidia.com/mig-1g.10gb\":\"1\"}}}");
  f->node.capacity = (ResourceTexts){0};
  f->node.allocatable = (ResourceTexts)LIST_OF(ResourceText, {"nvidia.com/mig-1g.10gb", "1"});
  assert_string_equal(patch_of(f, &nobody), "{\"status\":{\"capacity\":{\"nvidia.com/mig-1g.10gb\":\"1\"}}}");
}

static void an_amount_is_compared_by_value_and_garbage_is_replaced(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "1g.10gb@6");
  report_once(f);
  f->node.allocatable = (ResourceTexts)LIST_OF(ResourceText, {"nvidia.com/mig-1g.10gb", "1000m"});
  assert_string_equal(patch_of(f, &nobody), "");
  f->node.allocatable = (ResourceTexts)LIST_OF(ResourceText, {"nvidia.com/mig-1g.10gb", "one"});
  assert_string_equal(patch_of(f, &nobody),
                      "{\"status\":{\"allocatable\":{\"nvidia.com/mig-1g.10gb\":\"1\"}}}");
}

static void slices_that_no_gpu_has_are_withdrawn_and_other_resources_are_not(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "1g.10gb@6");
  report_once(f);
  f->node.allocatable = (ResourceTexts)LIST_OF(
      ResourceText, {"cpu", "8"}, {"nvidia.com/gpu", "2"}, {"nvidia.com/mig-1g.10gb", "1"},
      {"nvidia.com/mig-3g.40gb", "2"}, {"nvidia.com/mig-4g.40gb", "0"});
  assert_string_equal(patch_of(f, &nobody),
                      "{\"status\":{\"allocatable\":{\"nvidia.com/mig-3g.40gb\":\"0\"}}}");
}

static void a_slice_that_the_kubelet_does_not_know_yet_is_not_withdrawn(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "1g.10gb@6");
  report_once(f);
  AgentReport report = report_of(f, &nobody);
  report.known = (const bool[7]){false}; /* the agent has just been started again */
  assert_string_equal(patch_with(f, &report), "");
}

static void where_another_plugin_publishes_more_capacity_is_not_contradicted(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "1g.10gb@6");
  report_once(f);
  f->node.capacity = f->node.allocatable =
      (ResourceTexts)LIST_OF(ResourceText, {"nvidia.com/mig-1g.10gb", "3"}, {"nvidia.com/mig-9g.90gb", "2"});
  AgentReport report = report_of(f, &nobody);
  report.is_strange = true;
  assert_string_equal(patch_with(f, &report),
                      "{\"status\":{\"allocatable\":{\"nvidia.com/mig-1g.10gb\":\"1\"}}}");
  f->node.capacity = f->node.allocatable = (ResourceTexts){0};
  assert_string_equal(patch_with(f, &report), "{\"status\":{\"capacity\":{\"nvidia.com/mig-1g.10gb\":\"1\"},"
                                              "\"allocatable\":{\"nvidia.com/mig-1g.10gb\":\"1\"}}}");
}

static void what_it_waits_for_is_said_and_taken_back(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "");
  report_once(f);
  AgentReport report = report_of(f, &nobody);
  report.stage = "waiting for NVIDIA";
  const char *patch = patch_with(f, &report);
  assert_string_equal(patch, "{\"metadata\":{\"annotations\":{\"facet.gpu/stage\":\"waiting for NVIDIA\"}}}");
  apply(f, patch);
  report.stage = "";
  assert_string_equal(patch_with(f, &report), "{\"metadata\":{\"annotations\":{\"facet.gpu/stage\":null}}}");
}

static void a_full_node_is_reported_whole(void **state) {
  Fixture *f = *state;
  for (int i = 0; i < 16; i++)
    observe(f, "A100-80GB", "1g.10gb@0 1g.10gb@1 1g.10gb@2 1g.10gb@3 1g.10gb@4 1g.10gb@5 1g.10gb@6");
  report_once(f);
  assert_string_equal(f->node.capacity.items[0].value, "112");
}

static void an_offer_is_told_together_with_the_amounts_and_only_grows(void **state) {
  Fixture *f = *state;
  static const struct {
    const char *label;
    int64_t offer;
    bool is_retired;
    const char *told; /* NULL: nothing of it */
  } cases[] = {
      {NULL, 5, false, "\"labels\":{\"facet.gpu/offer\":\"5\"}"},
      {"4", 5, false, "\"labels\":{\"facet.gpu/offer\":\"5\"}"},
      {"garbage", 5, false, "\"labels\":{\"facet.gpu/offer\":\"5\"}"},
      {"5", 5, false, NULL},
      {"6", 5, false, NULL},
      {"6", 0, false, NULL},
      {"6", 7, true, "\"labels\":{\"facet.gpu/offer\":\"7\"}"},
      {"6", 0, true, NULL},
  };
  observe(f, "A100-80GB", "1g.10gb@6");
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    KeyValue label = {"facet.gpu/offer", cases[i].label};
    f->node.meta.labels = (KeyValues){&label, cases[i].label != NULL};
    AgentReport report = report_of(f, &nobody);
    report.offer = cases[i].offer;
    report.retired = report.withdrawn = cases[i].is_retired;
    const char *patch = patch_with(f, &report);
    if (cases[i].told ? !strstr(patch, cases[i].told) : strstr(patch, "labels") != NULL)
      fail_msg("case %zu: %s", i, patch);
    f->node.meta.labels = (KeyValues){0};
  }
}

/* The API server takes 256 KiB of annotations an object; the largest node that there is needs a fraction,
 * with its UUIDs as long as they can be. What the controller writes is tested in
 * controller/node_patch_test.c. */
static void sixteen_gpus_in_seven_slices_each_leave_most_of_the_room_for_others(void **state) {
  enum { GPUS = 16, ANNOTATIONS_SIZE_MAX = 256 << 10, SHARE = 16 };
  Fixture *f = *state;
  CLEANUP(map_deinit) Map used = {0};
  for (int i = 0; i < GPUS; i++) {
    observe(f, "A100-80GB", "1g.10gb@0 1g.10gb@1 1g.10gb@2 1g.10gb@3 1g.10gb@4 1g.10gb@5 1g.10gb+me@6");
    map_put(&used, arena_format(&f->arena, "MIG-%d-6", i), f);
    map_put(&used, arena_format(&f->arena, "MIG-%d-0", i), f);
  }
  size_t size = strlen(patch_of(f, &used)) + (size_t)GPUS * MIG_UUID_SIZE;
  print_message("# %zu bytes\n", size);
  assert_in_range(size, 4096, ANNOTATIONS_SIZE_MAX / SHARE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      FIXTURE_TEST(an_offer_is_told_together_with_the_amounts_and_only_grows),
      FIXTURE_TEST(the_first_report_says_everything_in_one_patch),
      FIXTURE_TEST(nothing_is_reported_twice),
      FIXTURE_TEST(sixteen_gpus_in_seven_slices_each_leave_most_of_the_room_for_others),
      FIXTURE_TEST(only_what_changed_is_in_the_patch),
      FIXTURE_TEST(a_new_slice_changes_its_lists_counts_and_amounts),
      FIXTURE_TEST(while_use_is_unknown_every_slice_is_in_use),
      FIXTURE_TEST(an_incomplete_slice_is_in_use_because_no_pod_can_get_it),
      FIXTURE_TEST(what_is_gone_from_the_gpus_is_taken_back),
      FIXTURE_TEST(annotations_of_people_and_of_the_controller_are_left_alone),
      FIXTURE_TEST(media_profiles_have_a_plus_in_lists_and_a_dot_in_keys),
      FIXTURE_TEST(a_gpu_that_cannot_do_mig_is_identified_and_offered_whole),
      FIXTURE_TEST(equal_models_are_described_once),
      FIXTURE_TEST(a_plan_is_answered_once_and_stays_answered),
      FIXTURE_TEST(an_error_is_set_changed_and_removed),
      FIXTURE_TEST(gpus_that_cannot_be_read_change_nothing_but_the_error),
      FIXTURE_TEST(amounts_wait_until_the_kubelet_knows_each_resource),
      FIXTURE_TEST(capacity_and_allocatable_are_compared_each_for_itself),
      FIXTURE_TEST(an_amount_is_compared_by_value_and_garbage_is_replaced),
      FIXTURE_TEST(slices_that_no_gpu_has_are_withdrawn_and_other_resources_are_not),
      FIXTURE_TEST(a_slice_that_the_kubelet_does_not_know_yet_is_not_withdrawn),
      FIXTURE_TEST(where_another_plugin_publishes_more_capacity_is_not_contradicted),
      FIXTURE_TEST(what_it_waits_for_is_said_and_taken_back),
      FIXTURE_TEST(a_full_node_is_reported_whole),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
