/* SPDX-License-Identifier: Apache-2.0 */
/* The GPUs: one job at a time in the driver. A result brings a fresh observation; what to do next is computed
 * from it and never from what a job was supposed to do. */
#include "agent/state.h"

/* Since when half of a slice is there: what another program is about to complete is not cleared away. */
static bool note_bare(const GpuObservation *before, GpuObserved *gpu, uint64_t now_ms) {
  const GpuObserved *old = before ? gpu_observed_gpu(before, gpu->uuid) : NULL;
  bool is_any_bare = false;
  for (int i = 0; i < gpu->instance_count; i++) {
    GpuInstance *instance = &gpu->instances[i];
    if (!gpu_observed_is_bare(instance))
      continue;
    const GpuInstance *seen = old ? gpu_observed_find(old, instance->nvml_id, instance->start) : NULL;
    instance->bare_since_ms = seen && seen->bare_since_ms ? seen->bare_since_ms : now_ms;
    is_any_bare = true;
  }
  return is_any_bare;
}

/* "GPU 2 is out of service: opening it: GPU is lost (NVML code 15); ..." */
static void format_out_of_service(const GpuObserved *gpu, char *ret_text, size_t size) {
  snprintf(ret_text, size, "GPU %d is out of service, and its slices with it: %s", gpu->index, gpu->trouble);
}

static void note_service(Agent *agent, const GpuObservation *before, const GpuObserved *gpu) {
  bool was_out = before && gpu->index < before->gpu_count && before->gpus[gpu->index].is_out_of_service;
  char sentence[ERROR_TEXT_SIZE];
  if (was_out == gpu->is_out_of_service)
    return;
  if (was_out) {
    log_info(AGENT_COMPONENT, "GPU is back in service", "gpu=%d uuid=%s", gpu->index, gpu->uuid);
    return;
  }
  format_out_of_service(gpu, sentence, sizeof sentence);
  log_error(AGENT_COMPONENT, "GPU is out of service", "gpu=%d uuid=%s err=" LOG_QUOTED, gpu->index, gpu->uuid,
            gpu->trouble);
  agent_node_event_send(agent, "GpuOutOfService", sentence);
}

/* What may be a moment's trouble is looked at again soon. */
static uint64_t next_look_ms(const Agent *agent) {
  uint64_t delay_ms = agent->has_bare ? AGENT_OBSERVE_RETRY_MS : AGENT_OBSERVE_MS;
  for (int i = 0; i < agent->observation->gpu_count; i++) {
    bool is_first = agent->service.gpus[i].bad_looks == 1;
    if (agent->service.gpus[i].bad_looks && delay_ms > AGENT_OBSERVE_AGAIN_MS)
      delay_ms = is_first ? AGENT_OBSERVE_AGAIN_MS : AGENT_OBSERVE_RETRY_MS;
  }
  return delay_ms;
}

/* A change looks at its own GPU alone: it may bring the next look at all of them forward, never put it off.
 */
static void plan_look(Agent *agent) {
  HostTimer *timer = &agent->observe_timer;
  uint64_t delay_ms = next_look_ms(agent);
  if (!timer_is_set(timer) || agent->host->now_ms + delay_ms < timer->at_ms)
    timer_set(agent->host, timer, delay_ms);
}

