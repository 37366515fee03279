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

static int compare_names(const void *a, const void *b, void *userdata) {
  const Snapshot *snapshot = userdata;
  int pod_a = ((const OrderKey *)a)->index, pod_b = ((const OrderKey *)b)->index;
  const ObjectMeta *left = &snapshot->pods.items[pod_a].object->meta;
  const ObjectMeta *right = &snapshot->pods.items[pod_b].object->meta;
  int order = strcmp(string_or_empty(left->namespace_), string_or_empty(right->namespace_));
  if (!order)
    order = strcmp(string_or_empty(left->name), string_or_empty(right->name));
  return order ? order : compare_numbers(pod_a, pod_b);
}

/* Mostly they come so. */
static void sort_by_name(const Snapshot *snapshot, OrderKey *keys, size_t count) {
  for (size_t i = 1; i < count; i++)
    if (compare_names(&keys[i - 1], &keys[i], (void *)snapshot) > 0) {
      qsort_r(keys, count, sizeof *keys, compare_names, (void *)snapshot);
      return;
    }
}

/* Higher priority, older, name. */
static void sort_pods(const Snapshot *snapshot, OrderKey *keys, size_t count) {
  size_t end;
  order_sort(keys, count);
  for (size_t first = 0; first < count; first = end) {
    for (end = first + 1;
         end < count && keys[end].high == keys[first].high && keys[end].low == keys[first].low;)
      end++;
    if (end - first > 1)
      sort_by_name(snapshot, &keys[first], end - first);
  }
}

/* The classes by the size of what they ask, so that the waiting pods are sorted by a small number. Returns
 * how many sizes there are. */
static size_t rank_classes(const PlanProblem *problem, int *ret_ranks) {
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
  return rank + 1;
}

/* Those of one rank are moved together, in their order. */
static void sort_tier(const PlanWaiting *waiting, size_t count, const int *ranks, size_t rank_count,
                      PlanWaiting *ret_sorted) {
  CLEANUP(cleanup_free) size_t *ends = mem_alloc((rank_count + 1) * sizeof *ends); /* of the rank before */
  for (size_t i = 0; i < count; i++)
    ends[ranks[waiting[i].class_] + 1]++;
  for (size_t rank = 0; rank < rank_count; rank++)
    ends[rank + 1] += ends[rank];
  for (size_t i = 0; i < count; i++)
    ret_sorted[ends[ranks[waiting[i].class_]]++] = waiting[i];
}

/* Within a tier the smallest come first: that serves the most. Tiers stand one behind the other already. */
void plan_queue_sort(PlanProblem *problem) {
  size_t count = problem->waiting.count;
  const PlanWaiting *waiting = problem->waiting.items;
  PlanWaiting *sorted = mem_alloc_raw(count, sizeof *sorted);
  CLEANUP(cleanup_free) int *ranks = mem_alloc(problem->classes.count * sizeof *ranks);
  size_t rank_count = rank_classes(problem, ranks);
  for (size_t first = 0, end; first < count; first = end) {
    for (end = first + 1; end < count && waiting[end].tier == waiting[first].tier;)
      end++;
    if (end - first == 1)
      sorted[first] = waiting[first];
    else
      sort_tier(&waiting[first], end - first, ranks, rank_count, &sorted[first]);
  }
  free(problem->waiting.items);
  problem->waiting.items = sorted;
  problem->waiting.capacity = count;
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
  const Resources *requests = &class_->example->requests;
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
  for (size_t i = 0; i < pod->requests.count; i++)
    if (pod->requests.items[i].amount)
      append_request(key, &pod->requests.items[i]);
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
  int *spec_of_pod;   /* by pod of the snapshot: in their order of service they lie all over the memory */
  int *class_of_spec; /* plus one; 0: not known yet */
  Map classes, asks;  /* texts that were met, with the number that they got, plus one */
  Text key;
} Findings;

static void findings_deinit(Findings *findings) {
  free(findings->spec_of_pod);
  free(findings->class_of_spec);
  map_deinit(&findings->classes);
  map_deinit(&findings->asks);
  text_deinit(&findings->key);
}

static int find_class_of_new_spec(PlanProblem *problem, Findings *findings, int pod) {
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

static int find_class(PlanProblem *problem, Findings *findings, int pod) {
  int *known = &findings->class_of_spec[findings->spec_of_pod[pod]];
  if (!*known)
    *known = find_class_of_new_spec(problem, findings, pod) + 1;
  return *known - 1;
}

/* Pods of one spec wait or do not wait together. */
static const char *judge(const SnapshotPod *pod) {
  return pod->invalid ? pod->invalid : plan_ignore_reason(pod->object, &pod->requests);
}

/* Reads each pod once: there are many, and everything else is said of their specs. Returns how many wait. */
static size_t list_waiting(PlanProblem *problem, Findings *findings, OrderKey *ret_keys) {
  const Snapshot *snapshot = problem->snapshot;
  size_t count = 0;
  CLEANUP(cleanup_free) bool *judged = mem_alloc(snapshot->specs.count);
  problem->ignored = arena_alloc(&problem->arena, snapshot->specs.count * sizeof *problem->ignored);
  for (size_t i = 0; i < snapshot->pods.count; i++) {
    const SnapshotPod *pod = &snapshot->pods.items[i];
    findings->spec_of_pod[i] = pod->spec;
    if (!judged[pod->spec]) {
      judged[pod->spec] = true;
      problem->ignored[pod->spec] = judge(pod);
    }
    if (pod->node < 0 && !problem->ignored[pod->spec])
      ret_keys[count++] = (OrderKey){.high = UINT32_MAX - ((uint32_t)pod->priority ^ UINT32_C(1) << 31),
                                     .low = order_key(pod->creation_time),
                                     .index = (int)i};
  }
  return count;
}

/* Within a priority the oldest come first, so those that have waited long are together. */
static bool has_waited_long(const PlanProblem *problem, const OrderKey *key) {
  return key->low > order_key(0) && key->low < order_key(problem->old_before);
}

static void collect_waiting(PlanProblem *problem, Findings *findings) {
  CLEANUP(cleanup_free) OrderKey *keys = mem_alloc_raw(problem->snapshot->pods.count, sizeof *keys);
  size_t count = list_waiting(problem, findings, keys);
  bool was_long = false;
  sort_pods(problem->snapshot, keys, count);
  problem->waiting.items = mem_alloc_raw(count, sizeof problem->waiting.items[0]);
  problem->waiting.count = problem->waiting.capacity = count;
  for (size_t i = 0; i < count; i++) {
    bool is_long = has_waited_long(problem, &keys[i]);
    problem->tier_count += !i || keys[i].high != keys[i - 1].high || is_long != was_long;
    was_long = is_long;
    problem->waiting.items[i] = (PlanWaiting){.pod = keys[i].index,
                                              .class_ = find_class(problem, findings, keys[i].index),
                                              .tier = problem->tier_count - 1};
  }
}

void plan_queue_init(PlanProblem *problem) {
  CLEANUP(findings_deinit)
  Findings findings = {.spec_of_pod = mem_alloc_raw(problem->snapshot->pods.count, sizeof(int)),
                       .class_of_spec = mem_alloc(problem->snapshot->specs.count * sizeof(int))};
  collect_waiting(problem, &findings);
  problem->asks_count = (int)findings.asks.count;
}
