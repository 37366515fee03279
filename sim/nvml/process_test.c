/* SPDX-License-Identifier: Apache-2.0 */
/* The state as several processes see it: it outlives them, it is changed by one at a time, and a process that
 * is killed at any instant leaves a state that could have been. */
#include "base/random.h"
#include "sim/nvml/fixture.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* Runs `child` in a process of its own; its result is the exit code. */
static pid_t start_child(int (*child)(void *userdata), void *userdata) {
  fflush(NULL);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0)
    _exit(child(userdata));
  return pid;
}

/* As waitpid: the status, whole. */
static int wait_for(pid_t pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0)
    assert_int_equal(errno, EINTR);
  return status;
}

static SimState load(const char *folder) {
  SimNvml *nvml = NULL;
  SimState state;
  Error err = {0};
  SimNvmlOptions options = {.folder = folder};
  assert_ok(sim_nvml_new(&options, &nvml, &err));
  assert_ok(sim_nvml_load(nvml, &state, &err));
  assert_ok(sim_state_check(&state, &err));
  sim_nvml_free(nvml);
  return state;
}

static int create_1g_until_full(void *folder) {
  SimNvml *nvml = fixture_start("A100-SXM4-80GB", folder);
  NvmlDevice gpu = fixture_gpu(0);
  NvmlGpuInstance instance;
  NvmlComputeInstance compute;
  int created = 0;
  while (nvmlDeviceCreateGpuInstance(gpu, 19, &instance) == NVML_SUCCESS)
    if (nvmlGpuInstanceCreateComputeInstance(instance, 0, &compute) == NVML_SUCCESS)
      created++;
  fixture_stop(nvml);
  return created;
}

static void what_one_process_made_the_next_one_finds(void **test_state) {
  char folder[64];
  fixture_make_folder(folder);
  assert_int_equal(WEXITSTATUS(wait_for(start_child(create_1g_until_full, folder))), 7);
  SimNvml *nvml = fixture_start(NULL, folder);
  NvmlGpuInstance list[7], instance;
  unsigned count;
  assert_int_equal(nvmlDeviceGetGpuInstances(fixture_gpu(0), 19, list, &count), NVML_SUCCESS);
  assert_int_equal(count, 7);
  assert_int_equal(nvmlDeviceCreateGpuInstance(fixture_gpu(0), 19, &instance), NVML_INSUFFICIENT_RESOURCES);
  fixture_stop(nvml);
  fixture_remove_folder(folder);
}

/* Both also meet at the empty folder, whose first state only one of them writes. */
static void two_processes_share_one_gpu_without_losing_a_slice(void **test_state) {
  for (int round = 0; round < 50; round++) {
    char folder[64];
    fixture_make_folder(folder);
    pid_t first = start_child(create_1g_until_full, folder),
          second = start_child(create_1g_until_full, folder);
    int created = WEXITSTATUS(wait_for(first));
    created += WEXITSTATUS(wait_for(second));
    assert_int_equal(created, 7);
    SimState state = load(folder);
    assert_int_equal(state.gpus[0].gi_count, 7);
    assert_int_equal(state.last_serial, 14);
    fixture_remove_folder(folder);
  }
}

/* What a killed process does until it is killed: random changes, a byte down the pipe after each. */
typedef struct Worker {
  const char *folder;
  uint64_t seed;
  int pipe_fd;
} Worker;

static void change_something(Random *random) {
  NvmlDevice gpu = fixture_gpu((unsigned)random_below(random, 2));
  NvmlGpuInstanceProfileInfo profile;
  NvmlGpuInstance instance;
  NvmlComputeInstance compute;
  if (random_below(random, 2) == 0) {
    if (nvmlDeviceGetGpuInstanceProfileInfo(gpu, (unsigned)random_below(random, 10), &profile) ==
            NVML_SUCCESS &&
        nvmlDeviceCreateGpuInstance(gpu, profile.id, &instance) == NVML_SUCCESS)
      (void)nvmlGpuInstanceCreateComputeInstance(instance, (unsigned)random_below(random, 5), &compute);
  } else if (nvmlDeviceGetGpuInstanceById(gpu, (unsigned)random_below(random, 15), &instance) ==
             NVML_SUCCESS) {
    if (nvmlGpuInstanceGetComputeInstanceById(instance, 0, &compute) == NVML_SUCCESS)
      (void)nvmlComputeInstanceDestroy(compute);
    (void)nvmlGpuInstanceDestroy(instance);
  }
}

