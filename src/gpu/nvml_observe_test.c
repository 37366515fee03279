/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "base/memory.h"
#include "gpu/fake_nvml.h"

/* Runs one observation of the fake machine; the caller frees it. */
static GpuResult *observe(void) {
  CLEANUP(gpu_nvml_closep) GpuNvml *nvml = fake_open();
  GpuResult *result = mem_alloc(sizeof *result);
  const GpuJob job = {.kind = GPU_JOB_OBSERVE};
  gpu_nvml_run(nvml, &job, result);
  return result;
}

/* The first GPU of an observation that must succeed. */
static GpuObserved observe_first(void) {
  CLEANUP(cleanup_free) GpuResult *result = observe();
  assert_int_equal(result->err.code, 0);
  assert_true(result->observed);
  assert_true(result->observation.gpu_count > 0);
  return result->observation.gpus[0];
}

static void assert_same_model(const MigModel *seen, const MigModel *expected, const char *key) {
  assert_int_equal(seen->profile_count, expected->profile_count);
  assert_int_equal(seen->slot_count, expected->slot_count);
  assert_int_equal(seen->memory_mib, expected->memory_mib);
  assert_int_equal(seen->mode_needs_reset, expected->mode_needs_reset);
  assert_string_equal(seen->name, expected->name);
  for (int i = 0; i < seen->profile_count; i++) {
    const MigProfile *a = &seen->profiles[i], *b = &expected->profiles[i];
    if (strcmp(a->name, b->name) != 0)
      fail_msg("%s: profile %d is %s, not %s", key, i, a->name, b->name);
    assert_memory_equal(a, b, sizeof *a);
  }
}

/* Whatever the driver says in the table's numbers must come out as the table's row: order, names, starts. */
static void observe_every_model_of_the_table(const char *missing_function) {
  int count;
  const MigModelRow *rows = mig_model_rows(&count);
  for (int i = 0; i < count; i++) {
    if (!rows[i].placements_known)
      continue;
    fake_reset(rows[i].key, 1);
    fake.missing[0] = missing_function;
    GpuObserved gpu = observe_first();
    assert_string_equal(gpu.trouble, "");
    assert_int_equal(gpu.mode, MIG_MODE_ON);
    assert_true(gpu.mig_capable);
    assert_false(gpu.model_from_table);
    assert_same_model(&gpu.model, &rows[i].model, rows[i].key);
  }
}

static void every_model_is_read_as_the_driver_tells_it(void **state) {
  observe_every_model_of_the_table(NULL);
}

static void a_driver_that_tells_no_names_gives_the_same_models(void **state) {
  observe_every_model_of_the_table("nvmlDeviceGetGpuInstanceProfileInfoV");
}

static void a_driver_that_refuses_the_struct_version_is_asked_the_old_way(void **state) {
  fake_reset("A100-80GB", 1);
  fake_fail("nvmlDeviceGetGpuInstanceProfileInfoV", NVML_ARGUMENT_VERSION_MISMATCH, 0, 1000);
  GpuObserved gpu = observe_first();
  assert_string_equal(gpu.trouble, "");
  assert_same_model(&gpu.model, &mig_model_find("A100-80GB")->model, "A100-80GB");
}

static void an_unknown_model_is_taken_from_the_driver_with_ascending_starts(void **state) {
  static const uint8_t ascending[] = {0, 1, 2, 3, 4, 5, 6};
  fake_reset("A100-80GB", 1);
  fake.gpus[0].product = "NVIDIA Q900 (next)";
  fake.gpus[0].pci_device_id = 0x99;
  GpuObserved gpu = observe_first();
  assert_string_equal(gpu.trouble, "");
  assert_string_equal(gpu.product, "NVIDIA Q900 (next)");
  assert_string_equal(gpu.model.name, "NVIDIA-Q900-next");
  assert_int_equal(gpu.model.profiles[0].auto_start_count, sizeof ascending);
  assert_memory_equal(gpu.model.profiles[0].auto_starts, ascending, sizeof ascending);
}

