/* SPDX-License-Identifier: Apache-2.0 */
/* A /proc of this test's own: processes with the nodes that they have open. */
#include "base/test.h"

#include "base/memory.h"
#include "gpu/holder.h"

#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID "3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f2a"

typedef struct World {
  char proc[64];
  int fd; /* of the next open file */
} World;

static void put(const World *world, const char *path, const char *bytes, size_t size) {
  CLEANUP(cleanup_free) char *full = mem_format("%s/%s", world->proc, path);
  FILE *file = fopen(full, "w");
  assert_non_null(file);
  fwrite(bytes, 1, size, file);
  fclose(file);
}

static void make(const World *world, const char *path) {
  CLEANUP(cleanup_free) char *full = mem_format("%s/%s", world->proc, path);
  assert_int_equal(mkdir(full, 0755), 0);
}

static void put_process(const World *world, long pid, const char *comm, const char *command) {
  CLEANUP(cleanup_free) char *folder = mem_format("%ld", pid);
  CLEANUP(cleanup_free) char *fds = mem_format("%ld/fd", pid);
  CLEANUP(cleanup_free) char *comm_path = mem_format("%ld/comm", pid);
  CLEANUP(cleanup_free) char *command_path = mem_format("%ld/cmdline", pid);
  make(world, folder);
  make(world, fds);
  put(world, comm_path, comm, strlen(comm));
  put(world, command_path, command, strlen(command));
}

static void put_open(World *world, long pid, const char *node) {
  CLEANUP(cleanup_free) char *path = mem_format("%s/%ld/fd/%d", world->proc, pid, world->fd++);
  assert_int_equal(symlink(node, path), 0);
}

static void put_pod(const World *world, long pid, const char *cgroup, const char *name) {
  CLEANUP(cleanup_free) char *cgroup_path = mem_format("%ld/cgroup", pid);
  CLEANUP(cleanup_free) char *environ_path = mem_format("%ld/environ", pid);
  CLEANUP(cleanup_free) char *environ_text = mem_format("PATH=/bin%cHOSTNAME=%s%cA=b", 1, name, 1);
  size_t size = strlen(environ_text);
  for (size_t i = 0; i < size; i++)
    environ_text[i] = environ_text[i] == 1 ? '\0' : environ_text[i];
  put(world, cgroup_path, cgroup, strlen(cgroup));
  put(world, environ_path, environ_text, size);
}

static int world_init(void **state) {
  World *world = mem_alloc(sizeof *world);
  snprintf(world->proc, sizeof world->proc, "/tmp/facet-holder-XXXXXX");
  assert_non_null(mkdtemp(world->proc));
  make(world, "driver");
  make(world, "driver/nvidia-caps");
  static const char minors[] = "config 1\nmonitor 2\ngpu0/gi7/access 66\ngpu0/gi7/ci0/access 67\n"
                               "gpu0/gi8/access 75\ngpu1/gi7/access 201\n";
  put(world, "driver/nvidia-caps/mig-minors", minors, strlen(minors));
  *state = world;
  return 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where) {
  return remove(path);
}

static int world_deinit(void **state) {
  World *world = *state;
  (void)nftw(world->proc, remove_one, 8, FTW_DEPTH | FTW_PHYS);
  free(world);
  return 0;
}

static const char *ask(const World *world, int instance_id, const uint32_t *pids, size_t count) {
  static char text[GPU_HOLDER_TEXT_SIZE];
  gpu_holder_describe(
      &(GpuHolderQuery){
          .proc = world->proc, .minor = 0, .instance_id = instance_id, .pids = pids, .pid_count = count},
      text, sizeof text);
  return text;
}

/* ---- cases ---- */

static void a_process_that_the_driver_names_is_told_with_its_pod(void **state) {
  World *world = *state;
  static const uint32_t pids[] = {4711};
  put_process(world, 4711, "python3", "python3 train.py --all");
  put_pod(world, 4711,
          "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod12_34.slice/"
          "cri-containerd-" ID ".scope\n",
          "train-0");
  assert_string_equal(ask(world, 7, pids, 1),
                      "held by process 4711 \"python3 train.py --all\" of pod train-0 (container "
                      "3f2a1b0c9d8e): end it, or wait until it ends");
}