static int change_until_killed(void *userdata) {
  const Worker *worker = userdata;
  Random random = {.state = worker->seed};
  fixture_start(NULL, worker->folder);
  for (;;) {
    change_something(&random);
    if (write(worker->pipe_fd, "", 1) != 1)
      return 1;
  }
}

static void a_process_killed_at_random_leaves_a_state_that_could_have_been(void **test_state) {
  uint64_t seed = 20261122;
  printf("# seed=%" PRIu64 "\n", seed);
  Random random = {.state = seed};
  char folder[64], sink[64];
  fixture_make_folder(folder);
  fixture_stop(fixture_start("2xA100-SXM4-80GB", folder));
  for (int round = 0; round < 300; round++) {
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    Worker worker = {.folder = folder, .seed = random_next(&random), .pipe_fd = pipe_fds[1]};
    pid_t pid = start_child(change_until_killed, &worker);
    for (uint64_t bytes = random_below(&random, 20); bytes-- > 0;)
      assert_int_equal(read(pipe_fds[0], sink, 1), 1);
    kill(pid, SIGKILL);
    assert_true(WIFSIGNALED(wait_for(pid)));
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    (void)load(folder);
  }
  fixture_remove_folder(folder);
}

/* The kernel kills the process when the new state file would grow beyond the limit. */
typedef struct Limited {
  const char *folder;
  rlim_t size;
} Limited;

static int create_with_limit(void *userdata) {
  const Limited *limited = userdata;
  fixture_start(NULL, limited->folder);
  NvmlDevice gpu = fixture_gpu(0);
  NvmlGpuInstance instance;
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  setrlimit(RLIMIT_FSIZE, &(struct rlimit){limited->size, limited->size});
  return nvmlDeviceCreateGpuInstance(gpu, 19, &instance) == NVML_SUCCESS ? 0 : 1;
}

static void a_process_killed_within_its_write_leaves_the_old_state(void **test_state) {
  char folder[64];
  fixture_make_folder(folder);
  fixture_stop(fixture_start("A100-SXM4-80GB", folder));
  rlim_t size = 0;
  for (;; size++) {
    Limited limited = {.folder = folder, .size = size};
    int status = wait_for(start_child(create_with_limit, &limited));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
      break;
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
    assert_int_equal(load(folder).gpus[0].gi_count, 0);
  }
  assert_true(size > 100);
  assert_int_equal(load(folder).gpus[0].gi_count, 1);
  fixture_remove_folder(folder);
}

/* In the middle of somebody's change: what do others see? */
typedef struct Onlooker {
  SimNvml *other;
  int gi_count;
  int calls;
} Onlooker;

static void look(void *userdata, uint32_t milliseconds) {
  Onlooker *onlooker = userdata;
  SimState state;
  Error err = {0};
  assert_ok(sim_nvml_load(onlooker->other, &state, &err));
  onlooker->gi_count = state.gpus[0].gi_count;
  onlooker->calls++;
}

static void readers_see_the_last_state_while_a_change_goes_on(void **test_state) {
  char folder[64];
  fixture_make_folder(folder);
  SimNvml *changing = NULL;
  Error err = {0};
  Onlooker onlooker = {.gi_count = -1};
  SimNvmlOptions options = {.machine = "A100-SXM4-80GB", .folder = folder, .latency = 1};
  assert_ok(sim_nvml_new(&options, &changing, &err));
  assert_ok(sim_nvml_new(&options, &onlooker.other, &err));
  sim_nvml_set_sleep(changing, look, &onlooker);
  sim_nvml_use(changing);
  assert_int_equal(nvmlInit_v2(), NVML_SUCCESS);
  fixture_create(fixture_gpu(0), "1g.10gb");
  assert_int_equal(onlooker.calls, 1);
  assert_int_equal(onlooker.gi_count, 0);
  look(&onlooker, 0);
  assert_int_equal(onlooker.gi_count, 1);
  fixture_stop(changing);
  sim_nvml_free(onlooker.other);
  fixture_remove_folder(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_one_process_made_the_next_one_finds),
      cmocka_unit_test(two_processes_share_one_gpu_without_losing_a_slice),
      cmocka_unit_test(a_process_killed_at_random_leaves_a_state_that_could_have_been),
      cmocka_unit_test(a_process_killed_within_its_write_leaves_the_old_state),
      cmocka_unit_test(readers_see_the_last_state_while_a_change_goes_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
