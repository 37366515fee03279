/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/leader.h"

#include "base/log.h"
#include "base/log_gate.h"
#include "base/memory.h"
#include "kube/client.h"

#include <assert.h>
#include <string.h>

#define COMPONENT "leader"

struct ControllerLeader {
  Host *host;
  KubeClient *client;
  KubeElection election;
  KubeElectionKind asked;
  HostTimer timer;
  char *namespace_, *name;
  char *collection, *path; /* of all Leases there, and of ours */
  bool led;                /* as last told by on_change */
  bool was_told;           /* who leads was logged once */
  char holder[KUBE_LEASE_HOLDER_SIZE];
  LogGate gate;
  void (*on_change)(void *userdata);
  void *userdata;
  void (*on_left)(void *userdata);
  void *left_userdata;
};

static void step(ControllerLeader *leader);

/* ---- telling ---- */

static void tell_holder(ControllerLeader *leader) {
  const char *holder = leader->election.lease.holder;
  if (!leader->election.has_seen || (leader->was_told && strcmp(holder, leader->holder) == 0))
    return;
  leader->was_told = true;
  snprintf(leader->holder, sizeof leader->holder, "%s", holder);
  if (*holder && strcmp(holder, leader->election.identity) != 0)
    log_info(COMPONENT, "another controller leads; standing by", "holder=" LOG_QUOTED " lease=%s/%s", holder,
             leader->namespace_, leader->name);
}

static void tell_change(ControllerLeader *leader) {
  bool leads = controller_leader_leads(leader);
  if (leads == leader->led)
    return;
  leader->led = leads;
  if (leads)
    log_info(COMPONENT, "leading", "lease=%s/%s transitions=%d", leader->namespace_, leader->name,
             leader->election.lease.transitions);
  else if (!leader->on_left)
    log_warn(COMPONENT, "leading no more: nothing is written until the Lease is ours again",
             "lease=%s/%s holder=" LOG_QUOTED, leader->namespace_, leader->name,
             leader->election.lease.holder);
  leader->on_change(leader->userdata);
}

static void tell_trouble(ControllerLeader *leader, const Error *err) {
  uint32_t held_back;
  if (log_gate_pass(&leader->gate, err->text, leader->host->now_ms, &held_back))
    log_warn(COMPONENT, "the Lease could not be read or written", "lease=%s/%s held_back=%u err=" LOG_QUOTED,
             leader->namespace_, leader->name, held_back, err->text);
}

/* ---- asking ---- */

static void note_answer(ControllerLeader *leader, const KubeAnswer *answer) {
  uint64_t now_ms = leader->host->now_ms;
  KubeElection *election = &leader->election;
  Random *random = &leader->host->random;
  KubeLease lease;
  Error err;
  if (!answer->err && answer->status == 409) {
    kube_election_note_conflict(election, now_ms, random);
  } else if (!answer->err && answer->status == 404 && leader->asked != KUBE_ELECTION_CREATE) {
    kube_election_note_absent(election, now_ms);
  } else if (kube_answer_is_ok(answer, &err) &&
             kube_lease_decode(answer->format, answer->body, answer->body_size, &lease, &err) == 0) {
    kube_election_note_lease(election, &lease, now_ms, random);
  } else {
    tell_trouble(leader, &err);
    kube_election_note_failure(election, now_ms, random);
  }
}

static void on_answer(void *userdata, const KubeAnswer *answer) {
  ControllerLeader *leader = userdata;
  note_answer(leader, answer);
  tell_holder(leader);
  step(leader);
}

static void send(ControllerLeader *leader, const KubeElectionRequest *request) {
  CLEANUP(text_deinit) Text body = {0};
  KubeCallOptions call = {.method = "GET",
                          .path = leader->path,
                          .timeout_ms = KUBE_ELECTION_ANSWER_MS,
                          .on_answer = on_answer,
                          .is_urgent = true,
                          .userdata = leader};
  leader->asked = request->kind;
  if (request->kind == KUBE_ELECTION_CREATE) {
    kube_lease_format_object(&request->lease, leader->namespace_, leader->name, &body);
    call.method = "POST";
    call.path = leader->collection;
    call.content_type = "application/json";
  } else if (request->kind == KUBE_ELECTION_WRITE) {
    kube_lease_format_patch(&request->lease, &body);
    call.method = "PATCH";
    call.content_type = KUBE_MERGE_PATCH;
  }
  call.body = body.size ? text_string(&body) : NULL;
  call.body_size = body.size;
  kube_client_call(leader->client, &call);
}

/* Sends what is due, tells what changed, and sleeps until something is due again. The last thing done:
 * on_left may free us. */
static void step(ControllerLeader *leader) {
  Host *host = leader->host;
  KubeElectionRequest request = kube_election_ask(&leader->election, host->now_ms, host->wall_ms);
  if (request.kind)
    send(leader, &request);
  tell_change(leader);
  uint64_t next_ms = kube_election_next_ms(&leader->election, host->now_ms);
  if (next_ms != UINT64_MAX)
    timer_set(host, &leader->timer, next_ms - host->now_ms);
  else
    timer_cancel(host, &leader->timer);
  if (leader->on_left && kube_election_has_left(&leader->election))
    leader->on_left(leader->left_userdata);
}

static void on_timer(void *userdata) {
  step(userdata);
}

/* ---- life ---- */

ControllerLeader *controller_leader_new(const ControllerLeaseOptions *options, Host *host,
                                        KubeTransport *transport, void (*on_change)(void *userdata),
                                        void *userdata) {
  assert(options->namespace_ && options->name && options->identity);
  ControllerLeader *leader = mem_alloc(sizeof *leader);
  leader->host = host;
  leader->client = kube_client_new(host, options->transport ? options->transport : transport);
  leader->timer = (HostTimer){.fire = on_timer, .userdata = leader};
  leader->namespace_ = mem_strdup(options->namespace_);
  leader->name = mem_strdup(options->name);
  leader->collection = mem_format("/apis/coordination.k8s.io/v1/namespaces/%s/leases", options->namespace_);
  leader->path = mem_format("%s/%s", leader->collection, options->name);
  leader->on_change = on_change;
  leader->userdata = userdata;
  kube_election_init(&leader->election, options->identity, host->now_ms);
  return leader;
}

void controller_leader_start(ControllerLeader *leader) {
  timer_set(leader->host, &leader->timer, 0);
}

bool controller_leader_leads(const ControllerLeader *leader) {
  return kube_election_leads(&leader->election, leader->host->now_ms);
}

const char *controller_leader_holder(const ControllerLeader *leader) {
  return leader->holder;
}

void controller_leader_leave(ControllerLeader *leader, void (*on_left)(void *userdata), void *userdata) {
  leader->on_left = on_left;
  leader->left_userdata = userdata;
  kube_election_leave(&leader->election, leader->host->now_ms);
  step(leader);
}

void controller_leader_free(ControllerLeader *leader) {
  if (!leader)
    return;
  timer_cancel(leader->host, &leader->timer);
  kube_client_free(leader->client);
  free(leader->namespace_);
  free(leader->name);
  free(leader->collection);
  free(leader->path);
  free(leader);
}
