/* SPDX-License-Identifier: Apache-2.0 */
/* Real processes on a real loop; only the host's time is the test's. Started as a worker, this executable
 * plays the part that its --nvml-library names: the real main without a library, or one that misbehaves. */
#include "base/test.h"

#include "base/memory.h"
#include "gpu/worker_parts.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* ---- the agent's side ---- */

typedef struct Agent {
  uv_loop_t loop;
  Host host;
  GpuWorker *worker;
  int results;
  Error err; /* of the last result */
  uint32_t took_ms, stuck_gpu, stuck_count;
} Agent;

static int unkillable; /* the process that the kernel does not let go; 0: none yet */
static bool kernel_lets_go;

static void kill_in_vain(int pid) {
  if (kernel_lets_go)
    kill(pid, SIGKILL);
  else
    unkillable = pid;
}

static void setup_with(Agent *agent, const GpuWorkerOptions *options) {
  Error err = {0};
  *agent = (Agent){0};
  host_init(&agent->host, 1);
  assert_int_equal(uv_loop_init(&agent->loop), 0);
  assert_ok(gpu_worker_new(&agent->loop, &agent->host, options, &agent->worker, &err));
}

static void setup(Agent *agent, const char *executable, const char *library) {
  setup_with(agent, &(GpuWorkerOptions){.executable = executable, .nvml_library = library});
}

/* Also proves that freeing releases every handle: the loop must come to an end by itself. */
static void teardown(Agent *agent) {
  gpu_worker_free(agent->worker);
  uv_run(&agent->loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&agent->loop), 0);
  assert_true(host_next_ms(&agent->host) == HOST_NEVER);
  host_deinit(&agent->host);
  assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void on_result(void *userdata, const GpuResult *result) {
  Agent *agent = userdata;
  agent->results++;
  agent->err = result->err;
  agent->took_ms = result->took_ms;
  agent->stuck_gpu = result->stuck_gpu;
  agent->stuck_count = result->stuck_count;
}

static void advance(Agent *agent, uint64_t duration_ms) {
  host_advance(&agent->host, agent->host.now_ms + duration_ms, 0);
  host_run_timers(&agent->host);
}

static void submit_without(Agent *agent, uint32_t skip) {
  const GpuJob job = {
      .kind = GPU_JOB_CREATE, .uuid = "GPU-1", .nvml_id = 19, .start = 6, .size = 1, .skip = skip};
  GpuDriver *driver = gpu_worker_seam(agent->worker);
  driver->submit(driver, &job, on_result, agent);
}

static void submit(Agent *agent) {
  submit_without(agent, 0);
}

/* Submits a job and turns the loop until its result is there; time stands still. */
static void run_job_without(Agent *agent, uint32_t skip) {
  int before = agent->results;
  submit_without(agent, skip);
  assert_int_equal(agent->results, before);
  advance(agent, 0);
  while (agent->results == before)
    uv_run(&agent->loop, UV_RUN_ONCE);
  assert_int_equal(agent->results, before + 1);
}

static void run_job(Agent *agent) {
  run_job_without(agent, 0);
}

static bool process_exists(uint32_t pid) {
  return kill((pid_t)pid, 0) == 0;
}

static void wait_for_the_end_of(Agent *agent, uint32_t pid) {
  while (process_exists(pid))
    uv_run(&agent->loop, UV_RUN_ONCE);
}

/* ---- cases ---- */

static void the_real_worker_answers_that_it_has_no_library_and_ends_when_idle(void **state) {
  Agent agent;
  setup(&agent, NULL, "/nonexistent/libnvidia-ml.so.1");
  for (int i = 0; i < 2; i++) {
    run_job(&agent);
    assert_string_equal(agent.err.text,
                        "loading NVIDIA's library: /nonexistent/libnvidia-ml.so.1: cannot open "
                        "shared object file: No such file or directory");
    assert_int_equal(agent.err.code, ERROR_NOT_FOUND);
  }
  advance(&agent, GPU_WORKER_IDLE_MS);
  uv_run(&agent.loop, UV_RUN_DEFAULT); /* returns when the last handle is closed: the worker is gone */
  teardown(&agent);
}

