/* SPDX-License-Identifier: Apache-2.0 */
/* Plans beside a scheduler with a mind of its own: it puts pods on any node that takes them, in any order,
 * and leaves some for later. Plan, cut, schedule, and again, until nobody has anything left to do: that has
 * to come, and soon. Give a number as argument to run with another seed, a second one for more instances. */
#include "base/test_seed.h"
#include "plan/random_cluster.h"

enum { ROUNDS_PER_POD = 3, ROUNDS_MORE = 8 };

static uint64_t seed = 20261201;
static int instances = 300;

static const RandomMix mix = {.many_models = true,
                              .several_slices = true,
                              .other_profiles = true,
                              .limits = true,
                              .selectors = true,
                              .recut = true};

/* Binds some of the pods that fit somewhere; returns how many. Which slice each of them got is not told by
 * anybody yet: they are floating claims. */
static int schedule(Fixture *f, Random *random) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  Fixture now = {.nodes = f->nodes, .pods = f->pods};
  SchedVerdict verdict;
  int bound = 0;
  fixture_snapshot(&now);
  snapshot = now.snapshot;
  for (size_t i = 0; i < snapshot.pods.count; i++) {
    size_t pod = (i + random_below(random, snapshot.pods.count)) % snapshot.pods.count;
    int first = (int)random_below(random, snapshot.nodes.count);
    for (size_t n = 0; n < snapshot.nodes.count && snapshot.pods.items[pod].node < 0; n++) {
      size_t node = ((size_t)first + n) % snapshot.nodes.count;
      if (!sched_fits(&snapshot, (int)pod, (int)node, &verdict))
        continue;
      snapshot_bind(&snapshot, (int)pod, (int)node);
      ((Pod *)snapshot.pods.items[pod].object)->node_name = snapshot.nodes.items[node].name;
      bound++;
    }
  }
  return bound;
}

/* Node names outlive the snapshot: they are the objects' own. */
static void re_planning_beside_a_random_scheduler_comes_to_rest(void **state) {
  Random random = {.state = seed};
  const PlanOptions options = {.leftover = PLAN_LEFTOVER_FILL};
  print_message("# seed %llu\n", (unsigned long long)seed);
  int recuts = 0, bound = 0;
  for (int i = 0; i < instances; i++) {
    uint64_t from = random.state;
    CLEANUP(fixture_deinit) Fixture f = {0};
    random_cluster(&f, &random, &mix);
    int rounds_max = ROUNDS_MORE + ROUNDS_PER_POD * (int)f.pods.count;
    for (int round = 0;; round++) {
      const Plan *plan = fixture_plan(&f, &options);
      if (!plan->gpus.count && !plan->already_fit)
        break;
      recuts += plan->destroy > 0;
      if (round == rounds_max)
        fail_msg("state %llu: still %s after %d rounds\n%s", (unsigned long long)from, fixture_changes(&f),
                 round, fixture_verdicts(&f));
      fixture_carry_out(&f);
      bound += schedule(&f, &random);
    }
  }
  assert_true(recuts > instances / 20);
  assert_true(bound > instances);
}

/* Without anybody binding pods a plan that was carried out may be followed by one that serves more of the
 * first tier in which they differ, never by one that only moves slices about. */
static void a_plan_that_changes_something_serves_more_than_the_one_before(void **state) {
  Random random = {.state = seed + 1};
  const PlanOptions options = {.leftover = PLAN_LEFTOVER_FILL};
  for (int i = 0; i < instances; i++) {
    uint64_t from = random.state;
    CLEANUP(fixture_deinit) Fixture f = {0};
    random_cluster(&f, &random, &mix);
    int before[RANDOM_TIERS_MAX], after[RANDOM_TIERS_MAX];
    fixture_plan(&f, &options);
    for (int round = 0; round < 4; round++) {
      random_count_served(&f, before);
      fixture_carry_out(&f);
      fixture_plan(&f, &options);
      random_count_served(&f, after);
      int tier = 0;
      while (tier < RANDOM_TIERS_MAX - 1 && before[tier] == after[tier])
        tier++;
      if (after[tier] < before[tier])
        fail_msg("state %llu: fewer pods after %s", (unsigned long long)from, fixture_changes(&f));
      if (f.plan.destroy && after[tier] == before[tier])
        fail_msg("state %llu: a re-cut for nothing: %s", (unsigned long long)from, fixture_changes(&f));
    }
  }
}

int main(int argc, char **argv) {
  test_seed_read(argc, argv, &seed, &instances);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(re_planning_beside_a_random_scheduler_comes_to_rest),
      cmocka_unit_test(a_plan_that_changes_something_serves_more_than_the_one_before),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
