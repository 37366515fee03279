/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/takeover.h"

#include "agent/state.h"
#include "base/backoff.h"

#include <string.h>

#define SUBJECT "take-over"
#define ABSENT  "absent"

static void format_body(const char *label, const char *annotation, Text *body) {
  text_append(body, "{\"metadata\":{");
  if (label)
    text_format(body, "\"labels\":{\"" MIG_LABEL_DEVICE_PLUGIN "\":%s},", label);
  text_append(body, "\"annotations\":{\"" MIG_ANNOTATION_TOOK_OVER "\":");
  if (annotation)
    text_append_json(body, annotation);
  else
    text_append(body, "null");
  text_append(body, "}}}");
}

static const char *find_label(const Node *node) {
  return key_values_find(&node->meta.labels, MIG_LABEL_DEVICE_PLUGIN);
}

bool agent_takeover_format_take(const Node *node, Text *ret_body) {
  const char *label = find_label(node);
  if (string_equal(label, "false"))
    return false;
  CLEANUP(cleanup_free) char *before = label ? mem_format("=%s", label) : mem_strdup(ABSENT);
  format_body("\"false\"", before, ret_body);
  return true;
}

bool agent_takeover_format_give_back(const Node *node, Text *ret_body) {
  const char *before = key_values_find(&node->meta.annotations, MIG_ANNOTATION_TOOK_OVER);
  if (!before)
    return false;
  /* Somebody has changed it since: that is what they want. */
  bool is_still_ours = string_equal(find_label(node), "false");
  CLEANUP(text_deinit) Text label = {0};
  if (before[0] == '=')
    text_append_json(&label, before + 1);
  else
    text_append(&label, "null");
  format_body(is_still_ours ? text_string(&label) : NULL, NULL, ret_body);
  return true;
}

static void on_answer(void *userdata, const KubeAnswer *answer) {
  Agent *agent = userdata;
  AgentTakeover *takeover = &agent->takeover;
  Error err;
  takeover->is_asking = false;
  bool is_done = kube_answer_is_ok(answer, &err);
  takeover->retry_ms =
      is_done ? 0 : backoff_next_ms(takeover->retry_ms, AGENT_RETRY_FIRST_MS, AGENT_RETRY_MAX_MS);
  if (!is_done) {
    log_warn(AGENT_COMPONENT, "the node's label for NVIDIA's device plugin is not written",
             "node=%s err=" LOG_QUOTED, agent->node_name, err.text);
    (void)error_prefix(&err, "writing the label " MIG_LABEL_DEVICE_PLUGIN);
  }
  agent_trouble_set(&agent->troubles, SUBJECT, is_done ? NULL : err.text);
  /* Where somebody writes it back each time, haste makes nothing better. */
  timer_set(agent->host, &takeover->timer, is_done ? AGENT_TAKEOVER_PAUSE_MS : takeover->retry_ms);
  agent_kick(agent);
}

static void send(Agent *agent, const char *what, const Text *body) {
  CLEANUP(cleanup_free) char *path = mem_format("/api/v1/nodes/%s/status", agent->node_name);
  log_info(AGENT_COMPONENT, what, "node=%s label=" MIG_LABEL_DEVICE_PLUGIN, agent->node_name);
  agent->takeover.is_asking = true;
  kube_client_call(agent->client, &(KubeCallOptions){.method = "PATCH",
                                                     .path = path,
                                                     .content_type = KUBE_MERGE_PATCH,
                                                     .body = text_string(body),
                                                     .body_size = body->size,
                                                     .on_answer = on_answer,
                                                     .userdata = agent});
}

static bool may_ask(const Agent *agent) {
  return !agent->takeover.is_asking && !timer_is_set(&agent->takeover.timer);
}

void agent_takeover_step(Agent *agent, const Node *node) {
  CLEANUP(text_deinit) Text body = {0};
  if (agent_rereading_is_on(agent)) /* it publishes here; an earlier life may have switched it off */
    agent_takeover_give_back(agent, node);
  if (agent->takeover.is_wanted && may_ask(agent) && agent_takeover_format_take(node, &body))
    send(agent, "switching NVIDIA's device plugin off on this node", &body);
}

void agent_takeover_give_back(Agent *agent, const Node *node) {
  CLEANUP(text_deinit) Text body = {0};
  if (may_ask(agent) && agent_takeover_format_give_back(node, &body))
    send(agent, "giving the node back to NVIDIA's device plugin", &body);
}

bool agent_takeover_owes(const Agent *agent, const Node *node) {
  CLEANUP(text_deinit) Text body = {0};
  return agent->takeover.is_asking || agent_takeover_format_give_back(node, &body);
}

static void on_timer(void *userdata) {
  agent_kick(userdata);
}

void agent_takeover_init(Agent *agent, bool is_wanted) {
  agent->takeover = (AgentTakeover){.is_wanted = is_wanted, .timer = {.fire = on_timer, .userdata = agent}};
}

void agent_takeover_deinit(Agent *agent) {
  timer_cancel(agent->host, &agent->takeover.timer);
}
