/* SPDX-License-Identifier: Apache-2.0 */
/* What is counted, against all ways to send the pods to the hosts, one by one. */
#include "plan/most.h"

#include "plan/random_cluster.h"

enum { CLUSTERS = 400, STEPS = 200000, HOSTS_MAX = 4, KINDS_MAX = 32 };

typedef struct World {
  Fixture f;
  PlanProblem problem;
  PlanMostType types[RANDOM_PODS_MAX];
  int type_count;
} World;

static void world_deinit(World *world) {
  plan_problem_deinit(&world->problem);
  fixture_deinit(&world->f);
}

static void collect_types(World *world) {
  for (size_t i = 0; i < world->problem.waiting.count; i++) {
    const PlanWaiting *pod = &world->problem.waiting.items[i];
    int type = 0;
    while (type < world->type_count &&
           (world->types[type].class_ != pod->class_ || world->types[type].tier != pod->tier))
      type++;
    assert_true(type < RANDOM_PODS_MAX);
    world->types[type] =
        (PlanMostType){.class_ = pod->class_, .tier = pod->tier, .wanted = world->types[type].wanted + 1};
    world->type_count = type < world->type_count ? world->type_count : type + 1;
  }
}

static void prepare(World *world) {
  fixture_snapshot(&world->f);
  world->f.planned = true; /* the snapshot goes with the fixture */
  plan_problem_init(&world->problem, &world->f.snapshot, 0);
  collect_types(world);
}

static bool count(const World *world, PlanMeans means, int *ret_served) {
  PlanBudget budget = {.steps = INT64_MAX};
  PlanFits *fits = plan_fits_new(&world->problem, means, &budget);
  bool known = plan_most_count(&world->problem, fits, world->types, world->type_count, ret_served);
  plan_fits_free(fits);
  return known;
}

/* ---- one by one ---- */

typedef struct Walk {
  const PlanProblem *problem;
  PlanMeans means;
  int asked[HOSTS_MAX][KINDS_MAX];
  int64_t rooms[HOSTS_MAX][PLAN_RESOURCES_MAX + 1];
  int served[RANDOM_TIERS_MAX], best[RANDOM_TIERS_MAX];
} Walk;

static bool has_place(const Walk *walk, int host) {
  CLEANUP(cleanup_free) int *kept = mem_alloc(walk->problem->kinds.count * sizeof *kept);
  PlanPacking packing;
  int64_t steps = STEPS;
  const PlanRealiseQuestion question = {.problem = walk->problem,
                                        .host = host,
                                        .asked = walk->asked[host],
                                        .means = walk->means,
                                        .is_thorough = true};
  return plan_realise_pack(&question, &steps, kept, &packing);
}

static void change(Walk *walk, int host, size_t waiting, int sign) {
  const PlanClass *class_ = plan_problem_class(walk->problem, (int)waiting);
  for (int n = 0; n < class_->need_count; n++)
    walk->asked[host][class_->needs[n].kind] += sign * class_->needs[n].count;
  for (size_t i = 0; i <= walk->problem->resources.count; i++)
    walk->rooms[host][i] -= sign * class_->takes[i];
  walk->served[walk->problem->waiting.items[waiting].tier] += sign;
}

static void walk_from(Walk *walk, size_t waiting) {
  if (waiting == walk->problem->waiting.count) {
    int tier = 0;
    while (tier < RANDOM_TIERS_MAX - 1 && walk->served[tier] == walk->best[tier])
      tier++;
    if (walk->served[tier] > walk->best[tier])
      memcpy(walk->best, walk->served, sizeof walk->best);
    return;
  }
  const PlanClass *class_ = plan_problem_class(walk->problem, (int)waiting);
  for (int host = 0; host < (int)walk->problem->hosts.count; host++) {
    if (!plan_class_admits(class_, host) || !plan_rooms_hold(walk->problem, class_, walk->rooms[host]))
      continue;
    change(walk, host, waiting, 1);
    if (has_place(walk, host))
      walk_from(walk, waiting + 1);
    change(walk, host, waiting, -1);
  }
  walk_from(walk, waiting + 1); /* without it */
}

