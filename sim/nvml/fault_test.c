/* SPDX-License-Identifier: Apache-2.0 */
/* The fault plan: its text, its counting, and what it does to calls. */
#include "sim/nvml/fault_file.h"
#include "sim/nvml/fixture.h"

#include <signal.h>
#include <sys/wait.h>

static void assert_formats(const char *text, const char *expected) {
  SimFault fault;
  Error err = {0};
  CLEANUP(text_deinit) Text formatted = {0};
  assert_ok(sim_fault_parse(text, &fault, &err));
  sim_fault_format(&fault, &formatted);
  assert_string_equal(text_string(&formatted), expected);
  assert_ok(sim_fault_parse(expected, &fault, &err));
  text_clear(&formatted);
  sim_fault_format(&fault, &formatted);
  assert_string_equal(text_string(&formatted), expected);
}

static void a_fault_reads_as_it_is_written(void **test_state) {
  assert_formats("nvmlGpuInstanceDestroy IN_USE", "nvmlGpuInstanceDestroy IN_USE call=1 times=1");
  assert_formats("DeviceGetCount_v2  after:hang=20 gpu=3 call=2",
                 "nvmlDeviceGetCount after:hang=20 call=2 times=1 gpu=3");
  assert_formats("* kill times=always", "* kill call=1 times=always");
  assert_formats("nvmlDeviceGetGpuInstanceProfileInfoV NVML_ERROR_UNKNOWN times=3",
                 "nvmlDeviceGetGpuInstanceProfileInfo UNKNOWN call=1 times=3");
}

static void a_fault_that_makes_no_sense_is_refused(void **test_state) {
  static const struct {
    const char *text, *complaint;
  } cases[] = {
      {"", "fault \"\": needs a function and an effect"},
      {"nvmlInit", "fault \"nvmlInit\": needs a function and an effect"},
      {"nvml/Init UNKNOWN", "fault \"nvml/Init UNKNOWN\": \"nvml/Init\" is no function of NVML"},
      {"nvmlInit BAD",
       "fault \"nvmlInit BAD\": \"BAD\" is no effect: give a return code such as IN_USE, hang, "
       "hang=MS or kill, with after: in front where the call does its work first"},
      {"nvmlInit hang=0", "fault \"nvmlInit hang=0\": \"hang=0\": hang=MS needs milliseconds from 1 on"},
      {"nvmlInit SUCCESS", "fault \"nvmlInit SUCCESS\": \"SUCCESS\": only what destroys or sets MIG mode can "
                           "succeed without doing it"},
      {"nvmlInit UNKNOWN call=0",
       "fault \"nvmlInit UNKNOWN call=0\": \"call=0\" is none of call=N, times=N, times=always and gpu=I"},
      {"nvmlInit UNKNOWN soon",
       "fault \"nvmlInit UNKNOWN soon\": \"soon\" is none of call=N, times=N, times=always and gpu=I"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    SimFault fault;
    Error err = {0};
    assert_int_equal(sim_fault_parse(cases[i].text, &fault, &err), -ERROR_INVALID);
    assert_string_equal(err.text, cases[i].complaint);
  }
}

static void a_plan_has_a_limit(void **test_state) {
  SimFaults faults = {0};
  SimFault fault;
  Error err = {0};
  assert_ok(sim_fault_parse("nvmlInit UNKNOWN", &fault, &err));
  for (int i = 0; i < SIM_FAULTS_MAX; i++)
    assert_ok(sim_faults_add(&faults, &fault, &err));
  assert_int_equal(sim_faults_add(&faults, &fault, &err), -ERROR_LIMIT);
  assert_string_equal(err.text, "a fault plan has at most 64 faults");
}

static void plan(SimNvml *nvml, const char *text) {
  Error err = {0};
  assert_ok(sim_nvml_add_fault(nvml, text, &err));
}

static NvmlReturn count_gpus(void) {
  unsigned count;
  return nvmlDeviceGetCount_v2(&count);
}

static void the_nth_call_fails_whatever_its_version(void **test_state) {
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", NULL);
  plan(nvml, "nvmlDeviceGetCount TIMEOUT call=3 times=2");
  unsigned count;
  assert_int_equal(count_gpus(), NVML_SUCCESS);
  assert_int_equal(nvmlDeviceGetCount(&count), NVML_SUCCESS);
  assert_int_equal(nvmlDeviceGetCount(&count), NVML_TIMEOUT);
  assert_int_equal(count_gpus(), NVML_TIMEOUT);
  assert_int_equal(count_gpus(), NVML_SUCCESS);
  fixture_stop(nvml);
}

static void a_fault_of_one_gpu_leaves_the_other_alone(void **test_state) {
  SimNvml *nvml = fixture_start("2xA100-SXM4-80GB", NULL);
  plan(nvml, "nvmlDevice* UNKNOWN times=always gpu=1");
  unsigned minor;
  NvmlDevice first = fixture_gpu(0), second = fixture_gpu(1);
  assert_int_equal(nvmlDeviceGetMinorNumber(first, &minor), NVML_SUCCESS);
  assert_int_equal(nvmlDeviceGetMinorNumber(second, &minor), NVML_UNKNOWN);
  Error err = {0};
  assert_ok(sim_nvml_clear_faults(nvml, &err));
  assert_int_equal(nvmlDeviceGetMinorNumber(second, &minor), NVML_SUCCESS);
  fixture_stop(nvml);
}

static int gi_count(SimNvml *nvml) {
  SimState state;
  Error err = {0};
  assert_ok(sim_nvml_load(nvml, &state, &err));
  return state.gpus[0].gi_count;
}

static void a_call_may_fail_before_or_after_its_work_or_only_pretend(void **test_state) {
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", NULL);
  NvmlGpuInstance instance;
  plan(nvml, "nvmlDeviceCreateGpuInstance UNKNOWN");
  assert_int_equal(nvmlDeviceCreateGpuInstance(fixture_gpu(0), 19, &instance), NVML_UNKNOWN);
  assert_int_equal(gi_count(nvml), 0);
  plan(nvml, "nvmlDeviceCreateGpuInstance after:UNKNOWN");
  assert_int_equal(nvmlDeviceCreateGpuInstance(fixture_gpu(0), 19, &instance), NVML_UNKNOWN);
  assert_int_equal(gi_count(nvml), 1);
  instance = fixture_create(fixture_gpu(0), "1g.10gb");
  plan(nvml, "nvmlGpuInstanceDestroy SUCCESS");
  assert_int_equal(nvmlGpuInstanceDestroy(instance), NVML_SUCCESS);
  assert_int_equal(gi_count(nvml), 2);
  assert_int_equal(nvmlGpuInstanceDestroy(instance), NVML_SUCCESS);
  assert_int_equal(gi_count(nvml), 1);
  fixture_stop(nvml);
}

/* In a process of its own on the shared machine; the status as of waitpid. */
static int create_elsewhere(const char *folder) {
  fflush(NULL);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    fixture_start(NULL, folder);
    NvmlGpuInstance instance;
    _exit((int)nvmlDeviceCreateGpuInstance(fixture_gpu(0), 19, &instance));
  }
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return status;
}

