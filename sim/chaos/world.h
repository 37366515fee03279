/* SPDX-License-Identifier: Apache-2.0 */
/* One history being played: the simulated cluster, what is to be undone later, what is excused, and the first
 * thing that went wrong.
 *
 * An excuse is a stretch of time on one node in which somebody else made it impossible to keep a promise: a
 * killed agent leaves its kubelet without a plugin, a slice that was destroyed by hand is offered until the
 * agent looks again. The strikes give them, the checkers ask for them. */
#pragma once

#include "base/map.h"
#include "base/text.h"
#include "sim/chaos/history.h"

typedef struct ChaosWorld ChaosWorld;

enum { CHAOS_CANDIDATES = 2 };

/* An amount that somebody wrote on a node by hand, and that neither its agent nor its kubelet has taken back:
 * both may be deaf. */
typedef struct ChaosLie {
  const char *resource, *amount; /* NULL: none */
  uint64_t until_ms;             /* by then one of them has noticed */
} ChaosLie;

typedef struct ChaosNode {
  uint64_t unplugged_until_ms; /* its kubelet may have no plugin */
  uint64_t lies_until_ms;      /* it may offer what is not there, and not by us */
  ChaosLie lie;
  int64_t lost_version; /* of the node's object when what it offered or held back was lost last; 0: never */
  Map gone;             /* UUIDs of slices that somebody else took away -> non-NULL */
  Map misled;           /* pods that were bound to it while it lied -> non-NULL */
  Map given;            /* UUIDs of slices that pods were seen with while they existed -> non-NULL */
  bool is_absent;       /* no such node: neither agent nor kubelet can start */
  uint32_t kill_in_ms;  /* after the next change that concerns it, its agent dies; 0: no */
} ChaosNode;

/* Something that is to happen later, or when the storm is over. */
typedef struct ChaosLater {
  ChaosWorld *world;
  HostTimer timer;
  void (*run)(ChaosWorld *world, int node);
  int node;
} ChaosLater;

/* One of two controllers that share a Lease. */
typedef struct ChaosCandidate {
  char name[32];
  SimApiLine line;
  Controller *controller; /* NULL: none */
} ChaosCandidate;

typedef struct ChaosCounts {
  uint64_t virtual_ms;
  size_t pods;
  size_t unplugged_victims, excused_victims; /* pods that were rejected, and nothing could be done */
  size_t heap_max;
} ChaosCounts;

struct ChaosWorld {
  const ChaosHistory *history;
  SimCluster *cluster;
  Controller *rival;                           /* NULL: none */
  ChaosCandidate candidates[CHAOS_CANDIDATES]; /* both, instead of the cluster's controller, or none */
  uint32_t candidates_ever;
  uint64_t node_made_ms;        /* just after one was created last */
  uint64_t lease_lost_until_ms; /* a Lease that one of them holds may never have been written */
  uint32_t cut_off_ms;          /* so long the one that leads will be cut off */
  ChaosNode nodes[CHAOS_NODES_MAX];
  ARRAY(ChaosLater *) laters;
  uint64_t began_ms;              /* the storm */
  bool is_over;                   /* the storm */
  int lasting;                    /* pods that never end */
  uint32_t kill_controller_in_ms; /* after its next write */
  ChaosCounts counts;
  char *heap_end;   /* when its size was asked last */
  size_t heap_size; /* then; of what is in use and what is free */
  Text timeline;
  bool tells_all;      /* what the programs log, too */
  SimState machine;    /* of the node that is being checked */
  const char *checker; /* that found it; NULL: nothing is wrong */
  Error failure;
};

/* The cluster as it is before the first step; what chaos_world_play begins with. */
void chaos_world_begin(ChaosWorld *world, const ChaosHistory *history, bool tells_all);
/* Plays the history to its end, or until something is wrong. */
void chaos_world_play(ChaosWorld *world, const ChaosHistory *history, bool tells_all);
void chaos_world_deinit(ChaosWorld *world);

/* For strikes. */
void chaos_world_note(ChaosWorld *world, const char *format, ...) PRINTF_LIKE(2, 3);
ChaosLater *chaos_world_later(ChaosWorld *world, uint64_t delay_ms, void (*run)(ChaosWorld *world, int node),
                              int node);
void chaos_world_excuse_unplugged(ChaosWorld *world, int node, uint64_t duration_ms);
void chaos_world_excuse_lies(ChaosWorld *world, int node, uint64_t duration_ms);
/* Until it is taken back or has come true. resource and amount are static. */
void chaos_world_excuse_lie(ChaosWorld *world, int node, const char *resource, const char *amount);
void chaos_world_end_lie(ChaosWorld *world, int node);
/* What it offered is gone, or what kept others from slices that are gone. Whoever has not seen the node since
 * may still send pods. */
void chaos_world_note_loss(ChaosWorld *world, int node);
/* Pods that were sent to it and not admitted yet may find nothing, and not by us. */
void chaos_world_excuse_promised(ChaosWorld *world, int node);
/* May pods be sent there for what is not there, and not by us? */
bool chaos_world_misleads(const ChaosWorld *world, int node);
bool chaos_world_is_excused(const ChaosWorld *world, int node);
/* Whatever is on its GPUs now may be gone, and not by us. */
void chaos_world_excuse_slices(ChaosWorld *world, int node);
void chaos_world_watch_driver(ChaosWorld *world, int node); /* of a machine that is new */
const char *chaos_world_node_name(const ChaosWorld *world, int node);
/* Only the first one counts. */
void chaos_world_fail(ChaosWorld *world, const char *checker, const Error *err);