void agent_gpus_take(Agent *agent, const GpuResult *result) {
  if (!result->observed)
    return;
  CLEANUP(cleanup_free) GpuObservation *before = agent->observation;
  /* Only the pages of GPUs that exist become resident. */
  agent->observation = mem_alloc_raw(1, sizeof *agent->observation);
  memcpy(agent->observation, &result->observation,
         offsetof(GpuObservation, gpus) +
             (size_t)result->observation.gpu_count * sizeof result->observation.gpus[0]);
  agent_service_judge(&agent->service, before, agent->observation);
  agent->has_bare = false;
  for (int i = 0; i < agent->observation->gpu_count; i++) {
    agent->has_bare |= note_bare(before, &agent->observation->gpus[i], agent->host->now_ms);
    note_service(agent, before, &agent->observation->gpus[i]);
  }
  plan_look(agent);
  agent_watching_apply(agent);
  agent->is_published = agent->is_doomed = false;
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
  timer_cancel(agent->host, &agent->observe_timer); /* this was it */
  agent_gpus_take(agent, result);
  agent_counting_note_job(agent->metrics, GPU_JOB_OBSERVE, result);
  if (news)
    log_error(AGENT_COMPONENT, "the GPUs cannot be read", "err=" LOG_QUOTED, result->err.text);
  if (agent_service_note(&agent->service, result, agent->host->now_ms)) {
    agent->observe_due = true; /* at once, without the GPU that is to blame */
    agent_kick(agent);
    return;
  }
  agent->observe_error = result->err;
  if (first && agent->observation)
    log_first_look(agent);
  if (result->err.code)
    timer_set(agent->host, &agent->observe_timer, AGENT_OBSERVE_RETRY_MS);
  agent_kick(agent);
}

void agent_gpus_submit(Agent *agent, const GpuJob *job, GpuOnResult *on_result) {
  GpuJob asked = *job;
  agent_watching_make_way(agent, job->kind);
  asked.skip = agent_service_skip(&agent->service, agent->host->now_ms);
  agent->driver_busy = true;
  agent->driver->submit(agent->driver, &asked, on_result, agent);
}

/* The transaction judges by what the driver shows now. True where the step is done. */
static bool judge(Agent *agent, const GpuResult *result, const GpuJob *job, int gpu, const char *profile) {
  const char *verb = job->kind == GPU_JOB_CREATE ? "create" : "destroy";
  GpuTransaction *transaction = agent_wanted_transaction(&agent->transactions, job->uuid);
  agent_counting_note_job(agent->metrics, job->kind, result);
  const GpuObserved *seen = result->observed ? gpu_observed_gpu(agent->observation, job->uuid) : NULL;
  Error err;
  agent_service_note(&agent->service, result, agent->host->now_ms);
  int r = gpu_transaction_note(transaction, job, profile, seen && !seen->trouble[0] ? seen : NULL,
                               &result->err, &err);
  agent->observe_due = agent->observe_due || !result->observed;
  if (r == GPU_TRANSACTION_AGAIN)
    log_warn(AGENT_COMPONENT, "trying the slice again", "verb=%s gpu=%d profile=%s err=" LOG_QUOTED, verb,
             gpu, profile, err.text);
  if (r >= 0)
    return r == 0;
  char sentence[ERROR_TEXT_SIZE];
  gpu_transaction_format(transaction, sentence, sizeof sentence);
  log_error(AGENT_COMPONENT, "the GPU could not be changed",
            "plan=%s verb=%s gpu=%d profile=%s start=%d err=" LOG_QUOTED, agent->plan, verb, gpu, profile,
            job->start, sentence);
  agent_node_event_send(agent, "RepartitionFailed", sentence);
  return false;
}

static void on_changed(void *userdata, const GpuResult *result) {
  Agent *agent = userdata;
  const AgentWanted *current = &agent->current;
  agent->driver_busy = false;
  if (agent->recutting.awaits_first)
    agent->recutting.first_created_ms = agent->host->now_ms;
  agent->recutting.awaits_first = false;
  agent_gpus_take(agent, result);
  bool is_done = judge(agent, result, &current->job, current->gpu, current->profile);
  if (is_done && current->job.kind == GPU_JOB_CREATE) {
    agent_restarting_note_change(agent);
    map_put(&agent->fresh, result->created_uuid, agent);
    log_info(AGENT_COMPONENT, "slice created", "plan=%s gpu=%d profile=%s start=%d uuid=%s took_ms=%u",
             agent->plan, current->gpu, current->profile, current->job.start, result->created_uuid,
             result->took_ms);
  } else if (is_done) {
    log_info(AGENT_COMPONENT, "half of a slice cleared away", "gpu=%d profile=%s start=%d took_ms=%u",
             current->gpu, current->profile, current->job.start, result->took_ms);
  }
  agent_kick(agent);
}