static void a_shared_plan_counts_over_processes_and_kills(void **test_state) {
  char folder[64];
  fixture_make_folder(folder);
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", folder);
  plan(nvml, "nvmlDeviceCreateGpuInstance kill call=2");
  plan(nvml, "nvmlDeviceCreateGpuInstance after:kill call=3");
  assert_int_equal(create_elsewhere(folder), 0);
  int status = create_elsewhere(folder);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  assert_int_equal(gi_count(nvml), 1);
  status = create_elsewhere(folder);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  assert_int_equal(gi_count(nvml), 2);
  assert_int_equal(create_elsewhere(folder), 0);
  fixture_stop(nvml);
  fixture_remove_folder(folder);
}

/* A hang is the caller's alone: it holds no lock. The child is known to hang when its call is counted. */
static void who_hangs_holds_up_nobody(void **test_state) {
  static const char *const plans[] = {"nvmlDeviceCreateGpuInstance hang",
                                      "nvmlDeviceCreateGpuInstance after:hang"};
  for (size_t i = 0; i < COUNT_OF(plans); i++) {
    char folder[64];
    fixture_make_folder(folder);
    SimNvml *nvml = fixture_start("A100-SXM4-80GB", folder);
    plan(nvml, plans[i]);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
      NvmlGpuInstance instance;
      _exit((int)nvmlDeviceCreateGpuInstance(fixture_gpu(0), 19, &instance));
    }
    SimFaults faults = {0};
    Error err = {0};
    while (faults.count == 0 || faults.list[0].seen == 0)
      assert_ok(sim_fault_file_load(folder, &faults, &err));
    (void)fixture_create(fixture_gpu(0), "3g.40gb");
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    fixture_stop(nvml);
    fixture_remove_folder(folder);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_fault_reads_as_it_is_written),
      cmocka_unit_test(a_fault_that_makes_no_sense_is_refused),
      cmocka_unit_test(a_plan_has_a_limit),
      cmocka_unit_test(the_nth_call_fails_whatever_its_version),
      cmocka_unit_test(a_fault_of_one_gpu_leaves_the_other_alone),
      cmocka_unit_test(a_call_may_fail_before_or_after_its_work_or_only_pretend),
      cmocka_unit_test(a_shared_plan_counts_over_processes_and_kills),
      cmocka_unit_test(who_hangs_holds_up_nobody),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
