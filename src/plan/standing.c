/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/standing.h"

#include "plan/reason.h"
#include "plan/search.h"

enum {
  EVENTS_MIN = 1000,
  EVENTS_MIN_SEARCHED = 64, /* where a plan from scratch may serve more than one that follows events */
  PODS_PER_EVENT = 16,
};

void plan_standing_init(PlanStanding *standing) {
  *standing = (PlanStanding){.searched_min = PLAN_ONE_BY_ONE_MAX};
  live_init(&standing->live);
}

static void forget_plan(PlanStanding *standing) {
  if (standing->is_kept)
    plan_kept_deinit(&standing->kept);
  standing->is_kept = false;
}

void plan_standing_deinit(PlanStanding *standing) {
  forget_plan(standing);
  plan_deinit(&standing->plan);
  free(standing->first_gpu);
  array_deinit(&standing->open_nodes);
  array_deinit(&standing->open_pods);
  array_deinit(&standing->place_of_node);
  array_deinit(&standing->place_of_pod);
  live_deinit(&standing->live);
}

/* ---- what is open ---- */

static void open_node(PlanStanding *standing, int node) {
  if (node >= (int)standing->place_of_node.count || standing->place_of_node.items[node] >= 0)
    return;
  standing->place_of_node.items[node] = (int)standing->open_nodes.count;
  *array_push(&standing->open_nodes) = node;
}

static void open_pod(PlanStanding *standing, int pod) {
  if (pod >= (int)standing->place_of_pod.count || standing->place_of_pod.items[pod] >= 0)
    return;
  standing->place_of_pod.items[pod] = (int)standing->open_pods.count;
  *array_push(&standing->open_pods) = pod;
}

void plan_standing_settle_node(PlanStanding *standing, int node) {
  int place = standing->place_of_node.items[node];
  if (place < 0)
    return;
  int last = standing->open_nodes.items[--standing->open_nodes.count];
  standing->open_nodes.items[place] = last;
  standing->place_of_node.items[last] = place;
  standing->place_of_node.items[node] = -1;
}

void plan_standing_settle_pod(PlanStanding *standing, int pod) {
  int place = standing->place_of_pod.items[pod];
  if (place < 0)
    return;
  int last = standing->open_pods.items[--standing->open_pods.count];
  standing->open_pods.items[place] = last;
  standing->place_of_pod.items[last] = place;
  standing->place_of_pod.items[pod] = -1;
}

void plan_standing_open_pod(PlanStanding *standing, const Pod *pod) {
  int waiting = live_find_waiting(&standing->live, pod);
  if (waiting >= 0)
    open_pod(standing, waiting);
}

/* The pod at `moved` is at `gone` from now on. */
static void remove_pod(PlanStanding *standing, int gone, int moved) {
  plan_standing_settle_pod(standing, gone);
  if (moved >= 0) {
    int place = standing->place_of_pod.items[moved];
    standing->place_of_pod.items[gone] = place;
    if (place >= 0)
      standing->open_pods.items[place] = gone;
    standing->plan.pods.items[gone] = standing->plan.pods.items[moved];
  }
  standing->place_of_pod.count--;
  standing->plan.pods.count--;
}

static void add_pod(PlanStanding *standing, int pod) {
  const SnapshotPod *came = &standing->live.snapshot.pods.items[pod];
  const char *reason =
      came->spec->invalid ? came->spec->invalid : plan_ignore_reason(came->object, &came->spec->requests);
  *array_push(&standing->plan.pods) =
      (PlanPod){.verdict = PLAN_IGNORED, .node = -1, .turn = -1, .reason = string_or_empty(reason)};
  *array_push(&standing->place_of_pod) = -1;
}

/* ---- events ---- */

/* Brings the plan up to date as far as it follows events; what is open follows in any case. */
static void follow(PlanStanding *standing, const LiveChange *change, const Pod *pod) {
  if (change->all || !standing->is_aligned) {
    standing->is_aligned = false;
    forget_plan(standing);
    return;
  }
  bool is_kept = standing->is_kept;
  standing->events += change->gone >= 0 || change->came >= 0 || change->node_count;
  if (change->gone >= 0) {
    if (is_kept)
      plan_kept_pod_gone(&standing->kept, change->gone, change->moved, pod);
    remove_pod(standing, change->gone, change->moved);
  }
  if (change->spec_gone >= 0 && is_kept)
    plan_kept_spec_gone(&standing->kept, change->spec_gone);
  if (change->came >= 0) {
    add_pod(standing, change->came);
    is_kept = is_kept && plan_kept_pod_came(&standing->kept, change->came);
  }
  for (int i = 0; i < change->node_count; i++) {
    open_node(standing, change->nodes[i]);
    is_kept = is_kept && plan_kept_node_changed(&standing->kept, change->nodes[i]);
  }
  if (!is_kept)
    forget_plan(standing);
}

