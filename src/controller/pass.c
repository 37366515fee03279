/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/pass.h"

#include "controller/node_patch.h"

static int compare_nodes(const void *a, const void *b) {
  const Node *const *left = a, *const *right = b;
  return strcmp((*left)->meta.name, (*right)->meta.name);
}

static int compare_pods(const void *a, const void *b) {
  const Pod *const *left = a, *const *right = b;
  int by_namespace =
      strcmp(string_or_empty((*left)->meta.namespace_), string_or_empty((*right)->meta.namespace_));
  return by_namespace ? by_namespace : strcmp((*left)->meta.name, (*right)->meta.name);
}

static void look_again_at(ControllerPass *pass, uint64_t at_ms) {
  if (at_ms < pass->wake_ms)
    pass->wake_ms = at_ms;
}

/* (1) Nodes that owe an answer for too long, or that just failed, get nothing new for a while. */
static void heal(const ControllerView *view, ControllerMemory *memory, ControllerPass *pass, Map *ret_held,
                 Map *ret_growth_only) {
  for (size_t i = 0; i < view->node_count; i++) {
    const Node *node = view->nodes[i];
    look_again_at(pass, controller_memory_judge_node(memory, node, view->now_ms));
    const char *why = controller_memory_find_hold(memory, node->meta.name);
    if (why)
      map_put(ret_held, node->meta.name, arena_strdup(&pass->arena, why));
    if (controller_memory_is_recut_out(memory, node->meta.name, view->recut_limit, view->now_ms,
                                       &pass->wake_ms))
      map_put(ret_growth_only, node->meta.name, (void *)node);
  }
}

/* (2) Sorted by name, so that the same cluster gives the same plan whatever the order of its events. */
static void take_snapshot(const ControllerView *view, const SnapshotOptions *options, ControllerPass *pass,
                          Snapshot *snapshot) {
  const Node **nodes = arena_copy(&pass->arena, view->nodes, view->node_count * sizeof *nodes);
  const Pod **pods = arena_copy(&pass->arena, view->pods, view->pod_count * sizeof *pods);
  qsort(nodes, view->node_count, sizeof *nodes, compare_nodes);
  qsort(pods, view->pod_count, sizeof *pods, compare_pods);
  for (size_t i = 0; i < view->node_count; i++)
    snapshot_add_node(snapshot, nodes[i], options, &pass->warnings);
  for (size_t i = 0; i < view->pod_count; i++)
    snapshot_add_pod(snapshot, pods[i], &pass->warnings);
  for (size_t i = 0; i < pass->warnings.count; i++) {
    SnapshotWarning *warning = &pass->warnings.items[i];
    *warning = (SnapshotWarning){.object = arena_strdup(&pass->arena, warning->object),
                                 .text = arena_strdup(&pass->arena, warning->text)};
  }
}

static void summarise_gpu(const SnapshotGpu *gpu, const PlanGpu *planned, Text *summary) {
  const MigProfile *profiles = gpu->model->profiles;
  const char *separator = " ";
  text_format(summary, "%sgpu %d:", summary->size ? "; " : "", gpu->index);
  for (int i = 0; i < planned->destroy_count; i++, separator = ",")
    text_format(summary, "%s-%s@%d", separator, profiles[planned->destroys[i].profile].name,
                planned->destroys[i].start);
  for (int i = 0; i < planned->create_count; i++, separator = ",")
    text_format(summary, "%s+%s@%d", separator, profiles[planned->creates[i].profile].name,
                planned->creates[i].start);
}

/* Was the node told all of it already? */
static bool is_known(const Snapshot *snapshot, const PlanGpu *gpus, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!controller_node_patch_is_known(snapshot, &gpus[i]))
      return false;
  return true;
}

static bool takes_away(const PlanGpu *gpus, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (gpus[i].destroy_count)
      return true;
  return false;
}

