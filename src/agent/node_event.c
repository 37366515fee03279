/* SPDX-License-Identifier: Apache-2.0 */
/* One try each: the same words are in the log, and most in the node's annotation facet.gpu/error, which is
 * written until it is there. */
#include "agent/state.h"

#define EVENTS_PATH "/apis/events.k8s.io/v1/namespaces/" KUBE_EVENT_CLUSTER_NAMESPACE "/events"

/* Whoever must not patch Events, or whose Event somebody deleted, creates the next one. */
static void on_sent(void *userdata, const KubeAnswer *answer) {
  Agent *agent = userdata;
  Error err;
  uint32_t held_back;
  if (kube_answer_is_ok(answer, &err))
    return;
  kube_event_series_forget(&agent->events);
  if (log_gate_pass(&agent->gate, err.text, agent->host->now_ms, &held_back))
    log_warn(AGENT_COMPONENT, "event not written", "held_back=%u err=" LOG_QUOTED, held_back, err.text);
}

void agent_node_event_send(Agent *agent, const char *reason, const char *note) {
  const Node *node = agent_node(agent);
  if (!node)
    return;
  CLEANUP(text_deinit) Text body = {0};
  const KubeEvent event = {.kind = "Node",
                           .regarding = &node->meta.base,
                           .controller = "facet.gpu/agent",
                           .instance = agent->node_name,
                           .reason = reason,
                           .is_warning = true,
                           .note = note};
  const char *name = kube_event_series_next(&agent->events, &event, agent->host->now_ms, agent->host->wall_ms,
                                            random_next(&agent->host->random), &body);
  CLEANUP(cleanup_free)
  char *path = mem_format("%s%s%s", EVENTS_PATH, name ? "/" : "", string_or_empty(name));
  kube_client_call(agent->client,
                   &(KubeCallOptions){.method = name ? "PATCH" : "POST",
                                      .path = path,
                                      .content_type = name ? KUBE_MERGE_PATCH : "application/json",
                                      .body = text_string(&body),
                                      .body_size = body.size,
                                      .is_patient = true,
                                      .on_answer = on_sent,
                                      .userdata = agent});
}
