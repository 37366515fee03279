/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"

#include "agent/state.h"
#include "base/backoff.h"

void agent_kick(Agent *agent) {
  timer_set(agent->host, &agent->step_timer, 0);
}

const Node *agent_node(const Agent *agent) {
  return kube_informer_is_synced(agent->nodes) ? kube_informer_find(agent->nodes, agent->node_name) : NULL;
}

static void wait_with_report(Agent *agent, uint64_t delay_ms) {
  agent->report_again_ms = agent->host->now_ms + delay_ms;
  timer_set(agent->host, &agent->report_timer, delay_ms);
}

/* A refusal (RBAC, say) will not go away by asking every second: said once, then tried ever more rarely. */
static void back_off(Agent *agent, const Error *err) {
  if (strcmp(agent->report_error, err->text) != 0) {
    snprintf(agent->report_error, sizeof agent->report_error, "%s", err->text);
    log_warn(AGENT_COMPONENT, "report not written", "node=%s err=" LOG_QUOTED, agent->node_name, err->text);
  }
  agent->report_retry_ms = backoff_next_ms(agent->report_retry_ms, AGENT_RETRY_FIRST_MS, AGENT_RETRY_MAX_MS);
  wait_with_report(agent, agent->report_retry_ms);
}

static void on_reported(void *userdata, const KubeAnswer *answer) {
  Agent *agent = userdata;
  agent->report_in_flight = false;
  Error err;
  bool is_ok = kube_answer_is_ok(answer, &err);
  agent_counting_note_report(agent->metrics, agent->host->now_ms - agent->reported_ms, is_ok ? NULL : &err);
  if (!is_ok) {
    back_off(agent, &err);
    return;
  }
  log_info(AGENT_COMPONENT, "reported", "node=%s", agent->node_name);
  agent->report_error[0] = '\0';
  agent->report_retry_ms = agent->report_again_ms = 0;
  agent_kick(agent);
}

/* Where the same words are due again at once, the watch is behind, or somebody undoes them each time: neither
 * gets better by haste. */
static bool is_repetition(Agent *agent, const Text *body) {
  uint64_t quiet_until_ms = agent->reported_ms + AGENT_SEEN_MS;
  if (!string_equal(agent->reported, text_string(body)) || agent->host->now_ms >= quiet_until_ms)
    return false;
  wait_with_report(agent, quiet_until_ms - agent->host->now_ms);
  return true;
}

static void send_report(Agent *agent, const Text *body) {
  CLEANUP(cleanup_free) char *path = mem_format("/api/v1/nodes/%s/status", agent->node_name);
  free(agent->reported);
  agent->reported = mem_strdup(text_string(body));
  agent->reported_ms = agent->host->now_ms;
  agent->report_in_flight = true;
  kube_client_call(agent->client, &(KubeCallOptions){.method = "PATCH",
                                                     .path = path,
                                                     .content_type = KUBE_MERGE_PATCH,
                                                     .body = text_string(body),
                                                     .body_size = body->size,
                                                     .on_answer = on_reported,
                                                     .userdata = agent});
}

static bool may_report(const Agent *agent) {
  return !agent->report_in_flight && agent->host->now_ms >= agent->report_again_ms;
}

/* False where there is nothing new to say. */
static bool format_report(const Agent *agent, const Node *node, Text *ret_body) {
  bool is_leaving = agent->leaving.state != AGENT_STAYING;
  char error[ERROR_TEXT_SIZE * 2];
  AgentReport said = {
      .observation = agent->observe_error.code ? NULL : agent->observation,
      .used = agent->used_known ? &agent->used : NULL,
      .resources = &agent->resources,
      .known = agent->known,
      .answered_plan = agent->plan_done && agent->plan[0] ? agent->plan : NULL,
      .error = agent_gpus_error(agent, error, sizeof error),
      .stage = agent_rereading_stage(agent),
      .offer = agent_recutting_offer(agent),
      .withdrawn = is_leaving && !agent_rereading_is_on(agent),
      .is_strange = agent_rereading_is_on(agent),
      .retired = is_leaving && agent->leaving.is_retirement,
  };
  return agent_report_format(node, &said, ret_body);
}

