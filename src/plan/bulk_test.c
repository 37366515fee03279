/* SPDX-License-Identifier: Apache-2.0 */
/* Clusters of some dozen nodes, too large for the oracle: what is counted must hold. */
#include "plan/plan_fixture.h"

#include "plan/bulk.h"
#include "plan/draft.h"
#include "plan/fill.h"
#include "plan/greedy.h"
#include "plan/offer_fixture.h"

enum { INSTANCES = 60, NODES_MAX = 40, PODS_MAX = 400 };

static const char *const models[] = {A100, H100, A30, A100_40, PRO6000};
static const char *const profiles[] = {"1g.10gb", "1g.10gb", "2g.20gb", "3g.40gb", "7g.80gb", "1g.6gb",
                                       "2g.12gb", "1g.5gb",  "1g.20gb", "4g.40gb", "1g.24gb"};

typedef struct Mix {
  bool is_mixed, is_tight, has_zones, has_tiers;
} Mix;

static void add_gpu(Fixture *f, Random *random, Node *node, const char *model) {
  const MigModel *known = &mig_model_find(model)->model;
  char status[MIG_STATUS_TEXT_SIZE];
  MigLayout layout;
  mig_layout_init(&layout, known);
  for (int tries = (int)random_below(random, 4); tries > 0; tries--) {
    int profile = (int)random_below(random, known->profile_count);
    int start = (int)random_below(random, known->slot_count);
    if (mig_layout_can_place(&layout, profile, start))
      mig_layout_place(&layout, profile, start);
  }
  mig_status_format(&layout, (uint32_t)random_next(random), status, sizeof status);
  fixture_gpu(f, node, model, status);
}

static const char *random_zone(Random *random) {
  static const char *const zones[] = {"north", "east", "south"};
  return zones[random_below(random, COUNT_OF(zones))];
}

static void make_cluster(Fixture *f, Random *random, const Mix *mix) {
  int nodes = 2 + (int)random_below(random, NODES_MAX - 1);
  const char *model = models[random_below(random, COUNT_OF(models))];
  for (int n = 0; n < nodes; n++) {
    Node *node = fixture_node(f, arena_format(&f->arena, "n%02d", n));
    if (mix->is_tight)
      fixture_set(f, (KeyValues *)&node->allocatable, "cpu",
                  arena_format(&f->arena, "%d", 4 + (int)random_below(random, 20)));
    if (mix->has_zones)
      fixture_set(f, &node->meta.labels, "zone", random_zone(random));
    for (int gpus = 1 + (int)random_below(random, 8); gpus > 0; gpus--)
      add_gpu(f, random, node, mix->is_mixed ? models[random_below(random, COUNT_OF(models))] : model);
  }
  for (int pods = (int)random_below(random, PODS_MAX); pods > 0; pods--) {
    Pod *pod = fixture_pod(f, arena_format(&f->arena, "p%03d", pods),
                           profiles[random_below(random, COUNT_OF(profiles))]);
    pod->priority = mix->has_tiers ? (int32_t)random_below(random, 3) : 0;
    if (mix->is_tight)
      fixture_ask(f, pod, "cpu", arena_format(&f->arena, "%d", 1 + (int)random_below(random, 5)));
    if (mix->has_zones && random_below(random, 2))
      fixture_set(f, &pod->common->node_selector, "zone", random_zone(random));
  }
}

/* Carries the offer out pod by pod: every service must be one that the scheduler confirms. */
static void assert_holds(const PlanProblem *problem, const PlanOffer *offer, PlanDraft *draft) {
  int served = 0;
  plan_draft_apply(draft, offer, 0, problem->waiting.count);
  for (size_t i = 0; i < problem->waiting.count; i++) {
    if (draft->hosts[i] != offer->hosts[i])
      fail_msg("pod %zu should be on host %d and is on %d", i, offer->hosts[i], draft->hosts[i]);
    served += offer->hosts[i] >= 0;
  }
  for (int tier = 0; tier < problem->tier_count; tier++)
    served -= offer->served[tier];
  assert_int_equal(served, 0);
}

