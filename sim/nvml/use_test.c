/* SPDX-License-Identifier: Apache-2.0 */
/* Who is on a GPU, what that forbids, and who may ask. */
#include "sim/nvml/abi.h"
#include "sim/nvml/fixture.h"

#include <time.h>

static void attach(SimNvml *nvml, const char *place, uint32_t pid, uint32_t memory_mib, const char *name) {
  SimClient client = {.pid = pid, .memory_mib = memory_mib};
  Error err = {0};
  assert_ok(sim_nvml_find_place(nvml, place, &client, &err));
  assert_true(sim_client_set_name(&client, name));
  assert_ok(sim_nvml_attach(nvml, &client, &err));
}

static void detach(SimNvml *nvml, uint32_t pid) {
  Error err = {0};
  assert_ok(sim_nvml_detach(nvml, pid, &err));
}

static void a_process_is_seen_by_name_and_place(void **test_state) {
  SimNvml *nvml = fixture_start("2xA100-SXM4-80GB", NULL);
  NvmlComputeInstance compute = fixture_create_compute(fixture_create(fixture_gpu(0), "1g.10gb"), 0);
  NvmlDevice mig = fixture_mig_device(compute);
  char uuid[NVML_UUID_SIZE], name[16];
  assert_int_equal(nvmlDeviceGetUUID(mig, uuid, sizeof uuid), NVML_SUCCESS);
  attach(nvml, uuid, 4711, 1000, "python3 train.py");
  attach(nvml, "1", 12, 20, "miner");
  attach(nvml, "0/13", 13, 0, "nv-hostengine"); /* holds, does not run */
  NvmlProcessInfo infos[4];
  unsigned count = COUNT_OF(infos);
  assert_int_equal(nvmlDeviceGetComputeRunningProcesses_v3(fixture_gpu(0), &count, infos), NVML_SUCCESS);
  assert_int_equal(count, 1);
  assert_int_equal(infos[0].pid, 4711);
  assert_int_equal(infos[0].used_gpu_memory, 1000ull << 20);
  assert_int_equal(infos[0].gpu_instance_id, 13);
  assert_int_equal(infos[0].compute_instance_id, 0);
  count = COUNT_OF(infos);
  assert_int_equal(nvmlDeviceGetComputeRunningProcesses_v3(fixture_gpu(1), &count, infos), NVML_SUCCESS);
  assert_int_equal(count, 1);
  assert_int_equal(infos[0].gpu_instance_id, NVML_NO_INSTANCE);
  assert_int_equal(nvmlSystemGetProcessName(4711, name, sizeof name), NVML_SUCCESS);
  assert_string_equal(name, "python3 train.p"); /* cut to the buffer */
  assert_int_equal(nvmlSystemGetProcessName(4712, name, sizeof name), NVML_NOT_FOUND);
  NvmlMemory memory;
  assert_int_equal(nvmlDeviceGetMemoryInfo(mig, &memory), NVML_SUCCESS);
  assert_int_equal(memory.used, 1000ull << 20);
  fixture_stop(nvml);
}

static void old_clients_get_the_old_struct(void **test_state) {
  SimNvml *nvml = fixture_start("A30:mig=off", NULL);
  attach(nvml, "0", 7, 1, "a");
  attach(nvml, "0", 8, 2, "b");
  NvmlProcessInfoV1 infos[2] = {0};
  unsigned count = 1;
  assert_int_equal(nvmlDeviceGetComputeRunningProcesses(fixture_gpu(0), &count, infos),
                   NVML_INSUFFICIENT_SIZE);
  assert_int_equal(count, 2);
  assert_int_equal(infos[1].pid, 0);
  assert_int_equal(nvmlDeviceGetComputeRunningProcesses(fixture_gpu(0), &count, infos), NVML_SUCCESS);
  assert_int_equal(infos[0].pid, 7);
  assert_int_equal(infos[1].used_gpu_memory, 2 << 20);
  fixture_stop(nvml);
}

static void what_is_used_is_not_destroyed(void **test_state) {
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", NULL);
  NvmlGpuInstance instance = fixture_create(fixture_gpu(0), "1g.10gb");
  NvmlComputeInstance compute = fixture_create_compute(instance, 0);
  attach(nvml, "0/13/0", 1, 10, "job");
  attach(nvml, "0/13", 2, 0, "nv-hostengine");
  assert_int_equal(nvmlComputeInstanceDestroy(compute), NVML_IN_USE);
  detach(nvml, 1);
  assert_int_equal(nvmlComputeInstanceDestroy(compute), NVML_SUCCESS);
  assert_int_equal(nvmlGpuInstanceDestroy(instance), NVML_IN_USE);
  detach(nvml, 2);
  assert_int_equal(nvmlGpuInstanceDestroy(instance), NVML_SUCCESS);
  fixture_stop(nvml);
}

