/* SPDX-License-Identifier: Apache-2.0 */
/* Which pods are planned for, and in which order.
 *
 * Ten thousand pods come from a few Deployments, so everything that is asked about a pod and a node is asked
 * about the pod's class instead. A class is found by a text of all that a decision depends on: the requests
 * and the fields of the pod that the scheduler's filters read. A filter that reads more must add it here. */
#include "plan/plan.h"
#include "plan/problem.h"

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
  if (pod->scheduling_gates.count)
    return "it is held back by a scheduling gate";
  if (pod->nominated_node_name && *pod->nominated_node_name)
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

static int compare_names(const char *a, const char *b) {
  return strcmp(string_or_empty(a), string_or_empty(b));
}

/* Higher priority, older, name. */
static int compare_pods(const Pod *a, const Pod *b) {
  int order = compare_numbers(b->priority, a->priority);
  if (!order)
    order = compare_numbers(a->meta.creation_time, b->meta.creation_time);
  if (!order)
    order = compare_names(a->meta.namespace_, b->meta.namespace_);
  return order ? order : compare_names(a->meta.name, b->meta.name);
}

static int compare_waiting(const void *a, const void *b, void *problem) {
  const Snapshot *snapshot = ((const PlanProblem *)problem)->snapshot;
  int pod_a = ((const PlanWaiting *)a)->pod, pod_b = ((const PlanWaiting *)b)->pod;
  int order = compare_pods(snapshot->pods.items[pod_a].object, snapshot->pods.items[pod_b].object);
  return order ? order : compare_numbers(pod_a, pod_b);
}

/* Within a tier the smallest come first: that serves the most. */
static int compare_service(const void *a, const void *b, void *userdata) {
  const PlanProblem *problem = userdata;
  const PlanWaiting *left = a, *right = b;
  const PlanClass *asks_left = &problem->classes.items[left->class_];
  const PlanClass *asks_right = &problem->classes.items[right->class_];
  int order = compare_numbers(left->tier, right->tier);
  if (!order)
    order = compare_numbers(asks_left->slot_count, asks_right->slot_count);
  if (!order)
    order = compare_numbers(asks_left->slice_count, asks_right->slice_count);
  return order ? order : compare_waiting(a, b, userdata);
}

void plan_queue_sort(PlanProblem *problem) {
  if (problem->waiting.count)
    qsort_r(problem->waiting.items, problem->waiting.count, sizeof problem->waiting.items[0], compare_service,
            problem);
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

static void append_pairs(Text *key, const KeyValues *pairs) {
  for (size_t i = 0; i < pairs->count; i++) {
    text_append_json(key, string_or_empty(pairs->items[i].key));
    text_append_json(key, string_or_empty(pairs->items[i].value));
  }
}

static void append_terms(Text *key, const Requirement *requirements, size_t count) {
  for (size_t i = 0; i < count; i++) {
    text_append_json(key, string_or_empty(requirements[i].key));
    text_append_json(key, string_or_empty(requirements[i].operator_));
    for (size_t v = 0; v < requirements[i].values.count; v++)
      text_append_json(key, string_or_empty(requirements[i].values.items[v]));
    text_append(key, ",");
  }
}

static void append_affinity(Text *key, const Pod *pod) {
  text_append(key, pod->has_required_node_affinity ? "affinity" : "");
  for (size_t i = 0; i < pod->required_terms.count; i++) {
    const NodeSelectorTerm *term = &pod->required_terms.items[i];
    append_terms(key, term->match_expressions.items, term->match_expressions.count);
    text_append(key, "fields");
    append_terms(key, term->match_fields.items, term->match_fields.count);
    text_append(key, ";");
  }
}

static void append_tolerations(Text *key, const Pod *pod) {
  for (size_t i = 0; i < pod->tolerations.count; i++) {
    const Toleration *toleration = &pod->tolerations.items[i];
    text_append(key, "tolerates");
    text_append_json(key, string_or_empty(toleration->key));
    text_append_json(key, string_or_empty(toleration->operator_));
    text_append_json(key, string_or_empty(toleration->value));
    text_append_json(key, string_or_empty(toleration->effect));
  }
}

/* Names are quoted: "a=1;b" is a name that a file may hold. */
static void append_request(Text *key, const Resource *request) {
  text_append_json(key, request->name);
  text_format(key, "=%lld;", (long long)request->amount);
}

static void format_class_key(Text *key, const SnapshotPod *pod) {
  text_clear(key);
  for (size_t i = 0; i < pod->requests.count; i++)
    if (pod->requests.items[i].amount)
      append_request(key, &pod->requests.items[i]);
  append_pairs(key, &pod->object->node_selector);
  append_affinity(key, pod->object);
  append_tolerations(key, pod->object);
}

/* Texts that were met, with the number that they got, plus one. */
typedef struct Interns {
  Map classes, asks;
  Text key;
} Interns;

static void interns_deinit(Interns *interns) {
  map_deinit(&interns->classes);
  map_deinit(&interns->asks);
  text_deinit(&interns->key);
}

static int find_class(PlanProblem *problem, Interns *interns, const SnapshotPod *pod) {
  format_class_key(&interns->key, pod);
  uintptr_t known = (uintptr_t)map_find(&interns->classes, text_string(&interns->key));
  if (known)
    return (int)known - 1;
  PlanClass *class_ = array_push(&problem->classes);
  class_->example = pod;
  set_needs(problem, class_, &interns->asks);
  map_put(&interns->classes, text_string(&interns->key), (void *)(uintptr_t)problem->classes.count);
  return (int)problem->classes.count - 1;
}

static void collect_waiting(PlanProblem *problem) {
  for (size_t i = 0; i < problem->snapshot->pods.count; i++) {
    const SnapshotPod *pod = &problem->snapshot->pods.items[i];
    if (!pod->invalid && pod->node < 0 && !plan_ignore_reason(pod->object, &pod->requests))
      array_push(&problem->waiting)->pod = (int)i;
  }
  if (problem->waiting.count)
    qsort_r(problem->waiting.items, problem->waiting.count, sizeof problem->waiting.items[0], compare_waiting,
            problem);
}

void plan_queue_init(PlanProblem *problem) {
  CLEANUP(interns_deinit) Interns interns = {0};
  collect_waiting(problem);
  const SnapshotPod *before = NULL;
  for (size_t i = 0; i < problem->waiting.count; i++) {
    PlanWaiting *waiting = &problem->waiting.items[i];
    const SnapshotPod *pod = &problem->snapshot->pods.items[waiting->pod];
    waiting->class_ = find_class(problem, &interns, pod);
    problem->tier_count += !before || before->object->priority != pod->object->priority;
    waiting->tier = problem->tier_count - 1;
    before = pod;
  }
  problem->asks_count = (int)interns.asks.count;
}