static void a_profile_without_placements_is_left_out(void **state) {
  fake_reset("A100-80GB", 1);
  fake.gpus[0].model.profiles[1].starts = 0;
  GpuObserved gpu = observe_first();
  assert_string_equal(gpu.trouble, "");
  assert_int_equal(gpu.model.profile_count, mig_model_find("A100-80GB")->model.profile_count - 1);
  assert_int_equal(mig_model_find_profile(&gpu.model, "1g.10gb+me"), -1);
}

static void mig_off_and_a_silent_driver_means_the_table(void **state) {
  fake_reset("A100-80GB", 1);
  fake.gpus[0].silent_when_off = true;
  fake.gpus[0].current = fake.gpus[0].pending = NVML_MIG_DISABLE;
  GpuObserved gpu = observe_first();
  assert_string_equal(gpu.trouble, "");
  assert_int_equal(gpu.mode, MIG_MODE_OFF);
  assert_true(gpu.model_from_table);
  assert_same_model(&gpu.model, &mig_model_find("A100-80GB")->model, "A100-80GB");
}

static void the_table_is_also_found_by_pci_id(void **state) {
  fake_reset("A100-80GB", 1);
  fake.gpus[0].silent_when_off = true;
  fake.gpus[0].current = fake.gpus[0].pending = NVML_MIG_DISABLE;
  fake.gpus[0].product = "NVIDIA Graphics Device";
  GpuObserved gpu = observe_first();
  assert_true(gpu.model_from_table);
  assert_string_equal(gpu.model.name, "NVIDIA-Graphics-Device");
  assert_int_equal(gpu.model.profile_count, mig_model_find("A100-80GB")->model.profile_count);
}

static void mig_off_and_nobody_knowing_the_model_is_trouble(void **state) {
  fake_reset("A100-80GB", 1);
  fake.gpus[0].silent_when_off = true;
  fake.gpus[0].current = fake.gpus[0].pending = NVML_MIG_DISABLE;
  fake.gpus[0].product = "NVIDIA Q900";
  fake.gpus[0].pci_device_id = 0x99;
  GpuObserved gpu = observe_first();
  assert_string_equal(gpu.trouble, "MIG is off, the driver tells no profiles before it is on, and facet's "
                                   "table does not know NVIDIA Q900");
  assert_int_equal(gpu.model.profile_count, 0);
  assert_string_equal(gpu.model.name, "NVIDIA-Q900");
}

static void mig_off_and_a_talking_driver_means_the_driver(void **state) {
  fake_reset("H100-SXM-80GB", 1);
  fake.gpus[0].current = fake.gpus[0].pending = NVML_MIG_DISABLE;
  GpuObserved gpu = observe_first();
  assert_int_equal(gpu.mode, MIG_MODE_OFF);
  assert_false(gpu.model_from_table);
  assert_int_equal(gpu.model.profile_count, mig_model_find("H100-SXM-80GB")->model.profile_count);
}

static void a_mode_that_waits_for_a_reset_is_pending(void **state) {
  fake_reset("A100-80GB", 1);
  fake.gpus[0].current = NVML_MIG_DISABLE;
  assert_int_equal(observe_first().mode, MIG_MODE_PENDING);
}

static void instances_are_seen_while_switching_mig_off_waits(void **state) {
  fake_reset("A100-80GB", 1);
  fake.gpus[0].pending = NVML_MIG_DISABLE;
  fake_add_instance(0, "1g.10gb", 6, 1);
  GpuObserved gpu = observe_first();
  assert_int_equal(gpu.mode, MIG_MODE_PENDING);
  assert_int_equal(gpu.instance_count, 1);
}

