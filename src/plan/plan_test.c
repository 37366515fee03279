/* SPDX-License-Identifier: Apache-2.0 */
/* Named scenarios: what is created where, who is served, and the words for those who are not. */
#include "plan/plan_fixture.h"

static const PlanOptions fill = {.leftover = PLAN_LEFTOVER_FILL};

static void five_small_pods_leave_room_for_one_2g_on_an_empty_a100(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  fixture_pods(&f, 5, "p", "1g.10gb");
  const Plan *plan = fixture_plan(&f, &fill);
  assert_string_equal(fixture_changes(&f),
                      "n1/0: 1g.10gb@6 1g.10gb@5 1g.10gb@4 1g.10gb@3 1g.10gb@2 +2g.20gb@0");
  assert_int_equal(plan->pending, 5);
  assert_int_equal(plan->admitted, 5);
  assert_int_equal(plan->already_fit, 0);
  assert_int_equal(plan->create, 6);
  assert_int_equal(plan->destroy, 0);
  assert_int_equal(plan->nodes_changed, 1);
  assert_int_equal(plan->bound, 5);
}

typedef struct Demand { /* "count profile" asked of a cluster */
  int count;
  const char *profile;
  int priority;
} Demand;

typedef struct Scenario {
  const char *what;
  struct {
    const char *node, *model, *status;
  } gpus[4];
  Demand demands[4];
  const char *creates;
  int admitted, already_fit, bound;
} Scenario;

static void build(Fixture *f, const Scenario *scenario) {
  Node *node = NULL;
  for (int i = 0; i < 4 && scenario->gpus[i].node; i++) {
    if (!node || strcmp(node->meta.name, scenario->gpus[i].node) != 0)
      node = fixture_node(f, scenario->gpus[i].node);
    fixture_gpu(f, node, scenario->gpus[i].model, scenario->gpus[i].status);
  }
  for (int i = 0; i < 4 && scenario->demands[i].profile; i++)
    for (int pod = 0; pod < scenario->demands[i].count; pod++)
      fixture_pod(f, arena_format(&f->arena, "p%zu", f->pods.count), scenario->demands[i].profile)->priority =
          scenario->demands[i].priority;
}

