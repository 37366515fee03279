/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing grows without bound: what is waited for, what is asked, what is kept. The limits are a few times
 * what a healthy cluster of that size has at its worst. */
#include "sim/chaos/check.h"
#include "sim/cluster/check.h"

#include <malloc.h>
#include <unistd.h>

enum {
  TIMERS_BASE = 100,
  TIMERS_PER_NODE = 60,
  CALLS_BASE = 150, /* a controller's Events are up to 128 */
  CALLS_PER_NODE = 40,
  /* One at work, others on their way out, witnesses: all of them stay while a kubelet's watch is dead (150
     s). */
  RESERVATIONS_PER_NODE = 30,
  HEAP_MAX = 64 << 20, /* bytes; of everything, the API server's history with it */
};

static int check_limit(const char *what, size_t is, size_t limit, Error *err) {
  if (is <= limit)
    return 0;
  return error_set(err, ERROR_LIMIT, "there are %zu %s, and %zu would be many", is, what, limit);
}

/* Asking malloc walks through everything that is free, so it is asked when the heap has grown, or is larger
 * than may be in use: until then the answer could not be too many. */
static int check_heap(ChaosWorld *world, Error *err) {
  char *end = sbrk(0);
  if (end == world->heap_end && world->heap_size <= HEAP_MAX)
    return 0;
  struct mallinfo2 heap = mallinfo2();
  world->heap_end = end;
  world->heap_size = heap.arena;
  if (heap.uordblks > world->counts.heap_max)
    world->counts.heap_max = heap.uordblks;
  return check_limit("bytes of memory", heap.uordblks, HEAP_MAX, err);
}

int chaos_check_bounds(ChaosWorld *world, int node, Error *err) {
  const SimCluster *cluster = world->cluster;
  size_t nodes = (size_t)cluster->node_count;
  size_t pods = sim_api_store(cluster->api)->objects[SIM_API_PODS].count;
  int result =
      check_limit("timers", cluster->host.timer_count, TIMERS_BASE + TIMERS_PER_NODE * nodes + 2 * pods, err);
  if (result == 0)
    result = check_limit("open requests", sim_api_count_calls(cluster->api),
                         CALLS_BASE + CALLS_PER_NODE * nodes, err);
  if (result == 0)
    result = check_limit("reservations", sim_check_count_reservations(cluster), RESERVATIONS_PER_NODE * nodes,
                         err);
  return result < 0 ? result : check_heap(world, err);
}
