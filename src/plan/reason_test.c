/* SPDX-License-Identifier: Apache-2.0 */
/* The words for pods that are not helped, compared exactly: people read them in events. */
#include "plan/plan_fixture.h"

/* The words for the pod of this name. */
static const char *reason_of(Fixture *f, const char *name) {
  fixture_plan(f, NULL);
  for (size_t i = 0; i < f->plan.pods.count; i++)
    if (strcmp(fixture_pod_name(f, i), name) == 0) {
      assert_true(strlen(f->plan.pods.items[i].reason) < 400);
      return f->plan.pods.items[i].reason;
    }
  fail_msg("no pod %s", name);
  return NULL;
}

static void a_profile_that_no_gpu_has_is_answered_with_those_that_exist(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  fixture_gpu(&f, fixture_node(&f, "n2"), H100, "");
  fixture_pod(&f, "p", "3g.20gb");
  assert_string_equal(reason_of(&f, "p"),
                      "no GPU here has profile 3g.20gb; GPUs here offer 1g.10gb, 1g.10gb+me, "
                      "1g.20gb, 2g.20gb, 3g.40gb, 4g.40gb, 7g.80gb");
}

static void a_resource_that_is_no_profile_is_named_as_it_is_written(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A30, "");
  fixture_ask(&f, fixture_pod(&f, "p", NULL), "nvidia.com/mig-huge", "1");
  assert_string_equal(reason_of(&f, "p"), "nvidia.com/mig-huge names no MIG profile; GPUs here offer 1g.6gb, "
                                          "1g.6gb+me, 2g.12gb, 2g.12gb+me, 4g.24gb");
}

static void a_cluster_without_managed_gpus_says_which_label_is_missing(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_set(&f, &fixture_node(&f, "n1")->meta.labels, MIG_LABEL_PARTITIONING, "mps");
  fixture_pod(&f, "p", "1g.10gb");
  assert_string_equal(reason_of(&f, "p"), "no GPU here has profile 1g.10gb; no node is labelled "
                                          "nos.nebuly.com/gpu-partitioning=mig");
}

static void the_first_node_whose_gpus_are_not_known_says_why(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_set(&f, &fixture_node(&f, "n0")->meta.labels, MIG_LABEL_PARTITIONING, "mps");
  fixture_node(&f, "n1");
  fixture_pod(&f, "p", "1g.10gb");
  assert_string_equal(
      reason_of(&f, "p"),
      "no GPU here has profile 1g.10gb; node n1: no GPU was reported; is the facet agent running there?");
  fixture_gpu(&f, f.nodes.items[1], "NVIDIA-Unheard-Of", "");
  assert_string_equal(
      reason_of(&f, "p"),
      "no GPU here has profile 1g.10gb; GPU 0 of node n1 is a NVIDIA-Unheard-Of: facet does not "
      "know what MIG allows on it, and facet.gpu/profiles does not say so");
}

/* Nobody publishes slices under such a name. */
static void a_profile_in_another_spelling_is_none(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A30, "");
  fixture_ask(&f, fixture_pod(&f, "p", NULL), "nvidia.com/mig-1g.6gb+me", "1");
  assert_string_equal(reason_of(&f, "p"), "nvidia.com/mig-1g.6gb+me names no MIG profile; GPUs here offer "
                                          "1g.6gb, 1g.6gb+me, 2g.12gb, 2g.12gb+me, 4g.24gb");
}

static void a_kept_slice_in_the_way_is_named_with_its_annotation(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Node *node = fixture_node(&f, "n1");
  fixture_gpu(&f, node, A100, "1g.10gb@2:free,1g.10gb@3:free");
  fixture_set(&f, &node->meta.annotations, "facet.gpu/keep-gpu-0", "1g.10gb@2");
  fixture_pod(&f, "p", "7g.80gb");
  assert_string_equal(reason_of(&f, "p"), "7g.80gb needs GPU 0 of node n1 empty, but 1 slice is on it "
                                          "(1g.10gb@2 kept by facet.gpu/keep-gpu-0)");
}

