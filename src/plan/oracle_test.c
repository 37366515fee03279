/* SPDX-License-Identifier: Apache-2.0 */
/* The planner against exhaustive search on random small clusters, and the promises that hold for every plan.
 *
 * The oracle is slow and obvious: it enumerates, slot by slot, every set of slices that each node could get,
 * then tries every assignment of pods to nodes. Give a number as argument to run with another seed. */
#include "plan/plan_fixture.h"

#include "plan/exact.h"

enum { KINDS_MAX = 12, VECTORS_MAX = 4000, PODS_MAX = 7, NODES_MAX = 3, TIERS_MAX = 3 };

static uint64_t seed = 20261122;

typedef struct Vector {
  int count[KINDS_MAX];
} Vector;

typedef struct OracleNode {
  Vector vectors[VECTORS_MAX]; /* slices that the node can offer: free ones and created ones */
  int vector_count;
  int64_t cpu;
} OracleNode;

typedef struct Oracle {
  const Snapshot *snapshot;
  char kinds[KINDS_MAX][MIG_PROFILE_NAME_SIZE];
  int kind_count;
  Vector wanted, asks[PODS_MAX];
  OracleNode nodes[NODES_MAX];
  Vector used[NODES_MAX]; /* by the current assignment */
  int tiers[PODS_MAX];
  int served[TIERS_MAX], best[TIERS_MAX];
  int most; /* pods served whatever their tier */
} Oracle;

static int oracle_kind(Oracle *oracle, const char *profile) {
  for (int i = 0; i < oracle->kind_count; i++)
    if (strcmp(oracle->kinds[i], profile) == 0)
      return i;
  assert_true(oracle->kind_count < KINDS_MAX);
  snprintf(oracle->kinds[oracle->kind_count], sizeof oracle->kinds[0], "%s", profile);
  return oracle->kind_count++;
}

static void add_vector(OracleNode *node, const Vector *vector) {
  for (int i = 0; i < node->vector_count; i++)
    if (memcmp(&node->vectors[i], vector, sizeof *vector) == 0)
      return;
  assert_true(node->vector_count < VECTORS_MAX);
  node->vectors[node->vector_count++] = *vector;
}

/* Every way to add slices to the GPU, slot by slot, on top of one vector. */
static void extend(Oracle *oracle, OracleNode *node, MigLayout *layout, uint32_t allowed,
                   const Vector *vector, int slot) {
  add_vector(node, vector);
  for (int start = slot; start < layout->model->slot_count; start++)
    for (int kind = 0; kind < oracle->kind_count; kind++) {
      int profile = mig_model_find_profile(layout->model, oracle->kinds[kind]);
      if (profile < 0 || !(allowed >> profile & 1) || vector->count[kind] == oracle->wanted.count[kind] ||
          !mig_layout_can_place(layout, profile, start))
        continue;
      Vector more = *vector;
      more.count[kind]++;
      mig_layout_place(layout, profile, start);
      extend(oracle, node, layout, allowed, &more, start + 1);
      mig_layout_remove(layout, start);
    }
}

static void offer_slices(Oracle *oracle, int index) {
  const SnapshotNode *from = &oracle->snapshot->nodes.items[index];
  OracleNode *node = &oracle->nodes[index];
  static Vector before[VECTORS_MAX];
  Vector first = {0};
  for (int kind = 0; kind < oracle->kind_count; kind++) {
    char resource[MIG_RESOURCE_NAME_SIZE];
    mig_profile_format_resource(oracle->kinds[kind], resource);
    int64_t left = snapshot_free_of(from, resource);
    first.count[kind] = left < oracle->wanted.count[kind] ? (int)left : oracle->wanted.count[kind];
  }
  node->vector_count = 0;
  node->cpu = resources_get(&from->allocatable, "cpu");
  add_vector(node, &first);
  for (int gpu = 0; gpu < from->gpu_count; gpu++) {
    int count = node->vector_count;
    MigLayout layout = from->gpus[gpu].layout;
    memcpy(before, node->vectors, (size_t)count * sizeof before[0]);
    for (int i = 0; i < count && from->may_change && !from->gpus[gpu].blocked; i++)
      extend(oracle, node, &layout, from->gpus[gpu].allowed, &before[i], 0);
  }
}

static bool is_offered(const Oracle *oracle, int index) {
  const OracleNode *node = &oracle->nodes[index];
  for (int i = 0; i < node->vector_count; i++) {
    bool enough = true;
    for (int kind = 0; kind < oracle->kind_count; kind++)
      enough &= node->vectors[i].count[kind] >= oracle->used[index].count[kind];
    if (enough)
      return true;
  }
  return false;
}