/* The kubelet may be about to show new slices, or to say who holds what: one report for all of it. */
static bool waits_for_kubelet(Agent *agent) {
  uint64_t ready_ms = agent_slices_settled_by(agent);
  if (!agent->used_known && agent->resources.count && ready_ms < agent->started_ms + AGENT_USE_WAIT_MS)
    ready_ms = agent->started_ms + AGENT_USE_WAIT_MS;
  if (agent->host->now_ms >= ready_ms)
    return false;
  timer_set(agent->host, &agent->report_timer, ready_ms - agent->host->now_ms);
  return true;
}

static void report(Agent *agent, const Node *node) {
  bool gpus_were_looked_at = agent->observation || agent->observe_error.code;
  bool is_leaving = agent->leaving.state != AGENT_STAYING;
  if (!gpus_were_looked_at || !may_report(agent))
    return;
  if (!is_leaving && (waits_for_kubelet(agent) || agent_recutting_hushes(agent, node)))
    return;
  CLEANUP(text_deinit) Text body = {0};
  if (format_report(agent, node, &body) && !is_repetition(agent, &body))
    send_report(agent, &body);
}

bool agent_has_said_all(const Agent *agent, const Node *node) {
  CLEANUP(text_deinit) Text body = {0};
  return !agent->report_in_flight && !format_report(agent, node, &body);
}

static bool is_ours(Agent *agent, const Node *node) {
  bool managed = node && agent_wanted_is_managed(node);
  bool is_labelled = node && key_values_find(&node->meta.labels, MIG_LABEL_PARTITIONING);
  if (node && !managed && !is_labelled && !agent->managed_logged)
    log_info(AGENT_COMPONENT, "nothing to do: the node is not labelled",
             "node=%s label=\"" MIG_LABEL_PARTITIONING "=mig\"", agent->node_name);
  agent->managed_logged = node && !managed && !is_labelled;
  return managed;
}

/* Somebody meant something by that label, and hears why nothing comes of it; who takes it away need not read
 * that any more. */
static void explain_label(Agent *agent, const Node *node) {
  char text[MIG_LABEL_TEXT_SIZE];
  const char *label = key_values_find(&node->meta.labels, MIG_LABEL_PARTITIONING);
  const char *told = key_values_find(&node->meta.annotations, MIG_ANNOTATION_ERROR);
  bool is_odd = mig_label_explain(label, text);
  bool was_odd = told && string_has_prefix(told, "the label " MIG_LABEL_PARTITIONING " says ");
  CLEANUP(text_deinit) Text body = {0};
  if ((!is_odd && !was_odd) || !may_report(agent))
    return;
  if (!agent_report_format(node, &(AgentReport){.error = is_odd ? text : NULL}, &body) ||
      is_repetition(agent, &body))
    return;
  if (is_odd)
    log_warn(AGENT_COMPONENT, "nothing is done on this node", "node=%s err=" LOG_QUOTED, agent->node_name,
             text);
  send_report(agent, &body);
}

/* No witness goes by it any more. */
static void forget_offer(Agent *agent, const Node *node) {
  CLEANUP(text_deinit) Text body = {0};
  if (!key_values_find(&node->meta.labels, MIG_LABEL_OFFER) || !may_report(agent))
    return;
  text_append(&body, "{\"metadata\":{\"labels\":{\"" MIG_LABEL_OFFER "\":null}}}");
  if (!is_repetition(agent, &body))
    send_report(agent, &body);
}

/* To a node that is not ours, or not any more. */
static void say_goodbye(Agent *agent, const Node *node) {
  agent_takeover_give_back(agent, node);
  forget_offer(agent, node);
  explain_label(agent, node);
}

/* Nothing is changed any more; what the kubelet has is served, and the node says that there is nothing to
 * have. */
static void serve_out(Agent *agent, const Node *node) {
  bool is_over = agent->leaving.state == AGENT_LEFT && agent->leaving.is_retirement;
  if (agent->observation)
    agent_recutting_wind_up(agent, is_over ? NULL : node);
  if (node && is_over)
    say_goodbye(agent, node);
  if (agent->leaving.state != AGENT_CLEARING)
    return;
  agent_slices_step(agent);
  if (node)
    report(agent, node);
}

/* (0) after a crash: publish again at once (1) our node is known and handed to us (2) GPUs: look, take away,
 * create (3) the kubelet: publish, barrier (4) report
 */
