/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent sees and waits for: for metrics, for /readyz, and for the person at the terminal. Only
 * looks. */
#include "agent/state.h"

#include "gpu/observed.h"

static double seconds_since(const Agent *agent, uint64_t at_ms) {
  return (double)(agent->host->now_ms - at_ms) / 1000;
}

static const char *profile_of(const GpuObserved *gpu, const GpuInstance *instance) {
  for (int i = 0; i < gpu->model.profile_count; i++)
    if (gpu->model.profiles[i].nvml_id == instance->nvml_id)
      return gpu->model.profiles[i].name;
  return "unknown";
}

static const char *use_of(const Agent *agent, const GpuInstance *instance) {
  return instance->uuid[0] && map_find(&agent->used, instance->uuid) ? "used" : "free";
}

bool agent_is_ready(const Agent *agent, const char **ret_why) {
  *ret_why = !kube_informer_is_synced(agent->nodes) ? "the node was not read at the API server yet"
             : !agent_node(agent)                   ? "the cluster has no node of this name"
             : agent->observe_error.code            ? "the GPUs cannot be read"
             : !agent->observation                  ? "the GPUs were not read yet"
                                                    : NULL;
  return !*ret_why;
}

void agent_fill_metrics(const Agent *agent) {
  metrics_clear(agent->metrics, METRIC_SLICES);
  for (int g = 0; agent->observation && g < agent->observation->gpu_count; g++) {
    const GpuObserved *gpu = &agent->observation->gpus[g];
    for (int i = 0; i < gpu->instance_count; i++)
      metrics_add(agent->metrics, METRIC_SLICES,
                  METRIC_LABELS(profile_of(gpu, &gpu->instances[i]), use_of(agent, &gpu->instances[i])), 1);
  }
}

static void append_node(const Agent *agent, Text *out) {
  const Node *node = agent_node(agent);
  const char *why;
  bool is_ready = agent_is_ready(agent, &why);
  text_format(out, "node: %s, %s%s%s\n", agent->node_name,
              !node                           ? "not seen"
              : agent_wanted_is_managed(node) ? "handed to facet"
                                              : "not handed to facet (label " MIG_LABEL_PARTITIONING "=mig)",
              is_ready ? "" : "; ", is_ready ? "" : why);
  if (agent->leaving.state != AGENT_STAYING)
    text_append(out, "it is leaving\n");
}

static void append_gpu(const Agent *agent, const GpuObserved *gpu, Text *out) {
  text_format(out, "GPU %d: %s, %s, MIG %s%s%s\n", gpu->index, gpu->uuid, gpu->product,
              gpu->mode == MIG_MODE_ON    ? "on"
              : gpu->mode == MIG_MODE_OFF ? "off"
                                          : "pending",
              gpu->trouble[0] ? "; trouble: " : "", gpu->trouble);
  for (int i = 0; i < gpu->instance_count; i++) {
    const GpuInstance *instance = &gpu->instances[i];
    text_format(out, "  %s@%d %s%s%s\n", profile_of(gpu, instance), instance->start,
                agent->used_known ? use_of(agent, instance) : "(who holds it is not known yet)",
                instance->uuid[0] ? ", " : ", incomplete", instance->uuid);
  }
}

static void append_plan(const Agent *agent, Text *out) {
  if (!agent->plan[0])
    text_append(out, "plan: none\n");
  else
    text_format(out, "plan: %s, %s\n", agent->plan, agent->plan_done ? "done" : "at work");
  text_format(out, "driver: %s\n", agent->driver_busy ? "busy" : "idle");
  const AgentRecut *recut = agent_recutting_find_active(&agent->recutting);
  if (recut || agent->recutting.recuts.count)
    text_format(out, "re-cuts: %zu, %s\n", agent->recutting.recuts.count,
                recut ? "one at work" : "all on their way out");
}

static void append_resources(const Agent *agent, Text *out) {
  for (size_t i = 0; i < agent->resources.count; i++) {
    const AgentResource *resource = &agent->resources.items[i];
    if (resource->partitions.count)
      text_format(out, "resource %s: %zu, %s\n", resource->name, resource->partitions.count,
                  agent->known[i] ? "the kubelet knows" : "the kubelet does not know yet");
  }
}

static void append_report(const Agent *agent, Text *out) {
  if (agent->reported)
    text_format(out, "last report: %.1f s ago, %s\n", seconds_since(agent, agent->reported_ms),
                agent->report_in_flight  ? "not answered yet"
                : agent->report_error[0] ? agent->report_error
                                         : "accepted");
  else
    text_append(out, "last report: none\n");
  char error[ERROR_TEXT_SIZE * 2];
  const char *sentence = agent_gpus_error(agent, error, sizeof error);
  if (sentence)
    text_format(out, "error: %s\n", sentence);
}

void agent_debug_format(const Agent *agent, Text *ret_text) {
  text_format(ret_text, "facet agent %s\n", FACET_VERSION);
  append_node(agent, ret_text);
  for (int g = 0; agent->observation && g < agent->observation->gpu_count; g++)
    append_gpu(agent, &agent->observation->gpus[g], ret_text);
  append_plan(agent, ret_text);
  append_resources(agent, ret_text);
  append_report(agent, ret_text);
}
