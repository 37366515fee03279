/* SPDX-License-Identifier: Apache-2.0 */
/* A filter says yes or no to a whole pod. To find out which of several conditions fails, the filter is asked
 * about a pod that has this one alone. */
#include "explain/refusal.h"

#include "sched/filter.h"
#include "sched/toleration.h"

enum { TERMS_MAX = 3, VALUES_MAX = 4 /* that a sentence names */ };

static const char *const names[] = {
    [EXPLAIN_CORDON] = "cordon",       [EXPLAIN_NAME] = "name",         [EXPLAIN_TAINT] = "taint",
    [EXPLAIN_SELECTOR] = "selector",   [EXPLAIN_AFFINITY] = "affinity", [EXPLAIN_SCHEDULER] = "scheduler",
    [EXPLAIN_RESOURCES] = "resources", [EXPLAIN_CLOSED] = "closed",     [EXPLAIN_GPUS] = "gpus",
};

const char *explain_obstacle_name(ExplainObstacleKind kind) {
  assert(kind < COUNT_OF(names));
  return names[kind];
}

typedef struct Search {
  const SnapshotPod *pod;
  const SnapshotNode *node;
  Arena *arena;
  ExplainObstacles *obstacles;
} Search;

static ExplainObstacle *add(Search *search, ExplainObstacleKind kind, const char *text) {
  ExplainObstacle *added = array_push(search->obstacles);
  added->kind = kind;
  added->text = text;
  return added;
}

/* Does the filter take the node for this pod? */
static bool passes(SchedFilter *filter, const Pod *pod, const SnapshotNode *node) {
  char reason[256];
  const SnapshotPod asking = {.object = pod, .node = -1};
  return filter(&asking, node, reason, sizeof reason);
}

/* ---- taints ---- */

static bool keeps_away(const Taint *taint) {
  return string_equal(taint->effect, "NoSchedule") || string_equal(taint->effect, "NoExecute");
}

static void find_taints(Search *search) {
  const Node *node = search->node->object;
  for (size_t i = 0; i < node->taints.count; i++) {
    const Taint *taint = &node->taints.items[i];
    if (!keeps_away(taint) || sched_tolerates(search->pod->object, taint))
      continue;
    const char *value = string_or_empty(taint->value);
    add(search, EXPLAIN_TAINT,
        arena_format(search->arena, "taint %s%s%s:%s is not tolerated", string_or_empty(taint->key),
                     *value ? "=" : "", value, taint->effect))
        ->item = i;
  }
}

/* ---- labels ---- */

static const char *format_label(Search *search, const char *key) {
  const char *value = key_values_find(&search->node->object->meta.labels, key);
  return value ? arena_format(search->arena, "the node has %s", *value ? value : "\"\"")
               : "the node has no such label";
}

static void find_selectors(Search *search) {
  const Pod *pod = search->pod->object;
  const PodCommon *common = pod_common(pod);
  for (size_t i = 0; i < common->node_selector.count; i++) {
    PodCommon one = {.node_selector = {.items = &common->node_selector.items[i], .count = 1}};
    const Pod asking = {.common = &one};
    if (passes(sched_node_affinity, &asking, search->node))
      continue;
    const KeyValue *wanted = &common->node_selector.items[i];
    add(search, EXPLAIN_SELECTOR,
        arena_format(search->arena, "nodeSelector %s=%s: %s", wanted->key, string_or_empty(wanted->value),
                     format_label(search, wanted->key)))
        ->item = i;
  }
}

static void append_requirement(Text *text, const Requirement *requirement) {
  text_format(text, "%s %s", string_or_empty(requirement->key), string_or_empty(requirement->operator_));
  for (size_t i = 0; i < requirement->values.count && i < VALUES_MAX; i++)
    text_format(text, "%s%s", i ? ", " : " (", string_or_empty(requirement->values.items[i]));
  if (requirement->values.count)
    text_append(text, requirement->values.count > VALUES_MAX ? ", ...)" : ")");
}

/* The first requirement of the term that the node does not meet. */
static void append_failure(Search *search, Text *text, const NodeSelectorTerm *term) {
  for (size_t i = 0; i < term->match_expressions.count + term->match_fields.count; i++) {
    bool is_field = i >= term->match_expressions.count;
    Requirement *requirement = is_field ? &term->match_fields.items[i - term->match_expressions.count]
                                        : &term->match_expressions.items[i];
    NodeSelectorTerm one = {0};
    if (is_field)
      one.match_fields.items = requirement, one.match_fields.count = 1;
    else
      one.match_expressions.items = requirement, one.match_expressions.count = 1;
    const Pod asking = {.has_required_node_affinity = true, .required_terms = {.items = &one, .count = 1}};
    if (passes(sched_node_affinity, &asking, search->node))
      continue;
    append_requirement(text, requirement);
    if (!is_field)
      text_format(text, ": %s", format_label(search, string_or_empty(requirement->key)));
    return;
  }
  text_append(text, "an empty term matches nothing");
}

