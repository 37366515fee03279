/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator reads: what would help, and of pods that need no help. */
#include "explain/explain_fixture.h"

/* ---- what would help ---- */

static void the_end_of_the_holder_is_advised(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A30, "4g.24gb@0:used");
  scene_running(&s, "notebook", "4g.24gb", "n1");
  fixture_pod(&s.f, "p", "2g.12gb");
  assert_string_equal(scene_advice(&s, "p"),
                      "end: when demo/notebook ends: facet makes room for it on node n1\n"
                      "gpu: one more A30, in a node like n1: facet makes room for it\n");
  assert_true(s.explanation.all_ends_tried);
}

static void where_the_holder_is_not_known_each_world_has_to_help(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A30, "1g.6gb@0:used,1g.6gb@2:used,1g.6gb@3:used");
  scene_running(&s, "a", "1g.6gb", "n1");
  scene_running(&s, "b", "1g.6gb", "n1");
  scene_running(&s, "c", "1g.6gb", "n1");
  fixture_pod(&s.f, "p", "2g.12gb");
  /* The end of one would help where it holds slot 0, which nobody knows; two leave two slots in any world but
   * one: slots 2 and 3 free beside 0, or 0 and 1. Slots 0 and 3 give 0-1; 2 and 3 give 2-3; 0 and 2 give 0-1.
   */
  const char *advice = scene_advice(&s, "p");
  assert_does_not_say(advice, " ends");
  assert_says(advice, "end: when demo/a and demo/b have ended: facet makes room for it on node n1\n");
}

static void pods_end_together_where_one_is_not_enough(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "1g.10gb@0:used,2g.20gb@2:used,3g.40gb@4:used");
  scene_running(&s, "a", "1g.10gb", "n1");
  scene_running(&s, "b", "2g.20gb", "n1");
  scene_running(&s, "c", "3g.40gb", "n1");
  fixture_pod(&s.f, "p", "7g.80gb");
  const char *advice = scene_advice(&s, "p");
  assert_says(advice, "end: when demo/a, demo/b and demo/c have ended: facet makes room for it on node n1\n");
  assert_does_not_say(advice, " ends");
}

static void cpu_is_freed_by_pods_without_slices(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "");
  fixture_ask(&s.f, scene_running(&s, "builder", NULL, "n1"), "cpu", "60500m");
  fixture_ask(&s.f, fixture_pod(&s.f, "p", "1g.10gb"), "cpu", "8");
  assert_string_equal(scene_advice(&s, "p"),
                      "end: when demo/builder ends: facet makes room for it on node n1\n"
                      "ask: if it asks cpu 3.5 in place of 8: facet makes room for it on node n1\n"
                      "gpu: one more A100-80GB, in a node like n1: facet makes room for it\n");
  assert_says(scene_groups(&s, "p"), "cpu: asks 8, 3.5 of 64 is free: 4.5 short");
}

static void a_smaller_profile_is_advised_where_it_is_served(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "3g.40gb@4:used,2g.20gb@0:free,1g.10gb@2:used");
  fixture_set(&s.f, &s.f.nodes.items[0]->meta.annotations, MIG_ANNOTATION_KEEP_PREFIX "0", "2g.20gb@0");
  fixture_pod(&s.f, "p", "3g.40gb");
  assert_says(scene_advice(&s, "p"), "ask: if it asks 2g.20gb in place of 3g.40gb: it fits on node n1\n");
}

static void a_pod_that_asks_two_profiles_is_not_told_to_ask_one_of_them_twice(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "3g.40gb@4:used,2g.20gb@2:used,1g.10gb@0:free");
  Pod *pod = fixture_pod(&s.f, "p", "3g.40gb");
  fixture_ask_slices(&s.f, pod, "1g.10gb", 2);
  assert_does_not_say(scene_advice(&s, "p"), "if it asks");
}

