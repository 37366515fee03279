/* SPDX-License-Identifier: Apache-2.0 */
/* An event changes a queue or what a host has to give. Whoever served there loses the place at once; who gets
 * which place instead is settled when all events are known. */
#include "plan/kept.h"

#include "plan/fleet.h"
#include "plan/queue.h"

enum { GREW_OLD_MAX = 256 /* pods in one go */ };

/* ---- pods ---- */

static bool is_pod_tied(const Pod *pod) {
  const PodCommon *common = pod_common(pod);
  if (common->affinity_terms.count || common->anti_affinity_terms.count || common->spread_constraints.count ||
      common->volumes.count)
    return true;
  for (size_t i = 0; i < common->containers.count; i++)
    if (common->containers.items[i].ports.count)
      return true;
  for (size_t i = 0; i < common->init_containers.count; i++)
    if (common->init_containers.items[i].ports.count)
      return true;
  return false;
}

static int find_class_of_new_spec(PlanKept *kept, const SnapshotPod *pod) {
  if (kept->has_rules || is_pod_tied(pod->object))
    return KEPT_OUTSIDE;
  text_clear(&kept->key);
  plan_queue_add_key(&kept->key, pod);
  uintptr_t known = (uintptr_t)map_find(&kept->class_keys, text_string(&kept->key));
  return known ? (int)known - 1 : KEPT_OUTSIDE;
}

static int find_class(PlanKept *kept, const SnapshotPod *pod) {
  while ((int)kept->class_of_spec.count <= pod->spec->number)
    array_push(&kept->class_of_spec);
  int *known = &kept->class_of_spec.items[pod->spec->number];
  if (!*known) {
    int class_ = find_class_of_new_spec(kept, pod);
    if (class_ < 0)
      return class_;
    *known = class_ + 1;
  }
  return *known - 1;
}

void plan_kept_spec_gone(PlanKept *kept, int spec) {
  if (spec < (int)kept->class_of_spec.count)
    kept->class_of_spec.items[spec] = 0;
}

static int new_item(PlanKept *kept) {
  if (kept->free_items.count)
    return kept->free_items.items[--kept->free_items.count];
  array_push(&kept->items);
  return (int)kept->items.count - 1;
}

bool plan_kept_pod_came(PlanKept *kept, int pod) {
  const SnapshotPod *came = &kept->snapshot->pods.items[pod];
  assert((int)kept->item_of_pod.count == pod);
  *array_push(&kept->item_of_pod) = KEPT_NONE;
  if (came->spec->invalid || plan_ignore_reason(came->object, &came->spec->requests))
    return true;
  int class_ = find_class(kept, came);
  if (class_ < 0 || !plan_kept_knows_age(kept, came->creation_time))
    return false;
  int item = new_item(kept);
  bool is_changed = kept->items.items[item].is_changed;
  int tier = plan_kept_find_tier(kept, came->priority, plan_kept_is_old(kept, came->creation_time));
  kept->items.items[item] = (KeptItem){.pod = pod,
                                       .line = kept->line_of_class[class_],
                                       .tier = tier,
                                       .class_ = class_,
                                       .creation = came->creation_time,
                                       .host = KEPT_NONE,
                                       .gpu = KEPT_NONE,
                                       .is_changed = true};
  if (!is_changed)
    *array_push(&kept->changed) = item;
  kept->item_of_pod.items[pod] = item;
  plan_kept_enqueue(kept, item);
  return true;
}

/* First the indexes, as the snapshot has them already. */
void plan_kept_pod_gone(PlanKept *kept, int gone, int moved, const Pod *pod) {
  int item = kept->item_of_pod.items[gone];
  if (item >= 0)
    kept->items.items[item].pod = KEPT_NONE;
  if (moved >= 0) {
    kept->item_of_pod.items[gone] = kept->item_of_pod.items[moved];
    if (kept->item_of_pod.items[gone] >= 0)
      kept->items.items[kept->item_of_pod.items[gone]].pod = gone;
  }
  kept->item_of_pod.count--;
  if (item >= 0) {
    plan_kept_dequeue(kept, item, pod);
    *array_push(&kept->free_items) = item;
  }
}

/* ---- nodes ---- */

