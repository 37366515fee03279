/* SPDX-License-Identifier: Apache-2.0 */
#include "check/check_fixture.h"

#define INSTALL                                                                                              \
  "  $ helm upgrade --install facet deploy/helm/facet --namespace facet-system --create-namespace\n"

static void a_cluster_without_gpus_is_an_error(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", {"capacity cpu", "8"});
  NODE(&bench, "n2", {"capacity nvidia.com/gpu", "0"});
  bench_expect(
      &bench, "no-gpu",
      "error cluster: of 2 nodes none shows an NVIDIA GPU: no label of GPU feature discovery, no nvidia.com/ "
      "resource\n"
      "  $ helm install gpu-operator nvidia/gpu-operator --namespace gpu-operator --create-namespace --set "
      "mig.strategy=mixed\n");
  bench_expect(&bench, "no-node", "");
}

static void nothing_is_said_of_nodes_that_could_not_be_seen(void **state) {
  Bench bench;
  bench_init(&bench);
  bench.cluster.sees_nodes = false;
  bench_expect(&bench, "no-gpu", "");
}

static void gpus_that_nobody_handed_over_are_an_error(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n0", PRESENT, {"nvidia.com/mig.capable", "false"});
  NODE(&bench, "n1", PRESENT);
  NODE(&bench, "n2", {"nvidia.com/gpu.product", "NVIDIA-A30"});
  bench_expect(&bench, "no-gpu", "");
  bench_expect(&bench, "no-node",
               "error cluster: no node is handed to facet: of 2 with GPUs none carries the label "
               "nos.nebuly.com/gpu-partitioning\n"
               "  $ kubectl label node n1 nos.nebuly.com/gpu-partitioning=mig --overwrite\n");
  bench.nodes[2].meta.labels.items[bench.nodes[2].meta.labels.count++] = (KeyValue)MIG;
  bench_expect(&bench, "no-node", "");
}

static void an_old_kubernetes_is_told(void **state) {
  Bench bench;
  bench_init(&bench);
  bench_expect(&bench, "server-version", "");
  bench.cluster.server_version = NULL;
  bench_expect(&bench, "server-version", "");
  bench.cluster.server_version = "v1.25.16";
  bench_expect(&bench, "server-version",
               "error cluster: Kubernetes is v1.25.16: facet needs 1.26 or newer, and its programs refuse to "
               "work with "
               "older ones\n"
               "  $ on a control plane node: kubeadm upgrade plan\n");
  bench.cluster.server_version = "v1.28.0";
  bench_expect(&bench, "server-version",
               "warning cluster: Kubernetes is v1.28.0: facet supports 1.29 and newer, and was never tried "
               "with this one\n"
               "  $ on a control plane node: kubeadm upgrade plan\n");
}

static void a_missing_namespace_is_an_error(void **state) {
  Bench bench;
  bench_init(&bench);
  bench.cluster.has_namespace = CHECK_NO;
  bench_expect(&bench, "namespace",
               "error namespace facet-system: it does not exist: agents have no place for their reservation "
               "pods, and free "
               "slices cannot be re-cut\n"
               "  $ kubectl create namespace facet-system\n");
  bench.cluster.has_namespace = CHECK_UNKNOWN;
  bench_expect(&bench, "namespace", "");
}

static void a_missing_priority_class_is_an_error(void **state) {
  Bench bench;
  bench_init(&bench);
  bench.cluster.has_priority_class = CHECK_NO;
  bench_expect(
      &bench, "priority-class",
      "error priorityclass facet-reservation: it does not exist: the API server refuses the agents' "
      "reservation "
      "pods, and free slices cannot be re-cut\n"
      "  $ kubectl create priorityclass facet-reservation --value=1000000000 --preemption-policy=Never\n");
  bench.cluster.has_priority_class = CHECK_UNKNOWN;
  bench_expect(&bench, "priority-class", "");
}

static void deny(Bench *bench, bool is_agent, const char *verb) {
  size_t count;
  const CheckRight *rights = check_rights(&count);
  assert_true(count <= CHECK_RIGHTS_MAX);
  for (size_t i = 0; i < count; i++)
    if (rights[i].is_agent == is_agent && (!verb || string_equal(rights[i].verb, verb)))
      bench->cluster.allowed[i] = CHECK_NO;
}