static void selectors_taints_and_cordons_are_tried_one_by_one(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  Node *tainted = fixture_node(&s.f, "n1"), *cordoned = fixture_node(&s.f, "n2");
  fixture_gpu(&s.f, tainted, A100, "");
  scene_taint(&s, tainted, "team", "vision");
  fixture_gpu(&s.f, cordoned, A100, "");
  cordoned->unschedulable = true;
  fixture_pod(&s.f, "p", "1g.10gb");
  const char *advice = scene_advice(&s, "p");
  assert_says(advice, "setting: uncordon node n2: facet makes room for it on node n2\n");
  assert_says(advice,
              "tolerate: tolerate taint team:NoSchedule in the pod, or remove it from node n1: facet makes "
              "room for it on node n1\n");
  fixture_set(&s.f, &s.f.pods.items[0]->common->node_selector, "zone", "a");
  advice = scene_advice(&s, "p");
  assert_does_not_say(advice, "uncordon");
  tainted->taints.count = 0;
  assert_says(scene_advice(&s, "p"),
              "ask: without its nodeSelector zone=a: facet makes room for it on node n1\n");
}

static void pods_that_come_first_are_answered_with_a_priority(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A30, "");
  fixture_pod(&s.f, "first", "4g.24gb")->priority = 7;
  fixture_pod(&s.f, "p", "4g.24gb");
  assert_string_equal(
      scene_advice(&s, "p"),
      "priority: with a priority of 8, at the cost of pods that come before it now: facet makes "
      "room for it on node n1\n"
      "gpu: one more A30, in a node like n1: facet makes room for it\n");
  assert_says(scene_groups(&s, "p"), "n1 x 1 room\n");
}

static void what_it_costs_others_is_told(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "");
  fixture_pod(&s.f, "first", "7g.80gb");
  fixture_pod(&s.f, "p", "7g.80gb");
  assert_says(scene_advice(&s, "p"),
              "ask: if it asks 4g.40gb in place of 7g.80gb: facet makes room for it on node "
              "n1, and 1 pod that would be served now is not\n");
}

/* As the controller plans: what it will do is what is explained. */
static void who_has_waited_long_is_explained_as_it_is_planned(void **state) {
  CLEANUP(scene_deinit) Scene s = {.old_before = 9999};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "");
  fixture_pod(&s.f, "whole", "7g.80gb")->meta.creation_time = 1000;
  for (int i = 0; i < 7; i++)
    fixture_pod(&s.f, arena_format(&s.f.arena, "small%d", i), "1g.10gb")->meta.creation_time = 2000 + i;
  assert_int_equal(scene_explain(&s, "whole")->verdict, EXPLAIN_ADMITTED);
  assert_does_not_say(scene_advice(&s, "small0"), "end: ");
  assert_int_equal(s.explanation.verdict, EXPLAIN_BLOCKED);
  assert_says(scene_advice(&s, "small0"), "priority: with a priority of 1, ");
  s.old_before = 0;
  assert_int_equal(scene_explain(&s, "whole")->verdict, EXPLAIN_BLOCKED);
}

static void a_node_that_is_being_re_cut_is_waited_for(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  Node *node = fixture_node(&s.f, "n1");
  fixture_gpu(&s.f, node, A100, "1g.10gb@0:free,3g.40gb@4:used");
  fixture_set(&s.f, &node->meta.annotations, MIG_ANNOTATION_SPEC_GPU_PREFIX "0", "GPU-n1-0 3g.40gb@4");
  fixture_set(&s.f, &node->meta.annotations, MIG_ANNOTATION_SPEC_PLAN, "17");
  scene_running(&s, "a", "3g.40gb", "n1");
  fixture_pod(&s.f, "p", "4g.40gb");
  const char *advice = scene_advice(&s, "p");
  assert_does_not_say(advice, "end: ");
  assert_says(advice, "wait: wait until the re-cut of node n1 is done: facet makes room for it on node n1\n");
}

static void a_profile_of_another_model_is_answered_with_that_model(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "");
  fixture_pod(&s.f, "p", "3g.20gb");
  assert_string_equal(scene_advice(&s, "p"),
                      "ask: if it asks 2g.20gb in place of 3g.20gb: facet makes room for it on node n1\n"
                      "gpu: one more A100-40GB, in a node like n1: facet makes room for it\n");
}

