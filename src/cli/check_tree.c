/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/check_view.h"
#include "cli/printable.h"

static json_t *finding_to_json(CliCheckView *view, const CheckFinding *finding) {
  json_t *tree = json_pack("{s:s,s:s,s:s,s:s,s:s}", "severity", check_severity_name(finding->severity),
                           "rule", finding->rule, "object", cli_valid(&view->arena, finding->object),
                           "sentence", cli_valid(&view->arena, finding->sentence), "command",
                           cli_valid(&view->arena, finding->command));
  if (finding->where)
    json_object_set_new(tree, "where", json_string(finding->where));
  return tree;
}

json_t *cli_check_tree(CliCheckView *view) {
  const CheckFindings *findings = view->findings;
  json_t *list = json_array(), *unseen = json_array();
  for (size_t i = 0; i < findings->items.count; i++)
    json_array_append_new(list, finding_to_json(view, &findings->items.items[i]));
  for (size_t i = 0; i < view->unseen_count; i++)
    json_array_append_new(unseen, json_string(view->unseen[i]));
  json_t *summary =
      json_pack("{s:i,s:i,s:i,s:I,s:I}", "errors", check_count(findings, CHECK_ERROR), "warnings",
                check_count(findings, CHECK_WARNING), "notes", check_count(findings, CHECK_NOTE), "nodes",
                (json_int_t)view->cluster->node_count, "pods", (json_int_t)view->cluster->pod_count);
  return json_pack("{s:o,s:o,s:o}", "summary", summary, "findings", list, "unseen", unseen);
}
