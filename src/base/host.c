/* SPDX-License-Identifier: Apache-2.0 */
/* Timers are a binary heap of pointers to timers embedded in their owners; each knows its place in the heap,
 * so that cancelling costs a logarithm and no search. */
#include "base/host.h"

#include "base/memory.h"

#include <assert.h>

/* A program that keeps setting timers to "now" would hang the loop: that is a mistake of ours, found here. */
enum { FIRED_PER_TURN_MAX = 1000000 };

static bool earlier(const HostTimer *a, const HostTimer *b) {
  return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void put(Host *host, size_t i, HostTimer *timer) {
  host->heap[i] = timer;
  timer->heap_slot = i + 1;
}

static void sift_up(Host *host, size_t i) {
  HostTimer *timer = host->heap[i];
  while (i > 0 && earlier(timer, host->heap[(i - 1) / 2])) {
    put(host, i, host->heap[(i - 1) / 2]);
    i = (i - 1) / 2;
  }
  put(host, i, timer);
}

static void sift_down(Host *host, size_t i) {
  HostTimer *timer = host->heap[i];
  for (;;) {
    size_t child = 2 * i + 1;
    if (child >= host->timer_count)
      break;
    if (child + 1 < host->timer_count && earlier(host->heap[child + 1], host->heap[child]))
      child++;
    if (!earlier(host->heap[child], timer))
      break;
    put(host, i, host->heap[child]);
    i = child;
  }
  put(host, i, timer);
}

void host_init(Host *host, uint64_t seed) {
  *host = (Host){.random = {.state = seed}};
}

void host_deinit(Host *host) {
  for (size_t i = 0; i < host->timer_count; i++)
    host->heap[i]->heap_slot = 0;
  free(host->heap);
  *host = (Host){0};
}

void host_advance(Host *host, uint64_t now_ms, int64_t wall_ms) {
  assert(now_ms >= host->now_ms);
  host->now_ms = now_ms;
  host->wall_ms = wall_ms;
}

uint64_t host_next_ms(const Host *host) {
  return host->timer_count ? host->heap[0]->at_ms : HOST_NEVER;
}

void host_run_timers(Host *host) {
  for (int fired = 0; host_next_ms(host) <= host->now_ms; fired++) {
    assert(fired < FIRED_PER_TURN_MAX);
    HostTimer *timer = host->heap[0];
    timer_cancel(host, timer);
    timer->fire(timer->userdata);
  }
}

void timer_set(Host *host, HostTimer *timer, uint64_t delay_ms) {
  assert(timer->fire);
  timer_cancel(host, timer);
  if (host->timer_count == host->timer_capacity) {
    host->timer_capacity = host->timer_capacity ? host->timer_capacity * 2 : 16;
    host->heap = mem_grow(host->heap, host->timer_capacity, sizeof *host->heap);
  }
  /* A delay of HOST_NEVER must not wrap around into the past. */
  timer->at_ms = delay_ms < HOST_NEVER - host->now_ms ? host->now_ms + delay_ms : HOST_NEVER;
  timer->order = host->timers_set++;
  put(host, host->timer_count++, timer);
  sift_up(host, host->timer_count - 1);
}

void timer_cancel(Host *host, HostTimer *timer) {
  if (!timer->heap_slot)
    return;
  size_t i = timer->heap_slot - 1;
  assert(host->heap[i] == timer);
  timer->heap_slot = 0;
  HostTimer *last = host->heap[--host->timer_count];
  if (last == timer)
    return;
  put(host, i, last);
  sift_up(host, i);
  sift_down(host, last->heap_slot - 1);
}

bool timer_is_set(const HostTimer *timer) {
  return timer->heap_slot != 0;
}
