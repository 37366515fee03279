/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator reads of each node and GPU, sentence by sentence. */
#include "explain/explain_fixture.h"

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
  scene_taint(&s, node, "team", "vision");
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
                      "  GPU 0 grow: 1g.10gb has room at slot 0 and others\n");
}

static void other_places_are_told_of(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "7g.80gb@0:free");
  fixture_pod(&s.f, "p", "1g.10gb");
  fixture_pod(&s.f, "q", "4g.40gb");
  assert_says(scene_groups(&s, "p"), "1g.10gb has room at slot 0 and others when free 7g.80gb@0 gives way\n");
  assert_says(scene_groups(&s, "q"), "4g.40gb has room at slot 0 when free 7g.80gb@0 gives way\n");
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(slices_in_the_way_are_named_with_their_holders),
      cmocka_unit_test(memory_that_is_free_but_split_is_counted),
      cmocka_unit_test(a_kept_slice_is_called_kept),
      cmocka_unit_test(each_of_the_schedulers_conditions_is_named_with_what_the_node_has),
      cmocka_unit_test(other_places_are_told_of),
      cmocka_unit_test(the_rules_about_other_pods_are_named),
      cmocka_unit_test(closed_gpus_and_nodes_are_named_with_the_reason),
      cmocka_unit_test(nodes_that_are_alike_are_told_once),
      cmocka_unit_test(slices_that_are_promised_to_others_are_no_room),
      cmocka_unit_test(a_slice_that_is_promised_gives_way_to_nobody),
      cmocka_unit_test(what_a_rule_forbids_is_not_called_split),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