/* Two free slices and one claim: one of the two could go, which is not enough. */
static void a_free_slice_that_a_bound_pod_counts_on_is_in_the_way(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "3g.40gb@0:used,1g.10gb@5:free,1g.10gb@6:free");
  fixture_pod(&f, "b", "1g.10gb")->node_name = "n1";
  fixture_pod(&f, "p", "3g.40gb");
  assert_string_equal(reason_of(&f, "p"),
                      "3g.40gb needs slots 4-7 of GPU 0 of node n1, but 1 slice is in the "
                      "way (1g.10gb@6 free, but promised to a pod that is on its way)");
}

static void slices_of_which_only_counts_tell_stay(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Node *node = fixture_node(&f, "n1");
  fixture_set(&f, &node->meta.labels, "nvidia.com/gpu.product", A100);
  fixture_set(&f, &node->meta.annotations, "nos.nebuly.com/status-gpu-0-3g.40gb-free", "1");
  fixture_pod(&f, "p", "7g.80gb");
  assert_string_equal(reason_of(&f, "p"),
                      "7g.80gb needs GPU 0 of node n1 empty, but 1 slice is on it (3g.40gb@4 free, but only "
                      "counts tell of it and not its place)");
}

static void a_node_that_is_being_recut_says_so(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Node *node = fixture_node(&f, "n1");
  fixture_gpu(&f, node, A100, "7g.80gb@0:free");
  fixture_set(&f, &node->meta.annotations, MIG_ANNOTATION_SPEC_PLAN, "p7");
  fixture_set(&f, &node->meta.annotations, "facet.gpu/spec-gpu-0", "GPU-n1-0 3g.40gb@4");
  fixture_pod(&f, "p", "4g.40gb");
  assert_string_equal(
      reason_of(&f, "p"),
      "no node with GPUs for 4g.40gb can take it: node n1 is carrying out plan p7, which takes "
      "slices away; facet plans again when it is done");
}

static void what_runs_short_beside_those_that_are_served_is_named(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  for (int i = 1; i <= 2; i++)
    fixture_gpu(&f, fixture_node(&f, arena_format(&f.arena, "n%d", i)), A100, "");
  for (int i = 0; i < 3; i++)
    fixture_ask(&f, fixture_pod(&f, arena_format(&f.arena, "p%d", i), "1g.10gb"), "cpu", "40");
  assert_string_equal(
      reason_of(&f, "p2"),
      "1g.10gb would fit on node n1 and 1 more, but not beside the pods that are served there "
      "(Insufficient cpu)");
}

static void slices_in_the_way_are_named_with_their_use(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100,
              "1g.10gb@1:free,1g.10gb@2:used,1g.10gb@3:used,1g.10gb@4:used,1g.10gb@5:used,1g.10gb@6:used");
  fixture_pod(&f, "p", "7g.80gb");
  assert_string_equal(
      reason_of(&f, "p"),
      "7g.80gb needs GPU 0 of node n1 empty, but 5 slices are on it (1g.10gb@2 used by a pod, "
      "1g.10gb@3 used by a pod, 1g.10gb@4 used by a pod, and 2 more)");
}

static void the_place_with_the_least_in_use_is_named(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Node *node = fixture_node(&f, "n1");
  fixture_gpu(&f, node, A100, "1g.10gb@0:used,1g.10gb@3:used,2g.20gb@4:used,1g.10gb@6:used");
  fixture_gpu(&f, node, A100, "2g.20gb@0:used,1g.10gb@3:used,1g.10gb@5:free,1g.10gb@6:used");
  fixture_gpu(&f, node, A100, "1g.10gb@0:used,1g.10gb@1:used,1g.10gb@4:used,1g.10gb@6:used");
  fixture_pod(&f, "p", "3g.40gb");
  assert_string_equal(reason_of(&f, "p"),
                      "3g.40gb needs slots 4-7 of GPU 1 of node n1, but 1 slice is in the way "
                      "(1g.10gb@6 used by a pod); no other of the 3 GPUs for it is nearer");
}

