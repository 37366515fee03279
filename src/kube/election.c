/* SPDX-License-Identifier: Apache-2.0 */
/* After any doubt (a lost answer, a conflict) the Lease is read before it is written again: our own write may
 * have taken effect, and then it names us. */
#include "kube/election.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static bool is_ours(const KubeElection *election) {
  return strcmp(election->lease.holder, election->identity) == 0;
}

static uint64_t ends_ms(const KubeElection *election) {
  return election->renewed_ms + KUBE_ELECTION_RENEW_MS;
}

/* Has whoever holds the Lease been seen alive within the time that the Lease promises? */
static bool is_held(const KubeElection *election, uint64_t now_ms) {
  int64_t lasts_ms = (int64_t)election->lease.duration_s * 1000;
  if (lasts_ms <= 0)
    lasts_ms = KUBE_ELECTION_LEASE_MS;
  return election->lease.holder[0] && now_ms < election->seen_ms + (uint64_t)lasts_ms;
}

/* A leader renews every 2 s, counted from the sending: a slow server is asked again at once. A follower's
 * pauses differ, so that candidates do not run in step. */
static void wait_for_next(KubeElection *election, uint64_t now_ms, Random *random) {
  election->next_ms = election->asked_ms + KUBE_ELECTION_RETRY_MS;
  if (election->state != KUBE_ELECTION_LEADING)
    election->next_ms =
        now_ms + KUBE_ELECTION_RETRY_MS + random_below(random, KUBE_ELECTION_RETRY_MS * 6 / 5 + 1);
  election->had_conflict = false;
}

static void see(KubeElection *election, const KubeLease *lease, uint64_t now_ms) {
  if (!election->has_seen || !kube_lease_is_same(&election->lease, lease))
    election->seen_ms = now_ms;
  election->has_seen = election->is_known = true;
  election->is_absent = false;
  election->lease = *lease;
  election->may_be_ours = is_ours(election);
}

void kube_election_init(KubeElection *election, const char *identity, uint64_t now_ms) {
  assert(*identity && strlen(identity) < KUBE_LEASE_HOLDER_SIZE);
  *election = (KubeElection){.next_ms = now_ms};
  snprintf(election->identity, sizeof election->identity, "%s", identity);
}

/* ---- asking ---- */

static KubeElectionRequest send(KubeElection *election, KubeElectionKind kind, uint64_t now_ms) {
  election->in_flight = kind;
  election->asked_ms = now_ms;
  return (KubeElectionRequest){.kind = kind};
}

/* What the Lease says while we hold it. */
static KubeLease claim(const KubeElection *election, int64_t wall_ms) {
  KubeLease lease = election->lease;
  bool exists = !election->is_absent;
  if (!exists || !is_ours(election)) {
    lease.acquired_ms = wall_ms;
    lease.transitions = exists && lease.transitions < INT32_MAX ? lease.transitions + 1 : 0;
  }
  lease.renewed_ms = wall_ms;
  lease.duration_s = KUBE_ELECTION_LEASE_MS / 1000;
  snprintf(lease.holder, sizeof lease.holder, "%s", election->identity);
  return lease;
}

static KubeElectionRequest ask_to_leave(KubeElection *election, uint64_t now_ms, int64_t wall_ms) {
  if (election->is_absent || (election->is_known && !is_ours(election))) {
    election->state = KUBE_ELECTION_LEFT;
    return (KubeElectionRequest){0};
  }
  KubeElectionRequest request =
      send(election, election->is_known ? KUBE_ELECTION_WRITE : KUBE_ELECTION_READ, now_ms);
  request.lease = election->lease;
  request.lease.holder[0] = '\0';
  request.lease.duration_s = 1;
  request.lease.acquired_ms = request.lease.renewed_ms = wall_ms;
  return request;
}

