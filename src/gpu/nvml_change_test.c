/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "base/memory.h"
#include "gpu/fake_nvml.h"

enum { CALLS_OF_A_JOB_MAX = 100000 };

/* The job of the tests: a 1g.10gb (profile id 19) of an A100-80GB at slot 6. */
static const GpuJob create_job = {
    .kind = GPU_JOB_CREATE, .uuid = "GPU-0", .nvml_id = 19, .start = 6, .size = 1};
static const GpuJob destroy_job = {
    .kind = GPU_JOB_DESTROY, .uuid = "GPU-0", .nvml_id = 19, .start = 6, .size = 1};

#define IN_USE                                                                                               \
  "In use by another client (NVML code 19); a process on the GPU or a monitor such as DCGM may hold it"

/* Runs one job on the fake machine; the caller frees the result. */
static GpuResult *run(const GpuJob *job) {
  CLEANUP(gpu_nvml_closep) GpuNvml *nvml = fake_open();
  GpuResult *result = mem_alloc(sizeof *result);
  gpu_nvml_run(nvml, job, result);
  return result;
}

static void run_and_expect(const GpuJob *job, ErrorCode code, const char *text) {
  CLEANUP(cleanup_free) GpuResult *result = run(job);
  assert_string_equal(result->err.text, text);
  assert_int_equal(result->err.code, code);
  assert_string_equal(result->created_uuid, "");
}

static int count_instances(void) {
  int count = 0;
  for (int i = 0; i < FAKE_INSTANCES_MAX; i++)
    count += fake.gpus[0].instances[i].alive;
  return count;
}

/* One complete slice at slot 6, nothing else. */
static void assert_one_slice(const GpuResult *result) {
  assert_string_equal(result->err.text, "");
  assert_true(result->observed);
  const GpuObserved *gpu = &result->observation.gpus[0];
  assert_int_equal(gpu->instance_count, 1);
  assert_int_equal(gpu->instances[0].start, 6);
  assert_int_equal(gpu->instances[0].nvml_id, 19);
  assert_string_equal(gpu->instances[0].uuid, "MIG-GPU-0/13/0");
  assert_int_equal(count_instances(), 1);
}

static void a_slice_is_created_at_its_place_and_seen(void **state) {
  fake_reset("A100-80GB", 1);
  CLEANUP(cleanup_free) GpuResult *result = run(&create_job);
  assert_one_slice(result);
  assert_string_equal(result->created_uuid, "MIG-GPU-0/13/0");
  assert_int_equal(fake.sleeps, 0);
}

static void every_profile_gets_the_compute_instance_over_all_of_it(void **state) {
  fake_reset("A100-80GB", 1);
  const MigModel model = fake.gpus[0].model;
  for (int i = 0; i < model.profile_count; i++) {
    fake_reset("A100-80GB", 1);
    const GpuJob job = {.kind = GPU_JOB_CREATE,
                        .uuid = "GPU-0",
                        .nvml_id = model.profiles[i].nvml_id,
                        .start = model.profiles[i].auto_starts[0],
                        .size = model.profiles[i].size};
    CLEANUP(cleanup_free) GpuResult *result = run(&job);
    assert_string_equal(result->err.text, "");
    assert_string_equal(result->observation.gpus[0].instances[0].uuid, result->created_uuid);
  }
}

static void a_slice_that_exists_is_done(void **state) {
  fake_reset("A100-80GB", 1);
  fake_add_instance(0, "1g.10gb", 6, 1);
  CLEANUP(cleanup_free) GpuResult *result = run(&create_job);
  assert_one_slice(result);
  assert_string_equal(result->created_uuid, "MIG-GPU-0/13/0");
}

static void half_a_slice_left_by_a_crash_is_completed(void **state) {
  fake_reset("A100-80GB", 1);
  fake_add_instance(0, "1g.10gb", 6, 0);
  CLEANUP(cleanup_free) GpuResult *result = run(&create_job);
  assert_one_slice(result);
  assert_string_equal(result->created_uuid, "MIG-GPU-0/13/0");
}

