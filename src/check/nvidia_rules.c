/* SPDX-License-Identifier: Apache-2.0 */
/* NVIDIA's GPU Operator and what belongs to it. Whatever of it cuts GPUs, hands them out, or holds them open,
 * meets facet on the same node. Its labels nvidia.com/gpu.deploy.<component> say what shall run on a node;
 * the operator sets those that are missing and lets be what is there (its controllers/state_manager.go). */
#include "check/pass.h"

#include <string.h>

#define APP              "app"
#define DEPLOY           "nvidia.com/gpu.deploy."
#define LABEL_MIG_CONFIG "nvidia.com/mig.config"
#define CLUSTER_POLICY   "kubectl patch clusterpolicies.nvidia.com/cluster-policy "

/* ---- who else cuts ---- */

void check_mig_manager(CheckPass *pass, const CheckNode *node) {
  bool is_wanted = string_equal(check_label_of(node, DEPLOY "mig-manager"), "true");
  const Pod *pod = check_pod_on(node, APP, "nvidia-mig-manager");
  if (!node->is_ours || (!is_wanted && !pod))
    return;
  const char *config = check_label_of(node, LABEL_MIG_CONFIG);
  check_add_node(pass, CHECK_ERROR, node, check_label_command(pass, node, DEPLOY "mig-manager=false"),
                 "NVIDIA's mig-manager is on here and cuts all GPUs anew when the label " LABEL_MIG_CONFIG
                 " (%s) changes: two that cut undo each other's work, and pods lose their slices",
                 config ? check_excerpt(pass, config) : "not set yet");
}

/* ---- who else hands out ---- */

static bool is_switched_off(const CheckNode *node) {
  return string_equal(check_label_of(node, MIG_LABEL_DEVICE_PLUGIN), "false");
}

void check_strategy(CheckPass *pass, const CheckNode *node) {
  const char *strategy = check_label_of(node, "nvidia.com/mig.strategy");
  if (!node->is_ours || !strategy || string_equal(strategy, "mixed"))
    return;
  bool is_off = is_switched_off(node);
  check_add_node(pass, is_off ? CHECK_WARNING : CHECK_ERROR, node,
                 CLUSTER_POLICY "--type merge -p '{\"spec\":{\"mig\":{\"strategy\":\"mixed\"}}}'",
                 "MIG strategy is \"%s\" (label nvidia.com/mig.strategy) where facet needs \"mixed\": %s",
                 check_excerpt(pass, strategy),
                 is_off ? "GPU feature discovery calls the GPUs by other names"
                        : "NVIDIA's device plugin does not offer slices by their profile");
}

typedef struct PluginRow {
  const char *key, *value;
} PluginRow;

/* The same as agent/plugin_pod.c looks for. */
static const PluginRow plugins[] = {{APP, "nvidia-device-plugin-daemonset"},
                                    {"app.kubernetes.io/name", "nvidia-device-plugin"},
                                    {"name", "nvidia-device-plugin-ds"},
                                    {"k8s-app", "nvidia-gpu-device-plugin"}};

static const Pod *find_plugin(const CheckNode *node) {
  const Pod *pod = NULL;
  for (size_t i = 0; i < COUNT_OF(plugins) && !pod; i++)
    pod = check_pod_on(node, plugins[i].key, plugins[i].value);
  return pod;
}

void check_device_plugin(CheckPass *pass, const CheckNode *node) {
  const Pod *pod = find_plugin(node);
  if (!node->is_ours || !pod)
    return;
  const char *name = check_pod_name(pass, pod);
  if (is_switched_off(node))
    check_add_node(pass, CHECK_ERROR, node,
                   check_format(pass, "kubectl delete pod --namespace %s %s",
                                check_word(pass, string_or_empty(pod->meta.namespace_)),
                                check_word(pass, string_or_empty(pod->meta.name))),
                   "NVIDIA's device plugin runs here (pod %s), though " MIG_LABEL_DEVICE_PLUGIN
                   " says false: two plugins cannot share a resource",
                   name);
  else
    check_add_node(
        pass, CHECK_WARNING, node, check_label_command(pass, node, MIG_LABEL_DEVICE_PLUGIN "=false"),
        "NVIDIA's device plugin runs here (pod %s): right with `facet agent --publish nvidia`, else two "
        "plugins fight for the slices",
        name);
}

