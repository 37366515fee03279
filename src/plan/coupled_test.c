/* SPDX-License-Identifier: Apache-2.0 */
/* Pods that depend on each other: every pod of a plan fits where the plan puts it, beside those that are
 * there and those that are served before it. The oracle counts pods one by one, with nothing of sched/ but
 * the resource fit; give a number as argument to run with another seed. */
#include "plan/plan_fixture.h"

#include "sched/filter.h"

#include <limits.h>

static uint64_t seed = 20261128;

enum { PLACED_MAX = 64, ROUNDS = 4000 };

/* ---- the oracle ---- */

typedef struct Placed {
  const Pod *pod;
  const Node *node;
} Placed;

typedef struct Oracle {
  const Fixture *f;
  Placed placed[PLACED_MAX];
  int count;
} Oracle;

static const char *label(const KeyValues *labels, const char *key) {
  const char *value = key_values_find(labels, key);
  return value ? value : NULL;
}

static bool same_domain(const Node *a, const Node *b, const char *key) {
  const char *left = label(&a->meta.labels, key), *right = label(&b->meta.labels, key);
  return left && right && strcmp(left, right) == 0;
}

/* The selectors here are one label each. */
static bool selects(const LabelSelector *selector, const Pod *pod) {
  const KeyValue *wanted = &selector->match_labels.items[0];
  const char *value = label(&pod->meta.labels, wanted->key);
  return value && strcmp(value, wanted->value) == 0;
}

static bool means(const Pod *owner, const PodAffinityTerm *term, const Pod *other) {
  bool near = term->has_namespace_selector || strcmp(owner->meta.namespace_, other->meta.namespace_) == 0;
  return near && selects(&term->selector, other);
}

static bool anti_affinity_allows(const Oracle *oracle, const Pod *pod, const Node *node) {
  for (int i = 0; i < oracle->count; i++) {
    const Placed *there = &oracle->placed[i];
    for (size_t t = 0; t < pod_common(pod)->anti_affinity_terms.count; t++)
      if (means(pod, &pod_common(pod)->anti_affinity_terms.items[t], there->pod) &&
          same_domain(node, there->node, pod_common(pod)->anti_affinity_terms.items[t].topology_key))
        return false;
    for (size_t t = 0; t < pod_common(there->pod)->anti_affinity_terms.count; t++)
      if (means(there->pod, &pod_common(there->pod)->anti_affinity_terms.items[t], pod) &&
          same_domain(node, there->node, pod_common(there->pod)->anti_affinity_terms.items[t].topology_key))
        return false;
  }
  return true;
}

/* At most one term here. */
static bool affinity_allows(const Oracle *oracle, const Pod *pod, const Node *node) {
  if (!pod_common(pod)->affinity_terms.count)
    return true;
  const PodAffinityTerm *term = &pod_common(pod)->affinity_terms.items[0];
  bool anywhere = false, here = false;
  if (!label(&node->meta.labels, term->topology_key))
    return false;
  for (int i = 0; i < oracle->count; i++) {
    const Placed *there = &oracle->placed[i];
    if (!means(pod, term, there->pod) || !label(&there->node->meta.labels, term->topology_key))
      continue;
    anywhere = true;
    here |= same_domain(node, there->node, term->topology_key);
  }
  return here || (!anywhere && means(pod, term, pod));
}

static int count_in_domain(const Oracle *oracle, const Pod *pod, const TopologySpreadConstraint *constraint,
                           const Node *node) {
  int count = 0;
  for (int i = 0; i < oracle->count; i++)
    count += same_domain(node, oracle->placed[i].node, constraint->topology_key) &&
             !oracle->placed[i].pod->meta.deletion_time &&
             strcmp(oracle->placed[i].pod->meta.namespace_, pod->meta.namespace_) == 0 &&
             selects(&constraint->selector, oracle->placed[i].pod);
  return count;
}

/* One constraint, no node selector and no taints, so all nodes that have the label are eligible. */
static bool spread_allows(const Oracle *oracle, const Pod *pod, const Node *node) {
  if (!pod_common(pod)->spread_constraints.count)
    return true;
  const TopologySpreadConstraint *constraint = &pod_common(pod)->spread_constraints.items[0];
  int least = INT_MAX;
  if (!label(&node->meta.labels, constraint->topology_key))
    return false;
  for (size_t n = 0; n < oracle->f->nodes.count; n++) {
    const Node *other = oracle->f->nodes.items[n];
    int count = count_in_domain(oracle, pod, constraint, other);
    if (label(&other->meta.labels, constraint->topology_key) && count < least)
      least = count;
  }
  return count_in_domain(oracle, pod, constraint, node) + selects(&constraint->selector, pod) - least <=
         constraint->max_skew;
}

