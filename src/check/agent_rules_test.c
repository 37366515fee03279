/* SPDX-License-Identifier: Apache-2.0 */
#include "check/check_fixture.h"

#define INSTALL                                                                                              \
  "  $ helm upgrade --install facet deploy/helm/facet --namespace facet-system --create-namespace\n"

/* ---- is there an agent? ---- */

static void a_node_that_reports_and_whose_agent_runs_is_fine(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, A100, EMPTY);
  POD(&bench, "agent-1", "n1", FACET("agent"));
  bench_expect(&bench, "agent", "");
}

static void an_agent_outside_of_pods_is_fine(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, A100, EMPTY);
  bench_expect(&bench, "agent", "");
}

static void a_node_without_an_agent_is_an_error(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, PRESENT);
  NODE(&bench, "n2", MIG, A100, EMPTY);
  NODE(&bench, "n3", PRESENT);
  POD(&bench, "agent-9", "n9", FACET("agent"));
  bench_expect(
      &bench, "agent",
      "error node n1: no agent of facet is at work here: nothing is reported of its GPUs\n" INSTALL
      "error node n2: no agent of facet is at work here: what the node says of its GPUs is old\n" INSTALL);
}

static void an_agent_that_does_not_run_or_says_nothing_is_an_error(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, A100, EMPTY);
  NODE(&bench, "n2", MIG, PRESENT);
  NODE(&bench, "n3", MIG, PRESENT);
  POD(&bench, "agent-1", "n1", FACET("agent"))->common->phase = "Pending";
  POD(&bench, "agent-2", "n2", FACET("agent"));
  Pod *pod = POD(&bench, "agent-3", "n3", FACET("agent"));
  bench.conditions[0] = (Condition){.type = "Ready", .status = "False"};
  pod->common->conditions.items = bench.conditions;
  pod->common->conditions.count = 1;
  bench_expect(&bench, "agent",
               "error node n1: facet's agent does not run: its pod ops/agent-1 is Pending, and what the node "
               "says of its "
               "GPUs is old\n"
               "  $ kubectl describe pod --namespace ops agent-1\n"
               "error node n2: facet's agent (pod ops/agent-2) has not reported the node's GPUs\n"
               "  $ kubectl logs --namespace ops agent-2\n"
               "error node n3: facet's agent does not run: its pod ops/agent-3 is not ready\n"
               "  $ kubectl describe pod --namespace ops agent-3\n");
}

/* ---- does it answer? ---- */

#define SPEC   "nos.nebuly.com/spec-partitioning-plan"
#define STATUS "nos.nebuly.com/status-partitioning-plan"
#define EVENTS(node)                                                                                         \
  "  $ kubectl get events --namespace default --field-selector involvedObject.name=" node "\n"

static void a_plan_that_waits_for_its_answer_too_long_is_an_error(void **state) {
  Bench bench;
  bench_init(&bench);
  bench.cluster.now = 0x19000000000 / 1000 + 61;
  NODE(&bench, "late", MIG, A100, EMPTY, {SPEC, "19000000000-1"});
  NODE(&bench, "fresh", MIG, A100, EMPTY, {SPEC, "190000003e8-1"}, {STATUS, "19000000000-1"});
  NODE(&bench, "done", MIG, A100, EMPTY, {SPEC, "19000000000-1"}, {STATUS, "19000000000-1"});
  NODE(&bench, "paused", MIG, A100, EMPTY, {SPEC, "19000000000-1"}, {"facet.gpu/paused", "true"});
  NODE(&bench, "foreign", MIG, A100, EMPTY, {SPEC, "1690000000"}, {STATUS, "1680000000"});
  bench_expect(
      &bench, "answer",
      "error node late: its agent owes an answer to plan 19000000000-1 for 61 s\n" EVENTS(
          "late") "warning node foreign: plan 1690000000 is not answered; nobody can tell here for how long "
                  "(status-partitioning-plan: 1680000000)\n" EVENTS("foreign"));
}

static void of_a_dump_nobody_knows_how_late_an_answer_is(void **state) {
  Bench bench;
  bench_init(&bench);
  bench.cluster.now = 0;
  NODE(&bench, "n1", MIG, A100, EMPTY, {SPEC, "19000000000-1"});
  bench_expect(&bench, "answer",
               "warning node n1: plan 19000000000-1 is not answered; nobody can tell here for how long "
               "(status-partitioning-plan: absent)\n" EVENTS("n1"));
}

