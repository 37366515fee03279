/* SPDX-License-Identifier: Apache-2.0 */
/* What GPUs and MIG devices say of themselves, MIG mode, struct versions, and the library's own life. */
#include "sim/nvml/fixture.h"

static void nothing_works_before_init_and_after_the_last_shutdown(void **test_state) {
  SimNvml *nvml = fixture_start("A30", NULL);
  unsigned count;
  assert_int_equal(nvmlInitWithFlags(0), NVML_SUCCESS);
  assert_int_equal(nvmlShutdown(), NVML_SUCCESS);
  assert_int_equal(nvmlDeviceGetCount_v2(&count), NVML_SUCCESS);
  assert_int_equal(nvmlShutdown(), NVML_SUCCESS);
  assert_int_equal(nvmlDeviceGetCount_v2(&count), NVML_UNINITIALIZED);
  assert_int_equal(nvmlShutdown(), NVML_UNINITIALIZED);
  assert_string_equal(nvmlErrorString(NVML_UNINITIALIZED), "Uninitialized");
  fixture_stop(nvml);
}

static void every_return_code_has_its_text(void **test_state) {
  for (int code = 0; code <= NVML_RESET_TYPE_NOT_SUPPORTED; code++)
    assert_string_not_equal(nvmlErrorString((NvmlReturn)code), "Unknown Error");
  assert_string_equal(nvmlErrorString(NVML_UNKNOWN), "Unknown Error");
  assert_string_equal(nvmlErrorString((NvmlReturn)31), "Unknown Error");
  assert_string_equal(nvmlErrorString(NVML_IN_USE), "In use by another client");
  assert_string_equal(nvmlErrorString(NVML_DRIVER_NOT_LOADED), "Driver Not Loaded");
}

static void the_driver_names_its_versions(void **test_state) {
  SimNvml *nvml = fixture_start("A30", NULL);
  char text[NVML_VERSION_SIZE];
  int cuda;
  assert_int_equal(nvmlSystemGetDriverVersion(text, sizeof text), NVML_SUCCESS);
  assert_string_equal(text, "550.163.01");
  assert_int_equal(nvmlSystemGetDriverVersion(text, 10), NVML_INSUFFICIENT_SIZE);
  assert_int_equal(nvmlSystemGetDriverVersion(text, 11), NVML_SUCCESS);
  assert_int_equal(nvmlSystemGetNVMLVersion(text, sizeof text), NVML_SUCCESS);
  assert_string_equal(text, "12.550.163.01");
  assert_int_equal(nvmlSystemGetCudaDriverVersion_v2(&cuda), NVML_SUCCESS);
  assert_int_equal(cuda, 12040);
  fixture_stop(nvml);
}

static void gpus_are_found_by_index_uuid_and_bus(void **test_state) {
  SimNvml *nvml = fixture_start("2xA100-SXM4-80GB,H100-80GB-HBM3", NULL);
  char first_uuid[NVML_UUID_SIZE] = "";
  unsigned count;
  assert_int_equal(nvmlDeviceGetCount_v2(&count), NVML_SUCCESS);
  assert_int_equal(count, 3);
  for (unsigned i = 0; i < count; i++) {
    NvmlDevice gpu = fixture_gpu(i), found = NULL;
    char uuid[NVML_UUID_SIZE];
    NvmlPciInfo pci;
    unsigned number;
    assert_int_equal(nvmlDeviceGetUUID(gpu, uuid, sizeof uuid), NVML_SUCCESS);
    assert_int_equal(nvmlDeviceGetHandleByUUID(uuid, &found), NVML_SUCCESS);
    assert_ptr_equal(found, gpu);
    assert_int_equal(nvmlDeviceGetPciInfo_v3(gpu, &pci), NVML_SUCCESS);
    assert_int_equal(pci.pci_device_id, i == 2 ? 0x233010DE : 0x20B210DE);
    assert_int_equal(nvmlDeviceGetHandleByPciBusId_v2(pci.bus_id, &found), NVML_SUCCESS);
    assert_ptr_equal(found, gpu);
    assert_int_equal(nvmlDeviceGetHandleByPciBusId_v2(pci.bus_id_legacy, &found), NVML_SUCCESS);
    assert_ptr_equal(found, gpu);
    assert_int_equal(nvmlDeviceGetIndex(gpu, &number), NVML_SUCCESS);
    assert_int_equal(number, i);
    assert_int_equal(nvmlDeviceGetMinorNumber(gpu, &number), NVML_SUCCESS);
    assert_int_equal(number, i);
    assert_string_not_equal(uuid, first_uuid);
    memcpy(first_uuid, uuid, sizeof uuid);
  }
  NvmlDevice device;
  assert_int_equal(nvmlDeviceGetHandleByIndex_v2(3, &device), NVML_INVALID_ARGUMENT);
  assert_int_equal(nvmlDeviceGetHandleByUUID("GPU-none", &device), NVML_NOT_FOUND);
  assert_int_equal(nvmlDeviceGetHandleByUUID(NULL, &device), NVML_INVALID_ARGUMENT);
  assert_int_equal(nvmlDeviceGetHandleByPciBusId_v2("00000000:01:00.0", &device), NVML_NOT_FOUND);
  assert_int_equal(nvmlDeviceGetHandleByPciBusId_v2("garbage", &device), NVML_NOT_FOUND);
  fixture_stop(nvml);
}