/* ---- sharing ---- */

static bool tells_of_replicas(const KeyValue *label) {
  return (string_equal(label->key, "nvidia.com/gpu.replicas") ||
          (string_has_prefix(label->key, MIG_RESOURCE_PREFIX) &&
           string_has_suffix(label->key, ".replicas"))) &&
         *label->value && !string_equal(label->value, "0") && !string_equal(label->value, "1");
}

static bool tells_of_sharing(const KeyValue *label) {
  return string_has_prefix(label->key, "nvidia.com/") && string_has_suffix(label->key, "sharing-strategy") &&
         *label->value && !string_equal(label->value, "none");
}

static const KeyValue *find_sharing(const CheckNode *node) {
  const KeyValues *labels = &node->object->meta.labels;
  const KeyValue *found = NULL;
  for (size_t i = 0; i < labels->count; i++) {
    const KeyValue *label = &labels->items[i];
    bool tells = tells_of_replicas(label) || tells_of_sharing(label) ||
                 (string_equal(label->key, "nvidia.com/mps.capable") && string_equal(label->value, "true"));
    found = tells && !found ? label : found;
  }
  return found;
}

void check_sharing(CheckPass *pass, const CheckNode *node) {
  const char *config = check_label_of(node, "nvidia.com/device-plugin.config");
  const KeyValue *sharing = find_sharing(node);
  if (!node->is_ours || (!config && !sharing))
    return;
  const char *command = config ? check_label_command(pass, node, "nvidia.com/device-plugin.config-")
                               : CLUSTER_POLICY
                            "--type json -p '[{\"op\":\"remove\",\"path\":\"/spec/devicePlugin/config\"}]'";
  if (sharing)
    check_add_node(
        pass, CHECK_WARNING, node, command,
        "NVIDIA's device plugin is told to share GPUs here (label %s=%s): facet gives each slice to one "
        "container and takes no notice",
        check_excerpt(pass, sharing->key), check_excerpt(pass, sharing->value));
  else
    check_add_node(
        pass, CHECK_WARNING, node, command,
        "the label nvidia.com/device-plugin.config=%s chooses a configuration of NVIDIA's device plugin, of "
        "which facet takes no notice",
        check_excerpt(pass, config));
}

/* ---- who stumbles over slices that come and go ---- */

void check_validator(CheckPass *pass, const CheckNode *node) {
  const Pod *pod = check_pod_on(node, APP, "nvidia-operator-validator");
  if (!node->is_ours || !pod || check_pod_runs(pod))
    return;
  check_add_node(pass, CHECK_WARNING, node,
                 check_label_command(pass, node, DEPLOY "operator-validator=false"),
                 "the GPU Operator's validator (pod %s) does not get ready: it asks for a GPU or a slice, of "
                 "which the node "
                 "may offer none yet",
                 check_pod_name(pass, pod));
}

typedef struct HolderRow {
  const char *app;
  const char *what;
} HolderRow;

/* One holds every instance that it has seen, the other one reports those that were there when it began
 * (NVIDIA/DCGM issues 276 and 95). */
static const HolderRow holders[] = {
    {"nvidia-dcgm", "DCGM may hold slices that shall go (\"In use by another client\")"},
    {"nvidia-dcgm-exporter", "dcgm-exporter has no figures of slices that were made after it began"},
};

void check_dcgm(CheckPass *pass, const CheckNode *node) {
  for (size_t i = 0; node->is_ours && i < COUNT_OF(holders); i++) {
    const Pod *pod = check_pod_on(node, APP, holders[i].app);
    if (pod)
      check_add_node(pass, CHECK_NOTE, node,
                     check_format(pass, "kubectl rollout restart --namespace %s daemonset/%s",
                                  check_word(pass, string_or_empty(pod->meta.namespace_)),
                                  check_word(pass, check_pod_owner(pod))),
                     "%s; a restart helps, and `facet agent --restart-after-change` (Helm: "
                     "agent.restartAfterChange) does it after each change",
                     holders[i].what);
  }
}
