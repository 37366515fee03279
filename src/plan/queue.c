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

static int compare_waiting(const void *a, const void *b, void *userdata) {
  const Named *named = userdata;
  return compare_names(named->snapshot, named->waiting[*(const int *)a].pod,
                       named->waiting[*(const int *)b].pod);
}

/* Mostly they come so. */
static void sort_by_name(Named *named, int *order, size_t count) {
  for (size_t i = 1; i < count; i++)
    if (compare_waiting(&order[i - 1], &order[i], named) > 0) {
      qsort_r(order, count, sizeof *order, compare_waiting, named);
      return;
    }
}

/* Puts age and index into one word. Ages that are further apart than fits there, which is tens of thousands
 * of years, are the same. Returns how many bits the ages take. */
static unsigned pack_ages(uint64_t *ages, size_t count, unsigned index_bits) {
  uint64_t least = UINT64_MAX, most = 0, limit = UINT64_MAX >> index_bits;
  for (size_t i = 0; i < count; i++) {
    least = ages[i] < least ? ages[i] : least;
    most = ages[i] > most ? ages[i] : most;
  }
  for (size_t i = 0; i < count; i++) {
    uint64_t age = ages[i] - least < limit ? ages[i] - least : limit;
    ages[i] = age << index_bits | i;
  }
  return count ? order_bits(most - least < limit ? most - least : limit) : 0;
}

