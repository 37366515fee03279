/* SPDX-License-Identifier: Apache-2.0 */
/* The host seam: time, timers and random numbers as values.
 *
 * Programs never read a clock. Whoever runs them - the libuv shell, the demo or the simulator - sets now_ms
 * and wall_ms once per turn and then fires what is due. All programs of one process share one Host and one
 * thread.
 *
 *     shell:   host_advance(&host, monotonic_ms, unix_ms); host_run_timers(&host); sleep until host_next_ms()
 *     program: timer_set(&host, &my_timer, delay_ms) ... my_timer.fire(my_timer.userdata) */
#pragma once

#include "base/random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct HostTimer HostTimer;

/* Embedded in its owner; zero it, set fire and userdata, and cancel it before the owner goes. */
struct HostTimer {
  void (*fire)(void *userdata);
  void *userdata;
  uint64_t at_ms;   /* when it is due, in the host's monotonic time */
  uint64_t order;   /* among timers of the same millisecond the one set first fires first */
  size_t heap_slot; /* place in the host's heap + 1; 0 while not set */
};

typedef struct Host {
  uint64_t now_ms; /* monotonic, milliseconds */
  int64_t wall_ms; /* Unix time, milliseconds */
  Random random;
  HostTimer **heap;
  size_t timer_count;
  size_t timer_capacity;
  uint64_t timers_set;
} Host;

#define HOST_NEVER UINT64_MAX

void host_init(Host *host, uint64_t seed);
void host_deinit(Host *host);
void host_advance(Host *host, uint64_t now_ms, int64_t wall_ms);
/* The time of the next timer, or HOST_NEVER. */
uint64_t host_next_ms(const Host *host);
/* Fires everything that is due at now_ms, including timers that the fired ones set to now. */
void host_run_timers(Host *host);

/* (Re)sets the timer to now + delay. */
void timer_set(Host *host, HostTimer *timer, uint64_t delay_ms);
void timer_cancel(Host *host, HostTimer *timer); /* harmless when not set */
bool timer_is_set(const HostTimer *timer);
