/* SPDX-License-Identifier: Apache-2.0 */
/* In this order, so that pods without affinity cost a glance:
 *
 *   1. look for constraints, and note the label keys and namespaces that their selectors ask after
 *   2. group the pods by namespace, by those labels, and by the rules with which they keep others away
 *   3. the wants of the waiting pods, each with its tallies; the rules that concern a waiting pod
 *   4. which groups feed which tallies
 *   5. count the pods that are on nodes */
#include "sched/coupling.h"

#include "sched/key.h"
#include "sched/node_affinity.h"
#include "sched/toleration.h"

#include <string.h>

enum { UNKNOWN = -2 };

typedef struct Build {
  SchedCoupling *coupling;
  Snapshot *snapshot;
  Map keys;       /* of labels that selectors ask after */
  Map namespaces; /* in which pods are asked after */
  bool all_namespaces;
  bool has_ports;
  Map topologies, rules, groups, wants, classes; /* text -> index + 1 */
  int *group_of_placed;
  bool *noted; /* by spec: its constraints */
  int *group_of_spec, *want_of_spec;
  Text key;
} Build;

static void build_deinit(Build *build) {
  map_deinit(&build->keys);
  map_deinit(&build->namespaces);
  map_deinit(&build->topologies);
  map_deinit(&build->rules);
  map_deinit(&build->groups);
  map_deinit(&build->wants);
  map_deinit(&build->classes);
  free(build->group_of_placed);
  free(build->noted);
  free(build->group_of_spec);
  free(build->want_of_spec);
  text_deinit(&build->key);
}

/* The index under which the text is known, or `next`, under which it is known from now on. */
static int intern(Map *map, const char *text, size_t next) {
  uintptr_t known = (uintptr_t)map_find(map, text);
  if (known)
    return (int)known - 1;
  map_put(map, text, (void *)(uintptr_t)(next + 1));
  return (int)next;
}

/* ---- 1: what is asked after ---- */

static void note(Map *map, const char *word) {
  map_put(map, string_or_empty(word), map);
}

static void note_selector(Build *build, const LabelSelector *selector) {
  for (size_t i = 0; i < selector->match_labels.count; i++)
    note(&build->keys, selector->match_labels.items[i].key);
  for (size_t i = 0; i < selector->match_expressions.count; i++)
    note(&build->keys, selector->match_expressions.items[i].key);
}

static void note_all(Map *map, const Strings *words) {
  for (size_t i = 0; i < words->count; i++)
    note(map, words->items[i]);
}

static void note_term(Build *build, const Pod *pod, const PodAffinityTerm *term) {
  note_selector(build, &term->selector);
  note_all(&build->keys, &term->match_label_keys);
  note_all(&build->keys, &term->mismatch_label_keys);
  note_all(&build->namespaces, &term->namespaces);
  if (term->has_namespace_selector)
    build->all_namespaces = true;
  else if (term->namespaces.count == 0)
    note(&build->namespaces, pod->meta.namespace_);
}

static bool note_anti_affinity(Build *build, const Pod *pod) {
  for (size_t i = 0; i < pod_common(pod)->anti_affinity_terms.count; i++)
    note_term(build, pod, &pod_common(pod)->anti_affinity_terms.items[i]);
  return pod_common(pod)->anti_affinity_terms.count > 0;
}

static bool note_waiting(Build *build, const Pod *pod) {
  bool found = note_anti_affinity(build, pod) || pod_common(pod)->affinity_terms.count > 0;
  for (size_t i = 0; i < pod_common(pod)->affinity_terms.count; i++)
    note_term(build, pod, &pod_common(pod)->affinity_terms.items[i]);
  for (size_t i = 0; i < pod_common(pod)->spread_constraints.count; i++) {
    const TopologySpreadConstraint *constraint = &pod_common(pod)->spread_constraints.items[i];
    if (!sched_spread_is_hard(constraint))
      continue;
    found = true;
    note_selector(build, &constraint->selector);
    note_all(&build->keys, &constraint->match_label_keys);
    note(&build->namespaces, pod->meta.namespace_);
  }
  build->has_ports |= sched_ports_count(pod) > 0;
  return found || build->has_ports;
}

