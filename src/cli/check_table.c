/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/check_view.h"
#include "cli/printable.h"

#include "base/map.h"
#include "base/memory.h"

enum { OBJECTS_MAX = 3 /* named where many have the same */ };

typedef struct Row { /* findings of one rule with the same sentence */
  const CheckFinding *first;
  const char *objects[OBJECTS_MAX];
  int count;
  bool is_same; /* and one command mends all */
} Row;

static size_t list_rows(const CheckFindings *findings, Row *rows) {
  CLEANUP(map_deinit) Map seen = {0};
  CLEANUP(text_deinit) Text key = {0};
  size_t count = 0;
  for (size_t i = 0; i < findings->items.count; i++) {
    const CheckFinding *finding = &findings->items.items[i];
    text_clear(&key);
    text_format(&key, "%d %s %s", (int)finding->severity, finding->rule, finding->sentence);
    Row *row = map_find(&seen, text_string(&key));
    if (!row) {
      row = &rows[count++];
      *row = (Row){.first = finding, .is_same = true};
      map_put(&seen, text_string(&key), row);
    }
    if (row->count < OBJECTS_MAX)
      row->objects[row->count] = finding->object;
    row->count++;
    row->is_same &= string_equal(finding->command, row->first->command);
  }
  return count;
}

static void append_row(CliCheckView *view, const Row *row, Text *out) {
  static const char *const names[] = {
      [CHECK_NOTE] = "NOTE", [CHECK_WARNING] = "WARNING", [CHECK_ERROR] = "ERROR"};
  const CheckFinding *finding = row->first;
  text_format(out, "\n%-8s ", names[finding->severity]);
  for (int i = 0; i < row->count && i < OBJECTS_MAX; i++)
    text_format(out, "%s%s", i ? ", " : "", cli_printable(&view->arena, row->objects[i]));
  if (row->count > OBJECTS_MAX)
    text_format(out, " and %d more", row->count - OBJECTS_MAX);
  text_format(out, " (%s)\n  %s\n", finding->rule, cli_printable(&view->arena, finding->sentence));
  if (finding->where)
    text_format(out, "  %s:\n", finding->where);
  text_format(out, "    $ %s\n", cli_printable(&view->arena, finding->command));
  if (!row->is_same)
    text_format(out, "  likewise for the other%s; -o json has each command\n", row->count == 2 ? "" : "s");
}

static void append_count(int count, const char *noun, Text *out) {
  text_format(out, "%d %s%s", count, noun, count == 1 ? "" : "s");
}

static void append_seen(const CheckCluster *cluster, Text *out) {
  text_append(out, "; looked at ");
  if (cluster->sees_nodes)
    append_count((int)cluster->node_count, "node", out);
  if (cluster->sees_nodes && cluster->sees_pods)
    text_append(out, " and ");
  if (cluster->sees_pods)
    append_count((int)cluster->pod_count, "pod", out);
  text_append(out, "\n");
}

static void append_summary(const CliCheckView *view, Text *out) {
  if (view->findings->items.count) {
    append_count(check_count(view->findings, CHECK_ERROR), "error", out);
    text_append(out, ", ");
    append_count(check_count(view->findings, CHECK_WARNING), "warning", out);
    text_append(out, ", ");
    append_count(check_count(view->findings, CHECK_NOTE), "note", out);
  } else {
    text_format(out, "nothing%s stands in facet's way", view->unseen_count ? " that can be seen" : "");
  }
  append_seen(view->cluster, out);
}

void cli_check_table(CliCheckView *view, Text *out) {
  CLEANUP(cleanup_free) Row *rows = mem_alloc((view->findings->items.count + 1) * sizeof *rows);
  size_t count = list_rows(view->findings, rows);
  append_summary(view, out);
  for (size_t i = 0; i < count; i++)
    append_row(view, &rows[i], out);
  if (view->unseen_count)
    text_append(out, "\nNot looked at:\n");
  for (size_t i = 0; i < view->unseen_count; i++)
    text_format(out, "  %s\n", view->unseen[i]);
}
