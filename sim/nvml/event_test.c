/* SPDX-License-Identifier: Apache-2.0 */
/* Events and lost GPUs: what happens from outside reaches those who wait. */
#include "sim/nvml/fixture.h"

#include <signal.h>
#include <sys/wait.h>

enum { XID_ONLY = NVML_EVENT_XID };

static NvmlEventSet listen_to(NvmlDevice gpu) {
  NvmlEventSet set = NULL;
  assert_int_equal(nvmlEventSetCreate(&set), NVML_SUCCESS);
  assert_int_equal(nvmlDeviceRegisterEvents(gpu, XID_ONLY, set), NVML_SUCCESS);
  return set;
}

static void post(SimNvml *nvml, unsigned gpu, uint64_t xid, int gi, int ci) {
  Error err = {0};
  assert_ok(sim_nvml_post_xid(nvml, gpu, xid, gi, ci, &err));
}

static void an_xid_reaches_every_set_once_and_only_who_registered_before(void **test_state) {
  SimNvml *nvml = fixture_start("2xA100-SXM4-80GB", NULL);
  NvmlDevice gpu = fixture_gpu(1);
  NvmlEventData data;
  post(nvml, 1, 13, -1, -1);
  NvmlEventSet first = listen_to(gpu), second = listen_to(gpu), other = listen_to(fixture_gpu(0));
  assert_int_equal(nvmlEventSetWait_v2(first, &data, 0), NVML_TIMEOUT);
  post(nvml, 1, 48, -1, -1);
  post(nvml, 1, 94, 2, 0);
  NvmlEventSet sets[] = {first, second};
  for (size_t i = 0; i < COUNT_OF(sets); i++) {
    assert_int_equal(nvmlEventSetWait_v2(sets[i], &data, 0), NVML_SUCCESS);
    assert_ptr_equal(data.device, gpu);
    assert_int_equal(data.event_type, NVML_EVENT_XID);
    assert_int_equal(data.event_data, 48);
    assert_int_equal(data.gpu_instance_id, NVML_NO_INSTANCE);
    assert_int_equal(nvmlEventSetWait_v2(sets[i], &data, 0), NVML_SUCCESS);
    assert_int_equal(data.event_data, 94);
    assert_int_equal(data.gpu_instance_id, 2);
    assert_int_equal(data.compute_instance_id, 0);
    assert_int_equal(nvmlEventSetWait_v2(sets[i], &data, 0), NVML_TIMEOUT);
  }
  assert_int_equal(nvmlEventSetWait_v2(other, &data, 0), NVML_TIMEOUT);
  fixture_stop(nvml);
}

/* The one who waits is woken by another process; the test would take an hour otherwise. */
static void a_wait_ends_with_another_process_event(void **test_state) {
  char folder[64];
  fixture_make_folder(folder);
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", folder);
  NvmlEventSet set = listen_to(fixture_gpu(0));
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    post(nvml, 0, 31, 7, 0);
    _exit(0);
  }
  NvmlEventData data;
  assert_int_equal(nvmlEventSetWait_v2(set, &data, 3600 * 1000), NVML_SUCCESS);
  assert_int_equal(data.event_data, 31);
  assert_int_equal(waitpid(pid, NULL, 0), pid);
  fixture_stop(nvml);
  fixture_remove_folder(folder);
}

static void only_the_newest_events_are_kept(void **test_state) {
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", NULL);
  NvmlEventSet set = listen_to(fixture_gpu(0));
  for (int i = 0; i < SIM_EVENTS_MAX + 1; i++)
    post(nvml, 0, (uint64_t)i, -1, -1);
  NvmlEventData data;
  for (uint64_t i = 1; i < SIM_EVENTS_MAX + 1; i++) {
    assert_int_equal(nvmlEventSetWait_v2(set, &data, 0), NVML_SUCCESS);
    assert_int_equal(data.event_data, i);
  }
  assert_int_equal(nvmlEventSetWait_v2(set, &data, 0), NVML_TIMEOUT);
  fixture_stop(nvml);
}

static void a_lost_gpu_says_so_until_a_reset_and_the_others_work_on(void **test_state) {
  SimNvml *nvml = fixture_start("2xA100-SXM4-80GB", NULL);
  NvmlDevice lost = fixture_gpu(0), other = fixture_gpu(1), device;
  NvmlEventSet set = listen_to(lost);
  (void)nvmlDeviceRegisterEvents(other, XID_ONLY, set);
  NvmlEventData data;
  Error err = {0};
  char uuid[NVML_UUID_SIZE];
  unsigned minor, count;
  assert_int_equal(nvmlDeviceGetUUID(lost, uuid, sizeof uuid), NVML_SUCCESS);
  assert_ok(sim_nvml_lose_gpu(nvml, 0, &err));
  assert_int_equal(nvmlEventSetWait_v2(set, &data, 0), NVML_SUCCESS);
  assert_int_equal(data.event_data, SIM_XID_LOST);
  assert_int_equal(nvmlEventSetWait_v2(set, &data, 1000), NVML_GPU_IS_LOST);
  assert_int_equal(nvmlDeviceGetMinorNumber(lost, &minor), NVML_GPU_IS_LOST);
  assert_int_equal(nvmlDeviceGetHandleByIndex_v2(0, &device), NVML_GPU_IS_LOST);
  assert_int_equal(nvmlDeviceGetHandleByUUID(uuid, &device), NVML_GPU_IS_LOST);
  assert_int_equal(nvmlDeviceGetMinorNumber(other, &minor), NVML_SUCCESS);
  assert_int_equal(nvmlDeviceGetCount_v2(&count), NVML_SUCCESS);
  assert_int_equal(count, 2);
  assert_ok(sim_nvml_reset(nvml, false, &err));
  assert_int_equal(nvmlDeviceGetMinorNumber(lost, &minor), NVML_SUCCESS);
  fixture_stop(nvml);
}

