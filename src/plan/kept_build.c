/* SPDX-License-Identifier: Apache-2.0 */
/* From a plan that was made from scratch. Pods that ask several slices or depend on others end it: that
 * cannot be kept up. Where pods have a choice between hosts that differ, or hosts may run short of anything
 * but slices, the plan is searched; elsewhere the numbers are counted in the end as for any later event, and
 * must be those of the plan. */
#include "plan/kept.h"

#include "plan/bulk.h"
#include "plan/queue.h"
#include "sched/coupling.h"

static bool are_classes_simple(const PlanProblem *problem) {
  for (size_t i = 0; i < problem->classes.count; i++)
    if (plan_bulk_leaves_out(problem, &problem->classes.items[i]))
      return false;
  return true;
}

/* Pods of a class that others ask after, or that have volumes, are told apart by more than their key. */
static bool collect_keys(PlanKept *kept) {
  const PlanProblem *problem = &kept->problem;
  for (size_t i = 0; i < problem->classes.count; i++) {
    text_clear(&kept->key);
    sched_coupling_add_key(kept->snapshot, problem->classes.items[i].pod, &kept->key);
    if (kept->key.size)
      return false;
    plan_queue_add_key(&kept->key, problem->classes.items[i].example);
    map_put(&kept->class_keys, text_string(&kept->key), (void *)(uintptr_t)(i + 1));
  }
  kept->has_rules = sched_coupling_get(kept->snapshot)->is_needed;
  return true;
}

/* ---- lines ---- */

static bool note_host_of(KeptLine *line, uint64_t signature) {
  if (line->has_home && line->signature != signature)
    return false;
  line->has_home = true;
  line->signature = signature;
  return true;
}

/* False where the class has a choice. */
static bool find_home(const PlanProblem *problem, const PlanClass *class_, KeptLine *ret_line) {
  int kind = plan_class_single_kind(class_);
  *ret_line = (KeptLine){.kind = kind,
                         .pool = KEPT_NONE,
                         .rank = KEPT_NONE,
                         .slot_count = class_->slot_count,
                         .slice_count = class_->slice_count};
  for (int pool = 0; pool < (int)problem->pools.count; pool++) {
    int rank = plan_class_rank(problem, class_, kind, pool);
    if (rank < 0)
      continue;
    if (ret_line->pool >= 0 ||
        !note_host_of(ret_line, problem->hosts.items[problem->pools.items[pool].host].signature))
      return false;
    ret_line->pool = pool;
    ret_line->rank = rank;
  }
  for (int host = 0; host < (int)problem->hosts.count; host++)
    if (problem->free[(size_t)host * problem->kinds.count + (size_t)kind] &&
        plan_class_admits(class_, host) && !note_host_of(ret_line, problem->hosts.items[host].signature))
      return false;
  return true;
}

static int find_line(PlanKept *kept, const KeptLine *like) {
  for (int i = 0; i < kept->line_count; i++) {
    const KeptLine *line = &kept->lines[i];
    if (line->kind == like->kind && line->has_home == like->has_home && line->signature == like->signature)
      return i;
  }
  kept->lines[kept->line_count] = *like;
  return kept->line_count++;
}

static bool come_in_turn(const KeptLine *line, const KeptLine *other) {
  return line->slot_count != other->slot_count ? line->slot_count < other->slot_count
                                               : line->slice_count <= other->slice_count;
}

static void sort_lines(PlanKept *kept) {
  for (int i = 0; i < kept->line_count; i++) {
    int place = i;
    for (; place > 0 && !come_in_turn(&kept->lines[kept->line_order[place - 1]], &kept->lines[i]); place--)
      kept->line_order[place] = kept->line_order[place - 1];
    kept->line_order[place] = i;
  }
}

/* Pods of two lines that are as large and go to the same GPUs would be served by their age. */
static bool are_lines_in_turn(const PlanKept *kept) {
  for (int i = 0; i < kept->line_count; i++)
    for (int k = 0; k < i; k++) {
      const KeptLine *a = &kept->lines[i], *b = &kept->lines[k];
      if (a->pool >= 0 && a->pool == b->pool && a->slot_count == b->slot_count &&
          a->slice_count == b->slice_count)
        return false;
    }
  return true;
}

static bool find_lines(PlanKept *kept) {
  const PlanProblem *problem = &kept->problem;
  size_t classes = problem->classes.count;
  kept->lines = mem_alloc(classes * sizeof *kept->lines);
  kept->line_order = mem_alloc(classes * sizeof *kept->line_order);
  kept->line_of_class = mem_alloc(classes * sizeof *kept->line_of_class);
  for (size_t i = 0; i < classes; i++) {
    KeptLine line;
    if (!find_home(problem, &problem->classes.items[i], &line))
      return false;
    kept->line_of_class[i] = find_line(kept, &line);
  }
  sort_lines(kept);
  return are_lines_in_turn(kept);
}

