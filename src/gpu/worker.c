/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's side of the worker: a mailbox for one job.
 *
 *     no process --submit--> busy --result--> idle --nothing for a while--> ending --> no process
 *                             |                 '--submit--> busy
 *                             '--dies, hangs, talks garbage: killed, the job fails, the next one waits a bit
 *
 * A worker that was killed may stay for as long as the driver holds it inside the kernel. It is left behind
 * and counted; when too many have piled up, jobs fail at once and say so. */
#include "gpu/worker.h"

#include "base/backoff.h"
#include "base/memory.h"
#include "gpu/frame.h"
#include "gpu/worker_process.h"

#include <assert.h>
#include <string.h>

enum {
  STUCK_MAX = GPU_COUNT_MAX,  /* killed workers that the kernel has not let go */
  ENDING_MS = 2000,           /* for an idle worker to end by itself */
  RESTART_DELAY_MIN_MS = 100, /* after a worker died in a job, doubling */
  RESTART_DELAY_MAX_MS = 10000,
};

struct GpuWorker {
  GpuDriver seam; /* the first member: a GpuDriver is its worker */
  uv_loop_t *loop;
  Host *host;
  GpuWorkerOptions options; /* own copies of the texts */
  GpuProcess *process;      /* NULL while there is none */
  bool ending;              /* its socket is closed */
  GpuProcess *stuck[STUCK_MAX];
  GpuJob job;
  uint32_t at_gpu;        /* 1 + index of the GPU that NVML is being asked about; 0: unknown */
  GpuOnResult *on_result; /* NULL while there is no job */
  void *userdata;
  HostTimer begin;           /* a job waits to be handed over */
  HostTimer deadline;        /* of the job, of idleness, or of ending */
  uint32_t restart_delay_ms; /* 0 while all is well */
  uint64_t restart_at_ms;
};

static void start_deadline(GpuWorker *worker, uint64_t delay_ms) {
  timer_set(worker->host, &worker->deadline, delay_ms);
}

/* The last thing that its callers do: on_result may submit the next job or free the worker. */
static void finish(GpuWorker *worker, const GpuResult *result) {
  GpuOnResult *on_result = TAKE(worker->on_result);
  assert(on_result);
  on_result(worker->userdata, result);
}

/* What has no place in a layout is named here; whoever wants a slice says so himself. */
static void name_job(const GpuJob *job, Error *err) {
  if (job->kind == GPU_JOB_OBSERVE)
    error_prefix(err, "observing the GPUs");
  else if (job->kind == GPU_JOB_WATCH)
    error_prefix(err, "watching the GPUs");
  else if (job->kind == GPU_JOB_ENABLE_MIG)
    error_prefix(err, "switching MIG mode on for GPU %u", job->gpu);
}

static uint32_t count_stuck(const GpuWorker *worker) {
  uint32_t count = 0;
  for (size_t i = 0; i < STUCK_MAX; i++)
    count += worker->stuck[i] != NULL;
  return count;
}

static void fail(GpuWorker *worker, Error *err) {
  name_job(&worker->job, err);
  CLEANUP(cleanup_free) GpuResult *result = mem_alloc(sizeof *result);
  result->err = *err;
  result->stuck_gpu = worker->at_gpu;
  result->stuck_count = count_stuck(worker);
  finish(worker, result);
}

/* Each failure in a row doubles the pause before the next process. */
static void slow_down(GpuWorker *worker) {
  worker->restart_delay_ms =
      backoff_next_ms(worker->restart_delay_ms, RESTART_DELAY_MIN_MS, RESTART_DELAY_MAX_MS);
  worker->restart_at_ms = worker->host->now_ms + worker->restart_delay_ms;
}

static GpuProcess **find_stuck(GpuWorker *worker, const GpuProcess *process) {
  for (size_t i = 0; i < STUCK_MAX; i++)
    if (worker->stuck[i] == process)
      return &worker->stuck[i];
  return NULL;
}

/* Kills the process and remembers it until it is gone; there is a place, begin_job() saw to it. */
static void discard_process(GpuWorker *worker) {
  GpuProcess *process = TAKE(worker->process);
  GpuProcess **place = find_stuck(worker, NULL);
  assert(process && place);
  *place = process;
  worker->ending = false;
  timer_cancel(worker->host, &worker->deadline);
  gpu_process_kill(process);
}

/* For a process that cannot be trusted any more: it hangs or does not make sense. */
static void discard_and_fail(GpuWorker *worker, Error *err) {
  discard_process(worker);
  slow_down(worker);
  if (worker->on_result)
    fail(worker, err);
}

static void on_received(void *userdata, GpuProcess *process) {
  GpuWorker *worker = userdata;
  if (process != worker->process)
    return; /* too late: its job has failed already */
  Error err = {0};
  CLEANUP(cleanup_free) GpuResult *result = NULL;
  uint32_t gpu;
  int r;
  while ((r = gpu_frame_decode_progress(gpu_process_received(process), &gpu, &err)) == 0)
    worker->at_gpu = gpu + 1;
  if (r == GPU_FRAME_MORE)
    r = gpu_frame_decode_result(gpu_process_received(process), &result, &err);
  if (r == GPU_FRAME_MORE)
    return;
  if (r == 0 && (!worker->on_result || gpu_process_received(process)->size > 0))
    r = error_set(&err, ERROR_PROTOCOL, "it answered without being asked");
  if (r < 0) {
    error_prefix(&err, "the NVML worker is confused and was killed");
    discard_and_fail(worker, &err);
    return;
  }
  assert(result);
  text_deinit(gpu_process_received(process)); /* an idle worker costs the agent no buffer */
  worker->restart_delay_ms = 0;
  result->stuck_count = count_stuck(worker);
  start_deadline(worker, GPU_WORKER_IDLE_MS);
  finish(worker, result);
}