static void one_process_serves_many_jobs(void **state) {
  Agent agent;
  setup(&agent, NULL, "honest");
  run_job(&agent);
  uint32_t pid = agent.took_ms;
  for (int i = 0; i < 20; i++) {
    run_job(&agent);
    assert_int_equal(agent.err.code, 0);
    assert_int_equal(agent.took_ms, pid);
  }
  teardown(&agent);
}

static void an_idle_worker_ends_and_the_next_job_gets_a_new_one(void **state) {
  Agent agent;
  setup(&agent, NULL, "honest");
  run_job(&agent);
  uint32_t first = agent.took_ms;
  advance(&agent, GPU_WORKER_IDLE_MS - 1);
  run_job(&agent);
  assert_int_equal(agent.took_ms, first);
  advance(&agent, GPU_WORKER_IDLE_MS);
  wait_for_the_end_of(&agent, first);
  run_job(&agent);
  assert_int_equal(agent.err.code, 0);
  assert_int_not_equal(agent.took_ms, first);
  teardown(&agent);
}

static void a_worker_that_does_not_end_when_idle_is_killed(void **state) {
  Agent agent;
  setup(&agent, NULL, "deaf");
  run_job(&agent);
  uint32_t pid = agent.took_ms;
  advance(&agent, GPU_WORKER_IDLE_MS);
  assert_true(process_exists(pid));
  advance(&agent, 2000);
  wait_for_the_end_of(&agent, pid);
  teardown(&agent);
}

static void a_job_for_a_worker_that_is_ending_gets_a_new_one(void **state) {
  Agent agent;
  setup(&agent, NULL, "deaf");
  run_job(&agent);
  uint32_t pid = agent.took_ms;
  advance(&agent, GPU_WORKER_IDLE_MS);
  run_job(&agent);
  assert_int_equal(agent.err.code, 0);
  assert_int_not_equal(agent.took_ms, pid);
  teardown(&agent);
}

static void a_hanging_worker_is_killed_after_the_timeout(void **state) {
  Agent agent;
  setup(&agent, NULL, "hanging");
  submit(&agent);
  advance(&agent, 0);
  advance(&agent, GPU_JOB_TIMEOUT_MS - 1);
  assert_int_equal(agent.results, 0);
  advance(&agent, 1);
  assert_int_equal(agent.results, 1);
  assert_string_equal(agent.err.text, "NVML did not answer within 30 s; its worker was killed");
  assert_int_equal(agent.err.code, ERROR_TIMEOUT);
  teardown(&agent);
}

static void a_worker_that_dies_tells_at_which_gpu(void **state) {
  Agent agent;
  setup(&agent, NULL, "dying at a GPU");
  run_job(&agent);
  assert_int_equal(agent.err.code, ERROR_UNAVAILABLE);
  assert_int_equal(agent.stuck_gpu, 3);
  teardown(&agent);
}

/* The kernel ends no process that hangs inside the driver. */
static void a_worker_that_cannot_be_killed_is_left_behind_and_a_new_one_serves_the_other_gpus(void **state) {
  Agent agent;
  unkillable = 0;
  kernel_lets_go = false;
  setup_with(&agent, &(GpuWorkerOptions){.nvml_library = "hanging at a GPU", .kill = kill_in_vain});
  submit(&agent);
  advance(&agent, 0);
  uv_run(&agent.loop, UV_RUN_ONCE); /* it says where it is */
  advance(&agent, GPU_JOB_TIMEOUT_MS);
  assert_int_equal(agent.err.code, ERROR_TIMEOUT);
  assert_int_equal(agent.stuck_gpu, 2);
  assert_int_equal(agent.stuck_count, 1);
  advance(&agent, 10000);
  for (int i = 0; i < 20; i++) {
    run_job_without(&agent, 2);
    assert_int_equal(agent.err.code, 0);
    assert_int_equal(agent.stuck_count, 1);
    assert_int_not_equal(agent.took_ms, unkillable);
  }
  assert_true(process_exists((uint32_t)unkillable));
  kill(unkillable, SIGKILL);
  wait_for_the_end_of(&agent, (uint32_t)unkillable);
  run_job_without(&agent, 2);
  assert_int_equal(agent.stuck_count, 0);
  kernel_lets_go = true;
  teardown(&agent);
}

