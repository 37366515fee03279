/* SPDX-License-Identifier: Apache-2.0 */
/* The library as programs load it: by dlopen, knowing nothing of what is inside. argv[1] is its path, argv[2]
 * the folder with those of the single drivers. */
#include "base/memory.h"
#include "sim/nvml/fixture.h"
#include "sim/nvml/functions.h"

#include <dlfcn.h>
#include <elf.h>
#include <limits.h>
#include <sys/wait.h>

static const char *library_path, *drivers_folder;

/* The whole file; the caller frees. */
static unsigned char *read_library(const char *path) {
  CLEANUP(cleanup_fclose) FILE *file = fopen(path, "rb");
  struct stat info;
  assert_non_null(file);
  assert_int_equal(fstat(fileno(file), &info), 0);
  CLEANUP(cleanup_free) unsigned char *bytes = mem_alloc((size_t)info.st_size);
  assert_int_equal(fread(bytes, 1, (size_t)info.st_size, file), info.st_size);
  return TAKE(bytes);
}

static bool is_exported_by(const char *name, int driver) {
  for (int i = 0; i < sim_function_count; i++) {
    const SimFunction *function = &sim_functions[i];
    if (strcmp(function->name, name) == 0)
      return driver == 0 ||
             (function->since <= driver && (function->until == 0 || driver <= function->until));
  }
  return false;
}

/* Calls nothing of the library: reads the table that the dynamic linker reads. Returns how many names it has,
 * all of which belong to that driver. */
static int count_exports(const char *path, int driver) {
  CLEANUP(cleanup_free) unsigned char *bytes = read_library(path);
  const Elf64_Ehdr *header = (const Elf64_Ehdr *)bytes;
  const Elf64_Shdr *sections = (const Elf64_Shdr *)(bytes + header->e_shoff);
  int exported = 0;
  for (int i = 0; i < header->e_shnum; i++) {
    if (sections[i].sh_type != SHT_DYNSYM)
      continue;
    const Elf64_Sym *symbols = (const Elf64_Sym *)(bytes + sections[i].sh_offset);
    const char *names = (const char *)bytes + sections[sections[i].sh_link].sh_offset;
    for (size_t k = 0; k < sections[i].sh_size / sizeof *symbols; k++) {
      /* A sanitizer adds names of its own, all beginning with an underscore. */
      if (symbols[k].st_shndx == SHN_UNDEF || names[symbols[k].st_name] == '_')
        continue;
      exported++;
      if (!is_exported_by(names + symbols[k].st_name, driver))
        fail_msg("%s is exported by %s", names + symbols[k].st_name, path);
    }
  }
  return exported;
}

static void it_exports_nvml_and_nothing_else(void **test_state) {
  assert_int_equal(count_exports(library_path, 0), sim_function_count);
}

static void path_of_driver(int driver, char ret_path[PATH_MAX]) {
  snprintf(ret_path, PATH_MAX, "%s/%d/libnvidia-ml.so.1", drivers_folder, driver);
}

/* The counts of NVIDIA's own libraries, where they are known. */
static void a_drivers_library_exports_what_that_driver_has(void **test_state) {
  static const struct {
    int driver, count;
  } known[] = {{450, 241}, {470, 255}, {525, 308}, {535, 332}, {550, 350}, {580, 398}, {610, 416}};
  assert_int_equal(sim_release_count, COUNT_OF(known));
  for (size_t i = 0; i < COUNT_OF(known); i++) {
    char path[PATH_MAX];
    path_of_driver(known[i].driver, path);
    assert_int_equal(count_exports(path, known[i].driver), known[i].count);
  }
}

static void newer_functions_are_absent(void **test_state) {
  static const struct {
    const char *name;
    int first;
  } cases[] = {
      {"nvmlDeviceGetMigMode", 450},
      {"nvmlDeviceCreateGpuInstanceWithPlacement", 470},
      {"nvmlDeviceGetGpuInstancePossiblePlacements_v2", 470},
      {"nvmlComputeInstanceGetInfo_v2", 470},
      {"nvmlDeviceGetGpuInstanceProfileInfoV", 525},
      {"nvmlDeviceGetMemoryInfo_v2", 525},
      {"nvmlGpuInstanceGetComputeInstancePossiblePlacements", 525},
      {"nvmlGpmQueryIfStreamingEnabled", 535},
      {"nvmlDeviceGetGpuFabricInfoV", 550},
      {"nvmlDeviceGetHandleByUUIDV", 580},
      {"nvmlDeviceGetGpuInstanceProfileInfoByIdV", 580},
      {"nvmlDeviceGetHostname_v1", 610},
  };
  for (int i = 0; i < sim_release_count; i++) {
    char path[PATH_MAX];
    path_of_driver(sim_releases[i].branch, path);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    for (size_t k = 0; k < COUNT_OF(cases); k++)
      if ((dlsym(library, cases[k].name) != NULL) != (sim_releases[i].branch >= cases[k].first))
        fail_msg("driver %d, %s", sim_releases[i].branch, cases[k].name);
    dlclose(library);
  }
}

static void every_name_is_found_by_dlsym(void **test_state) {
  void *library = dlopen(library_path, RTLD_NOW | RTLD_LOCAL);
  assert_non_null(library);
  for (int i = 0; sim_nvml_symbol_name(i); i++) {
    assert_non_null(dlsym(library, sim_nvml_symbol_name(i)));
    /* The one inside this test is another one: both can live in one process. */
    assert_ptr_not_equal(dlsym(library, sim_nvml_symbol_name(i)), sim_nvml_symbol(sim_nvml_symbol_name(i)));
  }
  dlclose(library);
}

