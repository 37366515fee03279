/* SPDX-License-Identifier: Apache-2.0 */
/* What the controller remembers between passes: how nodes answered, what pods were told, which slices were
 * asked for lately. A cache of the past that may be lost at any time. */
#pragma once

#include "base/map.h"
#include "controller/uids.h"
#include "plan/plan.h"

enum {
  CONTROLLER_ANSWER_MS = 30000,     /* an agent that has not echoed its plan by then is not counted on */
  CONTROLLER_RETRY_FIRST_MS = 5000, /* a node that reported a failure rests for so long, doubling */
  CONTROLLER_RETRY_MAX_MS = 300000,
  CONTROLLER_REPEAT_MS = 30000, /* a pod hears a changed refusal at most this often */
  CONTROLLER_RECUT_LIMIT = 12,  /* of one node, within */
  CONTROLLER_RECUT_SPAN_MS = 60000,
};

typedef struct ControllerNodeMemory {
  char plan[MIG_PLAN_ID_SIZE]; /* the plan that since_ms and failed speak of */
  uint64_t since_ms;           /* when it was first seen unanswered or failed */
  bool failed;                 /* answered, with facet.gpu/error */
  int failures;                /* in a row */
  int refusals;                /* writes that the API server refused, in a row */
  uint64_t refused_until_ms;   /* rests until then because of them */
  char *refusal;               /* its words */
  char *held;                  /* why nothing new goes there now; NULL: open */
  ARRAY(uint64_t) recuts_ms;   /* when it was told to take slices away, the last minute */
} ControllerNodeMemory;

typedef struct ControllerTold {
  uint64_t at_ms;
  bool triggered;
  char *note;
} ControllerTold;

typedef struct ControllerMemory {
  Map nodes;                /* name -> ControllerNodeMemory, owned */
  Map told;                 /* pod uid -> ControllerTold, owned */
  Map hushed;               /* pod uid -> when it began (uint64_t, owned) to hear nothing for a while */
  ControllerUids counted;   /* pods that are part of `demand` already */
  ARRAY(PlanDemand) demand; /* slices served in the past, decaying */
  uint64_t decayed_ms;
} ControllerMemory;

void controller_memory_deinit(ControllerMemory *memory);
void controller_memory_forget_pod(ControllerMemory *memory, const char *uid);
void controller_memory_forget_node(ControllerMemory *memory, const char *name);

/* Reads the node's annotations and decides whether it is held. Returns when to look again (UINT64_MAX: no
 * need). */
uint64_t controller_memory_judge_node(ControllerMemory *memory, const Node *node, uint64_t now_ms);
/* Why nothing new goes to the node now, a sentence; NULL: it is open. */
const char *controller_memory_find_hold(const ControllerMemory *memory, const char *node);

/* The node was told to take slices away. */
void controller_memory_note_recut(ControllerMemory *memory, const char *node, uint64_t now_ms);
/* Was it told so `limit` times (0: any number) within the last CONTROLLER_RECUT_SPAN_MS? *wake_ms is lowered
 * to when it may be told again. */
bool controller_memory_is_recut_out(ControllerMemory *memory, const char *node, int limit, uint64_t now_ms,
                                    uint64_t *wake_ms);

/* The API server took the write for the node, or refused it. One refusal is the guard at work: the node is
 * not as the plan saw it, and the next pass sees the truth. From the second in a row on the node rests,
 * doubling. Only of a node that is there. */
void controller_memory_note_written(ControllerMemory *memory, const char *node);
void controller_memory_note_refused(ControllerMemory *memory, const char *node, const char *why,
                                    uint64_t now_ms);

/* Is this news for the pod? A refusal that only changed its words waits for CONTROLLER_REPEAT_MS; *wake_ms is
 * lowered to when that is over. Nothing is news for a pod without a uid: an Event could not speak of it. */
bool controller_memory_is_news(const ControllerMemory *memory, const Pod *pod, bool triggered,
                               const char *note, uint64_t now_ms, uint64_t *wake_ms);
void controller_memory_tell(ControllerMemory *memory, const Pod *pod, bool triggered, const char *note,
                            uint64_t now_ms);
/* The pod is blocked while a node is being re-cut that may serve it in a moment. True while it shall hear
 * nothing of that: CONTROLLER_ANSWER_MS at most since it was told something; *wake_ms is lowered to when that
 * is over. */
bool controller_memory_hush(ControllerMemory *memory, const Pod *pod, uint64_t now_ms, uint64_t *wake_ms);
/* The pod did not hear it after all: the same words are news again, a refusal after CONTROLLER_REPEAT_MS. */
void controller_memory_untell(ControllerMemory *memory, const char *uid);

void controller_memory_decay(ControllerMemory *memory, uint64_t now_ms);
/* Adds what the pod asks for to the demand, once per pod. */
void controller_memory_count_demand(ControllerMemory *memory, const SnapshotPod *pod);
