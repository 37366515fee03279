/* SPDX-License-Identifier: Apache-2.0 */
/* Which pods are planned for, and in which order.
 *
 * Ten thousand pods come from a few Deployments, so everything that is asked about a pod and a node is asked
 * about the pod's class instead. A class is found by a text of all that a decision depends on: the requests
 * and the fields of the pod that the scheduler's filters read. A filter that reads more must add it here. */
#include "plan/queue.h"

#include "plan/plan.h"
#include "sched/coupling.h"
#include "sched/key.h"

#include "base/map.h"
#include "base/order.h"
#include "base/text.h"

static const Condition *unschedulable_condition(const Pod *pod) {
  const Condition *condition = pod_find_condition(pod, "PodScheduled");
  bool is_refusal = condition && string_equal(condition->status, "False") &&
                    string_equal(condition->reason, "Unschedulable");
  return is_refusal ? condition : NULL;
}

static bool is_owned_by_daemon_set(const Pod *pod) {
  for (size_t i = 0; i < pod_common(pod)->owners.count; i++)
    if (string_equal(pod_common(pod)->owners.items[i].kind, "DaemonSet"))
      return true;
  return false;
}

static bool asks_slices(const Resources *requests) {
  for (size_t i = 0; i < requests->count; i++)
    if (mig_profile_is_resource(requests->items[i].name) && requests->items[i].amount > 0)
      return true;
  return false;
}

const char *plan_ignore_reason(const Pod *pod, const Resources *requests) {
  if (pod_is_reservation(pod))
    return "it is a reservation of facet's own";
  if (!asks_slices(requests))
    return "it asks for no MIG slice";
  if (pod->meta.deletion_time)
    return "it is being deleted";
  if (pod->node_name && *pod->node_name)
    return "it has a node already";
  if (pod_common(pod)->scheduling_gates.count)
    return "it is held back by a scheduling gate";
  if (*string_or_empty(pod_common(pod)->nominated_node_name))
    return "the scheduler has nominated a node for it and makes room there";
  if (is_owned_by_daemon_set(pod))
    return "it belongs to a DaemonSet, whose pods are tied to their nodes";
  /* A pod without the condition, as in a dump taken at once or on a cluster without a scheduler, waits too.
   */
  if (pod_find_condition(pod, "PodScheduled") && !unschedulable_condition(pod))
    return "the scheduler has not found it unschedulable";
  return NULL;
}

/* The classes by the size of what they ask, so that the waiting pods are sorted by a small number. */
static void rank_classes(const PlanProblem *problem, int *ret_ranks) {
  size_t count = problem->classes.count, rank = 0;
  CLEANUP(cleanup_free) OrderKey *keys = mem_alloc(count * sizeof *keys);
  for (size_t i = 0; i < count; i++)
    keys[i] = (OrderKey){.high = (uint32_t)problem->classes.items[i].slot_count,
                         .low = (uint64_t)problem->classes.items[i].slice_count,
                         .index = (int)i};
  order_sort(keys, count);
  for (size_t i = 0; i < count; i++) {
    rank += i && (keys[i].high != keys[i - 1].high || keys[i].low != keys[i - 1].low);
    ret_ranks[keys[i].index] = (int)rank;
  }
}

/* A priority as a number: the highest is the least. */
static uint32_t priority_key(int32_t priority) {
  return UINT32_MAX - ((uint32_t)priority ^ UINT32_C(1) << 31);
}

/* A tier as a number: higher priorities first, in each those that have waited long. */
static uint64_t tier_key(int32_t priority, bool is_long) {
  return (uint64_t)priority_key(priority) << 1 | !is_long;
}