static void add_write(const Snapshot *snapshot, const PlanGpu *gpus, size_t count, const char *plan_id,
                      ControllerPass *pass) {
  CLEANUP(text_deinit) Text body = {0}, summary = {0};
  const SnapshotNode *node = &snapshot->nodes.items[gpus[0].node];
  for (size_t i = 0; i < count; i++)
    summarise_gpu(&node->gpus[gpus[i].gpu], &gpus[i], &summary);
  controller_node_patch_format(snapshot, gpus, count, plan_id, &body);
  *array_push(&pass->writes) = (ControllerWrite){
      .node = arena_strdup(&pass->arena, node->name),
      .body = arena_strndup(&pass->arena, body.bytes, body.size),
      .summary = arena_strdup(&pass->arena, text_string(&summary)),
  };
}

/* (4) The plan's GPUs come sorted by node. */
static void add_writes(const Snapshot *snapshot, const Plan *plan, const ControllerView *view,
                       ControllerMemory *memory, ControllerPass *pass) {
  size_t first = 0, end;
  for (; first < plan->gpus.count; first = end) {
    const PlanGpu *gpus = &plan->gpus.items[first];
    for (end = first + 1; end < plan->gpus.count && plan->gpus.items[end].node == gpus->node;)
      end++;
    if (is_known(snapshot, gpus, end - first))
      continue;
    if (pass->writes.count == CONTROLLER_WRITES_MAX) {
      look_again_at(pass, view->now_ms);
      return;
    }
    add_write(snapshot, gpus, end - first, view->plan_id, pass);
    if (takes_away(gpus, end - first))
      controller_memory_note_recut(memory, snapshot->nodes.items[gpus->node].name, view->now_ms);
  }
}

static const char *describe_admission(const Snapshot *snapshot, const PlanPod *planned, Arena *arena) {
  const SnapshotPod *pod = &snapshot->pods.items[planned->pod];
  CLEANUP(text_deinit) Text slices = {0};
  for (size_t i = 0; i < pod->requests.count; i++) {
    const Resource *request = &pod->requests.items[i];
    if (mig_profile_is_resource(request->name) && request->amount > 0)
      text_format(&slices, "%s%lld x %s", slices.size ? ", " : "", (long long)request->amount, request->name);
  }
  return arena_format(arena, "%s on node %s for this pod: %s",
                      planned->recut ? "Re-cutting free slices" : "Creating slices",
                      snapshot->nodes.items[planned->node].name, text_string(&slices));
}

/* (5) Triggered: slices are being created for it. Not triggered: what blocks. Others have nothing to hear. */
static void add_words(const Snapshot *snapshot, const Plan *plan, const ControllerView *view,
                      ControllerMemory *memory, ControllerPass *pass) {
  for (size_t i = 0; i < plan->pods.count; i++) {
    const PlanPod *planned = &plan->pods.items[i];
    bool triggered = planned->verdict == PLAN_ADMITTED;
    if (!triggered && planned->verdict != PLAN_BLOCKED)
      continue;
    const Pod *pod = snapshot->pods.items[planned->pod].object;
    if (planned->premature && controller_memory_hush(memory, pod, view->now_ms, &pass->wake_ms))
      continue;
    const char *note = triggered ? describe_admission(snapshot, planned, &pass->arena)
                                 : arena_strdup(&pass->arena, planned->reason);
    if (!controller_memory_is_news(memory, pod, triggered, note, view->now_ms, &pass->wake_ms))
      continue;
    if (pass->words.count >= view->words_max) {
      look_again_at(pass, view->now_ms);
      return;
    }
    controller_memory_tell(memory, pod, triggered, note, view->now_ms);
    *array_push(&pass->words) = (ControllerWord){.pod = pod, .triggered = triggered, .note = note};
  }
}

static bool names_a_slice(const ResourceTexts *list) {
  for (size_t i = 0; i < list->count; i++)
    if (mig_profile_is_resource(list->items[i].key))
      return true;
  return false;
}

static bool asks_for_slices(const Pod *pod) {
  for (size_t i = 0; i < pod->containers.count; i++)
    if (names_a_slice(&pod->containers.items[i].requests) || names_a_slice(&pod->containers.items[i].limits))
      return true;
  return false;
}

