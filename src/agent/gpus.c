/* SPDX-License-Identifier: Apache-2.0 */
/* The GPUs: one job at a time in the driver. A result brings a fresh observation; what to do next is computed
 * from it and never from what a job was supposed to do. */
#include "agent/state.h"

static void take_observation(Agent *agent, const GpuResult *result) {
  if (!result->observed)
    return;
  if (!agent->observation)
    agent->observation = mem_alloc(sizeof *agent->observation);
  *agent->observation = result->observation;
  agent->is_published = false;
}

static void log_first_look(const Agent *agent) {
  const GpuObservation *observation = agent->observation;
  for (int i = 0; i < observation->gpu_count; i++) {
    const GpuObserved *gpu = &observation->gpus[i];
    log_info(AGENT_COMPONENT, "GPU found",
             "gpu=%d uuid=%s product=" LOG_QUOTED " mig=%s slices=%d trouble=" LOG_QUOTED, gpu->index,
             gpu->uuid, gpu->product,
             !gpu->mig_capable           ? "no"
             : gpu->mode == MIG_MODE_ON  ? "on"
             : gpu->mode == MIG_MODE_OFF ? "off"
                                         : "pending",
             gpu->instance_count, gpu->trouble);
  }
}

static void on_observed(void *userdata, const GpuResult *result) {
  Agent *agent = userdata;
  agent->driver_busy = false;
  bool first = !agent->observation;
  bool news = result->err.code && strcmp(result->err.text, agent->observe_error.text) != 0;
  take_observation(agent, result);
  agent->observe_error = result->err;
  if (news)
    log_error(AGENT_COMPONENT, "the GPUs cannot be read", "err=" LOG_QUOTED, result->err.text);
  if (first && agent->observation)
    log_first_look(agent);
  timer_set(agent->host, &agent->observe_timer, result->err.code ? AGENT_OBSERVE_RETRY_MS : AGENT_OBSERVE_MS);
  agent_kick(agent);
}

static void submit(Agent *agent, const GpuJob *job, GpuOnResult *on_result) {
  agent->driver_busy = true;
  agent->driver->submit(agent->driver, job, on_result, agent);
}

/* No second try until the plan changes. */
static void note_failed(Agent *agent, int gpu, const char *profile, int start) {
  AgentFailed *failed = array_push(&agent->failed);
  failed->gpu = gpu;
  failed->start = start;
  snprintf(failed->profile, sizeof failed->profile, "%s", profile);
}

static void give_up_on_slice(Agent *agent, const Error *err) {
  const AgentWanted *current = &agent->current;
  note_failed(agent, current->gpu, current->profile, current->job.start);
  snprintf(agent->create_error, sizeof agent->create_error, "creating %s at slot %d of GPU %d failed: %.400s",
           current->profile, current->job.start, current->gpu, err->text);
  log_error(AGENT_COMPONENT, "slice not created", "plan=%s gpu=%d profile=%s start=%d err=" LOG_QUOTED,
            agent->plan, current->gpu, current->profile, current->job.start, err->text);
}

/* A driver that says "done" and has nothing to show would be asked for ever. */
static int judge_result(const Agent *agent, const GpuResult *result, Error *err) {
  if (result->err.code) {
    *err = result->err;
    return -err->code;
  }
  if (!result->observed || agent_wanted_exists(agent->observation, &agent->current.job))
    return 0;
  return error_set(err, ERROR_GPU, "the driver reported success, but the slice is not there");
}

static bool is_worker_failure(int r, const Error *err) {
  return r < 0 && (err->code == ERROR_UNAVAILABLE || err->code == ERROR_TIMEOUT);
}