static GpuJob destruction_of(const AgentTarget *target) {
  GpuJob job = {
      .kind = GPU_JOB_DESTROY, .nvml_id = target->nvml_id, .start = target->start, .size = target->size};
  snprintf(job.uuid, sizeof job.uuid, "%s", target->gpu_uuid);
  return job;
}

static void on_destroyed(void *userdata, const GpuResult *result) {
  Agent *agent = userdata;
  const AgentTarget *target = &agent->doomed;
  const GpuJob job = destruction_of(target);
  agent->driver_busy = false;
  agent_gpus_take(agent, result);
  if (judge(agent, result, &job, target->gpu, target->profile)) {
    agent_restarting_note_change(agent);
    log_info(AGENT_COMPONENT, "slice destroyed", "plan=%s gpu=%d profile=%s start=%d uuid=%s took_ms=%u",
             agent->plan, target->gpu, target->profile, target->start, target->uuid, result->took_ms);
  }
  agent_kick(agent);
}

void agent_gpus_destroy(Agent *agent, const AgentTarget *target) {
  const GpuJob job = destruction_of(target);
  agent_wanted_begin(&agent->transactions, gpu_observed_gpu(agent->observation, target->gpu_uuid));
  agent->doomed = *target;
  agent->is_doomed = true;
  agent_gpus_submit(agent, &job, on_destroyed);
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
  agent->transactions.count = 0;
  agent->plan_done = false;
  log_info(AGENT_COMPONENT, "plan seen", "plan=%s", agent->plan);
}

static int count_failed(const Agent *agent) {
  int count = 0;
  for (int i = 0; i < agent->transactions.count; i++)
    count += agent->transactions.items[i].reason[0] != '\0';
  return count;
}

static void finish_plan(Agent *agent, const AgentWanted *wanted) {
  if (!agent->plan_done && agent->plan[0])
    log_info(AGENT_COMPONENT, "plan done", "plan=%s failed=%d skipped=%d problem=" LOG_QUOTED, agent->plan,
             count_failed(agent), wanted->skipped, wanted->problem);
  agent->plan_done = true;
  map_clear(&agent->fresh);
}

void agent_gpus_look_once(Agent *agent) {
  if (agent->driver_busy || agent->observation || agent->observe_error.code)
    return;
  agent->observe_due = false;
  agent_gpus_submit(agent, &(GpuJob){.kind = GPU_JOB_OBSERVE}, on_observed);
}

static void note_relied(Agent *agent, const Node *node) {
  if (!agent->relied_read) {
    agent_relied_read(&agent->relied, node, agent->observation);
    if (!agent_recutting_is_answered(agent, node))
      agent_relied_remember_good(node, agent->observation, &agent->transactions);
  }
  agent->relied_read = true;
  if (agent->used_known)
    agent_relied_note(&agent->relied, &agent->used, agent->observation);
}

static void on_half_cleared(void *userdata, const GpuResult *result) {
  Agent *agent = userdata;
  const AgentHalf *half = &agent->clearing;
  uint32_t held_back;
  agent->driver_busy = false;
  agent_gpus_take(agent, result);
  agent_counting_note_job(agent->metrics, GPU_JOB_DESTROY, result);
  agent_service_note(&agent->service, result, agent->host->now_ms);
  agent->observe_due = agent->observe_due || !result->observed;
  const GpuObserved *gpu = result->observed ? gpu_observed_gpu(agent->observation, half->gpu_uuid) : NULL;
  if (gpu && !gpu->trouble[0] && !gpu_observed_find(gpu, half->place.nvml_id, half->place.start))
    log_info(AGENT_COMPONENT, "half of a slice cleared away", "gpu=%d profile=%s start=%d took_ms=%u",
             half->gpu, half->profile, half->place.start, result->took_ms);
  else if (log_gate_pass(&agent->gate, result->err.text, agent->host->now_ms, &held_back))
    log_warn(AGENT_COMPONENT, "half of a slice stays",
             "gpu=%d profile=%s start=%d again_ms=%u held_back=%u err=" LOG_QUOTED, half->gpu, half->profile,
             half->place.start, half->delay_ms, held_back, result->err.text);
  agent_kick(agent);
}

