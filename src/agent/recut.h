/* SPDX-License-Identifier: Apache-2.0 */
/* One re-cut of a node: free slices are taken away so that others can be made in their place, without ever
 * killing a pod that was promised one. Pure: a step takes what is known and returns what to do next.
 *
 * A slice that the scheduler has promised to a pod, but not bound yet, is visible to nobody. So the slices
 * are asked for through the scheduler, by a reservation pod: what that gets, nobody else was promised.
 *
 *     RESERVING   the pod is created; the scheduler binds it                           10 s
 *         |
 *     LEARNING    the kubelet says which slices the pod holds: exactly the targets?    10 s
 *         |
 *     UNLISTING   ListAndWatch leaves them out, until the kubelet shows that; then     10 s
 *         |       the node does not offer them any more either
 *     CONFIRMING  asked once more, now that nobody else can get them: does the pod still   10 s
 *         |       hold them? Somebody may have deleted it by force while our watch was behind
 *     CUTTING     destroyed, one after the other, as long as the pod holds them
 *         |
 *     SHOWING     what is wanted is created, listed and known, the node says so, and our own watch of the
 *         |       node shows it
 *     SETTLING    what the kubelet read in its list before it became shorter it may write late,  3.5 s
 *         |       where the amount is news to it: changed lately, while its own watch of the node may be
 *         |       behind. What the node says afterwards counts. Not if the next re-cut waits for it
 *     LINGERING   the scheduler reads nodes and pods in two streams, either of which     180 s
 *         |       may be late. Until it has seen what the node offers now, it counts slices that are gone.
 *         |       So a witness pod goes through it, one that fits the node only by its newest label
 *         |
 *     RELEASING   the pod is deleted, gracefully: a forced deletion would free the count of the scheduler
 *         |       while the kubelet still holds the slices
 *     OVER
 *
 * Where NVIDIA's plugin publishes (`unsteered`), nothing can be left out of its list, and nobody tells it
 * which slices to give. Then the pod asks for all free slices of the targets' profiles and may hold more than
 * the targets; UNLISTING and CONFIRMING are passed over: what the pod holds the kubelet gives to nobody
 * else, listed or not.
 * So it must hold them until the last one is destroyed.
 *
 * Until the first slice is destroyed a re-cut can be lost: not scheduled, deleted by somebody, other slices
 * than the targets, out of time, no longer wanted. Then it goes to RELEASING, and nothing has happened. A
 * reservation that an earlier life of the agent left behind begins at SHOWING, or, where the plan still wants
 * it, at RESERVING. The order and its reasons were measured on a real kubelet and scheduler (1.36). */
#pragma once

#include "agent/withdrawal.h"

enum {
  AGENT_RECUT_PATIENCE_MS = 10000,     /* for scheduler and kubelet, each */
  AGENT_RECUT_LINGER_MS = 180000,      /* a client may take 150 s to see that its connection is dead */
  AGENT_RECUT_BLIND_LINGER_MS = 1000,  /* where nobody can be asked */
  AGENT_RECUT_WITNESS_AGAIN_MS = 5000, /* and twice as long each time: our watch may not show them */
  AGENT_RECUT_RELEASE_AGAIN_MS = 5000,
  AGENT_RECUT_NAME_SIZE = 64,
};

typedef enum AgentRecutState {
  AGENT_RECUT_RESERVING,
  AGENT_RECUT_LEARNING,
  AGENT_RECUT_UNLISTING,
  AGENT_RECUT_CONFIRMING,
  AGENT_RECUT_CUTTING,
  AGENT_RECUT_SHOWING,
  AGENT_RECUT_SETTLING,
  AGENT_RECUT_LINGERING,
  AGENT_RECUT_RELEASING,
  AGENT_RECUT_OVER,
} AgentRecutState;

/* A reservation pod as the API server has it. */
typedef enum AgentPodState {
  AGENT_POD_ABSENT,
  AGENT_POD_WAITING,       /* for the scheduler */
  AGENT_POD_UNSCHEDULABLE, /* says the scheduler */
  AGENT_POD_BOUND,
  AGENT_POD_LEAVING, /* being deleted */
  AGENT_POD_ENDED,   /* failed: the kubelet did not take it */
} AgentPodState;