static void a_gpu_without_mig_has_no_model_and_no_trouble(void **state) {
  fake_reset("A100-80GB", 1);
  fake.gpus[0].capable = false;
  fake.gpus[0].product = "Tesla T4";
  GpuObserved gpu = observe_first();
  assert_string_equal(gpu.trouble, "");
  assert_false(gpu.mig_capable);
  assert_int_equal(gpu.mode, MIG_MODE_OFF);
  assert_int_equal(gpu.model.profile_count, 0);
}

static void instances_are_listed_by_start_with_their_uuids(void **state) {
  fake_reset("A100-80GB", 1);
  fake_add_instance(0, "1g.10gb", 6, 1);
  fake_add_instance(0, "3g.40gb", 0, 3);
  fake_add_instance(0, "1g.10gb+me", 4, 1);
  GpuObserved gpu = observe_first();
  assert_string_equal(gpu.trouble, "");
  assert_int_equal(gpu.instance_count, 3);
  static const GpuInstance expected[] = {
      {.uuid = "MIG-GPU-0/7/0", .gpu_instance_id = 7, .nvml_id = 9, .start = 0, .size = 4},
      {.uuid = "MIG-GPU-0/11/0", .gpu_instance_id = 11, .nvml_id = 20, .start = 4, .size = 1},
      {.uuid = "MIG-GPU-0/13/0", .gpu_instance_id = 13, .nvml_id = 19, .start = 6, .size = 1},
  };
  for (size_t i = 0; i < COUNT_OF(expected); i++) {
    assert_string_equal(gpu.instances[i].uuid, expected[i].uuid);
    assert_int_equal(gpu.instances[i].gpu_instance_id, expected[i].gpu_instance_id);
    assert_int_equal(gpu.instances[i].nvml_id, expected[i].nvml_id);
    assert_int_equal(gpu.instances[i].start, expected[i].start);
    assert_int_equal(gpu.instances[i].size, expected[i].size);
  }
}

static void an_instance_without_its_full_compute_instance_has_no_uuid(void **state) {
  fake_reset("A100-80GB", 1);
  fake_add_instance(0, "1g.10gb", 6, 0);
  fake_add_instance(0, "3g.40gb", 0, 1); /* "1c.3g.40gb": a part of it */
  GpuObserved gpu = observe_first();
  assert_string_equal(gpu.trouble, "");
  assert_int_equal(gpu.instance_count, 2);
  assert_string_equal(gpu.instances[0].uuid, ""); /* by start: the part first */
  assert_int_equal(gpu.instances[0].compute_count, 1);
  assert_string_equal(gpu.instances[1].uuid, "");
  assert_int_equal(gpu.instances[1].compute_count, 0);
}

static void one_broken_gpu_hides_no_other(void **state) {
  fake_reset("A100-80GB", 3);
  fake_add_instance(2, "1g.10gb", 6, 1);
  fake_fail("nvmlDeviceGetHandleByIndex_v2", NVML_GPU_IS_LOST, 1, 1);
  CLEANUP(cleanup_free) GpuResult *result = observe();
  const GpuObservation *seen = &result->observation;
  assert_int_equal(result->err.code, 0);
  assert_int_equal(seen->gpu_count, 3);
  assert_string_equal(seen->driver_version, "550.163.01");
  assert_string_equal(seen->gpus[0].uuid, "GPU-0");
  assert_string_equal(seen->gpus[1].uuid, "");
  assert_int_equal(seen->gpus[1].index, 1);
  assert_string_equal(seen->gpus[1].trouble,
                      "opening it: GPU is lost (NVML code 15); it fell off the bus: reboot the node");
  assert_int_equal(seen->gpus[2].instance_count, 1);
}

