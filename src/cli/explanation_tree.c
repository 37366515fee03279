/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/explanation.h"
#include "cli/printable.h"

enum { GROUPS_MAX = 1000, SERVED_MAX = 100 };

typedef struct Printer {
  const Explanation *explanation;
  Arena arena;
} Printer;

static const char *valid(Printer *printer, const char *text) {
  return cli_valid(&printer->arena, text);
}

static json_t *pod_to_tree(Printer *printer) {
  const Explanation *explanation = printer->explanation;
  const Pod *pod = explanation->cluster->pods[explanation->subject];
  json_t *asks = json_object();
  for (size_t i = 0; i < explanation->requests.count; i++)
    json_object_set_new(
        asks, valid(printer, explanation->requests.items[i].name),
        json_string(explain_amount_format(&printer->arena, explanation->requests.items[i].name,
                                          explanation->requests.items[i].amount)));
  return json_pack("{s:s,s:s,s:i,s:o}", "namespace", valid(printer, pod->meta.namespace_), "name",
                   valid(printer, pod->meta.name), "priority", (int)pod->priority, "asks", asks);
}

static json_t *advice_to_tree(Printer *printer, const ExplainAdvice *advice) {
  json_t *tree = json_pack("{s:s,s:s,s:s,s:s}", "kind", explain_advice_name(advice->kind), "text",
                           valid(printer, advice->text), "outcome", valid(printer, advice->outcome), "node",
                           valid(printer, advice->node));
  if (advice->command)
    json_object_set_new(tree, "command", json_string(valid(printer, advice->command)));
  if (!advice->pod_count)
    return tree;
  json_t *pods = json_array();
  for (int i = 0; i < advice->pod_count; i++) {
    CLEANUP(text_deinit) Text name = {0};
    explain_pod_format(printer->explanation->cluster->pods[advice->pods[i]], &name);
    json_array_append_new(pods, json_string(valid(printer, text_string(&name))));
  }
  json_object_set_new(tree, "pods", pods);
  return tree;
}

static json_t *gpu_to_tree(Printer *printer, const SnapshotNode *node, const ExplainGpu *found) {
  const SnapshotGpu *gpu = &node->gpus[found->gpu];
  return json_pack("{s:i,s:s,s:s,s:i,s:i,s:b,s:s}", "index", gpu->index, "model",
                   valid(printer, gpu->model_label), "room", explain_room_name(found->room), "slots",
                   found->slot_count, "free_slots", found->free_slots, "split", found->is_split, "text",
                   valid(printer, found->text));
}

static json_t *served_to_tree(Printer *printer, const ExplainGroup *group) {
  const Explanation *explanation = printer->explanation;
  int pods[SERVED_MAX], count = explain_served_find(explanation, group->node, SERVED_MAX, pods);
  json_t *served = json_array();
  for (int i = 0; i < count && i < SERVED_MAX; i++) {
    CLEANUP(text_deinit) Text name = {0};
    explain_pod_format(explanation->snapshot.pods.items[pods[i]].object, &name);
    json_array_append_new(served, json_string(valid(printer, text_string(&name))));
  }
  return served;
}

static json_t *group_to_tree(Printer *printer, const ExplainGroup *group) {
  const SnapshotNode *node = &printer->explanation->snapshot.nodes.items[group->node];
  json_t *obstacles = json_array(), *gpus = json_array();
  for (size_t i = 0; i < group->obstacles.count; i++)
    json_array_append_new(obstacles, json_pack("{s:s,s:s}", "kind",
                                               explain_obstacle_name(group->obstacles.items[i].kind), "text",
                                               valid(printer, group->obstacles.items[i].text)));
  for (int g = 0; g < node->gpu_count && printer->explanation->need_count; g++)
    json_array_append_new(gpus, gpu_to_tree(printer, node, &group->gpus[g]));
  const char *failure =
      string_or_empty(key_values_find(&node->object->meta.annotations, MIG_ANNOTATION_ERROR));
  return json_pack("{s:s,s:i,s:s,s:s,s:o,s:o,s:o}", "name", valid(printer, node->name), "count", group->count,
                   "state", explain_node_state_name(group->state), "failure", valid(printer, failure),
                   "served", served_to_tree(printer, group), "obstacles", obstacles, "gpus", gpus);
}

json_t *cli_explanation_tree(const Explanation *explanation) {
  Printer printer = {.explanation = explanation};
  json_t *advice = json_array(), *nodes = json_array();
  for (size_t i = 0; i < explanation->advice.count; i++)
    json_array_append_new(advice, advice_to_tree(&printer, &explanation->advice.items[i]));
  for (size_t i = 0; i < explanation->groups.count && i < GROUPS_MAX; i++)
    json_array_append_new(nodes, group_to_tree(&printer, &explanation->groups.items[i]));
  json_t *tried = json_pack("{s:i,s:b,s:i}", "plans", explanation->tries, "every_running_pod",
                            explanation->all_ends_tried, "running_pods_left", explanation->more_ends);
  json_t *tree =
      json_pack("{s:o,s:s,s:s,s:s,s:i,s:o,s:o,s:o,s:i}", "pod", pod_to_tree(&printer), "verdict",
                explain_verdict_name(explanation->verdict), "node", valid(&printer, explanation->node),
                "reason", valid(&printer, explanation->reason), "ahead", explanation->ahead, "advice", advice,
                "tried", tried, "nodes", nodes, "nodes_without_gpus", explanation->other_nodes);
  arena_deinit(&printer.arena);
  return tree;
}
