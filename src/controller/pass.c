/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/pass.h"

#include "controller/node_patch.h"

static void look_again_at(ControllerPass *pass, uint64_t at_ms) {
  if (at_ms < pass->wake_ms)
    pass->wake_ms = at_ms;
}

/* Returns when to look again, as far as time alone changes anything. */
static uint64_t judge(const ControllerView *view, ControllerMemory *memory, const Node *node) {
  const char *name = node->meta.name;
  uint64_t wake_ms = controller_memory_judge_node(memory, node, view->now_ms);
  bool growth_only = controller_memory_is_recut_out(memory, name, view->recut_limit, view->now_ms, &wake_ms);
  plan_standing_hold_node(&view->cluster->standing, name, controller_memory_find_hold(memory, name),
                          growth_only);
  return wake_ms;
}

/* (1) Nodes that owe an answer for too long, or that just failed, get nothing new for a while. */
static void heal(const ControllerView *view, ControllerMemory *memory, ControllerPass *pass) {
  Map *nodes = &view->cluster->to_judge;
  for (size_t i = nodes->count; i-- > 0;) { /* backwards, because the last one fills a gap */
    const char *name = nodes->entries[i].key;
    const Node *node = live_find_node(&view->cluster->standing.live, name);
    uint64_t wake_ms = node ? judge(view, memory, node) : UINT64_MAX;
    look_again_at(pass, wake_ms);
    if (wake_ms == UINT64_MAX)
      map_remove(nodes, arena_strdup(&pass->arena, name));
  }
}

