/* SPDX-License-Identifier: Apache-2.0 */
/* Compute instances within a GPU instance. */
#include "sim/nvml/fixture.h"

/* nvidia-smi mig -lcip of an A100 (MIG User Guide): profile id, slices, how many, multiprocessors, name. */
static void an_a100_3g_offers_what_the_guide_prints(void **test_state) {
  SimNvml *nvml = fixture_start("A100-SXM4-40GB", NULL);
  NvmlGpuInstance instance = fixture_create(fixture_gpu(0), "3g.20gb");
  static const struct {
    unsigned slices, count, multiprocessors;
    const char *name;
  } rows[] = {{1, 3, 14, "MIG 1c.3g.20gb"}, {2, 1, 28, "MIG 2c.3g.20gb"}, {3, 1, 42, "MIG 3g.20gb"}};
  for (unsigned i = 0; i < COUNT_OF(rows); i++) {
    NvmlComputeInstanceProfileInfo v1;
    NvmlComputeInstanceProfileInfoV2 v2 = {.version = 0x02000088};
    NvmlComputeInstanceProfileInfoV3 v3 = {.version = 0x0300008c};
    assert_int_equal(nvmlGpuInstanceGetComputeInstanceProfileInfo(instance, i, 0, &v1), NVML_SUCCESS);
    assert_int_equal(v1.id, i);
    assert_int_equal(v1.slice_count, rows[i].slices);
    assert_int_equal(v1.instance_count, rows[i].count);
    assert_int_equal(v1.multiprocessor_count, rows[i].multiprocessors);
    assert_int_equal(v1.shared_copy_engine_count, 3);
    assert_int_equal(nvmlGpuInstanceGetComputeInstanceProfileInfoV(instance, i, 0, &v2), NVML_SUCCESS);
    assert_string_equal(v2.name, rows[i].name);
    assert_int_equal(v2.multiprocessor_count, rows[i].multiprocessors);
    assert_int_equal(nvmlGpuInstanceGetComputeInstanceProfileInfoV(instance, i, 0, &v3), NVML_SUCCESS);
    assert_string_equal(v3.name, rows[i].name);
    v3.version = 1;
    assert_int_equal(nvmlGpuInstanceGetComputeInstanceProfileInfoV(instance, i, 0, &v3),
                     NVML_ARGUMENT_VERSION_MISMATCH);
  }
  NvmlComputeInstanceProfileInfo info;
  assert_int_equal(nvmlGpuInstanceGetComputeInstanceProfileInfo(instance, 3, 0, &info), NVML_NOT_SUPPORTED);
  assert_int_equal(nvmlGpuInstanceGetComputeInstanceProfileInfo(instance, 9, 0, &info),
                   NVML_INVALID_ARGUMENT);
  assert_int_equal(nvmlGpuInstanceGetComputeInstanceProfileInfo(instance, 0, 1, &info),
                   NVML_INVALID_ARGUMENT);
  fixture_stop(nvml);
}

/* An H100's 7g has 132, more than seven times a 1g; a part of it still counts in 1g's 16 (go-nvml #146). */
static void a_part_has_the_multiprocessors_of_the_smallest_instances(void **test_state) {
  SimNvml *nvml = fixture_start("H100-80GB-HBM3", NULL);
  NvmlGpuInstance instance = fixture_create(fixture_gpu(0), "7g.80gb");
  NvmlComputeInstanceProfileInfo info;
  assert_int_equal(nvmlGpuInstanceGetComputeInstanceProfileInfo(instance, 1, 0, &info), NVML_SUCCESS);
  assert_int_equal(info.multiprocessor_count, 32);
  assert_int_equal(nvmlGpuInstanceGetComputeInstanceProfileInfo(instance, 4, 0, &info), NVML_SUCCESS);
  assert_int_equal(info.multiprocessor_count, 132);
  fixture_stop(nvml);
}