static void names_and_memory_are_the_products(void **test_state) {
  SimNvml *nvml = fixture_start("A100-80GB-PCIe", NULL);
  NvmlDevice gpu = fixture_gpu(0);
  char name[NVML_NAME_SIZE];
  NvmlMemory memory;
  NvmlMemoryV2 memory_v2 = {.version = 0x02000028};
  assert_int_equal(nvmlDeviceGetName(gpu, name, sizeof name), NVML_SUCCESS);
  assert_string_equal(name, "NVIDIA A100 80GB PCIe");
  assert_int_equal(nvmlDeviceGetMemoryInfo(gpu, &memory), NVML_SUCCESS);
  assert_int_equal(memory.total >> 20, 81920);
  assert_int_equal(memory.total, memory.free + memory.used);
  assert_int_equal(nvmlDeviceGetMemoryInfo_v2(gpu, &memory_v2), NVML_SUCCESS);
  assert_int_equal(memory_v2.total, memory_v2.free + memory_v2.used + memory_v2.reserved);
  memory_v2.version = 0x01000028;
  assert_int_equal(nvmlDeviceGetMemoryInfo_v2(gpu, &memory_v2), NVML_ARGUMENT_VERSION_MISMATCH);
  fixture_stop(nvml);
}

static void profiles_come_in_three_struct_versions(void **test_state) {
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", NULL);
  NvmlDevice gpu = fixture_gpu(0);
  NvmlGpuInstanceProfileInfo v1;
  NvmlGpuInstanceProfileInfoV2 v2 = {.version = 0x02000098};
  NvmlGpuInstanceProfileInfoV3 v3 = {.version = 0x03000098};
  assert_int_equal(nvmlDeviceGetGpuInstanceProfileInfo(gpu, 2, &v1), NVML_SUCCESS);
  assert_int_equal(v1.id, 9);
  assert_int_equal(v1.slice_count, 3);
  assert_int_equal(v1.instance_count, 2);
  assert_int_equal(v1.multiprocessor_count, 42);
  assert_int_equal(nvmlDeviceGetGpuInstanceProfileInfoV(gpu, 2, &v2), NVML_SUCCESS);
  assert_string_equal(v2.name, "MIG 3g.40gb");
  assert_int_equal(v2.memory_size_mb, v1.memory_size_mb);
  assert_int_equal(nvmlDeviceGetGpuInstanceProfileInfoV(gpu, 2, &v3), NVML_SUCCESS);
  assert_string_equal(v3.name, "MIG 3g.40gb");
  assert_int_equal(v3.memory_size_mb, v1.memory_size_mb);
  v3.version = 0x04000098;
  assert_int_equal(nvmlDeviceGetGpuInstanceProfileInfoV(gpu, 2, &v3), NVML_ARGUMENT_VERSION_MISMATCH);
  assert_int_equal(nvmlDeviceGetGpuInstanceProfileInfo(gpu, 5, &v1), NVML_NOT_SUPPORTED);
  assert_int_equal(nvmlDeviceGetGpuInstanceProfileInfo(gpu, 18, &v1), NVML_INVALID_ARGUMENT);
  fixture_stop(nvml);
}

