/* SPDX-License-Identifier: Apache-2.0 */
/* Re-cutting, as far as the API server has a say: the reservation and the witness are created and deleted. */
#include "agent/reservation.h"
#include "agent/state.h"

static void on_created(void *userdata, const KubeAnswer *answer) {
  Agent *agent = userdata;
  AgentRecut *active = agent_recutting_find_active(&agent->recutting);
  Error err;
  agent->recutting.posting = false;
  agent_kick(agent);
  if (kube_answer_is_ok(answer, &err) || !active || active->seen)
    return;
  log_warn(AGENT_COMPONENT, "reservation pod not created", "pod=%s err=" LOG_QUOTED, active->pod, err.text);
  /* Without the server's own word it may exist all the same: then the watch will show it. */
  if (answer->err)
    return;
  agent_recut_refuse(active, err.text, agent->host->now_ms);
  agent_recutting_give_up(agent, false, err.text);
}

static void post(Agent *agent, const Text *body, KubeOnAnswer *on_answer) {
  kube_client_call(agent->client, &(KubeCallOptions){.method = "POST",
                                                     .path = agent->recutting.path,
                                                     .content_type = "application/json",
                                                     .body = text_string(body),
                                                     .body_size = body->size,
                                                     .on_answer = on_answer,
                                                     .userdata = agent});
}

void agent_recutting_create_pod(Agent *agent, const Node *node, const AgentRecut *recut) {
  AgentRecutting *recutting = &agent->recutting;
  CLEANUP(text_deinit) Text body = {0};
  AgentTargets asked = {0};
  agent_targets_append(&asked, &recut->targets);
  if (recut->unsteered)
    agent_withdrawal_add_free(agent->observation, &agent->used, &asked);
  agent_reservation_format(node, recut, &asked, recutting->scheduler, &body);
  array_deinit(&asked);
  recutting->posting = true;
  post(agent, &body, on_created);
}

/* Where it cannot be created, the reservation is let go in its time. */
static void on_witness_created(void *userdata, const KubeAnswer *answer) {
  Agent *agent = userdata;
  Error err;
  uint32_t held_back;
  if (!kube_answer_is_ok(answer, &err) &&
      log_gate_pass(&agent->gate, err.text, agent->host->now_ms, &held_back))
    log_warn(AGENT_COMPONENT, "witness pod not created", "held_back=%u err=" LOG_QUOTED, held_back, err.text);
}

void agent_recutting_create_witness(Agent *agent, const Node *node, AgentRecut *recut) {
  CLEANUP(text_deinit) Text body = {0};
  agent_reservation_name(AGENT_WITNESS_PREFIX, random_next(&agent->host->random), recut->witness);
  agent_reservation_format_witness(node, recut, agent->recutting.scheduler, &body);
  post(agent, &body, on_witness_created);
}

static void on_deleted(void *userdata, const KubeAnswer *answer) {
  Agent *agent = userdata;
  const char *slash = strrchr(answer->path, '/');
  AgentRecut *recut = agent_recutting_find(&agent->recutting, slash ? slash + 1 : answer->path);
  Error err;
  agent_kick(agent);
  if (kube_answer_is_ok(answer, &err) || !recut)
    return;
  uint32_t held_back;
  if (!answer->err && answer->status == 404)
    recut->seen = true; /* gone before we saw it */
  else if (log_gate_pass(&agent->gate, err.text, agent->host->now_ms, &held_back))
    log_warn(AGENT_COMPONENT, "reservation pod not deleted", "pod=%s held_back=%u err=" LOG_QUOTED,
             recut->pod, held_back, err.text);
}

void agent_recutting_delete_pod(Agent *agent, const AgentRecut *recut) {
  CLEANUP(cleanup_free) char *path = mem_format("%s/%s", agent->recutting.path, recut->pod);
  kube_client_call(
      agent->client,
      &(KubeCallOptions){.method = "DELETE", .path = path, .on_answer = on_deleted, .userdata = agent});
}
