/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/relied.h"

#include <stdio.h>
#include <string.h>

static bool is_whole(const GpuObserved *gpu, GpuPlace place) {
  const GpuInstance *instance = gpu_observed_find(gpu, place.nvml_id, place.start);
  return instance && instance->uuid[0];
}

static void add(AgentRelied *relied, const char *id, const GpuObserved *gpu, GpuPlace place) {
  AgentReliedSlice *slice = array_push(&relied->slices);
  *slice = (AgentReliedSlice){.place = place};
  snprintf(slice->id, sizeof slice->id, "%s", id);
  snprintf(slice->gpu, sizeof slice->gpu, "%s", gpu->uuid);
}

/* What the node says that this very GPU held, and which of it was used. */
static bool read_status(const Node *node, const GpuObserved *gpu, GpuPlaces *ret_places,
                        uint32_t *ret_used_starts) {
  const char *identity_text =
      key_values_find_index(&node->meta.annotations, MIG_ANNOTATION_IDENTITY_PREFIX, gpu->index);
  const char *status =
      key_values_find_index(&node->meta.annotations, MIG_ANNOTATION_STATUS_GPU_PREFIX, gpu->index);
  MigIdentity identity;
  MigLayout layout;
  Error err;
  if (!identity_text || !status || mig_identity_parse(identity_text, &identity, &err) < 0 ||
      strcmp(identity.uuid, gpu->uuid) != 0 ||
      mig_status_parse(status, &gpu->model, &layout, ret_used_starts, &err) < 0)
    return false;
  for (int i = 0; i < layout.count; i++) {
    const MigProfile *profile = &gpu->model.profiles[layout.instances[i].profile];
    gpu_places_add(
        ret_places,
        (GpuPlace){.nvml_id = profile->nvml_id, .start = layout.instances[i].start, .size = profile->size});
  }
  return true;
}

static void read_gpu(AgentRelied *relied, const Node *node, const GpuObserved *gpu) {
  GpuPlaces places = {0};
  uint32_t used_starts;
  if (!read_status(node, gpu, &places, &used_starts))
    return;
  for (int i = 0; i < places.count; i++)
    if (used_starts >> places.items[i].start & 1 && !is_whole(gpu, places.items[i]))
      add(relied, "", gpu, places.items[i]);
}

void agent_relied_remember_good(const Node *node, const GpuObservation *observation,
                                AgentTransactions *transactions) {
  for (int g = 0; g < observation->gpu_count; g++) {
    const GpuObserved *gpu = &observation->gpus[g];
    GpuPlaces places = {0};
    uint32_t used_starts;
    if (!gpu->model.profile_count || !read_status(node, gpu, &places, &used_starts))
      continue;
    for (int i = 0; i < places.count; i++)
      gpu_transaction_add_good(agent_wanted_begin(transactions, gpu), places.items[i]);
  }
}

void agent_relied_read(AgentRelied *relied, const Node *node, const GpuObservation *observation) {
  for (int i = 0; i < observation->gpu_count; i++)
    if (observation->gpus[i].model.profile_count)
      read_gpu(relied, node, &observation->gpus[i]);
}

static AgentReliedSlice *find(AgentRelied *relied, const char *id) {
  for (size_t i = 0; i < relied->slices.count; i++)
    if (strcmp(relied->slices.items[i].id, id) == 0)
      return &relied->slices.items[i];
  return NULL;
}

static bool is_over(const AgentReliedSlice *slice, const Map *held, const GpuObservation *observation) {
  if (slice->id[0])
    return !map_find(held, slice->id);
  const GpuObserved *gpu = gpu_observed_gpu(observation, slice->gpu);
  return gpu && is_whole(gpu, slice->place);
}

static void note_gpu(AgentRelied *relied, const Map *held, const GpuObserved *gpu) {
  for (int i = 0; i < gpu->instance_count; i++) {
    const GpuInstance *instance = &gpu->instances[i];
    if (!instance->uuid[0] || !map_find(held, instance->uuid) || find(relied, instance->uuid))
      continue;
    add(relied, instance->uuid, gpu,
        (GpuPlace){.nvml_id = instance->nvml_id, .start = instance->start, .size = instance->size});
  }
}

void agent_relied_note(AgentRelied *relied, const Map *held, const GpuObservation *observation) {
  for (size_t i = relied->slices.count; i-- > 0;)
    if (is_over(&relied->slices.items[i], held, observation))
      array_remove(&relied->slices, i);
  for (int i = 0; i < observation->gpu_count; i++)
    note_gpu(relied, held, &observation->gpus[i]);
}

bool agent_relied_find_lost(const AgentRelied *relied, const AgentWantedView *view, const GpuObserved *gpu,
                            GpuPlaces *ret_lost) {
  bool has_newer_wish =
      !view->is_answered &&
      key_values_find_index(&view->node->meta.annotations, MIG_ANNOTATION_SPEC_GPU_PREFIX, gpu->index);
  for (size_t i = 0; i < relied->slices.count; i++) {
    const AgentReliedSlice *slice = &relied->slices.items[i];
    if (strcmp(slice->gpu, gpu->uuid) == 0 && !is_whole(gpu, slice->place) &&
        (slice->id[0] || !has_newer_wish))
      gpu_places_add(ret_lost, slice->place);
  }
  return ret_lost->count > 0;
}

void agent_relied_deinit(AgentRelied *relied) {
  array_deinit(&relied->slices);
}
