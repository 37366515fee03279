/* SPDX-License-Identifier: Apache-2.0 */
/* Where instances go: the documented examples of the driver's own choice, the ids that follow from the place,
 * and what each refusal is called. */
#include "sim/nvml/fixture.h"

/* The driver's choice and the instance id; -1 and -1 where it must refuse for want of room. */
typedef struct Step {
  const char *profile;
  int start, id;
} Step;

typedef struct Vector {
  const char *source;
  const char *machine;
  Step steps[8];
} Vector;

static const Vector vectors[] = {
    {"MIG User Guide, -cgi 19 seven times",
     "A100-SXM4-40GB",
     {{"1g.5gb", 6, 13},
      {"1g.5gb", 4, 11},
      {"1g.5gb", 5, 12},
      {"1g.5gb", 0, 7},
      {"1g.5gb", 1, 8},
      {"1g.5gb", 2, 9},
      {"1g.5gb", 3, 10},
      {"1g.5gb", -1, -1}}},
    {"MIG User Guide, -cgi 9,19,14,19",
     "A100-SXM4-40GB",
     {{"3g.20gb", 4, 2}, {"1g.5gb", 0, 7}, {"2g.10gb", 2, 4}, {"1g.5gb", 1, 8}}},
    {"MIG User Guide, -cgi 14,19,19,19,19,19",
     "A100-SXM4-80GB",
     {{"2g.20gb", 4, 5},
      {"1g.10gb", 6, 13},
      {"1g.10gb", 0, 7},
      {"1g.10gb", 1, 8},
      {"1g.10gb", 2, 9},
      {"1g.10gb", 3, 10}}},
    {"MIG User Guide, -cgi 19,14,5",
     "A100-SXM4-80GB",
     {{"1g.10gb", 6, 13}, {"2g.20gb", 4, 5}, {"4g.40gb", 0, 1}}},
    {"MIG User Guide, -cgi 9,14", "H100-80GB-HBM3", {{"3g.40gb", 4, 2}, {"2g.20gb", 0, 3}}},
    {"MIG User Guide, -cgi 19,19,14,9: refused although a better order would fit",
     "A100-SXM4-40GB",
     {{"1g.5gb", 6, 13}, {"1g.5gb", 4, 11}, {"2g.10gb", 0, 3}, {"3g.20gb", -1, -1}}},
    {"the whole GPU is instance 0", "A100-SXM4-80GB", {{"7g.80gb", 0, 0}, {"1g.10gb", -1, -1}}},
    {"RTX PRO 6000, published log: twelve slots, 1g four times",
     "RTX-PRO-6000",
     {{"1g.24gb", 0, 3}, {"1g.24gb", 3, 4}, {"1g.24gb", 6, 5}, {"1g.24gb", 9, 6}, {"1g.24gb", -1, -1}}},
    {"RTX PRO 6000, published log: 2g, 1g, 1g",
     "RTX-PRO-6000",
     {{"2g.48gb", 0, 1}, {"1g.24gb", 6, 5}, {"1g.24gb", 9, 6}}},
    {"A30: four slots are quarters", "A30", {{"2g.12gb", 0, 1}, {"1g.6gb", 2, 5}, {"1g.6gb", 3, 6}}},
    {"one +me at most", "A100-SXM4-40GB", {{"1g.5gb+me", 6, 13}, {"1g.5gb+me", -1, -1}}},
};

static void check_step(NvmlDevice gpu, const Vector *vector, const Step *step) {
  NvmlGpuInstance instance;
  NvmlReturn result = nvmlDeviceCreateGpuInstance(gpu, fixture_profile_id(gpu, step->profile), &instance);
  if (step->start < 0) {
    assert_int_equal(result, NVML_INSUFFICIENT_RESOURCES);
    return;
  }
  NvmlGpuInstanceInfo info = {0};
  if (result != NVML_SUCCESS || nvmlGpuInstanceGetInfo(instance, &info) != NVML_SUCCESS)
    fail_msg("%s: %s: %s", vector->source, step->profile, nvmlErrorString(result));
  if ((int)info.placement.start != step->start || (int)info.id != step->id)
    fail_msg("%s: %s became GI %u at %u", vector->source, step->profile, info.id, info.placement.start);
}

