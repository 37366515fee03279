/* SPDX-License-Identifier: Apache-2.0 */
/* The planner against exhaustive search on random small clusters, and the promises that hold for every plan.
 *
 * The oracle is slow and obvious: it enumerates, slot by slot, every set of slices that each node could get,
 * then tries every assignment of pods to nodes.
 *
 *     test-plan-oracle [SEED [INSTANCES]]
 *
 * runs with another seed, and with so many instances of each family of pods that ask one slice. */
#include "base/test_seed.h"
#include "plan/random_cluster.h"

#include "plan/bulk.h"

enum { KINDS_MAX = 12, VECTORS_MAX = 4000 };

static uint64_t seed = 20261122;
static int single_slice_instances = 6000;

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
  Vector wanted, asks[RANDOM_PODS_MAX];
  OracleNode nodes[RANDOM_NODES_MAX];
  Vector used[RANDOM_NODES_MAX]; /* by the current assignment */
  int tiers[RANDOM_PODS_MAX];
  int served[RANDOM_TIERS_MAX], best[RANDOM_TIERS_MAX];
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
    MigLayout layout = *from->gpus[gpu].layout;
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
  oracle->nodes[node].cpu -= sign * resources_get(&from->spec->requests, "cpu");
  oracle->served[oracle->tiers[pod]] += sign;
}

static void keep_if_better(Oracle *oracle) {
  int total = 0, tier = 0;
  for (int i = 0; i < RANDOM_TIERS_MAX; i++)
    total += oracle->served[i];
  oracle->most = total > oracle->most ? total : oracle->most;
  while (tier < RANDOM_TIERS_MAX - 1 && oracle->served[tier] == oracle->best[tier])
    tier++;
  if (oracle->served[tier] > oracle->best[tier])
    memcpy(oracle->best, oracle->served, sizeof oracle->best);
}

static void assign_from(Oracle *oracle, int pod) {
  if (pod == (int)oracle->snapshot->pods.count) {
    keep_if_better(oracle);
    return;
  }
  const KeyValues *selector = &pod_common(oracle->snapshot->pods.items[pod].object)->node_selector;
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
    oracle->tiers[i] = RANDOM_TIERS_MAX - 1 - pod->object->priority;
    for (size_t r = 0; r < pod->spec->requests.count; r++) {
      char profile[MIG_PROFILE_NAME_SIZE];
      Error err;
      if (!mig_profile_is_resource(pod->spec->requests.items[r].name))
        continue;
      assert_ok(mig_profile_parse_resource(pod->spec->requests.items[r].name, profile, &err));
      int kind = oracle_kind(oracle, profile), count = (int)pod->spec->requests.items[r].amount;
      oracle->asks[i].count[kind] += count;
      oracle->wanted.count[kind] += count;
    }
  }
  for (size_t node = 0; node < snapshot->nodes.count; node++)
    offer_slices(oracle, (int)node);
  assign_from(oracle, 0);
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

/* Where the counters prove their offer, the search plays no part. */
static bool is_proven_by_counting(Fixture *f, const Oracle *oracle) {
  CLEANUP(plan_problem_deinit) PlanProblem problem;
  CLEANUP(plan_offer_deinit) PlanOffer offer;
  plan_problem_init(&problem, &f->snapshot, 0);
  bool proven = plan_bulk_solve(&problem, &offer) == PLAN_BULK_PROVEN;
  int tier = 0;
  for (int t = 0; proven && t < RANDOM_TIERS_MAX; t++)
    if (has_pods(oracle, t))
      assert_int_equal(offer.served[tier++], oracle->best[t]);
  return proven;
}

/* Each changed GPU gets a layout that its model allows, with all that is used or kept in it. */
static void assert_legal(const Fixture *f) {
  for (size_t i = 0; i < f->plan.gpus.count; i++) {
    const PlanGpu *planned = &f->plan.gpus.items[i];
    const SnapshotGpu *gpu = &f->snapshot.nodes.items[planned->node].gpus[planned->gpu];
    MigList list;
    MigLayout layout;
    Error err;
    plan_gpu_list(&f->snapshot, planned, &list);
    assert_ok(mig_list_bind(&list, gpu->model, &layout, &err));
    assert_ok(mig_layout_check(&layout, &err));
    for (int n = 0; n < gpu->layout->count; n++) {
      const MigInstance *before = &gpu->layout->instances[n];
      if (!((gpu->used_starts | gpu->keep_starts) >> before->start & 1))
        continue;
      const MigInstance *after = mig_layout_find(&layout, before->start);
      assert_true(after && after->profile == before->profile);
    }
  }
}

