/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to a simulated cluster, decided beforehand by one seed: a cluster, and a list of steps (pods
 * that come, faults that strike). A list, so that steps can be left out and the rest played again. */
#pragma once

#include "base/array.h"
#include "sim/cluster/cluster.h"

enum { CHAOS_NODES_MAX = 4 };

typedef struct ChaosStep {
  uint32_t at_ms; /* since the storm began */
  uint16_t fault; /* row of chaos_faults */
  uint16_t node;  /* one that exists; for those faults that strike one */
  uint32_t a, b;  /* the fault's to interpret, and by both alone */
} ChaosStep;

typedef struct ChaosHistory {
  uint64_t seed;
  SimClusterOptions options;
  uint32_t storm_ms;      /* within which all steps are */
  bool wanders;           /* the scheduler places pods anywhere that they fit */
  ARRAY(ChaosStep) steps; /* by time */
  ARRAY(uint32_t) places; /* of each step in the whole history of the seed */
} ChaosHistory;

/* The whole history of the seed. */
void chaos_history_make(uint64_t seed, ChaosHistory *ret_history);
/* Without the steps whose keep is false. */
void chaos_history_select(const ChaosHistory *history, const bool *keep, ChaosHistory *ret_history);
/* "3-5,9": the places of its steps. */
void chaos_history_format_places(const ChaosHistory *history, Text *text);
/* Keeps the steps at these places. ERROR_INVALID where the text is no such list. */
int chaos_history_keep(ChaosHistory *history, const char *places, Error *err) MUST_CHECK;
void chaos_history_deinit(ChaosHistory *history); /* a cleanup function as it is */
