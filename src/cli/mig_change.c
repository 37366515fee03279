/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/mig_change.h"

#include "gpu/transaction.h"

typedef struct Carrying {
  const CliMigPlan *plan;
  CliMigGpus *gpus;
  bool says_steps;
  bool interrupted;
} Carrying;

static bool may_destroy(void *userdata, const GpuObserved *gpu, const GpuInstance *instance) {
  const Carrying *carrying = userdata;
  return carrying->plan->takes_used || !instance->process_count;
}

static void say_step(const GpuObserved *gpu, const GpuJob *job, const char *profile, uint32_t took_ms) {
  printf("GPU %d: %s %s@%d (%u ms)\n", gpu->index, job->kind == GPU_JOB_CREATE ? "created" : "destroyed",
         profile, job->start, took_ms);
  fflush(stdout);
}

/* One job of a GPU and what came of it. */
static void take_step(Carrying *carrying, GpuTransaction *transaction, const GpuJob *job,
                      const char *profile) {
  Error err;
  cli_mig_gpus_do(carrying->gpus, job);
  const GpuResult *result = &carrying->gpus->result;
  const GpuObserved *gpu =
      result->observed ? gpu_observed_gpu(&result->observation, transaction->uuid) : NULL;
  if (gpu_transaction_note(transaction, job, profile, gpu, &result->err, &err) == 0 && gpu &&
      carrying->says_steps)
    say_step(gpu, job, profile, result->took_ms);
}

/* The newest picture of the GPU, or NULL with the reason. */
static const GpuObserved *look(Carrying *carrying, const char *uuid, Error *err) {
  if (!carrying->gpus->result.observed && cli_mig_gpus_observe(carrying->gpus, err) < 0)
    return NULL;
  const GpuObserved *gpu = gpu_observed_gpu(&carrying->gpus->result.observation, uuid);
  if (!gpu)
    error_set(err, ERROR_GPU, "the driver does not show this GPU any more");
  return gpu;
}

/* Why a GPU is not as it was wished although no step failed. */
static int refuse_blocked(const GpuObserved *gpu, const GpuPlaces *goal, Error *err) {
  for (int i = 0; i < gpu->instance_count; i++) {
    const GpuInstance *instance = &gpu->instances[i];
    if (!gpu_places_have(goal, instance->nvml_id, instance->start))
      return error_set(err, ERROR_CONFLICT, "%s@%d came into use meanwhile and stays",
                       gpu_observed_profile_name(gpu, instance->nvml_id), instance->start);
  }
  return error_set(err, ERROR_CONFLICT, "its slices were changed by somebody else meanwhile");
}

static int change_gpu(Carrying *carrying, const char *uuid, const GpuPlaces *goal, Error *err) {
  GpuTransaction transaction = {0};
  for (;;) {
    GpuJob job;
    char profile[MIG_PROFILE_NAME_SIZE];
    const GpuObserved *gpu = look(carrying, uuid, err);
    if (!gpu)
      return -err->code;
    if (transaction.state == GPU_TRANSACTION_NONE)
      gpu_transaction_begin(&transaction, gpu, true);
    switch (gpu_transaction_next(&transaction, gpu, goal, may_destroy, carrying, &job)) {
    case GPU_STEP_JOB:
      snprintf(profile, sizeof profile, "%s", gpu_observed_profile_name(gpu, job.nvml_id));
      take_step(carrying, &transaction, &job, profile);
      break;
    case GPU_STEP_BLOCKED:
      return refuse_blocked(gpu, goal, err);
    case GPU_STEP_OVER:
      if (transaction.state == GPU_TRANSACTION_DONE)
        return 0;
      char sentence[2 * ERROR_TEXT_SIZE];
      gpu_transaction_format(&transaction, sentence, sizeof sentence);
      return error_set(err, ERROR_GPU, "%s", sentence);
    }
  }
}

static void on_signal(void *userdata) {
  Carrying *carrying = userdata;
  carrying->interrupted = true;
  fprintf(stderr, "facet mig: the GPU at hand is being finished; a second signal ends at once\n");
}

int cli_mig_carry_out(CliMigPlan *plan, CliMigGpus *gpus, bool says_steps, Error *err) {
  Carrying carrying = {.plan = plan, .gpus = gpus, .says_steps = says_steps};
  int failed = 0, done = 0;
  gpus->shell.on_stop = on_signal;
  gpus->shell.stop_userdata = &carrying;
  for (; done < plan->count && !carrying.interrupted; done++) {
    CliMigPlanGpu *gpu = &plan->gpus[done];
    if (change_gpu(&carrying, gpu->uuid, &gpu->goal, err) == 0)
      continue;
    failed++;
    snprintf(gpu->failure, sizeof gpu->failure, "%s", err->text);
    fprintf(stderr, "facet mig: %s\n", err->text);
  }
  gpus->shell.on_stop = NULL;
  for (int i = done; i < plan->count; i++)
    snprintf(plan->gpus[i].failure, sizeof plan->gpus[i].failure, "interrupted before its turn");
  if (done < plan->count)
    return error_set(err, ERROR_UNAVAILABLE, "interrupted; GPUs left as they were: %d", plan->count - done);
  if (failed)
    return error_set(err, ERROR_GPU, "GPUs that are not as wished: %d of %d", failed, plan->count);
  return 0;
}