/* Once for each spec: pods on nodes have others than those that wait. */
static bool is_news(Build *build, int spec) {
  bool is_first = !build->noted[spec];
  build->noted[spec] = true;
  return is_first;
}

static bool look_for_constraints(Build *build) {
  const Snapshot *snapshot = build->snapshot;
  bool found = false;
  for (size_t i = 0; i < snapshot->pods.count; i++)
    found |= is_news(build, snapshot->pods.items[i].spec->number) &&
             note_waiting(build, snapshot->pods.items[i].object);
  for (size_t i = 0; i < snapshot->placed.count && snapshot->pods.count > 0; i++)
    found |= is_news(build, snapshot->placed.items[i].spec) &&
             note_anti_affinity(build, snapshot->placed.items[i].object);
  return found;
}

/* ---- 2: groups ---- */

static int find_rule(Build *build, const Pod *pod, const PodAffinityTerm *term) {
  SchedCoupling *coupling = build->coupling;
  text_clear(&build->key);
  sched_key_add(&build->key, pod->meta.namespace_);
  sched_key_add_term(&build->key, pod, term);
  int rule = intern(&build->rules, text_string(&build->key), coupling->rules.count);
  if (rule < (int)coupling->rules.count)
    return rule;
  SchedRule *added = array_push(&coupling->rules);
  sched_matcher_of_term(build->snapshot, pod, term, true, &coupling->arena, &added->matcher);
  added->matcher.is_foreign = true;
  added->topology_key = string_or_empty(term->topology_key);
  added->tally = -1;
  return rule;
}

static bool is_asked_after(const Build *build, const Pod *pod) {
  return build->all_namespaces || pod_common(pod)->anti_affinity_terms.count > 0 ||
         map_find(&build->namespaces, string_or_empty(pod->meta.namespace_)) != NULL;
}

static void format_group(Build *build, const Pod *pod, const int *rules, size_t rule_count) {
  text_clear(&build->key);
  sched_key_add(&build->key, pod->meta.namespace_);
  text_append(&build->key, pod->meta.deletion_time ? "leaving" : "");
  for (size_t i = 0; i < rule_count; i++)
    text_format(&build->key, "rule%d", rules[i]);
  for (size_t i = 0; i < pod->meta.labels.count; i++) {
    const KeyValue *label = &pod->meta.labels.items[i];
    if (!map_find(&build->keys, label->key))
      continue;
    sched_key_add(&build->key, label->key);
    sched_key_add(&build->key, label->value);
  }
}

static int find_group(Build *build, const Pod *pod) {
  SchedCoupling *coupling = build->coupling;
  if (!is_asked_after(build, pod))
    return -1;
  size_t rule_count = pod_common(pod)->anti_affinity_terms.count;
  CLEANUP(cleanup_free) int *rules = rule_count ? mem_alloc(rule_count * sizeof *rules) : NULL;
  for (size_t i = 0; i < rule_count; i++)
    rules[i] = find_rule(build, pod, &pod_common(pod)->anti_affinity_terms.items[i]);
  format_group(build, pod, rules, rule_count);
  int group = intern(&build->groups, text_string(&build->key), coupling->groups.count);
  if (group < (int)coupling->groups.count)
    return group;
  SchedGroup *added = array_push(&coupling->groups);
  added->example = pod;
  added->rule_count = (int)rule_count;
  if (rule_count)
    added->rules = arena_copy(&coupling->arena, rules, rule_count * sizeof *rules);
  return group;
}

static int group_of(Build *build, const Pod *pod, int spec) {
  int *known = &build->group_of_spec[spec];
  if (*known == UNKNOWN)
    *known = find_group(build, pod);
  return *known;
}