static const Scenario scenarios[] = {
    {.what = "no pods, nothing to do", .gpus = {{"n1", A100, ""}}, .creates = ""},
    {.what = "a free slice of the profile is enough",
     .gpus = {{"n1", A100, "1g.10gb@6:free"}},
     .demands = {{1, "1g.10gb", 0}},
     .creates = "",
     .already_fit = 1},
    {.what = "one slice is free, one is created",
     .gpus = {{"n1", A100, "1g.10gb@6:free"}},
     .demands = {{2, "1g.10gb", 0}},
     .creates = "n1/0: 1g.10gb@5",
     .already_fit = 1,
     .admitted = 1,
     .bound = 1},
    {.what = "a slice in use is nobody else's",
     .gpus = {{"n1", A100, "7g.80gb@0:used"}},
     .demands = {{1, "7g.80gb", 0}},
     .creates = ""},
    {.what = "one GPU is enough for what fits one GPU",
     .gpus = {{"n1", A100, ""}, {"n1", A100, ""}, {"n2", A100, ""}},
     .demands = {{2, "3g.40gb", 0}},
     .creates = "n1/0: 3g.40gb@4 3g.40gb@0",
     .admitted = 2,
     .bound = 2},
    {.what = "two GPUs, the empty one is kept whole for the large pod",
     .gpus = {{"n1", A100, ""}, {"n1", A100, "1g.10gb@6:used"}},
     .demands = {{1, "1g.10gb", 0}, {1, "7g.80gb", 0}},
     .creates = "n1/0: 7g.80gb@0; n1/1: 1g.10gb@5",
     .admitted = 2,
     .bound = 2},
    {.what = "the smallest hole is broken first, whichever node it is on",
     .gpus = {{"n1", A100, ""},
              {"n2", A100, "3g.40gb@0:used"},
              {"n3", A100, "4g.40gb@0:used,2g.20gb@4:used"}},
     .demands = {{1, "1g.10gb", 0}},
     .creates = "n3/0: 1g.10gb@6",
     .admitted = 1,
     .bound = 1},
    {.what = "a higher tier is served first, even where it costs seven others",
     .gpus = {{"n1", A100, ""}},
     .demands = {{7, "1g.10gb", 0}, {1, "7g.80gb", 100}},
     .creates = "n1/0: 7g.80gb@0",
     .admitted = 1,
     .bound = 7},
    {.what = "a lower tier gets what is left",
     .gpus = {{"n1", A100, ""}},
     .demands = {{9, "1g.10gb", 0}, {1, "4g.40gb", 100}},
     .creates = "n1/0: 4g.40gb@0 1g.10gb@6 1g.10gb@5 1g.10gb@4",
     .admitted = 4,
     .bound = 7},
    {.what = "within a tier more small pods beat one large",
     .gpus = {{"n1", A100, ""}},
     .demands = {{1, "7g.80gb", 0}, {2, "3g.40gb", 0}},
     .creates = "n1/0: 3g.40gb@4 3g.40gb@0",
     .admitted = 2,
     .bound = 2},
    {.what = "a 3g stays out of the lower half that a 4g needs",
     .gpus = {{"n1", A100, ""}},
     .demands = {{1, "3g.40gb", 0}, {1, "4g.40gb", 0}},
     .creates = "n1/0: 3g.40gb@4 4g.40gb@0",
     .admitted = 2,
     .bound = 2},
    {.what = "a double-memory 1g takes the pair that no 2g can have",
     .gpus = {{"n1", A100, "4g.40gb@0:used"}},
     .demands = {{1, "2g.20gb", 0}, {1, "1g.20gb", 0}},
     .creates = "n1/0: 1g.20gb@6 2g.20gb@4",
     .admitted = 2,
     .bound = 2},
    {.what = "the lower half is given up for a 3g only where no 2g pays for it",
     .gpus = {{"n1", A100, "3g.40gb@4:used"}, {"n1", A100, ""}},
     .demands = {{1, "3g.40gb", 0}, {4, "2g.20gb", 0}},
     .creates = "n1/0: 2g.20gb@2 2g.20gb@0; n1/1: 2g.20gb@2 2g.20gb@0 3g.40gb@4",
     .admitted = 5,
     .bound = 5},
    {.what = "models with the same profiles are one pool",
     .gpus = {{"n1", A100, ""}, {"n2", H100, "4g.40gb@0:used,2g.20gb@4:used"}},
     .demands = {{1, "1g.10gb", 0}, {1, "7g.80gb", 0}},
     .creates = "n1/0: 7g.80gb@0; n2/0: 1g.10gb@6",
     .admitted = 2,
     .bound = 2},
    {.what = "mixed models: 1g.10gb is one slot on one card and two on the other",
     .gpus = {{"n1", A100_40, ""}, {"n2", A100, "3g.40gb@0:used,3g.40gb@4:used"}},
     .demands = {{5, "1g.10gb", 0}},
     .creates = "n1/0: 1g.10gb@6 1g.10gb@4 1g.10gb@2 1g.10gb@0",
     .admitted = 4,
     .bound = 4},
    {.what = "an A30 has four slots",
     .gpus = {{"n1", A30, ""}},
     .demands = {{3, "1g.6gb", 0}, {1, "2g.12gb", 0}},
     .creates = "n1/0: 1g.6gb@3 1g.6gb@2 1g.6gb@1",
     .admitted = 3,
     .bound = 3},
    {.what = "an RTX PRO 6000 has twelve slots",
     .gpus = {{"n1", PRO6000, ""}},
     .demands = {{2, "1g.24gb", 0}, {1, "2g.48gb", 0}},
     .creates = "n1/0: 1g.24gb@3 1g.24gb@0 2g.48gb@6",
     .admitted = 3,
     .bound = 3},
    {.what = "graphics slices are planned too",
     .gpus = {{"n1", PRO6000, "2g.48gb@0:used"}},
     .demands = {{3, "1g.24gb+gfx", 0}},
     .creates = "n1/0: 1g.24gb+gfx@9 1g.24gb+gfx@6",
     .admitted = 2,
     .bound = 2},
    {.what = "only one +me per GPU",
     .gpus = {{"n1", A100, ""}, {"n1", A100, ""}},
     .demands = {{3, "1g.10gb+me", 0}},
     .creates = "n1/0: 1g.10gb+me@6; n1/1: 1g.10gb+me@6",
     .admitted = 2,
     .bound = 2},
};

