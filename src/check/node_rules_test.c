/* SPDX-License-Identifier: Apache-2.0 */
#include "check/check_fixture.h"

static void a_label_that_says_mig_is_right(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, PRESENT);
  NODE(&bench, "n2", PRESENT);
  bench_expect(&bench, "label", "");
}

static void a_label_with_an_unknown_value_is_an_error(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", {"nos.nebuly.com/gpu-partitioning", "MIG"}, PRESENT);
  bench_expect(&bench, "label",
               "error node n1: the label nos.nebuly.com/gpu-partitioning says \"MIG\", which is neither mig "
               "nor mps: nothing happens on this node until it says mig\n"
               "  $ kubectl label node n1 nos.nebuly.com/gpu-partitioning=mig --overwrite\n");
}

static void a_label_that_says_mps_is_a_warning(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", {"nos.nebuly.com/gpu-partitioning", "mps"}, PRESENT);
  bench_expect(&bench, "label",
               "warning node n1: the label nos.nebuly.com/gpu-partitioning says mps, which facet does not "
               "serve yet: nothing happens on this node until it says mig, which ends MPS sharing there\n"
               "  $ kubectl label node n1 nos.nebuly.com/gpu-partitioning=mig --overwrite\n");
}

static void a_node_that_is_not_ready_is_told(void **state) {
  Bench bench;
  bench_init(&bench);
  Node *node = NODE(&bench, "n1", MIG, PRESENT);
  bench.conditions[0] = (Condition){.type = "Ready", .status = "Unknown", .reason = "NodeStatusUnknown"};
  node->conditions.items = bench.conditions;
  node->conditions.count = 1;
  bench_expect(&bench, "node-ready",
               "warning node n1: it is not Ready (NodeStatusUnknown): no pod comes here, and nothing is "
               "planned for it\n"
               "  $ kubectl describe node n1\n");
  bench.conditions[0].status = "True";
  bench_expect(&bench, "node-ready", "");
}

static void an_old_kubelet_is_told(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, PRESENT)->kubelet_version = "v1.25.3";
  NODE(&bench, "n2", MIG, PRESENT)->kubelet_version = "v1.27.1";
  NODE(&bench, "n3", MIG, PRESENT)->kubelet_version = NULL;
  NODE(&bench, "n4", PRESENT)->kubelet_version = "v1.20.0";
  bench_expect(
      &bench, "kubelet-version",
      "error node n1: its kubelet is v1.25.3: facet needs 1.26 or newer\n"
      "  $ on the node: kubeadm upgrade node\n"
      "warning node n2: its kubelet is v1.27.1: facet supports 1.29 and newer, and was never tried with this "
      "one\n"
      "  $ on the node: kubeadm upgrade node\n");
}

static void a_node_that_is_paused_is_noted(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, PRESENT, {"facet.gpu/paused", "true"});
  NODE(&bench, "n2", MIG, PRESENT, {"facet.gpu/paused", "false"});
  bench_expect(&bench, "paused",
               "note node n1: it is paused by the annotation facet.gpu/paused: its slices stay as they are\n"
               "  $ kubectl annotate node n1 facet.gpu/paused-\n");
}

static void a_labelled_node_without_a_gpu_is_an_error(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, {"capacity cpu", "8"}, {"capacity nvidia.com/gpu", "0"});
  NODE(&bench, "n2", MIG, {"capacity nvidia.com/gpu", "1"});
  NODE(&bench, "n3", MIG, A100, EMPTY);
  bench_expect(
      &bench, "gpu",
      "error node n1: it is handed to facet and shows no NVIDIA GPU: no label of GPU feature discovery, no "
      "nvidia.com/ resource, no report of an agent\n"
      "  $ kubectl label node n1 nos.nebuly.com/gpu-partitioning- --overwrite\n");
}

static void gpus_that_cannot_do_mig_are_an_error(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, PRESENT, {"nvidia.com/mig.capable", "false"},
       {"nvidia.com/gpu.product", "Tesla-T4"});
  bench_expect(
      &bench, "mig-capable",
      "error node n1: its GPUs (Tesla-T4) cannot do MIG: the label nvidia.com/mig.capable says false\n"
      "  $ kubectl label node n1 nos.nebuly.com/gpu-partitioning- --overwrite\n");
}

#define PATCH_DRIVER(version)                                                                                \
  "  $ kubectl patch clusterpolicies.nvidia.com/cluster-policy --type merge -p "                             \
  "'{\"spec\":{\"driver\":{\"version\":\"" version "\"}}}'\n"

