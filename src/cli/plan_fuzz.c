/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer target for the whole way from a dump to a plan: whatever a file holds, a plan comes out, every
 * layout of it is legal, and no more pods are admitted than wait. The rules of facet check find words, too.
 */
#include "check/check.h"
#include "cli/cluster_input.h"
#include "kube/dump_testing.h"
#include "plan/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_gpu(const Snapshot *snapshot, const PlanGpu *planned) {
  const SnapshotGpu *gpu = &snapshot->nodes.items[planned->node].gpus[planned->gpu];
  MigLayout layout = *gpu->layout;
  Error err;
  for (int i = 0; i < planned->destroy_count; i++) {
    assert(!(gpu->used_starts >> planned->destroys[i].start & 1));
    mig_layout_remove(&layout, planned->destroys[i].start);
  }
  for (int i = 0; i < planned->create_count; i++)
    mig_layout_place(&layout, planned->creates[i].profile, planned->creates[i].start);
  assert(mig_layout_check(&layout, &err) == 0);
}

static void check_rules(const ClusterInput *input, const Snapshot *snapshot) {
  CLEANUP(check_findings_deinit) CheckFindings findings = {0};
  const CheckCluster cluster = {.snapshot = snapshot,
                                .nodes = input->nodes.items,
                                .node_count = input->nodes.count,
                                .sees_nodes = true,
                                .pods = input->pods.items,
                                .pod_count = input->pods.count,
                                .sees_pods = true,
                                .now = 2000000000,
                                .namespace_ = "facet-system",
                                .controller_account = "facet-controller",
                                .agent_account = "facet-agent"};
  check_cluster(&cluster, &findings);
  for (size_t i = 0; i < findings.items.count; i++)
    assert(*findings.items.items[i].object && *findings.items.items[i].sentence &&
           *findings.items.items[i].command);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Error err;
  DumpBytes bytes = {(const char *)data, size, 4096};
  KubeDumpSource source = {.read = dump_bytes_read, .userdata = &bytes};
  CLEANUP(cluster_input_deinit) ClusterInput input = {0};
  if (cluster_input_read_source(&source, "input", &input, &err) < 0)
    return 0;
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  snapshot_init(&snapshot);
  cluster_input_fill(&input, &snapshot);
  check_rules(&input, &snapshot);
  CLEANUP(plan_deinit) Plan plan;
  PlanOptions options = {.leftover = PLAN_LEFTOVER_FILL};
  plan_compute(&snapshot, &options, &plan);
  assert(plan.already_fit + plan.admitted <= plan.pending);
  for (size_t i = 0; i < plan.gpus.count; i++)
    check_gpu(&snapshot, &plan.gpus.items[i]);
  return 0;
}
