/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator reads, sentence by sentence. */
#include "explain/explain_fixture.h"

static Taint *add_taint(Scene *s, Node *node, const char *key, const char *value) {
  node->taints.items = arena_alloc(&s->f.arena, sizeof *node->taints.items);
  node->taints.items[0] = (Taint){.key = key, .value = value, .effect = "NoSchedule"};
  node->taints.count = 1;
  return node->taints.items;
}

static void assert_says(const char *said, const char *expected) {
  said = string_or_empty(said); /* no arena gives NULL, which gcc does not know */
  if (!strstr(said, expected))
    fail_msg("\"%s\" is not in:\n%s", expected, said);
}

static void assert_does_not_say(const char *said, const char *unwanted) {
  said = string_or_empty(said);
  if (strstr(said, unwanted))
    fail_msg("\"%s\" is in:\n%s", unwanted, said);
}

/* ---- what is in the way ---- */

static void slices_in_the_way_are_named_with_their_holders(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "3g.40gb@4:used,1g.10gb@0:used,1g.10gb@2:used");
  scene_running(&s, "notebook", "3g.40gb", "n1");
  scene_running(&s, "a", "1g.10gb", "n1");
  scene_running(&s, "b", "1g.10gb", "n1");
  fixture_pod(&s.f, "p", "3g.40gb");
  assert_string_equal(
      scene_groups(&s, "p"),
      "n1 x 1 blocked\n"
      "  gpus: no GPU has room\n"
      "  GPU 0 none: 3g.40gb needs slots 0-3 or 4-7: 1g.10gb@0,2 are held each by one of demo/a, "
      "demo/b; 3g.40gb@4 is held by demo/notebook\n");
}

static void memory_that_is_free_but_split_is_counted(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "1g.10gb@1:used,1g.10gb@5:used");
  scene_running(&s, "a", NULL, "n1");
  fixture_ask_slices(&s.f, s.f.pods.items[0], "1g.10gb", 2);
  fixture_pod(&s.f, "p", "3g.40gb");
  assert_says(scene_groups(&s, "p"),
              "3g.40gb needs slots 0-3 or 4-7: 1g.10gb@1,5 are held by demo/a; 6 of 8 slots "
              "(60 GB) are free, but split\n");
  assert_true(s.explanation.groups.items[0].gpus[0].is_split);
}

static void a_kept_slice_is_called_kept(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  Node *node = fixture_node(&s.f, "n1");
  fixture_gpu(&s.f, node, A100, "1g.10gb@0:free");
  fixture_set(&s.f, &node->meta.annotations, MIG_ANNOTATION_KEEP_PREFIX "0", "1g.10gb@0");
  fixture_pod(&s.f, "p", "7g.80gb");
  assert_says(scene_groups(&s, "p"),
              "7g.80gb needs all slots: 1g.10gb@0 is free, but kept by facet.gpu/keep-gpu-0\n");
  assert_string_equal(
      scene_advice(&s, "p"),
      "setting: remove facet.gpu/keep-gpu-0 from node n1: facet makes room for it on node n1\n"
      "ask: if it asks 3g.40gb in place of 7g.80gb: facet makes room for it on node n1\n"
      "gpu: one more A100-80GB, in a node like n1: facet makes room for it\n");
  assert_string_equal(s.explanation.advice.items[0].command,
                      "kubectl annotate node n1 facet.gpu/keep-gpu-0-");
}

static void each_of_the_schedulers_conditions_is_named_with_what_the_node_has(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  Node *node = fixture_node(&s.f, "n1");
  fixture_gpu(&s.f, node, A100, "");
  fixture_set(&s.f, &node->meta.labels, "zone", "b");
  add_taint(&s, node, "team", "vision");
  node->unschedulable = true;
  Pod *pod = fixture_pod(&s.f, "p", "1g.10gb");
  fixture_set(&s.f, &pod->common->node_selector, "zone", "a");
  fixture_set(&s.f, &pod->common->node_selector, "disk", "ssd");
  fixture_ask(&s.f, pod, "cpu", "100");
  fixture_ask(&s.f, pod, "memory", "300Gi");
  const char *values[] = {"x", "y"};
  Requirement requirement = {.key = "rack", .operator_ = "In", .values = {.items = values, .count = 2}};
  NodeSelectorTerm term = {.match_expressions = {.items = &requirement, .count = 1}};
  pod->has_required_node_affinity = true;
  pod->required_terms.items = &term;
  pod->required_terms.count = 1;
  assert_string_equal(scene_groups(&s, "p"),
                      "n1 x 1 blocked\n"
                      "  cordon: cordoned\n"
                      "  taint: taint team=vision:NoSchedule is not tolerated\n"
                      "  selector: nodeSelector zone=a: the node has b\n"
                      "  selector: nodeSelector disk=ssd: the node has no such label\n"
                      "  affinity: required node affinity rack In (x, y): the node has no such label\n"
                      "  resources: cpu: asks 100, 64 of 64 is free: 36 short\n"
                      "  resources: memory: asks 300Gi, 256Gi of 256Gi is free: 44Gi short\n"
                      "  GPU 0 grow: 1g.10gb has room at slot 0\n");
}