static void where_nothing_helps_nothing_is_advised(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A30, "");
  Pod *pod = fixture_pod(&s.f, "p", "1g.6gb");
  fixture_ask(&s.f, pod, "hugepages-2Mi", "2Mi");
  fixture_set(&s.f, &pod->common->node_selector, "zone", "a");
  assert_string_equal(scene_advice(&s, "p"), "");
  assert_true(s.explanation.tries > 0 && s.explanation.all_ends_tried);
}

static void changes_of_several_kinds_are_advised_together(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "4g.40gb@0:used,3g.40gb@4:used");
  fixture_ask(&s.f, scene_running(&s, "notebook-3", "4g.40gb", "n1"), "cpu", "20");
  fixture_ask(&s.f, scene_running(&s, "train", "3g.40gb", "n1"), "cpu", "40");
  fixture_ask(&s.f, fixture_pod(&s.f, "p", "4g.40gb"), "cpu", "26");
  assert_string_equal(
      scene_advice(&s, "p"),
      "end: when demo/notebook-3 and demo/train have ended: it fits on node n1\n"
      "several: when demo/notebook-3 ends, and if demo/p asks cpu 24 in place of 26: it fits on node n1\n"
      "gpu: one more A100-80GB, in a node like n1: facet makes room for it\n");
  assert_int_equal(s.explanation.advice.items[1].pod_count, 1);
  assert_null(s.explanation.advice.items[1].command);
}

static void only_what_is_needed_is_advised_together(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  Node *node = fixture_node(&s.f, "n1");
  fixture_gpu(&s.f, node, A100, "");
  node->unschedulable = true;
  scene_taint(&s, node, "team", "vision");
  fixture_set(&s.f, &node->meta.annotations, MIG_ANNOTATION_PAUSED, "true");
  fixture_set(&s.f, &node->meta.annotations, MIG_ANNOTATION_ALLOWED, "1g.10gb,7g.80gb");
  fixture_pod(&s.f, "p", "7g.80gb");
  const char *advice = scene_advice(&s, "p");
  assert_says(advice,
              "several: tolerate taint team:NoSchedule in the pod, or remove it from node n1, and uncordon "
              "node n1, and remove facet.gpu/paused from node n1: facet makes room for it on node n1\n");
  assert_does_not_say(advice, MIG_ANNOTATION_ALLOWED);
  assert_string_equal(s.explanation.advice.items[0].command,
                      "kubectl taint node n1 team:NoSchedule- && kubectl uncordon n1 && "
                      "kubectl annotate node n1 facet.gpu/paused-");
}

static void several_things_are_not_advised_where_one_is_enough(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  Node *closed = fixture_node(&s.f, "n1");
  fixture_gpu(&s.f, closed, A100, "");
  closed->unschedulable = true;
  fixture_set(&s.f, &closed->meta.annotations, MIG_ANNOTATION_PAUSED, "true");
  Node *full = fixture_node(&s.f, "n2");
  fixture_gpu(&s.f, full, A100, "7g.80gb@0:used");
  scene_running(&s, "a", "7g.80gb", "n2");
  fixture_pod(&s.f, "p", "7g.80gb");
  assert_does_not_say(scene_advice(&s, "p"), "several: ");
}

static void of_pods_that_would_do_the_one_with_the_least_to_lose_comes_first(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "7g.80gb@0:used");
  fixture_gpu(&s.f, fixture_node(&s.f, "n2"), A100, "4g.40gb@0:used,1g.10gb@4:used,1g.10gb@6:used");
  scene_running(&s, "big", "7g.80gb", "n1");
  scene_running(&s, "four", "4g.40gb", "n2");
  fixture_pod(&s.f, "p", "3g.40gb");
  assert_string_equal(scene_advice(&s, "p"),
                      "end: when demo/four ends: facet makes room for it on node n2\n"
                      "end: when demo/big ends: facet makes room for it on node n1\n"
                      "ask: if it asks 1g.10gb in place of 3g.40gb: facet makes room for it on node n2\n"
                      "gpu: one more A100-80GB, in a node like n1: facet makes room for it\n");
}