static void assert_mode(NvmlDevice gpu, unsigned current, unsigned pending) {
  unsigned found_current, found_pending;
  assert_int_equal(nvmlDeviceGetMigMode(gpu, &found_current, &found_pending), NVML_SUCCESS);
  assert_int_equal(found_current, current);
  assert_int_equal(found_pending, pending);
}

static void ampere_switches_mig_mode_with_a_reset(void **test_state) {
  SimNvml *nvml = fixture_start("A100-SXM4-80GB:mig=off", NULL);
  NvmlDevice gpu = fixture_gpu(0);
  NvmlReturn status;
  Error err = {0};
  assert_int_equal(nvmlDeviceSetMigMode(gpu, 1, &status), NVML_SUCCESS);
  assert_int_equal(status, NVML_RESET_REQUIRED);
  assert_mode(gpu, 0, 1);
  assert_ok(sim_nvml_reset(nvml, false, &err));
  assert_mode(gpu, 1, 1);
  assert_ok(sim_nvml_reset(nvml, true, &err));
  assert_mode(gpu, 1, 1);
  assert_int_equal(nvmlDeviceSetMigMode(gpu, 2, &status), NVML_INVALID_ARGUMENT);
  fixture_stop(nvml);
}

static void hopper_switches_at_once_and_forgets_at_reboot(void **test_state) {
  SimNvml *nvml = fixture_start("H100-80GB-HBM3:mig=off", NULL);
  NvmlDevice gpu = fixture_gpu(0);
  NvmlReturn status;
  Error err = {0};
  assert_int_equal(nvmlDeviceSetMigMode(gpu, 1, &status), NVML_SUCCESS);
  assert_int_equal(status, NVML_SUCCESS);
  assert_mode(gpu, 1, 1);
  fixture_create(gpu, "7g.80gb");
  assert_int_equal(nvmlDeviceSetMigMode(gpu, 0, &status), NVML_IN_USE);
  assert_mode(gpu, 1, 1);
  assert_ok(sim_nvml_reset(nvml, true, &err));
  assert_mode(gpu, 0, 0);
  fixture_stop(nvml);
}

static void without_mig_mode_there_are_no_instances(void **test_state) {
  SimNvml *nvml = fixture_start("A100-SXM4-80GB:mig=off,H100-80GB-HBM3:mig=off", NULL);
  for (unsigned i = 0; i < 2; i++) {
    NvmlDevice gpu = fixture_gpu(i), mig;
    NvmlGpuInstance instance;
    NvmlGpuInstanceProfileInfo info;
    unsigned count;
    /* Ampere's driver has no profiles then, Hopper's has. */
    NvmlReturn profiles = i == 0 ? NVML_NOT_SUPPORTED : NVML_SUCCESS;
    assert_int_equal(nvmlDeviceGetGpuInstanceProfileInfo(gpu, 0, &info), profiles);
    assert_int_equal(nvmlDeviceGetGpuInstancePossiblePlacements_v2(gpu, 19, NULL, &count), profiles);
    assert_int_equal(nvmlDeviceCreateGpuInstance(gpu, 19, &instance), NVML_NOT_SUPPORTED);
    assert_int_equal(nvmlDeviceGetGpuInstances(gpu, 19, &instance, &count), NVML_NOT_SUPPORTED);
    assert_int_equal(nvmlDeviceGetGpuInstanceById(gpu, 0, &instance), NVML_NOT_SUPPORTED);
    assert_int_equal(nvmlDeviceGetMaxMigDeviceCount(gpu, &count), NVML_SUCCESS);
    assert_int_equal(count, 0);
    assert_int_equal(nvmlDeviceGetMigDeviceHandleByIndex(gpu, 0, &mig), NVML_NOT_SUPPORTED);
  }
  fixture_stop(nvml);
}