static void too_many_workers_that_hang_in_the_kernel_stop_new_ones(void **state) {
  Agent agent;
  setup(&agent, NULL, "hanging");
  for (int i = 0; i < GPU_COUNT_MAX; i++) { /* the loop does not turn: nobody notices that they are dead */
    submit(&agent);
    advance(&agent, 10000);
    advance(&agent, GPU_JOB_TIMEOUT_MS);
    assert_int_equal(agent.err.code, ERROR_TIMEOUT);
  }
  submit(&agent);
  advance(&agent, 10000);
  assert_int_equal(agent.results, GPU_COUNT_MAX + 1);
  assert_string_equal(agent.err.text, "32 killed NVML workers still hang in the driver; reset the GPUs or "
                                      "reboot the node");
  assert_int_equal(agent.err.code, ERROR_UNAVAILABLE);
  teardown(&agent);
}

static void a_worker_that_dies_tells_how_and_its_last_words(void **state) {
  static const struct {
    const char *part, *text;
    ErrorCode code;
  } cases[] = {
      {"crashing",
       "the NVML worker was killed by signal 11 (Segmentation fault); its last words: NVRM: out of ? luck",
       ERROR_UNAVAILABLE},
      {"leaving", "the NVML worker ended with exit status 7", ERROR_UNAVAILABLE},
      {"babbling", "the NVML worker is confused and was killed: frame does not begin with its magic word",
       ERROR_PROTOCOL},
      {"twice", "the NVML worker is confused and was killed: it answered without being asked",
       ERROR_PROTOCOL},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    Agent agent;
    setup(&agent, NULL, cases[i].part);
    run_job(&agent);
    assert_string_equal(agent.err.text, cases[i].text);
    assert_int_equal(agent.err.code, cases[i].code);
    teardown(&agent);
  }
}

/* Whichever is noticed first, the answer or the death: hence several rounds. */
static void an_answer_counts_even_if_the_worker_dies_right_after_it(void **state) {
  for (int i = 0; i < 20; i++) {
    Agent agent;
    setup(&agent, NULL, "dying");
    run_job(&agent);
    assert_string_equal(agent.err.text, "");
    assert_int_equal(agent.took_ms, 1);
    teardown(&agent);
  }
}

static void after_a_death_the_next_job_waits_longer_and_longer(void **state) {
  static const uint64_t delays_ms[] = {100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};
  Agent agent;
  setup(&agent, NULL, "leaving");
  run_job(&agent);
  for (size_t i = 0; i < COUNT_OF(delays_ms); i++) {
    int before = agent.results;
    submit(&agent);
    assert_int_equal(host_next_ms(&agent.host) - agent.host.now_ms, delays_ms[i]);
    advance(&agent, delays_ms[i]);
    while (agent.results == before)
      uv_run(&agent.loop, UV_RUN_ONCE);
  }
  teardown(&agent);
}

static void a_worker_that_cannot_be_started_is_a_result(void **state) {
  Agent agent;
  setup(&agent, "/nonexistent/facet", NULL);
  submit(&agent);
  assert_int_equal(agent.results, 0);
  advance(&agent, 0);
  assert_string_equal(agent.err.text,
                      "starting the NVML worker /nonexistent/facet: no such file or directory");
  assert_int_equal(agent.err.code, ERROR_UNAVAILABLE);
  teardown(&agent);
}

