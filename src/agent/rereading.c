/* SPDX-License-Identifier: Apache-2.0 */
/* Level-triggered: each step compares what the kubelet shows with what exists, whoever changed either. A
 * signal is sent at once; the pod is looked for among the node's pods each time anew, because a restarted one
 * has another name. */
#include "agent/rereading.h"

#include "agent/state.h"
#include "gpu/observed.h"

#include <inttypes.h>
#include <time.h>

#define PLUGIN "NVIDIA's device plugin"

bool agent_rereading_is_on(const Agent *agent) {
  return agent->rereading.is_on;
}

void agent_rereading_note_change(Agent *agent) {
  agent->rereading.changes++;
}

uint32_t agent_rereading_poll_ms(const Agent *agent) {
  bool is_close = agent->host->now_ms - agent->barrier_began_ms < AGENT_REREAD_POLL_FAST_MS;
  return is_close && agent->rereading.machine.state != AGENT_REREAD_SHOWN ? AGENT_REREAD_POLL_MS
                                                                          : AGENT_BARRIER_POLL_MAX_MS;
}

/* ---- what it shows ---- */

static bool is_in_mig_mode(const GpuObservation *observation, const char *uuid) {
  const GpuObserved *gpu = gpu_observed_gpu(observation, uuid);
  return gpu && gpu->mode == MIG_MODE_ON;
}

/* What no reading will mend. */
static void judge_id(const Agent *agent, const char *resource, const char *id, char *ret_text, size_t size) {
  bool is_whole = strcmp(resource, AGENT_WHOLE_RESOURCE) == 0;
  if (is_whole && (string_has_prefix(id, "MIG-") || is_in_mig_mode(agent->observation, id)))
    snprintf(ret_text, size,
             PLUGIN " publishes %s as " AGENT_WHOLE_RESOURCE ": only its MIG strategy `mixed` fits (Helm "
                    "migStrategy=mixed, GPU Operator mig.strategy=mixed)",
             id);
  else if (mig_profile_is_resource(resource) && strstr(id, "::"))
    snprintf(ret_text, size,
             PLUGIN " shares slices between pods (%s of %s): take `sharing` of MIG slices out of its "
                    "configuration",
             id, resource);
}

void agent_rereading_note_answer(Agent *agent, const KubeletHelds *helds) {
  AgentRereading *rereading = &agent->rereading;
  rereading->answered_changes = rereading->changes;
  rereading->hopeless[0] = '\0';
  for (size_t i = 0; agent->observation && i < helds->count; i++)
    for (size_t k = 0; k < helds->items[i].ids.count && !rereading->hopeless[0]; k++)
      judge_id(agent, string_or_empty(helds->items[i].resource), helds->items[i].ids.items[k],
               rereading->hopeless, sizeof rereading->hopeless);
}

static bool all_shown(const Agent *agent, size_t *ret_missing) {
  bool all = true;
  *ret_missing = 0;
  for (size_t i = 0; i < agent->resources.count; i++)
    if (!agent->known[i]) {
      all = false;
      *ret_missing += agent->resources.items[i].partitions.count;
    }
  return all;
}

/* ---- asking ---- */

static void note_asked(Agent *agent, AgentRereadWay way) {
  log_info(AGENT_COMPONENT, PLUGIN " is to read the GPUs again", "how=" LOG_QUOTED, agent->rereading.how);
  agent_reread_done(&agent->rereading.machine, way, agent->host->now_ms);
  agent_slices_watch_closely(agent);
  agent_kick(agent);
}

static void refuse(Agent *agent, const char *reason) {
  AgentRereading *rereading = &agent->rereading;
  char text[ERROR_TEXT_SIZE];
  uint32_t held_back;
  snprintf(text, sizeof text, "%.200s%s%.300s", rereading->silence, rereading->silence[0] ? ", and " : "",
           reason);
  if (log_gate_pass(&agent->gate, text, agent->host->now_ms, &held_back))
    log_warn(AGENT_COMPONENT, PLUGIN " cannot be told to read the GPUs again", "held_back=%u err=" LOG_QUOTED,
             held_back, text);
  agent_reread_refuse(&rereading->machine, text, agent->host->now_ms);
  agent_kick(agent);
}

static void on_deleted(void *userdata, const KubeAnswer *answer) {
  Agent *agent = userdata;
  AgentRereading *rereading = &agent->rereading;
  Error err;
  if (!agent_node_pod_is_deleted(answer, &err)) {
    error_prefix(&err, "its pod %.100s/%.100s cannot be deleted", rereading->pod.namespace_,
                 rereading->pod.name);
    refuse(agent, err.text);
    return;
  }
  snprintf(rereading->how, sizeof rereading->how, "its pod %.200s/%.200s was deleted",
           rereading->pod.namespace_, rereading->pod.name);
  note_asked(agent, AGENT_REREAD_POD);
}