void plan_queue_order_by_age(const Snapshot *snapshot, const PlanWaiting *waiting, uint64_t *ages,
                             size_t count, int *ret_order) {
  Named named = {.snapshot = snapshot, .waiting = waiting};
  unsigned index_bits = order_bits(count), age_bits = pack_ages(ages, count, index_bits);
  order_sort_words(ages, count, index_bits, age_bits);
  size_t first = 0; /* of those that are as old as the one that is looked at */
  for (size_t i = 0; i <= count; i++) {
    if (i < count)
      ret_order[i] = (int)(ages[i] & ((UINT64_C(1) << index_bits) - 1));
    if (i < count && ages[i] >> index_bits == ages[first] >> index_bits)
      continue;
    if (i - first > 1)
      sort_by_name(&named, &ret_order[first], i - first);
    first = i;
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

/* Where the pods of each rank begin. */
static size_t *find_begins(const PlanProblem *problem, const int *ranks, size_t rank_count) {
  size_t *begins = mem_alloc((rank_count + 1) * sizeof *begins);
  for (size_t spec = 0; spec < problem->snapshot->specs.count; spec++)
    if (problem->class_of_spec[spec] >= 0)
      begins[ranks[problem->class_of_spec[spec]] + 1] += (size_t)problem->waiting_of_spec[spec];
  for (size_t rank = 0; rank < rank_count; rank++)
    begins[rank + 1] += begins[rank];
  return begins;
}

/* Rank by rank, in each in the order of the snapshot. `ends`: where they begin, and then where they end. */
static void list_waiting(const PlanProblem *problem, const int *ranks, size_t *ends, PlanWaiting *ret_waiting,
                         uint64_t *ret_ages) {
  bool is_one_tier = problem->tier_count <= 1;
  for (size_t i = 0; i < problem->snapshot->pods.count; i++) {
    const SnapshotPod *pod = &problem->snapshot->pods.items[i];
    int class_ = problem->class_of_spec[pod->spec->number];
    if (class_ < 0 || pod->node >= 0)
      continue;
    size_t place = ends[ranks[class_]]++;
    ret_waiting[place] =
        (PlanWaiting){.pod = (int)i, .class_ = class_, .tier = is_one_tier ? 0 : find_tier(problem, pod)};
    ret_ages[place] = order_key(pod->creation_time);
  }
}

/* The order among equals is kept. */
static void sort_by_tier(PlanProblem *problem) {
  size_t count = problem->waiting.count;
  CLEANUP(cleanup_free) OrderKey *keys = mem_alloc_raw(count, sizeof *keys);
  PlanWaiting *sorted = mem_alloc_raw(count, sizeof *sorted);
  for (size_t i = 0; i < count; i++)
    keys[i] = (OrderKey){.high = (uint32_t)problem->waiting.items[i].tier, .index = (int)i};
  order_sort(keys, count);
  for (size_t i = 0; i < count; i++)
    sorted[i] = problem->waiting.items[keys[i].index];
  free(problem->waiting.items);
  problem->waiting.items = sorted;
}

/* Within a tier the smallest come first: that serves the most. */
void plan_queue_sort(PlanProblem *problem) {
  size_t count = problem->waiting.count, first = 0;
  CLEANUP(cleanup_free) int *ranks = mem_alloc(problem->classes.count * sizeof *ranks);
  size_t rank_count = rank_classes(problem, ranks);
  CLEANUP(cleanup_free) size_t *ends = find_begins(problem, ranks, rank_count);
  CLEANUP(cleanup_free) PlanWaiting *listed = mem_alloc_raw(count, sizeof *listed);
  CLEANUP(cleanup_free) uint64_t *ages = mem_alloc_raw(count, sizeof *ages);
  CLEANUP(cleanup_free) int *order = mem_alloc_raw(count, sizeof *order);
  PlanWaiting *waiting = mem_alloc_raw(count, sizeof *waiting);
  list_waiting(problem, ranks, ends, listed, ages);
  for (size_t rank = 0; rank < rank_count; rank++) {
    plan_queue_order_by_age(problem->snapshot, &listed[first], &ages[first], ends[rank] - first,
                            &order[first]);
    for (size_t i = first; i < ends[rank]; i++)
      waiting[i] = listed[first + (size_t)order[i]];
    first = ends[rank];
  }
  problem->waiting.items = waiting;
  problem->waiting.capacity = count;
  if (problem->tier_count > 1)
    sort_by_tier(problem);
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

/* What was found out about the pods of one spec. */
typedef struct SpecFinding {
  int first; /* of those that wait, the first one, or one of the two below */
  int32_t priority;
  int64_t creation_time; /* its own */
  uint64_t tier;         /* the key of the one that was noted last */
} SpecFinding;

enum { NONE_WAITS = -1, NOT_JUDGED = -2 };

typedef struct Findings {
  SpecFinding *specs;
  ARRAY(OrderKey) tiers; /* keys, some of them more than once */
  Map classes, asks;     /* texts that were met, with the number that they got, plus one */
  Text key;
} Findings;

static void findings_init(Findings *findings, size_t spec_count) {
  *findings = (Findings){.specs = mem_alloc(spec_count * sizeof *findings->specs)};
  for (size_t spec = 0; spec < spec_count; spec++)
    findings->specs[spec].first = NOT_JUDGED;
}

static void findings_deinit(Findings *findings) {
  free(findings->specs);
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
static void judge(PlanProblem *problem, const SnapshotPod *pod) {
  const SnapshotSpec *spec = pod->spec;
  problem->ignored[spec->number] =
      spec->invalid ? spec->invalid : plan_ignore_reason(pod->object, &spec->requests);
}

/* Higher priority, older, name. */
static bool goes_first(const Snapshot *snapshot, int pod, const SpecFinding *finding) {
  const SnapshotPod *other = &snapshot->pods.items[pod];
  if (finding->first < 0)
    return true;
  if (other->priority != finding->priority)
    return other->priority > finding->priority;
  if (other->creation_time != finding->creation_time)
    return other->creation_time < finding->creation_time;
  return compare_names(snapshot, pod, finding->first) < 0;
}

static void note(const PlanProblem *problem, Findings *findings, int number) {
  const SnapshotPod *pod = &problem->snapshot->pods.items[number];
  SpecFinding *finding = &findings->specs[pod->spec->number];
  uint64_t tier = tier_key(problem, pod);
  if (finding->first < 0 || finding->tier != tier)
    *array_push(&findings->tiers) = (OrderKey){.low = tier};
  finding->tier = tier;
  if (!goes_first(problem->snapshot, number, finding))
    return;
  finding->first = number;
  finding->priority = pod->priority;
  finding->creation_time = pod->creation_time;
}

/* Nothing is new of a pod that is younger than another of its spec, where nobody has waited long. */
static bool is_follower(const PlanProblem *problem, const SpecFinding *finding, const SnapshotPod *pod) {
  return finding->first >= 0 && pod->priority == finding->priority &&
         pod->creation_time > finding->creation_time && !problem->old_before;
}

/* Reads each pod once: there are many, and everything else is said of their specs. */
static void read_pods(PlanProblem *problem, Findings *findings) {
  const Snapshot *snapshot = problem->snapshot;
  size_t count = 0;
  problem->ignored = arena_alloc(&problem->arena, snapshot->specs.count * sizeof *problem->ignored);
  problem->waiting_of_spec =
      arena_alloc(&problem->arena, snapshot->specs.count * sizeof *problem->waiting_of_spec);
  for (size_t i = 0; i < snapshot->pods.count; i++) {
    const SnapshotPod *pod = &snapshot->pods.items[i];
    SpecFinding *finding = &findings->specs[pod->spec->number];
    if (finding->first == NOT_JUDGED) {
      finding->first = NONE_WAITS;
      judge(problem, pod);
    }
    if (pod->node >= 0 || problem->ignored[pod->spec->number])
      continue;
    problem->waiting_of_spec[pod->spec->number]++;
    count++;
    if (!is_follower(problem, finding, pod))
      note(problem, findings, (int)i);
  }
  problem->waiting.count = count;
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
  CLEANUP(cleanup_free) uint64_t *ages = mem_alloc_raw(specs, sizeof *ages);
  CLEANUP(cleanup_free) int *order = mem_alloc_raw(specs, sizeof *order);
  CLEANUP(cleanup_free) OrderKey *keys = mem_alloc_raw(specs, sizeof *keys);
  problem->class_of_spec = arena_alloc(&problem->arena, specs * sizeof *problem->class_of_spec);
  for (size_t spec = 0; spec < specs; spec++) {
    problem->class_of_spec[spec] = -1;
    if (findings->specs[spec].first < 0)
      continue;
    ages[count] = order_key(findings->specs[spec].creation_time);
    firsts[count++] = (PlanWaiting){.pod = findings->specs[spec].first};
  }
  plan_queue_order_by_age(snapshot, firsts, ages, count, order);
  for (size_t i = 0; i < count; i++)
    keys[i] = (OrderKey){.high = priority_key(snapshot->pods.items[firsts[order[i]].pod].priority),
                         .index = firsts[order[i]].pod};
  order_sort(keys, count);
  for (size_t i = 0; i < count; i++)
    problem->class_of_spec[snapshot->pods.items[keys[i].index].spec->number] =
        find_class(problem, findings, keys[i].index);
}

void plan_queue_init(PlanProblem *problem) {
  CLEANUP(findings_deinit) Findings findings;
  findings_init(&findings, problem->snapshot->specs.count);
  read_pods(problem, &findings);
  number_tiers(problem, &findings);
  number_classes(problem, &findings);
  problem->asks_count = (int)findings.asks.count;
}
