/* SPDX-License-Identifier: Apache-2.0 */
/* Words that all forms of the view share. */
#include "cli/printable.h"
#include "cli/view.h"

const char *cli_view_count(Arena *arena, int64_t count, const char *noun) {
  return arena_format(arena, "%lld %s%s", (long long)count, noun, count == 1 ? "" : "s");
}

const char *cli_view_title(View *view, const ExplainLook *look) {
  const char *name = cli_printable(&view->arena, view->snapshot->nodes.items[look->node].name);
  return look->count > 1 ? arena_format(&view->arena, "%s and %d like it", name, look->count - 1) : name;
}

const char *cli_view_model(View *view, const SnapshotGpu *gpu) {
  const MigModelRow *row = *gpu->model_label ? mig_model_find(gpu->model_label) : NULL;
  if (row)
    return row->key;
  return *gpu->model_label ? cli_printable(&view->arena, gpu->model_label) : "unknown model";
}

const char *cli_view_holder(View *view, const ExplainCell *cell) {
  CLEANUP(text_deinit) Text text = {0};
  if (cell->slot != EXPLAIN_SLOT_USED || !cell->profile)
    return "";
  explain_holders_format(cell->holders, view->cluster, &text);
  return cli_printable(&view->arena, arena_strdup(&view->arena, text_string(&text)));
}