static void mig_device_indexes_have_holes(void **test_state) {
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", NULL);
  NvmlDevice gpu = fixture_gpu(0), mig, third;
  NvmlComputeInstance computes[3];
  for (int i = 0; i < 3; i++)
    computes[i] = fixture_create_compute(fixture_create(gpu, "1g.10gb"), 0);
  unsigned count;
  assert_int_equal(nvmlDeviceGetMaxMigDeviceCount(gpu, &count), NVML_SUCCESS);
  assert_int_equal(count, 7);
  assert_int_equal(nvmlDeviceGetMigDeviceHandleByIndex(gpu, 2, &third), NVML_SUCCESS);
  assert_ptr_equal(third, fixture_mig_device(computes[2]));
  assert_int_equal(nvmlComputeInstanceDestroy(computes[1]), NVML_SUCCESS);
  assert_int_equal(nvmlDeviceGetMigDeviceHandleByIndex(gpu, 1, &mig), NVML_NOT_FOUND);
  assert_int_equal(nvmlDeviceGetMigDeviceHandleByIndex(gpu, 2, &mig), NVML_SUCCESS);
  assert_ptr_equal(mig, third);
  assert_int_equal(nvmlDeviceGetMigDeviceHandleByIndex(gpu, 7, &mig), NVML_INVALID_ARGUMENT);
  fixture_stop(nvml);
}

static void a_mig_device_describes_its_slice(void **test_state) {
  SimNvml *nvml = fixture_start("2xA100-SXM4-80GB", NULL);
  NvmlDevice gpu = fixture_gpu(1), found;
  NvmlDevice mig = fixture_mig_device(fixture_create_compute(fixture_create(gpu, "3g.40gb"), 1));
  char text[NVML_NAME_V2_SIZE];
  unsigned number;
  NvmlDeviceAttributes attributes;
  assert_int_equal(nvmlDeviceGetName(mig, text, sizeof text), NVML_SUCCESS);
  assert_string_equal(text, "NVIDIA A100-SXM4-80GB MIG 2c.3g.40gb");
  assert_int_equal(nvmlDeviceGetUUID(mig, text, sizeof text), NVML_SUCCESS);
  assert_memory_equal(text, "MIG-", 4);
  assert_int_equal(nvmlDeviceGetHandleByUUID(text, &found), NVML_SUCCESS);
  assert_ptr_equal(found, mig);
  assert_int_equal(nvmlDeviceGetDeviceHandleFromMigDeviceHandle(mig, &found), NVML_SUCCESS);
  assert_ptr_equal(found, gpu);
  assert_int_equal(nvmlDeviceIsMigDeviceHandle(mig, &number), NVML_SUCCESS);
  assert_int_equal(number, 1);
  assert_int_equal(nvmlDeviceIsMigDeviceHandle(gpu, &number), NVML_SUCCESS);
  assert_int_equal(number, 0);
  assert_int_equal(nvmlDeviceGetGpuInstanceId(mig, &number), NVML_SUCCESS);
  assert_int_equal(number, 2);
  assert_int_equal(nvmlDeviceGetComputeInstanceId(mig, &number), NVML_SUCCESS);
  assert_int_equal(number, 0);
  assert_int_equal(nvmlDeviceGetAttributes_v2(mig, &attributes), NVML_SUCCESS);
  assert_int_equal(attributes.gpu_instance_slice_count, 3);
  assert_int_equal(attributes.compute_instance_slice_count, 2);
  assert_int_equal(attributes.multiprocessor_count, 28);
  assert_int_equal(nvmlDeviceGetAttributes_v2(gpu, &attributes), NVML_NOT_SUPPORTED);
  assert_int_equal(nvmlDeviceGetGpuInstanceId(gpu, &number), NVML_INVALID_ARGUMENT);
  fixture_stop(nvml);
}

