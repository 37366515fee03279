/* SPDX-License-Identifier: Apache-2.0 */
#include "check/check_fixture.h"

static void mig_manager_on_our_node_is_an_error(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, PRESENT, {"nvidia.com/gpu.deploy.mig-manager", "true"},
       {"nvidia.com/mig.config", "all-balanced"});
  NODE(&bench, "n2", MIG, PRESENT);
  NODE(&bench, "n3", PRESENT, {"nvidia.com/gpu.deploy.mig-manager", "true"});
  NODE(&bench, "n4", MIG, PRESENT, {"nvidia.com/gpu.deploy.mig-manager", "false"},
       {"nvidia.com/mig.config", "all-disabled"});
  POD(&bench, "nvidia-mig-manager-x", "n2", {"app", "nvidia-mig-manager"});
  bench_expect(
      &bench, "mig-manager",
      "error node n1: NVIDIA's mig-manager is on here and cuts all GPUs anew when the label "
      "nvidia.com/mig.config (all-balanced) changes: two that cut undo each other's work, and pods lose "
      "their slices\n"
      "  $ kubectl label node n1 nvidia.com/gpu.deploy.mig-manager=false --overwrite\n"
      "error node n2: NVIDIA's mig-manager is on here and cuts all GPUs anew when the label "
      "nvidia.com/mig.config (not set yet) changes: two that cut undo each other's work, and pods lose their "
      "slices\n"
      "  $ kubectl label node n2 nvidia.com/gpu.deploy.mig-manager=false --overwrite\n");
}

#define PATCH_STRATEGY                                                                                       \
  "  $ kubectl patch clusterpolicies.nvidia.com/cluster-policy --type merge -p "                             \
  "'{\"spec\":{\"mig\":{\"strategy\":\"mixed\"}}}'\n"

static void a_strategy_that_is_not_mixed_is_worse_where_nvidias_plugin_publishes(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, PRESENT, {"nvidia.com/mig.strategy", "single"});
  NODE(&bench, "n2", MIG, PRESENT, {"nvidia.com/mig.strategy", "none"},
       {"nvidia.com/gpu.deploy.device-plugin", "false"});
  NODE(&bench, "n3", MIG, PRESENT, {"nvidia.com/mig.strategy", "mixed"});
  bench_expect(&bench, "mig-strategy",
               "error node n1: MIG strategy is \"single\" (label nvidia.com/mig.strategy) where facet needs "
               "\"mixed\": "
               "NVIDIA's device plugin does not offer slices by their profile\n" PATCH_STRATEGY
               "warning node n2: MIG strategy is \"none\" (label nvidia.com/mig.strategy) where facet needs "
               "\"mixed\": GPU "
               "feature discovery calls the GPUs by other names\n" PATCH_STRATEGY);
}

static void nvidias_plugin_on_our_node_is_told_whoever_installed_it(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, PRESENT);
  NODE(&bench, "n2", MIG, PRESENT, {"nvidia.com/gpu.deploy.device-plugin", "false"});
  NODE(&bench, "n3", MIG, PRESENT);
  NODE(&bench, "n4", PRESENT);
  POD(&bench, "operator", "n1", {"app", "nvidia-device-plugin-daemonset"});
  POD(&bench, "chart", "n2", {"app.kubernetes.io/name", "nvidia-device-plugin"});
  POD(&bench, "ended", "n3", {"k8s-app", "nvidia-gpu-device-plugin"})->common->phase = "Failed";
  POD(&bench, "elsewhere", "n4", {"name", "nvidia-device-plugin-ds"});
  bench_expect(&bench, "device-plugin",
               "error node n2: NVIDIA's device plugin runs here (pod ops/chart), though "
               "nvidia.com/gpu.deploy.device-plugin says false: two plugins cannot share a resource\n"
               "  $ kubectl delete pod --namespace ops chart\n"
               "warning node n1: NVIDIA's device plugin runs here (pod ops/operator): right with `facet "
               "agent --publish "
               "nvidia`, else two plugins fight for the slices\n"
               "  $ kubectl label node n1 nvidia.com/gpu.deploy.device-plugin=false --overwrite\n");
}

#define SHARES(node, label, value)                                                                           \
  "warning node " node ": NVIDIA's device plugin is told to share GPUs here (label " label "=" value         \
  "): facet gives each slice to one container and takes no notice\n"