static bool are_equal_pairs(const KeyValues *a, const KeyValues *b) {
  if (a->count != b->count)
    return false;
  for (size_t i = 0; i < a->count; i++)
    if (!string_equal(a->items[i].key, b->items[i].key) ||
        !string_equal(a->items[i].value, b->items[i].value))
      return false;
  return true;
}

/* Do all filters that look at the node alone say what they said before? */
static bool is_like(const Node *node, const Node *before) {
  if (node->unschedulable != before->unschedulable || node->taints.count != before->taints.count ||
      !are_equal_pairs(&node->meta.labels, &before->meta.labels))
    return false;
  for (size_t i = 0; i < node->taints.count; i++) {
    const Taint *now = &node->taints.items[i], *then = &before->taints.items[i];
    if (!string_equal(now->key, then->key) || !string_equal(now->value, then->value) ||
        !string_equal(now->effect, then->effect))
      return false;
  }
  return true;
}

void plan_standing_put_node(PlanStanding *standing, const Node *node) {
  LiveChange change;
  const Node *before = live_find_node(&standing->live, node->meta.name);
  if (before && !is_like(node, before))
    forget_plan(standing);
  live_put_node(&standing->live, node, &change);
  follow(standing, &change, NULL);
}

void plan_standing_remove_node(PlanStanding *standing, const char *name) {
  LiveChange change;
  live_remove_node(&standing->live, name, &change);
  follow(standing, &change, NULL);
}

void plan_standing_hold_node(PlanStanding *standing, const char *name, const char *held, bool growth_only) {
  LiveChange change;
  live_hold_node(&standing->live, name, held, growth_only, &change);
  follow(standing, &change, NULL);
}

void plan_standing_put_pod(PlanStanding *standing, const Pod *pod) {
  LiveChange change;
  live_put_pod(&standing->live, pod, &change);
  bool is_placed = change.came < 0 && change.node_count;
  if (is_placed && pod_common(pod)->anti_affinity_terms.count) /* it may keep others away */
    forget_plan(standing);
  follow(standing, &change, pod);
}

void plan_standing_remove_pod(PlanStanding *standing, const Pod *pod) {
  LiveChange change;
  live_remove_pod(&standing->live, pod, &change);
  follow(standing, &change, pod);
}

/* ---- plans ---- */

static int *index_gpus(const Plan *plan, size_t nodes) {
  int *first = mem_alloc((nodes + 1) * sizeof *first);
  for (size_t node = 0; node < nodes; node++)
    first[node] = -1;
  for (size_t i = plan->gpus.count; i-- > 0;)
    first[plan->gpus.items[i].node] = (int)i;
  return first;
}

static bool is_same_gpu(const PlanGpu *a, const PlanGpu *b) {
  if (a->node != b->node || a->gpu != b->gpu || a->destroy_count != b->destroy_count ||
      a->create_count != b->create_count)
    return false;
  for (int i = 0; i < a->destroy_count; i++)
    if (a->destroys[i].profile != b->destroys[i].profile || a->destroys[i].start != b->destroys[i].start)
      return false;
  for (int i = 0; i < a->create_count; i++)
    if (a->creates[i].profile != b->creates[i].profile || a->creates[i].start != b->creates[i].start ||
        a->creates[i].leftover != b->creates[i].leftover)
      return false;
  return true;
}

/* Does the plan say the same of the node as the old one, which was made from scratch too? */
static bool is_same_node(const Plan *plan, int i, const Plan *old, int k) {
  int node = plan->gpus.items[i].node;
  for (; i < (int)plan->gpus.count && plan->gpus.items[i].node == node; i++, k++)
    if (k < 0 || k >= (int)old->gpus.count || !is_same_gpu(&plan->gpus.items[i], &old->gpus.items[k]))
      return false;
  return k >= (int)old->gpus.count || old->gpus.items[k].node != node;
}

