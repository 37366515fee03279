/* SPDX-License-Identifier: Apache-2.0 */
#include "check/check_fixture.h"

#define NAME(value)                                                                                          \
  { "app.kubernetes.io/name", value }
#define RELEASE(value)                                                                                       \
  { "app.kubernetes.io/instance", value }

static void parts_of_nos_that_cut_are_an_error(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, PRESENT);
  POD(&bench, "r-gpu-partitioner-1", "n1", RELEASE("r"), NAME("nos-gpu-partitioner"));
  POD(&bench, "r-mig-agent-1", "n1", RELEASE("r"), NAME("nos-mig-agent"));
  POD(&bench, "r-mig-agent-2", "n1", RELEASE("r"), NAME("nos-mig-agent"));
  POD(&bench, "r-gpu-agent-1", "n1", NAME("nos-gpu-agent"))->common->phase = "Succeeded";
  POD(&bench, "r-operator-1", "n1", NAME("nos-operator"));
  bench_expect(
      &bench, "nos",
      "error pod ops/r-gpu-partitioner-1: nos-gpu-partitioner runs (1 pod) and writes layouts into the "
      "annotations "
      "of nodes, as facet does: two that cut undo each other's work\n"
      "  $ helm upgrade r oci://ghcr.io/nebuly-ai/helm-charts/nos --namespace ops --reuse-values --set "
      "gpuPartitioner.enabled=false\n"
      "error pod ops/r-mig-agent-1: nos-mig-agent runs (2 pods) and cuts GPUs and reports them, as facet "
      "does: two "
      "that cut undo each other's work\n"
      "  $ helm upgrade r oci://ghcr.io/nebuly-ai/helm-charts/nos --namespace ops --reuse-values --set "
      "gpuPartitioner.enabled=false\n");
}

static void pods_for_a_scheduler_of_nos_that_is_gone_are_an_error(void **state) {
  Bench bench;
  bench_init(&bench);
  bench_waiting(&bench, "p-1", "cpu")->common->scheduler_name = "nos-scheduler";
  bench_waiting(&bench, "p-2", "cpu")->common->scheduler_name = "nos-scheduler";
  bench_waiting(&bench, "p-3", "cpu")->common->scheduler_name = "default-scheduler";
  bench_expect(&bench, "nos-scheduler",
               "error pod ops/p-1: 2 pods wait for the scheduler nos-scheduler, of which no pod runs: leave "
               "schedulerName "
               "out of their templates\n"
               "  $ kubectl get pods --all-namespaces --field-selector spec.schedulerName=nos-scheduler\n");
  POD(&bench, "s", "n1", NAME("nos-scheduler"));
  bench_expect(&bench, "nos-scheduler", "");
}

static void a_profile_that_no_gpu_has_is_told_once(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, A100, EMPTY);
  NODE(&bench, "n2", PRESENT, {"capacity nvidia.com/mig-1g.5gb", "1"});
  bench_waiting(&bench, "right", "nvidia.com/mig-1g.10gb");
  bench_waiting(&bench, "wrong-1", "nvidia.com/mig-3g.20gb");
  bench_waiting(&bench, "wrong-2", "nvidia.com/mig-3g.20gb");
  bench_waiting(&bench, "elsewhere", "nvidia.com/mig-1g.5gb");
  bench_waiting(&bench, "whole", "nvidia.com/gpu");
  bench_waiting(&bench, "share", "nvidia.com/gpu-10gb");
  bench_waiting(&bench, "garbage", "nvidia.com/mig-");
  bench_expect(&bench, "profile",
               "warning pod ops/wrong-1: 2 pods wait for nvidia.com/mig-3g.20gb, which no GPU that is handed "
               "to facet can be "
               "cut into\n"
               "  $ facet explain ops/wrong-1\n"
               "warning pod ops/share: 1 pod waits for nvidia.com/gpu-10gb, which are shares of nos' MPS: "
               "facet does not "
               "serve them yet\n"
               "  $ facet explain ops/share\n"
               "warning pod ops/garbage: 1 pod waits for nvidia.com/mig-, which no GPU that is handed to "
               "facet can be cut "
               "into\n"
               "  $ facet explain ops/garbage\n");
}

static void a_pod_that_asks_twice_is_one_pod(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, A100, EMPTY);
  Pod *pod = bench_waiting(&bench, "p", "nvidia.com/mig-3g.20gb");
  bench.containers[1] = bench.containers[0];
  pod->common->containers.count = 2;
  bench_expect(&bench, "profile",
               "warning pod ops/p: 1 pod waits for nvidia.com/mig-3g.20gb, which no GPU that is handed to "
               "facet can be cut "
               "into\n"
               "  $ facet explain ops/p\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parts_of_nos_that_cut_are_an_error),
      cmocka_unit_test(pods_for_a_scheduler_of_nos_that_is_gone_are_an_error),
      cmocka_unit_test(a_profile_that_no_gpu_has_is_told_once),
      cmocka_unit_test(a_pod_that_asks_twice_is_one_pod),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
