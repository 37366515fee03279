/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/plugin_pod.h"

#include "base/array.h"
#include "cluster/object.h"

#include <string.h>

static const char *const selectors[] = {
    "app=nvidia-device-plugin-daemonset",          /* GPU Operator */
    "app.kubernetes.io/name=nvidia-device-plugin", /* its own Helm chart */
    "name=nvidia-device-plugin-ds",                /* its static manifest */
    "k8s-app=nvidia-gpu-device-plugin",            /* GKE */
};

const char *agent_plugin_pod_selector(size_t i) {
  return i < COUNT_OF(selectors) ? selectors[i] : NULL;
}

static bool has_plugin_container(const Pod *pod) {
  for (size_t i = 0; i < pod_common(pod)->containers.count; i++)
    if (strstr(string_or_empty(pod_common(pod)->containers.items[i].name), "device-plugin"))
      return true;
  return false;
}

/* A DaemonSet makes a new one. Without a controller nobody does, and the kubelet's own (static) pods do not
 * care about a deletion. */
static bool comes_back(const Pod *pod) {
  const char *controller = agent_node_pod_controller(pod);
  return controller && !string_equal(controller, "Node");
}

typedef struct Search {
  const Pod *pod; /* NULL: not found yet */
  bool is_leaving;
  size_t count;
} Search;

static Search search_pods(const AgentNodePods *pods, const char *node, bool is_certain) {
  Search search = {0};
  for (size_t i = 0; i < pods->objects.count; i++) {
    const Pod *pod = pods->objects.items[i]->value;
    if (!agent_node_pod_is_here(pod, node) || !(is_certain || has_plugin_container(pod)))
      continue;
    search.is_leaving |= pod->meta.deletion_time != 0;
    if (pod->meta.deletion_time)
      continue;
    search.pod = pod;
    search.count++;
  }
  return search;
}

int agent_plugin_pod_find(const KubeAnswer *answer, const char *node, bool is_certain, AgentNodePod *ret_pod,
                          Error *err) {
  CLEANUP(agent_node_pods_deinit) AgentNodePods pods = {0};
  int r = agent_node_pods_read(answer, &pods, err);
  if (r < 0)
    return r;
  Search search = search_pods(&pods, node, is_certain);
  if (!search.count)
    return search.is_leaving ? AGENT_PLUGIN_POD_LEAVING : AGENT_PLUGIN_POD_NONE;
  const Pod *pod = search.pod;
  if (search.count > 1)
    return error_set(err, ERROR_INVALID,
                     "%zu pods of this node may be it, one of them %s/%s: say which with "
                     "--nvidia-plugin-selector",
                     search.count, pod->meta.namespace_, pod->meta.name);
  if (!comes_back(pod))
    return error_set(err, ERROR_UNSUPPORTED,
                     "its pod %s/%s has no controller that would start it again after a deletion: let the "
                     "agent see its process (hostPID: true)",
                     pod->meta.namespace_, pod->meta.name);
  agent_node_pod_keep(pod, ret_pod);
  return 0;
}