static void group_pods(Build *build) {
  const Snapshot *snapshot = build->snapshot;
  build->group_of_placed = mem_alloc(snapshot->placed.count * sizeof *build->group_of_placed);
  for (size_t i = 0; i < snapshot->pods.count; i++)
    build->coupling->group_of_pod[i] =
        group_of(build, snapshot->pods.items[i].object, snapshot->pods.items[i].spec->number);
  for (size_t i = 0; i < snapshot->placed.count; i++)
    build->group_of_placed[i] =
        group_of(build, snapshot->placed.items[i].object, snapshot->placed.items[i].spec);
}

/* ---- 3: wants and rules, with their tallies ---- */

static int find_topology(Build *build, const char *key) {
  SchedCoupling *coupling = build->coupling;
  const Snapshot *snapshot = build->snapshot;
  int topology = intern(&build->topologies, key, coupling->topologies.count);
  if (topology < (int)coupling->topologies.count)
    return topology;
  CLEANUP(map_deinit) Map values = {0};
  SchedTopology *added = array_push(&coupling->topologies);
  added->key = key;
  added->domains = arena_alloc(&coupling->arena, snapshot->nodes.count * sizeof *added->domains);
  for (size_t node = 0; node < snapshot->nodes.count; node++) {
    const char *value = key_values_find(&snapshot->nodes.items[node].object->meta.labels, key);
    added->domains[node] = value ? intern(&values, value, values.count) : -1;
  }
  added->domain_count = (int)values.count;
  return topology;
}

static int add_tally(Build *build, const char *topology_key) {
  SchedCoupling *coupling = build->coupling;
  int topology = find_topology(build, string_or_empty(topology_key));
  size_t domains = (size_t)coupling->topologies.items[topology].domain_count;
  SchedTally *tally = array_push(&coupling->tallies);
  tally->topology = topology;
  tally->counts = arena_alloc(&coupling->arena, domains * sizeof *tally->counts);
  return (int)coupling->tallies.count - 1;
}

/* Nodes without one of the labels count for none of the constraints. */
static bool has_all_labels(const SchedCoupling *coupling, const SchedWant *want, int node) {
  for (int i = 0; i < want->spread_count; i++) {
    const SchedTally *tally = &coupling->tallies.items[want->spread[i].tally];
    if (coupling->topologies.items[tally->topology].domains[node] < 0)
      return false;
  }
  return true;
}

static bool is_eligible(const Pod *pod, const SnapshotNode *node,
                        const TopologySpreadConstraint *constraint) {
  const char *affinity = constraint->node_affinity_policy, *taints = constraint->node_taints_policy;
  return ((affinity && strcmp(affinity, "Honor") != 0) || sched_node_is_wanted(pod, node)) &&
         (!string_equal(taints, "Honor") || sched_tolerates_all(pod, node->object));
}

static void find_nodes(Build *build, const SchedWant *want, int i,
                       const TopologySpreadConstraint *constraint) {
  SchedCoupling *coupling = build->coupling;
  SchedTally *tally = &coupling->tallies.items[want->spread[i].tally];
  const SchedTopology *topology = &coupling->topologies.items[tally->topology];
  size_t nodes = build->snapshot->nodes.count;
  tally->nodes = arena_alloc(&coupling->arena, nodes * sizeof *tally->nodes);
  tally->domains = arena_alloc(&coupling->arena, (size_t)topology->domain_count * sizeof *tally->domains);
  for (size_t node = 0; node < nodes; node++) {
    tally->nodes[node] = has_all_labels(coupling, want, (int)node) &&
                         is_eligible(want->example, &build->snapshot->nodes.items[node], constraint);
    if (!tally->nodes[node] || tally->domains[topology->domains[node]])
      continue;
    tally->domains[topology->domains[node]] = true;
    tally->domain_count++;
  }
}