static void uuids_return_with_the_place(void **test_state) {
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", NULL);
  NvmlDevice gpu = fixture_gpu(0), found;
  char before[NVML_UUID_SIZE], after[NVML_UUID_SIZE], other[NVML_UUID_SIZE];
  NvmlGpuInstance instance = fixture_create(gpu, "1g.10gb");
  NvmlComputeInstance compute = fixture_create_compute(instance, 0);
  assert_int_equal(nvmlDeviceGetUUID(fixture_mig_device(compute), before, sizeof before), NVML_SUCCESS);
  assert_int_equal(nvmlComputeInstanceDestroy(compute), NVML_SUCCESS);
  assert_int_equal(nvmlGpuInstanceDestroy(instance), NVML_SUCCESS);
  assert_int_equal(nvmlDeviceGetHandleByUUID(before, &found), NVML_NOT_FOUND);
  compute = fixture_create_compute(fixture_create(gpu, "1g.10gb"), 0);
  assert_int_equal(nvmlDeviceGetUUID(fixture_mig_device(compute), after, sizeof after), NVML_SUCCESS);
  assert_string_equal(before, after);
  compute = fixture_create_compute(fixture_create(gpu, "1g.10gb"), 0);
  assert_int_equal(nvmlDeviceGetUUID(fixture_mig_device(compute), other, sizeof other), NVML_SUCCESS);
  assert_string_not_equal(before, other);
  fixture_stop(nvml);
}

static void pretended_processes_are_seen_and_hold_their_slice(void **test_state) {
  SimNvml *nvml = fixture_start("A30", NULL);
  NvmlDevice gpu = fixture_gpu(0);
  NvmlComputeInstance first = fixture_create_compute(fixture_create(gpu, "1g.6gb"), 0);
  NvmlComputeInstance second = fixture_create_compute(fixture_create(gpu, "1g.6gb"), 0);
  char uuid[NVML_UUID_SIZE];
  Error err = {0};
  assert_int_equal(nvmlDeviceGetUUID(fixture_mig_device(second), uuid, sizeof uuid), NVML_SUCCESS);
  assert_ok(sim_nvml_set_processes(nvml, uuid, 2, &err));
  NvmlProcessInfo infos[4];
  unsigned count = 0, instance_id;
  assert_int_equal(nvmlDeviceGetComputeRunningProcesses_v2(gpu, &count, NULL), NVML_INSUFFICIENT_SIZE);
  assert_int_equal(count, 2);
  count = COUNT_OF(infos);
  assert_int_equal(nvmlDeviceGetComputeRunningProcesses_v3(gpu, &count, infos), NVML_SUCCESS);
  assert_int_equal(count, 2);
  assert_int_not_equal(infos[0].pid, infos[1].pid);
  assert_int_equal(nvmlDeviceGetGpuInstanceId(fixture_mig_device(second), &instance_id), NVML_SUCCESS);
  assert_int_equal(infos[0].gpu_instance_id, instance_id);
  count = COUNT_OF(infos);
  assert_int_equal(nvmlDeviceGetComputeRunningProcesses_v3(fixture_mig_device(first), &count, infos),
                   NVML_SUCCESS);
  assert_int_equal(count, 0);
  assert_int_equal(nvmlComputeInstanceDestroy(second), NVML_IN_USE);
  assert_ok(sim_nvml_set_processes(nvml, uuid, 0, &err));
  assert_int_equal(nvmlComputeInstanceDestroy(second), NVML_SUCCESS);
  assert_fails(sim_nvml_set_processes(nvml, "MIG-none", 1, &err),
               "simulated GPUs: there is no MIG device MIG-none");
  fixture_stop(nvml);
}

static void nothing_runs_and_nothing_happens(void **test_state) {
  SimNvml *nvml = fixture_start("A30", NULL);
  NvmlDevice gpu = fixture_gpu(0);
  NvmlProcessInfo infos[5];
  unsigned count = 5;
  unsigned long long types;
  NvmlEventSet set, other;
  NvmlEventData data;
  assert_int_equal(nvmlDeviceGetComputeRunningProcesses_v3(gpu, &count, infos), NVML_SUCCESS);
  assert_int_equal(count, 0);
  count = 5;
  assert_int_equal(nvmlDeviceGetGraphicsRunningProcesses_v2(gpu, &count, infos), NVML_SUCCESS);
  assert_int_equal(count, 0);
  assert_int_equal(nvmlDeviceGetSupportedEventTypes(gpu, &types), NVML_SUCCESS);
  assert_int_equal(nvmlEventSetCreate(&set), NVML_SUCCESS);
  assert_int_equal(nvmlEventSetCreate(&other), NVML_SUCCESS);
  assert_ptr_not_equal(set, other);
  assert_int_equal(nvmlDeviceRegisterEvents(gpu, types, set), NVML_SUCCESS);
  assert_int_equal(nvmlDeviceRegisterEvents(gpu, 1ull << 40, set), NVML_NOT_SUPPORTED);
  assert_int_equal(nvmlEventSetWait_v2(set, &data, 0), NVML_TIMEOUT);
  assert_int_equal(nvmlEventSetFree(set), NVML_SUCCESS);
  assert_int_equal(nvmlEventSetWait_v2(set, &data, 0), NVML_INVALID_ARGUMENT);
  assert_int_equal(nvmlEventSetFree((NvmlEventSet)gpu), NVML_INVALID_ARGUMENT);
  fixture_stop(nvml);
}

