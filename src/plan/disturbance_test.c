/* SPDX-License-Identifier: Apache-2.0 */
/* Least disturbance against exhaustive search, on random small clusters: up to three nodes and GPUs,
 * up to six pods that ask one slice each in up to three tiers, used and free slices, floating claims, and
 * whatever people may wish by facet.gpu/keep-gpu-<i>, exclude-gpus, allowed-profiles and paused. Nothing is
 * left over.
 *
 * Asserted of each of them:
 *
 *   - as many pods are served, tier by tier, as any plan can serve that may withdraw free slices;
 *   - of such plans none disturbs less, in this order: nothing is withdrawn where nothing has to be; the
 * fewest free slices are; the fewest are created, so all free slices that help are used as they are; the
 * fewest GPUs are changed, then the fewest nodes; the most places are left for the largest profile of the
 * fleet, then for the next one...; the changed GPUs come first in the order of names;
 *   - each slice that is created is for one admitted pod;
 *   - no slice is withdrawn that is used, kept, on a paused node or an excluded GPU, or that a floating
 *     claim needs, and none is created there or of a profile that is not allowed (also with FILL);
 *   - carried out and planned again, nothing changes, or more pods are served than before. That happens
 *     because created slices of a profile set older ones free that a floating claim pinned; in
 *     IDEMPOTENT_SHARE percent nothing changes;
 *   - the order of nodes and pods does not matter.
 *
 *     test-plan-disturbance [SEED [INSTANCES]]
 *
 * A failure names the seed with which its instance comes first. */
#include "base/test_seed.h"
#include "plan/disturbance_oracle.h"

static uint64_t seed = 20261128;
static int instances = 2000;

enum {
  GPUS_MAX = 3,
  PODS_MAX = 6,
  IDEMPOTENT_SHARE = 99,
  SHARES_FROM = 500 /* instances */
};

static const char *const gpu_models[] = {A100, A30, A100_40, H100};

/* ---- random clusters whose people have wishes ---- */

static void add_keep(Fixture *f, Random *random, Node *node, int gpu, const MigLayout *layout) {
  CLEANUP(text_deinit) Text text = {0};
  for (int i = 0; i < layout->count; i++)
    if (!random_below(random, 3))
      text_format(&text, "%s%s@%d", text.size ? "," : "",
                  layout->model->profiles[layout->instances[i].profile].name, layout->instances[i].start);
  if (text.size)
    fixture_set(f, &node->meta.annotations, arena_format(&f->arena, MIG_ANNOTATION_KEEP_PREFIX "%d", gpu),
                text_string(&text));
}

static void add_gpu(Fixture *f, Random *random, Node *node, const char *name) {
  MigLayout layout;
  char status[MIG_STATUS_TEXT_SIZE];
  const MigModel *model = model_named(name);
  mig_layout_init(&layout, model);
  for (int tries = (int)random_below(random, 9); tries > 0; tries--) {
    int profile = (int)random_below(random, model->profile_count);
    int start = (int)random_below(random, model->slot_count);
    if (mig_layout_can_place(&layout, profile, start))
      mig_layout_place(&layout, profile, start);
  }
  uint32_t some = (uint32_t)random_next(random), others = (uint32_t)random_next(random);
  mig_status_format(&layout, some & others, status, sizeof status); /* three of four are free */
  int gpu = fixture_gpu(f, node, name, status);
  if (!random_below(random, 4))
    add_keep(f, random, node, gpu, &layout);
}

static void add_wishes(Fixture *f, Random *random, Node *node, const MigModel *model) {
  CLEANUP(text_deinit) Text allowed = {0};
  for (int i = 0; i < model->profile_count; i++)
    if (random_below(random, 2))
      text_format(&allowed, "%s%s", allowed.size ? "," : "", model->profiles[i].name);
  if (allowed.size && !random_below(random, 8))
    fixture_set(f, &node->meta.annotations, MIG_ANNOTATION_ALLOWED, text_string(&allowed));
  if (!random_below(random, 12))
    fixture_set(f, &node->meta.annotations, MIG_ANNOTATION_PAUSED, "true");
  if (!random_below(random, 8))
    fixture_set(f, &node->meta.annotations, MIG_ANNOTATION_EXCLUDE,
                arena_format(&f->arena, "%d", (int)random_below(random, 2)));
}