/* What was served decides how left-over slots are cut next time. Pods that still wait do not count: their own
 * slices are planned as such, however often that takes. */
static void remember_demand(const ControllerView *view, ControllerMemory *memory) {
  for (size_t i = 0; i < view->pod_count; i++) {
    const Pod *pod = view->pods[i];
    if (!pod->node_name || pod_is_terminal(pod) || pod_is_reservation(pod) || !asks_for_slices(pod))
      continue;
    CLEANUP(arena_deinit) Arena arena = {0};
    SnapshotPod served = {.object = pod};
    Error err;
    if (pod_requests_compute(pod, &arena, &served.requests, &err) == 0)
      controller_memory_count_demand(memory, &served);
  }
}

static bool was_warned_of(const ControllerPass *pass, const char *object) {
  for (size_t i = 0; i < pass->warnings.count; i++)
    if (strcmp(pass->warnings.items[i].object, object) == 0)
      return true;
  return false;
}

/* What one scheduler has promised, a reservation through another one cannot know. */
static void warn_of_other_schedulers(const ControllerView *view, ControllerPass *pass) {
  const char *ours = view->scheduler ? view->scheduler : "default-scheduler";
  for (size_t i = 0; i < view->pod_count; i++) {
    const Pod *pod = view->pods[i];
    const char *theirs = string_or_empty(pod->scheduler_name);
    if (!*theirs || strcmp(theirs, ours) == 0 || pod_is_terminal(pod) || pod_is_reservation(pod) ||
        !asks_for_slices(pod))
      continue;
    const char *object = arena_format(&pass->arena, "scheduler %s", theirs);
    if (was_warned_of(pass, object))
      continue;
    *array_push(&pass->warnings) = (SnapshotWarning){
        .object = object,
        .text = arena_format(
            &pass->arena,
            "pods such as %s/%s ask for MIG slices through it, but slices are reserved through %s "
            "before they are taken away: such pods may lose a slice that was promised to them; "
            "start the agents of their nodes, and the controller, with --scheduler-name %s",
            string_or_empty(pod->meta.namespace_), pod->meta.name, ours, theirs)};
  }
}

void controller_pass_compute(const ControllerView *view, ControllerMemory *memory, ControllerPass *ret_pass) {
  *ret_pass = (ControllerPass){.wake_ms = UINT64_MAX};
  CLEANUP(map_deinit) Map held = {0}, growth_only = {0};
  heal(view, memory, ret_pass, &held, &growth_only);

  CLEANUP(snapshot_deinit) Snapshot snapshot;
  snapshot_init(&snapshot);
  const SnapshotOptions shown = {.held = &held, .growth_only = &growth_only};
  take_snapshot(view, &shown, ret_pass, &snapshot);

  controller_memory_decay(memory, view->now_ms);
  CLEANUP(plan_deinit) Plan plan;
  PlanOptions options = {.leftover = view->leftover,
                         .recent_demand = memory->demand.items,
                         .recent_demand_count = (int)memory->demand.count,
                         .old_before = view->starvation_s ? view->now_s - view->starvation_s : 0,
                         .clock = view->clock};
  plan_compute(&snapshot, &options, &plan);

  add_writes(&snapshot, &plan, view, memory, ret_pass);
  add_words(&snapshot, &plan, view, memory, ret_pass);
  remember_demand(view, memory);
  warn_of_other_schedulers(view, ret_pass);
  ret_pass->pending = plan.pending;
  ret_pass->admitted = plan.admitted;
  ret_pass->already_fit = plan.already_fit;
  ret_pass->blocked = plan.pending - plan.admitted - plan.already_fit;
  ret_pass->bound = plan.bound;
  ret_pass->stopped_early = plan.stopped_early;
}

void controller_pass_deinit(ControllerPass *pass) {
  array_deinit(&pass->writes);
  array_deinit(&pass->words);
  array_deinit(&pass->warnings);
  arena_deinit(&pass->arena);
}
