/* SPDX-License-Identifier: Apache-2.0 */
/* The capabilities tree follows the instances. */
#include "sim/nvml/capability.h"
#include "sim/nvml/fixture.h"

#include <ftw.h>
#include <limits.h>

/* The file's text; "" where there is none. */
static void read_below(const char *root, const char *name, char ret_text[256]) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s", root, name);
  CLEANUP(cleanup_fclose) FILE *file = fopen(path, "r");
  size_t size = file ? fread(ret_text, 1, 255, file) : 0;
  ret_text[size] = '\0';
}

static bool exists_below(const char *root, const char *name) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s", root, name);
  return access(path, F_OK) == 0;
}

/* open-gpu-kernel-modules and published logs: gpu0/gi2 is 21, its ci0 22; gpu31/gi14/ci7 is 4322. */
static void minors_are_those_of_the_driver(void **test_state) {
  assert_int_equal(sim_capability_minor(0, 0, -1), 3);
  assert_int_equal(sim_capability_minor(0, 0, 0), 4);
  assert_int_equal(sim_capability_minor(0, 2, -1), 21);
  assert_int_equal(sim_capability_minor(0, 2, 0), 22);
  assert_int_equal(sim_capability_minor(31, 14, 7), 4322);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *place) {
  return remove(path);
}

static void the_tree_follows_the_instances(void **test_state) {
  char folder[64], root[80], text[256];
  fixture_make_folder(folder);
  snprintf(root, sizeof root, "%s/root", folder);
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", folder);
  Error err = {0};
  assert_ok(sim_nvml_set_option(nvml, "root", root, &err));
  read_below(root, "proc/driver/nvidia/capabilities/mig/config", text);
  assert_string_equal(text, "DeviceFileMinor: 1\nDeviceFileMode: 256\nDeviceFileModify: 1\n");
  read_below(root, "proc/driver/nvidia-caps/mig-minors", text);
  assert_memory_equal(text, "config 1\nmonitor 2\ngpu0/gi0/access 3\ngpu0/gi0/ci0/access 4\n", 57);
  NvmlGpuInstance instance = fixture_create(fixture_gpu(0), "3g.40gb");
  NvmlComputeInstance compute = fixture_create_compute(instance, 2);
  read_below(root, "proc/driver/nvidia/capabilities/gpu0/mig/gi2/access", text);
  assert_string_equal(text, "DeviceFileMinor: 21\nDeviceFileMode: 292\nDeviceFileModify: 1\n");
  read_below(root, "proc/driver/nvidia/capabilities/gpu0/mig/gi2/ci0/access", text);
  assert_string_equal(text, "DeviceFileMinor: 22\nDeviceFileMode: 292\nDeviceFileModify: 1\n");
  assert_true(exists_below(root, "dev/nvidia-caps/nvidia-cap22"));
  assert_int_equal(nvmlComputeInstanceDestroy(compute), NVML_SUCCESS);
  assert_false(exists_below(root, "dev/nvidia-caps/nvidia-cap22"));
  assert_true(exists_below(root, "dev/nvidia-caps/nvidia-cap21"));
  assert_int_equal(nvmlGpuInstanceDestroy(instance), NVML_SUCCESS);
  assert_false(exists_below(root, "proc/driver/nvidia/capabilities/gpu0/mig/gi2"));
  fixture_stop(nvml);
  assert_int_equal(nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void a_tree_that_cannot_be_written_stops_the_change(void **test_state) {
  char folder[64];
  fixture_make_folder(folder);
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", folder);
  Error err = {0};
  assert_int_equal(sim_nvml_set_option(nvml, "root", "/proc/nowhere", &err), -ERROR_IO);
  assert_string_equal(err.text,
                      "simulated GPUs: cannot make the folder /proc/nowhere: No such file or directory");
  SimState state;
  assert_ok(sim_nvml_load(nvml, &state, &err));
  assert_string_equal(state.options.root, "");
  fixture_stop(nvml);
  fixture_remove_folder(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(minors_are_those_of_the_driver),
      cmocka_unit_test(the_tree_follows_the_instances),
      cmocka_unit_test(a_tree_that_cannot_be_written_stops_the_change),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