static void an_instance_limit_is_named(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "1g.10gb+me@6:used");
  fixture_pod(&f, "p", "1g.10gb+me");
  assert_string_equal(reason_of(&f, "p"), "1g.10gb+me has no place on GPU 0 of node n1: "
                                          "NVIDIA-A100-SXM4-80GB can have only 1 of 1g.10gb+me");
}

static void pods_that_are_served_instead_are_counted(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  fixture_pods(&f, 7, "p", "1g.10gb");
  fixture_pod(&f, "q", "7g.80gb");
  assert_string_equal(reason_of(&f, "q"),
                      "all free slots for 7g.80gb are needed by 7 pods that are served instead");
}

static void filters_of_the_scheduler_are_quoted_and_counted(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  for (int i = 1; i <= 3; i++)
    fixture_gpu(&f, fixture_node(&f, arena_format(&f.arena, "n%d", i)), A100, "");
  fixture_set(&f, &f.nodes.items[2]->meta.labels, "zone", "a");
  Pod *pod = fixture_pod(&f, "p", "2g.20gb");
  fixture_set(&f, &pod->common->node_selector, "zone", "a");
  fixture_ask(&f, pod, "cpu", "65");
  assert_string_equal(
      reason_of(&f, "p"),
      "no node with GPUs for 2g.20gb can take it: NodeAffinity refuses 2 nodes such as n1 (node(s) didn't "
      "match Pod's node affinity/selector), NodeResourcesFit refuses node n3 (Insufficient cpu)");
}

static void a_closed_node_is_quoted(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Node *paused = fixture_node(&f, "n1"), *excluded = fixture_node(&f, "n2"),
       *limited = fixture_node(&f, "n3");
  fixture_gpu(&f, paused, A100, "");
  fixture_set(&f, &paused->meta.annotations, MIG_ANNOTATION_PAUSED, "true");
  fixture_gpu(&f, excluded, A100, "");
  fixture_set(&f, &excluded->meta.annotations, MIG_ANNOTATION_EXCLUDE, "0");
  fixture_gpu(&f, limited, A100, "");
  fixture_set(&f, &limited->meta.annotations, MIG_ANNOTATION_ALLOWED, "1g.10gb");
  fixture_pod(&f, "p", "2g.20gb");
  assert_string_equal(
      reason_of(&f, "p"),
      "no node with GPUs for 2g.20gb can take it: node n1 is paused by facet.gpu/paused, GPU 0 of "
      "node n2 is excluded by facet.gpu/exclude-gpus, facet.gpu/allowed-profiles leaves it out on "
      "node n3");
}

static void slices_of_one_pod_must_be_on_one_node(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  fixture_gpu(&f, fixture_node(&f, "n2"), A100, "");
  Pod *pod = fixture_pod(&f, "p", NULL);
  fixture_ask_slices(&f, pod, "4g.40gb", 2);
  fixture_ask_slices(&f, pod, "1g.10gb", 1);
  assert_string_equal(reason_of(&f, "p"),
                      "none of the 2 nodes that could take it has room for 2 x 4g.40gb and 1 x "
                      "1g.10gb together");
}

static void a_pod_that_asks_more_than_any_node_could_hold_is_blocked(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  fixture_ask(&f, fixture_pod(&f, "p", NULL), "nvidia.com/mig-1g.10gb", "9000000000000");
  assert_string_equal(reason_of(&f, "p"),
                      "node n1, the only one that could take it, has no room for 9000000000000 "
                      "x 1g.10gb together");
}

static void a_long_list_is_cut(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  const char *models[] = {
      A100, A100_40, A30, PRO6000, "NVIDIA-B200", "NVIDIA-H200", "NVIDIA-GH200-144G-HBM3e"};
  Node *node = fixture_node(&f, "n1");
  for (size_t i = 0; i < COUNT_OF(models); i++)
    fixture_gpu(&f, node, models[i], "");
  fixture_pod(&f, "p", "5g.50gb");
  const char *reason = reason_of(&f, "p");
  assert_int_equal(strlen(reason), 399);
  assert_true(string_has_suffix(reason, "..."));
}

typedef struct IgnoreCase {
  const char *reason; /* NULL: it is planned for */
  void (*change)(Fixture *f, Pod *pod);
} IgnoreCase;