static bool ports_allow(const Oracle *oracle, const Pod *pod, const Node *node) {
  for (int i = 0; i < oracle->count; i++)
    if (oracle->placed[i].node == node && pod_common(pod)->containers.items[0].ports.count &&
        pod_common(oracle->placed[i].pod)->containers.items[0].ports.count)
      return false; /* there is one port only */
  return true;
}

static void oracle_add(Oracle *oracle, const Pod *pod, const Node *node) {
  assert_true(oracle->count < PLACED_MAX);
  oracle->placed[oracle->count++] = (Placed){pod, node};
}

static const PlanPod *find_turn(const Plan *plan, int turn) {
  for (size_t i = 0; i < plan->pods.count; i++)
    if (plan->pods.items[i].turn == turn)
      return &plan->pods.items[i];
  return NULL;
}

static void assert_turn_is_sound(Oracle *oracle, const PlanPod *planned, uint64_t state) {
  const Fixture *f = oracle->f;
  const Pod *pod = f->snapshot.pods.items[plan_pod_index(&f->plan, planned)].object;
  const Node *node = f->snapshot.nodes.items[planned->node].object;
  const char *refusal = !anti_affinity_allows(oracle, pod, node) ? "anti-affinity"
                        : !affinity_allows(oracle, pod, node)    ? "affinity"
                        : !spread_allows(oracle, pod, node)      ? "spreading"
                        : !ports_allow(oracle, pod, node)        ? "ports"
                                                                 : NULL;
  if (refusal)
    fail_msg("state %llu: %s does not let %s on %s at turn %d", (unsigned long long)state, refusal,
             pod->meta.name, node->meta.name, planned->turn);
  oracle_add(oracle, pod, node);
}

/* Returns how many pods the plan serves. */
static int assert_plan_is_sound(Fixture *f, uint64_t state) {
  Oracle oracle = {.f = f};
  int served = 0;
  for (size_t i = 0; i < f->pods.count; i++)
    for (size_t n = 0; n < f->nodes.count; n++)
      if (f->pods.items[i]->node_name &&
          strcmp(f->pods.items[i]->node_name, f->nodes.items[n]->meta.name) == 0)
        oracle_add(&oracle, f->pods.items[i], f->nodes.items[n]);
  for (const PlanPod *planned; (planned = find_turn(&f->plan, served)); served++)
    assert_turn_is_sound(&oracle, planned, state);
  assert_int_equal(served, f->plan.admitted + f->plan.already_fit);
  assert_true(f->plan.bound >= f->plan.admitted);
  return served;
}

/* ---- random clusters ---- */

static const char *any(Random *random, const char *a, const char *b) {
  return random_below(random, 2) ? a : b;
}

static LabelSelector any_selector(Fixture *f, Random *random) {
  LabelSelector selector = {0};
  fixture_set(f, &selector.match_labels, "app", any(random, "x", any(random, "y", "z")));
  return selector;
}

static PodAffinityTerm *any_term(Fixture *f, Random *random) {
  PodAffinityTerm *term = arena_alloc(&f->arena, sizeof *term);
  *term = (PodAffinityTerm){.has_selector = true,
                            .selector = any_selector(f, random),
                            .topology_key = any(random, "zone", "kubernetes.io/hostname"),
                            .has_namespace_selector = !random_below(random, 4)};
  return term;
}

#define SET_ONE(list, item) ((list) = (__typeof__(list)){item, 1})

static void tie(Fixture *f, Random *random, Pod *pod) {
  fixture_set(f, &pod->meta.labels, "app", any(random, "x", any(random, "y", "z")));
  pod->meta.namespace_ = any(random, "demo", "other");
  if (!random_below(random, 3))
    SET_ONE(pod->common->anti_affinity_terms, any_term(f, random));
  if (!random_below(random, 4))
    SET_ONE(pod->common->affinity_terms, any_term(f, random));
  if (!random_below(random, 3)) {
    TopologySpreadConstraint *constraint = arena_alloc(&f->arena, sizeof *constraint);
    *constraint = (TopologySpreadConstraint){.has_selector = true,
                                             .selector = any_selector(f, random),
                                             .topology_key = any(random, "zone", "kubernetes.io/hostname"),
                                             .when_unsatisfiable = "DoNotSchedule",
                                             .max_skew = 1 + (int)random_below(random, 2)};
    SET_ONE(pod->common->spread_constraints, constraint);
  }
  if (!random_below(random, 8)) {
    ContainerPort *port = arena_alloc(&f->arena, sizeof *port);
    port->host_port = 80;
    SET_ONE(pod_common(pod)->containers.items[0].ports, port);
  }
}