static void a_worker_killed_between_jobs_costs_nothing(void **state) {
  Agent agent;
  setup(&agent, NULL, "honest");
  run_job(&agent);
  uint32_t first = agent.took_ms;
  kill((pid_t)first, SIGKILL);
  wait_for_the_end_of(&agent, first);
  run_job(&agent);
  assert_int_equal(agent.err.code, 0);
  assert_int_not_equal(agent.took_ms, first);
  teardown(&agent);
}

static void freeing_kills_a_worker_in_the_middle_of_a_job(void **state) {
  Agent agent;
  setup(&agent, NULL, "hanging");
  submit(&agent);
  advance(&agent, 0);
  teardown(&agent);
  assert_int_equal(agent.results, 0);
}

static void freeing_before_a_job_has_begun_starts_nothing(void **state) {
  Agent agent;
  setup(&agent, NULL, "honest");
  submit(&agent);
  teardown(&agent);
  assert_int_equal(agent.results, 0);
}

/* A child plays the agent and dies without a word; its worker then becomes a child of this process. */
static void a_worker_does_not_outlive_its_agent(void **state) {
  assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  pid_t agent_pid = fork();
  if (agent_pid == 0) {
    Agent agent;
    setup(&agent, NULL, "/nonexistent/libnvidia-ml.so.1");
    run_job(&agent);
    raise(SIGKILL);
  }
  int status;
  assert_int_equal(waitpid(agent_pid, &status, 0), agent_pid);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  int ended = 0;
  while (wait(&status) > 0) /* a sanitizer's own helper may be among them, which ends in its own way */
    ended++;
  assert_true(errno == ECHILD && ended > 0);
  assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

static int run_worker_main_on(const void *bytes, size_t size) {
  int ends[2], status;
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  pid_t pid = fork();
  if (pid == 0) {
    close(ends[1]);
    _exit(gpu_worker_main(ends[0], "/nonexistent/libnvidia-ml.so.1"));
  }
  close(ends[0]);
  assert_int_equal(write(ends[1], bytes, size), size);
  close(ends[1]);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void the_real_worker_ends_with_its_socket_and_refuses_garbage(void **state) {
  assert_int_equal(run_worker_main_on("", 0), EXIT_SUCCESS);
  assert_int_equal(run_worker_main_on("GET / HTTP/1.1\r\n\r\n", 18), EXIT_FAILURE);
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "nvml-worker") == 0)
    return worker_main(argc > 3 ? argv[3] : "");
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_real_worker_answers_that_it_has_no_library_and_ends_when_idle),
      cmocka_unit_test(one_process_serves_many_jobs),
      cmocka_unit_test(an_idle_worker_ends_and_the_next_job_gets_a_new_one),
      cmocka_unit_test(a_worker_that_does_not_end_when_idle_is_killed),
      cmocka_unit_test(a_job_for_a_worker_that_is_ending_gets_a_new_one),
      cmocka_unit_test(a_hanging_worker_is_killed_after_the_timeout),
      cmocka_unit_test(a_worker_that_dies_tells_at_which_gpu),
      cmocka_unit_test(a_worker_that_cannot_be_killed_is_left_behind_and_a_new_one_serves_the_other_gpus),
      cmocka_unit_test(too_many_workers_that_hang_in_the_kernel_stop_new_ones),
      cmocka_unit_test(a_worker_that_dies_tells_how_and_its_last_words),
      cmocka_unit_test(an_answer_counts_even_if_the_worker_dies_right_after_it),
      cmocka_unit_test(after_a_death_the_next_job_waits_longer_and_longer),
      cmocka_unit_test(a_worker_that_cannot_be_started_is_a_result),
      cmocka_unit_test(a_worker_killed_between_jobs_costs_nothing),
      cmocka_unit_test(freeing_kills_a_worker_in_the_middle_of_a_job),
      cmocka_unit_test(freeing_before_a_job_has_begun_starts_nothing),
      cmocka_unit_test(a_worker_does_not_outlive_its_agent),
      cmocka_unit_test(the_real_worker_ends_with_its_socket_and_refuses_garbage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