static void scenarios_are_planned_as_told(void **state) {
  int failures = 0;
  for (size_t i = 0; i < COUNT_OF(scenarios); i++) {
    const Scenario *scenario = &scenarios[i];
    CLEANUP(fixture_deinit) Fixture f = {0};
    build(&f, scenario);
    const Plan *plan = fixture_plan(&f, NULL);
    if (strcmp(fixture_changes(&f), scenario->creates) != 0 || plan->admitted != scenario->admitted ||
        plan->already_fit != scenario->already_fit || plan->bound != scenario->bound) {
      print_error("%s: %s, %d admitted, %d fit, bound %d\n%s\n", scenario->what, fixture_changes(&f),
                  plan->admitted, plan->already_fit, plan->bound, fixture_verdicts(&f));
      failures++;
    }
  }
  assert_int_equal(failures, 0);
}

static void nothing_is_filled_where_leftovers_shall_stay_empty(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  fixture_pod(&f, "p", "3g.40gb");
  fixture_plan(&f, &(PlanOptions){.leftover = PLAN_LEFTOVER_NONE});
  assert_string_equal(fixture_changes(&f), "n1/0: 3g.40gb@4");
}

static void leftovers_are_cut_as_large_as_possible(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Node *node = fixture_node(&f, "n1");
  fixture_gpu(&f, node, A100, "2g.20gb@0:used");
  fixture_gpu(&f, node, A100, ""); /* not changed, so not filled */
  fixture_pod(&f, "p", "1g.10gb");
  fixture_plan(&f, &fill);
  assert_string_equal(fixture_changes(&f), "n1/0: 1g.10gb@3 +3g.40gb@4 +1g.10gb@2");
}

typedef struct FillCase {
  const char *what;
  PlanDemand demand[3];
  int demand_count;
  const char *allowed; /* facet.gpu/allowed-profiles, or NULL */
  const char *creates;
} FillCase;