/* nvmlInit_v2 with this environment in a process of its own; what it says on stderr goes to ret_line. */
static NvmlReturn init_library(const char *path, const char *folder, const char *machine, const char *latency,
                               char ret_line[512]) {
  int pipe_fds[2];
  assert_int_equal(pipe(pipe_fds), 0);
  fflush(NULL);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    dup2(pipe_fds[1], STDERR_FILENO);
    setenv("FACET_SIM_NVML_STATE", folder, 1);
    setenv("FACET_SIM_NVML_MACHINE", machine, 1);
    setenv("FACET_SIM_NVML_LATENCY", latency, 1);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    __typeof__(nvmlInit_v2) *init = library ? (__typeof__(init))dlsym(library, "nvmlInit_v2") : NULL;
    NvmlReturn result = init ? init() : NVML_FUNCTION_NOT_FOUND;
    _exit(result == NVML_UNKNOWN ? 99 : (int)result);
  }
  close(pipe_fds[1]);
  ssize_t size, total = 0;
  while ((size = read(pipe_fds[0], ret_line + total, (size_t)(511 - total))) > 0)
    total += size;
  ret_line[total] = '\0';
  close(pipe_fds[0]);
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status) == 99 ? NVML_UNKNOWN : (NvmlReturn)WEXITSTATUS(status);
}

static NvmlReturn init_with(const char *folder, const char *machine, const char *latency,
                            char ret_line[512]) {
  return init_library(library_path, folder, machine, latency, ret_line);
}

static void a_machine_that_cannot_be_is_a_driver_that_is_not_there(void **test_state) {
  char folder[64], line[512], expected[512];
  fixture_make_folder(folder);
  assert_int_equal(init_with(folder, "", "", line), NVML_DRIVER_NOT_LOADED);
  snprintf(expected, sizeof expected,
           "facet-sim-nvml: no simulated machine in %s: set FACET_SIM_NVML_MACHINE or run facet-sim-nvml "
           "init\n",
           folder);
  assert_string_equal(line, expected);
  assert_int_equal(init_with(folder, "T4", "", line), NVML_DRIVER_NOT_LOADED);
  assert_string_equal(line, "facet-sim-nvml: simulated machine: no model \"T4\" is known\n");
  assert_int_equal(init_with(folder, "A30", "fast", line), NVML_DRIVER_NOT_LOADED);
  assert_string_equal(line,
                      "facet-sim-nvml: FACET_SIM_NVML_LATENCY is \"fast\": not a factor from 0 to 1000\n");
  assert_int_equal(init_with(folder, "A30", "0.5", line), NVML_SUCCESS);
  assert_string_equal(line, "");
  /* The machine is described once; from then on the folder knows it. */
  assert_int_equal(init_with(folder, "", "", line), NVML_SUCCESS);
  fixture_remove_folder(folder);
}

static void a_library_belongs_to_its_driver(void **test_state) {
  char folder[64], line[512], path[PATH_MAX];
  fixture_make_folder(folder);
  path_of_driver(470, path);
  assert_int_equal(init_library(path, folder, "A100-SXM4-80GB", "", line), NVML_SUCCESS);
  assert_string_equal(line, "");
  assert_int_equal(init_with(folder, "", "", line), NVML_SUCCESS); /* the one in between serves all */
  path_of_driver(550, path);
  assert_int_equal(init_library(path, folder, "", "", line), NVML_LIB_RM_VERSION_MISMATCH);
  assert_string_equal(line,
                      "facet-sim-nvml: this is the library of driver 550, and the machine's driver is "
                      "470.256.02: load the one in the folder 470 beside it (facet-sim-nvml library)\n");
  fixture_remove_folder(folder);
}

static void a_broken_state_file_is_named(void **test_state) {
  char folder[64], line[512], path[128], expected[512];
  fixture_make_folder(folder);
  snprintf(path, sizeof path, "%s/state", folder);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs("rubbish\n", file);
  fclose(file);
  assert_int_equal(init_with(folder, "A30", "", line), NVML_UNKNOWN);
  snprintf(expected, sizeof expected,
           "facet-sim-nvml: simulated GPUs: %s: line 1, \"rubbish\", makes no sense there\n", path);
  assert_string_equal(line, expected);
  fixture_remove_folder(folder);
}

static void a_folder_that_cannot_be_made_is_named(void **test_state) {
  char line[512];
  assert_int_equal(init_with("/nonexistent/sim", "A30", "", line), NVML_UNKNOWN);
  assert_string_equal(line,
                      "facet-sim-nvml: simulated GPUs: cannot make the folder /nonexistent/sim: No such file "
                      "or directory\n");
}

int main(int argc, char **argv) {
  if (argc != 3)
    return 2;
  library_path = argv[1];
  drivers_folder = argv[2];
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_exports_nvml_and_nothing_else),
      cmocka_unit_test(a_drivers_library_exports_what_that_driver_has),
      cmocka_unit_test(newer_functions_are_absent),
      cmocka_unit_test(a_library_belongs_to_its_driver),
      cmocka_unit_test(every_name_is_found_by_dlsym),
      cmocka_unit_test(a_machine_that_cannot_be_is_a_driver_that_is_not_there),
      cmocka_unit_test(a_broken_state_file_is_named),
      cmocka_unit_test(a_folder_that_cannot_be_made_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