static void the_largest_instance_splits_into_all_its_slices(void **test_state) {
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", NULL);
  NvmlGpuInstance instance = fixture_create(fixture_gpu(0), "7g.80gb");
  NvmlComputeInstance compute;
  unsigned count;
  for (unsigned i = 0; i < 7; i++) {
    assert_int_equal(nvmlGpuInstanceGetComputeInstanceRemainingCapacity(instance, 0, &count), NVML_SUCCESS);
    assert_int_equal(count, 7 - i);
    fixture_create_compute(instance, 0);
  }
  assert_int_equal(nvmlGpuInstanceCreateComputeInstance(instance, 0, &compute), NVML_INSUFFICIENT_RESOURCES);
  assert_int_equal(nvmlGpuInstanceCreateComputeInstance(instance, 5, &compute), NVML_INVALID_ARGUMENT);
  fixture_stop(nvml);
}

static void compute_instances_go_where_they_are_told(void **test_state) {
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", NULL);
  NvmlGpuInstance instance = fixture_create(fixture_gpu(0), "4g.40gb");
  NvmlPlacement placements[8];
  NvmlComputeInstance compute;
  NvmlComputeInstanceInfo info;
  unsigned count;
  assert_int_equal(nvmlGpuInstanceGetComputeInstancePossiblePlacements(instance, 1, NULL, &count),
                   NVML_SUCCESS);
  assert_int_equal(nvmlGpuInstanceGetComputeInstancePossiblePlacements(instance, 1, placements, &count),
                   NVML_SUCCESS);
  assert_int_equal(count, 2);
  assert_memory_equal(&placements[1], &((NvmlPlacement){2, 2}), sizeof(NvmlPlacement));
  assert_int_equal(nvmlGpuInstanceCreateComputeInstanceWithPlacement(instance, 1, &placements[1], &compute),
                   NVML_SUCCESS);
  assert_int_equal(nvmlComputeInstanceGetInfo_v2(compute, &info), NVML_SUCCESS);
  assert_ptr_equal(info.gpu_instance, instance);
  assert_int_equal(info.placement.start, 2);
  assert_int_equal(info.placement.size, 2);
  assert_int_equal(info.profile_id, 1);
  assert_int_equal(nvmlGpuInstanceCreateComputeInstanceWithPlacement(instance, 1, &placements[1], &compute),
                   NVML_INSUFFICIENT_RESOURCES);
  assert_int_equal(
      nvmlGpuInstanceCreateComputeInstanceWithPlacement(instance, 1, &(NvmlPlacement){1, 2}, &compute),
      NVML_INVALID_ARGUMENT);
  assert_int_equal(
      nvmlGpuInstanceCreateComputeInstanceWithPlacement(instance, 1, &(NvmlPlacement){0, 1}, &compute),
      NVML_INVALID_ARGUMENT);
  fixture_stop(nvml);
}

static void compute_ids_fill_gaps(void **test_state) {
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", NULL);
  NvmlGpuInstance instance = fixture_create(fixture_gpu(0), "7g.80gb");
  NvmlComputeInstance first = fixture_create_compute(instance, 0), list[7], found;
  NvmlComputeInstance second = fixture_create_compute(instance, 0);
  assert_int_equal(nvmlComputeInstanceDestroy(first), NVML_SUCCESS);
  assert_int_equal(nvmlComputeInstanceDestroy(first), NVML_INVALID_ARGUMENT);
  assert_int_equal(nvmlGpuInstanceGetComputeInstanceById(instance, 0, &found), NVML_NOT_FOUND);
  NvmlComputeInstance third = fixture_create_compute(instance, 0);
  assert_int_equal(nvmlGpuInstanceGetComputeInstanceById(instance, 0, &found), NVML_SUCCESS);
  assert_ptr_equal(found, third);
  unsigned count;
  assert_int_equal(nvmlGpuInstanceGetComputeInstances(instance, 0, list, &count), NVML_SUCCESS);
  assert_int_equal(count, 2);
  assert_ptr_equal(list[0], third);
  assert_ptr_equal(list[1], second);
  assert_int_equal(nvmlGpuInstanceGetComputeInstances(instance, 1, list, &count), NVML_SUCCESS);
  assert_int_equal(count, 0);
  fixture_stop(nvml);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_a100_3g_offers_what_the_guide_prints),
      cmocka_unit_test(a_part_has_the_multiprocessors_of_the_smallest_instances),
      cmocka_unit_test(the_largest_instance_splits_into_all_its_slices),
      cmocka_unit_test(compute_instances_go_where_they_are_told),
      cmocka_unit_test(compute_ids_fill_gaps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
