/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's side of re-cutting: reservation pods on the API server, their slices by the kubelet, and the
 * driver's jobs around the pure machine of recut.h. Shared by the agent's own files. */
#pragma once

#include "agent/recut.h"
#include "kube/client.h"
#include "kube/informer.h"

enum {
  AGENT_RECUT_READY_MS = 10000,    /* a withdrawal that cannot even begin by then is given up */
  AGENT_RECUT_ASK_SLOWLY_MS = 100, /* ... the kubelet, after a second without an answer that helps */
  AGENT_RECUT_SHOWN_MS = 20,       /* a watch may be so much later than the kubelet's */
  AGENT_RECUT_LOSSES_MAX = 3,      /* lost races one after the other before the node says so */
};

typedef struct AgentRecutting {
  char *namespace_, *scheduler;
  char *path; /* of the reservation pods */
  bool naive; /* a test: no reservation */
  KubeType type;
  KubeInformer *pods;
  ARRAY(AgentRecut *) recuts;        /* one at work at most; the others are on their way out */
  AgentTargets wanted;               /* what the unanswered plan takes away now */
  uint64_t wanted_since_ms;          /* and nothing is at work on that; 0: so it is not */
  bool unjudged;                     /* the plan may take slices away, but nobody knows who holds them */
  char lost_plan[MIG_PLAN_ID_SIZE];  /* its withdrawal was lost and is not tried again */
  char lost_reason[ERROR_TEXT_SIZE]; /* for facet.gpu/error; "" */
  char trouble[ERROR_TEXT_SIZE];     /* why the pods cannot be watched; "" */
  int losses;                        /* one after the other */
  bool posting;
  Arena held_arena;               /* of `held` */
  Strings held;                   /* by the pod of the re-cut at work */
  bool held_known;                /* the kubelet has answered in this round */
  uint32_t round;                 /* answers to questions of earlier rounds speak of the past */
  uint32_t get_round, list_round; /* of the questions that are open */
  bool awaits_first;              /* targets are gone, and something is to come in their place */
  uint64_t first_created_ms;      /* when something had */
  HostTimer timer, ask_timer;
} AgentRecutting;

/* The re-cut that is at work on its targets, or NULL. */
AgentRecut *agent_recutting_find_active(const AgentRecutting *recutting);
AgentRecut *agent_recutting_find(const AgentRecutting *recutting,
                                 const char *pod); /* NULL: none has that pod */