/* One for each class: pods of two classes do not fit in the same places. */
static void make_line_of_each(PlanKept *kept) {
  const PlanProblem *problem = &kept->problem;
  kept->line_count = (int)problem->classes.count;
  for (int i = 0; i < kept->line_count; i++) {
    const PlanClass *class_ = &problem->classes.items[i];
    kept->line_of_class[i] = i;
    kept->lines[i] = (KeptLine){.kind = plan_class_single_kind(class_),
                                .pool = KEPT_NONE,
                                .rank = KEPT_NONE,
                                .slot_count = class_->slot_count,
                                .slice_count = class_->slice_count};
  }
  sort_lines(kept);
}

/* ---- hosts and GPUs ---- */

static void find_most(PlanKept *kept) {
  const PlanProblem *problem = &kept->problem;
  kept->most = mem_alloc((problem->resources.count + 1) * sizeof *kept->most);
  for (size_t i = 0; i < problem->classes.count; i++)
    for (size_t r = 0; r <= problem->resources.count; r++)
      if (problem->classes.items[i].takes[r] > kept->most[r])
        kept->most[r] = problem->classes.items[i].takes[r];
}

static bool lacks_room(const PlanProblem *problem, int host) {
  for (size_t i = 0; i < problem->classes.count; i++)
    if (!plan_rooms_hold(problem, &problem->classes.items[i], plan_problem_rooms(problem, host)))
      return true;
  return false;
}

static void note_free(PlanKept *kept, int host) {
  const PlanProblem *problem = &kept->problem;
  size_t first = (size_t)host * problem->kinds.count;
  for (size_t kind = 0; kind < problem->kinds.count; kind++) {
    kept->left[first + kind] = problem->free[first + kind];
    kept->line_at[first + kind] = KEPT_NONE;
  }
  for (int i = 0; i < kept->line_count; i++) {
    KeptLine *line = &kept->lines[i];
    if (!line->has_home || line->signature != problem->hosts.items[host].signature)
      continue;
    kept->line_at[first + (size_t)line->kind] = i;
    line->free += problem->free[first + (size_t)line->kind];
    plan_kept_note_home(kept, host, line->kind);
  }
}

static void note_gpus(PlanKept *kept, int host) {
  const PlanHost *at = &kept->problem.hosts.items[host];
  const SnapshotNode *node = plan_problem_node(&kept->problem, host);
  KeptHost *noted = &kept->hosts[host];
  for (int gpu = at->first_gpu; gpu < at->first_gpu + at->gpu_count; gpu++) {
    kept->cut_of_gpu[gpu] = KEPT_NONE;
    plan_kept_set_gpu(kept, gpu, true, kept->problem.gpus.items[gpu].occupied);
    noted->has_withdrawable |=
        kept->problem.has_withdrawable &&
        snapshot_withdrawable(node, &node->gpus[kept->problem.gpus.items[gpu].gpu]) != 0;
  }
  noted->is_recut = node->being_recut;
  noted->lacked_room = lacks_room(&kept->problem, host);
  kept->withdrawable_hosts += noted->has_withdrawable;
  kept->recut_hosts += noted->is_recut;
}

static bool are_hosts_roomy(PlanKept *kept) {
  find_most(kept);
  for (int host = 0; host < (int)kept->problem.hosts.count; host++)
    if (!plan_kept_is_roomy(kept, host))
      return false;
  return true;
}

static void find_hosts(PlanKept *kept) {
  const PlanProblem *problem = &kept->problem;
  for (size_t node = 0; node < kept->snapshot->nodes.count; node++)
    kept->host_of_node[node] = KEPT_NONE;
  for (int host = (int)problem->hosts.count - 1; host >= 0; host--) { /* the last home noted is taken first */
    kept->host_of_node[problem->hosts.items[host].node] = host;
    note_free(kept, host);
    note_gpus(kept, host);
  }
}

static void copy_rooms(PlanKept *kept) {
  size_t size = kept->problem.hosts.count * (kept->problem.resources.count + 1) * sizeof *kept->rooms;
  kept->rooms = mem_alloc(size);
  if (size)
    memcpy(kept->rooms, kept->problem.rooms, size);
}

