/* SPDX-License-Identifier: Apache-2.0 */
/* The library as programs load it: by dlopen, knowing nothing of what is inside. argv[1] is its path. */
#include "base/memory.h"
#include "sim/nvml/fixture.h"

#include <dlfcn.h>
#include <elf.h>
#include <sys/wait.h>

static const char *library_path;

/* The whole file; the caller frees. */
static unsigned char *read_library(void) {
  CLEANUP(cleanup_fclose) FILE *file = fopen(library_path, "rb");
  struct stat info;
  assert_non_null(file);
  assert_int_equal(fstat(fileno(file), &info), 0);
  CLEANUP(cleanup_free) unsigned char *bytes = mem_alloc((size_t)info.st_size);
  assert_int_equal(fread(bytes, 1, (size_t)info.st_size, file), info.st_size);
  return TAKE(bytes);
}

/* Calls nothing of the library: reads the table that the dynamic linker reads. */
static void it_exports_nvml_and_nothing_else(void **test_state) {
  CLEANUP(cleanup_free) unsigned char *bytes = read_library();
  const Elf64_Ehdr *header = (const Elf64_Ehdr *)bytes;
  const Elf64_Shdr *sections = (const Elf64_Shdr *)(bytes + header->e_shoff);
  int exported = 0, known = 0;
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
      if (!sim_nvml_symbol(names + symbols[k].st_name))
        fail_msg("%s is exported and unknown", names + symbols[k].st_name);
    }
  }
  while (sim_nvml_symbol_name(known))
    known++;
  assert_int_equal(exported, known);
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
static NvmlReturn init_with(const char *folder, const char *machine, const char *latency,
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
    void *library = dlopen(library_path, RTLD_NOW | RTLD_LOCAL);
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
  if (argc != 2)
    return 2;
  library_path = argv[1];
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_exports_nvml_and_nothing_else),
      cmocka_unit_test(every_name_is_found_by_dlsym),
      cmocka_unit_test(a_machine_that_cannot_be_is_a_driver_that_is_not_there),
      cmocka_unit_test(a_broken_state_file_is_named),
      cmocka_unit_test(a_folder_that_cannot_be_made_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