static const char *get_selector(const AgentRereading *rereading) {
  if (rereading->selector)
    return rereading->selector_index == 0 ? rereading->selector : NULL;
  return agent_plugin_pod_selector(rereading->selector_index);
}

static void look_for_pod(Agent *agent);

static void on_pods(void *userdata, const KubeAnswer *answer) {
  Agent *agent = userdata;
  AgentRereading *rereading = &agent->rereading;
  Error err;
  int r = kube_answer_is_ok(answer, &err)
              ? agent_plugin_pod_find(answer, agent->node_name, rereading->selector, &rereading->pod, &err)
              : error_prefix(&err, "its pod cannot be looked for");
  if (r == AGENT_PLUGIN_POD_NONE) {
    rereading->selector_index++;
    look_for_pod(agent);
  } else if (r == AGENT_PLUGIN_POD_LEAVING) {
    snprintf(rereading->how, sizeof rereading->how, "its pod is being deleted already");
    note_asked(agent, AGENT_REREAD_POD);
  } else if (r < 0) {
    refuse(agent, err.text);
  } else {
    agent_node_pod_delete(agent->client, &rereading->pod, on_deleted, agent);
  }
}

static void look_for_pod(Agent *agent) {
  const AgentRereading *rereading = &agent->rereading;
  const char *selector = get_selector(rereading);
  if (!selector) {
    CLEANUP(cleanup_free)
    char *text =
        rereading->selector
            ? mem_format("no pod of this node has the label %s", rereading->selector)
            : mem_strdup("no pod of this node has one of its usual labels: is it installed? Say which "
                         "pod with --nvidia-plugin-selector");
    refuse(agent, text);
    return;
  }
  CLEANUP(text_deinit) Text path = {0};
  agent_node_pods_format_path(NULL, agent->node_name, selector, &path);
  kube_client_call(agent->client,
                   &(KubeCallOptions){
                       .method = "GET", .path = text_string(&path), .on_answer = on_pods, .userdata = agent});
}

static bool hang_up(Agent *agent) {
  AgentRereading *rereading = &agent->rereading;
  Error err;
  int pid = 0;
  rereading->silence[0] = '\0';
  if (!rereading->process)
    return false;
  if (agent_reread_prefers_pod(&rereading->machine)) {
    snprintf(rereading->silence, sizeof rereading->silence, "SIGHUP did not help");
    return false;
  }
  int r = rereading->process->hang_up(rereading->process, &pid, &err);
  if (r == 0)
    snprintf(rereading->how, sizeof rereading->how, "SIGHUP was sent to its process %d", pid);
  else
    snprintf(rereading->silence, sizeof rereading->silence, "%s",
             r < 0 ? err.text
                   : "no process nvidia-device-plugin is to be seen (without hostPID: true none is)");
  return r == 0;
}

static void ask(Agent *agent) {
  if (hang_up(agent)) {
    note_asked(agent, AGENT_REREAD_SIGNAL);
    return;
  }
  agent->rereading.selector_index = 0;
  look_for_pod(agent);
}

/* ---- words ---- */

static void format_what(const Agent *agent, char *ret_text, size_t size) {
  size_t missing;
  (void)all_shown(agent, &missing);
  if (missing)
    snprintf(ret_text, size, "show %zu slice%s", missing, missing == 1 ? "" : "s");
  else
    snprintf(ret_text, size, "drop slices that are gone");
}

/* While it is asked once more nothing new is known: the words stay. */
static const char *describe_state(const AgentRereading *rereading) {
  const AgentReread *machine = &rereading->machine;
  if (machine->state == AGENT_REREAD_GATHERING)
    return "it is asked when the GPUs are cut";
  if (machine->state == AGENT_REREAD_GONE)
    return "it had shown them: is it starting again, or does it hold a GPU for sick?";
  if (machine->way != AGENT_REREAD_NO_WAY)
    return rereading->how;
  return machine->refusal[0] ? "it cannot be asked" : "looking for its pod";
}