static void make_room(PlanKept *kept) {
  const PlanProblem *problem = &kept->problem;
  size_t hosts = problem->hosts.count, kinds = problem->kinds.count, gpus = problem->gpus.count;
  kept->states = mem_alloc(problem->shapes.count * sizeof *kept->states);
  for (size_t i = 0; i < problem->shapes.count; i++)
    plan_states_init(&kept->states[i], &problem->shapes.items[i].geometry);
  kept->pools = mem_alloc(problem->pools.count * sizeof *kept->pools);
  kept->bases = mem_alloc(problem->pools.count * KEPT_BASES * sizeof *kept->bases);
  kept->hosts = mem_alloc(hosts * sizeof *kept->hosts);
  kept->left = mem_alloc(hosts * kinds * sizeof *kept->left);
  kept->is_home = mem_alloc(hosts * kinds * sizeof *kept->is_home);
  kept->line_at = mem_alloc(hosts * kinds * sizeof *kept->line_at);
  kept->host_of_node = mem_alloc(kept->snapshot->nodes.count * sizeof *kept->host_of_node);
  kept->cut_of_gpu = mem_alloc(gpus * sizeof *kept->cut_of_gpu);
  kept->seat_of_gpu = mem_alloc(gpus * sizeof *kept->seat_of_gpu);
}

/* ---- pods ---- */

static void add_item(PlanKept *kept, int waiting) {
  const PlanWaiting *from = &kept->problem.waiting.items[waiting];
  const SnapshotPod *pod = &kept->snapshot->pods.items[from->pod];
  KeptItem *item = array_push(&kept->items);
  *item =
      (KeptItem){.pod = from->pod,
                 .line = kept->line_of_class[from->class_],
                 .tier = plan_kept_find_tier(kept, pod->priority, plan_kept_is_old(kept, pod->creation_time)),
                 .class_ = from->class_,
                 .creation = pod->creation_time,
                 .host = KEPT_NONE,
                 .gpu = KEPT_NONE};
  kept->item_of_pod.items[from->pod] = waiting;
  kept->class_of_spec.items[pod->spec->number] = from->class_ + 1;
  *array_push(&plan_kept_queue(kept, item)->items) = waiting;
}

static void add_items(PlanKept *kept) {
  for (size_t i = 0; i < kept->snapshot->pods.count; i++)
    *array_push(&kept->item_of_pod) = KEPT_NONE;
  for (size_t i = 0; i < kept->snapshot->specs.count; i++)
    array_push(&kept->class_of_spec);
  for (int i = 0; i < (int)kept->problem.waiting.count; i++)
    add_item(kept, i);
}

static bool are_ages_known(const PlanKept *kept) {
  for (size_t i = 0; i < kept->items.count; i++)
    if (!plan_kept_knows_age(kept, kept->items.items[i].creation))
      return false;
  return true;
}

/* GPU by GPU. */
static void plan_slices(PlanKept *kept, const PlanOffer *offer) {
  CLEANUP(cleanup_free) bool *has_slices = mem_alloc(kept->problem.gpus.count * sizeof *has_slices);
  for (size_t i = 0; i < offer->slices.count; i++) {
    const PlanSlice *slice = &offer->slices.items[i];
    if (slice->waiting < 0)
      continue;
    KeptItem *item = &kept->items.items[slice->waiting];
    item->gpu = slice->gpu;
    item->start = slice->start;
    plan_kept_note_created(kept, slice->waiting);
    has_slices[slice->gpu] = true;
  }
  for (int gpu = 0; gpu < (int)kept->problem.gpus.count; gpu++)
    if (has_slices[gpu] && kept->cut_of_gpu[gpu] >= 0)
      plan_kept_plan_gpu(kept, gpu);
}

static void serve(PlanKept *kept, const PlanOffer *offer) {
  plan_slices(kept, offer);
  for (int i = 0; i < (int)kept->items.count; i++) {
    KeptItem *item = &kept->items.items[i];
    if (offer->hosts[i] < 0)
      continue;
    KeptHost *host = &kept->hosts[offer->hosts[i]];
    item->host = offer->hosts[i];
    item->seat = (int)host->items.count;
    *array_push(&host->items) = i;
    plan_kept_change_room(kept, &kept->problem.classes.items[item->class_], item->host, 1);
    kept->existing += item->gpu < 0;
    kept->created_hosts += item->gpu >= 0 && !host->created;
    kept->created += item->gpu >= 0;
    host->created += item->gpu >= 0;
    kept->left[(size_t)item->host * kept->problem.kinds.count + (size_t)kept->lines[item->line].kind] -=
        item->gpu < 0;
  }
}

/* Those served come first, and of them those that take free slices; and they are as many as counting says. */
static bool is_in_order(const PlanKept *kept, KeptQueue *queue) {
  const int *items = queue->items.items;
  int count = (int)queue->items.count;
  for (; queue->served < count && kept->items.items[items[queue->served]].host >= 0; queue->served++)
    if (kept->items.items[items[queue->served]].gpu < 0 && queue->existing++ != queue->served)
      return false;
  for (int i = queue->served; i < count; i++)
    if (kept->items.items[items[i]].host >= 0)
      return false;
  return queue->existing == queue->existing_wanted && queue->served == queue->served_wanted;
}

