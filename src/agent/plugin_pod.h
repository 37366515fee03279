/* SPDX-License-Identifier: Apache-2.0 */
/* The pod of NVIDIA's device plugin on this node, as the API server tells it. Pure. */
#pragma once

#include "agent/node_pods.h"

/* Conditions of agent_plugin_pod_find. */
enum {
  AGENT_PLUGIN_POD_NONE = 1,
  AGENT_PLUGIN_POD_LEAVING, /* it is being deleted already */
};

/* The label selectors by which the plugin is commonly installed, one after the other; NULL behind the last.
 */
const char *agent_plugin_pod_selector(size_t i);
/* The one plugin's pod in the answer. By the common labels only pods with a container of that name: charts
 * give their labels to more than the plugin (is_certain: somebody said that this selector means the plugin).
 * Refuses one that would not come back after its deletion. */
int agent_plugin_pod_find(const KubeAnswer *answer, const char *node, bool is_certain, AgentNodePod *ret_pod,
                          Error *err) MUST_CHECK;