static void the_driver_chooses_as_documented(void **test_state) {
  for (size_t i = 0; i < COUNT_OF(vectors); i++) {
    SimNvml *nvml = fixture_start(vectors[i].machine, NULL);
    for (const Step *step = vectors[i].steps; step < vectors[i].steps + 8 && step->profile; step++)
      check_step(fixture_gpu(0), &vectors[i], step);
    fixture_stop(nvml);
  }
}

/* By the simulator's own enumeration of rows: no id is given twice among placements that can coexist. */
static void every_possible_placement_can_be_created_alone(void **test_state) {
  int row_count;
  const MigModelRow *rows = mig_model_rows(&row_count);
  int created = 0;
  for (int i = 0; i < row_count; i++) {
    if (!rows[i].placements_known)
      continue;
    SimNvml *nvml = fixture_start(rows[i].product_names[0], NULL);
    NvmlDevice gpu = fixture_gpu(0);
    for (int k = 0; k < rows[i].model.profile_count; k++) {
      unsigned id = (unsigned)rows[i].model.profiles[k].nvml_id, count = 0;
      NvmlPlacement placements[MIG_SLOTS_MAX];
      assert_int_equal(nvmlDeviceGetGpuInstancePossiblePlacements_v2(gpu, id, NULL, &count), NVML_SUCCESS);
      assert_int_equal(count, __builtin_popcount(rows[i].model.profiles[k].starts));
      assert_int_equal(nvmlDeviceGetGpuInstancePossiblePlacements_v2(gpu, id, placements, &count),
                       NVML_SUCCESS);
      for (unsigned p = 0; p < count; p++, created++) {
        NvmlGpuInstance instance;
        NvmlGpuInstanceInfo info;
        assert_int_equal(nvmlDeviceCreateGpuInstanceWithPlacement(gpu, id, &placements[p], &instance),
                         NVML_SUCCESS);
        assert_int_equal(nvmlGpuInstanceGetInfo(instance, &info), NVML_SUCCESS);
        assert_memory_equal(&info.placement, &placements[p], sizeof info.placement);
        assert_int_equal(info.profile_id, id);
        assert_int_equal(nvmlGpuInstanceDestroy(instance), NVML_SUCCESS);
      }
    }
    fixture_stop(nvml);
  }
  assert_true(created > 400);
}

static void refusals_have_the_documented_names(void **test_state) {
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", NULL);
  NvmlDevice gpu = fixture_gpu(0);
  NvmlGpuInstance instance;
  static const struct {
    unsigned profile_id;
    NvmlPlacement placement;
    NvmlReturn expected;
  } cases[] = {
      {19, {6, 1}, NVML_SUCCESS},
      {19, {6, 1}, NVML_INSUFFICIENT_RESOURCES}, /* occupied */
      {9, {4, 4}, NVML_INSUFFICIENT_RESOURCES},  /* overlaps */
      {19, {7, 1}, NVML_INVALID_ARGUMENT},       /* the last slot begins no 1g */
      {9, {1, 4}, NVML_INVALID_ARGUMENT},
      {9, {0, 3}, NVML_INVALID_ARGUMENT}, /* size is in slots, not slices */
      {19, {200, 1}, NVML_INVALID_ARGUMENT},
      {18, {0, 1}, NVML_INVALID_ARGUMENT}, /* no such profile */
      {0, {0, 8}, NVML_INSUFFICIENT_RESOURCES},
      {9, {0, 4}, NVML_SUCCESS},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++)
    assert_int_equal(
        nvmlDeviceCreateGpuInstanceWithPlacement(gpu, cases[i].profile_id, &cases[i].placement, &instance),
        cases[i].expected);
  assert_int_equal(nvmlDeviceCreateGpuInstanceWithPlacement(gpu, 19, NULL, &instance), NVML_INVALID_ARGUMENT);
  assert_int_equal(nvmlDeviceCreateGpuInstance(gpu, 19, NULL), NVML_INVALID_ARGUMENT);
  fixture_stop(nvml);
}

