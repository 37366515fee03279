/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: loads and worlds in a line each.
 *
 *     CLEANUP(fixture_deinit) Fixture f = fixture("A100-80GB", "0 10 1g.10gb; 5 10 3g.40gb x2");
 *     fixture_arrive(&f, 2); policy.decide(...); fixture_layout(&f, 0) is "1g.10gb@6:used"
 *
 * A job is "ARRIVAL_S DURATION_S PROFILE [xCOUNT]". */
#pragma once

#include "base/test.h"

#include "mig/contract.h"
#include "simulate/run.h"

#include <stdio.h>

typedef struct Fixture {
  SimulateFleet fleet;
  SimulateLoad load;
  SimulateWorld world;
  bool has_world;
  char text[MIG_STATUS_TEXT_SIZE];
} Fixture;

static inline void fixture_deinit(Fixture *f) {
  if (f->has_world)
    simulate_world_deinit(&f->world);
  simulate_load_deinit(&f->load);
  simulate_fleet_deinit(&f->fleet);
}

static inline void fixture_read_load(const char *text, SimulateLoad *ret_load) {
  *ret_load = (SimulateLoad){0};
  for (const char *rest = text; *rest;) {
    int arrival_s, duration_s, count = 1, size = 0;
    char profile[MIG_PROFILE_NAME_SIZE];
    assert_true(sscanf(rest, " %d %d %23[^ ;]%n", &arrival_s, &duration_s, profile, &size) == 3);
    rest += size;
    if (sscanf(rest, " x%d%n", &count, &size) == 1)
      rest += size;
    rest += strspn(rest, "; ");
    *array_push(&ret_load->jobs) =
        (SimulateJob){.arrival_ms = arrival_s * 1000L,
                      .duration_ms = duration_s * 1000L,
                      .class_ = simulate_load_class(ret_load, simulate_load_kind(ret_load, profile), count)};
  }
}

static inline void fixture_init(Fixture *f, const char *gpus, const char *jobs) {
  Error err;
  *f = (Fixture){0};
  assert_ok(simulate_fleet_parse(gpus, &f->fleet, &err));
  fixture_read_load(jobs, &f->load);
}

/* The first jobs wait, all at once. */
static inline void fixture_arrive(Fixture *f, int count) {
  if (!f->has_world)
    simulate_world_init(&f->world, &f->fleet, &f->load,
                        (SimulateLatency){.create_ms = 250, .destroy_ms = 100});
  f->has_world = true;
  for (int job = 0; job < count; job++)
    if (f->world.jobs[job].state == SIMULATE_JOB_COMING)
      simulate_world_arrive(&f->world, job);
}

/* One round of the policy on the world as it is. */
static inline void fixture_decide(Fixture *f, const SimulatePolicy *policy) {
  Error err;
  void *state = policy->start ? policy->start(&f->world) : NULL;
  (void)policy->decide(state, &f->world);
  if (policy->stop)
    policy->stop(state);
  array_clear(&f->world.released);
  array_clear(&f->world.started);
  assert_ok(simulate_world_check(&f->world, &err));
}

/* "1g.10gb@6:used,3g.40gb@0:free" */
static inline const char *fixture_layout(Fixture *f, int gpu) {
  const SimulateGpu *item = &f->fleet.gpus.items[gpu];
  mig_status_format(&item->layout, item->used_starts, f->text, sizeof f->text);
  return f->text;
}

/* A whole run of the fixture's load, with all checks on. */
static inline void fixture_run(Fixture *f, const SimulatePolicy *policy, SimulateResult *ret_result) {
  SimulateOptions options = simulate_options_default();
  options.check = true;
  simulate_run(&f->load, &f->fleet, policy, &options, ret_result);
}
