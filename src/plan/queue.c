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
#include "base/text.h"

static const Condition *unschedulable_condition(const Pod *pod) {
  const Condition *condition = pod_find_condition(pod, "PodScheduled");
  bool is_refusal = condition && string_equal(condition->status, "False") &&
                    string_equal(condition->reason, "Unschedulable");
  return is_refusal ? condition : NULL;
}

static bool is_owned_by_daemon_set(const Pod *pod) {
  for (size_t i = 0; i < pod->meta.owners.count; i++)
    if (string_equal(pod->meta.owners.items[i].kind, "DaemonSet"))
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

static int compare_numbers(int64_t a, int64_t b) {
  return (a > b) - (a < b);
}

static int compare_names(const Snapshot *snapshot, int pod_a, int pod_b) {
  const ObjectMeta *left = &snapshot->pods.items[pod_a].object->meta;
  const ObjectMeta *right = &snapshot->pods.items[pod_b].object->meta;
  int order = strcmp(string_or_empty(left->namespace_), string_or_empty(right->namespace_));
  if (!order)
    order = strcmp(string_or_empty(left->name), string_or_empty(right->name));
  return order ? order : compare_numbers(pod_a, pod_b);
}

typedef struct Named { /* what comparing by name takes */
  const Snapshot *snapshot;
  const PlanWaiting *waiting;
} Named;

static int compare_keys(const void *a, const void *b, void *userdata) {
  const Named *named = userdata;
  return compare_names(named->snapshot, named->waiting[((const OrderKey *)a)->index].pod,
                       named->waiting[((const OrderKey *)b)->index].pod);
}

/* Mostly they come so. */
static void sort_by_name(Named *named, OrderKey *keys, size_t count) {
  for (size_t i = 1; i < count; i++)
    if (compare_keys(&keys[i - 1], &keys[i], named) > 0) {
      qsort_r(keys, count, sizeof *keys, compare_keys, named);
      return;
    }
}

void plan_queue_order(const Snapshot *snapshot, const PlanWaiting *waiting, OrderKey *keys, size_t count) {
  Named named = {.snapshot = snapshot, .waiting = waiting};
  size_t end;
  order_sort(keys, count);
  for (size_t first = 0; first < count; first = end) {
    for (end = first + 1;
         end < count && keys[end].high == keys[first].high && keys[end].low == keys[first].low;)
      end++;
    if (end - first > 1)
      sort_by_name(&named, &keys[first], end - first);
  }
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
static uint64_t tier_key(const PlanProblem *problem, const SnapshotPod *pod) {
  bool is_long = pod->creation_time > 0 && pod->creation_time < problem->old_before;
  return (uint64_t)priority_key(pod->priority) << 1 | !is_long;
}

static int find_tier(const PlanProblem *problem, const SnapshotPod *pod) {
  uint64_t key = tier_key(problem, pod);
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

/* In the order of the snapshot, with what decides about the order within a tier. */
static void list_waiting(const PlanProblem *problem, const int *ranks, PlanWaiting *ret_waiting,
                         OrderKey *ret_keys) {
  int count = 0;
  for (size_t i = 0; i < problem->snapshot->pods.count; i++) {
    const SnapshotPod *pod = &problem->snapshot->pods.items[i];
    int class_ = problem->class_of_spec[pod->spec->number];
    if (class_ < 0 || pod->node >= 0)
      continue;
    ret_waiting[count] = (PlanWaiting){.pod = (int)i, .class_ = class_, .tier = find_tier(problem, pod)};
    ret_keys[count] =
        (OrderKey){.high = (uint32_t)ranks[class_], .low = order_key(pod->creation_time), .index = count};
    count++;
  }
}

/* The order among equals is kept. */
static void sort_by_tier(const PlanWaiting *waiting, OrderKey *keys, size_t count) {
  for (size_t i = 0; i < count; i++)
    keys[i] = (OrderKey){.high = (uint32_t)waiting[keys[i].index].tier, .index = keys[i].index};
  order_sort(keys, count);
}

/* Within a tier the smallest come first: that serves the most. */
void plan_queue_sort(PlanProblem *problem) {
  size_t count = problem->waiting.count;
  CLEANUP(cleanup_free) int *ranks = mem_alloc(problem->classes.count * sizeof *ranks);
  CLEANUP(cleanup_free) PlanWaiting *waiting = mem_alloc_raw(count, sizeof *waiting);
  CLEANUP(cleanup_free) OrderKey *keys = mem_alloc_raw(count, sizeof *keys);
  rank_classes(problem, ranks);
  list_waiting(problem, ranks, waiting, keys);
  plan_queue_order(problem->snapshot, waiting, keys, count);
  if (problem->tier_count > 1)
    sort_by_tier(waiting, keys, count);
  problem->waiting.items = mem_alloc_raw(count, sizeof *waiting);
  problem->waiting.capacity = count;
  for (size_t i = 0; i < count; i++)
    problem->waiting.items[i] = waiting[keys[i].index];
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

/* What was found out about specs and classes. */
typedef struct Findings {
  int *first;            /* by spec: of its pods that wait the first one, or one of the two below */
  uint64_t *tier;        /* by spec: the key of the one that was read last */
  ARRAY(OrderKey) tiers; /* keys, some of them more than once */
  Map classes, asks;     /* texts that were met, with the number that they got, plus one */
  Text key;
} Findings;

enum { NONE_WAITS = -1, NOT_JUDGED = -2 };

static void findings_init(Findings *findings, size_t spec_count) {
  *findings = (Findings){.first = mem_alloc_raw(spec_count, sizeof *findings->first),
                         .tier = mem_alloc(spec_count * sizeof *findings->tier)};
  for (size_t spec = 0; spec < spec_count; spec++)
    findings->first[spec] = NOT_JUDGED;
}

static void findings_deinit(Findings *findings) {
  free(findings->first);
  free(findings->tier);
  array_deinit(&findings->tiers);
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
static void judge(PlanProblem *problem, Findings *findings, const SnapshotPod *pod) {
  findings->first[pod->spec->number] = NONE_WAITS;
  problem->ignored[pod->spec->number] =
      pod->spec->invalid ? pod->spec->invalid : plan_ignore_reason(pod->object, &pod->spec->requests);
}

/* Higher priority, older, name. */
static bool goes_before(const Snapshot *snapshot, int pod, int other) {
  const SnapshotPod *a = &snapshot->pods.items[pod], *b = &snapshot->pods.items[other];
  if (a->priority != b->priority)
    return a->priority > b->priority;
  if (a->creation_time != b->creation_time)
    return a->creation_time < b->creation_time;
  return compare_names(snapshot, pod, other) < 0;
}

static void note_tier(const PlanProblem *problem, Findings *findings, const SnapshotPod *pod) {
  uint64_t key = tier_key(problem, pod);
  if (findings->first[pod->spec->number] >= 0 && findings->tier[pod->spec->number] == key)
    return;
  findings->tier[pod->spec->number] = key;
  *array_push(&findings->tiers) = (OrderKey){.low = key};
}

/* Reads each pod once: there are many, and everything else is said of their specs. */
static void read_pods(PlanProblem *problem, Findings *findings) {
  const Snapshot *snapshot = problem->snapshot;
  problem->ignored = arena_alloc(&problem->arena, snapshot->specs.count * sizeof *problem->ignored);
  for (size_t i = 0; i < snapshot->pods.count; i++) {
    const SnapshotPod *pod = &snapshot->pods.items[i];
    int *first = &findings->first[pod->spec->number];
    if (*first == NOT_JUDGED)
      judge(problem, findings, pod);
    if (pod->node >= 0 || problem->ignored[pod->spec->number])
      continue;
    problem->waiting.count++;
    note_tier(problem, findings, pod);
    if (*first < 0 || goes_before(snapshot, (int)i, *first))
      *first = (int)i;
  }
}

static void number_tiers(PlanProblem *problem, Findings *findings) {
  OrderKey *keys = findings->tiers.items;
  problem->tiers = arena_alloc(&problem->arena, findings->tiers.count * sizeof *problem->tiers);
  order_sort(keys, findings->tiers.count);
  for (size_t i = 0; i < findings->tiers.count; i++)
    if (!i || keys[i].low != keys[i - 1].low)
      problem->tiers[problem->tier_count++] = keys[i].low;
}

/* Classes are met in the order of their first pods, whatever the order of the snapshot. */
static void number_classes(PlanProblem *problem, Findings *findings) {
  const Snapshot *snapshot = problem->snapshot;
  size_t count = 0, specs = snapshot->specs.count;
  CLEANUP(cleanup_free) PlanWaiting *firsts = mem_alloc_raw(specs, sizeof *firsts);
  CLEANUP(cleanup_free) OrderKey *keys = mem_alloc_raw(specs, sizeof *keys);
  problem->class_of_spec = arena_alloc(&problem->arena, specs * sizeof *problem->class_of_spec);
  for (size_t spec = 0; spec < specs; spec++) {
    problem->class_of_spec[spec] = -1;
    if (findings->first[spec] < 0)
      continue;
    const SnapshotPod *pod = &snapshot->pods.items[findings->first[spec]];
    firsts[count] = (PlanWaiting){.pod = findings->first[spec]};
    keys[count] = (OrderKey){
        .high = priority_key(pod->priority), .low = order_key(pod->creation_time), .index = (int)count};
    count++;
  }
  plan_queue_order(snapshot, firsts, keys, count);
  for (size_t i = 0; i < count; i++) {
    int pod = firsts[keys[i].index].pod;
    problem->class_of_spec[snapshot->pods.items[pod].spec->number] = find_class(problem, findings, pod);
  }
}

void plan_queue_init(PlanProblem *problem) {
  CLEANUP(findings_deinit) Findings findings;
  findings_init(&findings, problem->snapshot->specs.count);
  read_pods(problem, &findings);
  number_tiers(problem, &findings);
  number_classes(problem, &findings);
  problem->asks_count = (int)findings.asks.count;
}