static void set_spread(Build *build, SchedWant *want) {
  SchedCoupling *coupling = build->coupling;
  const Pod *pod = want->example;
  size_t count = pod_common(pod)->spread_constraints.count, added = 0;
  want->spread = arena_alloc(&coupling->arena, count * sizeof *want->spread);
  want->spread_matchers = arena_alloc(&coupling->arena, count * sizeof *want->spread_matchers);
  const TopologySpreadConstraint **constraints = arena_alloc(&coupling->arena, count * sizeof *constraints);
  want->spread_is_valid = true;
  for (size_t i = 0; i < count; i++) {
    const TopologySpreadConstraint *constraint = &pod_common(pod)->spread_constraints.items[i];
    if (!sched_spread_is_hard(constraint))
      continue;
    SchedMatcher *matcher = &want->spread_matchers[added];
    sched_matcher_of_spread(pod, constraint, &coupling->arena, matcher);
    want->spread_is_valid &= matcher->is_valid;
    constraints[added] = constraint;
    want->spread[added++] =
        (SchedSpread){.tally = add_tally(build, constraint->topology_key),
                      .max_skew = constraint->max_skew,
                      .min_domains = constraint->min_domains > 0 ? constraint->min_domains : 1,
                      .counts_itself = sched_matcher_selects(matcher, &pod->meta.labels)};
  }
  want->spread_count = (int)added;
  for (size_t i = 0; i < added; i++)
    find_nodes(build, want, (int)i, constraints[i]);
}

static void set_terms(Build *build, SchedWant *want, bool is_anti) {
  SchedCoupling *coupling = build->coupling;
  const PodCommon *common = pod_common(want->example);
  const PodAffinityTerms *terms = is_anti ? &common->anti_affinity_terms : &common->affinity_terms;
  SchedMatcher *matchers = arena_alloc(&coupling->arena, terms->count * sizeof *matchers);
  int *tallies = arena_alloc(&coupling->arena, terms->count * sizeof *tallies);
  for (size_t i = 0; i < terms->count; i++) {
    const PodAffinityTerm *term = &terms->items[i];
    sched_matcher_of_term(build->snapshot, want->example, term, is_anti, &coupling->arena, &matchers[i]);
    tallies[i] = add_tally(build, term->topology_key);
    want->is_valid &= matchers[i].is_valid;
  }
  *(is_anti ? &want->anti_matchers : &want->affinity_matchers) = matchers;
  *(is_anti ? &want->anti : &want->affinity) = tallies;
  *(is_anti ? &want->anti_count : &want->affinity_count) = (int)terms->count;
}

static bool matches_all(const Snapshot *snapshot, const SchedWant *want, const Pod *pod) {
  for (int i = 0; i < want->affinity_count; i++)
    if (!sched_matcher_matches(snapshot, &want->affinity_matchers[i], pod))
      return false;
  return want->affinity_count > 0;
}

static void format_want(Build *build, const Pod *pod, int group) {
  Text *key = &build->key;
  text_clear(key);
  text_format(key, "group%d", group);
  for (size_t i = 0; i < pod_common(pod)->affinity_terms.count; i++)
    sched_key_add_term(key, pod, &pod_common(pod)->affinity_terms.items[i]);
  text_append(key, "anti");
  for (size_t i = 0; i < pod_common(pod)->anti_affinity_terms.count; i++)
    sched_key_add_term(key, pod, &pod_common(pod)->anti_affinity_terms.items[i]);
  sched_key_add_spread(key, pod);
  sched_key_add_ports(key, pod);
}

static bool wants_something(const Pod *pod) {
  bool wants = pod_common(pod)->affinity_terms.count > 0 || pod_common(pod)->anti_affinity_terms.count > 0 ||
               sched_ports_count(pod) > 0;
  for (size_t i = 0; i < pod_common(pod)->spread_constraints.count; i++)
    wants |= sched_spread_is_hard(&pod_common(pod)->spread_constraints.items[i]);
  return wants;
}