static void a_node_that_is_shared_otherwise_is_said_to_lose_that(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  Node *node = fixture_node(&s.f, "n1");
  fixture_gpu(&s.f, node, A100, "");
  fixture_set(&s.f, &node->meta.labels, MIG_LABEL_PARTITIONING, "mps");
  fixture_pod(&s.f, "p", "1g.10gb");
  assert_says(scene_advice(&s, "p"),
              "setting: take node n1 away from MPS sharing and hand it to facet: facet "
              "makes room for it on node n1\n");
}

static void a_request_that_no_node_has_is_left_out(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "");
  fixture_ask(&s.f, fixture_pod(&s.f, "p", "1g.10gb"), "example.com/fpga", "1");
  Pod *greedy = fixture_pod(&s.f, "greedy", "1g.10gb");
  fixture_ask(&s.f, greedy, "cpu", "100");
  fixture_ask(&s.f, greedy, "example.com/fpga", "1");
  assert_string_equal(scene_advice(&s, "p"),
                      "ask: if it asks no example.com/fpga: facet makes room for it on node n1\n");
  assert_string_equal(
      scene_advice(&s, "greedy"),
      "ask: if it asks cpu 64 in place of 100 and no example.com/fpga: facet makes room for it "
      "on node n1\n");
}

static void a_rule_that_wants_pods_that_are_not_there_is_left_out(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  KeyValue label = {.key = "app", .value = "web"};
  PodAffinityTerm near = {.selector = {.match_labels = {.items = &label, .count = 1}},
                          .has_selector = true,
                          .topology_key = "zone"};
  Node *node = fixture_node(&s.f, "n1");
  fixture_gpu(&s.f, node, A100, "");
  Pod *pod = fixture_pod(&s.f, "p", "1g.10gb");
  pod->common->affinity_terms.items = &near;
  pod->common->affinity_terms.count = 1;
  assert_string_equal(scene_advice(&s, "p"),
                      "ask: without its required pod affinity: facet makes room for it on node n1\n");
  fixture_set(&s.f, &node->meta.annotations, MIG_ANNOTATION_PAUSED, "true");
  assert_string_equal(
      scene_advice(&s, "p"),
      "several: without demo/p's required pod affinity, and remove facet.gpu/paused from node "
      "n1: facet makes room for it on node n1\n");
}

static void an_agent_that_is_not_there_is_to_be_started(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  Node *node = fixture_node(&s.f, "n1");
  fixture_set(&s.f, &node->meta.labels, "nvidia.com/gpu.product", "NVIDIA-A100-SXM4-80GB");
  fixture_set(&s.f, &node->meta.labels, "nvidia.com/gpu.count", "4");
  fixture_pod(&s.f, "p", "3g.40gb");
  assert_string_equal(scene_advice(&s, "p"),
                      "setting: start the facet agent on node n1, which has 4 x A100-80GB by its labels, "
                      "taken as empty: facet "
                      "makes room for it on node n1\n"
                      "gpu: one more A100-80GB, in a node like n1: facet makes room for it\n");
}

static void tries_are_limited_and_the_limit_is_told(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A30, "1g.6gb@0:used,1g.6gb@2:used");
  scene_running(&s, "a", "1g.6gb", "n1");
  scene_running(&s, "b", "1g.6gb", "n1");
  fixture_pod(&s.f, "p", "4g.24gb");
  Explanation explanation;
  explain_compute(scene_cluster(&s), scene_find(&s, "p"), &(ExplainOptions){.tries_max = 3}, &explanation);
  assert_int_equal(explanation.tries, 3);
  assert_false(explanation.all_ends_tried);
  explain_deinit(&explanation);
}

/* ---- pods that are served, or not in question ---- */

static void a_pod_that_is_served_is_told_where_and_gets_no_advice(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "1g.10gb@0:free");
  fixture_gpu(&s.f, fixture_node(&s.f, "n2"), A30, "");
  fixture_pod(&s.f, "p", "1g.10gb");
  fixture_pod(&s.f, "q", "1g.6gb");
  const Explanation *explanation = scene_explain(&s, "p");
  assert_int_equal(explanation->verdict, EXPLAIN_FITS);
  assert_string_equal(explanation->reason, "free slices for it are on node n1, or on their way there");
  assert_int_equal(explanation->advice.count, 0);
  explanation = scene_explain(&s, "q");
  assert_int_equal(explanation->verdict, EXPLAIN_ADMITTED);
  assert_string_equal(explanation->node, "n2");
  assert_true(strstr(explanation->reason, "on node n2: GPU 0: +1g.6gb@") != NULL);
}