static void leftovers_follow_recent_demand_and_what_is_allowed(void **state) {
  const FillCase cases[] = {
      {"what was asked for lately comes first",
       {{"1g.10gb", 1}},
       1,
       NULL,
       "n1/0: 4g.40gb@0 +1g.10gb@6 +1g.10gb@5 +1g.10gb@4"},
      {"in proportion to its weight, then what fits",
       {{"1g.10gb", 5}, {"2g.20gb", 4}},
       2,
       NULL,
       "n1/0: 4g.40gb@0 +1g.10gb@6 +2g.20gb@4"},
      {"the order of the list does not matter, the weight does",
       {{"2g.20gb", 1}, {"1g.20gb", 3}},
       2,
       NULL,
       "n1/0: 4g.40gb@0 +1g.20gb@6 +1g.20gb@4"},
      {"profiles that are unknown here, not plain or without weight count for nothing",
       {{"1g.5gb", 9}, {"1g.10gb+me", 9}, {"1g.10gb", 0}},
       3,
       NULL,
       "n1/0: 4g.40gb@0 +3g.40gb@4"},
      {"of profiles that were asked as often, the larger one",
       {{"2g.20gb", 2}, {"3g.40gb", 2}},
       2,
       NULL,
       "n1/0: 4g.40gb@0 +3g.40gb@4"},
      {"whatever their order", {{"3g.40gb", 2}, {"2g.20gb", 2}}, 2, NULL, "n1/0: 4g.40gb@0 +3g.40gb@4"},
      {"only allowed profiles are cut", {{"1g.10gb", 1}}, 1, "4g.40gb,2g.20gb", "n1/0: 4g.40gb@0 +2g.20gb@4"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    Node *node = fixture_node(&f, "n1");
    fixture_gpu(&f, node, A100, "");
    if (cases[i].allowed)
      fixture_set(&f, &node->meta.annotations, MIG_ANNOTATION_ALLOWED, cases[i].allowed);
    fixture_pod(&f, "p", "4g.40gb");
    fixture_plan(
        &f, &(PlanOptions){.recent_demand = cases[i].demand, .recent_demand_count = cases[i].demand_count});
    if (strcmp(fixture_changes(&f), cases[i].creates) != 0)
      fail_msg("%s: %s", cases[i].what, fixture_changes(&f));
  }
}

static void slices_of_one_pod_may_be_on_several_gpus_of_its_node(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  Node *node = fixture_node(&f, "n2");
  fixture_gpu(&f, node, A100, "");
  fixture_gpu(&f, node, A100, "2g.20gb@4:free");
  Pod *pod = fixture_pod(&f, "p", NULL);
  fixture_ask_slices(&f, pod, "4g.40gb", 2);
  fixture_ask_slices(&f, pod, "2g.20gb", 2);
  fixture_plan(&f, NULL);
  assert_string_equal(fixture_changes(&f), "n2/0: 2g.20gb@4 4g.40gb@0; n2/1: 4g.40gb@0");
  assert_string_equal(fixture_verdicts(&f), "p admitted n2");
}

static void pods_are_spread_where_cpu_is_short(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  for (int i = 1; i <= 2; i++) {
    Node *node = fixture_node(&f, arena_format(&f.arena, "n%d", i));
    fixture_set(&f, (KeyValues *)&node->allocatable, "cpu", "3");
    fixture_gpu(&f, node, A100, "");
  }
  for (int i = 0; i < 5; i++)
    fixture_ask(&f, fixture_pod(&f, arena_format(&f.arena, "p%d", i), "1g.10gb"), "cpu", "1500m");
  const Plan *plan = fixture_plan(&f, NULL);
  assert_string_equal(fixture_changes(&f), "n1/0: 1g.10gb@5 1g.10gb@4; n2/0: 1g.10gb@5 1g.10gb@4");
  assert_int_equal(plan->admitted, 4);
  assert_int_equal(plan->bound, 4);
}

static void a_free_slice_goes_to_the_higher_tier(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "7g.80gb@0:free");
  fixture_pod(&f, "old", "7g.80gb");
  fixture_pod(&f, "urgent", "7g.80gb")->priority = 1000;
  fixture_plan(&f, NULL);
  assert_string_equal(
      fixture_verdicts(&f),
      "old blocked: all free slots for 7g.80gb are needed by 1 pod that is served instead; urgent fits n1");
}

static void the_oldest_of_equal_pods_are_served_first(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "4g.40gb@0:used,2g.20gb@4:used");
  fixture_pod(&f, "young", "1g.10gb")->meta.creation_time = 200;
  fixture_pod(&f, "old", "1g.10gb")->meta.creation_time = 100;
  fixture_plan(&f, NULL);
  assert_int_equal(f.plan.pods.items[0].verdict, PLAN_BLOCKED);
  assert_int_equal(f.plan.pods.items[1].verdict, PLAN_ADMITTED);
}

/* Three seem to have room until the first is bound and takes the cpu of n1. */
static void the_oldest_of_equal_pods_are_served_where_counting_was_too_hopeful(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Node *narrow = fixture_node(&f, "n1");
  fixture_gpu(&f, narrow, A100, "");
  fixture_set(&f, (KeyValues *)&narrow->allocatable, "cpu", "1");
  fixture_gpu(&f, fixture_node(&f, "n2"), A100, "2g.20gb@0:used,2g.20gb@2:used");
  for (int i = 0; i < 4; i++)
    fixture_ask(&f, fixture_pod(&f, arena_format(&f.arena, "p%d", i), "2g.20gb"), "cpu", "1");
  fixture_ask(&f, fixture_pod(&f, "q", "2g.20gb"), "cpu", "1500m");
  fixture_plan(&f, NULL);
  for (int i = 0; i < 4; i++)
    assert_int_equal(f.plan.pods.items[i].verdict, i < 2 ? PLAN_ADMITTED : PLAN_BLOCKED);
}