static int find_want(Build *build, const Pod *pod, int group) {
  SchedCoupling *coupling = build->coupling;
  if (!wants_something(pod))
    return -1;
  format_want(build, pod, group);
  int index = intern(&build->wants, text_string(&build->key), coupling->wants.count);
  if (index < (int)coupling->wants.count)
    return index;
  SchedWant want = {.example = pod, .is_valid = true, .port_count = sched_ports_count(pod)};
  set_terms(build, &want, false);
  set_terms(build, &want, true);
  set_spread(build, &want);
  want.matches_itself = matches_all(build->snapshot, &want, pod);
  *array_push(&coupling->wants) = want;
  return index;
}

static void add_number(Arena *arena, int **numbers, int *count, int number) {
  if ((*count & (*count - 1)) == 0) { /* full at 0, 1, 2, 4, 8 ... */
    int *grown = arena_alloc(arena, (size_t)(*count ? *count * 2 : 1) * sizeof *grown);
    if (*count)
      memcpy(grown, *numbers, (size_t)*count * sizeof *grown);
    *numbers = grown;
  }
  (*numbers)[(*count)++] = number;
}

/* Of a group with waiting pods: which rules keep them away? */
static void find_refusers(Build *build, SchedGroup *group) {
  SchedCoupling *coupling = build->coupling;
  for (size_t i = 0; i < coupling->rules.count; i++) {
    SchedRule *rule = &coupling->rules.items[i];
    if (!sched_matcher_matches(build->snapshot, &rule->matcher, group->example))
      continue;
    if (rule->tally < 0)
      rule->tally = add_tally(build, rule->topology_key);
    add_number(&coupling->arena, &group->refusers, &group->refuser_count, rule->tally);
  }
}

static void find_wants(Build *build) {
  SchedCoupling *coupling = build->coupling;
  CLEANUP(cleanup_free) bool *done = mem_alloc(coupling->groups.count * sizeof *done);
  for (size_t i = 0; i < build->snapshot->pods.count; i++) {
    int group = coupling->group_of_pod[i];
    int *known = &build->want_of_spec[build->snapshot->pods.items[i].spec->number];
    if (*known == UNKNOWN)
      *known = find_want(build, build->snapshot->pods.items[i].object, group);
    coupling->want_of_pod[i] = *known;
    if (group < 0 || done[group])
      continue;
    done[group] = true;
    find_refusers(build, &coupling->groups.items[group]);
  }
}

/* ---- 4: who feeds what ---- */

static void feed_want(Build *build, SchedGroup *group, const SchedWant *want) {
  const Snapshot *snapshot = build->snapshot;
  const Pod *pod = group->example;
  Arena *arena = &build->coupling->arena;
  if (matches_all(snapshot, want, pod))
    for (int i = 0; i < want->affinity_count; i++)
      add_number(arena, &group->feeds, &group->feed_count, want->affinity[i]);
  for (int i = 0; i < want->anti_count; i++)
    if (sched_matcher_matches(snapshot, &want->anti_matchers[i], pod))
      add_number(arena, &group->feeds, &group->feed_count, want->anti[i]);
  for (int i = 0; i < want->spread_count; i++) {
    const SchedMatcher *matcher = &want->spread_matchers[i];
    if (!sched_matcher_matches(snapshot, matcher, pod))
      continue;
    /* The scheduler leaves these out when it counts, but not when it adds a nominated pod. */
    bool is_trial = pod->meta.deletion_time || sched_matcher_is_empty(matcher);
    add_number(arena, is_trial ? &group->trial_feeds : &group->feeds,
               is_trial ? &group->trial_feed_count : &group->feed_count, want->spread[i].tally);
  }
}