static void a_gpu_that_is_not_there_cannot_be_lost(void **test_state) {
  SimNvml *nvml = fixture_start("2xA30", NULL);
  Error err = {0};
  assert_int_equal(sim_nvml_lose_gpu(nvml, 2, &err), -ERROR_NOT_FOUND);
  assert_string_equal(err.text, "simulated GPUs: there is no GPU 2; the machine has 2");
  fixture_stop(nvml);
}

static NvmlGpuInstance make_instance(NvmlDevice gpu) {
  NvmlGpuInstance instance = NULL;
  assert_int_equal(nvmlDeviceCreateGpuInstance(gpu, fixture_profile_id(gpu, "1g.10gb"), &instance),
                   NVML_SUCCESS);
  return instance;
}

static void hold_by_event_sets(SimNvml *nvml) {
  Error err = {0};
  assert_ok(sim_nvml_set_option(nvml, "event-sets", "hold", &err));
}

static void with_hold_whoever_waits_for_events_keeps_the_instances_of_that_gpu(void **test_state) {
  char folder[64];
  fixture_make_folder(folder);
  const char *const folders[] = {NULL, folder};
  for (size_t i = 0; i < COUNT_OF(folders); i++) {
    SimNvml *nvml = fixture_start("2xA100-SXM4-80GB", folders[i]);
    NvmlGpuInstance held = make_instance(fixture_gpu(0)), free_one = make_instance(fixture_gpu(1));
    hold_by_event_sets(nvml);
    NvmlEventSet set = listen_to(fixture_gpu(0));
    assert_int_equal(nvmlGpuInstanceDestroy(held), NVML_IN_USE);
    assert_int_equal(nvmlGpuInstanceDestroy(free_one), NVML_SUCCESS);
    assert_int_equal(nvmlEventSetFree(set), NVML_SUCCESS);
    assert_int_equal(nvmlGpuInstanceDestroy(held), NVML_SUCCESS);
    held = make_instance(fixture_gpu(0));
    set = listen_to(fixture_gpu(0));
    assert_int_equal(nvmlShutdown(), NVML_SUCCESS);
    assert_int_equal(nvmlInit_v2(), NVML_SUCCESS);
    assert_int_equal(nvmlGpuInstanceDestroy(held), NVML_SUCCESS);
    fixture_stop(nvml);
  }
  fixture_remove_folder(folder);
}

static void a_hold_ends_with_its_process(void **test_state) {
  char folder[64];
  int ready[2], wait_for_it[2];
  char byte = 0;
  fixture_make_folder(folder);
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", folder);
  NvmlGpuInstance instance = make_instance(fixture_gpu(0));
  hold_by_event_sets(nvml);
  assert_int_equal(pipe(ready) + pipe(wait_for_it), 0);
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    (void)listen_to(fixture_gpu(0));
    (void)!write(ready[1], &byte, 1);
    (void)!read(wait_for_it[0], &byte, 1);
    _exit(0);
  }
  assert_int_equal(read(ready[0], &byte, 1), 1);
  assert_int_equal(nvmlGpuInstanceDestroy(instance), NVML_IN_USE);
  kill(pid, SIGKILL);
  assert_int_equal(waitpid(pid, NULL, 0), pid);
  assert_int_equal(nvmlGpuInstanceDestroy(instance), NVML_SUCCESS);
  for (int i = 0; i < 2; i++) {
    close(ready[i]);
    close(wait_for_it[i]);
  }
  fixture_stop(nvml);
  fixture_remove_folder(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(with_hold_whoever_waits_for_events_keeps_the_instances_of_that_gpu),
      cmocka_unit_test(a_hold_ends_with_its_process),
      cmocka_unit_test(an_xid_reaches_every_set_once_and_only_who_registered_before),
      cmocka_unit_test(a_wait_ends_with_another_process_event),
      cmocka_unit_test(only_the_newest_events_are_kept),
      cmocka_unit_test(a_lost_gpu_says_so_until_a_reset_and_the_others_work_on),
      cmocka_unit_test(a_gpu_that_is_not_there_cannot_be_lost),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