static void walk_all(const PlanProblem *problem, PlanMeans means, int best[RANDOM_TIERS_MAX]) {
  Walk walk = {.problem = problem, .means = means};
  assert_true(problem->hosts.count <= HOSTS_MAX && problem->kinds.count <= KINDS_MAX);
  for (int host = 0; host < (int)problem->hosts.count; host++)
    memcpy(walk.rooms[host], plan_problem_rooms(problem, host),
           (problem->resources.count + 1) * sizeof walk.rooms[0][0]);
  walk_from(&walk, 0);
  memcpy(best, walk.best, sizeof walk.best);
}

static void compare(const RandomMix *mix, PlanMeans means, uint64_t seed) {
  Random random = {.state = seed};
  int counted = 0, some_wait = 0;
  for (int i = 0; i < CLUSTERS; i++) {
    CLEANUP(world_deinit) World world = {0};
    int served[RANDOM_TIERS_MAX] = {0}, best[RANDOM_TIERS_MAX];
    random_cluster(&world.f, &random, mix);
    prepare(&world);
    if (!world.type_count || !count(&world, means, served))
      continue;
    walk_all(&world.problem, means, best);
    for (int tier = 0; tier < RANDOM_TIERS_MAX; tier++)
      if (served[tier] != best[tier])
        fail_msg("cluster %d of seed %d, tier %d: %d are counted, %d can be served", i, (int)seed, tier,
                 served[tier], best[tier]);
    counted++;
    some_wait += best[0] + best[1] + best[2] < (int)world.problem.waiting.count;
  }
  assert_true(counted > CLUSTERS * 3 / 4 && some_wait > CLUSTERS / 8); /* neither is rare */
}

static void growth_in_tiers(void **state) {
  compare(&(RandomMix){.many_models = true, .limits = true, .selectors = true}, PLAN_BY_GROWTH, 1);
}

static void growth_of_several_slices(void **state) {
  compare(&(RandomMix){.recut = true, .several_slices = true}, PLAN_BY_GROWTH, 2);
}

static void withdrawal_beside_bound_pods(void **state) {
  compare(&(RandomMix){.recut = true, .many_models = true, .limits = true}, PLAN_BY_WITHDRAWAL, 3);
}

static void free_slices_as_they_are(void **state) {
  compare(&(RandomMix){.recut = true, .selectors = true}, PLAN_BY_EXISTING, 4);
}

/* ---- limits ---- */

static void make_pods(World *world, int types, int pods_each) {
  static const char *const profiles[] = {"1g.10gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"};
  fixture_gpu(&world->f, fixture_node(&world->f, "n1"), A100, NULL);
  for (int type = 0; type < types; type++) {
    char name[16];
    snprintf(name, sizeof name, "t%d-", type);
    fixture_pods(&world->f, pods_each, name, profiles[type]);
  }
  prepare(world);
}

static void as_many_states_as_are_counted(void **state) {
  int served[RANDOM_TIERS_MAX] = {0};
  CLEANUP(world_deinit) World at_limit = {0}, beyond = {0};
  make_pods(&at_limit, 5, 7);
  assert_int_equal(at_limit.type_count, 5); /* of four types 0 to 7 pods: 4,096 states */
  assert_true(count(&at_limit, PLAN_BY_GROWTH, served));
  assert_int_equal(served[0], 7);
  make_pods(&beyond, 5, 8);
  assert_false(count(&beyond, PLAN_BY_GROWTH, served));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(growth_in_tiers),
      cmocka_unit_test(growth_of_several_slices),
      cmocka_unit_test(withdrawal_beside_bound_pods),
      cmocka_unit_test(free_slices_as_they_are),
      cmocka_unit_test(as_many_states_as_are_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