static int compare_slices(const void *a, const void *b) {
  const PlanSlice *left = a, *right = b;
  return left->gpu != right->gpu ? left->gpu - right->gpu : left->start - right->start;
}

/* The left-over slices are the same, whichever way they are found. */
static void assert_filled_alike(const PlanProblem *problem, PlanOffer *offer, PlanDraft *draft) {
  static const PlanDemand demands[] = {{"1g.10gb", 3}, {"2g.12gb", 1}, {"2g.20gb", 1.5}};
  const PlanOptions options = {
      .leftover = PLAN_LEFTOVER_FILL, .recent_demand = demands, .recent_demand_count = COUNT_OF(demands)};
  plan_fill(draft, &options);
  plan_fill_offer(problem, &options, offer);
  assert_int_equal(draft->slices.count, offer->slices.count);
  if (!offer->slices.count)
    return;
  qsort(draft->slices.items, draft->slices.count, sizeof draft->slices.items[0], compare_slices);
  qsort(offer->slices.items, offer->slices.count, sizeof offer->slices.items[0], compare_slices);
  for (size_t i = 0; i < offer->slices.count; i++) {
    const PlanSlice *left = &draft->slices.items[i], *right = &offer->slices.items[i];
    assert_int_equal(left->gpu, right->gpu);
    assert_int_equal(left->start, right->start);
    assert_int_equal(left->profile, right->profile);
    assert_int_equal(left->waiting, right->waiting);
  }
}

/* Beside those who are served nobody else can be, by growth. */
static void assert_nobody_left(const PlanProblem *problem, PlanDraft *draft) {
  CLEANUP(plan_greedy_deinit) PlanGreedy greedy;
  plan_greedy_init(&greedy, draft);
  for (size_t i = 0; i < problem->waiting.count; i++)
    if (draft->hosts[i] < 0 && plan_greedy_serve(&greedy, (int)i, 0))
      fail_msg("pod %zu was left out", i);
}

static void check(const Mix *mix) {
  for (uint64_t seed = 1; seed <= INSTANCES; seed++) {
    Random random = {.state = seed};
    CLEANUP(fixture_deinit) Fixture f = {0};
    make_cluster(&f, &random, mix);
    fixture_snapshot(&f);
    PlanProblem problem;
    PlanOffer offer;
    PlanDraft draft;
    plan_problem_init(&problem, &f.snapshot, 0);
    PlanBulkResult result = plan_bulk_solve(&problem, &offer);
    plan_draft_init(&draft, &problem);
    assert_holds(&problem, &offer, &draft);
    offer_assert_oldest_served(&problem, &offer);
    if (result >= PLAN_BULK_COMPLETE)
      assert_nobody_left(&problem, &draft);
    assert_filled_alike(&problem, &offer, &draft);
    plan_draft_deinit(&draft);
    plan_offer_deinit(&offer);
    plan_problem_deinit(&problem);
    snapshot_deinit(&f.snapshot);
  }
}

static void counted_plans_hold_on_one_model(void **state) {
  check(&(Mix){.has_tiers = true});
}

static void counted_plans_hold_on_mixed_fleets(void **state) {
  check(&(Mix){.is_mixed = true, .has_tiers = true});
}

static void counted_plans_hold_where_nodes_run_short(void **state) {
  check(&(Mix){.is_tight = true, .has_tiers = true});
  check(&(Mix){.is_tight = true});
}

static void counted_plans_hold_in_zones(void **state) {
  check(&(Mix){.has_zones = true});
  check(&(Mix){.has_zones = true, .is_tight = true, .is_mixed = true, .has_tiers = true});
}