static void add_pod(Oracle *oracle, int pod, int node, int sign) {
  const SnapshotPod *from = &oracle->snapshot->pods.items[pod];
  for (int kind = 0; kind < oracle->kind_count; kind++)
    oracle->used[node].count[kind] += sign * oracle->asks[pod].count[kind];
  oracle->nodes[node].cpu -= sign * resources_get(&from->requests, "cpu");
  oracle->served[oracle->tiers[pod]] += sign;
}

static void keep_if_better(Oracle *oracle) {
  int total = 0, tier = 0;
  for (int i = 0; i < TIERS_MAX; i++)
    total += oracle->served[i];
  oracle->most = total > oracle->most ? total : oracle->most;
  while (tier < TIERS_MAX - 1 && oracle->served[tier] == oracle->best[tier])
    tier++;
  if (oracle->served[tier] > oracle->best[tier])
    memcpy(oracle->best, oracle->served, sizeof oracle->best);
}

static void assign_from(Oracle *oracle, int pod) {
  if (pod == (int)oracle->snapshot->pods.count) {
    keep_if_better(oracle);
    return;
  }
  const KeyValues *selector = &oracle->snapshot->pods.items[pod].object->node_selector;
  for (int node = 0; node < (int)oracle->snapshot->nodes.count; node++) {
    if (selector->count && strcmp(selector->items[0].value, oracle->snapshot->nodes.items[node].name) != 0)
      continue;
    add_pod(oracle, pod, node, 1);
    if (oracle->nodes[node].cpu >= 0 && is_offered(oracle, node))
      assign_from(oracle, pod + 1);
    add_pod(oracle, pod, node, -1);
  }
  assign_from(oracle, pod + 1);
}

static void run_oracle(Oracle *oracle, const Snapshot *snapshot) {
  memset(oracle, 0, sizeof *oracle);
  oracle->snapshot = snapshot;
  for (size_t i = 0; i < snapshot->pods.count; i++) {
    const SnapshotPod *pod = &snapshot->pods.items[i];
    oracle->tiers[i] = TIERS_MAX - 1 - pod->object->priority;
    for (size_t r = 0; r < pod->requests.count; r++) {
      char profile[MIG_PROFILE_NAME_SIZE];
      Error err;
      if (!mig_profile_is_resource(pod->requests.items[r].name))
        continue;
      assert_ok(mig_profile_parse_resource(pod->requests.items[r].name, profile, &err));
      int kind = oracle_kind(oracle, profile), count = (int)pod->requests.items[r].amount;
      oracle->asks[i].count[kind] += count;
      oracle->wanted.count[kind] += count;
    }
  }
  for (size_t node = 0; node < snapshot->nodes.count; node++)
    offer_slices(oracle, (int)node);
  assign_from(oracle, 0);
}

/* Random clusters. */
typedef struct Mix {
  bool many_models, several_slices, other_profiles, limits, selectors, strange;
} Mix;

static const char *const models[] = {A100, H100, A30, A100_40, PRO6000};

/* A model that only its driver knows, and that cannot be counted: its placements overlap without nesting. */
#define STRANGE "NVIDIA-Unheard-Of"
static const char strange_profiles[] =
    STRANGE "/8 1g.10gb:6x1@0,1,2,3,5,7 2g.20gb:3x3@0,2,5 2g.20gb+me:1x2@1,4 4g.40gb:2x4@1,4";

static const MigModel *strange_model(void) {
  static MigModel parsed[MIG_NODE_MODELS_MAX];
  int count;
  Error err;
  if (!parsed[0].slot_count)
    assert_ok(mig_profiles_parse(strange_profiles, parsed, &count, &err));
  return &parsed[0];
}

static const MigModel *model_named(const char *name) {
  if (strcmp(name, STRANGE) == 0)
    return strange_model();
  const MigModelRow *row = mig_model_find(name);
  assert_non_null(row);
  return &row->model;
}

static void add_random_gpu(Fixture *f, Random *random, Node *node, const char *name) {
  MigLayout layout;
  char status[MIG_STATUS_TEXT_SIZE];
  const MigModel *model = model_named(name);
  mig_layout_init(&layout, model);
  for (int tries = (int)random_below(random, 6); tries > 0; tries--) {
    int profile = (int)random_below(random, model->profile_count);
    int start = (int)random_below(random, model->slot_count);
    if (mig_layout_can_place(&layout, profile, start))
      mig_layout_place(&layout, profile, start);
  }
  mig_status_format(&layout, (uint32_t)random_next(random), status, sizeof status);
  fixture_gpu(f, node, name, status);
}