static void only_the_first_instance_needs_an_idle_gpu(void **test_state) {
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", NULL);
  NvmlGpuInstance instance;
  attach(nvml, "0", 1, 0, "dcgm");
  assert_int_equal(nvmlDeviceCreateGpuInstance(fixture_gpu(0), 19, &instance), NVML_IN_USE);
  detach(nvml, 1);
  (void)fixture_create(fixture_gpu(0), "1g.10gb");
  attach(nvml, "0", 1, 0, "dcgm");
  (void)fixture_create(fixture_gpu(0), "1g.10gb");
  fixture_stop(nvml);
}

static void mig_mode_waits_for_an_idle_hopper(void **test_state) {
  SimNvml *nvml = fixture_start("H100-80GB-HBM3:mig=off", NULL);
  NvmlReturn status;
  unsigned current, pending;
  attach(nvml, "0", 1, 0, "dcgm");
  assert_int_equal(nvmlDeviceSetMigMode(fixture_gpu(0), NVML_MIG_ENABLE, &status), NVML_SUCCESS);
  assert_int_equal(status, NVML_IN_USE);
  assert_int_equal(nvmlDeviceGetMigMode(fixture_gpu(0), &current, &pending), NVML_SUCCESS);
  assert_int_equal(current, NVML_MIG_DISABLE);
  assert_int_equal(pending, NVML_MIG_ENABLE);
  fixture_stop(nvml);
}

/* A minute is never over within the test, and no time is over at once. */
static void a_place_lingers_in_use(void **test_state) {
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", NULL);
  Error err = {0};
  assert_ok(sim_nvml_set_option(nvml, "linger-ms", "60000", &err));
  NvmlGpuInstance instance = fixture_create(fixture_gpu(0), "1g.10gb");
  NvmlComputeInstance compute = fixture_create_compute(instance, 0);
  attach(nvml, "0/13/0", 1, 10, "job");
  detach(nvml, 1);
  assert_int_equal(nvmlComputeInstanceDestroy(compute), NVML_IN_USE);
  NvmlGpuInstance other = fixture_create(fixture_gpu(0), "3g.40gb");
  assert_int_equal(nvmlComputeInstanceDestroy(fixture_create_compute(other, 2)), NVML_SUCCESS);
  assert_int_equal(nvmlGpuInstanceDestroy(other), NVML_IN_USE);
  assert_ok(sim_nvml_set_option(nvml, "linger-ms", "1", &err));
  NvmlGpuInstance third = fixture_create(fixture_gpu(0), "1g.10gb");
  assert_int_equal(nvmlComputeInstanceDestroy(fixture_create_compute(third, 0)), NVML_SUCCESS);
  NvmlReturn result;
  while ((result = nvmlGpuInstanceDestroy(third)) == NVML_IN_USE)
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  assert_int_equal(result, NVML_SUCCESS);
  fixture_stop(nvml);
}

static void a_place_must_exist(void **test_state) {
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", NULL);
  Error err = {0};
  SimClient client = {.pid = 3, .name = "x"};
  assert_ok(sim_nvml_find_place(nvml, "0/13/0", &client, &err));
  assert_int_equal(sim_nvml_attach(nvml, &client, &err), -ERROR_NOT_FOUND);
  assert_string_equal(err.text, "simulated GPUs: there is no 0/13/0 for process 3 to be on");
  assert_int_equal(sim_nvml_find_place(nvml, "GPU-1", &client, &err), -ERROR_INVALID);
  attach(nvml, "0", 3, 0, "x");
  assert_ok(sim_nvml_find_place(nvml, "0", &client, &err));
  assert_int_equal(sim_nvml_attach(nvml, &client, &err), -ERROR_CONFLICT);
  assert_string_equal(err.text, "simulated GPUs: process 3 is attached already; detach it first");
  assert_int_equal(sim_nvml_detach(nvml, 4, &err), -ERROR_NOT_FOUND);
  fixture_stop(nvml);
}

static void a_reset_ends_all_processes(void **test_state) {
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", NULL);
  Error err = {0};
  attach(nvml, "0", 3, 5, "x");
  assert_ok(sim_nvml_reset(nvml, false, &err));
  assert_int_equal(sim_nvml_detach(nvml, 3, &err), -ERROR_NOT_FOUND);
  fixture_stop(nvml);
}

