/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/halves.h"

#include "base/backoff.h"

#include <string.h>

static AgentHalf *find(AgentHalves *halves, const GpuObserved *gpu, const GpuInstance *instance) {
  for (size_t i = 0; i < halves->items.count; i++) {
    AgentHalf *half = &halves->items.items[i];
    if (strcmp(half->gpu_uuid, gpu->uuid) == 0 && half->place.nvml_id == instance->nvml_id &&
        half->place.start == instance->start)
      return half;
  }
  return NULL;
}

static AgentHalf *add(AgentHalves *halves, const GpuObserved *gpu, const GpuInstance *instance,
                      uint64_t now_ms) {
  AgentHalf *half = array_push(&halves->items);
  *half =
      (AgentHalf){.gpu = gpu->index,
                  .place = {.nvml_id = instance->nvml_id, .start = instance->start, .size = instance->size},
                  .delay_ms = AGENT_HALF_FIRST_MS,
                  .at_ms = now_ms + AGENT_HALF_FIRST_MS};
  snprintf(half->gpu_uuid, sizeof half->gpu_uuid, "%s", gpu->uuid);
  snprintf(half->profile, sizeof half->profile, "%s", gpu_observed_profile_name(gpu, instance->nvml_id));
  return half;
}

/* As long as its transaction may still do something about it, it is the transaction's. */
static bool is_given_up(AgentTransactions *transactions, const GpuObserved *gpu,
                        const GpuInstance *instance) {
  const GpuTransaction *transaction = agent_wanted_transaction(transactions, gpu->uuid);
  return transaction && (transaction->state == GPU_TRANSACTION_UNDONE ||
                         gpu_places_have(&transaction->failed, instance->nvml_id, instance->start));
}

static bool is_left(const AgentWantedView *view, AgentTransactions *transactions, const GpuObserved *gpu,
                    const GpuInstance *instance) {
  return agent_wanted_is_leftover(view, gpu, instance) && is_given_up(transactions, gpu, instance);
}

static void look_at(AgentHalves *halves, const AgentWantedView *view, AgentTransactions *transactions,
                    const GpuObserved *gpu) {
  if (!agent_wanted_is_workable(view->node, gpu))
    return;
  for (int i = 0; i < gpu->instance_count; i++) {
    const GpuInstance *instance = &gpu->instances[i];
    AgentHalf *half = find(halves, gpu, instance);
    if (!half && is_left(view, transactions, gpu, instance))
      half = add(halves, gpu, instance, view->now_ms);
    if (half)
      half->is_there = is_left(view, transactions, gpu, instance);
  }
}

static void forget_gone(AgentHalves *halves) {
  for (size_t i = halves->items.count; i-- > 0;)
    if (!halves->items.items[i].is_there)
      array_remove(&halves->items, i);
}

const AgentHalf *agent_halves_next(AgentHalves *halves, const AgentWantedView *view,
                                   AgentTransactions *transactions) {
  for (size_t i = 0; i < halves->items.count; i++)
    halves->items.items[i].is_there = false;
  for (int i = 0; i < view->observation->gpu_count; i++)
    look_at(halves, view, transactions, &view->observation->gpus[i]);
  forget_gone(halves);
  for (size_t i = 0; i < halves->items.count; i++) {
    AgentHalf *half = &halves->items.items[i];
    if (view->now_ms < half->at_ms)
      continue;
    half->delay_ms = backoff_next_ms(half->delay_ms, AGENT_HALF_FIRST_MS, AGENT_HALF_MOST_MS);
    half->at_ms = view->now_ms + half->delay_ms;
    return half;
  }
  return NULL;
}

void agent_halves_set_job(const AgentHalf *half, GpuJob *ret_job) {
  *ret_job = (GpuJob){.kind = GPU_JOB_DESTROY,
                      .nvml_id = half->place.nvml_id,
                      .start = half->place.start,
                      .size = half->place.size,
                      .gpu = (uint32_t)half->gpu,
                      .is_bare = true};
  snprintf(ret_job->uuid, sizeof ret_job->uuid, "%s", half->gpu_uuid);
}

void agent_halves_append(const AgentHalves *halves, Text *text) {
  for (size_t i = 0; i < halves->items.count; i++) {
    const AgentHalf *half = &halves->items.items[i];
    CLEANUP(text_deinit) Text sentence = {0};
    text_format(&sentence,
                "half of %s at slot %d of GPU %d is left: the driver neither completed nor removed it; facet "
                "goes on trying, at least every %d minutes",
                half->profile, half->place.start, half->gpu, AGENT_HALF_MOST_MS / 60000);
    text_append_item(text, "; ", text_string(&sentence));
  }
}

void agent_halves_deinit(AgentHalves *halves) {
  array_deinit(&halves->items);
}
