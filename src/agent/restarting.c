/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing depends on it: what goes wrong is told by an Event, not in facet.gpu/error, which would have the
 * controller give the node time. */
#include "agent/restarting.h"

#include "agent/state.h"

#include <inttypes.h>

void agent_restarting_note_change(Agent *agent) {
  agent_restart_note_change(&agent->restarting.machine);
}

static void format_subject(const AgentRestartTarget *target, char *ret_text, size_t size) {
  snprintf(ret_text, size, "%s/%s", target->namespace_, target->selector);
}

/* ---- one component ---- */

/* err NULL: it was restarted. */
static void end(Agent *agent, Error *err) {
  AgentRestarting *restarting = &agent->restarting;
  AgentRestartTarget *target = TAKE(restarting->target);
  char subject[AGENT_RESTART_NAMESPACE_SIZE + AGENT_RESTART_SELECTOR_SIZE];
  uint32_t held_back;
  format_subject(target, subject, sizeof subject);
  if (!err) {
    agent_restart_done(target, agent->host->now_ms);
    log_info(AGENT_COMPONENT, "restarted after a change of slices", "component=" LOG_QUOTED " pods=%zu",
             subject, restarting->deleted);
  } else {
    (void)error_prefix(err, "restarting %s after a change of slices", subject);
    agent_restart_refuse(target, agent->host->now_ms);
    if (log_gate_pass(&agent->gate, err->text, agent->host->now_ms, &held_back))
      log_warn(AGENT_COMPONENT, "not restarted after a change of slices",
               "held_back=%" PRIu32 " err=" LOG_QUOTED, held_back, err->text);
    agent_node_event_send(agent, "RestartFailed", err->text);
  }
  agent_kick(agent);
}

static void delete_next(Agent *agent);

static void on_deleted(void *userdata, const KubeAnswer *answer) {
  Agent *agent = userdata;
  Error err;
  if (!agent_node_pod_is_deleted(answer, &err)) {
    end(agent, &err);
    return;
  }
  agent->restarting.deleted++;
  delete_next(agent);
}

static void delete_next(Agent *agent) {
  const AgentRestarting *restarting = &agent->restarting;
  if (restarting->deleted == restarting->pods.count)
    end(agent, NULL);
  else
    agent_node_pod_delete(agent->client, &restarting->pods.items[restarting->deleted], on_deleted, agent);
}

static void warn_of_strays(Agent *agent, const Text *strays) {
  uint32_t held_back;
  if (strays->size && log_gate_pass(&agent->gate, text_string(strays), agent->host->now_ms, &held_back))
    log_warn(AGENT_COMPONENT, "pods without a DaemonSet are not restarted",
             "namespace=%s pods=" LOG_QUOTED " held_back=%" PRIu32, agent->restarting.target->namespace_,
             text_string(strays), held_back);
}

static void on_pods(void *userdata, const KubeAnswer *answer) {
  Agent *agent = userdata;
  AgentRestarting *restarting = &agent->restarting;
  CLEANUP(text_deinit) Text strays = {0};
  Error err;
  restarting->deleted = 0;
  array_clear(&restarting->pods);
  if (!kube_answer_is_ok(answer, &err)) {
    if (!answer->err && answer->status == 404)
      (void)error_set(&err, ERROR_NOT_FOUND, "there is no namespace %s: correct --restart-after-change",
                      restarting->target->namespace_);
    end(agent, &err);
    return;
  }
  if (agent_restart_choose(answer, agent->node_name, &restarting->pods, &strays, &err) < 0) {
    end(agent, &err);
    return;
  }
  warn_of_strays(agent, &strays);
  delete_next(agent);
}

static void look_for_pods(Agent *agent) {
  const AgentRestartTarget *target = agent->restarting.target;
  CLEANUP(text_deinit) Text path = {0};
  agent_node_pods_format_path(target->namespace_, agent->node_name, target->selector, &path);
  kube_client_call(agent->client,
                   &(KubeCallOptions){
                       .method = "GET", .path = text_string(&path), .on_answer = on_pods, .userdata = agent});
}

/* ---- one step ---- */

/* Nobody is restarted between two slices of one plan. */
static bool is_answered(const Agent *agent, const Node *node) {
  const char *answered = key_values_find(&node->meta.annotations, MIG_ANNOTATION_STATUS_PLAN);
  return agent->plan_done && agent->plan[0] && string_equal(answered, agent->plan) && !agent->driver_busy &&
         !agent_recutting_is_cutting(agent);
}

void agent_restarting_step(Agent *agent, const Node *node) {
  AgentRestarting *restarting = &agent->restarting;
  timer_cancel(agent->host, &restarting->timer);
  if (restarting->target || !is_answered(agent, node))
    return;
  restarting->target = agent_restart_next(&restarting->machine, agent->host->now_ms);
  if (restarting->target) {
    look_for_pods(agent);
    return;
  }
  uint64_t wake_ms = agent_restart_wake_ms(&restarting->machine);
  if (wake_ms != HOST_NEVER)
    timer_set(agent->host, &restarting->timer, wake_ms - agent->host->now_ms);
}

static void on_timer(void *userdata) {
  agent_kick(userdata);
}

void agent_restarting_init(Agent *agent, const AgentOptions *options) {
  AgentRestarting *restarting = &agent->restarting;
  Error err;
  restarting->timer = (HostTimer){.fire = on_timer, .userdata = agent};
  if (agent_restart_parse(&restarting->machine, options->restart_after_change, &err) < 0)
    log_warn(AGENT_COMPONENT, "nothing is restarted after a change of slices", "err=" LOG_QUOTED, err.text);
}

void agent_restarting_deinit(Agent *agent) {
  timer_cancel(agent->host, &agent->restarting.timer);
  array_deinit(&agent->restarting.pods);
}