static bool is_same_pod(const PlanPod *a, const PlanPod *b) {
  return a->verdict == b->verdict && a->node == b->node && a->recut == b->recut &&
         a->premature == b->premature && strcmp(a->reason, b->reason) == 0;
}

/* Nobody has settled anything yet. */
static void begin_lists(PlanStanding *standing, const Snapshot *snapshot) {
  array_clear(&standing->open_nodes);
  array_clear(&standing->open_pods);
  array_clear(&standing->place_of_node);
  array_clear(&standing->place_of_pod);
  for (size_t i = 0; i < snapshot->nodes.count; i++)
    *array_push(&standing->place_of_node) = -1;
  for (size_t i = 0; i < snapshot->pods.count; i++)
    *array_push(&standing->place_of_pod) = -1;
}

/* What the plan says for the first time. `old`: the plan before it, by the same indexes; NULL: there is none.
 */
static void open_news(PlanStanding *standing, const Plan *old, const int *old_gpus) {
  const Plan *plan = &standing->plan;
  for (size_t i = 0; i < plan->gpus.count; i++) {
    int node = plan->gpus.items[i].node;
    if (standing->first_gpu[node] == (int)i && !(old_gpus && is_same_node(plan, (int)i, old, old_gpus[node])))
      open_node(standing, node);
  }
  for (size_t i = 0; i < plan->pods.count; i++) {
    const PlanPod *pod = &plan->pods.items[i];
    if ((pod->verdict == PLAN_ADMITTED || pod->verdict == PLAN_BLOCKED) &&
        !(old && is_same_pod(pod, &old->pods.items[i])))
      open_pod(standing, (int)i);
  }
}

static void plan_afresh(PlanStanding *standing, Snapshot *snapshot, const PlanOptions *options) {
  CLEANUP(plan_deinit) Plan old = standing->plan;
  CLEANUP(cleanup_free) int *old_gpus = TAKE(standing->first_gpu);
  bool followed = standing->has_followed;
  forget_plan(standing);
  standing->is_kept =
      plan_compute_kept(snapshot, options, standing->searched_min, &standing->plan, &standing->kept);
  standing->has_followed = standing->is_kept;
  standing->events = 0;
  standing->afresh++;
  standing->first_gpu = index_gpus(&standing->plan, snapshot->nodes.count);
  if (!standing->is_aligned)
    begin_lists(standing, snapshot);
  open_news(standing, standing->is_aligned ? &old : NULL,
            standing->is_aligned && !followed ? old_gpus : NULL);
  standing->is_aligned = true;
}

/* The waiting pods and where they are served, as those want it who explain. */
static int *list_waiting(PlanKept *kept) {
  PlanProblem *problem = &kept->problem;
  int *hosts = mem_alloc((kept->items.count + 1) * sizeof *hosts);
  array_clear(&problem->waiting);
  for (size_t t = 0; t < kept->tier_order.count; t++)
    for (int line = 0; line < kept->line_count; line++) {
      const KeptQueue *queue = &kept->tiers.items[kept->tier_order.items[t]].queues[kept->line_order[line]];
      for (size_t i = 0; i < queue->items.count; i++) {
        const KeptItem *item = &kept->items.items[queue->items.items[i]];
        PlanClass *class_ = &problem->classes.items[item->class_];
        hosts[problem->waiting.count] = item->host;
        *array_push(&problem->waiting) =
            (PlanWaiting){.pod = item->pod, .class_ = item->class_, .tier = (int)t};
        class_->pod = item->pod;
        class_->example = &kept->snapshot->pods.items[item->pod];
      }
    }
  return hosts;
}

/* Classes of which some pod is blocked for the first time. */
static void explain(PlanStanding *standing) {
  PlanKept *kept = &standing->kept;
  CLEANUP(plan_reasons_deinit) PlanReasons reasons;
  CLEANUP(cleanup_free) int *hosts = list_waiting(kept);
  plan_reasons_init(&reasons, &kept->problem, hosts);
  for (size_t i = 0; i < kept->changed.count; i++) {
    const KeptItem *item = &kept->items.items[kept->changed.items[i]];
    char text[PLAN_REASON_SIZE];
    if (item->pod < 0 || item->host >= 0 || kept->reasons[item->class_])
      continue;
    plan_reasons_format(&reasons, item->class_, text);
    kept->reasons[item->class_] = arena_strdup(&standing->plan.arena, text);
  }
}

