/* SPDX-License-Identifier: Apache-2.0 */
/* Each seed draws a mix: every fault is left out, comes at its usual rate, or comes often. Few kinds of
 * trouble at a time reach deeper than all of it at once, and a short list is easier to read. */
#include "sim/chaos/history.h"

#include "base/text.h"
#include "sim/chaos/fault.h"

#include <assert.h>

enum { MOMENTS = 120 };

static void draw_cluster(Random *random, ChaosHistory *history) {
  static const char *const machines[] = {"A100-SXM4-80GB", "2xA100-SXM4-80GB", "H100-SXM-80GB"};
  SimClusterOptions *options = &history->options;
  *options = sim_cluster_defaults();
  options->seed = history->seed;
  options->node_count = 1 + (int)random_below(random, CHAOS_NODES_MAX);
  options->machine = machines[random_below(random, COUNT_OF(machines))];
  options->api.jitter_ms = (uint32_t)random_below(random, 60);
  options->socket_jitter_ms = (uint32_t)random_below(random, 20);
  options->container_stop_ms = (uint32_t)random_below(random, 1000);
  options->container_start_ms = 100;
  history->wanders = random_below(random, 2) == 0;
}

/* Every eighth seed is an ordinary day. */
static void draw_mix(Random *random, uint32_t rates[CHAOS_FAULTS_MAX]) {
  static const uint32_t factors[] = {0, 0, 0, 1, 1, 4};
  bool is_calm = random_below(random, 8) == 0;
  for (size_t i = 0; i < chaos_fault_count; i++) {
    uint32_t factor = factors[random_below(random, COUNT_OF(factors))];
    if (chaos_faults[i].is_calm)
      factor = 1;
    else if (is_calm)
      factor = 0;
    rates[i] = chaos_faults[i].per_mille * factor;
  }
}

/* Pods that come faster than they can be served meet other trouble than those that find everything at rest.
 */
static uint32_t draw_tempo(Random *random) {
  static const uint32_t longest_ms[] = {300, 300, 1000, 4000};
  return longest_ms[random_below(random, COUNT_OF(longest_ms))];
}

static void draw_moment(Random *random, const uint32_t *rates, uint32_t at_ms, ChaosHistory *history) {
  for (size_t i = 0; i < chaos_fault_count; i++) {
    if (random_below(random, 1000) >= rates[i])
      continue;
    *array_push(&history->steps) =
        (ChaosStep){.at_ms = at_ms,
                    .fault = (uint16_t)i,
                    .node = (uint16_t)random_below(random, (uint64_t)history->options.node_count),
                    .a = (uint32_t)random_next(random),
                    .b = (uint32_t)random_next(random)};
  }
}

void chaos_history_make(uint64_t seed, ChaosHistory *ret_history) {
  Random random = {.state = seed};
  uint32_t rates[CHAOS_FAULTS_MAX];
  *ret_history = (ChaosHistory){.seed = seed};
  draw_cluster(&random, ret_history);
  draw_mix(&random, rates);
  uint32_t longest_ms = draw_tempo(&random);
  for (int i = 0; i < MOMENTS; i++) {
    ret_history->storm_ms += 1 + (uint32_t)random_below(&random, longest_ms);
    draw_moment(&random, rates, ret_history->storm_ms, ret_history);
  }
  for (size_t i = 0; i < ret_history->steps.count; i++)
    *array_push(&ret_history->places) = (uint32_t)i;
}

void chaos_history_select(const ChaosHistory *history, const bool *keep, ChaosHistory *ret_history) {
  *ret_history = *history;
  ret_history->steps = (__typeof__(ret_history->steps)){0};
  ret_history->places = (__typeof__(ret_history->places)){0};
  for (size_t i = 0; i < history->steps.count; i++) {
    if (!keep[i])
      continue;
    *array_push(&ret_history->steps) = history->steps.items[i];
    *array_push(&ret_history->places) = history->places.items[i];
  }
}

void chaos_history_format_places(const ChaosHistory *history, Text *text) {
  const uint32_t *places = history->places.items;
  for (size_t i = 0; i < history->places.count;) {
    size_t last = i;
    while (last + 1 < history->places.count && places[last + 1] == places[last] + 1)
      last++;
    text_format(text, "%s%u", i ? "," : "", places[i]);
    if (last > i)
      text_format(text, "-%u", places[last]);
    i = last + 1;
  }
}

/* "3" or "3-5" at *text, which moves behind it and a comma. */
static bool read_range(const char **text, size_t limit, unsigned long *ret_first, unsigned long *ret_last) {
  char *end;
  *ret_first = *ret_last = strtoul(*text, &end, 10);
  if (end == *text)
    return false;
  if (*end == '-') {
    const char *second = end + 1;
    *ret_last = strtoul(second, &end, 10);
    if (end == second)
      return false;
  }
  *text = *end == ',' ? end + 1 : end;
  return (*end == ',' || !*end) && *ret_first <= *ret_last && *ret_last < limit;
}

int chaos_history_keep(ChaosHistory *history, const char *places, Error *err) {
  size_t count = history->steps.count;
  CLEANUP(cleanup_free) bool *keep = mem_alloc(count * sizeof *keep + 1);
  for (const char *text = places; *text;) {
    unsigned long first, last;
    if (!read_range(&text, count, &first, &last))
      return error_set(err, ERROR_INVALID, "\"%.100s\" is no list of steps of seed %llu, which has %zu",
                       places, (unsigned long long)history->seed, count);
    for (unsigned long i = first; i <= last; i++)
      keep[i] = true;
  }
  ChaosHistory kept;
  chaos_history_select(history, keep, &kept);
  chaos_history_deinit(history);
  *history = kept;
  return 0;
}

void chaos_history_deinit(ChaosHistory *history) {
  array_deinit(&history->steps);
  array_deinit(&history->places);
}