#define PATCH_CONFIG                                                                                         \
  "  $ kubectl patch clusterpolicies.nvidia.com/cluster-policy --type json -p "                              \
  "'[{\"op\":\"remove\",\"path\":\"/spec/devicePlugin/config\"}]'\n"

static void sharing_by_nvidias_plugin_is_told(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, PRESENT, {"nvidia.com/gpu.replicas", "4"});
  NODE(&bench, "n2", MIG, PRESENT, {"nvidia.com/gpu.sharing-strategy", "mps"},
       {"nvidia.com/device-plugin.config", "mps4"});
  NODE(&bench, "n3", MIG, PRESENT, {"nvidia.com/mig-1g.10gb.replicas", "2"});
  NODE(&bench, "n4", MIG, PRESENT, {"nvidia.com/mps.capable", "true"});
  NODE(&bench, "n5", MIG, PRESENT, {"nvidia.com/gpu.replicas", "1"},
       {"nvidia.com/gpu.sharing-strategy", "none"}, {"nvidia.com/mps.capable", "false"},
       {"nvidia.com/mig-1g.10gb.replicas", "0"});
  bench_expect(&bench, "sharing",
               SHARES("n1", "nvidia.com/gpu.replicas", "4") PATCH_CONFIG SHARES(
                   "n2", "nvidia.com/gpu.sharing-strategy",
                   "mps") "  $ kubectl label node n2 nvidia.com/device-plugin.config- "
                          "--overwrite\n" SHARES("n3", "nvidia.com/mig-1g.10gb.replicas", "2")
                              PATCH_CONFIG SHARES("n4", "nvidia.com/mps.capable", "true") PATCH_CONFIG);
}

static void a_configuration_of_nvidias_plugin_is_told(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, PRESENT, {"nvidia.com/device-plugin.config", "n1-1690000000"});
  bench_expect(
      &bench, "sharing",
      "warning node n1: the label nvidia.com/device-plugin.config=n1-1690000000 chooses a configuration of "
      "NVIDIA's device plugin, of which facet takes no notice\n"
      "  $ kubectl label node n1 nvidia.com/device-plugin.config- --overwrite\n");
}

static void a_validator_that_waits_for_a_gpu_is_told(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, PRESENT);
  NODE(&bench, "n2", MIG, PRESENT);
  POD(&bench, "validator-1", "n1", {"app", "nvidia-operator-validator"})->common->phase = "Pending";
  POD(&bench, "validator-2", "n2", {"app", "nvidia-operator-validator"});
  bench_expect(&bench, "validator",
               "warning node n1: the GPU Operator's validator (pod ops/validator-1) does not get ready: it "
               "asks for a GPU "
               "or a slice, of which the node may offer none yet\n"
               "  $ kubectl label node n1 nvidia.com/gpu.deploy.operator-validator=false --overwrite\n");
}

static void dcgm_and_its_exporter_are_noted(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, PRESENT);
  Pod *pod = POD(&bench, "nvidia-dcgm-exporter-x7k", "n1", {"app", "nvidia-dcgm-exporter"});
  OwnerReference owner = {.kind = "DaemonSet", .name = "nvidia-dcgm-exporter", .controller = true};
  pod->common->owners.items = &owner;
  pod->common->owners.count = 1;
  POD(&bench, "dcgm", "n1", {"app", "nvidia-dcgm"});
  bench_expect(
      &bench, "dcgm",
      "note node n1: DCGM may hold slices that shall go (\"In use by another client\"); a restart helps, "
      "and `facet agent --restart-after-change` (Helm: agent.restartAfterChange) does it after each change\n"
      "  $ kubectl rollout restart --namespace ops daemonset/dcgm\n"
      "note node n1: dcgm-exporter has no figures of slices that were made after it began; a restart helps, "
      "and `facet agent --restart-after-change` (Helm: agent.restartAfterChange) does it after each change\n"
      "  $ kubectl rollout restart --namespace ops daemonset/nvidia-dcgm-exporter\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(mig_manager_on_our_node_is_an_error),
      cmocka_unit_test(a_strategy_that_is_not_mixed_is_worse_where_nvidias_plugin_publishes),
      cmocka_unit_test(nvidias_plugin_on_our_node_is_told_whoever_installed_it),
      cmocka_unit_test(sharing_by_nvidias_plugin_is_told),
      cmocka_unit_test(a_configuration_of_nvidias_plugin_is_told),
      cmocka_unit_test(a_validator_that_waits_for_a_gpu_is_told),
      cmocka_unit_test(dcgm_and_its_exporter_are_noted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