static void find_feeds(Build *build) {
  SchedCoupling *coupling = build->coupling;
  for (size_t g = 0; g < coupling->groups.count; g++) {
    SchedGroup *group = &coupling->groups.items[g];
    for (size_t want = 0; want < coupling->wants.count; want++)
      feed_want(build, group, &coupling->wants.items[want]);
    for (int i = 0; i < group->rule_count; i++) {
      int tally = coupling->rules.items[group->rules[i]].tally;
      if (tally >= 0)
        add_number(&coupling->arena, &group->feeds, &group->feed_count, tally);
    }
  }
}

/* Class 0 is that of pods without a want, whose group feeds nothing and is refused by nothing. */
static void find_classes(Build *build) {
  SchedCoupling *coupling = build->coupling;
  CLEANUP(cleanup_free) int *class_of_spec = mem_alloc(build->snapshot->specs.count * sizeof *class_of_spec);
  intern(&build->classes, "-1", 0);
  for (size_t i = 0; i < build->snapshot->pods.count; i++) {
    int *known = &class_of_spec[build->snapshot->pods.items[i].spec->number]; /* plus one; 0: not known yet */
    if (*known) {
      coupling->class_of_pod[i] = *known - 1;
      continue;
    }
    const SchedGroup *group =
        coupling->group_of_pod[i] >= 0 ? &coupling->groups.items[coupling->group_of_pod[i]] : NULL;
    text_clear(&build->key);
    text_format(&build->key, "%d", coupling->want_of_pod[i]);
    for (int f = 0; group && f < group->feed_count; f++)
      text_format(&build->key, "+%d", group->feeds[f]);
    for (int r = 0; group && r < group->refuser_count; r++)
      text_format(&build->key, "/%d", group->refusers[r]);
    coupling->class_of_pod[i] = intern(&build->classes, text_string(&build->key), build->classes.count);
    *known = coupling->class_of_pod[i] + 1;
  }
}

/* ---- 5: the pods that are on nodes ---- */

static void count_placed(Build *build) {
  SchedCoupling *coupling = build->coupling;
  for (size_t i = 0; i < coupling->tallies.count; i++) {
    SchedTally *tally = &coupling->tallies.items[i];
    if (tally->domains)
      sched_tally_find_least(tally, coupling->topologies.items[tally->topology].domain_count);
  }
  for (size_t i = 0; i < build->snapshot->placed.count; i++) {
    const SnapshotPlaced *placed = &build->snapshot->placed.items[i];
    if (build->group_of_placed[i] >= 0)
      sched_coupling_count(coupling, build->group_of_placed[i], placed->node, 1);
    if (coupling->ports)
      sched_ports_add(coupling, placed->object, placed->node);
  }
}

bool sched_coupling_build(SchedCoupling *coupling) {
  CLEANUP(build_deinit) Build build = {.coupling = coupling, .snapshot = coupling->snapshot};
  size_t specs = coupling->snapshot->specs.count;
  build.noted = mem_alloc(specs * sizeof *build.noted);
  if (!look_for_constraints(&build))
    return false;
  size_t pods = coupling->snapshot->pods.count;
  coupling->group_of_pod = arena_alloc(&coupling->arena, pods * sizeof *coupling->group_of_pod);
  coupling->want_of_pod = arena_alloc(&coupling->arena, pods * sizeof *coupling->want_of_pod);
  coupling->class_of_pod = arena_alloc(&coupling->arena, pods * sizeof *coupling->class_of_pod);
  for (size_t i = 0; i < pods; i++)
    coupling->group_of_pod[i] = coupling->want_of_pod[i] = -1;
  build.group_of_spec = mem_alloc(specs * sizeof *build.group_of_spec);
  build.want_of_spec = mem_alloc(specs * sizeof *build.want_of_spec);
  for (size_t i = 0; i < specs; i++)
    build.group_of_spec[i] = build.want_of_spec[i] = UNKNOWN;
  if (build.has_ports)
    coupling->ports = mem_alloc(coupling->snapshot->nodes.count * sizeof *coupling->ports);
  group_pods(&build);
  find_wants(&build);
  find_feeds(&build);
  find_classes(&build);
  count_placed(&build);
  return true;
}