static void on_exit_seen(void *userdata, GpuProcess *process, const char *how) {
  GpuWorker *worker = userdata;
  if (process != worker->process) {
    GpuProcess **place = find_stuck(worker, process);
    assert(place);
    *place = NULL;
    return;
  }
  worker->process = NULL;
  worker->ending = false;
  timer_cancel(worker->host, &worker->deadline);
  /* Without a job, or with one that was not handed over yet, the death concerns nobody. */
  if (!worker->on_result || timer_is_set(&worker->begin))
    return;
  slow_down(worker);
  Error err = {0};
  error_set(&err, ERROR_UNAVAILABLE, "the NVML worker %s", how);
  fail(worker, &err);
}

/* What time being up means depends on what the process was doing. */
static void on_deadline(void *userdata) {
  GpuWorker *worker = userdata;
  if (!worker->on_result && !worker->ending) {
    gpu_process_close_socket(worker->process);
    worker->ending = true;
    start_deadline(worker, ENDING_MS);
    return;
  }
  if (worker->ending) {
    discard_process(worker);
    return;
  }
  Error err = {0};
  error_set(&err, ERROR_TIMEOUT, "NVML did not answer within %d s; its worker was killed",
            GPU_JOB_TIMEOUT_MS / 1000);
  discard_and_fail(worker, &err);
}

/* One that is ending is not waited for: it only shuts NVML down, and a kill does that as well. */
static int ensure_process(GpuWorker *worker, Error *err) {
  if (worker->ending)
    discard_process(worker);
  if (worker->process)
    return 0;
  if (!find_stuck(worker, NULL))
    return error_set(err, ERROR_UNAVAILABLE,
                     "%d killed NVML workers still hang in the driver; reset the GPUs or reboot the node",
                     STUCK_MAX);
  const GpuProcessEvents events = {.on_received = on_received, .on_exit = on_exit_seen, .userdata = worker};
  return gpu_process_spawn(worker->loop, &worker->options, &events, &worker->process, err);
}

static void begin_job(void *userdata) {
  GpuWorker *worker = userdata;
  Error err = {0};
  if (ensure_process(worker, &err) < 0) {
    slow_down(worker);
    fail(worker, &err);
    return;
  }
  CLEANUP(text_deinit) Text bytes = {0};
  gpu_frame_encode_job(&bytes, &worker->job);
  /* The time to start the process and to load NVML is part of the job's. */
  start_deadline(worker, GPU_JOB_TIMEOUT_MS);
  if (gpu_process_send(worker->process, &bytes, &err) < 0)
    discard_and_fail(worker, &err);
}

/* A timer hands the job over, so that every result comes from the loop and never from within submit. */
static void submit(GpuDriver *driver, const GpuJob *job, GpuOnResult *on_result, void *userdata) {
  GpuWorker *worker = (GpuWorker *)driver;
  assert(on_result && !worker->on_result);
  worker->job = *job;
  worker->at_gpu = 0;
  worker->on_result = on_result;
  worker->userdata = userdata;
  uint64_t now_ms = worker->host->now_ms;
  bool wait = worker->restart_delay_ms && worker->restart_at_ms > now_ms;
  timer_set(worker->host, &worker->begin, wait ? worker->restart_at_ms - now_ms : 0);
}

static void cancel(GpuDriver *driver) {
  GpuWorker *worker = (GpuWorker *)driver;
  worker->on_result = NULL;
  timer_cancel(worker->host, &worker->begin);
  if (!worker->process)
    return;
  if (find_stuck(worker, NULL))
    discard_process(worker);
  else
    gpu_process_kill(worker->process);
}

int gpu_worker_new(uv_loop_t *loop, Host *host, const GpuWorkerOptions *options, GpuWorker **ret_worker,
                   Error *err) {
  GpuWorker *worker = mem_alloc(sizeof *worker);
  *worker = (GpuWorker){.seam = {.submit = submit, .cancel = cancel},
                        .loop = loop,
                        .host = host,
                        .options = {.executable = mem_strdup(options->executable),
                                    .nvml_library = mem_strdup(options->nvml_library),
                                    .kill = options->kill},
                        .begin = {.fire = begin_job, .userdata = worker},
                        .deadline = {.fire = on_deadline, .userdata = worker}};
  *ret_worker = worker;
  return 0;
}

void gpu_worker_free(GpuWorker *worker) {
  timer_cancel(worker->host, &worker->begin);
  timer_cancel(worker->host, &worker->deadline);
  if (worker->process)
    gpu_process_abandon(worker->process);
  for (size_t i = 0; i < STUCK_MAX; i++)
    if (worker->stuck[i])
      gpu_process_abandon(worker->stuck[i]);
  free((char *)worker->options.executable);
  free((char *)worker->options.nvml_library);
  free(worker);
}

GpuDriver *gpu_worker_seam(GpuWorker *worker) {
  return &worker->seam;
}
