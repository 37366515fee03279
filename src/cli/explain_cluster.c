/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/explain_cluster.h"

static void add_others(const void *userdata, Snapshot *snapshot) {
  cluster_input_fill_others(userdata, snapshot);
}

void cli_explain_cluster(const ClusterInput *input, ExplainCluster *ret_cluster) {
  *ret_cluster = (ExplainCluster){.nodes = input->nodes.items,
                                  .node_count = input->nodes.count,
                                  .pods = input->pods.items,
                                  .pod_count = input->pods.count,
                                  .add_others = add_others,
                                  .userdata = input};
}