static void on_created(void *userdata, const GpuResult *result) {
  Agent *agent = userdata;
  Error err;
  agent->driver_busy = false;
  if (agent->recutting.awaits_first)
    agent->recutting.first_created_ms = agent->host->now_ms;
  agent->recutting.awaits_first = false;
  take_observation(agent, result);
  int r = judge_result(agent, result, &err);
  bool worker_failed = is_worker_failure(r, &err);
  if (r == 0) {
    agent->tries = 0;
    map_put(&agent->fresh, result->created_uuid, agent);
    log_info(AGENT_COMPONENT, "slice created", "plan=%s gpu=%d profile=%s start=%d uuid=%s took_ms=%u",
             agent->plan, agent->current.gpu, agent->current.profile, agent->current.job.start,
             result->created_uuid, result->took_ms);
  } else if (worker_failed && ++agent->tries < AGENT_TRIES_MAX) {
    log_warn(AGENT_COMPONENT, "trying the slice again", "gpu=%d profile=%s err=" LOG_QUOTED,
             agent->current.gpu, agent->current.profile, err.text);
  } else {
    agent->tries = 0;
    give_up_on_slice(agent, &err);
  }
  /* Whatever the result says: what exists now is what the next look says. */
  agent->observe_due = agent->observe_due || !result->observed;
  agent_kick(agent);
}

/* A slice that cannot be destroyed goes back on offer. */
static void give_up_destroying(Agent *agent, const Error *err) {
  const AgentTarget *target = &agent->doomed;
  note_failed(agent, target->gpu, target->profile, target->start);
  snprintf(agent->create_error, sizeof agent->create_error,
           "destroying %s at slot %d of GPU %d failed: %.400s", target->profile, target->start, target->gpu,
           err->text);
  log_error(AGENT_COMPONENT, "slice not destroyed", "plan=%s gpu=%d profile=%s start=%d err=" LOG_QUOTED,
            agent->plan, target->gpu, target->profile, target->start, err->text);
}

static int judge_destruction(const Agent *agent, const GpuResult *result, Error *err) {
  if (result->err.code) {
    *err = result->err;
    return -err->code;
  }
  if (!result->observed || !agent_publish_find(agent->observation, agent->doomed.uuid, NULL))
    return 0;
  return error_set(err, ERROR_GPU, "the driver reported success, but the slice is still there");
}

static void on_destroyed(void *userdata, const GpuResult *result) {
  Agent *agent = userdata;
  Error err;
  agent->driver_busy = agent->is_destroying = false;
  take_observation(agent, result);
  int r = judge_destruction(agent, result, &err);
  if (r == 0) {
    agent->tries = 0;
    log_info(AGENT_COMPONENT, "slice destroyed", "plan=%s gpu=%d profile=%s start=%d uuid=%s took_ms=%u",
             agent->plan, agent->doomed.gpu, agent->doomed.profile, agent->doomed.start, agent->doomed.uuid,
             result->took_ms);
  } else if (is_worker_failure(r, &err) && ++agent->tries < AGENT_TRIES_MAX) {
    log_warn(AGENT_COMPONENT, "destroying the slice again", "gpu=%d profile=%s err=" LOG_QUOTED,
             agent->doomed.gpu, agent->doomed.profile, err.text);
  } else {
    agent->tries = 0;
    give_up_destroying(agent, &err);
  }
  agent->observe_due = agent->observe_due || !result->observed;
  agent_kick(agent);
}

void agent_gpus_destroy(Agent *agent, const AgentTarget *target) {
  GpuJob job = {
      .kind = GPU_JOB_DESTROY, .nvml_id = target->nvml_id, .start = target->start, .size = target->size};
  snprintf(job.uuid, sizeof job.uuid, "%s", target->gpu_uuid);
  agent->doomed = *target;
  agent->is_destroying = true;
  submit(agent, &job, on_destroyed);
}

static void on_observe_timer(void *userdata) {
  Agent *agent = userdata;
  agent->observe_due = true;
  agent_kick(agent);
}

/* A new plan wipes what failed before: it may be the retry. */
static void follow_plan(Agent *agent, const Node *node) {
  const char *plan = string_or_empty(key_values_find(&node->meta.annotations, MIG_ANNOTATION_SPEC_PLAN));
  if (strncmp(agent->plan, plan, sizeof agent->plan - 1) == 0)
    return;
  snprintf(agent->plan, sizeof agent->plan, "%s", plan);
  agent_recutting_forget_plan(agent);
  array_clear(&agent->failed);
  agent->tries = 0;
  agent->plan_done = false;
  agent->create_error[0] = '\0';
  log_info(AGENT_COMPONENT, "plan seen", "plan=%s", agent->plan);
}