static void coupled_cluster(Fixture *f, Random *random) {
  static const char *const profiles[] = {"1g.10gb", "1g.10gb", "2g.20gb", "3g.40gb", "7g.80gb"};
  int nodes = 2 + (int)random_below(random, 4);
  for (int n = 0; n < nodes; n++) {
    Node *node = fixture_node(f, arena_format(&f->arena, "n%d", n));
    if (random_below(random, 8))
      fixture_set(f, &node->meta.labels, "zone", any(random, "z1", any(random, "z2", "z3")));
    for (int g = 0; g <= (int)random_below(random, 2); g++)
      fixture_gpu(f, node, A100,
                  any(random, "", any(random, "1g.10gb@6:free", "2g.20gb@0:free,1g.10gb@6:used")));
  }
  for (int i = (int)random_below(random, 5); i > 0; i--) {
    Pod *pod = fixture_pod(f, arena_format(&f->arena, "b%d", i), NULL);
    tie(f, random, pod);
    pod->node_name = f->nodes.items[random_below(random, (uint64_t)nodes)]->meta.name;
    pod->meta.deletion_time = !random_below(random, 5);
  }
  for (int i = 1 + (int)random_below(random, 9); i > 0; i--) {
    Pod *pod =
        fixture_pod(f, arena_format(&f->arena, "p%d", i), profiles[random_below(random, COUNT_OF(profiles))]);
    pod->priority = (int32_t)random_below(random, 2);
    tie(f, random, pod);
  }
}

static void every_pod_of_a_plan_fits_beside_those_before_it(void **state) {
  Random random = {.state = seed};
  int served = 0, waiting = 0;
  print_message("# seed %llu\n", (unsigned long long)seed);
  for (int round = 0; round < ROUNDS; round++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    uint64_t before = random.state;
    const PlanOptions fill = {.leftover = PLAN_LEFTOVER_FILL};
    coupled_cluster(&f, &random);
    fixture_plan(&f, random_below(&random, 2) ? &fill : NULL);
    served += assert_plan_is_sound(&f, before);
    waiting += f.plan.pending;
  }
  print_message("# %d of %d pods served\n", served, waiting);
  assert_true(served > waiting / 3);
}

/* ---- and on purpose ---- */

static void replicas_that_shun_each_other_get_a_node_each(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  PodAffinityTerm term = {.has_selector = true, .topology_key = "kubernetes.io/hostname"};
  fixture_set(&f, &term.selector.match_labels, "app", "x");
  for (int i = 0; i < 3; i++)
    fixture_gpu(&f, fixture_node(&f, arena_format(&f.arena, "n%d", i)), A100, "");
  for (int i = 0; i < 4; i++) {
    Pod *pod = fixture_pod(&f, arena_format(&f.arena, "p%d", i), "1g.10gb");
    fixture_set(&f, &pod->meta.labels, "app", "x");
    SET_ONE(pod->common->anti_affinity_terms, &term);
  }
  fixture_plan(&f, NULL);
  assert_string_equal(
      fixture_verdicts(&f),
      "p0 admitted n0; p1 admitted n1; p2 admitted n2; "
      "p3 blocked: 1g.10gb would fit on node n0 and 2 more, but not once the pods that are served "
      "are placed (InterPodAffinity: node(s) didn't match pod anti-affinity rules)");
}

