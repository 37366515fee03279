/* SPDX-License-Identifier: Apache-2.0 */
/* Named scenarios: what is created where, who is served, and the words for those who are not. */
#include "plan/plan_fixture.h"

static const PlanOptions fill = {.leftover = PLAN_LEFTOVER_FILL};

static void five_small_pods_leave_room_for_one_2g_on_an_empty_a100(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  fixture_pods(&f, 5, "p", "1g.10gb");
  const Plan *plan = fixture_plan(&f, &fill);
  assert_string_equal(fixture_creates(&f),
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
     .demands = {{1, "1g.10gb"}},
     .creates = "",
     .already_fit = 1},
    {.what = "one slice is free, one is created",
     .gpus = {{"n1", A100, "1g.10gb@6:free"}},
     .demands = {{2, "1g.10gb"}},
     .creates = "n1/0: 1g.10gb@5",
     .already_fit = 1,
     .admitted = 1,
     .bound = 1},
    {.what = "a slice in use is nobody else's",
     .gpus = {{"n1", A100, "7g.80gb@0:used"}},
     .demands = {{1, "7g.80gb"}},
     .creates = ""},
    {.what = "one GPU is enough for what fits one GPU",
     .gpus = {{"n1", A100, ""}, {"n1", A100, ""}, {"n2", A100, ""}},
     .demands = {{2, "3g.40gb"}},
     .creates = "n1/0: 3g.40gb@4 3g.40gb@0",
     .admitted = 2,
     .bound = 2},
    {.what = "two GPUs, the empty one is kept whole for the large pod",
     .gpus = {{"n1", A100, ""}, {"n1", A100, "1g.10gb@6:used"}},
     .demands = {{1, "1g.10gb"}, {1, "7g.80gb"}},
     .creates = "n1/0: 7g.80gb@0; n1/1: 1g.10gb@5",
     .admitted = 2,
     .bound = 2},
    {.what = "the smallest hole is broken first, whichever node it is on",
     .gpus = {{"n1", A100, ""},
              {"n2", A100, "3g.40gb@0:used"},
              {"n3", A100, "4g.40gb@0:used,2g.20gb@4:used"}},
     .demands = {{1, "1g.10gb"}},
     .creates = "n3/0: 1g.10gb@6",
     .admitted = 1,
     .bound = 1},
    {.what = "a higher tier is served first, even where it costs seven others",
     .gpus = {{"n1", A100, ""}},
     .demands = {{7, "1g.10gb"}, {1, "7g.80gb", 100}},
     .creates = "n1/0: 7g.80gb@0",
     .admitted = 1,
     .bound = 7},
    {.what = "a lower tier gets what is left",
     .gpus = {{"n1", A100, ""}},
     .demands = {{9, "1g.10gb"}, {1, "4g.40gb", 100}},
     .creates = "n1/0: 4g.40gb@0 1g.10gb@6 1g.10gb@5 1g.10gb@4",
     .admitted = 4,
     .bound = 7},
    {.what = "within a tier more small pods beat one large",
     .gpus = {{"n1", A100, ""}},
     .demands = {{1, "7g.80gb"}, {2, "3g.40gb"}},
     .creates = "n1/0: 3g.40gb@4 3g.40gb@0",
     .admitted = 2,
     .bound = 2},
    {.what = "a 3g stays out of the lower half that a 4g needs",
     .gpus = {{"n1", A100, ""}},
     .demands = {{1, "3g.40gb"}, {1, "4g.40gb"}},
     .creates = "n1/0: 3g.40gb@4 4g.40gb@0",
     .admitted = 2,
     .bound = 2},
    {.what = "a double-memory 1g takes the pair that no 2g can have",
     .gpus = {{"n1", A100, "4g.40gb@0:used"}},
     .demands = {{1, "2g.20gb"}, {1, "1g.20gb"}},
     .creates = "n1/0: 2g.20gb@4 1g.20gb@6",
     .admitted = 2,
     .bound = 2},
    {.what = "the lower half is given up for a 3g only where no 2g pays for it",
     .gpus = {{"n1", A100, "3g.40gb@4:used"}, {"n1", A100, ""}},
     .demands = {{1, "3g.40gb"}, {4, "2g.20gb"}},
     .creates = "n1/0: 2g.20gb@2 2g.20gb@0; n1/1: 2g.20gb@2 2g.20gb@0 3g.40gb@4",
     .admitted = 5,
     .bound = 5},
    {.what = "models with the same profiles are one pool",
     .gpus = {{"n1", A100, ""}, {"n2", H100, "4g.40gb@0:used,2g.20gb@4:used"}},
     .demands = {{1, "1g.10gb"}, {1, "7g.80gb"}},
     .creates = "n1/0: 7g.80gb@0; n2/0: 1g.10gb@6",
     .admitted = 2,
     .bound = 2},
    {.what = "mixed models: 1g.10gb is one slot on one card and two on the other",
     .gpus = {{"n1", A100_40, ""}, {"n2", A100, "3g.40gb@0:used,3g.40gb@4:used"}},
     .demands = {{5, "1g.10gb"}},
     .creates = "n1/0: 1g.10gb@6 1g.10gb@4 1g.10gb@2 1g.10gb@0",
     .admitted = 4,
     .bound = 4},
    {.what = "an A30 has four slots",
     .gpus = {{"n1", A30, ""}},
     .demands = {{3, "1g.6gb"}, {1, "2g.12gb"}},
     .creates = "n1/0: 1g.6gb@3 1g.6gb@2 1g.6gb@1",
     .admitted = 3,
     .bound = 3},
    {.what = "an RTX PRO 6000 has twelve slots",
     .gpus = {{"n1", PRO6000, ""}},
     .demands = {{2, "1g.24gb"}, {1, "2g.48gb"}},
     .creates = "n1/0: 1g.24gb@3 1g.24gb@0 2g.48gb@6",
     .admitted = 3,
     .bound = 3},
    {.what = "graphics slices are planned too",
     .gpus = {{"n1", PRO6000, "2g.48gb@0:used"}},
     .demands = {{3, "1g.24gb+gfx"}},
     .creates = "n1/0: 1g.24gb+gfx@9 1g.24gb+gfx@6",
     .admitted = 2,
     .bound = 2},
    {.what = "only one +me per GPU",
     .gpus = {{"n1", A100, ""}, {"n1", A100, ""}},
     .demands = {{3, "1g.10gb+me"}},
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
    if (strcmp(fixture_creates(&f), scenario->creates) != 0 || plan->admitted != scenario->admitted ||
        plan->already_fit != scenario->already_fit || plan->bound != scenario->bound) {
      print_error("%s: %s, %d admitted, %d fit, bound %d\n%s\n", scenario->what, fixture_creates(&f),
                  plan->admitted, plan->already_fit, plan->bound, fixture_verdicts(&f));
      failures++;
    }
  }
  assert_int_equal(failures, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(five_small_pods_leave_room_for_one_2g_on_an_empty_a100),
      cmocka_unit_test(scenarios_are_planned_as_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
