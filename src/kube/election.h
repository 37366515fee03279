/* SPDX-License-Identifier: Apache-2.0 */
/* Who leads, decided by a Lease with client-go's rules: a state machine that is told the time and what the
 * server answered, and says what to ask next. No I/O.
 *
 *                .--------- another holds it: again in 2 s, and up to 2.4 s more
 *                v         |
 *   start --> FOLLOWING --READ--> nobody holds it, or its holder was silent for its 15 s, or it is ours
 *                ^         |                         |
 *                |         404 --CREATE--.         WRITE
 *                |                       v           v
 *                |                     LEADING <-----'   WRITE again every 2 s
 *                |                       |  |
 *                '-----------------------'  '-- leave() --WRITE "nobody", for 1 s--> LEFT
 *        another holds it, or no WRITE that was
 *        sent within the last 10 s succeeded
 *
 * Clocks of others do not count: a holder is silent when its Lease did not change for so long on our clock.
 * Each WRITE carries the version that was read, so of two that try at once one is refused (409). Whoever
 * leads counts its 10 s from when the last successful WRITE was sent; others count their 15 s from when they
 * saw it, which is later. So there are 5 s between two leaders, whatever the answers' way takes.
 *
 *     KubeElectionRequest request = kube_election_ask(e, now_ms, wall_ms);
 *     ... send it; then one of kube_election_note_lease/absent/conflict/failure; ask again ... */
#pragma once

#include "base/random.h"
#include "kube/lease.h"

enum {
  KUBE_ELECTION_LEASE_MS = 15000, /* a silent holder has lost it after this */
  KUBE_ELECTION_RENEW_MS = 10000, /* a leader that could not renew for so long is none any more */
  KUBE_ELECTION_RETRY_MS = 2000,
  KUBE_ELECTION_ANSWER_MS = 5000, /* one request may take so long: two fit before a leader has to give up */
};

typedef enum KubeElectionState {
  KUBE_ELECTION_FOLLOWING,
  KUBE_ELECTION_LEADING,
  KUBE_ELECTION_LEAVING, /* leave() was called, and the Lease may still be ours */
  KUBE_ELECTION_LEFT,
} KubeElectionState;

typedef enum KubeElectionKind {
  KUBE_ELECTION_NOTHING, /* until kube_election_next_ms() */
  KUBE_ELECTION_READ,    /* GET */
  KUBE_ELECTION_CREATE,  /* POST */
  KUBE_ELECTION_WRITE,   /* PATCH, on condition of lease.version */
} KubeElectionKind;

typedef struct KubeElectionRequest {
  KubeElectionKind kind;
  KubeLease lease; /* what to write */
} KubeElectionRequest;

typedef struct KubeElection {
  char identity[KUBE_LEASE_HOLDER_SIZE];
  KubeElectionState state;
  KubeElectionKind in_flight;
  bool is_known;       /* `lease` is what the server has, as far as we know */
  bool is_absent;      /* there was no Lease when we looked */
  bool had_conflict;   /* since we last waited */
  bool has_seen;       /* `lease` was filled at least once */
  bool may_be_ours;    /* the Lease, by a write whose answer is lost or not there yet */
  KubeLease lease;     /* as last seen */
  uint64_t seen_ms;    /* when it last changed, by our clock */
  uint64_t asked_ms;   /* when the request in flight was sent */
  uint64_t renewed_ms; /* when the last successful write of a leader was sent */
  uint64_t next_ms;    /* no request before */
} KubeElection;

/* identity: of this process alone, at most KUBE_LEASE_HOLDER_SIZE - 1 bytes. */
void kube_election_init(KubeElection *election, const char *identity, uint64_t now_ms);

/* What is to be sent now; nothing while an answer is awaited. */
KubeElectionRequest kube_election_ask(KubeElection *election, uint64_t now_ms, int64_t wall_ms);
/* The answers: the Lease as it is now, no such Lease (404 to READ and WRITE), somebody was quicker (409), or
 * nothing is known of what the server did, or can be made of it. */
void kube_election_note_lease(KubeElection *election, const KubeLease *lease, uint64_t now_ms,
                              Random *random);
void kube_election_note_absent(KubeElection *election, uint64_t now_ms);
void kube_election_note_conflict(KubeElection *election, uint64_t now_ms, Random *random);
void kube_election_note_failure(KubeElection *election, uint64_t now_ms, Random *random);

/* May we act as the leader at this moment? */
bool kube_election_leads(const KubeElection *election, uint64_t now_ms);
/* When there is something to ask, or to stop leading, even if nothing happens; UINT64_MAX: never. */
uint64_t kube_election_next_ms(const KubeElection *election, uint64_t now_ms);
/* We stop leading at once, and give the Lease back where it is ours. */
void kube_election_leave(KubeElection *election, uint64_t now_ms);
bool kube_election_has_left(const KubeElection *election);
