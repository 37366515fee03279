/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cluster/driver.h"

#include "base/memory.h"
#include "gpu/nvml.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a job's own process leaves behind. */
typedef struct Outcome {
  uint64_t worked_ms;
  GpuResult result;
} Outcome;

enum { ANSWER_TIMEOUT_MS = 30000 }; /* of whoever waits for a worker that hangs (gpu/worker.h) */

struct SimDriver {
  GpuDriver seam; /* first: the seam's pointer is the driver's */
  Host *host;
  SimNvml *machine;
  GpuNvml *nvml; /* NULL: not opened yet */
  HostTimer timer;
  uint64_t worked_ms; /* on the current job, in the machine's time */
  GpuOnResult *on_result;
  void *userdata;
  GpuResult result;
  Outcome *outcome; /* shared with the process of a job; NULL: jobs run here */
  int deaths;
  bool has_died;
  void (*on_death)(void *userdata);
  void *death_userdata;
  SimDriverFaults faults;
  void (*on_job)(void *userdata); /* NULL: nobody listens */
  void *listener;
};

static void pass_time(void *userdata, uint32_t milliseconds) {
  SimDriver *driver = userdata;
  driver->worked_ms += milliseconds;
}

static uint64_t now_ms(void *userdata) {
  const SimDriver *driver = userdata;
  return driver->host->now_ms + driver->worked_ms;
}

static void *resolve(void *userdata, const char *name) {
  return sim_driver_fault_symbol(name);
}

/* The simulated functions work on one machine of the process at a time. */
static int open_nvml(SimDriver *driver, Error *err) {
  sim_nvml_use(driver->machine);
  if (driver->nvml)
    return 0;
  int result = gpu_nvml_open_with(resolve, driver, &driver->nvml, err);
  if (result < 0)
    return result;
  gpu_nvml_set_clock(driver->nvml,
                     &(GpuNvmlClock){.now_ms = now_ms, .sleep_ms = pass_time, .userdata = driver});
  return 0;
}

static void close_nvml(SimDriver *driver) {
  sim_nvml_use(driver->machine);
  if (driver->nvml)
    gpu_nvml_close(TAKE(driver->nvml));
  sim_nvml_use(NULL);
}

static void on_timer(void *userdata) {
  SimDriver *driver = userdata;
  GpuOnResult *on_result = TAKE(driver->on_result);
  if (driver->has_died && driver->on_death)
    driver->on_death(driver->death_userdata);
  else
    on_result(driver->userdata, &driver->result);
}

/* The worker is gone, and with it whatever it would have said. */
static void lose_worker(SimDriver *driver) {
  bool hangs = driver->faults.over == SIM_DRIVER_HANGS;
  driver->faults.over = SIM_DRIVER_SOUND;
  driver->result = (GpuResult){0};
  if (hangs) {
    driver->worked_ms = ANSWER_TIMEOUT_MS;
    (void)error_set(&driver->result.err, ERROR_TIMEOUT,
                    "NVML did not answer within %d s; its worker was killed", ANSWER_TIMEOUT_MS / 1000);
  } else {
    (void)error_set(&driver->result.err, ERROR_UNAVAILABLE, "the NVML worker was killed by signal 9");
  }
  close_nvml(driver);
}

static void run_here(SimDriver *driver, const GpuJob *job) {
  Error err;
  sim_driver_fault_use(&driver->faults);
  if (open_nvml(driver, &err) < 0)
    driver->result = (GpuResult){.err = err};
  else
    gpu_nvml_run(driver->nvml, job, &driver->result);
  if (driver->faults.over)
    lose_worker(driver);
  sim_driver_fault_use(NULL);
  sim_nvml_use(NULL);
}

static void run_in_process(SimDriver *driver, const GpuJob *job) {
  Outcome *outcome = driver->outcome;
  pid_t pid = fork();
  assert(pid >= 0);
  if (pid == 0) {
    run_here(driver, job);
    outcome->result = driver->result;
    outcome->worked_ms = driver->worked_ms;
    _exit(0);
  }
  int status;
  pid_t ended = waitpid(pid, &status, 0);
  assert(ended == pid);
  driver->has_died = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
  driver->deaths += driver->has_died;
  driver->worked_ms = driver->has_died ? 0 : outcome->worked_ms;
  if (driver->has_died) {
    memset(&driver->result, 0, sizeof driver->result);
    error_set(&driver->result.err, ERROR_UNAVAILABLE, "the NVML worker was killed by signal %d",
              WTERMSIG(status));
  } else {
    driver->result = outcome->result;
  }
}