static void leave(Fixture *f, Pod *pod) {
}

static void ask_cpu_only(Fixture *f, Pod *pod) {
  pod->common->containers.items[0].requests.count = 0;
  fixture_ask(f, pod, "cpu", "1");
}

static void set_deleted(Fixture *f, Pod *pod) {
  pod->meta.deletion_time = 1;
}

static void gate(Fixture *f, Pod *pod) {
  static SchedulingGate gates[] = {{"kueue.x-k8s.io/admission"}};
  pod->common->scheduling_gates.items = gates;
  pod->common->scheduling_gates.count = 1;
}

static void nominate(Fixture *f, Pod *pod) {
  pod->common->nominated_node_name = "n1";
}

static void own_by_daemon_set(Fixture *f, Pod *pod) {
  static OwnerReference owners[] = {{.kind = "DaemonSet", .name = "d", .controller = true}};
  pod->common->owners.items = owners;
  pod->common->owners.count = 1;
}

static void fail_otherwise(Fixture *f, Pod *pod) {
  pod->common->conditions.items[0].reason = "SchedulerError";
}

static void drop_condition(Fixture *f, Pod *pod) {
  pod->common->conditions.count = 0;
}

static void ask_garbage(Fixture *f, Pod *pod) {
  fixture_ask(f, pod, "cpu", "many");
}

static void pods_that_partitioning_cannot_help_are_ignored_with_a_reason(void **state) {
  const IgnoreCase cases[] = {
      {NULL, leave},
      {NULL, drop_condition},
      {"it asks for no MIG slice", ask_cpu_only},
      {"it is being deleted", set_deleted},
      {"it is held back by a scheduling gate", gate},
      {"the scheduler has nominated a node for it and makes room there", nominate},
      {"it belongs to a DaemonSet, whose pods are tied to their nodes", own_by_daemon_set},
      {"the scheduler has not found it unschedulable", fail_otherwise},
      {"requests of container main: cpu: \"many\" is not a quantity such as 500m, 4 or 2Gi", ask_garbage},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
    cases[i].change(&f, fixture_pod(&f, "p", "1g.10gb"));
    assert_string_equal(reason_of(&f, "p"), string_or_empty(cases[i].reason));
    assert_int_equal(f.plan.pods.items[0].verdict, cases[i].reason ? PLAN_IGNORED : PLAN_ADMITTED);
    assert_int_equal(f.plan.pending, !cases[i].reason);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_profile_that_no_gpu_has_is_answered_with_those_that_exist),
      cmocka_unit_test(a_resource_that_is_no_profile_is_named_as_it_is_written),
      cmocka_unit_test(a_cluster_without_managed_gpus_says_which_label_is_missing),
      cmocka_unit_test(the_first_node_whose_gpus_are_not_known_says_why),
      cmocka_unit_test(a_profile_in_another_spelling_is_none),
      cmocka_unit_test(a_kept_slice_in_the_way_is_named_with_its_annotation),
      cmocka_unit_test(a_free_slice_that_a_bound_pod_counts_on_is_in_the_way),
      cmocka_unit_test(slices_of_which_only_counts_tell_stay),
      cmocka_unit_test(a_node_that_is_being_recut_says_so),
      cmocka_unit_test(what_runs_short_beside_those_that_are_served_is_named),
      cmocka_unit_test(slices_in_the_way_are_named_with_their_use),
      cmocka_unit_test(the_place_with_the_least_in_use_is_named),
      cmocka_unit_test(an_instance_limit_is_named),
      cmocka_unit_test(pods_that_are_served_instead_are_counted),
      cmocka_unit_test(filters_of_the_scheduler_are_quoted_and_counted),
      cmocka_unit_test(a_closed_node_is_quoted),
      cmocka_unit_test(slices_of_one_pod_must_be_on_one_node),
      cmocka_unit_test(a_pod_that_asks_more_than_any_node_could_hold_is_blocked),
      cmocka_unit_test(a_long_list_is_cut),
      cmocka_unit_test(pods_that_partitioning_cannot_help_are_ignored_with_a_reason),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
