/* SPDX-License-Identifier: Apache-2.0 */
/* Plays a history in a process of its own, so that an assertion, a crash or an endless loop is a failure like
 * any other, and what came before does not matter. */
#pragma once

#include "sim/chaos/fault.h"

enum { CHAOS_TRIAL_SECONDS = 300 }; /* of processor time; then it hangs */

typedef struct ChaosOutcome {
  bool failed;
  char checker[32]; /* "crash": the process died */
  char why[ERROR_TEXT_SIZE];
  uint64_t at_ms; /* since the storm began */
  ChaosCounts counts;
  uint32_t strikes[CHAOS_FAULTS_MAX]; /* by row of chaos_faults */
} ChaosOutcome;

typedef enum ChaosTelling {
  CHAOS_TELL_NOTHING,
  CHAOS_TELL_FAILURE, /* a compact timeline of a history that fails */
  CHAOS_TELL_ALL,     /* of any, with what the programs log */
} ChaosTelling;

/* The timeline goes to stderr. */
int chaos_trial_run(const ChaosHistory *history, ChaosTelling telling, ChaosOutcome *ret_outcome,
                    Error *err) MUST_CHECK;