static void submit(GpuDriver *seam, const GpuJob *job, GpuOnResult *on_result, void *userdata) {
  SimDriver *driver = (SimDriver *)seam;
  assert(!driver->on_result);
  driver->on_result = on_result;
  driver->userdata = userdata;
  driver->worked_ms = 0;
  if (driver->outcome)
    run_in_process(driver, job);
  else
    run_here(driver, job);
  timer_set(driver->host, &driver->timer, driver->worked_ms ? driver->worked_ms : 1);
  if (driver->on_job)
    driver->on_job(driver->listener);
}

static void cancel(GpuDriver *seam) {
  SimDriver *driver = (SimDriver *)seam;
  timer_cancel(driver->host, &driver->timer);
  driver->on_result = NULL;
  close_nvml(driver); /* its worker is killed */
}

int sim_driver_new(Host *host, const SimDriverOptions *options, SimDriver **ret_driver, Error *err) {
  CLEANUP(sim_driver_freep) SimDriver *driver = mem_alloc(sizeof *driver);
  driver->seam.submit = submit;
  driver->seam.cancel = cancel;
  driver->host = host;
  driver->faults.lost_gpu = -1;
  driver->timer = (HostTimer){.fire = on_timer, .userdata = driver};
  const SimNvmlOptions machine = {.machine = options->machine,
                                  .folder = options->folder,
                                  .seed = options->seed,
                                  .latency = options->latency};
  int result = sim_nvml_new(&machine, &driver->machine, err);
  if (result < 0)
    return result;
  if (options->folder) {
    driver->outcome =
        mmap(NULL, sizeof *driver->outcome, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert(driver->outcome != MAP_FAILED);
  }
  sim_nvml_set_sleep(driver->machine, pass_time, driver);
  *ret_driver = TAKE(driver);
  return 0;
}

void sim_driver_free(SimDriver *driver) {
  if (!driver)
    return;
  sim_driver_abandon(driver);
  sim_nvml_free(driver->machine);
  if (driver->outcome)
    munmap(driver->outcome, sizeof *driver->outcome);
  free(driver);
}

GpuDriver *sim_driver_seam(SimDriver *driver) {
  return &driver->seam;
}

void sim_driver_abandon(SimDriver *driver) {
  timer_cancel(driver->host, &driver->timer);
  driver->on_result = NULL;
  if (driver->nvml)
    close_nvml(driver);
}

int sim_driver_load(SimDriver *driver, SimState *ret_state, Error *err) {
  return sim_nvml_load(driver->machine, ret_state, err);
}

int sim_driver_deaths(const SimDriver *driver) {
  return driver->deaths;
}

void sim_driver_on_death(SimDriver *driver, void (*on_death)(void *userdata), void *userdata) {
  driver->on_death = on_death;
  driver->death_userdata = userdata;
}

SimNvml *sim_driver_machine(SimDriver *driver) {
  return driver->machine;
}

void sim_driver_listen(SimDriver *driver, void (*on_job)(void *userdata), void *userdata) {
  driver->on_job = on_job;
  driver->listener = userdata;
}

void sim_driver_fail(SimDriver *driver, const SimDriverFault *fault) {
  driver->faults.next = *fault;
}

void sim_driver_lose_gpu(SimDriver *driver, int index) {
  driver->faults.lost_gpu = index;
}

bool sim_driver_left_half(const SimDriver *driver) {
  return driver->faults.left_half;
}

void sim_driver_reset(SimDriver *driver, bool reboot) {
  Error err;
  int result = sim_nvml_reset(driver->machine, reboot, &err);
  assert(result == 0); /* a machine in memory has no reason to fail */
}

void sim_driver_run_by_hand(SimDriver *driver, const GpuJob *job, GpuResult *ret_result) {
  GpuNvml *agents = TAKE(driver->nvml);
  uint64_t worked_ms = driver->worked_ms;
  Error err;
  if (open_nvml(driver, &err) < 0)
    *ret_result = (GpuResult){.err = err};
  else
    gpu_nvml_run(driver->nvml, job, ret_result);
  close_nvml(driver);
  driver->nvml = agents;
  driver->worked_ms = worked_ms;
}
