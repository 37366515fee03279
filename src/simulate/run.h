/* SPDX-License-Identifier: Apache-2.0 */
/* One load on one fleet under one policy, from the first arrival until nothing can happen any more. The
 * result depends on nothing but the arguments. */
#pragma once

#include "simulate/metrics.h"
#include "simulate/policy.h"

typedef struct SimulateOptions {
  SimulateLatency latency;
  int64_t patience_ms; /* who has waited so long gives up; SIMULATE_NEVER: nobody does */
  int64_t warm_up_ms;  /* utilisation and fragmentation are measured from then to the last arrival */
  /* Called now and then; may be NULL. */
  void (*on_progress)(void *userdata, size_t jobs_done, size_t jobs);
  void *userdata;
  bool check; /* all invariants after each round; for tests */
} SimulateOptions;

/* 250 ms to create, 100 ms to destroy, endless patience, a warm-up of 30 s. */
SimulateOptions simulate_options_default(void);
void simulate_run(const SimulateLoad *load, SimulateFleet *fleet, const SimulatePolicy *policy,
                  const SimulateOptions *options, SimulateResult *ret_result);
