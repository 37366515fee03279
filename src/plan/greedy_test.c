/* SPDX-License-Identifier: Apache-2.0 */
/* On large clusters hosts are ranked instead of looked at one by one: the pods must end where they would
 * otherwise, also where other pods keep them away from hosts. */
#include "base/test_seed.h"
#include "plan/plan_fixture.h"

#include "plan/greedy.h"

enum { NODES = 30, PODS = 90, APPS = 5, ZONES = 4 };

static uint64_t seed = 20261129;
static int instances = 60;

static const char *const profiles[] = {"1g.10gb", "2g.20gb", "3g.40gb", "1g.20gb", "7g.80gb"};
static const char *const layouts[] = {"", "1g.10gb@2:used", "3g.40gb@4:used,1g.10gb@0:free",
                                      "2g.20gb@2:free"};
static const char *const apps[APPS] = {"a", "b", "c", "d", "e"};

static void tie(Fixture *f, Random *random, Pod *pod, int app) {
  KeyValue *own = arena_alloc(&f->arena, 2 * sizeof *own);
  own[0] = (KeyValue){"app", apps[app]};
  own[1] = (KeyValue){"app", apps[(app + 1) % APPS]};
  pod->meta.labels = (KeyValues){.items = &own[0], .count = 1};
  if (app % 2) {
    TopologySpreadConstraint *spread = arena_alloc(&f->arena, sizeof *spread);
    *spread = (TopologySpreadConstraint){.topology_key = "zone",
                                         .when_unsatisfiable = "DoNotSchedule",
                                         .max_skew = 1 + (int32_t)random_below(random, 2),
                                         .has_selector = true,
                                         .selector = {.match_labels = {&own[0], 1}}};
    pod->common->spread_constraints =
        (__typeof__(pod->common->spread_constraints)){.items = spread, .count = 1};
  }
  if (app == 0 || app == 3) {
    PodAffinityTerm *anti = arena_alloc(&f->arena, sizeof *anti);
    *anti = (PodAffinityTerm){.topology_key = "kubernetes.io/hostname",
                              .has_selector = true,
                              .selector = {.match_labels = {&own[1], 1}}};
    pod->common->anti_affinity_terms =
        (__typeof__(pod->common->anti_affinity_terms)){.items = anti, .count = 1};
  }
  if (app == 4) {
    PodAffinityTerm *near = arena_alloc(&f->arena, sizeof *near);
    *near = (PodAffinityTerm){
        .topology_key = "zone", .has_selector = true, .selector = {.match_labels = {&own[1], 1}}};
    pod->common->affinity_terms = (__typeof__(pod->common->affinity_terms)){.items = near, .count = 1};
  }
}

static void make_cluster(Fixture *f, Random *random, bool is_tied) {
  for (int i = 0; i < NODES; i++) {
    Node *node = fixture_node(f, arena_format(&f->arena, "n%02d", i));
    fixture_set(f, &node->meta.labels, "kubernetes.io/hostname", node->meta.name);
    fixture_set(f, &node->meta.labels, "zone",
                arena_format(&f->arena, "z%d", (int)random_below(random, ZONES)));
    fixture_set(f, (KeyValues *)&node->allocatable, "cpu",
                arena_format(&f->arena, "%d", 3 + (int)random_below(random, 6)));
    for (int gpus = 1 + (int)random_below(random, 2); gpus > 0; gpus--)
      fixture_gpu(f, node, A100, layouts[random_below(random, COUNT_OF(layouts))]);
  }
  for (int i = 0; i < PODS; i++) {
    int app = (int)random_below(random, APPS);
    Pod *pod = fixture_pod(f, arena_format(&f->arena, "p%02d", i), profiles[app]);
    fixture_ask(f, pod, "cpu", arena_format(&f->arena, "%d", 1 + app % 2));
    if (is_tied)
      tie(f, random, pod, app);
  }
}

static void serve(const PlanProblem *problem, size_t ranked_hosts_min, PlanOffer *ret_offer) {
  CLEANUP(plan_draft_deinit) PlanDraft draft;
  CLEANUP(plan_greedy_deinit) PlanGreedy greedy;
  plan_draft_init(&draft, problem);
  plan_greedy_init(&greedy, &draft);
  greedy.ranked_hosts_min = ranked_hosts_min;
  plan_greedy_serve_rest(&greedy);
  plan_draft_get_offer(&draft, ret_offer);
}

static void compare(bool is_tied) {
  Random random = {.state = seed + is_tied};
  int served = 0, left_out = 0;
  for (int i = 0; i < instances; i++) {
    uint64_t state = random.state;
    CLEANUP(fixture_deinit) Fixture f = {0};
    CLEANUP(plan_problem_deinit) PlanProblem problem;
    CLEANUP(plan_offer_deinit) PlanOffer ranked, looked_at;
    make_cluster(&f, &random, is_tied);
    fixture_snapshot(&f);
    f.planned = true; /* the snapshot goes with the fixture */
    plan_problem_init(&problem, &f.snapshot, 0);
    serve(&problem, 0, &ranked);
    serve(&problem, SIZE_MAX, &looked_at);
    for (size_t pod = 0; pod < problem.waiting.count; pod++) {
      if (ranked.hosts[pod] != looked_at.hosts[pod])
        fail_msg("state %llu: pod %zu is on host %d, by looking at all on %d", (unsigned long long)state, pod,
                 ranked.hosts[pod], looked_at.hosts[pod]);
      served += ranked.hosts[pod] >= 0;
      left_out += ranked.hosts[pod] < 0;
    }
  }
  assert_true(served > instances);
  assert_true(left_out > instances);
}

static void ranked_hosts_serve_the_same_pods_as_looking_at_all(void **state) {
  compare(false);
}

static void ranked_hosts_that_other_pods_keep_away_are_passed_over(void **state) {
  compare(true);
}

int main(int argc, char **argv) {
  test_seed_read(argc, argv, &seed, &instances);
  print_message("# seed %llu\n", (unsigned long long)seed);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ranked_hosts_serve_the_same_pods_as_looking_at_all),
      cmocka_unit_test(ranked_hosts_that_other_pods_keep_away_are_passed_over),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