static void add_random_pod(Fixture *f, Random *random, const Mix *mix, const char *const *names,
                           int name_count) {
  Pod *pod = fixture_pod(f, arena_format(&f->arena, "p%zu", f->pods.count), NULL);
  pod->priority = (int32_t)random_below(random, 1 + random_below(random, TIERS_MAX));
  int slices = mix->several_slices && !random_below(random, 3) ? 2 : 1;
  for (int i = 0; i < slices; i++) {
    const MigModel *model = model_named(names[random_below(random, (uint64_t)name_count)]);
    const MigProfile *profile;
    do
      profile = &model->profiles[random_below(random, model->profile_count)];
    while (profile->kind != MIG_PLAIN && !mix->other_profiles);
    fixture_ask_slices(f, pod, profile->name, 1 + (mix->several_slices && !random_below(random, 3)));
  }
  if (mix->limits)
    fixture_ask(f, pod, "cpu", arena_format(&f->arena, "%d", (int)random_below(random, 4)));
  if (mix->selectors && !random_below(random, 2))
    fixture_set(f, &pod->node_selector, "kubernetes.io/hostname",
                f->nodes.items[random_below(random, f->nodes.count)]->meta.name);
}

static void build(Fixture *f, Random *random, const Mix *mix) {
  const char *names[3];
  int gpus = 1 + (int)random_below(random, 3);
  Node *node = NULL;
  for (int i = 0; i < gpus; i++) {
    names[i] = i && !mix->many_models ? names[0] : models[random_below(random, COUNT_OF(models))];
    if (mix->strange && random_below(random, 2))
      names[i] = STRANGE;
    if (!node || random_below(random, 2)) {
      node = fixture_node(f, arena_format(&f->arena, "n%zu", f->nodes.count));
      if (mix->limits)
        fixture_set(f, (KeyValues *)&node->allocatable, "cpu",
                    arena_format(&f->arena, "%d", 1 + (int)random_below(random, 8)));
    }
    if (mix->strange)
      fixture_set(f, &node->meta.annotations, MIG_ANNOTATION_PROFILES, strange_profiles);
    add_random_gpu(f, random, node, names[i]);
  }
  for (int pods = 1 + (int)random_below(random, PODS_MAX); pods > 0; pods--)
    add_random_pod(f, random, mix, names, gpus);
}

static void count_served(const Fixture *f, int served[TIERS_MAX]) {
  memset(served, 0, TIERS_MAX * sizeof *served);
  for (size_t i = 0; i < f->plan.pods.count; i++)
    served[TIERS_MAX - 1 - f->snapshot.pods.items[i].object->priority] += f->plan.pods.items[i].node >= 0;
}

static bool has_one_tier(const Fixture *f) {
  for (size_t i = 1; i < f->pods.count; i++)
    if (f->pods.items[i]->priority != f->pods.items[0]->priority)
      return false;
  return true;
}

static bool has_pods(const Oracle *oracle, int tier) {
  for (size_t i = 0; i < oracle->snapshot->pods.count; i++)
    if (oracle->tiers[i] == tier)
      return true;
  return false;
}

/* Where the exact core says that its offer is proven, the search plays no part. */
static bool is_proven_by_counting(Fixture *f, const Oracle *oracle) {
  CLEANUP(plan_problem_deinit) PlanProblem problem;
  CLEANUP(plan_offer_deinit) PlanOffer offer;
  plan_problem_init(&problem, &f->snapshot);
  bool proven = plan_exact_solve(&problem, &offer);
  int tier = 0;
  for (int t = 0; proven && t < TIERS_MAX; t++)
    if (has_pods(oracle, t))
      assert_int_equal(offer.served[tier++], oracle->best[t]);
  return proven;
}

static void compare(Random *random, const Mix *mix, int instances, int proven_min) {
  static Oracle oracle;
  int proven = 0;
  for (int i = 0; i < instances; i++) {
    uint64_t state = random->state;
    CLEANUP(fixture_deinit) Fixture f = {0};
    build(&f, random, mix);
    const Plan *plan = fixture_plan(&f, NULL);
    run_oracle(&oracle, &f.snapshot);
    int served[TIERS_MAX];
    count_served(&f, served);
    bool optimal = memcmp(served, oracle.best, sizeof served) == 0;
    bool bounded = plan->bound + plan->already_fit >= oracle.most &&
                   (!has_one_tier(&f) || plan->bound == plan->admitted);
    if (!optimal || !bounded)
      fail_msg("state %llu: served %d %d %d of %d %d %d, bound %d + %d of %d\n%s\n%s",
               (unsigned long long)state, served[0], served[1], served[2], oracle.best[0], oracle.best[1],
               oracle.best[2], plan->bound, plan->already_fit, oracle.most, fixture_creates(&f),
               fixture_verdicts(&f));
    proven += is_proven_by_counting(&f, &oracle);
  }
  assert_true(proven >= proven_min);
}