/* A file may hold names that no API server would accept. */
static void pods_are_not_taken_for_equal_by_a_name_that_looks_like_two(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Node *node = fixture_node(&f, "n1");
  fixture_gpu(&f, node, A100, "");
  fixture_set(&f, (KeyValues *)&node->allocatable, "a/b", "1");
  fixture_set(&f, (KeyValues *)&node->allocatable, "c/d", "2");
  fixture_ask(&f, fixture_pod(&f, "odd", "1g.10gb"), "a/b=1;c/d", "2");
  Pod *plain = fixture_pod(&f, "plain", "1g.10gb");
  fixture_ask(&f, plain, "a/b", "1");
  fixture_ask(&f, plain, "c/d", "2");
  fixture_plan(&f, NULL);
  assert_int_equal(f.plan.pods.items[0].verdict, PLAN_BLOCKED);
  assert_int_equal(f.plan.pods.items[1].verdict, PLAN_ADMITTED);
}

static void slices_on_a_node_that_is_not_managed_are_used_but_never_added(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Node *node = fixture_node(&f, "n1");
  node->meta.labels.count = 0;
  fixture_set(&f, (KeyValues *)&node->allocatable, "nvidia.com/mig-1g.10gb", "1");
  fixture_pods(&f, 2, "p", "1g.10gb");
  const Plan *plan = fixture_plan(&f, NULL);
  assert_int_equal(plan->already_fit, 1);
  assert_int_equal(plan->create, 0);
}

static void the_wanted_list_has_existing_slices_first(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "1g.10gb@6:used");
  fixture_pods(&f, 2, "p", "1g.10gb");
  fixture_plan(&f, &fill);
  MigList list;
  char spec[MIG_SPEC_TEXT_SIZE], uuid[MIG_UUID_SIZE];
  const SnapshotNode *node = &f.snapshot.nodes.items[0];
  plan_gpu_list(&f.snapshot, &f.plan.gpus.items[0], &list);
  mig_spec_format(snapshot_gpu_uuid(node, &node->gpus[0], uuid), &list, spec, sizeof spec);
  assert_string_equal(spec, "GPU-n1-0 1g.10gb@6,1g.10gb@5,1g.10gb@4,4g.40gb@0");
}

static void the_words_of_the_contract(void **state) {
  assert_string_equal(plan_verdict_name(PLAN_IGNORED), "ignored");
  assert_string_equal(plan_verdict_name(PLAN_FITS), "fits");
  assert_string_equal(plan_verdict_name(PLAN_ADMITTED), "admitted");
  assert_string_equal(plan_verdict_name(PLAN_BLOCKED), "blocked");
  assert_string_equal(plan_state_name(PLAN_USED), "used");
  assert_string_equal(plan_state_name(PLAN_KEEP), "keep");
  assert_string_equal(plan_state_name(PLAN_CREATE), "create");
  assert_string_equal(plan_state_name(PLAN_DESTROY), "destroy");
}

/* More pods and nodes than the search takes: counting alone must be exact, and quick. */
static void a_large_cluster_is_planned_exactly(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  for (int i = 0; i < 100; i++) {
    Node *node = fixture_node(&f, arena_format(&f.arena, "n%03d", i));
    for (int gpu = 0; gpu < 8; gpu++)
      fixture_gpu(&f, node, A100, gpu % 2 ? "3g.40gb@4:used" : "");
  }
  fixture_pods(&f, 1000, "a", "1g.10gb");
  fixture_pods(&f, 300, "b", "4g.40gb");
  fixture_pods(&f, 300, "c", "3g.40gb");
  fixture_pods(&f, 300, "d", "7g.80gb");
  const Plan *plan = fixture_plan(&f, NULL);
  /* 800 lower and 400 upper halves are free. With x empty GPUs for 7g, 300 lower halves for 4g and the upper
   * ones for 3g, 3g also needs x - 100 lower halves; of these 600 - 2x are left, four 1g each: x is 175. */
  assert_int_equal(plan->admitted, plan->bound);
  assert_int_equal(plan->admitted, 1000 + 300 + 300 + 175);
}