static void each_failing_call_is_named_in_the_gpus_trouble(void **state) {
  static const struct {
    const char *function;
    NvmlReturn code;
    const char *trouble;
  } cases[] = {
      {"nvmlDeviceGetUUID", NVML_TIMEOUT, "asking for the UUID: Timeout (NVML code 10)"},
      {"nvmlDeviceGetName", NVML_TIMEOUT, "asking for the product's name: Timeout (NVML code 10)"},
      {"nvmlDeviceGetPciInfo_v3", NVML_TIMEOUT, "asking for the PCI id: Timeout (NVML code 10)"},
      {"nvmlDeviceGetMigMode", NVML_TIMEOUT, "asking for the MIG mode: Timeout (NVML code 10)"},
      {"nvmlDeviceGetMemoryInfo", NVML_TIMEOUT, "asking for the GPU's memory: Timeout (NVML code 10)"},
      {"nvmlDeviceGetGpuInstanceProfileInfoV", NVML_TIMEOUT,
       "asking for MIG profile 0: Timeout (NVML code 10)"},
      {"nvmlDeviceGetGpuInstancePossiblePlacements_v2", NVML_NO_PERMISSION,
       "asking for the placements of 1g.10gb: Insufficient Permissions (NVML code 4); run the agent as root "
       "and privileged, with NVIDIA_MIG_CONFIG_DEVICES=all"},
      {"nvmlDeviceGetMaxMigDeviceCount", NVML_TIMEOUT,
       "asking for the number of MIG devices: Timeout (NVML code 10)"},
      {"nvmlDeviceGetMigDeviceHandleByIndex", NVML_TIMEOUT, "reading MIG device 0: Timeout (NVML code 10)"},
      {"nvmlDeviceGetGpuInstances", NVML_TIMEOUT, "listing the instances of 1g.10gb: Timeout (NVML code 10)"},
      {"nvmlGpuInstanceGetInfo", NVML_TIMEOUT, "reading an instance of 1g.10gb: Timeout (NVML code 10)"},
      {"nvmlGpuInstanceGetComputeInstanceProfileInfo", NVML_TIMEOUT,
       "listing compute instances: Timeout (NVML code 10)"},
      {"nvmlGpuInstanceGetComputeInstances", NVML_TIMEOUT,
       "listing compute instances: Timeout (NVML code 10)"},
      {"nvmlComputeInstanceGetInfo_v2", NVML_TIMEOUT, "listing compute instances: Timeout (NVML code 10)"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    fake_reset("A100-80GB", 1);
    fake_add_instance(0, "1g.10gb", 6, 1);
    fake_fail(cases[i].function, cases[i].code, 0, 1);
    assert_string_equal(observe_first().trouble, cases[i].trouble);
  }
}

static void numbers_out_of_range_are_trouble_of_that_gpu(void **state) {
  fake_reset("A100-80GB", 1);
  fake.gpus[0].model.profiles[0].size = MIG_SLOTS_MAX;
  assert_string_equal(observe_first().trouble, "1g.10gb has a placement of 32 slots at slot 1");
  fake_reset("A100-80GB", 1);
  snprintf(fake.gpus[0].model.profiles[2].name, MIG_PROFILE_NAME_SIZE, "huge");
  assert_string_equal(observe_first().trouble,
                      "\"huge\" is not a MIG profile: one looks like 1g.10gb, 1g.10gb+me, 1g.24gb+gfx, "
                      "1g.24gb+me.all or 1g.24gb-me");
  fake_reset("A100-80GB", 1);
  fake.gpus[0].model.profiles[0].instance_count_max = 200;
  assert_string_equal(observe_first().trouble,
                      "GPU model NVIDIA-A100-SXM4-80GB: 1g.10gb may exist 200 times, "
                      "which is not between 1 and 32");
  fake_reset("A100-80GB", 1);
  fake.gpus[0].model.profile_count = 0;
  assert_string_equal(observe_first().trouble, "MIG is on, but NVML reports no profile");
}

static void a_node_with_too_many_gpus_is_refused_as_a_whole(void **state) {
  fake_reset("A100-80GB", GPU_COUNT_MAX);
  CLEANUP(cleanup_free) GpuResult *full = observe();
  assert_int_equal(full->observation.gpu_count, GPU_COUNT_MAX);
  fake_reset("A100-80GB", GPU_COUNT_MAX + 1);
  CLEANUP(cleanup_free) GpuResult *result = observe();
  assert_false(result->observed);
  assert_int_equal(result->err.code, ERROR_LIMIT);
  assert_string_equal(result->err.text, "this node has 33 GPUs; facet handles up to 32");
}

static void instances_at_impossible_places_are_trouble(void **state) {
  fake_reset("A100-80GB", 1);
  fake_add_instance(0, "1g.10gb", 40, 1);
  assert_string_equal(observe_first().trouble, "NVML reports an instance of 1g.10gb with 1 slots at slot 40");
}

static void a_failing_count_is_the_jobs_failure(void **state) {
  fake_reset("A100-80GB", 1);
  fake_fail("nvmlDeviceGetCount_v2", NVML_UNINITIALIZED, 0, 1);
  CLEANUP(cleanup_free) GpuResult *result = observe();
  assert_false(result->observed);
  assert_string_equal(result->err.text, "asking NVML for the number of GPUs: Uninitialized (NVML code 1)");
}

static void a_node_without_gpus_is_observed_as_such(void **state) {
  fake_reset("A100-80GB", 0);
  CLEANUP(cleanup_free) GpuResult *result = observe();
  assert_true(result->observed);
  assert_int_equal(result->observation.gpu_count, 0);
}

/* ---- nodes in /dev ---- */

static void the_numbers_of_the_nodes_in_dev_are_read(void **state) {
  fake_reset("A100-80GB", 2);
  fake_add_instance(1, "1g.10gb", 6, 1);
  CLEANUP(cleanup_free) GpuResult *result = observe();
  assert_int_equal(result->observation.gpus[1].minor, 1);
  assert_int_equal(result->observation.gpus[1].instances[0].gpu_instance_id, 13);
  assert_int_equal(result->observation.gpus[1].instances[0].compute_instance_id, 0);
  fake_fail("nvmlDeviceGetMinorNumber", NVML_NOT_SUPPORTED, 0, 1);
  assert_int_equal(observe_first().minor, -1);
  assert_string_equal(observe_first().trouble, "");
}

/* ---- processes ---- */

static void processes_are_counted_by_instance(void **state) {
  fake_reset("A100-80GB", 1);
  fake_add_instance(0, "1g.10gb", 6, 1);
  fake_add_instance(0, "1g.10gb", 5, 1);
  fake_add_instance(0, "2g.20gb", 0, 2);
  fake.gpus[0].instances[0].process_counts[FAKE_COMPUTE_PROCESSES] = 3;
  fake.gpus[0].instances[0].process_counts[FAKE_GRAPHICS_PROCESSES] = 1;
  fake.gpus[0].instances[2].process_counts[FAKE_GRAPHICS_PROCESSES] = 2;
  GpuObserved gpu = observe_first();
  assert_string_equal(gpu.trouble, "");
  assert_int_equal(gpu.instances[0].start, 0);
  assert_int_equal(gpu.instances[0].process_count, 2);
  assert_int_equal(gpu.instances[1].process_count, 0);
  assert_int_equal(gpu.instances[2].process_count, 4);
}

static void a_long_list_of_processes_is_read_to_its_end(void **state) {
  fake_reset("A100-80GB", 1);
  fake_add_instance(0, "1g.10gb", 6, 1);
  fake.gpus[0].instances[0].process_counts[FAKE_COMPUTE_PROCESSES] = 1000;
  assert_int_equal(observe_first().instances[0].process_count, 1000);
}

static void a_driver_that_does_not_tell_of_processes_saw_none(void **state) {
  const NvmlReturn codes[] = {NVML_NOT_SUPPORTED, NVML_NO_PERMISSION};
  for (size_t i = 0; i < COUNT_OF(codes); i++) {
    fake_reset("A100-80GB", 1);
    fake_add_instance(0, "1g.10gb", 6, 1);
    fake.gpus[0].instances[0].process_counts[FAKE_COMPUTE_PROCESSES] = 1;
    fake_fail("nvmlDeviceGetComputeRunningProcesses_v2", codes[i], 0, 1);
    GpuObserved gpu = observe_first();
    assert_string_equal(gpu.trouble, "");
    assert_int_equal(gpu.instances[0].process_count, 0);
  }
  fake_reset("A100-80GB", 1);
  fake_add_instance(0, "1g.10gb", 6, 1);
  fake.missing[0] = "nvmlDeviceGetComputeRunningProcesses_v2";
  fake.missing[1] = "nvmlDeviceGetGraphicsRunningProcesses_v2";
  assert_string_equal(observe_first().trouble, "");
}

static void a_list_of_processes_that_fails_or_never_ends_is_a_trouble(void **state) {
  const struct {
    NvmlReturn code;
    const char *trouble;
  } cases[] = {
      {NVML_UNKNOWN, "listing the graphics processes: Unknown Error (NVML code 999); look at the kernel's "
                     "log on this node"},
      {NVML_INSUFFICIENT_SIZE, "listing the graphics processes: Insufficient Size (NVML code 7)"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    fake_reset("A100-80GB", 1);
    fake_add_instance(0, "1g.10gb", 6, 1);
    fake_fail("nvmlDeviceGetGraphicsRunningProcesses_v2", cases[i].code, 0, 100);
    GpuObserved gpu = observe_first();
    assert_string_equal(gpu.trouble, cases[i].trouble);
    assert_string_not_equal(gpu.instances[0].uuid, ""); /* what was read before stays */
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_model_is_read_as_the_driver_tells_it),
      cmocka_unit_test(a_driver_that_tells_no_names_gives_the_same_models),
      cmocka_unit_test(a_driver_that_refuses_the_struct_version_is_asked_the_old_way),
      cmocka_unit_test(an_unknown_model_is_taken_from_the_driver_with_ascending_starts),
      cmocka_unit_test(a_profile_without_placements_is_left_out),
      cmocka_unit_test(mig_off_and_a_silent_driver_means_the_table),
      cmocka_unit_test(the_table_is_also_found_by_pci_id),
      cmocka_unit_test(mig_off_and_nobody_knowing_the_model_is_trouble),
      cmocka_unit_test(mig_off_and_a_talking_driver_means_the_driver),
      cmocka_unit_test(a_mode_that_waits_for_a_reset_is_pending),
      cmocka_unit_test(instances_are_seen_while_switching_mig_off_waits),
      cmocka_unit_test(a_gpu_without_mig_has_no_model_and_no_trouble),
      cmocka_unit_test(instances_are_listed_by_start_with_their_uuids),
      cmocka_unit_test(an_instance_without_its_full_compute_instance_has_no_uuid),
      cmocka_unit_test(one_broken_gpu_hides_no_other),
      cmocka_unit_test(each_failing_call_is_named_in_the_gpus_trouble),
      cmocka_unit_test(numbers_out_of_range_are_trouble_of_that_gpu),
      cmocka_unit_test(a_node_with_too_many_gpus_is_refused_as_a_whole),
      cmocka_unit_test(instances_at_impossible_places_are_trouble),
      cmocka_unit_test(a_failing_count_is_the_jobs_failure),
      cmocka_unit_test(a_node_without_gpus_is_observed_as_such),
      cmocka_unit_test(the_numbers_of_the_nodes_in_dev_are_read),
      cmocka_unit_test(processes_are_counted_by_instance),
      cmocka_unit_test(a_long_list_of_processes_is_read_to_its_end),
      cmocka_unit_test(a_driver_that_does_not_tell_of_processes_saw_none),
      cmocka_unit_test(a_list_of_processes_that_fails_or_never_ends_is_a_trouble),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