static void single_slices_on_one_model_are_planned_optimally(void **state) {
  Random random = {.state = seed};
  print_message("# seed %llu\n", (unsigned long long)seed);
  compare(&random, &(Mix){0}, 6000, 5900);
}

static void several_slices_per_pod_are_planned_optimally_on_small_clusters(void **state) {
  Random random = {.state = seed};
  compare(&random, &(Mix){.several_slices = true}, 2000, 0);
}

static void scarce_cpu_and_selectors_are_planned_optimally_on_small_clusters(void **state) {
  Random random = {.state = seed};
  compare(&random, &(Mix){.limits = true, .selectors = true}, 3000, 0);
}

static void everything_together_is_planned_optimally_on_small_clusters(void **state) {
  Random random = {.state = seed};
  const Mix all = {
      .many_models = true, .several_slices = true, .other_profiles = true, .limits = true, .selectors = true};
  compare(&random, &all, 2000, 0);
}

/* What the plan claims, recounted from the nodes' status after the agents did their part. */
static void assert_holds(Fixture *after, const Fixture *before) {
  for (size_t i = 0; i < before->plan.pods.count; i++) {
    const PlanPod *pod = &before->plan.pods.items[i];
    SchedVerdict verdict;
    if (pod->node < 0)
      continue;
    if (!sched_fits(&after->snapshot.pods.items[pod->pod], &after->snapshot.nodes.items[pod->node], &verdict))
      fail_msg("%s: %s", verdict.plugin, verdict.reason);
    snapshot_bind(&after->snapshot, pod->pod, pod->node);
  }
}

static void a_plan_that_was_carried_out_holds_and_leaves_nothing_to_do(void **state) {
  Random random = {.state = seed};
  const Mix all = {
      .many_models = true, .several_slices = true, .other_profiles = true, .limits = true, .selectors = true};
  const PlanOptions options = {.leftover = PLAN_LEFTOVER_FILL};
  for (int i = 0; i < 1500; i++) {
    uint64_t from = random.state;
    CLEANUP(fixture_deinit) Fixture f = {0};
    build(&f, &random, &all);
    fixture_plan(&f, &options);
    fixture_carry_out(&f);
    Fixture after = {.nodes = f.nodes, .pods = f.pods};
    fixture_snapshot(&after);
    assert_holds(&after, &f);
    snapshot_deinit(&after.snapshot);
    int served = f.plan.admitted + f.plan.already_fit;
    const Plan *again = fixture_plan(&f, &options);
    if (again->create || again->admitted || again->already_fit != served)
      fail_msg("state %llu: %d served, then %d fit, %d admitted by %s", (unsigned long long)from, served,
               again->already_fit, again->admitted, fixture_creates(&f));
  }
}

static void the_order_of_objects_does_not_matter(void **state) {
  Random random = {.state = seed};
  const Mix all = {
      .many_models = true, .several_slices = true, .limits = true, .selectors = true, .strange = true};
  const PlanOptions options = {.leftover = PLAN_LEFTOVER_FILL};
  for (int i = 0; i < 500; i++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    build(&f, &random, &all);
    fixture_plan(&f, &options);
    const char *creates = fixture_creates(&f), *verdicts = fixture_verdicts(&f);
    for (int shuffle = 0; shuffle < 3; shuffle++) {
      fixture_shuffle(&f, &random);
      fixture_plan(&f, &options);
      assert_string_equal(fixture_creates(&f), creates);
      assert_string_equal(fixture_verdicts(&f), verdicts);
    }
  }
}

int main(int argc, char **argv) {
  if (argc > 1)
    seed = strtoull(argv[1], NULL, 10);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(single_slices_on_one_model_are_planned_optimally),
      cmocka_unit_test(several_slices_per_pod_are_planned_optimally_on_small_clusters),
      cmocka_unit_test(scarce_cpu_and_selectors_are_planned_optimally_on_small_clusters),
      cmocka_unit_test(everything_together_is_planned_optimally_on_small_clusters),
      cmocka_unit_test(a_plan_that_was_carried_out_holds_and_leaves_nothing_to_do),
      cmocka_unit_test(the_order_of_objects_does_not_matter),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