static void older_cgroups_and_other_runtimes_are_read_too(void **state) {
  static const char *const cgroups[] = {"12:devices:/kubepods/burstable/pod12-34/" ID "\n0::/system.slice\n",
                                        "0::/kubepods.slice/kubepods-pod12.slice/crio-" ID ".scope\n"};
  static const uint32_t pids[] = {4711};
  for (size_t i = 0; i < COUNT_OF(cgroups); i++) {
    void *own;
    world_init(&own);
    World *world = own;
    put_process(world, 4711, "app", "app");
    put_pod(world, 4711, cgroups[i], "p-1");
    assert_non_null(strstr(ask(world, 7, pids, 1), "\"app\" of pod p-1 (container 3f2a1b0c9d8e)"));
    world_deinit(&own);
  }
}

static void a_process_outside_of_kubernetes_has_no_pod(void **state) {
  World *world = *state;
  put_process(world, 99, "a.out", "./a.out");
  put_pod(world, 99, "0::/user.slice/session-1.scope\n", "gpu-node-7");
  put_open(world, 99, "/dev/nvidia-caps/nvidia-cap67");
  assert_string_equal(ask(world, 7, NULL, 0),
                      "held by process 99 \"./a.out\": end it, or wait until it ends");
}

static void who_uses_another_slice_of_the_gpu_is_not_the_holder(void **state) {
  World *world = *state;
  put_process(world, 99, "a.out", "./a.out");
  put_open(world, 99, "/dev/nvidia0");
  put_open(world, 99, "/dev/nvidia-caps/nvidia-cap75");
  put_open(world, 99, "/dev/nvidia-caps/nvidia-cap201");
  assert_string_equal(ask(world, 7, NULL, 0), "");
  assert_string_equal(ask(world, -1, NULL, 0),
                      "held by process 99 \"./a.out\": end it, or wait until it ends");
}

static void a_monitor_is_known_by_its_name(void **state) {
  World *world = *state;
  put_process(world, 812, "nv-hostengine\n", "/usr/bin/nv-hostengine -n");
  put_open(world, 812, "/dev/nvidiactl");
  put_open(world, 812, "/dev/nvidia0");
  assert_string_equal(ask(world, 7, NULL, 0), "held by DCGM, process 812: restart it (systemctl restart "
                                              "nvidia-dcgm, or delete its pod)");
}

static void our_own_worker_is_never_the_reason(void **state) {
  World *world = *state;
  put_process(world, getpid(), "facet-nvml", "facet nvml-worker");
  put_process(world, getppid(), "facet", "facet agent");
  put_process(world, 70001, "facet-nvml", "facet nvml-worker");
  put_open(world, getpid(), "/dev/nvidia-caps/nvidia-cap66");
  put_open(world, getppid(), "/dev/nvidia-caps/nvidia-cap66");
  put_open(world, 70001, "/dev/nvidia-caps/nvidia-cap66");
  assert_string_equal(ask(world, 7, NULL, 0), "");
}

static void two_holders_are_told_and_no_more(void **state) {
  World *world = *state;
  for (long pid = 100; pid < 105; pid++) {
    put_process(world, pid, "a.out", "a.out");
    put_open(world, pid, "/dev/nvidia-caps/nvidia-cap66");
  }
  const char *text = ask(world, 7, NULL, 0);
  const char *second = strstr(text, "; and by ");
  assert_non_null(second);
  assert_null(strstr(second + 1, "; and by "));
}

static void a_process_of_another_container_is_at_least_a_number(void **state) {
  World *world = *state;
  static const uint32_t pids[] = {4711};
  assert_string_equal(ask(world, 7, pids, 1),
                      "held by process 4711, which this agent cannot see (hostPID): end it, or wait until it "
                      "ends");
}

static void what_cannot_be_printed_is_left_out(void **state) {
  World *world = *state;
  put_process(world, 99, "x", "a\tb\x1b[31m \"c\"");
  put_open(world, 99, "/dev/nvidia-caps/nvidia-cap66");
  assert_string_equal(ask(world, 7, NULL, 0),
                      "held by process 99 \"a b [31m  c \": end it, or wait until it ends");
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_init, world_deinit)
  const struct CMUnitTest tests[] = {
      CASE(a_process_that_the_driver_names_is_told_with_its_pod),
      cmocka_unit_test(older_cgroups_and_other_runtimes_are_read_too),
      CASE(a_process_outside_of_kubernetes_has_no_pod),
      CASE(who_uses_another_slice_of_the_gpu_is_not_the_holder),
      CASE(a_monitor_is_known_by_its_name),
      CASE(our_own_worker_is_never_the_reason),
      CASE(two_holders_are_told_and_no_more),
      CASE(a_process_of_another_container_is_at_least_a_number),
      CASE(what_cannot_be_printed_is_left_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