static void half_a_slice_of_somebody_else_survives_a_failure(void **state) {
  fake_reset("A100-80GB", 1);
  fake_add_instance(0, "1g.10gb", 6, 0);
  fake_fail("nvmlGpuInstanceCreateComputeInstance", NVML_UNKNOWN, 0, 1);
  run_and_expect(&create_job, ERROR_GPU,
                 "creating the compute instance: Unknown Error (NVML code 999); look at the kernel's "
                 "log on this node");
  assert_int_equal(count_instances(), 1);
}

static void a_taken_place_is_refused_and_nothing_changes(void **state) {
  fake_reset("A100-80GB", 1);
  fake_add_instance(0, "2g.20gb", 4, 2);
  fake_add_instance(0, "1g.10gb+me", 6, 1);
  run_and_expect(&create_job, ERROR_CONFLICT,
                 "creating the GPU instance: Insufficient Resources (NVML code 23); other instances "
                 "take its slots or its share");
  assert_int_equal(count_instances(), 2);
}

static void a_gpu_instance_without_compute_instance_is_taken_back(void **state) {
  fake_reset("A100-80GB", 1);
  fake_fail("nvmlGpuInstanceCreateComputeInstance", NVML_INSUFFICIENT_RESOURCES, 0, 1);
  run_and_expect(&create_job, ERROR_CONFLICT,
                 "creating the compute instance: Insufficient Resources (NVML code 23); other "
                 "instances take its slots or its share; the GPU instance was taken back");
  assert_int_equal(count_instances(), 0);
}

static void taking_back_is_patient(void **state) {
  fake_reset("A100-80GB", 1);
  fake_fail("nvmlGpuInstanceCreateComputeInstance", NVML_UNKNOWN, 0, 1);
  fake_fail("nvmlGpuInstanceDestroy", NVML_IN_USE, 0, 3);
  run_and_expect(&create_job, ERROR_GPU,
                 "creating the compute instance: Unknown Error (NVML code 999); look at the kernel's "
                 "log on this node; the GPU instance was taken back");
  assert_int_equal(count_instances(), 0);
  assert_int_equal(fake.now_ms, 10 + 20 + 40);
}

static void a_failure_to_take_back_is_told_too(void **state) {
  fake_reset("A100-80GB", 1);
  fake_fail("nvmlGpuInstanceCreateComputeInstance", NVML_MEMORY, 0, 1);
  fake_fail("nvmlGpuInstanceDestroy", NVML_TIMEOUT, 0, 1);
  run_and_expect(&create_job, ERROR_GPU,
                 "creating the compute instance: Insufficient Memory (NVML code 20); and taking back "
                 "the rest: destroying the GPU instance: Timeout (NVML code 10)");
  assert_int_equal(count_instances(), 1);
  CLEANUP(cleanup_free) GpuResult *again = run(&create_job);
  assert_one_slice(again);
}

static void a_gpu_busy_for_a_moment_is_waited_for(void **state) {
  static const char *const functions[] = {"nvmlDeviceCreateGpuInstanceWithPlacement",
                                          "nvmlGpuInstanceGetComputeInstanceProfileInfo",
                                          "nvmlGpuInstanceCreateComputeInstance"};
  for (size_t i = 0; i < COUNT_OF(functions); i++) {
    fake_reset("A100-80GB", 1);
    fake_fail(functions[i], NVML_IN_USE, 0, 4);
    CLEANUP(cleanup_free) GpuResult *result = run(&create_job);
    assert_one_slice(result);
    assert_int_equal(fake.sleeps, 4);
    assert_int_equal(result->took_ms, 10 + 20 + 40 + 80);
  }
}

static void an_instance_that_does_not_know_its_compute_profiles_yet_is_waited_for(void **state) {
  fake_reset("A100-80GB", 1);
  fake_fail("nvmlGpuInstanceGetComputeInstanceProfileInfo", NVML_INVALID_ARGUMENT, 0, 10);
  CLEANUP(cleanup_free) GpuResult *result = run(&create_job);
  assert_one_slice(result);
  assert_int_equal(fake.sleeps, 1); /* ten answers are one search */
}