static void take_warnings(ControllerCluster *cluster, ControllerPass *pass) {
  LiveCluster *live = &cluster->standing.live;
  for (size_t i = 0; i < live->warnings.count; i++)
    *array_push(&pass->warnings) =
        (SnapshotWarning){.object = arena_strdup(&pass->arena, live->warnings.items[i].object),
                          .text = arena_strdup(&pass->arena, live->warnings.items[i].text)};
  live_clear_warnings(live);
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

static int compare_numbers(const void *a, const void *b) {
  return *(const int *)a - *(const int *)b;
}

/* Nodes of which something is new, in the order of their names, as the snapshot has them. */
static int *list_open_nodes(const PlanStanding *standing, Arena *arena, size_t *ret_count) {
  size_t count = standing->open_nodes.count;
  int *nodes = arena_alloc(arena, (count + 1) * sizeof *nodes);
  for (size_t i = 0; i < count; i++)
    nodes[i] = standing->open_nodes.items[i];
  qsort(nodes, count, sizeof *nodes, compare_numbers);
  *ret_count = count;
  return nodes;
}

/* Is there anything that the node was not told? */
static bool has_news(const Snapshot *snapshot, PlanStanding *standing, const PlanOptions *options, int node) {
  CLEANUP(arena_deinit) Arena arena = {0};
  PlanGpus gpus;
  PlanOptions demanded = *options;
  demanded.leftover = PLAN_LEFTOVER_NONE;
  plan_standing_take(standing, &demanded, &node, 1, &arena, &gpus);
  bool news = gpus.count > 0 && !is_known(snapshot, gpus.items, gpus.count);
  array_deinit(&gpus);
  return news;
}

/* Nodes that have to be told something; the others are settled. */
static size_t choose_nodes(const ControllerView *view, const Snapshot *snapshot, const PlanOptions *options,
                           ControllerPass *pass, int ret_nodes[CONTROLLER_WRITES_MAX]) {
  PlanStanding *standing = &view->cluster->standing;
  size_t open, count = 0;
  const int *nodes = list_open_nodes(standing, &pass->arena, &open);
  for (size_t i = 0; i < open; i++) {
    if (!has_news(snapshot, standing, options, nodes[i])) {
      plan_standing_settle_node(standing, nodes[i]);
      continue;
    }
    if (count == CONTROLLER_WRITES_MAX) {
      if (!view->observe) /* what is not written would stand here for ever */
        look_again_at(pass, view->now_ms);
      break;
    }
    ret_nodes[count++] = nodes[i];
  }
  return count;
}

/* (3) A node stays on the list until it is seen to know. */
static void add_writes(const Snapshot *snapshot, const ControllerView *view, const PlanOptions *options,
                       ControllerMemory *memory, ControllerPass *pass) {
  int nodes[CONTROLLER_WRITES_MAX];
  size_t count = choose_nodes(view, snapshot, options, pass, nodes), end;
  PlanGpus all;
  plan_standing_take(&view->cluster->standing, options, nodes, count, &pass->arena, &all);
  for (size_t first = 0; first < all.count; first = end) {
    const PlanGpu *gpus = &all.items[first];
    for (end = first + 1; end < all.count && all.items[end].node == gpus->node;)
      end++;
    add_write(snapshot, gpus, end - first, view->plan_id, pass);
    if (!takes_away(gpus, end - first) || view->observe)
      continue;
    const char *name = snapshot->nodes.items[gpus->node].name;
    controller_memory_note_recut(memory, name, view->now_ms);
    controller_cluster_judge(view->cluster, name);
  }
  array_deinit(&all);
}

static const char *describe_admission(const Snapshot *snapshot, const SnapshotPod *pod,
                                      const PlanPod *planned, bool observe, Arena *arena) {
  CLEANUP(text_deinit) Text slices = {0};
  for (size_t i = 0; i < pod->spec->requests.count; i++) {
    const Resource *request = &pod->spec->requests.items[i];
    if (mig_profile_is_resource(request->name) && request->amount > 0)
      text_format(&slices, "%s%lld x %s", slices.size ? ", " : "", (long long)request->amount, request->name);
  }
  const char *what = planned->recut ? (observe ? "Would re-cut free slices" : "Re-cutting free slices")
                                    : (observe ? "Would create slices" : "Creating slices");
  return arena_format(arena, "%s on node %s for this pod: %s%s", what,
                      snapshot->nodes.items[planned->node].name, text_string(&slices),
                      observe ? " (the controller runs with --observe and changes nothing)" : "");
}

enum { SORTED_MAX = 1000 };

static int compare_pods(const void *a, const void *b, void *userdata) {
  const Snapshot *snapshot = userdata;
  const ObjectMeta *left = &snapshot->pods.items[*(const int *)a].object->meta;
  const ObjectMeta *right = &snapshot->pods.items[*(const int *)b].object->meta;
  int by_namespace = strcmp(string_or_empty(left->namespace_), string_or_empty(right->namespace_));
  return by_namespace ? by_namespace : strcmp(left->name, right->name);
}

/* Pods of which something is new; by name, unless there are more than anybody will hear of soon. */
static int *list_open_pods(const Snapshot *snapshot, const PlanStanding *standing, Arena *arena,
                           size_t *ret_count) {
  size_t count = standing->open_pods.count;
  int *pods = arena_alloc(arena, (count + 1) * sizeof *pods);
  for (size_t i = 0; i < count; i++)
    pods[i] = standing->open_pods.items[i];
  if (count <= SORTED_MAX)
    qsort_r(pods, count, sizeof *pods, compare_pods, (void *)snapshot);
  *ret_count = count;
  return pods;
}

typedef enum Hearing { SETTLED, LATER, TOO_MANY } Hearing;

static Hearing tell(const Snapshot *snapshot, const SnapshotPod *waiting, const PlanPod *planned,
                    const ControllerView *view, ControllerMemory *memory, ControllerPass *pass) {
  bool is_admitted = planned->verdict == PLAN_ADMITTED, triggered = is_admitted && !view->observe;
  const Pod *pod = waiting->object;
  uint64_t wake_ms = UINT64_MAX;
  if (!is_admitted && planned->verdict != PLAN_BLOCKED)
    return SETTLED;
  if (planned->premature && controller_memory_hush(memory, pod, view->now_ms, &wake_ms)) {
    look_again_at(pass, wake_ms);
    return LATER;
  }
  const char *note = is_admitted ? describe_admission(snapshot, waiting, planned, view->observe, &pass->arena)
                                 : arena_strdup(&pass->arena, planned->reason);
  if (!controller_memory_is_news(memory, pod, triggered, note, view->now_ms, &wake_ms)) {
    look_again_at(pass, wake_ms);
    return wake_ms == UINT64_MAX ? SETTLED : LATER;
  }
  if (pass->words.count >= view->words_max)
    return TOO_MANY;
  controller_memory_tell(memory, pod, triggered, note, view->now_ms);
  *array_push(&pass->words) = (ControllerWord){.pod = pod, .triggered = triggered, .note = note};
  return SETTLED;
}

/* (4) Triggered: slices are being created for it. Not triggered: what blocks. Others have nothing to hear. */
static void add_words(const Snapshot *snapshot, const Plan *plan, const ControllerView *view,
                      ControllerMemory *memory, ControllerPass *pass) {
  PlanStanding *standing = &view->cluster->standing;
  size_t count;
  const int *pods = list_open_pods(snapshot, standing, &pass->arena, &count);
  for (size_t i = 0; i < count; i++) {
    Hearing hearing =
        tell(snapshot, &snapshot->pods.items[pods[i]], &plan->pods.items[pods[i]], view, memory, pass);
    if (hearing == TOO_MANY) {
      look_again_at(pass, view->now_ms);
      return;
    }
    if (hearing == SETTLED)
      plan_standing_settle_pod(standing, pods[i]);
  }
}

/* What was served decides how left-over slots are cut next time. Pods that still wait do not count: their own
 * slices are planned as such, however often that takes. */
static void remember_demand(ControllerCluster *cluster, ControllerMemory *memory) {
  for (size_t i = 0; i < cluster->to_count.count; i++) {
    const Pod *pod = cluster->to_count.entries[i].value;
    CLEANUP(arena_deinit) Arena arena = {0};
    SnapshotSpec spec = {0};
    const SnapshotPod served = {.object = pod, .spec = &spec};
    Error err;
    if (pod_requests_compute(pod, &arena, &spec.requests, &err) == 0)
      controller_memory_count_demand(memory, &served);
  }
  map_clear(&cluster->to_count);
}

static void warn_of_other_schedulers(const ControllerView *view, ControllerPass *pass) {
  const char *ours = view->scheduler ? view->scheduler : "default-scheduler";
  const Map *schedulers = &view->cluster->schedulers;
  for (size_t i = 0; i < schedulers->count; i++) {
    const char *theirs = schedulers->entries[i].key, *pod = schedulers->entries[i].value;
    if (strcmp(theirs, ours) == 0)
      continue;
    *array_push(&pass->warnings) = (SnapshotWarning){
        .object = arena_format(&pass->arena, "scheduler %s", theirs),
        .text =
            arena_format(&pass->arena,
                         "pods such as %s ask for MIG slices through it, but slices are reserved through %s "
                         "before they are taken away: such pods may lose a slice that was promised to them; "
                         "start the agents of their nodes, and the controller, with --scheduler-name %s",
                         pod, ours, theirs)};
  }
}

void controller_pass_compute(const ControllerView *view, ControllerMemory *memory, ControllerPass *ret_pass) {
  PlanStanding *standing = &view->cluster->standing;
  *ret_pass = (ControllerPass){.wake_ms = UINT64_MAX};
  heal(view, memory, ret_pass);
  controller_memory_decay(memory, view->now_ms);
  PlanOptions options = {.leftover = view->leftover,
                         .recent_demand = memory->demand.items,
                         .recent_demand_count = (int)memory->demand.count,
                         .old_before = view->starvation_s ? view->now_s - view->starvation_s : 0,
                         .clock = view->clock};
  const Plan *plan = plan_standing_compute(standing, &options);
  const Snapshot *snapshot = live_snapshot(&standing->live);
  take_warnings(view->cluster, ret_pass);

  add_writes(snapshot, view, &options, memory, ret_pass);
  add_words(snapshot, plan, view, memory, ret_pass);
  remember_demand(view->cluster, memory);
  warn_of_other_schedulers(view, ret_pass);
  ret_pass->pending = plan->pending;
  ret_pass->admitted = plan->admitted;
  ret_pass->already_fit = plan->already_fit;
  ret_pass->blocked = plan->pending - plan->admitted - plan->already_fit;
  ret_pass->ignored = (int)plan->pods.count - plan->pending;
  ret_pass->bound = plan->bound;
  ret_pass->stopped_early = plan->stopped_early;
}

void controller_pass_deinit(ControllerPass *pass) {
  array_deinit(&pass->writes);
  array_deinit(&pass->words);
  array_deinit(&pass->warnings);
  arena_deinit(&pass->arena);
}