static void a_spread_set_goes_round_the_zones(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  TopologySpreadConstraint one = {
      .has_selector = true, .topology_key = "zone", .when_unsatisfiable = "DoNotSchedule", .max_skew = 1};
  fixture_set(&f, &one.selector.match_labels, "app", "x");
  for (int i = 0; i < 3; i++) {
    Node *node = fixture_node(&f, arena_format(&f.arena, "n%d", i));
    fixture_set(&f, &node->meta.labels, "zone", arena_format(&f.arena, "z%d", i));
    fixture_gpu(&f, node, A100, "");
  }
  for (int i = 0; i < 7; i++) {
    Pod *pod = fixture_pod(&f, arena_format(&f.arena, "p%d", i), "1g.10gb");
    fixture_set(&f, &pod->meta.labels, "app", "x");
    SET_ONE(pod->common->spread_constraints, &one);
  }
  const Plan *plan = fixture_plan(&f, NULL);
  assert_int_equal(plan->admitted, 7);
  int on[3] = {0};
  for (size_t i = 0; i < plan->pods.count; i++)
    on[plan->pods.items[i].node]++;
  for (int i = 0; i < 3; i++)
    assert_true(on[i] == 2 || on[i] == 3);
}

static void a_pod_joins_one_that_is_planned_behind_it(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  PodAffinityTerm term = {.has_selector = true, .topology_key = "kubernetes.io/hostname"};
  fixture_set(&f, &term.selector.match_labels, "app", "leader");
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  fixture_gpu(&f, fixture_node(&f, "n2"), A100, "");
  SET_ONE(fixture_pod(&f, "follower", "1g.10gb")->common->affinity_terms, &term);
  fixture_set(&f, &fixture_pod(&f, "leader", "3g.40gb")->meta.labels, "app", "leader");
  const Plan *plan = fixture_plan(&f, NULL);
  assert_int_equal(plan->admitted, 2);
  assert_int_equal(plan->pods.items[0].node, plan->pods.items[1].node);
  assert_true(plan->pods.items[0].turn > plan->pods.items[1].turn);
}

static void a_pod_that_a_running_one_keeps_away_hears_by_whom(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  PodAffinityTerm term = {.has_selector = true, .topology_key = "kubernetes.io/hostname"};
  fixture_set(&f, &term.selector.match_labels, "app", "x");
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  Pod *guard = fixture_pod(&f, "guard", NULL);
  guard->node_name = "n1";
  SET_ONE(guard->common->anti_affinity_terms, &term);
  fixture_set(&f, &fixture_pod(&f, "p", "1g.10gb")->meta.labels, "app", "x");
  fixture_plan(&f, NULL);
  assert_string_equal(
      fixture_verdicts(&f),
      "p blocked: no node with GPUs for 1g.10gb can take it: InterPodAffinity refuses node n1 "
      "(node(s) didn't satisfy existing pods anti-affinity rules)");
}

static void a_pod_whose_claim_nobody_knows_hears_which_and_what_to_do(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {.knows_volumes = true};
  Volume volume = {.name = "v", .claim_name = "data"};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  SET_ONE(fixture_pod(&f, "p", "1g.10gb")->common->volumes, &volume);
  fixture_plan(&f, NULL);
  assert_string_equal(
      fixture_verdicts(&f),
      "p blocked: VolumeRestrictions refuses it on every node (unknown volume claim demo/data); where a "
      "file leaves it out, add pvc,pv,sc,ns to `kubectl get nodes,pods`");
}

static void a_nominated_pod_keeps_its_slice(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Node *node = fixture_node(&f, "n1");
  fixture_gpu(&f, node, A100, "7g.80gb@0:free");
  Pod *kept = fixture_pod(&f, "kept", "7g.80gb");
  kept->common->nominated_node_name = "n1";
  fixture_pod(&f, "p", "7g.80gb");
  fixture_plan(&f, NULL);
  assert_string_equal(
      fixture_verdicts(&f),
      "kept ignored: the scheduler has nominated a node for it and makes room there; "
      "p blocked: 7g.80gb needs GPU 0 of node n1 empty, but 1 slice is on it (7g.80gb@0 free, but "
      "promised to a pod that is on its way)");
}

int main(int argc, char **argv) {
  if (argc > 1)
    seed = strtoull(argv[1], NULL, 10);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_pod_of_a_plan_fits_beside_those_before_it),
      cmocka_unit_test(replicas_that_shun_each_other_get_a_node_each),
      cmocka_unit_test(a_spread_set_goes_round_the_zones),
      cmocka_unit_test(a_pod_joins_one_that_is_planned_behind_it),
      cmocka_unit_test(a_pod_that_a_running_one_keeps_away_hears_by_whom),
      cmocka_unit_test(a_pod_whose_claim_nobody_knows_hears_which_and_what_to_do),
      cmocka_unit_test(a_nominated_pod_keeps_its_slice),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