/* `share` is how many of the instances the counters must prove, in percent. */
static void compare(Random *random, const RandomMix *mix, int instances, int share) {
  static Oracle oracle;
  int proven = 0;
  for (int i = 0; i < instances; i++) {
    uint64_t state = random->state;
    CLEANUP(fixture_deinit) Fixture f = {0};
    random_cluster(&f, random, mix);
    const Plan *plan = fixture_plan(&f, NULL);
    run_oracle(&oracle, &f.snapshot);
    int served[RANDOM_TIERS_MAX];
    random_count_served(&f, served);
    bool optimal = memcmp(served, oracle.best, sizeof served) == 0;
    bool bounded = plan->bound + plan->already_fit >= oracle.most &&
                   (!has_one_tier(&f) || plan->bound == plan->admitted);
    if (!optimal || !bounded)
      fail_msg("state %llu: served %d %d %d of %d %d %d, bound %d + %d of %d\n%s\n%s",
               (unsigned long long)state, served[0], served[1], served[2], oracle.best[0], oracle.best[1],
               oracle.best[2], plan->bound, plan->already_fit, oracle.most, fixture_changes(&f),
               fixture_verdicts(&f));
    assert_legal(&f);
    proven += is_proven_by_counting(&f, &oracle);
  }
  print_message("# %d of %d proven by counting\n", proven, instances);
  assert_true((int64_t)proven * 100 >= (int64_t)instances * share);
}

static void single_slices_on_one_model_are_planned_optimally(void **state) {
  Random random = {.state = seed};
  print_message("# seed %llu\n", (unsigned long long)seed);
  compare(&random, &(RandomMix){0}, single_slice_instances, 98);
}

static void single_slices_are_planned_optimally_on_every_model(void **state) {
  Random random = {.state = seed};
  compare(&random, &(RandomMix){.every_model = true}, single_slice_instances, 98);
}

/* One resource may have other shapes on other models, and +me has no rank. */
static void single_slices_are_planned_optimally_on_mixed_fleets(void **state) {
  Random random = {.state = seed};
  const RandomMix mix = {.every_model = true, .many_models = true, .other_profiles = true};
  compare(&random, &mix, single_slice_instances, 0);
}

static void several_slices_per_pod_are_planned_optimally_on_small_clusters(void **state) {
  Random random = {.state = seed};
  compare(&random, &(RandomMix){.several_slices = true}, 2000, 0);
}

static void scarce_cpu_and_selectors_are_planned_optimally_on_small_clusters(void **state) {
  Random random = {.state = seed};
  compare(&random, &(RandomMix){.limits = true, .selectors = true}, 3000, 0);
}

static void everything_together_is_planned_optimally_on_small_clusters(void **state) {
  Random random = {.state = seed};
  const RandomMix all = {
      .many_models = true, .several_slices = true, .other_profiles = true, .limits = true, .selectors = true};
  compare(&random, &all, 2000, 0);
}

static void a_plan_that_was_carried_out_holds_and_leaves_nothing_to_do(void **state) {
  Random random = {.state = seed};
  const RandomMix all = {
      .many_models = true, .several_slices = true, .other_profiles = true, .limits = true, .selectors = true};
  const PlanOptions options = {.leftover = PLAN_LEFTOVER_FILL};
  for (int i = 0; i < 1500; i++) {
    uint64_t from = random.state;
    CLEANUP(fixture_deinit) Fixture f = {0};
    random_cluster(&f, &random, &all);
    fixture_plan(&f, &options);
    fixture_carry_out(&f);
    Fixture after = {.nodes = f.nodes, .pods = f.pods};
    fixture_snapshot(&after);
    random_assert_holds(&after, &f);
    snapshot_deinit(&after.snapshot);
    int served = f.plan.admitted + f.plan.already_fit;
    const Plan *again = fixture_plan(&f, &options);
    if (again->create || again->admitted || again->already_fit != served)
      fail_msg("state %llu: %d served, then %d fit, %d admitted by %s", (unsigned long long)from, served,
               again->already_fit, again->admitted, fixture_changes(&f));
  }
}

static void the_order_of_objects_does_not_matter(void **state) {
  Random random = {.state = seed};
  const RandomMix all = {
      .many_models = true, .several_slices = true, .limits = true, .selectors = true, .strange = true};
  const PlanOptions options = {.leftover = PLAN_LEFTOVER_FILL};
  for (int i = 0; i < 500; i++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    random_cluster(&f, &random, &all);
    fixture_plan(&f, &options);
    const char *creates = fixture_changes(&f), *verdicts = fixture_verdicts(&f);
    for (int shuffle = 0; shuffle < 3; shuffle++) {
      fixture_shuffle(&f, &random);
      fixture_plan(&f, &options);
      assert_string_equal(fixture_changes(&f), creates);
      assert_string_equal(fixture_verdicts(&f), verdicts);
    }
  }
}

int main(int argc, char **argv) {
  test_seed_read(argc, argv, &seed, &single_slice_instances);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(single_slices_on_one_model_are_planned_optimally),
      cmocka_unit_test(single_slices_are_planned_optimally_on_every_model),
      cmocka_unit_test(single_slices_are_planned_optimally_on_mixed_fleets),
      cmocka_unit_test(several_slices_per_pod_are_planned_optimally_on_small_clusters),
      cmocka_unit_test(scarce_cpu_and_selectors_are_planned_optimally_on_small_clusters),
      cmocka_unit_test(everything_together_is_planned_optimally_on_small_clusters),
      cmocka_unit_test(a_plan_that_was_carried_out_holds_and_leaves_nothing_to_do),
      cmocka_unit_test(the_order_of_objects_does_not_matter),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
