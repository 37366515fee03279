/* SPDX-License-Identifier: Apache-2.0 */
/* The table is the program: a row is a rule, with what it looks at. Rules do not know of each other; where
 * one finding makes another pointless (a node without GPUs has no MIG mode), the rule asks for what it needs.
 */
#include "check/check.h"

#include "check/pass.h"

typedef struct Rule {
  const char *name;
  CheckClusterRule *cluster; /* one of the two */
  CheckNodeRule *node;
} Rule;

static const Rule rules[] = {
    {"no-gpu", check_no_gpu, NULL},
    {"no-node", check_no_node, NULL},
    {"server-version", check_server, NULL},
    {"namespace", check_namespace, NULL},
    {"priority-class", check_priority_class, NULL},
    {"rights", check_account_rights, NULL},
    {"controller", check_controller, NULL},
    {"nos", check_nos, NULL},
    {"nos-scheduler", check_nos_scheduler, NULL},
    {"label", NULL, check_label},
    {"node-ready", NULL, check_ready},
    {"kubelet-version", NULL, check_kubelet},
    {"gpu", NULL, check_gpus_there},
    {"mig-capable", NULL, check_mig_capable},
    {"driver", NULL, check_driver},
    {"model", NULL, check_model},
    {"mig-mode", NULL, check_mig_mode},
    {"mig-manager", NULL, check_mig_manager},
    {"mig-strategy", NULL, check_strategy},
    {"device-plugin", NULL, check_device_plugin},
    {"sharing", NULL, check_sharing},
    {"validator", NULL, check_validator},
    {"dcgm", NULL, check_dcgm},
    {"agent", NULL, check_agent},
    {"answer", NULL, check_answer},
    {"agent-error", NULL, check_trouble},
    {"agent-stage", NULL, check_stage},
    {"left-orders", NULL, check_left_orders},
    {"annotations", check_annotations, NULL},
    {"profile", check_profiles, NULL},
    {"paused", NULL, check_paused},
};

const char *check_severity_name(CheckSeverity severity) {
  static const char *const names[] = {
      [CHECK_NOTE] = "note", [CHECK_WARNING] = "warning", [CHECK_ERROR] = "error"};
  return names[severity];
}

static void run(CheckPass *pass, const Rule *rule) {
  pass->rule = rule->name;
  if (rule->cluster)
    rule->cluster(pass);
  for (size_t i = 0; rule->node && i < pass->node_count; i++)
    rule->node(pass, &pass->nodes[i]);
}

/* Errors first, and nothing else moves: a counting sort. */
static void sort(CheckFindings *findings) {
  ARRAY(CheckFinding) sorted = {0};
  for (int severity = CHECK_ERROR; severity >= CHECK_NOTE; severity--)
    for (size_t i = 0; i < findings->items.count; i++)
      if ((int)findings->items.items[i].severity == severity)
        *array_push(&sorted) = findings->items.items[i];
  if (sorted.count)
    memcpy(findings->items.items, sorted.items, sorted.count * sizeof *sorted.items);
  array_deinit(&sorted);
}

/* ---- nodes and the pods on them ---- */

static bool shows_gpu(const Node *node) {
  const KeyValues *labels = &node->meta.labels;
  const char *count = key_values_find(labels, "nvidia.com/gpu.count");
  if (string_equal(key_values_find(labels, "nvidia.com/gpu.present"), "true") ||
      string_equal(key_values_find(labels, "feature.node.kubernetes.io/pci-10de.present"), "true") ||
      key_values_find(labels, "nvidia.com/gpu.product") || (count && !string_equal(count, "0")))
    return true;
  for (size_t i = 0; i < node->capacity.count; i++)
    if (string_has_prefix(node->capacity.items[i].key, "nvidia.com/") &&
        !string_equal(node->capacity.items[i].value, "0"))
      return true;
  for (size_t i = 0; i < node->meta.annotations.count; i++)
    if (mig_key_parse_index(node->meta.annotations.items[i].key, MIG_ANNOTATION_IDENTITY_PREFIX) >= 0)
      return true;
  return false;
}

static void read_node(const CheckCluster *cluster, const Node *object, CheckNode *node) {
  int index = snapshot_find_node(cluster->snapshot, string_or_empty(object->meta.name));
  node->object = object;
  node->snapshot = index >= 0 ? &cluster->snapshot->nodes.items[index] : NULL;
  node->name = string_or_empty(object->meta.name);
  node->label = key_values_find(&object->meta.labels, MIG_LABEL_PARTITIONING);
  node->is_ours = string_equal(node->label, "mig");
  node->has_gpus = shows_gpu(object);
}

static CheckNode *find_node(CheckPass *pass, const Pod *pod) {
  int index = pod->node_name && !pod_is_terminal(pod)
                  ? snapshot_find_node(pass->cluster->snapshot, pod->node_name)
                  : -1;
  for (size_t i = 0; index >= 0 && i < pass->node_count; i++) {
    size_t at = ((size_t)index + i) % pass->node_count; /* usually they stand in the same order */
    if (pass->nodes[at].snapshot == &pass->cluster->snapshot->nodes.items[index])
      return &pass->nodes[at];
  }
  return NULL;
}

/* First counted, then given out: one array for all. */
static void read_pods(CheckPass *pass) {
  const CheckCluster *cluster = pass->cluster;
  for (size_t i = 0; i < cluster->pod_count; i++) {
    CheckNode *node = find_node(pass, cluster->pods[i]);
    if (node)
      node->pod_count++;
    pass->has_agent_pods |= check_is_facet(cluster->pods[i], "agent");
  }
  for (size_t n = 0; n < pass->node_count; n++) {
    pass->nodes[n].pods =
        arena_alloc(&pass->findings->arena, (pass->nodes[n].pod_count + 1) * sizeof *pass->nodes[n].pods);
    pass->nodes[n].pod_count = 0;
  }
  for (size_t i = 0; i < cluster->pod_count; i++) {
    CheckNode *node = find_node(pass, cluster->pods[i]);
    if (node)
      node->pods[node->pod_count++] = cluster->pods[i];
  }
}

void check_cluster(const CheckCluster *cluster, CheckFindings *ret_findings) {
  assert(cluster->snapshot && cluster->namespace_ && cluster->controller_account && cluster->agent_account);
  CheckPass pass = {.cluster = cluster, .findings = ret_findings, .node_count = cluster->node_count};
  pass.nodes = arena_alloc(&ret_findings->arena, (cluster->node_count + 1) * sizeof *pass.nodes);
  for (size_t i = 0; i < cluster->node_count; i++) {
    read_node(cluster, cluster->nodes[i], &pass.nodes[i]);
    pass.ours += pass.nodes[i].is_ours;
  }
  read_pods(&pass);
  for (size_t i = 0; i < COUNT_OF(rules); i++)
    run(&pass, &rules[i]);
  sort(ret_findings);
}

int check_count(const CheckFindings *findings, CheckSeverity severity) {
  int count = 0;
  for (size_t i = 0; i < findings->items.count; i++)
    count += findings->items.items[i].severity == severity;
  return count;
}

void check_findings_deinit(CheckFindings *findings) {
  array_deinit(&findings->items);
  arena_deinit(&findings->arena);
}