static void step(void *userdata) {
  Agent *agent = userdata;
  if (agent->is_halted)
    return;
  agent_gpus_look_once(agent);
  agent_slices_adopt(agent);
  const Node *node = agent_node(agent);
  if (agent_leaving_step(agent, node)) {
    serve_out(agent, node);
    return;
  }
  if (!is_ours(agent, node)) {
    if (node)
      say_goodbye(agent, node);
    if (node && agent->observation)
      agent_recutting_wind_up(agent, NULL);
    return;
  }
  agent_takeover_step(agent, node);
  agent_slices_note_node(agent, node); /* as it is to what we had */
  agent_gpus_step(agent, node);
  agent_slices_step(agent);
  agent_slices_note_node(agent, node); /* and to what we have */
  agent_migmode_step(agent, node);
  agent_watching_step(agent);
  report(agent, node);
  agent_restarting_step(agent, node);
}

static void on_node_change(void *userdata, const void *old, const void *new_) {
  Agent *agent = userdata;
  if (agent_rereading_is_on(agent))
    agent_slices_doubt(agent, old, new_);
  if (!agent->report_retry_ms)
    agent->report_again_ms = 0;
  agent_kick(agent);
}

static void on_synced(void *userdata) {
  Agent *agent = userdata;
  if (!kube_informer_find(agent->nodes, agent->node_name))
    log_warn(AGENT_COMPONENT, "no such node in the cluster: waiting for it",
             "node=%s hint=\"--node-name must be the Kubernetes node name\"", agent->node_name);
  agent_kick(agent);
}

static void on_trouble(void *userdata, const Error *err, uint64_t retry_ms) {
  Agent *agent = userdata;
  uint32_t held_back;
  agent_counting_note_failure(agent->metrics, "watch", err);
  if (log_gate_pass(&agent->gate, err->text, agent->host->now_ms, &held_back))
    log_warn(AGENT_COMPONENT, "watching the node failed", "retry_ms=%llu held_back=%u err=" LOG_QUOTED,
             (unsigned long long)retry_ms, held_back, err->text);
}

Agent *agent_new(const AgentOptions *options, const AgentSeams *seams) {
  Agent *agent = mem_alloc(sizeof *agent);
  agent->node_name = mem_strdup(options->node_name);
  agent->host = seams->host;
  agent->driver = seams->driver;
  agent->metrics = options->metrics;
  agent->step_timer = (HostTimer){.fire = step, .userdata = agent};
  agent->report_timer = (HostTimer){.fire = step, .userdata = agent};
  agent->client = kube_client_new(seams->host, seams->transport);
  CLEANUP(cleanup_free) char *selector = mem_format("fieldSelector=metadata.name%%3D%s", options->node_name);
  agent->nodes = kube_informer_new(seams->host, seams->transport,
                                   &(KubeInformerOptions){.type = &kube_node_type,
                                                          .selector = selector,
                                                          .answer_ms = AGENT_ANSWER_MS,
                                                          .on_change = on_node_change,
                                                          .on_synced = on_synced,
                                                          .on_trouble = on_trouble,
                                                          .userdata = agent});
  agent_gpus_init(agent);
  agent_watching_init(agent, seams->driver_watches, options);
  agent_migmode_init(agent, options->mig_mode_auto);
  agent_recutting_init(agent, seams->transport, options);
  agent_leaving_init(agent);
  agent_takeover_init(agent, options->take_over);
  agent_rereading_init(agent, seams->plugin_process, options);
  agent_restarting_init(agent, options);
  agent_slices_init(agent, seams->port, options);
  return agent;
}

void agent_start(Agent *agent) {
  agent->started_ms = agent->host->now_ms;
  kube_informer_start(agent->nodes);
  agent_recutting_start(agent);
  agent_kick(agent);
}

void agent_halt(Agent *agent) {
  agent->is_halted = true;
}

void agent_free(Agent *agent) {
  if (!agent)
    return;
  timer_cancel(agent->host, &agent->step_timer);
  timer_cancel(agent->host, &agent->report_timer);
  agent_slices_deinit(agent);
  agent_recutting_deinit(agent);
  agent_leaving_deinit(agent);
  agent_takeover_deinit(agent);
  agent_rereading_deinit(agent);
  agent_restarting_deinit(agent);
  agent_watching_deinit(agent);
  agent_migmode_deinit(agent);
  agent_gpus_deinit(agent);
  kube_event_series_deinit(&agent->events);
  kube_informer_free(agent->nodes);
  kube_client_free(agent->client);
  free(agent->reported);
  free(agent->node_name);
  free(agent);
}