static void the_rules_about_other_pods_are_named(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "");
  Pod *pod = fixture_pod(&s.f, "p", "1g.10gb"), *web = scene_running(&s, "web", NULL, "n1");
  KeyValue label = {.key = "app", .value = "web"};
  LabelSelector webs = {.match_labels = {.items = &label, .count = 1}};
  ContainerPort port = {.host_port = 80};
  PodAffinityTerm near = {.selector = webs, .has_selector = true, .topology_key = "zone"};
  PodAffinityTerm away = {.selector = webs, .has_selector = true, .topology_key = "kubernetes.io/hostname"};
  TopologySpreadConstraint spread = {.selector = webs,
                                     .has_selector = true,
                                     .topology_key = "rack",
                                     .max_skew = 2,
                                     .when_unsatisfiable = "DoNotSchedule"};
  pod->common->affinity_terms.items = &near;
  pod->common->affinity_terms.count = 1;
  assert_says(scene_groups(&s, "p"), "  scheduler: InterPodAffinity: node(s) didn't match pod affinity rules "
                                     "(app=web by zone)\n");
  pod->common->affinity_terms.count = 0;
  fixture_set(&s.f, &s.f.nodes.items[0]->meta.labels, "kubernetes.io/hostname", "n1");
  fixture_set(&s.f, &web->meta.labels, "app", "web");
  pod->common->anti_affinity_terms.items = &away;
  pod->common->anti_affinity_terms.count = 1;
  assert_says(scene_groups(&s, "p"), "InterPodAffinity: node(s) didn't match pod anti-affinity rules "
                                     "(app=web by kubernetes.io/hostname)\n");
  pod->common->anti_affinity_terms.count = 0;
  pod->common->spread_constraints.items = &spread;
  pod->common->spread_constraints.count = 1;
  assert_says(scene_groups(&s, "p"), "(app=web by rack, maxSkew 2)\n");
  pod->common->spread_constraints.count = 0;
  pod->common->containers.items[0].ports.items = web->common->containers.items[0].ports.items = &port;
  pod->common->containers.items[0].ports.count = web->common->containers.items[0].ports.count = 1;
  assert_says(scene_groups(&s, "p"),
              "  scheduler: NodePorts: node(s) didn't have free ports for the requested "
              "pod ports (80/TCP)\n");
}

static void closed_gpus_and_nodes_are_named_with_the_reason(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  Node *paused = fixture_node(&s.f, "n1"), *mixed = fixture_node(&s.f, "n2"),
       *plain = fixture_node(&s.f, "n3");
  fixture_gpu(&s.f, paused, A100, "");
  fixture_set(&s.f, &paused->meta.annotations, MIG_ANNOTATION_PAUSED, "true");
  fixture_gpu(&s.f, mixed, A100, "");
  fixture_gpu(&s.f, mixed, A100, "");
  fixture_gpu(&s.f, mixed, A30, "");
  fixture_set(&s.f, &mixed->meta.annotations, MIG_ANNOTATION_EXCLUDE, "0");
  fixture_set(&s.f, &mixed->meta.annotations, MIG_ANNOTATION_IDENTITY_PREFIX "1",
              "GPU-n2-1 NVIDIA-A100-SXM4-80GB mig=off");
  fixture_set(&s.f, &plain->meta.labels, MIG_LABEL_PARTITIONING, "mps");
  fixture_pod(&s.f, "p", "7g.80gb");
  assert_string_equal(scene_groups(&s, "p"),
                      "n2 x 1 blocked\n"
                      "  gpus: no GPU has room\n"
                      "  GPU 0 closed: GPU 0 of node n2 is excluded by facet.gpu/exclude-gpus\n"
                      "  GPU 1 closed: MIG mode is off on GPU 1 of node n2\n"
                      "  GPU 2 no profile: has no profile 7g.80gb\n"
                      "n1 x 1 blocked\n"
                      "  closed: node n1 is paused by facet.gpu/paused\n"
                      "  GPU 0 grow: 7g.80gb has room at slot 0\n"
                      "n3 x 1 blocked\n"
                      "  closed: node n3 does not carry the label nos.nebuly.com/gpu-partitioning=mig\n");
  assert_string_equal(
      scene_advice(&s, "p"),
      "setting: remove facet.gpu/exclude-gpus from node n2: facet makes room for it on node n2\n"
      "setting: switch MIG mode on for GPU 1 of node n2, then reset the GPU: facet makes room for it on node "
      "n2\n"
      "setting: remove facet.gpu/paused from node n1: facet makes room for it on node n1\n"
      "ask: if it asks 4g.24gb in place of 7g.80gb: facet makes room for it on node n2\n"
      "gpu: one more A100-80GB, in a node like n2: facet makes room for it\n");
}