/* Pods that differ only in what the scheduler's filters read must not be taken for each other. */
static void pods_with_different_constraints_are_planned_apart(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  static Taint taints[] = {{.key = "dedicated", .value = "ml", .effect = "NoSchedule"}};
  static Toleration tolerations[] = {{.key = "dedicated", .operator_ = "Exists"}};
  static const char *zones[] = {"b"};
  static Requirement requirements[] = {{.key = "zone", .operator_ = "In", .values = {zones, 1}}};
  static NodeSelectorTerm terms[] = {{.match_expressions = {requirements, 1}}};
  Node *tainted = fixture_node(&f, "n1"), *zoned = fixture_node(&f, "n2");
  tainted->taints.items = taints;
  tainted->taints.count = 1;
  fixture_gpu(&f, tainted, A100, "");
  fixture_set(&f, &zoned->meta.labels, "zone", "b");
  fixture_gpu(&f, zoned, A100, "3g.40gb@0:used");
  Pod *tolerant = fixture_pod(&f, "tolerant", "3g.40gb"),
      *bound_to_zone = fixture_pod(&f, "zoned", "3g.40gb");
  tolerant->common->tolerations.items = tolerations;
  tolerant->common->tolerations.count = 1;
  bound_to_zone->has_required_node_affinity = true;
  bound_to_zone->required_terms.items = terms;
  bound_to_zone->required_terms.count = 1;
  fixture_pod(&f, "plain", "3g.40gb")->meta.creation_time = 9;
  fixture_plan(&f, NULL);
  assert_string_equal(fixture_verdicts(&f),
                      "plain blocked: all free slots for 3g.40gb are needed by 1 pod that is served instead; "
                      "tolerant admitted n1; zoned admitted n2");
}

/* A driver may report placements that nobody has seen yet: they are planned without counting. */
static void a_model_whose_placements_overlap_without_nesting_is_planned_too(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Node *node = fixture_node(&f, "n1");
  fixture_gpu(&f, node, "NVIDIA-Unheard-Of", "");
  fixture_set(&f, &node->meta.annotations, MIG_ANNOTATION_PROFILES,
              "NVIDIA-Unheard-Of/8 1g.10gb:8x1@0,1,2,3,4,5,6,7 2g.20gb:3x3@0,2,5");
  fixture_pods(&f, 2, "p", "2g.20gb");
  fixture_pods(&f, 3, "q", "1g.10gb");
  const Plan *plan = fixture_plan(&f, &fill);
  assert_string_equal(fixture_changes(&f),
                      "n1/0: 1g.10gb@4 1g.10gb@3 1g.10gb@2 2g.20gb@5 +1g.10gb@1 +1g.10gb@0");
  assert_int_equal(plan->admitted, 4);
  assert_int_equal(plan->bound, 4);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(five_small_pods_leave_room_for_one_2g_on_an_empty_a100),
      cmocka_unit_test(scenarios_are_planned_as_told),
      cmocka_unit_test(nothing_is_filled_where_leftovers_shall_stay_empty),
      cmocka_unit_test(leftovers_are_cut_as_large_as_possible),
      cmocka_unit_test(leftovers_follow_recent_demand_and_what_is_allowed),
      cmocka_unit_test(slices_of_one_pod_may_be_on_several_gpus_of_its_node),
      cmocka_unit_test(pods_are_spread_where_cpu_is_short),
      cmocka_unit_test(a_free_slice_goes_to_the_higher_tier),
      cmocka_unit_test(the_oldest_of_equal_pods_are_served_first),
      cmocka_unit_test(the_oldest_of_equal_pods_are_served_where_counting_was_too_hopeful),
      cmocka_unit_test(pods_are_not_taken_for_equal_by_a_name_that_looks_like_two),
      cmocka_unit_test(slices_on_a_node_that_is_not_managed_are_used_but_never_added),
      cmocka_unit_test(the_wanted_list_has_existing_slices_first),
      cmocka_unit_test(the_words_of_the_contract),
      cmocka_unit_test(a_large_cluster_is_planned_exactly),
      cmocka_unit_test(pods_with_different_constraints_are_planned_apart),
      cmocka_unit_test(a_model_whose_placements_overlap_without_nesting_is_planned_too),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
