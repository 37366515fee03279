/* SPDX-License-Identifier: Apache-2.0 */
/* One job: the change, then a fresh look, because only the look is the truth: at the GPU that was changed
 * where the others were looked at in this session, and at everything where the change failed. */
#include "gpu/nvml_private.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

void gpu_nvml_set_on_gpu(GpuNvml *nvml, void (*on_gpu)(void *userdata, uint32_t gpu), void *userdata) {
  nvml->on_gpu = on_gpu;
  nvml->on_gpu_userdata = userdata;
}

void gpu_nvml_tell_gpu(GpuNvml *nvml, uint32_t gpu) {
  if (nvml->on_gpu)
    nvml->on_gpu(nvml->on_gpu_userdata, gpu);
}

static bool changes_gpus(GpuJobKind kind) {
  return kind != GPU_JOB_OBSERVE && kind != GPU_JOB_WATCH;
}

static int change(GpuNvml *nvml, const GpuJob *job, GpuResult *result, Error *err) {
  switch (job->kind) {
  case GPU_JOB_OBSERVE:
    return 0;
  case GPU_JOB_CREATE:
    return gpu_nvml_create(nvml, job, result->created_uuid, err);
  case GPU_JOB_DESTROY:
    return gpu_nvml_destroy(nvml, job, err);
  case GPU_JOB_ENABLE_MIG:
    return gpu_nvml_enable_mig(nvml, job, err);
  case GPU_JOB_WATCH:
    return gpu_nvml_watch(nvml, job, result, err);
  }
  assert(!"a GpuJobKind");
  return 0;
}

static int look(GpuNvml *nvml, const GpuJob *job, bool has_changed, GpuObservation *ret_observation,
                Error *err) {
  if (has_changed && changes_gpus(job->kind) &&
      gpu_nvml_observe_again(nvml, job->skip, job->uuid, ret_observation))
    return 0;
  return gpu_nvml_observe(nvml, job->skip, ret_observation, err);
}

void gpu_nvml_run(GpuNvml *nvml, const GpuJob *job, GpuResult *ret_result) {
  const GpuNvmlClock *clock = &nvml->clock;
  uint64_t start_ms = clock->now_ms(clock->userdata);
  /* Only the pages of GPUs that exist become resident. */
  memset(ret_result, 0, offsetof(GpuResult, observation.gpus));
  if (changes_gpus(job->kind)) {
    gpu_nvml_end_watch(nvml); /* what we hold ourselves shall not be in the way */
    gpu_nvml_tell_gpu(nvml, job->gpu);
  }
  int changed = change(nvml, job, ret_result, &ret_result->err);
  Error err;
  if (job->kind != GPU_JOB_WATCH)
    ret_result->observed = look(nvml, job, changed == 0, &ret_result->observation, &err) == 0;
  if (job->kind != GPU_JOB_WATCH && !ret_result->observed && changed == 0)
    ret_result->err = err;
  ret_result->took_ms = (uint32_t)(clock->now_ms(clock->userdata) - start_ms);
}