static void add_pod(Fixture *f, Random *random, const MigModel *model) {
  const MigProfile *profile = &model->profiles[random_below(random, model->profile_count)];
  Pod *pod = fixture_pod(f, arena_format(&f->arena, "p%zu", f->pods.count), profile->name);
  pod->priority = random_below(random, 3) ? 0 : (int32_t)random_below(random, RANDOM_TIERS_MAX);
  if (!random_below(random, 6))
    fixture_set(f, &pod->common->node_selector, "kubernetes.io/hostname",
                f->nodes.items[random_below(random, f->nodes.count)]->meta.name);
}

static void make_cluster(Fixture *f, Random *random) {
  const char *names[GPUS_MAX];
  int gpus = 1 + (int)random_below(random, GPUS_MAX), nodes = 1 + (int)random_below(random, (uint64_t)gpus);
  Node *made[GPUS_MAX];
  for (int i = 0; i < nodes; i++)
    made[i] = fixture_node(f, arena_format(&f->arena, "n%d", i));
  names[0] = gpu_models[random_below(random, COUNT_OF(gpu_models))];
  for (int i = 0; i < gpus; i++) {
    names[i] = random_below(random, 4) ? names[0] : gpu_models[random_below(random, COUNT_OF(gpu_models))];
    add_gpu(f, random, made[i % nodes], names[i]);
    if (i < nodes)
      add_wishes(f, random, made[i], model_named(names[i]));
  }
  if (random_below(random, 2))
    add_bound_pods(f, random);
  for (int pods = 1 + (int)random_below(random, PODS_MAX); pods > 0; pods--)
    add_pod(f, random, model_named(names[random_below(random, (uint64_t)gpus)]));
}

static const char *describe(Fixture *f) {
  return arena_format(&f->arena, "%s\n%s", fixture_changes(f), fixture_verdicts(f));
}

/* ---- the least disturbance ---- */

/* The first tier in which the two differ decides; 0 where they are the same. */
static int compare_served(const int *a, const int *b) {
  int tier = 0;
  while (tier < RANDOM_TIERS_MAX - 1 && a[tier] == b[tier])
    tier++;
  return (a[tier] > b[tier]) - (a[tier] < b[tier]);
}

static void find_most(const Oracle *oracle, int *ret_served) {
  memset(ret_served, 0, RANDOM_TIERS_MAX * sizeof *ret_served);
  for (int first = 0; first <= PODS_MAX; first++)
    for (int second = 0; second <= PODS_MAX; second++)
      for (int third = 0; third <= PODS_MAX; third++) {
        const int served[RANDOM_TIERS_MAX] = {first, second, third};
        if (oracle->least[first][second][third].destroyed < INT_MAX && compare_served(served, ret_served) > 0)
          memcpy(ret_served, served, sizeof served);
      }
}

static const char *const level_names[] = {
    [ORACLE_SAME] = "least",      [ORACLE_RECUT] = "re-cut", [ORACLE_DESTROYED] = "destroyed",
    [ORACLE_CREATED] = "created", [ORACLE_GPUS] = "GPUs",    [ORACLE_NODES] = "nodes",
    [ORACLE_PLACES] = "holes",    [ORACLE_NAMES] = "names"};

static void print_differences(const int *differences) {
  for (int level = ORACLE_RECUT; level < ORACLE_LEVELS; level++)
    print_message("#   %s: %d differences\n", level_names[level], differences[level]);
}

static void plans_serve_the_most_and_disturb_the_least(void **state) {
  static Oracle oracle;
  Random random = {.state = seed};
  int changed = 0, recuts = 0, differences[ORACLE_LEVELS] = {0};
  print_message("# seed %llu\n", (unsigned long long)seed);
  for (int i = 0; i < instances; i++) {
    unsigned long long from = random.state;
    CLEANUP(fixture_deinit) Fixture f = {0};
    make_cluster(&f, &random);
    const Plan *plan = fixture_plan(&f, NULL);
    int served[RANDOM_TIERS_MAX], most[RANDOM_TIERS_MAX];
    bool worse;
    OracleCost cost;
    random_count_served(&f, served);
    oracle_run(&oracle, &f.snapshot);
    find_most(&oracle, most);
    const OracleCost *least = &oracle.least[most[0]][most[1]][most[2]];
    if (compare_served(served, most) != 0)
      fail_msg("seed %llu: served %d %d %d of %d %d %d\n%s", from, served[0], served[1], served[2], most[0],
               most[1], most[2], describe(&f));
    assert_int_equal(plan->create, plan->admitted);
    oracle_weigh(&oracle, plan, &cost);
    OracleLevel level = oracle_compare(&cost, least, &worse);
    assert_true(level == ORACLE_SAME || worse); /* the oracle has tried everything */
    if (level != ORACLE_SAME && !differences[level]++)
      print_message("# seed %llu: not the least: %s\n%s\n", from, level_names[level], describe(&f));
    changed += plan->create > 0;
    recuts += plan->destroy > 0;
  }
  print_message("# %d of %d plans change something, %d of them withdraw\n", changed, instances, recuts);
  print_differences(differences);
  assert_true(instances < SHARES_FROM || recuts >= instances / 10);
  for (int level = ORACLE_RECUT; level < ORACLE_LEVELS; level++)
    assert_int_equal(differences[level], 0);
}

