/* SPDX-License-Identifier: Apache-2.0 */
/* Where the machine's state lives: a folder shared by processes, or this process's memory. Reading never
 * waits; whoever changes the state holds it alone from begin to end, as the driver serializes changes. */
#pragma once

#include "sim/nvml/state.h"

#include <pthread.h>

typedef struct SimStore {
  char *folder;             /* NULL: in memory only */
  pthread_mutex_t changing; /* one change at a time among our threads; the lock file does it for processes */
  pthread_mutex_t mutex;    /* guards what follows */
  Text text;                /* the state file as last read */
  SimState state;           /* what it says */
} SimStore;

/* One change: begin, alter `state`, commit; end releases it, and drops it where it was not committed. */
typedef struct SimChange {
  SimStore *store; /* NULL: none is going on */
  int lock_fd;
  SimState state;
} SimChange;

/* folder NULL: in memory. `machine` is the state of a new folder, or NULL: then ERROR_NOT_FOUND where there
 * is none yet. `renew` replaces the state of an old folder by it. The folder must exist. */
int sim_store_init(SimStore *store, const char *folder, const SimState *machine, bool renew,
                   Error *err) MUST_CHECK;
void sim_store_deinit(SimStore *store);
/* The last committed state, also while a change is going on. */
int sim_store_load(SimStore *store, SimState *ret_state, Error *err) MUST_CHECK;

int sim_change_begin(SimChange *change, SimStore *store, Error *err) MUST_CHECK;
int sim_change_commit(SimChange *change, Error *err) MUST_CHECK;
void sim_change_end(SimChange *change); /* a cleanup function as it is */