static void find_affinity(Search *search) {
  const Pod *pod = search->pod->object;
  const Pod asking = {
      .has_required_node_affinity = pod->has_required_node_affinity,
      .required_terms = {.items = pod->required_terms.items, .count = pod->required_terms.count}};
  if (!pod->has_required_node_affinity || passes(sched_node_affinity, &asking, search->node))
    return;
  CLEANUP(text_deinit) Text text = {0};
  text_append(&text,
              pod->required_terms.count ? "required node affinity " : "required node affinity has no term");
  for (size_t i = 0; i < pod->required_terms.count && i < TERMS_MAX; i++) {
    text_append(&text, i ? "; nor " : "");
    append_failure(search, &text, &pod->required_terms.items[i]);
  }
  if (pod->required_terms.count > TERMS_MAX)
    text_format(&text, "; and %zu terms more", pod->required_terms.count - TERMS_MAX);
  add(search, EXPLAIN_AFFINITY, arena_strdup(search->arena, text_string(&text)));
}

/* ---- resources ---- */

static const char *format_scaled(Arena *arena, int64_t amount, int64_t unit, const char *suffix) {
  int64_t tenths = (amount / unit) * 10 + (amount % unit) * 10 / unit;
  return tenths % 10
             ? arena_format(arena, "%lld.%lld%s", (long long)(tenths / 10), (long long)(tenths % 10), suffix)
             : arena_format(arena, "%lld%s", (long long)(tenths / 10), suffix);
}

static bool is_bytes(const char *resource) {
  return strcmp(resource, "memory") == 0 || strcmp(resource, "ephemeral-storage") == 0 ||
         string_has_prefix(resource, "hugepages-");
}

const char *explain_amount_format(Arena *arena, const char *resource, int64_t amount) {
  if (amount < 0)
    return arena_format(arena, "-%s",
                        explain_amount_format(arena, resource, amount == INT64_MIN ? INT64_MAX : -amount));
  if (strcmp(resource, "cpu") == 0)
    return amount % 100 ? arena_format(arena, "%lldm", (long long)amount)
                        : format_scaled(arena, amount, 1000, "");
  if (is_bytes(resource) && amount >= INT64_C(1) << 30)
    return format_scaled(arena, amount, INT64_C(1) << 30, "Gi");
  if (is_bytes(resource) && amount >= INT64_C(1) << 20)
    return format_scaled(arena, amount, INT64_C(1) << 20, "Mi");
  return arena_format(arena, "%lld", (long long)amount);
}

static void find_shortage(Search *search, const Resource *request) {
  const SnapshotNode *node = search->node;
  int64_t allocatable = resources_get(&node->allocatable, request->name);
  int64_t free_amount = allocatable;
  if (__builtin_sub_overflow(allocatable, resources_get(&node->requested, request->name), &free_amount))
    free_amount = 0;
  Arena *arena = search->arena;
  add(search, EXPLAIN_RESOURCES,
      arena_format(arena, "%s: asks %s, %s of %s is free: %s short", request->name,
                   explain_amount_format(arena, request->name, request->amount),
                   explain_amount_format(arena, request->name, free_amount),
                   explain_amount_format(arena, request->name, allocatable),
                   explain_amount_format(arena, request->name, request->amount - free_amount)));
}

/* Each request is put to the filter alone, on a node that has room for one more pod. */
static void find_shortages(Search *search) {
  char reason[256];
  SnapshotNode roomy = *search->node;
  roomy.pod_count = 0;
  roomy.pod_max = 1;
  if (search->node->pod_count + 1 > search->node->pod_max)
    add(search, EXPLAIN_RESOURCES,
        arena_format(search->arena, "pods: %lld of %lld are there", (long long)search->node->pod_count,
                     (long long)search->node->pod_max));
  for (size_t i = 0; i < search->pod->spec->requests.count; i++) {
    Resource *request = &search->pod->spec->requests.items[i];
    const SnapshotSpec spec = {.requests = {.items = request, .count = 1, .capacity = 1}};
    SnapshotPod one = *search->pod;
    one.spec = &spec;
    if (!sched_resources_fit(&one, &roomy, true, reason, sizeof reason))
      find_shortage(search, request);
  }
}

/* ---- other pods ---- */

static void append_selector(Text *text, const LabelSelector *selector, bool is_there) {
  bool is_first = true;
  for (size_t i = 0; is_there && i < selector->match_labels.count; i++, is_first = false)
    text_format(text, "%s%s=%s", is_first ? "" : ", ", selector->match_labels.items[i].key,
                string_or_empty(selector->match_labels.items[i].value));
  for (size_t i = 0; is_there && i < selector->match_expressions.count; i++, is_first = false) {
    text_append(text, is_first ? "" : ", ");
    append_requirement(text, &selector->match_expressions.items[i]);
  }
  if (is_first)
    text_append(text, is_there ? "all pods" : "no pod");
}