static void remaining_capacity_follows_what_exists(void **test_state) {
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", NULL);
  NvmlDevice gpu = fixture_gpu(0);
  unsigned count;
  assert_int_equal(nvmlDeviceGetGpuInstanceRemainingCapacity(gpu, 19, &count), NVML_SUCCESS);
  assert_int_equal(count, 7);
  fixture_create(gpu, "3g.40gb");
  assert_int_equal(nvmlDeviceGetGpuInstanceRemainingCapacity(gpu, 19, &count), NVML_SUCCESS);
  assert_int_equal(count, 4);
  assert_int_equal(nvmlDeviceGetGpuInstanceRemainingCapacity(gpu, 14, &count), NVML_SUCCESS);
  assert_int_equal(count, 2);
  assert_int_equal(nvmlDeviceGetGpuInstanceRemainingCapacity(gpu, 0, &count), NVML_SUCCESS);
  assert_int_equal(count, 0);
  assert_int_equal(nvmlDeviceGetGpuInstanceRemainingCapacity(gpu, 77, &count), NVML_INVALID_ARGUMENT);
  fixture_stop(nvml);
}

static void lists_are_per_profile_and_ids_are_found(void **test_state) {
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", NULL);
  NvmlDevice gpu = fixture_gpu(0);
  NvmlGpuInstance first = fixture_create(gpu, "1g.10gb"), list[7], found;
  fixture_create(gpu, "2g.20gb");
  unsigned count = 99;
  assert_int_equal(nvmlDeviceGetGpuInstances(gpu, 19, list, &count), NVML_SUCCESS);
  assert_int_equal(count, 1);
  assert_ptr_equal(list[0], first);
  assert_int_equal(nvmlDeviceGetGpuInstances(gpu, 9, list, &count), NVML_SUCCESS);
  assert_int_equal(count, 0);
  assert_int_equal(nvmlDeviceGetGpuInstanceById(gpu, 13, &found), NVML_SUCCESS);
  assert_ptr_equal(found, first);
  assert_int_equal(nvmlDeviceGetGpuInstanceById(gpu, 12, &found), NVML_NOT_FOUND);
  assert_int_equal(nvmlDeviceGetGpuInstances(gpu, 19, NULL, &count), NVML_INVALID_ARGUMENT);
  fixture_stop(nvml);
}

static void a_gpu_instance_with_compute_instances_is_in_use(void **test_state) {
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", NULL);
  NvmlGpuInstance instance = fixture_create(fixture_gpu(0), "1g.10gb");
  NvmlComputeInstance compute = fixture_create_compute(instance, 0);
  assert_int_equal(nvmlGpuInstanceDestroy(instance), NVML_IN_USE);
  assert_int_equal(nvmlComputeInstanceDestroy(compute), NVML_SUCCESS);
  assert_int_equal(nvmlGpuInstanceDestroy(instance), NVML_SUCCESS);
  fixture_stop(nvml);
}

static void stale_and_foreign_handles_are_refused(void **test_state) {
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", NULL);
  NvmlDevice gpu = fixture_gpu(0);
  NvmlGpuInstance old = fixture_create(gpu, "7g.80gb"), instance;
  NvmlGpuInstanceInfo info;
  assert_int_equal(nvmlGpuInstanceDestroy(old), NVML_SUCCESS);
  instance = fixture_create(gpu, "7g.80gb");
  assert_ptr_not_equal(old, instance);
  assert_int_equal(nvmlGpuInstanceGetInfo(old, &info), NVML_INVALID_ARGUMENT);
  assert_int_equal(nvmlGpuInstanceDestroy(old), NVML_INVALID_ARGUMENT);
  assert_int_equal(nvmlGpuInstanceGetInfo((NvmlGpuInstance)gpu, &info), NVML_INVALID_ARGUMENT);
  assert_int_equal(nvmlGpuInstanceGetInfo(NULL, &info), NVML_INVALID_ARGUMENT);
  assert_int_equal(nvmlGpuInstanceGetInfo((NvmlGpuInstance)&info, &info), NVML_INVALID_ARGUMENT);
  assert_int_equal(nvmlDeviceCreateGpuInstance((NvmlDevice)instance, 19, &old), NVML_INVALID_ARGUMENT);
  fixture_stop(nvml);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_driver_chooses_as_documented),
      cmocka_unit_test(every_possible_placement_can_be_created_alone),
      cmocka_unit_test(refusals_have_the_documented_names),
      cmocka_unit_test(remaining_capacity_follows_what_exists),
      cmocka_unit_test(lists_are_per_profile_and_ids_are_found),
      cmocka_unit_test(a_gpu_instance_with_compute_instances_is_in_use),
      cmocka_unit_test(stale_and_foreign_handles_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
