/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/migmode.h"

#include "agent/state.h"

/* ---- judging ---- */

static bool is_wanted(const AgentMigMode *mode, const Node *node) {
  const char *text = key_values_find(&node->meta.annotations, MIG_ANNOTATION_MIG_MODE);
  return text ? strcmp(text, "auto") == 0 : mode->is_on;
}

AgentMigModeVerdict agent_migmode_judge(const AgentMigMode *mode, const Node *node, const GpuObserved *gpu,
                                        const Map *held) {
  bool is_candidate = gpu->identified && gpu->mig_capable && gpu->mode != MIG_MODE_ON && !gpu->trouble[0] &&
                      !agent_wanted_is_excluded(node, gpu) && !agent_wanted_is_paused(node);
  if (!is_candidate)
    return AGENT_MIGMODE_NOTHING;
  if (!is_wanted(mode, node))
    return mode->was_on >> gpu->index & 1 ? AGENT_MIGMODE_LOST : AGENT_MIGMODE_NOTHING;
  /* A kind of GPU that the table does not know might need a reset. */
  const MigModelRow *row = mig_model_find_pci(gpu->pci_device_id);
  if (!row)
    row = mig_model_find(gpu->product);
  if (gpu->mode == MIG_MODE_PENDING || !row || row->model.mode_needs_reset)
    return AGENT_MIGMODE_RESET;
  return !held || map_find(held, gpu->uuid) ? AGENT_MIGMODE_BUSY : AGENT_MIGMODE_ENABLE;
}

void agent_migmode_format(const GpuObserved *gpu, AgentMigModeVerdict verdict, char *ret_text, size_t size) {
  int i = gpu->index;
  ret_text[0] = '\0';
  if (verdict == AGENT_MIGMODE_RESET && gpu->mode == MIG_MODE_PENDING)
    snprintf(ret_text, size,
             "GPU %d needs a reset for its MIG mode: drain the node, then `nvidia-smi --gpu-reset -i %d`, or "
             "reboot",
             i, i);
  else if (verdict == AGENT_MIGMODE_RESET)
    snprintf(
        ret_text, size,
        "GPU %d is not in MIG mode, and needs a reset for it: drain the node, then `nvidia-smi -i %d -mig 1` "
        "and `nvidia-smi --gpu-reset -i %d`, or reboot",
        i, i, i);
  else if (verdict == AGENT_MIGMODE_BUSY)
    snprintf(ret_text, size, "GPU %d is not in MIG mode: it is switched on when no pod uses the GPU any more",
             i);
  else if (verdict == AGENT_MIGMODE_LOST)
    snprintf(ret_text, size,
             "GPU %d has lost its MIG mode, as GPUs of its kind do when the node reboots: `nvidia-smi -i %d "
             "-mig 1`, "
             "or annotate the node with " MIG_ANNOTATION_MIG_MODE "=auto",
             i, i);
}

/* ---- the shell ---- */

/* Before our own report says something else. */
static void read_node(Agent *agent, const Node *node) {
  AgentMigMode *mode = &agent->migmode;
  for (int i = 0; !mode->is_read && i < agent->observation->gpu_count; i++) {
    const GpuObserved *gpu = &agent->observation->gpus[i];
    MigIdentity identity;
    Error err;
    const char *text =
        key_values_find_index(&node->meta.annotations, MIG_ANNOTATION_IDENTITY_PREFIX, gpu->index);
    if (text && mig_identity_parse(text, &identity, &err) == 0 && identity.mode == MIG_MODE_ON &&
        strcmp(identity.uuid, gpu->uuid) == 0)
      mode->was_on |= UINT32_C(1) << gpu->index;
  }
  mode->is_read = true;
}

static AgentMigModeVerdict judge(const Agent *agent, const Node *node, const GpuObserved *gpu) {
  return agent_migmode_judge(&agent->migmode, node, gpu, agent->used_known ? &agent->used : NULL);
}

bool agent_migmode_withholds(const Agent *agent, const char *uuid) {
  const GpuObserved *gpu = gpu_observed_gpu(agent->observation, uuid);
  return gpu && agent->migmode.withheld >> gpu->index & 1;
}