static void nodes_that_are_alike_are_told_once(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  for (int i = 0; i < 12; i++) {
    const char *name = arena_format(&s.f.arena, "n%02d", i);
    fixture_gpu(&s.f, fixture_node(&s.f, name), A100, "7g.80gb@0:used");
    scene_running(&s, arena_format(&s.f.arena, "r%d", i), "7g.80gb", name);
  }
  fixture_node(&s.f, "plain")->meta.labels.count = 0;
  fixture_pod(&s.f, "p", "1g.10gb");
  assert_string_equal(scene_groups(&s, "p"),
                      "n00 x 12 blocked\n"
                      "  gpus: no GPU has room\n"
                      "  GPU 0 none: 1g.10gb needs one of slots 0-6: 7g.80gb@0 is held by "
                      "demo/r0\n");
  assert_int_equal(s.explanation.other_nodes, 1);
}

static void slices_that_are_promised_to_others_are_no_room(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "3g.40gb@0:free,3g.40gb@4:used");
  scene_running(&s, "a", "3g.40gb", "n1");
  scene_running(&s, "b", "3g.40gb", "n1")->common->phase = "Pending";
  fixture_pod(&s.f, "p", "3g.40gb");
  assert_says(scene_groups(&s, "p"),
              "3g.40gb needs slots 0-3 or 4-7: 3g.40gb@0 is free, but promised to a pod that is on its way; "
              "3g.40gb@4 is held by demo/a");
}

static void a_slice_that_is_promised_gives_way_to_nobody(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "4g.40gb@0:free");
  scene_running(&s, "a", "4g.40gb", "n1")->common->phase = "Pending";
  fixture_pod(&s.f, "p", "7g.80gb");
  assert_says(
      scene_groups(&s, "p"),
      "  GPU 0 none: 7g.80gb needs all slots: 4g.40gb@0 is free, but promised to a pod that is on its way\n");
  assert_says(scene_advice(&s, "p"), "end: when demo/a ends: facet makes room for it on node n1\n");
}

/* Its slots are free, and would be if they lay otherwise. */
static void what_a_rule_forbids_is_not_called_split(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "1g.10gb+me@0:used");
  fixture_gpu(&s.f, fixture_node(&s.f, "n2"), A30, "1g.6gb+me@0:used");
  scene_running(&s, "a", "1g.10gb+me", "n1");
  scene_running(&s, "b", "1g.6gb+me", "n2");
  fixture_pod(&s.f, "p", "1g.10gb+me");
  fixture_pod(&s.f, "q", "2g.12gb+me");
  assert_says(scene_groups(&s, "p"), "  GPU 0 none: NVIDIA-A100-SXM4-80GB can have only 1 of 1g.10gb+me: "
                                     "1g.10gb+me@0 is held by demo/a\n");
  assert_says(scene_groups(&s, "q"),
              "  GPU 0 none: 2g.12gb+me@2 and 1g.6gb+me@0 need the same media engines: "
              "1g.6gb+me@0 is held by demo/b\n");
}

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
  add_taint(&s, tainted, "team", "vision");
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
  fixture_ask(&s.f, pod, "example.com/card", "1");
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
  add_taint(&s, node, "team", "vision");
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
      cmocka_unit_test(slices_in_the_way_are_named_with_their_holders),
      cmocka_unit_test(memory_that_is_free_but_split_is_counted),
      cmocka_unit_test(a_kept_slice_is_called_kept),
      cmocka_unit_test(each_of_the_schedulers_conditions_is_named_with_what_the_node_has),
      cmocka_unit_test(the_rules_about_other_pods_are_named),
      cmocka_unit_test(closed_gpus_and_nodes_are_named_with_the_reason),
      cmocka_unit_test(nodes_that_are_alike_are_told_once),
      cmocka_unit_test(slices_that_are_promised_to_others_are_no_room),
      cmocka_unit_test(a_slice_that_is_promised_gives_way_to_nobody),
      cmocka_unit_test(what_a_rule_forbids_is_not_called_split),
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
      cmocka_unit_test(an_agent_that_is_not_there_is_to_be_started),
      cmocka_unit_test(tries_are_limited_and_the_limit_is_told),
      cmocka_unit_test(a_pod_that_is_served_is_told_where_and_gets_no_advice),
      cmocka_unit_test(pods_that_run_have_ended_or_ask_nothing_are_said_to),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
