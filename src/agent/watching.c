/* SPDX-License-Identifier: Apache-2.0 */
/* Watching is what the driver does while nothing else is to be done: one worker process serves both, and so
 * there is never a second one that holds the GPUs while they are changed.
 *
 *     look -> watch ... time for the next look: it has ended just before -> look -> watch
 *              '-- a change is due: cancelled, its worker killed -> change, change
 *                                                                -> quiet for a while -> watch
 *
 * What happens in between is not missed where it matters: an error that lasts shows in the next look. */
#include "agent/state.h"

enum {
  WATCH_MS = 20000,      /* at most; the worker's own timeout is longer */
  WATCH_BEFORE_MS = 200, /* it ends so long before the next look, so that nobody has to cancel it */
  WATCH_QUIET_MS = 500,  /* after a change: the next one would cancel it at once */
  WATCH_READY_MS = 2000, /* so long a change may be in coming */
  WATCH_AGAIN_MS = 5000, /* after it failed */
  WATCH_CRASH_MS = 60000 /* ... and its worker with it: the next change shall not pay for that */
};

static void note(Agent *agent, const GpuXid *event) {
  const GpuObserved *gpu = gpu_observed_gpu(agent->observation, event->uuid);
  const AgentSick *sick = agent_health_note(&agent->health, agent->observation, event, agent->host->now_ms);
  log_warn(AGENT_COMPONENT, "error of a GPU", "gpu=%d xid=%llu gpu_instance=%d critical=%s total=%llu",
           gpu ? gpu->index : -1, (unsigned long long)event->xid, event->instance_id, sick ? "yes" : "no",
           (unsigned long long)agent->health.count);
  if (!sick)
    return;
  char sentence[ERROR_TEXT_SIZE];
  agent_health_format_sick(sick, sentence, sizeof sentence);
  agent_node_event_send(agent, "GpuError", sentence);
}

void agent_watching_apply(Agent *agent) {
  uint64_t now_ms = agent->host->now_ms, wake_ms = agent_health_wake_ms(&agent->health, now_ms);
  if (agent_health_apply(&agent->health, agent->observation, now_ms))
    agent_kick(agent);
  if (wake_ms == HOST_NEVER)
    timer_cancel(agent->host, &agent->well_timer);
  else
    timer_set(agent->host, &agent->well_timer, wake_ms - now_ms);
}

static void on_watched(void *userdata, const GpuResult *result) {
  Agent *agent = userdata;
  uint32_t held_back;
  agent->is_watching = false;
  for (int i = 0; i < result->xid_count && agent->observation; i++)
    note(agent, &result->xids[i]);
  if (result->xid_count && agent->observation) {
    agent_watching_apply(agent);
    agent->observe_due = true; /* it may be lost */
  }
  if (result->err.code) {
    if (log_gate_pass(&agent->gate, result->err.text, agent->host->now_ms, &held_back))
      log_warn(AGENT_COMPONENT, "errors of the GPUs are not seen", "held_back=%u err=" LOG_QUOTED, held_back,
               result->err.text);
    agent->observe_due = agent->observe_due || result->err.code == ERROR_LOST;
    bool is_worker_lost = result->err.code == ERROR_TIMEOUT || result->err.code == ERROR_UNAVAILABLE;
    timer_set(agent->host, &agent->watch_timer, is_worker_lost ? WATCH_CRASH_MS : WATCH_AGAIN_MS);
  }
  agent_kick(agent);
}

/* A GPU that is lost would end every wait at once. */
static uint32_t unfit_gpus(const Agent *agent) {
  uint32_t skip = agent_service_skip(&agent->service, agent->host->now_ms);
  for (int i = 0; i < agent->observation->gpu_count; i++)
    if (agent->service.gpus[i].bad_looks)
      skip |= UINT32_C(1) << i;
  return skip;
}

/* 0: the next look is as good as due. */
static uint32_t time_to_watch_ms(const Agent *agent) {
  if (!timer_is_set(&agent->observe_timer))
    return WATCH_MS;
  uint64_t end_ms = agent->observe_timer.at_ms, begin_ms = agent->host->now_ms + WATCH_BEFORE_MS;
  uint64_t left_ms = end_ms > begin_ms ? end_ms - begin_ms : 0;
  return left_ms < WATCH_MS ? (uint32_t)left_ms : WATCH_MS;
}

void agent_watching_step(Agent *agent) {
  if (!agent->can_watch || agent->health.ignores_all || agent->is_watching || !agent->observation ||
      agent->driver_busy || timer_is_set(&agent->watch_timer))
    return;
  const GpuJob job = {.kind = GPU_JOB_WATCH, .wait_ms = time_to_watch_ms(agent), .skip = unfit_gpus(agent)};
  if (job.wait_ms == 0)
    return;
  agent->is_watching = true;
  agent->driver->submit(agent->driver, &job, on_watched, agent);
}

void agent_watching_make_way(Agent *agent, GpuJobKind kind) {
  if (agent->can_watch && kind != GPU_JOB_OBSERVE)
    timer_set(agent->host, &agent->watch_timer, WATCH_QUIET_MS);
  if (!agent->is_watching)
    return;
  agent->is_watching = false;
  agent->driver->cancel(agent->driver);
}

void agent_watching_prepare(Agent *agent) {
  if (!agent->is_watching)
    return;
  agent_watching_make_way(agent, GPU_JOB_OBSERVE);
  timer_set(agent->host, &agent->watch_timer, WATCH_READY_MS);
  agent->observe_due = true;
  agent_kick(agent);
}

static void on_timer(void *userdata) {
  agent_kick(userdata);
}

static void on_well(void *userdata) {
  Agent *agent = userdata;
  if (agent->observation)
    agent_watching_apply(agent);
}

void agent_watching_init(Agent *agent, bool can_watch, const AgentOptions *options) {
  Error err;
  agent->can_watch = can_watch;
  agent->watch_timer = (HostTimer){.fire = on_timer, .userdata = agent};
  agent->well_timer = (HostTimer){.fire = on_well, .userdata = agent};
  if (agent_health_parse(&agent->health, options->disabled_healthchecks, &err) < 0)
    log_warn(AGENT_COMPONENT, "all errors of GPUs count", "err=" LOG_QUOTED, err.text);
}

void agent_watching_deinit(Agent *agent) {
  agent_watching_make_way(agent, GPU_JOB_OBSERVE);
  timer_cancel(agent->host, &agent->watch_timer);
  timer_cancel(agent->host, &agent->well_timer);
  agent_health_deinit(&agent->health);
}
