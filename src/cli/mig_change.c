/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/mig_change.h"

#include <assert.h>
#include <string.h>

/* ---- plan ---- */

static int check_gpu(const GpuObserved *gpu, Error *err) {
  MigLayout layout;
  if (gpu->trouble[0])
    return error_set(err, ERROR_GPU, "GPU %d cannot be read in full: %s", gpu->index, gpu->trouble);
  if (!gpu->mig_capable)
    return error_set(err, ERROR_UNSUPPORTED, "GPU %d (%s) has no MIG", gpu->index, gpu->product);
  if (gpu->mode == MIG_MODE_OFF)
    return error_set(err, ERROR_UNSUPPORTED,
                     "GPU %d: MIG mode is off; `nvidia-smi -i %d -mig 1` turns it on%s", gpu->index,
                     gpu->index, gpu->model.mode_needs_reset ? ", and a GPU reset makes it so" : "");
  if (gpu->mode == MIG_MODE_PENDING)
    return error_set(err, ERROR_UNSUPPORTED,
                     "GPU %d: MIG mode waits for a reset; `nvidia-smi -i %d --gpu-reset` does it while "
                     "nothing uses the GPU",
                     gpu->index, gpu->index);
  if (gpu_observed_layout(gpu, &layout))
    return error_set(err, ERROR_UNSUPPORTED,
                     "GPU %d (%s) holds a slice that facet does not know for this model", gpu->index,
                     gpu->product);
  return 0;
}

static uint32_t used_starts(const GpuObserved *gpu) {
  uint32_t starts = 0;
  for (int i = 0; i < gpu->instance_count; i++)
    if (gpu->instances[i].process_count)
      starts |= UINT32_C(1) << gpu->instances[i].start;
  return starts;
}

static void set_goal(const MigLayout *layout, GpuPlaces *ret_goal) {
  *ret_goal = (GpuPlaces){0};
  for (int i = 0; i < layout->count; i++) {
    const MigInstance *instance = &layout->instances[i];
    const MigProfile *profile = &layout->model->profiles[instance->profile];
    gpu_places_add(ret_goal,
                   (GpuPlace){.nvml_id = profile->nvml_id, .start = instance->start, .size = profile->size});
  }
}

int cli_mig_plan(const MigWish *wish, const GpuObservation *observation, bool takes_used,
                 CliMigPlan *ret_plan, Error *err) {
  *ret_plan = (CliMigPlan){.takes_used = takes_used};
  for (int i = 0; i < observation->gpu_count; i++) {
    const GpuObserved *gpu = &observation->gpus[i];
    MigLayout layout;
    if (!wish->gpus[i].named)
      continue;
    int r = check_gpu(gpu, err);
    if (r == 0)
      r = cli_mig_wish_bind(&wish->gpus[i], gpu, takes_used ? 0 : used_starts(gpu), &layout, err);
    if (r < 0)
      return r;
    snprintf(ret_plan->gpus[ret_plan->count].uuid, MIG_UUID_SIZE, "%s", gpu->uuid);
    set_goal(&layout, &ret_plan->gpus[ret_plan->count++].goal);
  }
  return 0;
}

static const char *profile_name(const GpuObserved *gpu, int nvml_id) {
  const MigProfile *profile = mig_model_find_nvml_id(&gpu->model, nvml_id);
  return profile ? profile->name : "a slice";
}

static void put_change(const GpuObserved *gpu, const char *verb, int nvml_id, int start, int *count,
                       Text *out) {
  text_format(out, "%s %s%s@%d", *count ? "," : "", verb, profile_name(gpu, nvml_id), start);
  ++*count;
}

static void format_gpu(const GpuPlaces *goal, const GpuObserved *gpu, Text *out) {
  int destroyed = 0, created = 0, changes = 0;
  text_format(out, "GPU %d:", gpu->index);
  for (int i = 0; i < gpu->instance_count; i++)
    if (!gpu_places_have(goal, gpu->instances[i].nvml_id, gpu->instances[i].start)) {
      put_change(gpu, destroyed ? "" : "destroy ", gpu->instances[i].nvml_id, gpu->instances[i].start,
                 &changes, out);
      destroyed++;
    }
  for (int i = 0; i < goal->count; i++) {
    const GpuInstance *instance = gpu_observed_find(gpu, goal->items[i].nvml_id, goal->items[i].start);
    if (instance && instance->uuid[0])
      continue;
    put_change(gpu, created ? "" : "create ", goal->items[i].nvml_id, goal->items[i].start, &changes, out);
    created++;
  }
  int kept = goal->count - created;
  text_format(out, "%s; %d slice%s stay%s\n", changes ? "" : " nothing to change", kept, kept == 1 ? "" : "s",
              kept == 1 ? "s" : "");
}

void cli_mig_plan_format(const CliMigPlan *plan, const GpuObservation *observation, Text *out) {
  for (int i = 0; i < plan->count; i++) {
    const GpuObserved *gpu = gpu_observed_gpu(observation, plan->gpus[i].uuid);
    assert(gpu);
    format_gpu(&plan->gpus[i].goal, gpu, out);
  }
}

/* ---- carrying it out ---- */

typedef struct Carrying {
  const CliMigPlan *plan;
  CliMigGpus *gpus;
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
  if (gpu_transaction_note(transaction, job, profile, gpu, &result->err, &err) == 0 && gpu)
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
                       profile_name(gpu, instance->nvml_id), instance->start);
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
      snprintf(profile, sizeof profile, "%s", profile_name(gpu, job.nvml_id));
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

int cli_mig_carry_out(const CliMigPlan *plan, CliMigGpus *gpus, Error *err) {
  Carrying carrying = {.plan = plan, .gpus = gpus};
  int failed = 0, done = 0;
  gpus->shell.on_stop = on_signal;
  gpus->shell.stop_userdata = &carrying;
  for (; done < plan->count && !carrying.interrupted; done++)
    if (change_gpu(&carrying, plan->gpus[done].uuid, &plan->gpus[done].goal, err) < 0) {
      failed++;
      fprintf(stderr, "facet mig: %s\n", err->text);
    }
  gpus->shell.on_stop = NULL;
  if (done < plan->count)
    return error_set(err, ERROR_UNAVAILABLE, "interrupted; GPUs left as they were: %d", plan->count - done);
  if (failed)
    return error_set(err, ERROR_GPU, "GPUs that are not as wished: %d of %d", failed, plan->count);
  return 0;
}