static void finish_plan(Agent *agent, const AgentWanted *wanted) {
  if (!agent->plan_done && agent->plan[0])
    log_info(AGENT_COMPONENT, "plan done", "plan=%s failed=%zu skipped=%d problem=" LOG_QUOTED, agent->plan,
             agent->failed.count, wanted->skipped, wanted->problem);
  agent->plan_done = true;
  map_clear(&agent->fresh);
}

void agent_gpus_look_once(Agent *agent) {
  if (agent->driver_busy || agent->observation || agent->observe_error.code)
    return;
  agent->observe_due = false;
  submit(agent, &(GpuJob){.kind = GPU_JOB_OBSERVE}, on_observed);
}

/* Starts the next creation, or sees that there is none. */
static void create_next(Agent *agent, const Node *node) {
  if (agent_wanted_is_paused(node)) {
    agent->recutting.awaits_first = agent->plan_done = false;
    return;
  }
  agent_wanted_compute(node, agent->observation, agent->failed.items, agent->failed.count, &agent->current);
  /* Done is done: what somebody destroyed since stays destroyed, until there is a new plan or a new start. */
  bool was_done = agent->plan_done && agent->plan[0];
  if (agent->current.step == AGENT_STEP_CREATE && !was_done) {
    agent->plan_done = false;
    submit(agent, &agent->current.job, on_created);
    return;
  }
  agent->recutting.awaits_first = false;
  if (was_done || !agent_recutting_is_pending(agent))
    finish_plan(agent, &agent->current);
}

void agent_gpus_step(Agent *agent, const Node *node) {
  if (!agent->driver_busy && agent->observe_due) {
    agent->observe_due = false;
    submit(agent, &(GpuJob){.kind = GPU_JOB_OBSERVE}, on_observed);
    return;
  }
  if (!agent->observation || agent->observe_error.code)
    return;
  if (!agent->driver_busy)
    follow_plan(agent, node);
  agent_recutting_step(agent, node);
  if (!agent->driver_busy)
    create_next(agent, node);
}

static const char *describe_node_problem(const Agent *agent) {
  if (!agent->observation)
    return NULL;
  bool any_capable = false, any_on = false;
  for (int i = 0; i < agent->observation->gpu_count; i++) {
    any_capable |= agent->observation->gpus[i].mig_capable;
    any_on |= agent->observation->gpus[i].mode == MIG_MODE_ON;
  }
  if (agent->observation->gpu_count == 0)
    return "NVML reports no GPU on this node, but the node is labelled for MIG partitioning: remove the "
           "label or check the driver with nvidia-smi";
  if (!any_capable)
    return "no GPU of this node can be partitioned with MIG, but the node is labelled for it: remove the "
           "label";
  if (!any_on)
    return "no GPU of this node has MIG mode on: switch it on with `nvidia-smi -i <gpu> -mig 1` (A100 and "
           "A30 need a GPU reset or reboot after it)";
  return NULL;
}

const char *agent_gpus_error(const Agent *agent, char *buffer, size_t size) {
  char publishing[ERROR_TEXT_SIZE];
  const char *parts[] = {
      agent->observe_error.code ? agent->observe_error.text : describe_node_problem(agent),
      agent->create_error,
      agent->current.problem,
      agent_recutting_error(agent),
      agent_trouble_format(&agent->troubles, publishing, sizeof publishing),
      agent_rereading_error(agent),
  };
  CLEANUP(text_deinit) Text text = {0};
  for (size_t i = 0; i < COUNT_OF(parts); i++)
    if (parts[i] && parts[i][0])
      text_format(&text, "%s%s", text.size ? "; " : "", parts[i]);
  if (!text.size)
    return NULL;
  snprintf(buffer, size, "%s", text_string(&text));
  return buffer;
}

void agent_gpus_init(Agent *agent) {
  agent->observe_due = true;
  agent->observe_timer = (HostTimer){.fire = on_observe_timer, .userdata = agent};
}

void agent_gpus_deinit(Agent *agent) {
  timer_cancel(agent->host, &agent->observe_timer);
  array_deinit(&agent->failed);
  map_deinit(&agent->fresh);
  free(agent->observation);
}