/* Last of all: while slices are taken away or waited for, their place in the driver's queue is not taken. */
static void clear_half(Agent *agent, const AgentWantedView *view) {
  const AgentHalf *half =
      agent->recutting.recuts.count ? NULL : agent_halves_next(&agent->halves, view, &agent->transactions);
  if (!half)
    return;
  GpuJob job;
  agent->clearing = *half;
  agent_halves_set_job(half, &job);
  agent_gpus_submit(agent, &job, on_half_cleared);
}

/* Starts the next creation, or sees that there is none. */
static void change_next(Agent *agent, const Node *node) {
  if (agent_wanted_is_paused(node)) {
    agent->recutting.awaits_first = agent->plan_done = false;
    return;
  }
  note_relied(agent, node);
  bool was_done = agent->plan_done && agent->plan[0];
  const AgentWantedView view = {.node = node,
                                .observation = agent->observation,
                                .relied = &agent->relied,
                                .now_ms = agent->host->now_ms,
                                .is_answered = agent_recutting_is_answered(agent, node),
                                .is_done = was_done};
  agent_wanted_compute(&view, &agent->transactions, &agent->current);
  if (agent->current.step == AGENT_STEP_JOB) {
    agent->plan_done = was_done;
    agent_gpus_submit(agent, &agent->current.job, on_changed);
    return;
  }
  agent->recutting.awaits_first = false;
  if (was_done || (!agent_recutting_is_pending(agent) && !agent->current.is_waiting))
    finish_plan(agent, &agent->current);
  clear_half(agent, &view);
}

void agent_gpus_step(Agent *agent, const Node *node) {
  if (!agent->driver_busy && agent->observe_due) {
    agent->observe_due = false;
    agent_gpus_submit(agent, &(GpuJob){.kind = GPU_JOB_OBSERVE}, on_observed);
    return;
  }
  if (!agent->observation || agent->observe_error.code)
    return;
  if (!agent->driver_busy)
    follow_plan(agent, node);
  agent_recutting_step(agent, node);
  if (!agent->driver_busy)
    change_next(agent, node);
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

/* A sentence per GPU that failed. */
static void append_failures(const Agent *agent, Text *text) {
  for (int i = 0; i < agent->transactions.count; i++) {
    char sentence[ERROR_TEXT_SIZE];
    gpu_transaction_format(&agent->transactions.items[i], sentence, sizeof sentence);
    text_append_item(text, "; ", sentence);
  }
}

static void append_services(const Agent *agent, Text *text) {
  for (int i = 0; agent->observation && i < agent->observation->gpu_count; i++) {
    const GpuObserved *gpu = &agent->observation->gpus[i];
    char sentence[ERROR_TEXT_SIZE];
    format_out_of_service(gpu, sentence, sizeof sentence);
    if (gpu->is_out_of_service)
      text_append_item(text, "; ", sentence);
  }
}

const char *agent_gpus_error(const Agent *agent, char *buffer, size_t size) {
  char publishing[ERROR_TEXT_SIZE];
  CLEANUP(text_deinit) Text text = {0};
  text_append_item(&text, "; ",
                   agent->observe_error.code ? agent->observe_error.text : describe_node_problem(agent));
  append_failures(agent, &text);
  agent_halves_append(&agent->halves, &text);
  append_services(agent, &text);
  agent_migmode_append_error(agent, &text);
  agent_health_append(&agent->health, agent->host->now_ms, &text);
  text_append_item(&text, "; ", agent->current.problem);
  text_append_item(&text, "; ", agent_recutting_error(agent));
  text_append_item(&text, "; ", agent_trouble_format(&agent->troubles, publishing, sizeof publishing));
  text_append_item(&text, "; ", agent_rereading_error(agent));
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
  agent_halves_deinit(&agent->halves);
  agent_relied_deinit(&agent->relied);
  map_deinit(&agent->fresh);
  free(agent->observation);
}