/* ---- what people wish ---- */

/* Slices of the profile that pods on the node ask for. */
static int count_bound(const Fixture *f, const Node *node, const char *profile) {
  char resource[MIG_RESOURCE_NAME_SIZE];
  int count = 0;
  mig_profile_format_resource(profile, resource);
  for (size_t i = 0; i < f->pods.count; i++)
    count += f->pods.items[i]->node_name && strcmp(f->pods.items[i]->node_name, node->meta.name) == 0 &&
             strcmp(pod_common(f->pods.items[i])->containers.items[0].requests.items[0].key, resource) == 0;
  return count;
}

static int count_existing(const SnapshotNode *node, const char *profile) {
  int count = 0;
  for (int g = 0; g < node->gpu_count; g++) {
    int number = mig_model_find_profile(node->gpus[g].model, profile);
    count += number < 0 ? 0 : mig_layout_count(node->gpus[g].layout, number);
  }
  return count;
}

static int count_destroyed(const Fixture *f, int node, const char *profile) {
  int count = 0;
  for (size_t i = 0; i < f->plan.gpus.count; i++) {
    const PlanGpu *gpu = &f->plan.gpus.items[i];
    const MigModel *model = f->snapshot.nodes.items[node].gpus[gpu->gpu].model;
    for (int d = 0; gpu->node == node && d < gpu->destroy_count; d++)
      count += strcmp(model->profiles[gpu->destroys[d].profile].name, profile) == 0;
  }
  return count;
}

static void assert_obeyed(Fixture *f, const PlanGpu *changes, unsigned long long from) {
  const SnapshotNode *node = &f->snapshot.nodes.items[changes->node];
  const SnapshotGpu *gpu = &node->gpus[changes->gpu];
  for (int i = 0; i < changes->create_count; i++)
    if (!oracle_may_create(node->object, gpu->index, gpu->model->profiles[changes->creates[i].profile].name))
      fail_msg("seed %llu: %s", from, describe(f));
  for (int i = 0; i < changes->destroy_count; i++) {
    const char *name = gpu->model->profiles[changes->destroys[i].profile].name;
    int left = count_existing(node, name) - count_destroyed(f, changes->node, name);
    if (!oracle_may_destroy(node->object, gpu->index, name, changes->destroys[i].start) ||
        left < count_bound(f, node->object, name))
      fail_msg("seed %llu: %s", from, describe(f));
  }
}

static void what_people_wish_is_obeyed_and_floating_claims_keep_a_slice(void **state) {
  Random random = {.state = seed};
  for (int i = 0; i < instances; i++) {
    unsigned long long from = random.state;
    CLEANUP(fixture_deinit) Fixture f = {0};
    make_cluster(&f, &random);
    const PlanOptions options = {.leftover = i % 2 ? PLAN_LEFTOVER_FILL : PLAN_LEFTOVER_NONE};
    const Plan *plan = fixture_plan(&f, &options);
    for (size_t g = 0; g < plan->gpus.count; g++)
      assert_obeyed(&f, &plan->gpus.items[g], from);
  }
}

/* ---- again, and in another order ---- */

static void a_plan_that_was_carried_out_is_not_changed_by_the_next_one(void **state) {
  Random random = {.state = seed};
  int at_rest = 0;
  for (int i = 0; i < instances; i++) {
    unsigned long long from = random.state;
    CLEANUP(fixture_deinit) Fixture f = {0};
    make_cluster(&f, &random);
    int served[RANDOM_TIERS_MAX], served_again[RANDOM_TIERS_MAX];
    fixture_plan(&f, NULL);
    random_count_served(&f, served);
    fixture_carry_out(&f);
    const Plan *again = fixture_plan(&f, NULL);
    random_count_served(&f, served_again);
    at_rest += !again->gpus.count;
    if (again->gpus.count && compare_served(served_again, served) <= 0)
      fail_msg("seed %llu: again, and for nothing: %s", from, describe(&f));
  }
  print_message("# %d of %d plans are final\n", at_rest, instances);
  assert_true(instances < SHARES_FROM || (int64_t)at_rest * 100 >= (int64_t)instances * IDEMPOTENT_SHARE);
}