/* ---- what it says ---- */

static void what_the_agent_reports_is_passed_on(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, A100, EMPTY, {"facet.gpu/error", "GPU 0 is lost"});
  NODE(&bench, "n2", MIG, A100, EMPTY, {"facet.gpu/error", "no library"});
  NODE(&bench, "n3", MIG, A100, EMPTY, {"facet.gpu/stage", "NVIDIA's plugin, since 12:00:00"});
  POD(&bench, "agent-2", "n2", FACET("agent"));
  bench_expect(&bench, "agent-error",
               "error node n1: its agent reports: GPU 0 is lost\n"
               "  $ kubectl describe node n1\n"
               "error node n2: its agent reports: no library\n"
               "  $ kubectl logs --namespace ops agent-2\n");
  bench_expect(&bench, "agent-stage",
               "note node n3: its agent waits: NVIDIA's plugin, since 12:00:00\n"
               "  $ kubectl describe node n3\n");
}

/* ---- leftovers and broken annotations ---- */

static void orders_of_nos_that_the_agent_would_carry_out_are_told(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, A100, EMPTY, {"nos.nebuly.com/spec-gpu-0-1g.10gb", "2"},
       {"nos.nebuly.com/spec-gpu-0-2g.20gb", "1"});
  NODE(&bench, "n2", MIG, A100, EMPTY, {"nos.nebuly.com/spec-gpu-0-1g.10gb", "2"},
       {"facet.gpu/spec-gpu-0", "GPU-0 1g.10gb@6,1g.10gb@5"});
  NODE(&bench, "n3", PRESENT, {"nos.nebuly.com/spec-gpu-0-1g.10gb", "2"});
  bench_expect(
      &bench, "left-orders",
      "warning node n1: nos left 2 orders (nos.nebuly.com/spec-gpu-0-1g.10gb ...), which facet's agent "
      "carries out "
      "where there is room: remove what is not wanted\n"
      "  $ kubectl annotate node n1 nos.nebuly.com/spec-gpu-0-1g.10gb- nos.nebuly.com/spec-gpu-0-2g.20gb-\n");
}

static void annotations_that_cannot_be_read_are_told_with_their_key(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, A100, {"facet.gpu/status-gpu-0", "1g.10gb@"});
  bench_expect(&bench, "annotations",
               "warning node n1: facet.gpu/status-gpu-0 cannot be read: \"1g.10gb@\" is not a slice: one "
               "looks like 1g.10gb@6:used or 1g.10gb@6:free\n"
               "  $ kubectl annotate node n1 facet.gpu/status-gpu-0-\n");
}

static void labels_that_contradict_the_agent_are_told(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, A100, EMPTY, {"nvidia.com/gpu.product", "NVIDIA-A30"});
  bench_expect(
      &bench, "annotations",
      "warning node n1: the label nvidia.com/gpu.product says NVIDIA-A30, the annotation of the GPU says "
      "NVIDIA-A100-SXM4-80GB: the annotation counts\n"
      "  $ kubectl describe node n1\n");
}

static void a_pod_with_impossible_requests_is_told(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, A100, EMPTY);
  bench_waiting(&bench, "odd", "cpu");
  bench.requests[0].value = "lots";
  bench_expect(&bench, "annotations",
               "warning pod ops/odd: requests of container c: cpu: \"lots\" is not a quantity such as "
               "500m, 4 or 2Gi\n"
               "  $ kubectl describe pod --namespace ops odd\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_node_that_reports_and_whose_agent_runs_is_fine),
      cmocka_unit_test(an_agent_outside_of_pods_is_fine),
      cmocka_unit_test(a_node_without_an_agent_is_an_error),
      cmocka_unit_test(an_agent_that_does_not_run_or_says_nothing_is_an_error),
      cmocka_unit_test(a_plan_that_waits_for_its_answer_too_long_is_an_error),
      cmocka_unit_test(of_a_dump_nobody_knows_how_late_an_answer_is),
      cmocka_unit_test(what_the_agent_reports_is_passed_on),
      cmocka_unit_test(orders_of_nos_that_the_agent_would_carry_out_are_told),
      cmocka_unit_test(annotations_that_cannot_be_read_are_told_with_their_key),
      cmocka_unit_test(labels_that_contradict_the_agent_are_told),
      cmocka_unit_test(a_pod_with_impossible_requests_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