static int find_tier(const PlanProblem *problem, uint64_t key) {
  int low = 0, high = problem->tier_count - 1;
  while (low < high) {
    int middle = (low + high) / 2;
    if (problem->tiers[middle] < key)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* Pods of one age and older ones stand together: so do those that have waited long. */
typedef struct Stretch {
  size_t first, end; /* of Snapshot.by_age */
  bool is_long;
} Stretch;

enum { STRETCHES = 3 /* those of an age that is not known stand before them */ };

/* How many were created before. */
static size_t count_older(const Snapshot *snapshot, int64_t than) {
  size_t low = 0, high = snapshot->by_age.count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (snapshot->pods.items[snapshot->by_age.items[middle].pod].creation_time < than)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void find_stretches(const PlanProblem *problem, Stretch ret_stretches[STRETCHES]) {
  const Snapshot *snapshot = problem->snapshot;
  size_t first = 0, end = 0;
  if (problem->old_before > 0) {
    first = count_older(snapshot, 1);
    end = count_older(snapshot, problem->old_before);
  }
  ret_stretches[0] = (Stretch){.end = first};
  ret_stretches[1] = (Stretch){.first = first, .end = end, .is_long = true};
  ret_stretches[2] = (Stretch){.first = end, .end = snapshot->by_age.count};
}

/* Outside of all forks none is. */
static bool is_bound(const Snapshot *snapshot, int pod) {
  return snapshot->undo_count && snapshot->pods.items[pod].node >= 0;
}

/* The pods of one spec that have waited long, or those that have not. */
typedef struct Portion {
  int class_; /* -1: nobody waits */
  int tier;
  size_t *end; /* where the next one goes in the order of service */
} Portion;

/* Where the pods of each tier and rank begin. */
static void find_begins(const PlanProblem *problem, const int *ranks, Portion *portions, size_t *ends) {
  size_t count = 0, portion_count = 2 * problem->snapshot->specs.count, begin = 0;
  CLEANUP(cleanup_free) OrderKey *keys = mem_alloc_raw(portion_count, sizeof *keys);
  for (size_t i = 0; i < portion_count; i++) {
    portions[i].class_ = problem->waiting_of_spec[i] ? problem->class_of_spec[i / 2] : -1;
    if (portions[i].class_ < 0)
      continue;
    portions[i].tier =
        find_tier(problem, tier_key(problem->snapshot->specs.items[i / 2]->priority, i % 2 == 1));
    keys[count++] = (OrderKey){
        .high = (uint32_t)portions[i].tier, .low = (uint64_t)ranks[portions[i].class_], .index = (int)i};
  }
  order_sort(keys, count);
  for (size_t i = 0; i < count; i++) {
    if (!i || keys[i].high != keys[i - 1].high || keys[i].low != keys[i - 1].low)
      *++ends = begin;
    portions[keys[i].index].end = ends;
    begin += (size_t)problem->waiting_of_spec[keys[i].index];
  }
}

static void list_stretch(const PlanProblem *problem, const Stretch *stretch, const Portion *portions,
                         PlanWaiting *ret_waiting) {
  const Snapshot *snapshot = problem->snapshot;
  for (size_t i = stretch->first; i < stretch->end; i++) {
    SnapshotQueued queued = snapshot->by_age.items[i];
    const Portion *portion = &portions[2 * queued.spec + stretch->is_long];
    if (portion->class_ >= 0 && !is_bound(snapshot, queued.pod))
      ret_waiting[(*portion->end)++] =
          (PlanWaiting){.pod = queued.pod, .class_ = portion->class_, .tier = portion->tier};
  }
}

/* Within a tier the smallest come first: that serves the most. */
void plan_queue_sort(PlanProblem *problem) {
  Stretch stretches[STRETCHES];
  size_t portion_count = 2 * problem->snapshot->specs.count;
  CLEANUP(cleanup_free) int *ranks = mem_alloc(problem->classes.count * sizeof *ranks);
  CLEANUP(cleanup_free) Portion *portions = mem_alloc(portion_count * sizeof *portions);
  CLEANUP(cleanup_free) size_t *ends = mem_alloc((portion_count + 1) * sizeof *ends);
  rank_classes(problem, ranks);
  find_begins(problem, ranks, portions, ends);
  find_stretches(problem, stretches);
  problem->waiting.items = mem_alloc_raw(problem->waiting.count, sizeof *problem->waiting.items);
  problem->waiting.capacity = problem->waiting.count;
  for (int i = 0; i < STRETCHES; i++)
    list_stretch(problem, &stretches[i], portions, problem->waiting.items);
}

/* No slice is published under another spelling, so "nvidia.com/mig-1g.10gb+me" names no profile. */
static void name_kind(PlanKind *kind) {
  Error err;
  MigProfile profile;
  uint32_t memory_gb;
  char name[MIG_PROFILE_NAME_SIZE], canonical[MIG_RESOURCE_NAME_SIZE];
  if (mig_profile_parse_resource(kind->resource, name, &err) < 0)
    return;
  mig_profile_format_resource(name, canonical);
  if (strcmp(canonical, kind->resource) != 0 || mig_profile_parse_name(name, &profile, &memory_gb, &err) < 0)
    return;
  memcpy(kind->name, name, sizeof kind->name);
  kind->slice_count = profile.slice_count;
}

static int intern_kind(PlanProblem *problem, const char *resource) {
  for (size_t i = 0; i < problem->kinds.count; i++)
    if (strcmp(problem->kinds.items[i].resource, resource) == 0)
      return (int)i;
  PlanKind *kind = array_push(&problem->kinds);
  kind->resource = resource;
  kind->size = MIG_SLOTS_MAX; /* until a model is found that has it */
  kind->stock = -1;
  name_kind(kind);
  return (int)problem->kinds.count - 1;
}

static void set_needs(PlanProblem *problem, PlanClass *class_, Map *asks) {
  CLEANUP(text_deinit) Text key = {0};
  const Resources *requests = &class_->example->spec->requests;
  class_->needs = arena_alloc(&problem->arena, requests->count * sizeof *class_->needs);
  for (size_t i = 0; i < requests->count; i++) {
    const Resource *request = &requests->items[i];
    if (!mig_profile_is_resource(request->name) || request->amount <= 0)
      continue;
    PlanNeed need = {.kind = intern_kind(problem, request->name),
                     .count = request->amount > PLAN_SLICES_MAX ? PLAN_SLICES_MAX + 1 : (int)request->amount};
    class_->needs[class_->need_count++] = need;
    text_format(&key, "%d=%d;", need.kind, need.count);
  }
  uintptr_t known = (uintptr_t)map_find(asks, text_string(&key));
  class_->asks = known ? (int)known - 1 : (int)asks->count;
  if (!known)
    map_put(asks, text_string(&key), (void *)(uintptr_t)(asks->count + 1));
}

/* Names are quoted: "a=1;b" is a name that a file may hold. */
static void append_request(Text *key, const Resource *request) {
  text_append_json(key, request->name);
  text_format(key, "=%lld;", (long long)request->amount);
}

void plan_queue_add_key(Text *key, const SnapshotPod *pod) {
  for (size_t i = 0; i < pod->spec->requests.count; i++)
    if (pod->spec->requests.items[i].amount)
      append_request(key, &pod->spec->requests.items[i]);
  sched_key_add_node_affinity(key, pod->object);
  sched_key_add_tolerations(key, pod->object);
}

static void format_class_key(Text *key, Snapshot *snapshot, int index) {
  text_clear(key);
  plan_queue_add_key(key, &snapshot->pods.items[index]);
  sched_coupling_add_key(snapshot, index, key);
}

typedef struct Findings {
  int *firsts;       /* by spec: the place of its oldest pod in Snapshot.by_age; -1: none was met */
  Map classes, asks; /* texts that were met, with the number that they got, plus one */
  Text key;
} Findings;

static void findings_init(Findings *findings, size_t spec_count) {
  *findings = (Findings){.firsts = mem_alloc_none(spec_count)};
}

static void findings_deinit(Findings *findings) {
  free(findings->firsts);
  map_deinit(&findings->classes);
  map_deinit(&findings->asks);
  text_deinit(&findings->key);
}

static int find_class(PlanProblem *problem, Findings *findings, int pod) {
  format_class_key(&findings->key, problem->snapshot, pod);
  uintptr_t known = (uintptr_t)map_find(&findings->classes, text_string(&findings->key));
  if (known)
    return (int)known - 1;
  PlanClass *class_ = array_push(&problem->classes);
  class_->example = &problem->snapshot->pods.items[pod];
  class_->pod = pod;
  class_->is_coupled = sched_is_coupled(problem->snapshot, pod);
  problem->is_coupled |= class_->is_coupled;
  set_needs(problem, class_, &findings->asks);
  map_put(&findings->classes, text_string(&findings->key), (void *)(uintptr_t)problem->classes.count);
  return (int)problem->classes.count - 1;
}

/* Pods of one spec wait or do not wait together. */
static void judge(PlanProblem *problem, int pod) {
  const SnapshotPod *item = &problem->snapshot->pods.items[pod];
  problem->ignored[item->spec->number] =
      item->spec->invalid ? item->spec->invalid : plan_ignore_reason(item->object, &item->spec->requests);
}

static void read_stretch(PlanProblem *problem, Findings *findings, const Stretch *stretch) {
  const Snapshot *snapshot = problem->snapshot;
  for (size_t i = stretch->first; i < stretch->end; i++) {
    SnapshotQueued queued = snapshot->by_age.items[i];
    if (is_bound(snapshot, queued.pod))
      continue;
    if (findings->firsts[queued.spec] < 0)
      findings->firsts[queued.spec] = (int)i;
    problem->waiting_of_spec[2 * queued.spec + stretch->is_long]++;
  }
}

/* Of the pods just the specs are read: all but their names and ages is said there. */
static void read_pods(PlanProblem *problem, Findings *findings) {
  Snapshot *snapshot = problem->snapshot;
  size_t specs = snapshot->specs.count;
  Stretch stretches[STRETCHES];
  snapshot_order_pods(snapshot);
  find_stretches(problem, stretches);
  problem->ignored = arena_alloc(&problem->arena, specs * sizeof *problem->ignored);
  problem->waiting_of_spec = arena_alloc(&problem->arena, 2 * specs * sizeof *problem->waiting_of_spec);
  for (int i = 0; i < STRETCHES; i++)
    read_stretch(problem, findings, &stretches[i]);
  for (size_t i = 0; i < snapshot->pods.count && snapshot->undo_count; i++)
    if (snapshot->pods.items[i].node >= 0)
      judge(problem, (int)i);
  for (size_t spec = 0; spec < specs; spec++) {
    int first = findings->firsts[spec], *counts = &problem->waiting_of_spec[2 * spec];
    if (first < 0)
      continue;
    judge(problem, snapshot->by_age.items[first].pod);
    if (problem->ignored[spec])
      counts[0] = counts[1] = 0;
    problem->waiting.count += (size_t)counts[0] + (size_t)counts[1];
  }
}

static void number_tiers(PlanProblem *problem) {
  size_t count = 0, portions = 2 * problem->snapshot->specs.count;
  CLEANUP(cleanup_free) OrderKey *keys = mem_alloc_raw(portions, sizeof *keys);
  for (size_t i = 0; i < portions; i++)
    if (problem->waiting_of_spec[i])
      keys[count++] =
          (OrderKey){.low = tier_key(problem->snapshot->specs.items[i / 2]->priority, i % 2 == 1)};
  problem->tiers = arena_alloc(&problem->arena, count * sizeof *problem->tiers);
  order_sort(keys, count);
  for (size_t i = 0; i < count; i++)
    if (!i || keys[i].low != keys[i - 1].low)
      problem->tiers[problem->tier_count++] = keys[i].low;
}

/* Classes are met in the order of their first pods, whatever the order of the snapshot. */
static void number_classes(PlanProblem *problem, Findings *findings) {
  const Snapshot *snapshot = problem->snapshot;
  size_t count = 0, specs = snapshot->specs.count;
  CLEANUP(cleanup_free) OrderKey *keys = mem_alloc_raw(specs, sizeof *keys);
  problem->class_of_spec = arena_alloc(&problem->arena, specs * sizeof *problem->class_of_spec);
  for (size_t spec = 0; spec < specs; spec++) {
    problem->class_of_spec[spec] = -1;
    if (problem->waiting_of_spec[2 * spec] || problem->waiting_of_spec[2 * spec + 1])
      keys[count++] = (OrderKey){.high = priority_key(snapshot->specs.items[spec]->priority),
                                 .low = (uint64_t)findings->firsts[spec],
                                 .index = (int)spec};
  }
  order_sort(keys, count);
  for (size_t i = 0; i < count; i++)
    problem->class_of_spec[keys[i].index] =
        find_class(problem, findings, snapshot->by_age.items[keys[i].low].pod);
}

void plan_queue_init(PlanProblem *problem) {
  CLEANUP(findings_deinit) Findings findings;
  findings_init(&findings, problem->snapshot->specs.count);
  read_pods(problem, &findings);
  number_tiers(problem);
  number_classes(problem, &findings);
  problem->asks_count = (int)findings.asks.count;
}