static bool lacks_reason(const PlanKept *kept) {
  for (size_t i = 0; i < kept->changed.count; i++) {
    const KeptItem *item = &kept->items.items[kept->changed.items[i]];
    if (item->pod >= 0 && item->host < 0 && !kept->reasons[item->class_])
      return true;
  }
  return false;
}

static void take_changes(PlanStanding *standing) {
  PlanKept *kept = &standing->kept;
  for (size_t i = 0; i < kept->changed.count; i++) {
    KeptItem *item = &kept->items.items[kept->changed.items[i]];
    item->is_changed = false;
    if (item->pod < 0)
      continue;
    standing->plan.pods.items[item->pod] =
        (PlanPod){.verdict = item->host < 0  ? PLAN_BLOCKED
                             : item->gpu < 0 ? PLAN_FITS
                                             : PLAN_ADMITTED,
                  .node = item->host < 0 ? -1 : kept->problem.hosts.items[item->host].node,
                  .turn = -1,
                  .reason = item->host < 0 ? kept->reasons[item->class_] : ""};
    open_pod(standing, item->pod);
  }
  for (size_t i = 0; i < kept->changed_hosts.count; i++) {
    int host = kept->changed_hosts.items[i];
    kept->hosts[host].is_changed = false;
    open_node(standing, kept->problem.hosts.items[host].node);
  }
  array_clear(&kept->changed);
  array_clear(&kept->changed_hosts);
}

static void take_numbers(PlanStanding *standing) {
  const PlanKept *kept = &standing->kept;
  Plan *plan = &standing->plan;
  int tiers = 0;
  plan->pending = plan->admitted = plan->already_fit = 0;
  for (size_t tier = 0; tier < kept->tiers.count; tier++) {
    int before = plan->pending;
    for (int line = 0; line < kept->line_count; line++) {
      const KeptQueue *queue = &kept->tiers.items[tier].queues[line];
      plan->pending += (int)queue->items.count;
      plan->already_fit += queue->existing;
      plan->admitted += queue->served - queue->existing;
    }
    tiers += plan->pending > before;
  }
  if (kept->is_searched) {
    plan->admitted -= kept->existing;
    plan->already_fit = kept->existing;
  }
  bool serves_all = plan->admitted + plan->already_fit == plan->pending;
  if (kept->is_searched && !serves_all)
    plan->bound = plan_kept_bound(kept) - plan->already_fit;
  else
    plan->bound =
        serves_all || tiers <= 1 ? plan->admitted : plan_kept_count_without_tiers(kept) - plan->already_fit;
  plan->create = kept->created;
  plan->nodes_changed = kept->created_hosts;
}

/* Might a plan from scratch do what a kept one never does: search, withdraw, wait for a node? */
static bool is_outgrown(const PlanStanding *standing) {
  const PlanKept *kept = &standing->kept;
  const Plan *plan = &standing->plan;
  bool is_small =
      plan->pending <= PLAN_SEARCH_WAITING_MAX && kept->problem.hosts.count <= PLAN_SEARCH_HOSTS_MAX;
  bool some_wait = plan->admitted + plan->already_fit < plan->pending;
  return is_small || kept->snapshot->nominated.count ||
         (some_wait && (kept->withdrawable_hosts || kept->recut_hosts));
}

static bool keep_up(PlanStanding *standing, const PlanOptions *options) {
  size_t events_min = standing->kept.is_searched ? EVENTS_MIN_SEARCHED : EVENTS_MIN;
  if (standing->events > events_min + standing->plan.pods.count / PODS_PER_EVENT ||
      !plan_kept_settle(&standing->kept, options->old_before))
    return false;
  take_numbers(standing);
  if (is_outgrown(standing))
    return false;
  if (lacks_reason(&standing->kept))
    explain(standing);
  take_changes(standing);
  return true;
}

const Plan *plan_standing_compute(PlanStanding *standing, const PlanOptions *options) {
  Snapshot *snapshot = live_snapshot(&standing->live);
  if (!standing->is_kept || !keep_up(standing, options))
    plan_afresh(standing, snapshot, options);
  return &standing->plan;
}