/* In tiers: the highest first. */
static int serve_all(Fixture *f, PlanOffer *ret_offer, PlanBulkResult *ret_result) {
  PlanProblem problem;
  int served = 0;
  fixture_snapshot(f);
  plan_problem_init(&problem, &f->snapshot, 0);
  *ret_result = plan_bulk_solve(&problem, ret_offer);
  for (int tier = 0; tier < problem.tier_count; tier++)
    served += ret_offer->served[tier];
  plan_problem_deinit(&problem);
  snapshot_deinit(&f->snapshot);
  return served;
}

static void pods_that_could_be_elsewhere_make_room(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(plan_offer_deinit) PlanOffer offer;
  PlanBulkResult result;
  static const char *const zones[] = {"a", "b", "c"};
  for (int i = 0; i < 3; i++) {
    Node *node = fixture_node(&f, arena_format(&f.arena, "n%d", i));
    fixture_set(&f, &node->meta.labels, "zone", zones[i]);
    fixture_set(&f, &node->meta.labels, "not-c", i < 2 ? "yes" : "no");
    fixture_gpu(&f, node, A100, "");
  }
  fixture_pods(&f, 1, "anywhere", "7g.80gb");
  fixture_set(&f, &fixture_pod(&f, "a-or-b", "7g.80gb")->common->node_selector, "not-c", "yes");
  fixture_set(&f, &fixture_pod(&f, "a", "7g.80gb")->common->node_selector, "zone", "a");
  assert_int_equal(serve_all(&f, &offer, &result), 3);
}

/* Two nodes with 8 and 2 cpus: who asks 4 must go to the first, and not those who ask 1. */
static void heavy_pods_go_where_there_is_room_for_them(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(plan_offer_deinit) PlanOffer offer;
  PlanBulkResult result;
  for (int i = 0; i < 2; i++) {
    Node *node = fixture_node(&f, arena_format(&f.arena, "n%d", i));
    fixture_set(&f, (KeyValues *)&node->allocatable, "cpu", i ? "2" : "8");
    fixture_gpu(&f, node, A100, "3g.40gb@0:used,1g.10gb@4:used,1g.10gb@5:used");
    fixture_gpu(&f, node, A100, "3g.40gb@0:used,1g.10gb@4:used,1g.10gb@5:used");
  }
  for (int i = 0; i < 4; i++)
    fixture_ask(&f, fixture_pod(&f, arena_format(&f.arena, "p%d", i), "1g.10gb"), "cpu", i < 2 ? "1" : "4");
  assert_int_equal(serve_all(&f, &offer, &result), 4);
}

/* What is left of a GPU may be worth less than what was just taken from it: that it cannot be spared says
 * nothing of the other GPUs. */
static void what_a_gpu_cannot_spare_does_not_close_the_others(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(plan_problem_deinit) PlanProblem problem;
  CLEANUP(plan_offer_deinit) PlanOffer offer;
  for (int i = 0; i < 3; i++) /* each has room for 1g.20gb@6 and six 1g.10gb */
    fixture_gpu(&f, fixture_node(&f, arena_format(&f.arena, "n%d", i)), A100, "");
  fixture_pods(&f, 3, "d", "1g.20gb");
  fixture_pods(&f, 18, "s", "1g.10gb");
  fixture_snapshot(&f);
  plan_problem_init(&problem, &f.snapshot, 0);
  assert_int_equal(plan_bulk_solve(&problem, &offer), PLAN_BULK_PROVEN);
  assert_true(plan_offer_serves_all(&problem, &offer));
  snapshot_deinit(&f.snapshot);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(counted_plans_hold_on_one_model),
      cmocka_unit_test(counted_plans_hold_on_mixed_fleets),
      cmocka_unit_test(counted_plans_hold_where_nodes_run_short),
      cmocka_unit_test(counted_plans_hold_in_zones),
      cmocka_unit_test(what_a_gpu_cannot_spare_does_not_close_the_others),
      cmocka_unit_test(pods_that_could_be_elsewhere_make_room),
      cmocka_unit_test(heavy_pods_go_where_there_is_room_for_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
