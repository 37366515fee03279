/* SPDX-License-Identifier: Apache-2.0 */
/* One pass of the controller as a pure function: what is known of the cluster and the time in, writes and
 * words out.
 *
 *     (1) heal: hold back nodes that owe an answer or failed     (2) plan
 *     (3) what nodes were not told yet -> writes                 (4) what pods did not hear yet -> words
 *
 * It looks at nodes and pods of which something is new: the object, the plan, or that time has come. */
#pragma once

#include "controller/cluster.h"
#include "controller/memory.h"

enum {
  CONTROLLER_WRITES_MAX = 256, /* node writes of one pass; the rest follows in the next one */
};

typedef struct ControllerView {
  ControllerCluster *cluster; /* what is done is struck off its lists */
  PlanLeftover leftover;
  const char *scheduler; /* through which the agents reserve slices; NULL: the default one */
  size_t words_max;      /* Events that can go out now; what more there is to say follows in the next pass */
  const char *plan_id;   /* for this pass, if it writes anything */
  uint64_t now_ms;
  int64_t now_s;          /* Unix time, for the age of pods */
  int64_t starvation_s;   /* pods of this age come before others of their priority; 0: none do */
  int recut_limit;        /* of one node and minute; 0: none */
  const PlanClock *clock; /* NULL: planning is limited by its steps alone */
  bool observe;           /* nothing will be written: words say what would be */
} ControllerView;

typedef struct ControllerWrite {
  const char *node;
  const char *body;    /* JSON Patch of the node */
  const char *summary; /* for the log: "gpu 0: -1g.10gb@4,+3g.40gb@4" (changes only) */
} ControllerWrite;

typedef struct ControllerWord {
  const Pod *pod; /* borrowed, as the cluster has it */
  bool triggered; /* TriggeredRepartition or NotTriggeredRepartition */
  const char *note;
} ControllerWord;

typedef struct ControllerPass {
  Arena arena; /* owns all strings */
  ARRAY(ControllerWrite) writes;
  ARRAY(ControllerWord) words; /* only news */
  SnapshotWarnings warnings;
  int pending, admitted, blocked, already_fit, bound;
  int ignored;        /* wait, and no slice could help them */
  bool stopped_early; /* as in Plan */
  uint64_t wake_ms;   /* when the next pass is due even if nothing changes; UINT64_MAX: never */
} ControllerPass;

void controller_pass_compute(const ControllerView *view, ControllerMemory *memory, ControllerPass *ret_pass);
void controller_pass_deinit(ControllerPass *pass);