/* A GPU as the plan sees it. */
static bool is_open(const PlanKept *kept, const SnapshotNode *node, const PlanHostGpu *gpu) {
  const SnapshotGpu *now = &node->gpus[gpu->gpu];
  const PlanModel *model = &kept->problem.models.items[gpu->model];
  return snapshot_may_change(node, now) && plan_fleet_is_model(model, now->model, now->allowed);
}

/* Every GPU that may be changed is one that the plan knows. */
static bool are_gpus_known(const PlanKept *kept, const SnapshotNode *node, const PlanHost *host) {
  int open = 0, known = 0;
  for (int i = 0; i < node->gpu_count; i++)
    open += snapshot_may_change(node, &node->gpus[i]);
  for (int i = host->first_gpu; i < host->first_gpu + host->gpu_count; i++) {
    const PlanHostGpu *gpu = &kept->problem.gpus.items[i];
    known += gpu->gpu < node->gpu_count && is_open(kept, node, gpu);
  }
  return open == known;
}

static bool has_withdrawable(const SnapshotNode *node) {
  for (int i = 0; i < node->gpu_count; i++)
    if (snapshot_withdrawable(node, &node->gpus[i]))
      return true;
  return false;
}

static void count_flag(bool *flag, bool now, int *hosts) {
  *hosts += now - *flag;
  *flag = now;
}

static void evict_all(PlanKept *kept, int host) {
  while (kept->hosts[host].items.count)
    plan_kept_lose(kept, kept->hosts[host].items.items[kept->hosts[host].items.count - 1]);
}

static int64_t *rooms_of(const PlanKept *kept, int host) {
  return plan_problem_rooms(&kept->problem, host);
}

static int *free_of(const PlanKept *kept, int host) {
  return &kept->problem.free[(size_t)host * kept->problem.kinds.count];
}

/* Measures what the host has to give; `ret_before` gets the free slices that it had. */
static void measure(PlanKept *kept, int host, int *ret_before) {
  memcpy(ret_before, free_of(kept, host), kept->problem.kinds.count * sizeof *ret_before);
  plan_rooms_measure(&kept->problem, host);
}

static bool is_free_equal(const PlanKept *kept, int host, const int *before) {
  return memcmp(before, free_of(kept, host), kept->problem.kinds.count * sizeof *before) == 0;
}

static bool are_gpus_equal(const PlanKept *kept, const SnapshotNode *node, const PlanHost *host) {
  for (int i = host->first_gpu; i < host->first_gpu + host->gpu_count; i++) {
    const PlanHostGpu *gpu = &kept->problem.gpus.items[i];
    bool open = gpu->gpu < node->gpu_count && is_open(kept, node, gpu);
    if (gpu->occupied != (open ? snapshot_occupied(node->gpus[gpu->gpu].layout) : UINT32_MAX))
      return false;
  }
  return true;
}

/* Slices and slots that the host can give. */
static int64_t most_pods(const PlanKept *kept, int host) {
  const PlanHost *at = &kept->problem.hosts.items[host];
  int64_t pods = 0;
  for (int i = at->first_gpu; i < at->first_gpu + at->gpu_count; i++) {
    int slot_count = plan_problem_geometry(&kept->problem, i)->slot_count;
    uint32_t slots = slot_count < 32 ? (UINT32_C(1) << slot_count) - 1 : UINT32_MAX;
    pods += __builtin_popcount(slots & ~kept->problem.gpus.items[i].occupied);
  }
  for (size_t kind = 0; kind < kept->problem.kinds.count; kind++)
    pods += free_of(kept, host)[kind];
  return pods;
}

bool plan_kept_is_roomy(const PlanKept *kept, int host) {
  int64_t pods = most_pods(kept, host);
  const int64_t *rooms = rooms_of(kept, host);
  for (size_t i = 0; i <= kept->problem.resources.count; i++) {
    int64_t all;
    if (__builtin_mul_overflow(kept->most[i], pods, &all) || (all > 0 && all > rooms[i]))
      return false;
  }
  return true;
}