static void add_up(void *userdata, uint32_t milliseconds) {
  *(uint32_t *)userdata += milliseconds;
}

/* The times measured on real GPUs, created and destroyed with their compute instance. */
static void changes_take_the_measured_time(void **test_state) {
  static const struct {
    const char *machine, *profile;
    unsigned compute_profile;
    uint32_t create_ms, destroy_ms;
  } cases[] = {
      {"A30", "1g.6gb", 0, 110, 100},
      {"A100-SXM4-80GB", "1g.10gb", 0, 160, 200},
      {"A100-SXM4-80GB", "7g.80gb", 4, 240, 220},
      {"H100-80GB-HBM3", "3g.40gb", 2, 330, 250},
      {"B200", "7g.180gb", 4, 420, 260},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    SimNvml *nvml = NULL;
    Error err = {0};
    uint32_t spent = 0;
    SimNvmlOptions options = {.machine = cases[i].machine, .latency = 1};
    assert_ok(sim_nvml_new(&options, &nvml, &err));
    sim_nvml_set_sleep(nvml, add_up, &spent);
    sim_nvml_use(nvml);
    assert_int_equal(nvmlInit_v2(), NVML_SUCCESS);
    NvmlGpuInstance instance = fixture_create(fixture_gpu(0), cases[i].profile);
    NvmlComputeInstance compute = fixture_create_compute(instance, cases[i].compute_profile);
    assert_in_range(spent, cases[i].create_ms - 2, cases[i].create_ms);
    spent = 0;
    assert_int_equal(nvmlComputeInstanceDestroy(compute), NVML_SUCCESS);
    assert_int_equal(nvmlGpuInstanceDestroy(instance), NVML_SUCCESS);
    assert_in_range(spent, cases[i].destroy_ms - 2, cases[i].destroy_ms);
    fixture_stop(nvml);
  }
}

static void names_lead_to_the_functions(void **test_state) {
  assert_ptr_equal(sim_nvml_symbol("nvmlInit_v2"), (void *)nvmlInit_v2);
  assert_null(sim_nvml_symbol("nvmlDeviceGetWeather"));
  for (int i = 0; sim_nvml_symbol_name(i); i++) {
    assert_non_null(sim_nvml_symbol(sim_nvml_symbol_name(i)));
    if (i > 0)
      assert_true(strcmp(sim_nvml_symbol_name(i - 1), sim_nvml_symbol_name(i)) < 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_works_before_init_and_after_the_last_shutdown),
      cmocka_unit_test(every_return_code_has_its_text),
      cmocka_unit_test(the_driver_names_its_versions),
      cmocka_unit_test(gpus_are_found_by_index_uuid_and_bus),
      cmocka_unit_test(names_and_memory_are_the_products),
      cmocka_unit_test(profiles_come_in_three_struct_versions),
      cmocka_unit_test(ampere_switches_mig_mode_with_a_reset),
      cmocka_unit_test(hopper_switches_at_once_and_forgets_at_reboot),
      cmocka_unit_test(without_mig_mode_there_are_no_instances),
      cmocka_unit_test(mig_device_indexes_have_holes),
      cmocka_unit_test(a_mig_device_describes_its_slice),
      cmocka_unit_test(uuids_return_with_the_place),
      cmocka_unit_test(pretended_processes_are_seen_and_hold_their_slice),
      cmocka_unit_test(nothing_runs_and_nothing_happens),
      cmocka_unit_test(changes_take_the_measured_time),
      cmocka_unit_test(names_lead_to_the_functions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