static void missing_rights_are_told_by_account(void **state) {
  Bench bench;
  bench_init(&bench);
  deny(&bench, false, NULL);
  deny(&bench, true, "patch");
  deny(&bench, true, "create");
  bench_expect(
      &bench, "rights",
      "error serviceaccount facet-system/facet-controller: it lacks all rights: list nodes, watch nodes, "
      "patch "
      "nodes, list pods, watch pods, create events.events.k8s.io, create leases.coordination.k8s.io\n" INSTALL
      "error serviceaccount facet-system/facet-agent: it lacks rights: patch nodes/status, create "
      "events.events.k8s.io, create pods\n" INSTALL);
}

static void nothing_is_said_of_rights_that_nobody_could_ask_for(void **state) {
  Bench bench;
  bench_init(&bench);
  for (size_t i = 0; i < CHECK_RIGHTS_MAX; i++)
    bench.cluster.allowed[i] = CHECK_UNKNOWN;
  bench_expect(&bench, "rights", "");
}

/* ---- the controller ---- */

static void a_controller_that_runs_is_fine(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, PRESENT);
  bench.cluster.has_lease = CHECK_NO;
  POD(&bench, "c-1", "n1", FACET("controller"))->common->phase = "Pending";
  POD(&bench, "c-2", "n1", FACET("controller"));
  bench_expect(&bench, "controller", "");
}

static void a_controller_whose_pods_do_not_run_is_an_error(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, PRESENT);
  POD(&bench, "c-1", NULL, FACET("controller"));
  bench_expect(&bench, "controller",
               "error pod ops/c-1: facet's controller does not run: the pod is Pending\n"
               "  $ kubectl describe pod --namespace ops c-1\n");
}

#define UNSEEN(severity, why)                                                                                \
  severity " cluster: no controller of facet is to be seen: there is no pod of it, and " why                 \
           " (one that runs elsewhere without --leader-elect is never seen)\n" INSTALL

static void a_controller_elsewhere_is_seen_by_its_lease(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, PRESENT);
  bench.cluster.lease_renewed = bench.cluster.now - 60;
  bench_expect(&bench, "controller", "");
  bench.cluster.lease_renewed--;
  bench_expect(&bench, "controller", UNSEEN("warning", "its Lease was not renewed for a minute"));
  bench.cluster.has_lease = CHECK_NO;
  bench_expect(&bench, "controller", UNSEEN("warning", "nobody holds its Lease"));
}

static void where_agents_are_pods_a_missing_controller_is_an_error(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, PRESENT);
  POD(&bench, "agent", "n1", FACET("agent"));
  bench.cluster.has_lease = CHECK_NO;
  bench_expect(&bench, "controller", UNSEEN("error", "nobody holds its Lease"));
}

static void without_the_lease_a_missing_controller_is_only_noted(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, PRESENT);
  bench.cluster.has_lease = CHECK_UNKNOWN;
  bench_expect(
      &bench, "controller",
      "note cluster: no pod of facet's controller is to be seen; one that runs elsewhere would not be seen "
      "here\n" INSTALL);
  bench.cluster.sees_pods = false;
  bench_expect(&bench, "controller", "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_cluster_without_gpus_is_an_error),
      cmocka_unit_test(nothing_is_said_of_nodes_that_could_not_be_seen),
      cmocka_unit_test(gpus_that_nobody_handed_over_are_an_error),
      cmocka_unit_test(an_old_kubernetes_is_told),
      cmocka_unit_test(a_missing_namespace_is_an_error),
      cmocka_unit_test(a_missing_priority_class_is_an_error),
      cmocka_unit_test(missing_rights_are_told_by_account),
      cmocka_unit_test(nothing_is_said_of_rights_that_nobody_could_ask_for),
      cmocka_unit_test(a_controller_that_runs_is_fine),
      cmocka_unit_test(a_controller_whose_pods_do_not_run_is_an_error),
      cmocka_unit_test(a_controller_elsewhere_is_seen_by_its_lease),
      cmocka_unit_test(where_agents_are_pods_a_missing_controller_is_an_error),
      cmocka_unit_test(without_the_lease_a_missing_controller_is_only_noted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
