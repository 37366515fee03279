/* SPDX-License-Identifier: Apache-2.0 */
/* A round: everything of one instant happens, then the policy decides, then those who got their slices begin.
 */
#include "simulate/run.h"

#include "simulate/agenda.h"

enum { PROGRESS_EVERY = 64 /* rounds */ };

typedef struct Run {
  SimulateWorld world;
  SimulateAgenda agenda;
  SimulateMeter meter;
  const SimulatePolicy *policy;
  const SimulateOptions *options;
  void *state;
  int64_t wake_ms; /* the next WAKE that counts; others on the agenda are outdated */
  size_t done;     /* jobs that ended or gave up */
} Run;

SimulateOptions simulate_options_default(void) {
  return (SimulateOptions){
      .latency = {.create_ms = 250, .destroy_ms = 100}, .patience_ms = SIMULATE_NEVER, .warm_up_ms = 30000};
}

static void run_deinit(Run *run) {
  if (run->policy->stop)
    run->policy->stop(run->state);
  simulate_meter_deinit(&run->meter);
  simulate_agenda_deinit(&run->agenda);
  simulate_world_deinit(&run->world);
}

static void run_init(Run *run, const SimulateLoad *load, SimulateFleet *fleet, const SimulatePolicy *policy,
                     const SimulateOptions *options, SimulateResult *result) {
  *run = (Run){.policy = policy, .options = options, .wake_ms = SIMULATE_NEVER};
  simulate_world_init(&run->world, fleet, load, options->latency);
  simulate_meter_init(&run->meter, &run->world, options->warm_up_ms, result);
  if (policy->start)
    run->state = policy->start(&run->world);
  for (size_t i = 0; i < load->jobs.count; i++)
    simulate_agenda_add(
        &run->agenda,
        (SimulateEvent){.at_ms = load->jobs.items[i].arrival_ms, .kind = SIMULATE_ARRIVAL, .job = (int)i});
}

/* Returns whether anything changed that the policy should know. */
static bool happen(Run *run, const SimulateEvent *event) {
  SimulateWorld *world = &run->world;
  switch (event->kind) {
  case SIMULATE_END:
    simulate_world_end(world, event->job);
    run->done++;
    return true;
  case SIMULATE_ARRIVAL:
    simulate_world_arrive(world, event->job);
    if (run->options->patience_ms != SIMULATE_NEVER)
      simulate_agenda_add(&run->agenda, (SimulateEvent){.at_ms = event->at_ms + run->options->patience_ms,
                                                        .kind = SIMULATE_GIVE_UP,
                                                        .job = event->job});
    return true;
  case SIMULATE_GIVE_UP:
    if (world->jobs[event->job].state != SIMULATE_JOB_WAITING)
      return false;
    simulate_world_give_up(world, event->job);
    run->done++;
    return true;
  case SIMULATE_WAKE:
    return event->at_ms == run->wake_ms;
  }
  return false;
}

static void begin_jobs(Run *run) {
  const SimulateWorld *world = &run->world;
  for (size_t i = 0; i < world->started.count; i++) {
    int job = world->started.items[i];
    int64_t end_ms = world->jobs[job].start_ms + world->load->jobs.items[job].duration_ms;
    simulate_agenda_add(&run->agenda, (SimulateEvent){.at_ms = end_ms, .kind = SIMULATE_END, .job = job});
  }
}

static void decide(Run *run) {
  SimulateWorld *world = &run->world;
  int64_t wake_ms = run->policy->decide(run->state, world);
  assert(wake_ms > world->now_ms);
  if (wake_ms != SIMULATE_NEVER && wake_ms != run->wake_ms)
    simulate_agenda_add(&run->agenda, (SimulateEvent){.at_ms = wake_ms, .kind = SIMULATE_WAKE, .job = -1});
  run->wake_ms = wake_ms;
  begin_jobs(run);
  simulate_meter_look(&run->meter);
  array_clear(&world->started);
  array_clear(&world->released);
  if (run->options->check) {
    Error err;
    bool sound = simulate_world_check(world, &err) == 0;
    assert(sound);
  }
}

/* Everything of the next instant. Who gives up does so after the policy had its say at that instant: with no
 * patience at all, a job is served at once or never. */
static void play_round(Run *run) {
  SimulateEvent event;
  const SimulateEvent *next = simulate_agenda_peek(&run->agenda);
  int64_t now_ms = next->at_ms;
  bool giving_up = next->kind == SIMULATE_GIVE_UP, news = false;
  simulate_meter_advance(&run->meter, now_ms);
  run->world.now_ms = now_ms;
  while (next && next->at_ms == now_ms && (next->kind == SIMULATE_GIVE_UP) == giving_up) {
    (void)simulate_agenda_take(&run->agenda, &event);
    news |= happen(run, &event);
    next = simulate_agenda_peek(&run->agenda);
  }
  if (news)
    decide(run);
}

void simulate_run(const SimulateLoad *load, SimulateFleet *fleet, const SimulatePolicy *policy,
                  const SimulateOptions *options, SimulateResult *ret_result) {
  CLEANUP(run_deinit) Run run;
  *ret_result = (SimulateResult){0};
  run_init(&run, load, fleet, policy, options, ret_result);
  for (int64_t round = 0; simulate_agenda_peek(&run.agenda); round++) {
    play_round(&run);
    if (options->on_progress && round % PROGRESS_EVERY == 0)
      options->on_progress(options->userdata, run.done, load->jobs.count);
  }
  simulate_meter_finish(&run.meter);
}