/* Free slices of a kind are where the line of each class is that may take them. */
static bool are_at_home(const PlanKept *kept, int host) {
  const PlanProblem *problem = &kept->problem;
  for (size_t i = 0; i < problem->classes.count; i++) {
    const KeptLine *line = &kept->lines[kept->line_of_class[i]];
    if (free_of(kept, host)[line->kind] && plan_class_admits(&problem->classes.items[i], host) &&
        line->signature != problem->hosts.items[host].signature)
      return false;
  }
  return true;
}

/* Where the host has nothing to give, it does not matter whom it would let in. */
static bool admits_the_same(const PlanKept *kept, int host) {
  const PlanProblem *problem = &kept->problem;
  if (!most_pods(kept, host))
    return true;
  for (size_t i = 0; i < problem->classes.count; i++) {
    const PlanClass *class_ = &problem->classes.items[i];
    bool holds = plan_rooms_hold(problem, class_, rooms_of(kept, host));
    if (plan_class_admits(class_, host) ? !holds && !kept->is_searched
                                        : holds && kept->hosts[host].lacked_room)
      return false;
  }
  return true;
}

static void give(PlanKept *kept, int host) {
  const PlanHost *at = &kept->problem.hosts.items[host];
  const SnapshotNode *node = plan_problem_node(&kept->problem, host);
  for (int i = at->first_gpu; i < at->first_gpu + at->gpu_count; i++) {
    const PlanHostGpu *gpu = &kept->problem.gpus.items[i];
    bool open = gpu->gpu < node->gpu_count && is_open(kept, node, gpu);
    plan_kept_set_gpu(kept, i, open, open ? snapshot_occupied(node->gpus[gpu->gpu].layout) : 0);
  }
}

static void give_free(PlanKept *kept, int host, const int *before) {
  size_t kinds = kept->problem.kinds.count;
  for (size_t kind = 0; kind < kinds; kind++) {
    size_t cell = (size_t)host * kinds + kind;
    kept->left[cell] = kept->problem.free[cell];
    if (kept->line_at[cell] >= 0)
      kept->lines[kept->line_at[cell]].free += kept->problem.free[cell] - before[kind];
    plan_kept_note_home(kept, host, (int)kind);
  }
}

/* Searched: what is left beside those who are served on the host; false where it is not enough for them. */
static bool measure_rest(PlanKept *kept, int host) {
  if (!kept->is_searched)
    return true;
  int64_t *rest = plan_kept_rooms(kept, host);
  const KeptHost *at = &kept->hosts[host];
  memcpy(rest, rooms_of(kept, host), (kept->problem.resources.count + 1) * sizeof *rest);
  for (size_t i = 0; i < at->items.count; i++)
    plan_kept_change_room(kept, &kept->problem.classes.items[kept->items.items[at->items.items[i]].class_],
                          host, 1);
  plan_kept_open_host(kept, host);
  bool is_enough = true;
  for (size_t i = 0; i <= kept->problem.resources.count; i++)
    is_enough &= rest[i] >= 0;
  return is_enough || !at->items.count;
}

static bool change_host(PlanKept *kept, int host, int *before) {
  const PlanHost *at = &kept->problem.hosts.items[host];
  const SnapshotNode *node = plan_problem_node(&kept->problem, host);
  if (!are_gpus_known(kept, node, at))
    return false;
  measure(kept, host, before);
  count_flag(&kept->hosts[host].has_withdrawable, has_withdrawable(node), &kept->withdrawable_hosts);
  count_flag(&kept->hosts[host].is_recut, node->being_recut, &kept->recut_hosts);
  if (!is_free_equal(kept, host, before) || !are_gpus_equal(kept, node, at) || !measure_rest(kept, host)) {
    evict_all(kept, host);
    give(kept, host);
    give_free(kept, host, before);
    (void)measure_rest(kept, host);
  }
  if (kept->is_searched)
    return admits_the_same(kept, host);
  return plan_kept_is_roomy(kept, host) && are_at_home(kept, host) && admits_the_same(kept, host);
}

bool plan_kept_node_changed(PlanKept *kept, int node) {
  int host = kept->host_of_node[node];
  const SnapshotNode *changed = &kept->snapshot->nodes.items[node];
  if (host < 0)
    return !changed->gpu_count && !plan_fleet_has_slices(&kept->problem, changed);
  CLEANUP(cleanup_free) int *before = mem_alloc(kept->problem.kinds.count * sizeof *before);
  return change_host(kept, host, before);
}

