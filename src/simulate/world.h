/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated cluster at one instant: what a policy sees, and the only ways in which it changes something.
 *
 * Every change is checked: slots are given out once, only free slices are taken away, a job gets what it
 * asks. The driver's time is charged at once: a destroy and a create delay what follows on the same GPU, and
 * a job begins when the last of its slices is ready. */
#pragma once

#include "simulate/fleet.h"
#include "simulate/load.h"

#define SIMULATE_NEVER INT64_MAX

typedef enum SimulateJobState {
  SIMULATE_JOB_COMING,
  SIMULATE_JOB_WAITING,
  SIMULATE_JOB_RUNNING,
  SIMULATE_JOB_ENDED,
  SIMULATE_JOB_GONE, /* waited long enough and gave up */
} SimulateJobState;

typedef struct SimulateProgress { /* of one job */
  SimulateJobState state;
  int missing;      /* slices that it still has to get */
  int node;         /* where it runs */
  int64_t start_ms; /* when its slices are ready; set by the last take */
} SimulateProgress;

/* Jobs of one class by arrival, which is the order of their numbers. Before `first` nobody waits any more;
 * behind it some may have given up. */
typedef struct SimulateQueue {
  ARRAY(int) jobs;
  size_t first;
} SimulateQueue;

typedef struct SimulateLatency {
  int64_t create_ms, destroy_ms;
} SimulateLatency;

typedef struct SimulateWorld {
  int64_t now_ms;
  SimulateFleet *fleet;     /* borrowed, and changed */
  const SimulateLoad *load; /* borrowed */
  SimulateLatency latency;
  SimulateProgress *jobs; /* by job */
  SimulateQueue *queues;  /* by class */
  int waiting_total;
  ARRAY(int) started;  /* in this round */
  ARRAY(int) released; /* GPUs on which a job ended since the last round; may name one twice */
  int8_t profiles[SIMULATE_MODELS_MAX]
                 [SIMULATE_KINDS_MAX];    /* of kinds, by the fleet's models; -1: has none */
  int64_t free_count[SIMULATE_KINDS_MAX]; /* slices that exist and that nobody uses */
  /* By class: nothing could be done for it, and nothing has been freed since. Set by policies, cleared where
   * a job ends. */
  bool stuck[SIMULATE_CLASSES_MAX];
  int waiting_count[SIMULATE_CLASSES_MAX];      /* by class */
  int64_t used_slots, used_slices, used_memory; /* slots, compute slices, units of memory that jobs use */
  int64_t creates, destroys;
  int64_t repartitions; /* a GPU whose slices changed at an instant */
} SimulateWorld;

/* The fleet is emptied. */
void simulate_world_init(SimulateWorld *world, SimulateFleet *fleet, const SimulateLoad *load,
                         SimulateLatency latency);
void simulate_world_deinit(SimulateWorld *world);

/* For policies. */
int simulate_world_profile(const SimulateWorld *world, int gpu, int kind); /* -1: the GPU has none */
void simulate_world_create(SimulateWorld *world, int gpu, int profile, int start);
void simulate_world_destroy(SimulateWorld *world, int gpu, int start); /* a free slice */
/* Free slices of GPUs on which a job ended go: for policies whose slices go with their job. */
void simulate_world_unmake_released(SimulateWorld *world);
/* The job gets this free slice. With the last one it begins. */
void simulate_world_take(SimulateWorld *world, int job, int gpu, int start);
/* Does anybody wait whose class is not stuck? */
bool simulate_world_has_open(const SimulateWorld *world);
/* Who has waited longest of those whose class is not stuck, nor, where `skip` is not NULL, skip[class];
 * SIMULATE_NOBODY where nobody does. */
int simulate_world_find_oldest(SimulateWorld *world, const bool *skip);
/* The job of this class behind `place` in its queue that still waits, SIMULATE_NOBODY at the end; moves
 * *place behind it. Begin with queues[class].first. */
int simulate_world_next_waiting(const SimulateWorld *world, int class_, size_t *place);
/* The job gets what it asks of the free slices on this node; those that are ready the earliest, then on the
 * fullest GPU, then in order. False, and nothing is taken, where the node has not that many. */
bool simulate_world_take_on(SimulateWorld *world, int job, int node);
/* What kube-scheduler does with slices that exist: the oldest waiting job first, each on the node with the
 * free slice that take_on() would take first. */
void simulate_world_schedule(SimulateWorld *world);

/* For the run. */
void simulate_world_arrive(SimulateWorld *world, int job);
void simulate_world_give_up(SimulateWorld *world, int job);
void simulate_world_end(SimulateWorld *world, int job); /* its slices become free */
/* Free slots that are of no use, in the mean over the load's profiles: of what a GPU has free, how much stays
 * when as many slices as possible of one profile are placed, weighted by how often the load asks for it. Free
 * slices count as free slots. */
double simulate_world_unusable_slots(const SimulateWorld *world, const double weights[SIMULATE_KINDS_MAX],
                                     int gpu);
/* All invariants of all GPUs and jobs; for tests. */
int simulate_world_check(const SimulateWorld *world, Error *err) MUST_CHECK;
