/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "gpu/fake_nvml.h"

#include <sys/stat.h>

static void nvml_is_started_and_shut_down_once(void **state) {
  fake_reset("A100-40GB", 1);
  GpuNvml *nvml = fake_open();
  assert_int_equal(fake.starts, 1);
  gpu_nvml_close(nvml);
  assert_int_equal(fake.starts, 0);
}

static void a_failing_start_is_a_sentence_with_advice(void **state) {
  static const struct {
    NvmlReturn code;
    ErrorCode error;
    const char *text;
  } cases[] = {
      {NVML_DRIVER_NOT_LOADED, ERROR_UNAVAILABLE,
       "starting NVML: Driver Not Loaded (NVML code 9); load NVIDIA's kernel driver, or wait until the GPU "
       "Operator's driver pod is ready"},
      {NVML_NO_PERMISSION, ERROR_DENIED,
       "starting NVML: Insufficient Permissions (NVML code 4); run the agent as root and privileged, with "
       "NVIDIA_MIG_CONFIG_DEVICES=all"},
      {NVML_LIB_RM_VERSION_MISMATCH, ERROR_UNAVAILABLE,
       "starting NVML: Driver/library version mismatch (NVML code 18); the driver was updated while loaded: "
       "reboot the node"},
      {(NvmlReturn)77, ERROR_GPU, "starting NVML: an error that facet does not know (NVML code 77)"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    Error err = {0};
    GpuNvml *nvml = NULL;
    fake_reset("A100-40GB", 1);
    fake_fail("nvmlInit_v2", cases[i].code, 0, 1);
    assert_fails(gpu_nvml_open_with(fake_resolve, NULL, &nvml, &err), cases[i].text);
    assert_int_equal(err.code, cases[i].error);
    assert_null(nvml);
  }
}

static void nvml_is_shut_down_where_its_version_cannot_be_read(void **state) {
  Error err = {0};
  GpuNvml *nvml = NULL;
  fake_reset("A100-40GB", 1);
  fake_fail("nvmlSystemGetDriverVersion", NVML_UNKNOWN, 0, 1);
  assert_fails(
      gpu_nvml_open_with(fake_resolve, NULL, &nvml, &err),
      "asking NVML for the driver's version: Unknown Error (NVML code 999); look at the kernel's log "
      "on this node");
  assert_int_equal(fake.starts, 0);
}

static void a_driver_before_r470_is_refused_with_its_version(void **state) {
  Error err = {0};
  GpuNvml *nvml = NULL;
  fake_reset("A100-40GB", 1);
  fake.driver_version = "450.51.06";
  fake.missing[0] = "nvmlDeviceCreateGpuInstanceWithPlacement";
  fake.missing[1] = "nvmlDeviceGetGpuInstancePossiblePlacements_v2";
  fake.missing[2] = "nvmlDeviceGetGpuInstanceProfileInfoV";
  assert_fails(gpu_nvml_open_with(fake_resolve, NULL, &nvml, &err),
               "driver 450.51.06 is older than R470, which facet needs; update NVIDIA's driver "
               "(nvmlDeviceGetGpuInstancePossiblePlacements_v2 is missing, it came with 470.42.01)");
  assert_int_equal(err.code, ERROR_UNSUPPORTED);
  assert_int_equal(fake.starts, 0);
}

static void an_old_library_without_a_driver_is_refused_without_a_version(void **state) {
  Error err = {0};
  GpuNvml *nvml = NULL;
  fake_reset("A100-40GB", 1);
  fake.missing[0] = "nvmlDeviceGetGpuInstancePossiblePlacements_v2";
  fake_fail("nvmlInit_v2", NVML_DRIVER_NOT_LOADED, 0, 1);
  assert_fails(gpu_nvml_open_with(fake_resolve, NULL, &nvml, &err),
               "NVIDIA's library is older than R470, which facet needs; update NVIDIA's driver "
               "(nvmlDeviceGetGpuInstancePossiblePlacements_v2 is missing, it came with 470.42.01)");
}

static void a_new_library_that_lacks_an_old_function_is_suspicious(void **state) {
  Error err = {0};
  GpuNvml *nvml = NULL;
  fake_reset("A100-40GB", 1);
  fake.missing[0] = "nvmlDeviceGetName";
  assert_fails(gpu_nvml_open_with(fake_resolve, NULL, &nvml, &err),
               "driver 550.163.01 lacks nvmlDeviceGetName, which NVIDIA's library has since 450.51; is its "
               "installation complete?");
}

static void every_function_may_be_missing_without_harm(void **state) {
  static const struct {
    const char *name;
    bool required;
  } functions[] = {
#define ROW(member, symbol, since, required) {#symbol, required},
      GPU_NVML_FUNCTIONS(ROW)
#undef ROW
  };
  for (size_t i = 0; i < COUNT_OF(functions); i++) {
    Error err = {0};
    CLEANUP(gpu_nvml_closep) GpuNvml *nvml = NULL;
    fake_reset("A100-40GB", 1);
    fake.missing[0] = functions[i].name;
    assert_int_equal(gpu_nvml_open_with(fake_resolve, NULL, &nvml, &err),
                     functions[i].required ? -ERROR_UNSUPPORTED : 0);
    assert_true(!functions[i].required || strstr(err.text, functions[i].name));
  }
}

static void a_library_that_is_not_there_is_named_with_the_loaders_words(void **state) {
  Error err = {0};
  GpuNvml *nvml = NULL;
  assert_fails(gpu_nvml_open("/nonexistent/libnvidia-ml.so.1", &nvml, &err),
               "loading NVIDIA's library: /nonexistent/libnvidia-ml.so.1: cannot open shared object file: No "
               "such file or directory");
  assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void the_search_says_where_it_looked(void **state) {
  static const char *const folders[] = {"/nonexistent/lib", "/nonexistent/lib64"};
  Error err = {0};
  void *library = NULL;
  assert_fails(gpu_nvml_dlopen("libfacet-none.so.1", folders, 2, &library, &err),
               "NVIDIA's libfacet-none.so.1 is neither known to the loader nor in /nonexistent/lib, "
               "/nonexistent/lib64; is the driver installed, and mounted into this container?");
}

static void *resolve_nothing(void *userdata, const char *name) {
  return NULL;
}

static void another_library_is_told_from_an_old_one(void **state) {
  Error err = {0};
  GpuNvml *nvml = NULL;
  assert_fails(gpu_nvml_open_with(resolve_nothing, NULL, &nvml, &err),
               "this is not NVIDIA's management library: it has no nvmlInit_v2");
}

static void a_file_that_is_no_library_ends_the_search(void **state) {
  char folder[] = "/tmp/facet-nvml-XXXXXX", path[64], expected[160];
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/libfacet-none.so.1", folder);
  snprintf(expected, sizeof expected, "loading NVIDIA's library: %s: file too short", path);
  fclose(fopen(path, "w"));
  const char *const folders[] = {"/nonexistent/lib", folder};
  Error err = {0};
  void *library = NULL;
  int r = gpu_nvml_dlopen("libfacet-none.so.1", folders, 2, &library, &err);
  unlink(path);
  rmdir(folder);
  assert_fails(r, expected);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nvml_is_started_and_shut_down_once),
      cmocka_unit_test(a_failing_start_is_a_sentence_with_advice),
      cmocka_unit_test(nvml_is_shut_down_where_its_version_cannot_be_read),
      cmocka_unit_test(a_driver_before_r470_is_refused_with_its_version),
      cmocka_unit_test(an_old_library_without_a_driver_is_refused_without_a_version),
      cmocka_unit_test(a_new_library_that_lacks_an_old_function_is_suspicious),
      cmocka_unit_test(every_function_may_be_missing_without_harm),
      cmocka_unit_test(a_library_that_is_not_there_is_named_with_the_loaders_words),
      cmocka_unit_test(the_search_says_where_it_looked),
      cmocka_unit_test(another_library_is_told_from_an_old_one),
      cmocka_unit_test(a_file_that_is_no_library_ends_the_search),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