static void on_enabled(void *userdata, const GpuResult *result) {
  Agent *agent = userdata;
  AgentMigMode *mode = &agent->migmode;
  agent->driver_busy = false;
  agent_gpus_take(agent, result);
  agent_service_note(&agent->service, result, agent->host->now_ms);
  agent->observe_due = agent->observe_due || !result->observed;
  if (result->err.code) {
    snprintf(mode->error, sizeof mode->error, "%s", result->err.text);
    log_error(AGENT_COMPONENT, "MIG mode not switched on", "err=" LOG_QUOTED, result->err.text);
    agent_node_event_send(agent, "MigModeFailed", result->err.text);
    mode->failed = mode->withheld;
    mode->retry_ms = agent->host->now_ms + AGENT_MIGMODE_RETRY_MS;
    timer_set(agent->host, &mode->timer, AGENT_MIGMODE_RETRY_MS);
  } else {
    mode->error[0] = '\0';
    log_info(AGENT_COMPONENT, "MIG mode switched on", "took_ms=%u", result->took_ms);
  }
  agent_kick(agent);
}

/* What the kubelet and the node shall not offer any more. Starting over where that changes. */
static uint32_t choose(const Agent *agent, const Node *node) {
  const AgentMigMode *mode = &agent->migmode;
  uint32_t chosen = 0;
  for (int i = 0; i < agent->observation->gpu_count; i++)
    if (judge(agent, node, &agent->observation->gpus[i]) == AGENT_MIGMODE_ENABLE)
      chosen |= UINT32_C(1) << i;
  return agent->host->now_ms < mode->retry_ms ? chosen & ~mode->failed : chosen;
}

static void enable_first(Agent *agent) {
  for (int i = 0; i < agent->observation->gpu_count; i++)
    if (agent->migmode.withheld >> i & 1) {
      GpuJob job = {.kind = GPU_JOB_ENABLE_MIG, .gpu = (uint32_t)i};
      snprintf(job.uuid, sizeof job.uuid, "%s", agent->observation->gpus[i].uuid);
      agent_gpus_submit(agent, &job, on_enabled);
      return;
    }
}

void agent_migmode_step(Agent *agent, const Node *node) {
  AgentMigMode *mode = &agent->migmode;
  uint64_t now_ms = agent->host->now_ms;
  if (!agent->observation || agent_rereading_is_on(agent))
    return;
  read_node(agent, node);
  uint32_t chosen = choose(agent, node);
  if (chosen & ~mode->withheld) {
    mode->is_witnessed = false;
    mode->settled_ms = 0;
    agent_kick(agent); /* the list is sent in the next step */
  }
  mode->withheld = chosen;
  if (!chosen || !agent_slices_all_known(agent) || !agent->is_published)
    return;
  if (!mode->is_witnessed) {
    mode->is_witnessed = true;
    agent_recutting_call_witness(agent);
    return;
  }
  if (agent_recutting_awaits_witness(agent))
    return;
  if (!mode->settled_ms) {
    mode->settled_ms = now_ms + AGENT_MIGMODE_SETTLE_MS;
    timer_set(agent->host, &mode->timer, AGENT_MIGMODE_SETTLE_MS);
  }
  if (now_ms >= mode->settled_ms && !agent->driver_busy)
    enable_first(agent);
}

void agent_migmode_append_error(const Agent *agent, Text *text) {
  const Node *node = agent_node(agent);
  text_append_item(text, "; ", agent->migmode.error);
  for (int i = 0; node && agent->observation && i < agent->observation->gpu_count; i++) {
    const GpuObserved *gpu = &agent->observation->gpus[i];
    char sentence[ERROR_TEXT_SIZE];
    agent_migmode_format(gpu, judge(agent, node, gpu), sentence, sizeof sentence);
    text_append_item(text, "; ", sentence);
  }
}

static void on_timer(void *userdata) {
  agent_kick(userdata);
}

void agent_migmode_init(Agent *agent, bool is_on) {
  agent->migmode.is_on = is_on;
  agent->migmode.timer = (HostTimer){.fire = on_timer, .userdata = agent};
}

void agent_migmode_deinit(Agent *agent) {
  timer_cancel(agent->host, &agent->migmode.timer);
}
