/* SPDX-License-Identifier: Apache-2.0 */
/* Over a /proc of our own, with processes as files: cmdline, and root with the device plugin folder. */
#include "agent/plugin_process.h"

#include "base/memory.h"
#include "base/test.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INNER "/var/lib/kubelet/device-plugins"

typedef struct Machine {
  char folder[64];
  char *ours; /* the kubelet's folder */
  char *proc;
  AgentProcPlugin plugin;
} Machine;

static pid_t signalled; /* 0: nobody was */
static int kill_errno;  /* 0: it succeeds */

static int fake_kill(pid_t pid, int number) {
  assert_int_equal(number, SIGHUP);
  signalled = pid;
  errno = kill_errno;
  return kill_errno ? -1 : 0;
}

static void make_folders(const char *path) {
  CLEANUP(cleanup_free) char *copy = mem_strdup(path);
  for (char *slash = copy; (slash = strchr(slash + 1, '/'));) {
    *slash = '\0';
    (void)mkdir(copy, 0755);
    *slash = '/';
  }
  (void)mkdir(copy, 0755);
}

static void write_command(const Machine *machine, int pid, const char *program) {
  CLEANUP(cleanup_free) char *path = mem_format("%s/%d/cmdline", machine->proc, pid);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fprintf(file, "%s%c--fail-on-init-error%c", program, '\0', '\0');
  fclose(file);
}

/* kubelet NULL: the process has no device plugin folder. */
static void add_process(const Machine *machine, int pid, const char *program, const char *kubelet) {
  CLEANUP(cleanup_free) char *parent = mem_format("%s/%d/root/var/lib/kubelet", machine->proc, pid);
  CLEANUP(cleanup_free) char *folder = mem_format("%s/%d/root" INNER, machine->proc, pid);
  make_folders(parent);
  write_command(machine, pid, program);
  if (kubelet)
    assert_int_equal(symlink(kubelet, folder), 0);
}

static int machine_init(void **state) {
  Machine *machine = mem_alloc(sizeof *machine);
  snprintf(machine->folder, sizeof machine->folder, "/tmp/facet-process-XXXXXX");
  assert_non_null(mkdtemp(machine->folder));
  machine->ours = mem_format("%s/ours", machine->folder);
  machine->proc = mem_format("%s/proc", machine->folder);
  make_folders(machine->ours);
  make_folders(machine->proc);
  agent_proc_plugin_init(&machine->plugin, machine->ours);
  machine->plugin.proc = machine->proc;
  machine->plugin.kill = fake_kill;
  signalled = 0;
  kill_errno = 0;
  *state = machine;
  return 0;
}

static int remove_one(const char *path, const struct stat *about, int type, struct FTW *where) {
  return remove(path);
}

static int machine_deinit(void **state) {
  Machine *machine = *state;
  nftw(machine->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
  free(machine->ours);
  free(machine->proc);
  free(machine);
  return 0;
}

static int hang_up(Machine *machine, Error *err) {
  int pid = 0;
  int r = machine->plugin.seam.hang_up(&machine->plugin.seam, &pid, err);
  assert_int_equal(pid, r == 0 ? signalled : 0);
  return r;
}

static void assert_unseen(Machine *machine) {
  Error err = {0};
  assert_int_equal(hang_up(machine, &err), AGENT_PLUGIN_UNSEEN);
  assert_int_equal(signalled, 0);
}

static void the_plugin_of_our_kubelet_is_signalled(void **state) {
  Machine *machine = *state;
  Error err = {0};
  add_process(machine, 7, "/usr/bin/nvidia-device-plugin", "/");
  add_process(machine, 42, "nvidia-device-plugin", machine->ours);
  assert_ok(hang_up(machine, &err));
  assert_int_equal(signalled, 42);
}

static void the_plugin_of_another_kubelet_is_not(void **state) {
  Machine *machine = *state;
  add_process(machine, 7, "nvidia-device-plugin", machine->proc);
  add_process(machine, 8, "nvidia-device-plugin", NULL);
  assert_unseen(machine);
}

static void a_name_that_resembles_it_is_not(void **state) {
  Machine *machine = *state;
  static const char *const others[] = {"nvidia-device-plugin-sidecar", "/bin/sh",
                                       "my-nvidia-device-plugin",      "/nvidia-device-plugin/tail",
                                       "nvidia-gpu-device-plugin",     ""};
  for (size_t i = 0; i < COUNT_OF(others); i++)
    add_process(machine, (int)i + 10, others[i], machine->ours);
  assert_unseen(machine);
}

static void what_is_no_process_is_passed_over(void **state) {
  Machine *machine = *state;
  CLEANUP(cleanup_free) char *path = mem_format("%s/self/root", machine->proc);
  make_folders(path);
  assert_unseen(machine);
}

static void one_that_may_not_be_signalled_is_named(void **state) {
  Machine *machine = *state;
  Error err = {0};
  add_process(machine, 42, "nvidia-device-plugin", machine->ours);
  kill_errno = EPERM;
  assert_true(hang_up(machine, &err) < 0);
  assert_string_equal(err.text,
                      "process 42 (nvidia-device-plugin) may not be sent SIGHUP: Operation not permitted");
}

static void one_that_has_just_ended_is_not_there(void **state) {
  Machine *machine = *state;
  Error err = {0};
  add_process(machine, 42, "nvidia-device-plugin", machine->ours);
  kill_errno = ESRCH;
  assert_int_equal(hang_up(machine, &err), AGENT_PLUGIN_UNSEEN);
}

static void a_machine_without_proc_is_an_error(void **state) {
  Machine *machine = *state;
  Error err = {0};
  machine->plugin.proc = "/nowhere";
  assert_true(hang_up(machine, &err) < 0);
  assert_string_equal(err.text, "/nowhere cannot be read: No such file or directory");
}

static void a_folder_of_ours_that_is_not_there_is_an_error(void **state) {
  Machine *machine = *state;
  Error err = {0};
  add_process(machine, 42, "nvidia-device-plugin", machine->ours);
  machine->plugin.folder = "/nowhere";
  assert_true(hang_up(machine, &err) < 0);
  assert_string_equal(err.text,
                      "the device plugin folder /nowhere cannot be looked at: No such file or directory");
}

#define MACHINE_TEST(name) cmocka_unit_test_setup_teardown(name, machine_init, machine_deinit)

int main(void) {
  const struct CMUnitTest tests[] = {
      MACHINE_TEST(the_plugin_of_our_kubelet_is_signalled),
      MACHINE_TEST(the_plugin_of_another_kubelet_is_not),
      MACHINE_TEST(a_name_that_resembles_it_is_not),
      MACHINE_TEST(what_is_no_process_is_passed_over),
      MACHINE_TEST(one_that_may_not_be_signalled_is_named),
      MACHINE_TEST(one_that_has_just_ended_is_not_there),
      MACHINE_TEST(a_machine_without_proc_is_an_error),
      MACHINE_TEST(a_folder_of_ours_that_is_not_there_is_an_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