typedef struct AgentRecut {
  AgentRecutState state;
  uint64_t since_ms; /* in this state */
  uint64_t began_ms;
  uint64_t asked_ms;                  /* RELEASING: the deletion was last asked for; 0: never */
  uint32_t took_ms[AGENT_RECUT_OVER]; /* by state that is over */
  char pod[AGENT_RECUT_NAME_SIZE];    /* name */
  char plan[MIG_PLAN_ID_SIZE];        /* that takes the targets away */
  AgentTargets targets;
  uint64_t unlisted_ms;                /* the kubelet shows its list without the targets; 0: not known */
  bool is_quiet;                       /* for long the node had said what the kubelet had until then */
  uint64_t settles_ms;                 /* so long the kubelet may write what it had before; 0: no longer */
  int64_t offer;                       /* from SHOWING on: what the node's label facet.gpu/offer reaches */
  char witness[AGENT_RECUT_NAME_SIZE]; /* LINGERING: name of the pod */
  uint64_t witness_ms;                 /* when it was asked for; 0: never */
  uint32_t witness_again_ms;           /* so much later for another one */
  int destroyed;
  bool is_witness; /* no slices, no reservation: it only finds out what the scheduler has seen */
  bool unsteered;  /* NVIDIA's plugin publishes */
  bool seen;       /* the API server has shown the pod */
  bool lost;
  bool raced;                   /* lost to pods that were quicker: nothing is wrong */
  char reason[ERROR_TEXT_SIZE]; /* why it was lost */
} AgentRecut;

typedef struct AgentRecutView {
  uint64_t now_ms;
  const AgentTargets *wanted; /* what an unanswered plan takes away now */
  AgentPodState pod;
  const char *pod_says; /* the scheduler's or kubelet's words; may be NULL */
  const Strings *held;  /* the pod's slices, by the kubelet; NULL: not known. CONFIRMING: asked since then */
  bool kubelet_agrees;  /* it shows exactly the lists that leave out what is withheld */
  bool node_agrees;     /* the node's status shows the amounts of these lists */
  bool growing;         /* a slice in the place of the targets may still come */
  bool has_node;        /* to put a witness on */
  AgentPodState witness;
  const GpuObservation *observation;
} AgentRecutView;

typedef enum AgentRecutAction {
  AGENT_RECUT_WAIT,
  AGENT_RECUT_ASK,     /* the kubelet which slices the pod holds */
  AGENT_RECUT_DESTROY, /* ret_target */
  AGENT_RECUT_DELETE,  /* the pod */
  AGENT_RECUT_OFFER,   /* give it a new offer */
  AGENT_RECUT_WITNESS, /* create one, under a new name */
} AgentRecutAction;

/* Takes the targets over. */
AgentRecut *agent_recut_new(const char *pod, const char *plan, AgentTargets *targets, uint64_t now_ms);
/* Of a reservation that is not needed any more: it is let go once the node shows what there is. */
AgentRecut *agent_recut_new_orphan(const char *pod, uint64_t now_ms);
/* Of no slices: it ends when the scheduler has seen what the node offers from now on. */
AgentRecut *agent_recut_new_witness(uint64_t now_ms);
/* One that still waits begins again: what its witness would say is of no use any more. */
void agent_recut_renew_witness(AgentRecut *recut, uint64_t now_ms);
void agent_recut_free(AgentRecut *recut);

AgentRecutAction agent_recut_step(AgentRecut *recut, const AgentRecutView *view,
                                  const AgentTarget **ret_target);
/* The pod could not be created: nothing has to be released. */
void agent_recut_refuse(AgentRecut *recut, const char *reason, uint64_t now_ms);
/* When a step is due although nothing happens; HOST_NEVER. */
uint64_t agent_recut_wake_ms(const AgentRecut *recut);

/* Is it at work on its targets (before SHOWING)? Only one of a node is. */
bool agent_recut_is_active(const AgentRecut *recut);
/* Must the slice stay out of the kubelet's list? */
bool agent_recut_withholds(const AgentRecut *recut, const char *uuid);
const char *agent_recut_state_name(AgentRecutState state);