/* One time for one wait: it goes into an annotation, which must not change each second. */
static void format_since(Agent *agent, uint64_t waits_ms, char *ret_text, size_t size) {
  AgentRereading *rereading = &agent->rereading;
  if (rereading->told_began_ms != rereading->machine.began_ms)
    rereading->since_ms = agent->host->wall_ms - (int64_t)waits_ms;
  rereading->told_began_ms = rereading->machine.began_ms;
  time_t since = (time_t)(rereading->since_ms / 1000);
  struct tm parts;
  gmtime_r(&since, &parts);
  strftime(ret_text, size, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static void format_stage(Agent *agent) {
  AgentRereading *rereading = &agent->rereading;
  uint64_t waits_ms = agent_reread_waits_ms(&rereading->machine, agent->host->now_ms);
  rereading->stage[0] = '\0';
  if (waits_ms < AGENT_REREAD_STAGE_MS)
    return;
  char what[64], since[32];
  uint32_t held_back;
  format_what(agent, what, sizeof what);
  format_since(agent, waits_ms, since, sizeof since);
  snprintf(rereading->stage, sizeof rereading->stage, "waiting for " PLUGIN " to %s, since %s: %.300s", what,
           since, describe_state(rereading));
  if (log_gate_pass(&agent->gate, rereading->stage, agent->host->now_ms, &held_back))
    log_warn(AGENT_COMPONENT, "waiting for " PLUGIN,
             "since_s=%" PRIu64 " to=" LOG_QUOTED " stage=" LOG_QUOTED, waits_ms / 1000, what,
             describe_state(rereading));
}

static void format_error(Agent *agent) {
  AgentRereading *rereading = &agent->rereading;
  const AgentReread *machine = &rereading->machine;
  uint64_t waits_ms = agent_reread_waits_ms(machine, agent->host->now_ms);
  rereading->error[0] = '\0';
  if (machine->refusal[0])
    snprintf(rereading->error, sizeof rereading->error,
             PLUGIN " cannot be told to read the GPUs again: %.430s", machine->refusal);
  else if (waits_ms >= AGENT_REREAD_TROUBLE_MS && rereading->hopeless[0])
    snprintf(rereading->error, sizeof rereading->error, "%s", rereading->hopeless);
  else if (waits_ms >= AGENT_REREAD_TROUBLE_MS) {
    char what[64];
    format_what(agent, what, sizeof what);
    snprintf(rereading->error, sizeof rereading->error,
             PLUGIN " does not %s, for a minute or longer: %.200s; its log may say why", what,
             describe_state(rereading));
  }
}

const char *agent_rereading_error(const Agent *agent) {
  return agent->rereading.error;
}

const char *agent_rereading_stage(const Agent *agent) {
  return agent->rereading.stage;
}

/* ---- one step ---- */

static void set_timer(Agent *agent) {
  const AgentReread *machine = &agent->rereading.machine;
  uint64_t now_ms = agent->host->now_ms, waits_ms = agent_reread_waits_ms(machine, now_ms);
  uint64_t at_ms = agent_reread_wake_ms(machine);
  timer_cancel(agent->host, &agent->rereading.timer);
  if (machine->state == AGENT_REREAD_SHOWN)
    return;
  /* What has been due for a while waits for something else than time. */
  uint64_t next_ms = waits_ms < AGENT_REREAD_STAGE_MS ? AGENT_REREAD_STAGE_MS : AGENT_REREAD_TROUBLE_MS;
  if (waits_ms < next_ms && (at_ms <= now_ms || machine->began_ms + next_ms < at_ms))
    at_ms = machine->began_ms + next_ms;
  if (at_ms != HOST_NEVER && at_ms > now_ms)
    timer_set(agent->host, &agent->rereading.timer, at_ms - now_ms);
}

void agent_rereading_step(Agent *agent) {
  AgentRereading *rereading = &agent->rereading;
  size_t missing;
  if (!rereading->is_on || !rereading->changes)
    return;
  AgentRereadView view = {.now_ms = agent->host->now_ms,
                          .changes = rereading->changes,
                          .is_answered = rereading->answered_changes == rereading->changes,
                          .is_shown = all_shown(agent, &missing),
                          .is_busy = agent->driver_busy || agent_recutting_is_cutting(agent),
                          .is_hopeless = rereading->hopeless[0] != '\0'};
  uint64_t waited_ms = agent_reread_waits_ms(&rereading->machine, view.now_ms);
  bool was_shown = rereading->machine.state == AGENT_REREAD_SHOWN;
  bool is_due = agent_reread_step(&rereading->machine, &view);
  if (!was_shown && rereading->machine.state == AGENT_REREAD_SHOWN)
    log_info(AGENT_COMPONENT, PLUGIN " shows the slices", "took_ms=%" PRIu64, waited_ms);
  if (is_due)
    ask(agent);
  format_stage(agent);
  format_error(agent);
  set_timer(agent);
}

static void on_timer(void *userdata) {
  agent_kick(userdata);
}

void agent_rereading_init(Agent *agent, AgentPluginProcess *process, const AgentOptions *options) {
  AgentRereading *rereading = &agent->rereading;
  rereading->is_on = options->nvidia_publishes;
  rereading->process = process;
  rereading->selector = mem_strdup(options->plugin_selector);
  rereading->timer = (HostTimer){.fire = on_timer, .userdata = agent};
}

void agent_rereading_deinit(Agent *agent) {
  timer_cancel(agent->host, &agent->rereading.timer);
  free(agent->rereading.selector);
}