static void a_gpu_that_stays_busy_is_given_up_after_ten_seconds(void **state) {
  fake_reset("A100-80GB", 1);
  fake_fail("nvmlDeviceCreateGpuInstanceWithPlacement", NVML_IN_USE, 0, 1000);
  run_and_expect(&create_job, ERROR_GPU, "creating the GPU instance: " IN_USE);
  assert_in_range(fake.now_ms, 9000, 10000);
}

/* Patience is for the job, not for each of its calls: the agent's timeout must not come first. */
static void patience_is_shared_by_all_calls_of_a_job(void **state) {
  fake_reset("A100-80GB", 1);
  fake_fail("nvmlDeviceCreateGpuInstanceWithPlacement", NVML_IN_USE, 0, 10);
  fake_fail("nvmlGpuInstanceCreateComputeInstance", NVML_IN_USE, 0, 1000);
  fake_fail("nvmlGpuInstanceDestroy", NVML_IN_USE, 0, 1000);
  run_and_expect(&create_job, ERROR_GPU,
                 "creating the compute instance: " IN_USE
                 "; and taking back the rest: destroying the GPU instance: " IN_USE);
  assert_in_range(fake.now_ms, 10000, 15000);
}

static void jobs_that_cannot_be_are_refused_before_anything_changes(void **state) {
  static const struct {
    GpuJob job;
    ErrorCode code;
    const char *text;
  } cases[] = {
      {{.uuid = "GPU-7", .nvml_id = 19, .start = 6, .size = 1},
       ERROR_NOT_FOUND,
       "finding the GPU on this node: Not Found (NVML code "
       "6)"},
      {{.uuid = "GPU-0", .nvml_id = 47, .start = 6, .size = 1},
       ERROR_NOT_FOUND,
       "NVIDIA A100-SXM4-80GB has no MIG profile with id 47"},
      {{.uuid = "GPU-0", .nvml_id = 19, .start = 7, .size = 1},
       ERROR_INVALID,
       "1g.10gb cannot take 1 slots at slot 7 of a NVIDIA "
       "A100-SXM4-80GB"},
      {{.uuid = "GPU-0", .nvml_id = 19, .start = 6, .size = 2},
       ERROR_INVALID,
       "1g.10gb cannot take 2 slots at slot 6 of a NVIDIA "
       "A100-SXM4-80GB"},
      {{.uuid = "GPU-0", .nvml_id = 19, .start = 200, .size = 1},
       ERROR_INVALID,
       "1g.10gb cannot take 1 slots at slot 200 of a NVIDIA "
       "A100-SXM4-80GB"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    fake_reset("A100-80GB", 1);
    GpuJob job = cases[i].job;
    job.kind = GPU_JOB_CREATE;
    run_and_expect(&job, cases[i].code, cases[i].text);
    assert_int_equal(count_instances(), 0);
  }
}

static void without_active_mig_nothing_is_created(void **state) {
  static const struct {
    bool capable;
    unsigned current, pending;
    const char *text;
  } cases[] = {
      {false, 0, 0, "NVIDIA A100-SXM4-80GB has no MIG"},
      {true, 0, 0, "MIG mode is off"},
      {true, 0, 1, "MIG mode is not active before the GPU is reset"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    fake_reset("A100-80GB", 1);
    fake.gpus[0].capable = cases[i].capable;
    fake.gpus[0].current = cases[i].current;
    fake.gpus[0].pending = cases[i].pending;
    run_and_expect(&create_job, ERROR_UNSUPPORTED, cases[i].text);
  }
}

static void missing_permission_is_said_with_the_remedy(void **state) {
  fake_reset("A100-80GB", 1);
  fake_fail("nvmlDeviceCreateGpuInstanceWithPlacement", NVML_NO_PERMISSION, 0, 1);
  run_and_expect(&create_job, ERROR_DENIED,
                 "creating the GPU instance: Insufficient Permissions (NVML code 4); run the agent as "
                 "root and privileged, with NVIDIA_MIG_CONFIG_DEVICES=all");
}

static void a_mig_device_that_nvml_hides_is_an_error(void **state) {
  fake_reset("A100-80GB", 1);
  fake_fail("nvmlDeviceGetMigDeviceHandleByIndex", NVML_NOT_FOUND, 0, CALLS_OF_A_JOB_MAX);
  run_and_expect(&create_job, ERROR_GPU, "NVML shows no MIG device for GPU instance 13, compute instance 0");
}

static void a_failed_job_still_observes(void **state) {
  fake_reset("A100-80GB", 1);
  fake_add_instance(0, "2g.20gb", 4, 2);
  fake_fail("nvmlDeviceCreateGpuInstanceWithPlacement", NVML_UNKNOWN, 0, 1);
  CLEANUP(cleanup_free) GpuResult *result = run(&create_job);
  assert_int_equal(result->err.code, ERROR_GPU);
  assert_true(result->observed);
  assert_int_equal(result->observation.gpus[0].instance_count, 1);
}

static void a_slice_is_destroyed_with_its_compute_instances(void **state) {
  fake_reset("A100-80GB", 1);
  fake_add_instance(0, "1g.10gb", 6, 1);
  fake_add_instance(0, "2g.20gb", 4, 2);
  CLEANUP(cleanup_free) GpuResult *result = run(&destroy_job);
  assert_string_equal(result->err.text, "");
  assert_int_equal(result->observation.gpus[0].instance_count, 1);
  assert_int_equal(result->observation.gpus[0].instances[0].start, 4);
}

static void destroying_what_is_gone_is_done(void **state) {
  fake_reset("A100-80GB", 1);
  fake_add_instance(0, "1g.10gb+me", 6, 1); /* another profile at that slot stays */
  CLEANUP(cleanup_free) GpuResult *result = run(&destroy_job);
  assert_string_equal(result->err.text, "");
  assert_int_equal(count_instances(), 1);
}

static void destroying_waits_for_a_process_that_just_ended(void **state) {
  fake_reset("A100-80GB", 1);
  fake_add_instance(0, "1g.10gb", 6, 1);
  fake_fail("nvmlComputeInstanceDestroy", NVML_IN_USE, 0, 2);
  fake_fail("nvmlGpuInstanceDestroy", NVML_IN_USE, 0, 2);
  CLEANUP(cleanup_free) GpuResult *result = run(&destroy_job);
  assert_string_equal(result->err.text, "");
  assert_int_equal(count_instances(), 0);
  assert_int_equal(fake.now_ms, 10 + 20 + 40 + 80);
}

static void a_slice_in_use_is_not_destroyed(void **state) {
  fake_reset("A100-80GB", 1);
  fake_add_instance(0, "1g.10gb", 6, 1);
  fake_fail("nvmlComputeInstanceDestroy", NVML_IN_USE, 0, 1000);
  run_and_expect(&destroy_job, ERROR_GPU, "destroying a compute instance: " IN_USE);
  assert_int_equal(count_instances(), 1);
  assert_true(fake.gpus[0].instances[0].computes[0].alive);
}

static void who_holds_a_slice_is_named(void **state) {
  fake_reset("A100-80GB", 1);
  fake_add_instance(0, "1g.10gb", 6, 1);
  fake.gpus[0].instances[0].process_counts[FAKE_COMPUTE_PROCESSES] = 1;
  fake_fail("nvmlComputeInstanceDestroy", NVML_IN_USE, 0, 1000);
  run_and_expect(&destroy_job, ERROR_GPU,
                 "destroying a compute instance: In use by another client (NVML code 19); held by "
                 "process 100, which this agent cannot see (hostPID): end it, or wait until it "
                 "ends");
  assert_in_range(fake.now_ms, 8000, 10000);
}

static void our_own_session_is_ended_before_somebody_else_is_blamed(void **state) {
  fake_reset("A100-80GB", 1);
  fake_add_instance(0, "1g.10gb", 6, 1);
  fake.held_by_session = true;
  CLEANUP(cleanup_free) GpuResult *result = run(&destroy_job);
  assert_string_equal(result->err.text, "");
  assert_int_equal(count_instances(), 0);
}

static void what_is_bare_goes_only_as_long_as_it_is(void **state) {
  GpuJob job = destroy_job;
  job.is_bare = true;
  fake_reset("A100-80GB", 1);
  fake_add_instance(0, "1g.10gb", 6, 0);
  CLEANUP(cleanup_free) GpuResult *result = run(&job);
  assert_int_equal(result->err.code, 0);
  assert_int_equal(count_instances(), 0);
  fake_add_instance(0, "1g.10gb", 6, 1);
  run_and_expect(&job, ERROR_GPU, "destroying the GPU instance: " IN_USE);
  assert_true(fake.gpus[0].instances[0].computes[0].alive);
}

static void each_failing_call_of_destroy_is_named(void **state) {
  static const struct {
    const char *function, *text;
  } cases[] = {
      {"nvmlGpuInstanceGetComputeInstanceProfileInfo",
       "asking for its compute profiles: Timeout (NVML code 10)"},
      {"nvmlGpuInstanceGetComputeInstances", "listing its compute instances: Timeout (NVML code 10)"},
      {"nvmlGpuInstanceDestroy", "destroying the GPU instance: Timeout (NVML code 10)"},
      {"nvmlGpuInstanceGetInfo", "reading an instance of 1g.10gb: Timeout (NVML code 10)"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    fake_reset("A100-80GB", 1);
    fake_add_instance(0, "1g.10gb", 6, 1);
    fake_fail(cases[i].function, NVML_TIMEOUT, 0, 1);
    run_and_expect(&destroy_job, ERROR_TIMEOUT, cases[i].text);
  }
}

/* Fails the n-th NVML call for every n, then runs the job again undisturbed: it must always end well. */
static void fail_each_call_in_turn(const GpuJob *job, int expected_instances) {
  for (int n = 3; n < CALLS_OF_A_JOB_MAX; n++) { /* the first two open NVML */
    fake_reset("A100-80GB", 1);
    if (job->kind == GPU_JOB_DESTROY)
      fake_add_instance(0, "1g.10gb", 6, 1);
    fake.fail_at = n;
    CLEANUP(cleanup_free) GpuResult *disturbed = run(job);
    if (fake.calls < n)
      return; /* the job is over before the n-th call */
    assert_true(disturbed->err.code == 0 || disturbed->err.text[0]);
    CLEANUP(cleanup_free) GpuResult *again = run(job);
    if (again->err.code)
      fail_msg("after a failure of call %d: %s", n, again->err.text);
    assert_int_equal(count_instances(), expected_instances);
    assert_int_equal(again->observation.gpus[0].instance_count, expected_instances);
    if (expected_instances)
      assert_one_slice(again);
  }
  fail_msg("the job never ended");
}

static void create_recovers_from_the_failure_of_any_call(void **state) {
  fail_each_call_in_turn(&create_job, 1);
}

static void destroy_recovers_from_the_failure_of_any_call(void **state) {
  fail_each_call_in_turn(&destroy_job, 0);
}

/* ---- MIG mode ---- */

static const GpuJob enable_job = {.kind = GPU_JOB_ENABLE_MIG, .uuid = "GPU-0"};

static void switch_off(void) {
  fake_reset("H100-SXM-80GB", 1);
  fake.gpus[0].current = fake.gpus[0].pending = NVML_MIG_DISABLE;
}

static void mig_mode_is_switched_on(void **state) {
  switch_off();
  CLEANUP(cleanup_free) GpuResult *result = run(&enable_job);
  assert_string_equal(result->err.text, "");
  assert_int_equal(result->observation.gpus[0].mode, MIG_MODE_ON);
  CLEANUP(cleanup_free) GpuResult *again = run(&enable_job);
  assert_string_equal(again->err.text, "");
}

/* A mode that waits is of use to nobody. */
static void a_mode_that_would_have_to_wait_is_taken_back(void **state) {
  switch_off();
  fake_fail("activation", NVML_RESET_REQUIRED, 0, 1);
  run_and_expect(
      &enable_job, ERROR_GPU,
      "switching MIG mode on for GPU 0: it needs a reset: drain the node, then `nvidia-smi -i 0 -mig 1` "
      "and `nvidia-smi --gpu-reset -i 0`, or reboot");
  assert_int_equal(fake.gpus[0].pending, NVML_MIG_DISABLE);
  switch_off();
  fake_fail("activation", NVML_IN_USE, 0, 1);
  run_and_expect(
      &enable_job, ERROR_GPU,
      "switching MIG mode on for GPU 0: the GPU is in use by another client (NVML code 19); a process on "
      "the GPU or a monitor such as DCGM may hold it");
  assert_int_equal(fake.gpus[0].pending, NVML_MIG_DISABLE);
}

static void a_mode_that_may_not_be_set_is_said_with_the_remedy(void **state) {
  switch_off();
  fake_fail("nvmlDeviceSetMigMode", NVML_NO_PERMISSION, 0, 1);
  run_and_expect(
      &enable_job, ERROR_DENIED,
      "switching MIG mode on for GPU 0: setting the mode: Insufficient Permissions (NVML code 4); run the "
      "agent as root and privileged, with NVIDIA_MIG_CONFIG_DEVICES=all");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_slice_is_created_at_its_place_and_seen),
      cmocka_unit_test(every_profile_gets_the_compute_instance_over_all_of_it),
      cmocka_unit_test(a_slice_that_exists_is_done),
      cmocka_unit_test(half_a_slice_left_by_a_crash_is_completed),
      cmocka_unit_test(half_a_slice_of_somebody_else_survives_a_failure),
      cmocka_unit_test(a_taken_place_is_refused_and_nothing_changes),
      cmocka_unit_test(a_gpu_instance_without_compute_instance_is_taken_back),
      cmocka_unit_test(taking_back_is_patient),
      cmocka_unit_test(a_failure_to_take_back_is_told_too),
      cmocka_unit_test(a_gpu_busy_for_a_moment_is_waited_for),
      cmocka_unit_test(an_instance_that_does_not_know_its_compute_profiles_yet_is_waited_for),
      cmocka_unit_test(a_gpu_that_stays_busy_is_given_up_after_ten_seconds),
      cmocka_unit_test(patience_is_shared_by_all_calls_of_a_job),
      cmocka_unit_test(jobs_that_cannot_be_are_refused_before_anything_changes),
      cmocka_unit_test(without_active_mig_nothing_is_created),
      cmocka_unit_test(missing_permission_is_said_with_the_remedy),
      cmocka_unit_test(a_mig_device_that_nvml_hides_is_an_error),
      cmocka_unit_test(a_failed_job_still_observes),
      cmocka_unit_test(a_slice_is_destroyed_with_its_compute_instances),
      cmocka_unit_test(destroying_what_is_gone_is_done),
      cmocka_unit_test(destroying_waits_for_a_process_that_just_ended),
      cmocka_unit_test(a_slice_in_use_is_not_destroyed),
      cmocka_unit_test(mig_mode_is_switched_on),
      cmocka_unit_test(a_mode_that_would_have_to_wait_is_taken_back),
      cmocka_unit_test(a_mode_that_may_not_be_set_is_said_with_the_remedy),
      cmocka_unit_test(who_holds_a_slice_is_named),
      cmocka_unit_test(our_own_session_is_ended_before_somebody_else_is_blamed),
      cmocka_unit_test(what_is_bare_goes_only_as_long_as_it_is),
      cmocka_unit_test(each_failing_call_of_destroy_is_named),
      cmocka_unit_test(create_recovers_from_the_failure_of_any_call),
      cmocka_unit_test(destroy_recovers_from_the_failure_of_any_call),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