static void the_order_of_nodes_and_pods_does_not_matter(void **state) {
  Random random = {.state = seed};
  for (int i = 0; i < instances / 2; i++) {
    unsigned long long from = random.state;
    CLEANUP(fixture_deinit) Fixture f = {0};
    make_cluster(&f, &random);
    fixture_plan(&f, NULL);
    const char *changes = fixture_changes(&f), *verdicts = fixture_verdicts(&f);
    fixture_shuffle(&f, &random);
    fixture_plan(&f, NULL);
    if (strcmp(changes, fixture_changes(&f)) != 0 || strcmp(verdicts, fixture_verdicts(&f)) != 0)
      fail_msg("seed %llu: %s\n%s\nand in another order: %s", from, changes, verdicts, describe(&f));
  }
}

/* ---- by example ---- */

/* The 7g takes the empty GPU, because the 4g of the higher priority does with less than a whole one. */
static void a_higher_tier_grows_where_a_lower_one_disturbs_least(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  fixture_gpu(&f, fixture_node(&f, "n2"), A100, "2g.20gb@0:free,1g.20gb@4:free");
  fixture_pod(&f, "p0", "4g.40gb")->priority = 1;
  fixture_pod(&f, "p1", "7g.80gb");
  fixture_plan(&f, NULL);
  assert_string_equal(fixture_changes(&f), "n1/0: 7g.80gb@0; n2/0: -2g.20gb@0 4g.40gb@0");
}

static void pods_of_one_node_are_placed_together(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "2g.20gb@4:free,1g.10gb@6:free");
  fixture_pod(&f, "p0", "1g.20gb");
  fixture_pod(&f, "p1", "3g.40gb");
  fixture_plan(&f, NULL);
  assert_string_equal(fixture_changes(&f), "n1/0: -1g.10gb@6 1g.20gb@6 3g.40gb@0");
}

/* An A100 has one set of media engines, so the free +me slice has to go before it can be anywhere else. */
static void what_serves_a_higher_tier_moves_for_a_lower_one(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "1g.10gb+me@2:free");
  fixture_pod(&f, "p0", "1g.10gb+me")->priority = 1;
  fixture_pod(&f, "p1", "4g.40gb");
  fixture_plan(&f, NULL);
  assert_string_equal(fixture_changes(&f), "n1/0: -1g.10gb+me@2 1g.10gb+me@6 4g.40gb@0");
  assert_string_equal(fixture_verdicts(&f), "p0 admitted n1; p1 admitted n1");
}

/* Either pod could take the free slice of n0. Then the other one gets a new slice: p0 on n1 or n2, p1 on n2.
 */
static void of_equal_plans_the_first_node_by_name_is_changed(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  for (int i = 0; i < 3; i++) {
    Node *node = fixture_node(&f, arena_format(&f.arena, "n%d", i));
    fixture_gpu(&f, node, A100, i ? "" : "4g.40gb@0:used,2g.20gb@4:used,1g.10gb@6:free");
    fixture_set(&f, &node->meta.labels, "zone", i == 1 ? "b" : "a");
  }
  fixture_pod(&f, "p0", "1g.10gb");
  fixture_set(&f, &fixture_pod(&f, "p1", "1g.10gb")->common->node_selector, "zone", "a");
  fixture_plan(&f, NULL);
  assert_string_equal(fixture_changes(&f), "n1/0: 1g.10gb@6");
  assert_string_equal(fixture_verdicts(&f), "p0 admitted n1; p1 fits n0");
}

int main(int argc, char **argv) {
  test_seed_read(argc, argv, &seed, &instances);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_higher_tier_grows_where_a_lower_one_disturbs_least),
      cmocka_unit_test(pods_of_one_node_are_placed_together),
      cmocka_unit_test(what_serves_a_higher_tier_moves_for_a_lower_one),
      cmocka_unit_test(of_equal_plans_the_first_node_by_name_is_changed),
      cmocka_unit_test(plans_serve_the_most_and_disturb_the_least),
      cmocka_unit_test(what_people_wish_is_obeyed_and_floating_claims_keep_a_slice),
      cmocka_unit_test(a_plan_that_was_carried_out_is_not_changed_by_the_next_one),
      cmocka_unit_test(the_order_of_nodes_and_pods_does_not_matter),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