/* " (app=db by kubernetes.io/hostname; ...)" */
static void append_terms(Text *text, const PodAffinityTerms *terms) {
  for (size_t i = 0; i < terms->count && i < TERMS_MAX; i++) {
    text_append(text, i ? "; " : " (");
    append_selector(text, &terms->items[i].selector, terms->items[i].has_selector);
    text_format(text, " by %s", string_or_empty(terms->items[i].topology_key));
  }
  if (terms->count)
    text_append(text, terms->count > TERMS_MAX ? "; ...)" : ")");
}

static void append_spread(Text *text, const PodCommon *common) {
  int listed = 0;
  for (size_t i = 0; i < common->spread_constraints.count && listed < TERMS_MAX; i++) {
    const TopologySpreadConstraint *constraint = &common->spread_constraints.items[i];
    if (!string_equal(constraint->when_unsatisfiable, "DoNotSchedule"))
      continue;
    text_append(text, listed++ ? "; " : " (");
    append_selector(text, &constraint->selector, constraint->has_selector);
    text_format(text, " by %s, maxSkew %d", string_or_empty(constraint->topology_key),
                (int)constraint->max_skew);
  }
  text_append(text, listed ? ")" : "");
}

static void append_ports(Text *text, const PodCommon *common) {
  int listed = 0;
  for (size_t c = 0; c < common->containers.count; c++)
    for (size_t i = 0; i < common->containers.items[c].ports.count && listed < VALUES_MAX; i++) {
      const ContainerPort *port = &common->containers.items[c].ports.items[i];
      if (port->host_port)
        text_format(text, "%s%d/%s", listed++ ? ", " : " (", (int)port->host_port,
                    *string_or_empty(port->protocol) ? port->protocol : "TCP");
    }
  text_append(text, listed ? ")" : "");
}

static void append_claims(Text *text, const Pod *pod) {
  const PodCommon *common = pod_common(pod);
  int listed = 0;
  for (size_t i = 0; i < common->volumes.count && listed < VALUES_MAX; i++) {
    const Volume *volume = &common->volumes.items[i];
    if (volume->is_ephemeral)
      text_format(text, "%s%s-%s", listed++ ? ", " : " (", pod->meta.name, string_or_empty(volume->name));
    else if (volume->claim_name)
      text_format(text, "%s%s", listed++ ? ", " : " (", volume->claim_name);
  }
  text_append(text, listed ? ")" : "");
}

/* Which of the pod's rules, or claims, the filter is about. */
static void append_rules(Search *search, const SchedVerdict *verdict, Text *text) {
  const PodCommon *common = pod_common(search->pod->object);
  if (string_equal(verdict->plugin, "InterPodAffinity") &&
      string_has_suffix(verdict->reason, " pod affinity rules"))
    append_terms(text, &common->affinity_terms);
  else if (string_equal(verdict->plugin, "InterPodAffinity") &&
           string_has_suffix(verdict->reason, " pod anti-affinity rules"))
    append_terms(text, &common->anti_affinity_terms);
  else if (string_equal(verdict->plugin, "PodTopologySpread"))
    append_spread(text, common);
  else if (string_equal(verdict->plugin, "NodePorts"))
    append_ports(text, common);
  else if (string_equal(verdict->plugin, "VolumeBinding") && !string_has_prefix(verdict->reason, "unknown "))
    append_claims(text, search->pod->object);
}

/* ---- all ---- */

static void find_own(Search *search) {
  char reason[256];
  if (!sched_node_unschedulable(search->pod, search->node, reason, sizeof reason))
    add(search, EXPLAIN_CORDON, "cordoned");
  if (!sched_node_name(search->pod, search->node, reason, sizeof reason))
    add(search, EXPLAIN_NAME, "the pod names another node");
  if (!sched_taint_toleration(search->pod, search->node, reason, sizeof reason))
    find_taints(search);
  if (!sched_node_affinity(search->pod, search->node, reason, sizeof reason)) {
    find_selectors(search);
    find_affinity(search);
  }
}

/* What other filters say is told in the scheduler's words, under their names; once, whoever asked. */
static void add_verdict(Search *search, const SchedVerdict *verdict) {
  CLEANUP(text_deinit) Text words = {0};
  text_format(&words, "%s: %s", verdict->plugin, verdict->reason);
  append_rules(search, verdict, &words);
  const char *text = arena_strdup(search->arena, text_string(&words));
  for (size_t i = 0; i < search->obstacles->count; i++)
    if (strcmp(search->obstacles->items[i].text, text) == 0)
      return;
  add(search, EXPLAIN_SCHEDULER, text);
}

void explain_refusals_find(Snapshot *snapshot, int pod, int node, Arena *arena, ExplainObstacles *obstacles) {
  Search search = {.pod = &snapshot->pods.items[pod],
                   .node = &snapshot->nodes.items[node],
                   .arena = arena,
                   .obstacles = obstacles};
  SchedVerdict verdict;
  size_t before = obstacles->count;
  find_own(&search);
  if (obstacles->count == before && !sched_admits(snapshot, pod, node, &verdict))
    add_verdict(&search, &verdict);
  if (!sched_agrees(snapshot, pod, node, &verdict))
    add_verdict(&search, &verdict);
  find_shortages(&search);
}