/* nvml.h: profiles and devices are for everybody, instances for the privileged. */
static void the_unprivileged_may_look_at_devices_only(void **test_state) {
  SimNvml *nvml = NULL;
  Error err = {0};
  SimNvmlOptions options = {.machine = "A100-SXM4-80GB", .seed = 1, .unprivileged = true};
  assert_ok(sim_nvml_new(&options, &nvml, &err));
  sim_nvml_use(nvml);
  assert_int_equal(nvmlInit_v2(), NVML_SUCCESS);
  NvmlDevice gpu = fixture_gpu(0);
  NvmlGpuInstance instance, list[7];
  NvmlGpuInstanceProfileInfo info;
  NvmlReturn status;
  unsigned count, current, pending;
  assert_int_equal(nvmlDeviceGetMigMode(gpu, &current, &pending), NVML_SUCCESS);
  assert_int_equal(nvmlDeviceGetGpuInstanceProfileInfo(gpu, 0, &info), NVML_SUCCESS);
  assert_int_equal(nvmlDeviceGetMaxMigDeviceCount(gpu, &count), NVML_SUCCESS);
  assert_int_equal(nvmlDeviceSetMigMode(gpu, NVML_MIG_DISABLE, &status), NVML_NO_PERMISSION);
  assert_int_equal(nvmlDeviceCreateGpuInstance(gpu, 19, &instance), NVML_NO_PERMISSION);
  assert_int_equal(nvmlDeviceGetGpuInstances(gpu, 19, list, &count), NVML_NO_PERMISSION);
  assert_int_equal(nvmlDeviceGetGpuInstanceById(gpu, 7, &instance), NVML_NO_PERMISSION);
  assert_int_equal(nvmlDeviceGetGpuInstanceRemainingCapacity(gpu, 19, &count), NVML_NO_PERMISSION);
  assert_int_equal(nvmlDeviceGetGpuInstancePossiblePlacements_v2(gpu, 19, NULL, &count), NVML_NO_PERMISSION);
  fixture_stop(nvml);
}

static void a_compute_mode_is_kept_until_the_reset(void **test_state) {
  SimNvml *nvml = fixture_start("A30:mig=off,A30", NULL);
  int mode;
  Error err = {0};
  assert_int_equal(nvmlDeviceSetComputeMode(fixture_gpu(0), 3), NVML_SUCCESS);
  assert_int_equal(nvmlDeviceGetComputeMode(fixture_gpu(0), &mode), NVML_SUCCESS);
  assert_int_equal(mode, 3);
  assert_int_equal(nvmlDeviceSetComputeMode(fixture_gpu(0), 1), NVML_NOT_SUPPORTED);
  assert_int_equal(nvmlDeviceSetComputeMode(fixture_gpu(0), 4), NVML_INVALID_ARGUMENT);
  assert_int_equal(nvmlDeviceSetComputeMode(fixture_gpu(1), 3), NVML_NOT_SUPPORTED); /* MIG */
  assert_ok(sim_nvml_reset(nvml, false, &err));
  assert_int_equal(nvmlDeviceGetComputeMode(fixture_gpu(0), &mode), NVML_SUCCESS);
  assert_int_equal(mode, 0);
  fixture_stop(nvml);
}

static void no_gpu_shares_memory_with_the_hosts_processes(void **test_state) {
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", NULL);
  NvmlAddressingMode mode = {.version = NVML_STRUCT_VERSION(NvmlAddressingMode, 1), .value = 7};
  assert_int_equal(nvmlDeviceGetAddressingMode(fixture_gpu(0), &mode), NVML_SUCCESS);
  assert_int_equal(mode.value, 0);
  assert_int_equal(nvmlDeviceGetAddressingMode(fixture_gpu(0), NULL), NVML_INVALID_ARGUMENT);
  mode.version++;
  assert_int_equal(nvmlDeviceGetAddressingMode(fixture_gpu(0), &mode), NVML_ARGUMENT_VERSION_MISMATCH);
  fixture_stop(nvml);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_gpu_shares_memory_with_the_hosts_processes),
      cmocka_unit_test(a_process_is_seen_by_name_and_place),
      cmocka_unit_test(old_clients_get_the_old_struct),
      cmocka_unit_test(what_is_used_is_not_destroyed),
      cmocka_unit_test(only_the_first_instance_needs_an_idle_gpu),
      cmocka_unit_test(mig_mode_waits_for_an_idle_hopper),
      cmocka_unit_test(a_place_lingers_in_use),
      cmocka_unit_test(a_place_must_exist),
      cmocka_unit_test(a_reset_ends_all_processes),
      cmocka_unit_test(a_compute_mode_is_kept_until_the_reset),
      cmocka_unit_test(the_unprivileged_may_look_at_devices_only),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