/* ---- all ---- */

static void move_to_old(PlanKept *kept, int item) {
  KeptItem *aged = &kept->items.items[item];
  plan_kept_dequeue(kept, item, kept->snapshot->pods.items[aged->pod].object);
  aged->tier = plan_kept_find_tier(kept, kept->tiers.items[aged->tier].priority, true);
  plan_kept_enqueue(kept, item);
}

/* The first of the queue, as long as they have waited long. */
static int age_queue(PlanKept *kept, int tier, int line) {
  int moved = 0;
  for (; moved <= GREW_OLD_MAX; moved++) {
    const KeptQueue *queue = &kept->tiers.items[tier].queues[line];
    if (!queue->items.count || !plan_kept_is_old(kept, kept->items.items[queue->items.items[0]].creation))
      return moved;
    move_to_old(kept, queue->items.items[0]);
  }
  return moved;
}

/* False where that are too many at once. */
static bool grow_old(PlanKept *kept, int64_t old_before) {
  int moved = 0;
  if (old_before < kept->old_before || (old_before && !kept->old_before))
    return false;
  kept->old_before = old_before;
  for (int tier = 0; tier < (int)kept->tiers.count; tier++)
    for (int line = 0; line < kept->line_count && !kept->tiers.items[tier].is_old && moved <= GREW_OLD_MAX;
         line++)
      moved += age_queue(kept, tier, line);
  return moved <= GREW_OLD_MAX;
}

typedef struct Moves {
  ARRAY(int) existing, created; /* items that need a free slice, or a new one */
} Moves;

static void moves_deinit(Moves *moves) {
  array_deinit(&moves->existing);
  array_deinit(&moves->created);
}

static void shrink(PlanKept *kept, KeptQueue *queue, Moves *moves) {
  while (queue->served > queue->served_wanted)
    plan_kept_release(kept, queue->items.items[--queue->served]);
  if (queue->existing > queue->served)
    queue->existing = queue->served;
  while (queue->existing > queue->existing_wanted) {
    int item = queue->items.items[--queue->existing];
    plan_kept_release(kept, item);
    *array_push(&moves->created) = item;
  }
}

static void grow(PlanKept *kept, KeptQueue *queue, Moves *moves) {
  for (; queue->existing < queue->existing_wanted && queue->existing < queue->served; queue->existing++) {
    int item = queue->items.items[queue->existing];
    plan_kept_release(kept, item);
    *array_push(&moves->existing) = item;
  }
  for (; queue->served < queue->served_wanted; queue->served++) {
    int item = queue->items.items[queue->served];
    if (queue->served < queue->existing_wanted) {
      *array_push(&moves->existing) = item;
      queue->existing++;
    } else {
      *array_push(&moves->created) = item;
    }
  }
}

static void for_each_queue(PlanKept *kept, void (*act)(PlanKept *, KeptQueue *, Moves *), Moves *moves) {
  for (size_t tier = 0; tier < kept->tier_order.count; tier++)
    for (int line = 0; line < kept->line_count; line++)
      act(kept, &kept->tiers.items[kept->tier_order.items[tier]].queues[line], moves);
}

/* The largest slices first. */
static bool serve(PlanKept *kept, const Moves *moves) {
  for (size_t i = 0; i < moves->existing.count; i++)
    if (!plan_kept_take_existing(kept, moves->existing.items[i]))
      return false;
  for (int rank = PLAN_RANKS_MAX - 1; rank >= 0; rank--)
    for (size_t i = 0; i < moves->created.count; i++) {
      int item = moves->created.items[i];
      if (kept->lines[kept->items.items[item].line].rank == rank && !plan_kept_create(kept, item))
        return false;
    }
  return true;
}

bool plan_kept_settle(PlanKept *kept, int64_t old_before) {
  CLEANUP(moves_deinit) Moves moves = {0};
  if (!grow_old(kept, old_before))
    return false;
  if (kept->is_searched)
    return plan_kept_search(kept);
  plan_kept_count(kept);
  for_each_queue(kept, shrink, &moves);
  for_each_queue(kept, grow, &moves);
  return serve(kept, &moves);
}
