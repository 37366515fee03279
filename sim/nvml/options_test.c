/* SPDX-License-Identifier: Apache-2.0 */
/* A machine's options: their text, and what each changes. */
#include "sim/nvml/fixture.h"
#include "sim/nvml/options.h"

static void set(SimNvml *nvml, const char *name, const char *value) {
  Error err = {0};
  assert_ok(sim_nvml_set_option(nvml, name, value, &err));
}

static void options_are_written_where_they_differ(void **test_state) {
  static const char *const sets[][2] = {
      {"uuids", "random"},         {"handles", "alias"}, {"compute-device", "mig"}, {"event-sets", "hold"},
      {"mode-reset", "automatic"}, {"latency", "0.5"},   {"linger-ms", "40"},       {"root", "/tmp/x"}};
  SimOptions options = SIM_OPTIONS_USUAL;
  Error err = {0};
  CLEANUP(text_deinit) Text usual = {0}, text = {0};
  sim_options_format(&options, &usual);
  assert_string_equal(text_string(&usual), "");
  for (size_t i = 0; i < COUNT_OF(sets); i++)
    assert_ok(sim_options_set(&options, sets[i][0], sets[i][1], &err));
  sim_options_format(&options, &text);
  assert_string_equal(text_string(&text),
                      "option uuids random\noption handles alias\noption compute-device mig\n"
                      "option event-sets hold\noption mode-reset automatic\noption latency 0.5\n"
                      "option linger-ms 40\noption root /tmp/x\n");
}

static void what_is_no_option_is_refused(void **test_state) {
  static const char *const cases[][3] = {
      {"colour", "red",
       "there is no option \"colour\": uuids, handles, compute-device, event-sets, mode-reset, latency, "
       "linger-ms and "
       "root exist"},
      {"uuids", "new", "uuids is \"new\": neither place nor random"},
      {"latency", "fast", "latency is \"fast\": not a factor from 0 to 1000"},
      {"linger-ms", "60001", "linger-ms is \"60001\": not a number up to 60000"},
      {"root", "x", "root is \"x\": not an absolute path without blanks below /, nor none"},
      {"root", "/", "root is \"/\": not an absolute path without blanks below /, nor none"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    SimOptions options = SIM_OPTIONS_USUAL;
    Error err = {0};
    assert_int_equal(sim_options_set(&options, cases[i][0], cases[i][1], &err), -ERROR_INVALID);
    assert_string_equal(err.text, cases[i][2]);
  }
}

/* The slice is made, unmade and made again; ret_uuids has the UUID of each time. */
static NvmlComputeInstance make_twice(char ret_uuids[2][NVML_UUID_SIZE]) {
  NvmlComputeInstance compute = NULL;
  for (int i = 0; i < 2; i++) {
    NvmlGpuInstance instance = fixture_create(fixture_gpu(0), "3g.40gb");
    compute = fixture_create_compute(instance, 2);
    assert_int_equal(nvmlDeviceGetUUID(fixture_mig_device(compute), ret_uuids[i], NVML_UUID_SIZE),
                     NVML_SUCCESS);
    if (i == 0) {
      assert_int_equal(nvmlComputeInstanceDestroy(compute), NVML_SUCCESS);
      assert_int_equal(nvmlGpuInstanceDestroy(instance), NVML_SUCCESS);
    }
  }
  return compute;
}

static void uuids_return_or_not(void **test_state) {
  char uuids[2][NVML_UUID_SIZE];
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", NULL);
  (void)make_twice(uuids);
  assert_string_equal(uuids[0], uuids[1]);
  fixture_stop(nvml);
  nvml = fixture_start("A100-SXM4-80GB", NULL);
  set(nvml, "uuids", "random");
  (void)make_twice(uuids);
  assert_string_not_equal(uuids[0], uuids[1]);
  fixture_stop(nvml);
}

static void a_stale_handle_fails_or_means_what_came_there(void **test_state) {
  static const struct {
    const char *value;
    NvmlReturn answer;
  } cases[] = {{"strict", NVML_INVALID_ARGUMENT}, {"alias", NVML_SUCCESS}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    SimNvml *nvml = fixture_start("A100-SXM4-80GB", NULL);
    set(nvml, "handles", cases[i].value);
    NvmlGpuInstance stale = fixture_create(fixture_gpu(0), "1g.10gb");
    NvmlGpuInstanceInfo info;
    assert_int_equal(nvmlGpuInstanceDestroy(stale), NVML_SUCCESS);
    assert_int_equal(nvmlGpuInstanceGetInfo(stale, &info), NVML_INVALID_ARGUMENT);
    (void)fixture_create(fixture_gpu(0), "1g.10gb");
    assert_int_equal(nvmlGpuInstanceGetInfo(stale, &info), cases[i].answer);
    fixture_stop(nvml);
  }
}

static void a_compute_instance_names_its_gpu_or_its_mig_device(void **test_state) {
  for (unsigned mig = 0; mig < 2; mig++) {
    SimNvml *nvml = fixture_start("A100-SXM4-80GB", NULL);
    set(nvml, "compute-device", mig ? "mig" : "gpu");
    NvmlComputeInstance compute = fixture_create_compute(fixture_create(fixture_gpu(0), "1g.10gb"), 0);
    NvmlComputeInstanceInfo info;
    unsigned is_mig;
    assert_int_equal(nvmlComputeInstanceGetInfo_v2(compute, &info), NVML_SUCCESS);
    assert_int_equal(nvmlDeviceIsMigDeviceHandle(info.device, &is_mig), NVML_SUCCESS);
    assert_int_equal(is_mig, mig);
    fixture_stop(nvml);
  }
}

static void an_idle_ampere_may_reset_itself(void **test_state) {
  SimNvml *nvml = fixture_start("A100-SXM4-80GB:mig=off", NULL);
  NvmlReturn status;
  unsigned current, pending;
  Error err = {0};
  set(nvml, "mode-reset", "automatic");
  assert_ok(sim_nvml_attach(nvml, &(SimClient){.pid = 5, .gi_id = -1, .ci_id = -1, .name = "dcgm"}, &err));
  assert_int_equal(nvmlDeviceSetMigMode(fixture_gpu(0), NVML_MIG_ENABLE, &status), NVML_SUCCESS);
  assert_int_equal(status, NVML_IN_USE);
  assert_ok(sim_nvml_detach(nvml, 5, &err));
  assert_int_equal(nvmlDeviceSetMigMode(fixture_gpu(0), NVML_MIG_ENABLE, &status), NVML_SUCCESS);
  assert_int_equal(status, NVML_SUCCESS);
  assert_int_equal(nvmlDeviceGetMigMode(fixture_gpu(0), &current, &pending), NVML_SUCCESS);
  assert_int_equal(current, NVML_MIG_ENABLE);
  fixture_stop(nvml);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(options_are_written_where_they_differ),
      cmocka_unit_test(what_is_no_option_is_refused),
      cmocka_unit_test(uuids_return_or_not),
      cmocka_unit_test(a_stale_handle_fails_or_means_what_came_there),
      cmocka_unit_test(a_compute_instance_names_its_gpu_or_its_mig_device),
      cmocka_unit_test(an_idle_ampere_may_reset_itself),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