static void pods_that_run_have_ended_or_ask_nothing_are_said_to(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "3g.40gb@4:used,1g.10gb@0:used,1g.10gb@1:used");
  scene_running(&s, "notebook", "3g.40gb", "n1");
  scene_running(&s, "a", "1g.10gb", "n1");
  scene_running(&s, "b", "1g.10gb", "n1");
  scene_running(&s, "lost", "1g.10gb", "n9");
  scene_running(&s, "over", "1g.10gb", "n1")->common->phase = "Failed";
  fixture_pod(&s.f, "web", NULL);
  assert_string_equal(scene_explain(&s, "notebook")->reason,
                      "it is bound to node n1 and its phase is Running; it holds 3g.40gb@4 of GPU 0");
  assert_string_equal(scene_explain(&s, "a")->reason,
                      "it is bound to node n1 and its phase is Running; it holds "
                      "one of 1g.10gb@0 of GPU 0, 1g.10gb@1 of GPU 0");
  assert_string_equal(scene_explain(&s, "lost")->reason, "it is bound to node n9, which is not listed");
  assert_string_equal(scene_explain(&s, "over")->reason, "its phase is Failed: it holds nothing any more");
  assert_string_equal(scene_explain(&s, "web")->reason, "it asks for no MIG slice");
  SchedulingGate gates[] = {{.name = "kueue.x-k8s.io/admission"}, {.name = "quota"}};
  Pod *gated = fixture_pod(&s.f, "gated", "1g.10gb");
  gated->common->scheduling_gates.items = gates;
  gated->common->scheduling_gates.count = 2;
  assert_string_equal(scene_explain(&s, "gated")->reason,
                      "it is held back by a scheduling gate (waiting for scheduling gates: "
                      "[kueue.x-k8s.io/admission quota])");
  assert_int_equal(s.explanation.verdict, EXPLAIN_IGNORED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_end_of_the_holder_is_advised),
      cmocka_unit_test(where_the_holder_is_not_known_each_world_has_to_help),
      cmocka_unit_test(pods_end_together_where_one_is_not_enough),
      cmocka_unit_test(cpu_is_freed_by_pods_without_slices),
      cmocka_unit_test(a_smaller_profile_is_advised_where_it_is_served),
      cmocka_unit_test(a_pod_that_asks_two_profiles_is_not_told_to_ask_one_of_them_twice),
      cmocka_unit_test(selectors_taints_and_cordons_are_tried_one_by_one),
      cmocka_unit_test(pods_that_come_first_are_answered_with_a_priority),
      cmocka_unit_test(what_it_costs_others_is_told),
      cmocka_unit_test(who_has_waited_long_is_explained_as_it_is_planned),
      cmocka_unit_test(a_node_that_is_being_re_cut_is_waited_for),
      cmocka_unit_test(a_profile_of_another_model_is_answered_with_that_model),
      cmocka_unit_test(where_nothing_helps_nothing_is_advised),
      cmocka_unit_test(changes_of_several_kinds_are_advised_together),
      cmocka_unit_test(only_what_is_needed_is_advised_together),
      cmocka_unit_test(several_things_are_not_advised_where_one_is_enough),
      cmocka_unit_test(of_pods_that_would_do_the_one_with_the_least_to_lose_comes_first),
      cmocka_unit_test(a_node_that_is_shared_otherwise_is_said_to_lose_that),
      cmocka_unit_test(a_request_that_no_node_has_is_left_out),
      cmocka_unit_test(a_rule_that_wants_pods_that_are_not_there_is_left_out),
      cmocka_unit_test(an_agent_that_is_not_there_is_to_be_started),
      cmocka_unit_test(tries_are_limited_and_the_limit_is_told),
      cmocka_unit_test(a_pod_that_is_served_is_told_where_and_gets_no_advice),
      cmocka_unit_test(pods_that_run_have_ended_or_ask_nothing_are_said_to),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