KubeElectionRequest kube_election_ask(KubeElection *election, uint64_t now_ms, int64_t wall_ms) {
  if (election->state == KUBE_ELECTION_LEADING && now_ms >= ends_ms(election)) {
    election->state = KUBE_ELECTION_FOLLOWING;
    election->is_known = false;
  }
  if (election->in_flight || election->state == KUBE_ELECTION_LEFT || now_ms < election->next_ms)
    return (KubeElectionRequest){0};
  if (election->state == KUBE_ELECTION_LEAVING)
    return ask_to_leave(election, now_ms, wall_ms);
  bool may_claim =
      election->is_absent || (election->is_known && (is_ours(election) || !is_held(election, now_ms)));
  if (!may_claim)
    return send(election, KUBE_ELECTION_READ, now_ms);
  KubeElectionRequest request =
      send(election, election->is_absent ? KUBE_ELECTION_CREATE : KUBE_ELECTION_WRITE, now_ms);
  request.lease = claim(election, wall_ms);
  election->may_be_ours = true;
  return request;
}

/* ---- answers ---- */

static KubeElectionKind take_answer(KubeElection *election) {
  KubeElectionKind kind = election->in_flight;
  assert(kind);
  election->in_flight = KUBE_ELECTION_NOTHING;
  return kind;
}

void kube_election_note_lease(KubeElection *election, const KubeLease *lease, uint64_t now_ms,
                              Random *random) {
  bool was_written = take_answer(election) != KUBE_ELECTION_READ;
  see(election, lease, now_ms);
  election->next_ms = now_ms;
  if (election->state == KUBE_ELECTION_LEAVING) {
    if (was_written && !is_ours(election))
      election->state = KUBE_ELECTION_LEFT;
    return;
  }
  if (was_written && is_ours(election)) {
    election->renewed_ms = election->asked_ms;
    election->state =
        now_ms < ends_ms(election) ? KUBE_ELECTION_LEADING : KUBE_ELECTION_FOLLOWING; /* an old answer */
    wait_for_next(election, now_ms, random);
  } else if (!is_ours(election)) {
    election->state = KUBE_ELECTION_FOLLOWING;
    if (was_written || is_held(election, now_ms)) {
      election->is_known = false;
      wait_for_next(election, now_ms, random);
    }
  }
}

void kube_election_note_absent(KubeElection *election, uint64_t now_ms) {
  take_answer(election);
  election->is_absent = true;
  election->is_known = election->may_be_ours = false;
  election->lease = (KubeLease){0};
  election->next_ms = now_ms;
}

/* Nobody knows what the Lease says now. */
static void doubt(KubeElection *election) {
  take_answer(election);
  election->is_known = election->is_absent = false;
}

void kube_election_note_conflict(KubeElection *election, uint64_t now_ms, Random *random) {
  doubt(election);
  election->next_ms = now_ms;
  if (election->had_conflict)
    wait_for_next(election, now_ms, random);
  else
    election->had_conflict = true;
}

void kube_election_note_failure(KubeElection *election, uint64_t now_ms, Random *random) {
  doubt(election);
  if (election->state == KUBE_ELECTION_LEAVING)
    election->state = KUBE_ELECTION_LEFT;
  wait_for_next(election, now_ms, random);
}

/* ---- being asked ---- */

bool kube_election_leads(const KubeElection *election, uint64_t now_ms) {
  return election->state == KUBE_ELECTION_LEADING && now_ms < ends_ms(election);
}

uint64_t kube_election_next_ms(const KubeElection *election, uint64_t now_ms) {
  if (election->state == KUBE_ELECTION_LEFT)
    return UINT64_MAX;
  uint64_t next_ms = election->in_flight ? UINT64_MAX : election->next_ms;
  if (election->state == KUBE_ELECTION_LEADING && ends_ms(election) < next_ms)
    next_ms = ends_ms(election);
  return next_ms > now_ms ? next_ms : now_ms;
}

void kube_election_leave(KubeElection *election, uint64_t now_ms) {
  if (election->state == KUBE_ELECTION_LEFT)
    return;
  election->state = election->may_be_ours ? KUBE_ELECTION_LEAVING : KUBE_ELECTION_LEFT;
  election->next_ms = now_ms;
}

bool kube_election_has_left(const KubeElection *election) {
  return election->state == KUBE_ELECTION_LEFT;
}
