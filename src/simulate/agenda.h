/* SPDX-License-Identifier: Apache-2.0 */
/* What is to happen, in the order of time (a binary heap). Of what happens at one instant, ends come first,
 * so that who arrives finds the room; then arrivals, then those who give up; within these, what was noted
 * first. */
#pragma once

#include "base/array.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum SimulateEventKind {
  SIMULATE_END,     /* a job ends */
  SIMULATE_ARRIVAL, /* a job arrives */
  SIMULATE_GIVE_UP, /* a job has waited long enough */
  SIMULATE_WAKE,    /* the policy wants to be asked */
} SimulateEventKind;

typedef struct SimulateEvent {
  int64_t at_ms;
  SimulateEventKind kind;
  int job;
  uint64_t order; /* set by the agenda */
} SimulateEvent;

typedef struct SimulateAgenda {
  ARRAY(SimulateEvent) heap;
  uint64_t next_order;
} SimulateAgenda;

void simulate_agenda_deinit(SimulateAgenda *agenda);
void simulate_agenda_add(SimulateAgenda *agenda, SimulateEvent event);
/* The first event, or NULL; valid until the next change. */
const SimulateEvent *simulate_agenda_peek(const SimulateAgenda *agenda);
/* Takes the first event out; false where there is none. */
bool simulate_agenda_take(SimulateAgenda *agenda, SimulateEvent *ret_event);