/* Those served come first. */
static bool is_searched_in_order(const PlanKept *kept, KeptQueue *queue) {
  const int *items = queue->items.items;
  int count = (int)queue->items.count;
  while (queue->served < count && kept->items.items[items[queue->served]].host >= 0)
    queue->served++;
  for (int i = queue->served; i < count; i++)
    if (kept->items.items[items[i]].host >= 0)
      return false;
  return true;
}

static bool are_queues_in_order(PlanKept *kept) {
  for (size_t tier = 0; kept->is_searched && tier < kept->tiers.count; tier++)
    for (int line = 0; line < kept->line_count; line++)
      if (!is_searched_in_order(kept, &kept->tiers.items[tier].queues[line]))
        return false;
  if (kept->is_searched)
    return true;
  plan_kept_count(kept);
  for (size_t tier = 0; tier < kept->tiers.count; tier++)
    for (int line = 0; line < kept->line_count; line++)
      if (!is_in_order(kept, &kept->tiers.items[tier].queues[line]))
        return false;
  return true;
}

static bool build(PlanKept *kept, const PlanOffer *offer, size_t searched_min) {
  if (!collect_keys(kept))
    return false;
  bool is_counted = find_lines(kept) && are_hosts_roomy(kept);
  if (!is_counted) {
    if (kept->problem.waiting.count * kept->problem.hosts.count < searched_min)
      return false;
    kept->is_searched = true;
    make_line_of_each(kept);
    copy_rooms(kept);
  }
  make_room(kept);
  find_hosts(kept);
  add_items(kept);
  if (!are_ages_known(kept))
    return false;
  serve(kept, offer);
  kept->reasons = arena_alloc(&kept->problem.arena, kept->problem.classes.count * sizeof *kept->reasons);
  return are_queues_in_order(kept);
}

bool plan_kept_build(PlanKept *kept, PlanProblem *problem, const PlanOffer *offer, size_t searched_min) {
  *kept = (PlanKept){.snapshot = problem->snapshot, .old_before = problem->old_before};
  if (problem->is_coupled || !problem->rooms || kept->snapshot->nominated.count ||
      kept->snapshot->knows_volumes || !are_classes_simple(problem))
    return false;
  kept->problem = *problem;
  *problem = (PlanProblem){0};
  bool is_kept = build(kept, offer, searched_min);
  if (!is_kept)
    plan_kept_deinit(kept);
  return is_kept;
}

void plan_kept_deinit(PlanKept *kept) {
  for (size_t i = 0; kept->states && i < kept->problem.shapes.count; i++)
    plan_states_deinit(&kept->states[i]);
  for (size_t i = 0; kept->pools && i < kept->problem.pools.count; i++)
    array_deinit(&kept->pools[i].cuts);
  for (size_t i = 0; kept->hosts && i < kept->problem.hosts.count; i++)
    array_deinit(&kept->hosts[i].items);
  for (size_t i = 0; i < kept->cuts.count; i++)
    array_deinit(&kept->cuts.items[i].gpus);
  for (int i = 0; i < kept->line_count; i++)
    array_deinit(&kept->lines[i].homes);
  for (size_t i = 0; i < kept->tiers.count; i++) {
    for (int line = 0; line < kept->line_count; line++)
      array_deinit(&kept->tiers.items[i].queues[line].items);
    free(kept->tiers.items[i].queues);
  }
  array_deinit(&kept->tiers);
  array_deinit(&kept->tier_order);
  array_deinit(&kept->items);
  array_deinit(&kept->free_items);
  array_deinit(&kept->item_of_pod);
  array_deinit(&kept->class_of_spec);
  array_deinit(&kept->changed);
  array_deinit(&kept->changed_hosts);
  array_deinit(&kept->opened);
  array_deinit(&kept->cuts);
  intern_deinit(&kept->cut_numbers);
  map_deinit(&kept->class_keys);
  text_deinit(&kept->key);
  free(kept->states);
  free(kept->pools);
  free(kept->bases);
  free(kept->hosts);
  free(kept->left);
  free(kept->is_home);
  free(kept->line_at);
  free(kept->host_of_node);
  free(kept->cut_of_gpu);
  free(kept->seat_of_gpu);
  slots_deinit(&kept->created_items);
  free(kept->lines);
  free(kept->line_order);
  free(kept->line_of_class);
  free(kept->most);
  free(kept->rooms);
  plan_problem_deinit(&kept->problem);
  *kept = (PlanKept){0};
}
