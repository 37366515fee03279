/* SPDX-License-Identifier: Apache-2.0 */
/* Driver versions: what they are called, which GPUs they know, and what older ones cannot. */
#include "sim/nvml/driver.h"
#include "sim/nvml/fixture.h"

static void a_branch_stands_for_its_release(void **test_state) {
  static const struct {
    const char *text, *driver;
    int library;
  } cases[] = {
      {"450", "450.80.02", 450},       {"470", "470.256.02", 470},      {"535", "535.261.03", 535},
      {"550.54.15", "550.54.15", 550}, {"575.51.03", "575.51.03", 550}, {"460.32.03", "460.32.03", 450},
      {"999.1", "999.1", 610},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char driver[SIM_DRIVER_SIZE];
    Error err = {0};
    assert_ok(sim_driver_parse(cases[i].text, driver, &err));
    assert_string_equal(driver, cases[i].driver);
    assert_int_equal(sim_driver_library_branch(driver), cases[i].library);
  }
}

static void what_is_no_driver_is_refused(void **test_state) {
  static const struct {
    const char *text, *complaint;
  } cases[] = {
      {"", "simulated machine: \"\" is no driver version"},
      {"new", "simulated machine: \"new\" is no driver version"},
      {"440.118.02", "simulated machine: driver 440.118.02 knows no MIG; the first one was 450"},
      {"560", "simulated machine: write driver 560 in full, such as 560.10.01"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char driver[SIM_DRIVER_SIZE];
    Error err = {0};
    assert_true(sim_driver_parse(cases[i].text, driver, &err) < 0);
    assert_string_equal(err.text, cases[i].complaint);
  }
}

static int make(const char *machine, const char *driver, char ret_driver[SIM_DRIVER_SIZE], Error *err) {
  CLEANUP(sim_nvml_freep) SimNvml *nvml = NULL;
  SimNvmlOptions options = {.machine = machine, .driver_version = driver, .seed = 1};
  SimState state;
  int result = sim_nvml_new(&options, &nvml, err);
  if (result == 0)
    result = sim_nvml_load(nvml, &state, err);
  if (result == 0)
    snprintf(ret_driver, SIM_DRIVER_SIZE, "%s", state.driver);
  return result;
}

static void a_machine_has_a_driver_that_knows_its_gpus(void **test_state) {
  char driver[SIM_DRIVER_SIZE];
  Error err = {0};
  assert_ok(make("A100-SXM4-80GB,H200", NULL, driver, &err));
  assert_string_equal(driver, "550.163.01");
  assert_ok(make("A100-SXM4-80GB,B200,GB300", NULL, driver, &err));
  assert_string_equal(driver, "595.58.03");
  assert_int_equal(make("A100-SXM4-80GB,H200", "535", driver, &err), -ERROR_UNSUPPORTED);
  assert_string_equal(err.text, "simulated machine: NVIDIA H200 needs driver 550.90.07 or newer, and the "
                                "machine's is 535.261.03");
}

/* The machine in use with this driver; the caller stops it. */
static SimNvml *start(const char *machine, const char *driver) {
  SimNvml *nvml = NULL;
  Error err = {0};
  SimNvmlOptions options = {.machine = machine, .driver_version = driver, .seed = 1};
  assert_ok(sim_nvml_new(&options, &nvml, &err));
  sim_nvml_use(nvml);
  assert_int_equal(nvmlInit_v2(), NVML_SUCCESS);
  return nvml;
}

static void an_older_driver_knows_fewer_profiles(void **test_state) {
  static const struct {
    const char *driver;
    unsigned index_count;
    NvmlReturn double_memory; /* 1g.20gb, whose index is 9 and id 15 */
  } cases[] = {{"450", 6, NVML_INVALID_ARGUMENT}, {"470", 8, NVML_INVALID_ARGUMENT},
               {"525", 10, NVML_SUCCESS},         {"550", 10, NVML_SUCCESS},
               {"580", 17, NVML_SUCCESS},         {"610", 18, NVML_SUCCESS}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    SimNvml *nvml = start("A100-SXM4-80GB", cases[i].driver);
    NvmlDevice gpu = fixture_gpu(0);
    NvmlGpuInstanceProfileInfo info;
    NvmlGpuInstance instance;
    for (unsigned index = 0; index < 20; index++)
      assert_int_equal(nvmlDeviceGetGpuInstanceProfileInfo(gpu, index, &info) == NVML_INVALID_ARGUMENT,
                       index >= cases[i].index_count);
    assert_int_equal(nvmlDeviceCreateGpuInstance(gpu, 15, &instance), cases[i].double_memory);
    fixture_stop(nvml);
  }
}

static void the_third_struct_came_with_545(void **test_state) {
  static const struct {
    const char *driver;
    NvmlReturn answer;
  } cases[] = {{"535", NVML_ARGUMENT_VERSION_MISMATCH}, {"545.23.06", NVML_SUCCESS}, {"550", NVML_SUCCESS}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    SimNvml *nvml = start("A100-SXM4-80GB", cases[i].driver);
    NvmlGpuInstanceProfileInfoV3 info = {.version = NVML_STRUCT_VERSION(NvmlGpuInstanceProfileInfoV3, 3)};
    NvmlComputeInstanceProfileInfoV3 compute = {.version =
                                                    NVML_STRUCT_VERSION(NvmlComputeInstanceProfileInfoV3, 3)};
    assert_int_equal(nvmlDeviceGetGpuInstanceProfileInfoV(fixture_gpu(0), 0, &info), cases[i].answer);
    NvmlGpuInstance instance;
    assert_int_equal(nvmlDeviceCreateGpuInstance(fixture_gpu(0), 19, &instance), NVML_SUCCESS);
    assert_int_equal(nvmlGpuInstanceGetComputeInstanceProfileInfoV(instance, 0, 0, &compute),
                     cases[i].answer);
    fixture_stop(nvml);
  }
}

static void with_mig_mode_off_newer_drivers_have_room_for_nothing(void **test_state) {
  static const struct {
    const char *machine, *driver;
    NvmlReturn answer;
  } cases[] = {{"H100-80GB-HBM3:mig=off", "535", NVML_NOT_SUPPORTED},
               {"H100-80GB-HBM3:mig=off", "550", NVML_SUCCESS},
               {"A100-SXM4-80GB:mig=off", "550", NVML_NOT_SUPPORTED}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    SimNvml *nvml = start(cases[i].machine, cases[i].driver);
    unsigned count = 0;
    assert_int_equal(nvmlDeviceGetGpuInstanceRemainingCapacity(fixture_gpu(0), 19, &count), cases[i].answer);
    assert_int_equal(count, 0);
    fixture_stop(nvml);
  }
}

/* Whatever is exported can be called. */
static void what_is_not_simulated_answers_not_supported(void **test_state) {
  __typeof__(nvmlShutdown) *refused = (__typeof__(refused))sim_nvml_symbol("nvmlDeviceSetFanSpeed_v2");
  assert_non_null(refused);
  assert_int_equal(refused(), NVML_UNINITIALIZED);
  SimNvml *nvml = start("A30", NULL);
  assert_int_equal(refused(), NVML_NOT_SUPPORTED);
  Error err = {0};
  assert_ok(sim_nvml_add_fault(nvml, "nvmlDeviceSetFanSpeed TIMEOUT", &err));
  assert_int_equal(refused(), NVML_TIMEOUT);
  fixture_stop(nvml);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_branch_stands_for_its_release),
      cmocka_unit_test(what_is_no_driver_is_refused),
      cmocka_unit_test(a_machine_has_a_driver_that_knows_its_gpus),
      cmocka_unit_test(an_older_driver_knows_fewer_profiles),
      cmocka_unit_test(the_third_struct_came_with_545),
      cmocka_unit_test(with_mig_mode_off_newer_drivers_have_room_for_nothing),
      cmocka_unit_test(what_is_not_simulated_answers_not_supported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