static void a_driver_that_cannot_cut_the_model_is_an_error(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, PRESENT, {"nvidia.com/cuda.driver-version.full", "525.60.13"},
       {"nvidia.com/gpu.product", "NVIDIA-H100-80GB-HBM3"});
  NODE(&bench, "n2", MIG, PRESENT, {"nvidia.com/cuda.driver.major", "460"},
       {"nvidia.com/cuda.driver.minor", "91"}, {"nvidia.com/cuda.driver.rev", "03"},
       {"nvidia.com/gpu.product", "NVIDIA-A100-SXM4-80GB-MIG-1g.10gb"});
  NODE(&bench, "n3", MIG, PRESENT, {"nvidia.com/cuda.driver-version.full", "525.85.12"},
       {"nvidia.com/gpu.product", "NVIDIA-H100-80GB-HBM3"});
  NODE(&bench, "n4", MIG, PRESENT, {"nvidia.com/cuda.driver.major", "450"});
  bench_expect(
      &bench, "driver",
      "error node n1: NVIDIA's driver 525.60.13 is too old to cut NVIDIA-H100-80GB-HBM3: 525.85.12 or newer "
      "is needed\n" PATCH_DRIVER(
          "525.85.12") "error node n2: NVIDIA's driver 460.91.03 is too old to cut "
                       "NVIDIA-A100-SXM4-80GB-MIG-1g.10gb: "
                       "470.42.01 or newer is needed\n" PATCH_DRIVER(
                           "470.42.01") "error node n4: NVIDIA's driver 450.0.0 is too "
                                        "old to cut GPUs: 470.42.01 or newer is "
                                        "needed\n" PATCH_DRIVER("470.42.01"));
}

static void a_model_of_which_nothing_is_known_is_an_error(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, A100, EMPTY, {"facet.gpu/gpu-1", "GPU-1 NVIDIA-X1 mig=on"},
       {"facet.gpu/status-gpu-1", ""});
  NODE(&bench, "n2", MIG, {"nos.nebuly.com/status-gpu-0-1g.10gb-free", "1"});
  bench_expect(&bench, "model",
               "error node n1: what MIG allows on a NVIDIA-X1 (GPU 1) is not known to facet, and no agent "
               "has said it in "
               "facet.gpu/profiles: nothing is cut there\n"
               "  $ on the node: facet mig profiles\n"
               "error node n2: neither an agent nor the label nvidia.com/gpu.product tells what GPU 0 is: "
               "nothing is cut "
               "there\n"
               "  $ kubectl label node n2 nvidia.com/gpu.deploy.gpu-feature-discovery=true --overwrite\n");
}

static void mig_mode_off_everywhere_is_an_error_and_its_cure_depends_on_the_model(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, {"facet.gpu/gpu-0", "GPU-0 NVIDIA-A100-SXM4-80GB mig=off"},
       {"facet.gpu/gpu-1", "GPU-1 NVIDIA-A100-SXM4-80GB mig=off"});
  NODE(&bench, "n2", MIG, {"facet.gpu/gpu-0", "GPU-2 NVIDIA-H100-80GB-HBM3 mig=off"});
  bench_expect(&bench, "mig-mode",
               "error node n1: MIG mode is off on GPU 0,1: offered whole, never cut\n"
               "  $ on the node, with nothing on the GPU: nvidia-smi -i 0,1 -mig 1 && nvidia-smi -i 0,1 -r\n"
               "error node n2: MIG mode is off on GPU 0: offered whole, never cut\n"
               "  $ kubectl annotate node n2 facet.gpu/mig-mode=auto --overwrite\n");
}

static void mig_mode_off_on_some_gpus_may_be_meant(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, A100, EMPTY, {"facet.gpu/gpu-1", "GPU-1 NVIDIA-A100-SXM4-80GB mig=off"});
  NODE(&bench, "n2", MIG, A100, EMPTY, {"facet.gpu/gpu-1", "GPU-3 NVIDIA-A100-SXM4-80GB mig=off"},
       {"facet.gpu/exclude-gpus", "1"});
  bench_expect(&bench, "mig-mode",
               "note node n1: MIG mode is off on GPU 1: offered whole, never cut\n"
               "  $ on the node, with nothing on the GPU: nvidia-smi -i 1 -mig 1 && nvidia-smi -i 1 -r\n");
}

static void mig_mode_that_is_pending_is_an_error(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, {"facet.gpu/gpu-3", "GPU-0 NVIDIA-A30 mig=pending"});
  bench_expect(&bench, "mig-mode",
               "error node n1: MIG mode of GPU 3 is pending: it begins with a reset of the GPU or a reboot\n"
               "  $ on the node, with nothing on the GPU: nvidia-smi -i 3 -r\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_label_that_says_mig_is_right),
      cmocka_unit_test(a_label_with_an_unknown_value_is_an_error),
      cmocka_unit_test(a_label_that_says_mps_is_a_warning),
      cmocka_unit_test(a_node_that_is_not_ready_is_told),
      cmocka_unit_test(an_old_kubelet_is_told),
      cmocka_unit_test(a_node_that_is_paused_is_noted),
      cmocka_unit_test(a_labelled_node_without_a_gpu_is_an_error),
      cmocka_unit_test(gpus_that_cannot_do_mig_are_an_error),
      cmocka_unit_test(a_driver_that_cannot_cut_the_model_is_an_error),
      cmocka_unit_test(a_model_of_which_nothing_is_known_is_an_error),
      cmocka_unit_test(mig_mode_off_everywhere_is_an_error_and_its_cure_depends_on_the_model),
      cmocka_unit_test(mig_mode_off_on_some_gpus_may_be_meant),
      cmocka_unit_test(mig_mode_that_is_pending_is_an_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
