/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: observed GPUs in a few words. Include "base/test.h" before. */
#pragma once

#include "base/memory.h"
#include "base/text.h"
#include "gpu/observed.h"
#include "mig/test.h"

/* "1g.10gb@6": its MIG device is "MIG-<gpu>-6"; "1g.10gb@6?" has no compute instance, "1g.10gb@6!" a smaller
 * one. */
static inline void observe_slice(GpuObserved *gpu, const char *slice) {
  char name[MIG_PROFILE_NAME_SIZE];
  int start;
  assert_int_equal(sscanf(slice, "%23[^@]@%d", name, &start), 2);
  const MigProfile *profile = &gpu->model.profiles[mig_model_find_profile(&gpu->model, name)];
  GpuInstance *instance = &gpu->instances[gpu->instance_count++];
  *instance = (GpuInstance){.gpu_instance_id = (uint32_t)gpu->instance_count,
                            .nvml_id = profile->nvml_id,
                            .start = (uint8_t)start,
                            .size = profile->size};
  instance->compute_count = string_has_suffix(slice, "!");
  if (!string_has_suffix(slice, "?") && !string_has_suffix(slice, "!"))
    snprintf(instance->uuid, sizeof instance->uuid, "MIG-%d-%d", gpu->index, start);
}

static inline void observe_slices(GpuObserved *gpu, const char *slices) {
  CLEANUP(cleanup_free) char *copy = mem_strdup(slices);
  char *rest = copy;
  for (char *slice; (slice = strsep(&rest, " "));)
    if (*slice)
      observe_slice(gpu, slice);
}

/* "GPU-<index>", of that row of the table, with MIG on. */
static inline void observe_gpu(GpuObserved *gpu, int index, const MigModelRow *row, const char *slices) {
  *gpu = (GpuObserved){.index = index,
                       .minor = index,
                       .identified = true,
                       .mode = MIG_MODE_ON,
                       .mig_capable = true,
                       .model = row->model};
  snprintf(gpu->uuid, sizeof gpu->uuid, "GPU-%d", index);
  snprintf(gpu->product, sizeof gpu->product, "%s", row->product_names[0]);
  observe_slices(gpu, slices);
}
