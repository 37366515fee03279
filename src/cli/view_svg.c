/* SPDX-License-Identifier: Apache-2.0 */
/* The picture for a report. Colours come from a small style sheet with a dark half, shapes say the same
 * without colours: slices in use are full, free ones are outlined, empty slots are dotted, unusable ones are
 * hatched. Nodes that look alike are drawn once.
 *
 *     title, figures, a bar of all slots
 *     legend
 *     node    GPU 0  [ slice  ][ slice ][ ][ ]
 *             GPU 1  ...
 *     table of profiles */
#include "cli/printable.h"
#include "cli/view.h"

#include <string.h>

enum {
  WIDTH = 960,
  MARGIN = 32,
  BAR_LEFT = MARGIN + 168,
  BAR_WIDTH = WIDTH - MARGIN - BAR_LEFT,
  GPU_HEIGHT = 42,
  GPU_STEP = 50,
  NODE_HEAD = 38,
  NODE_GAP = 12,
  ROW = 22,
  LOOKS_MAX = 40, /* nodes drawn */
};

/* No variables: converters of pictures (librsvg among them) know rules, but not var(). */
static const char style[] =
    "<style>\n"
    ".facet text{font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;font-size:12px;"
    "fill:#1b1f24}\n"
    ".facet .title{font-size:20px;font-weight:600}\n"
    ".facet .node{font-size:14px;font-weight:600}\n"
    ".facet .small,.facet .warn{font-size:11px}\n"
    ".facet .num{text-anchor:end}\n"
    ".facet .soft{fill:#5b6570}\n"
    ".facet .warn{fill:#b4390b}\n"
    ".facet .ground{fill:#ffffff}\n"
    ".facet .rule{stroke:#d7dce1}\n"
    ".facet .used{fill:#2a7f62}\n"
    ".facet .usedink{fill:#ffffff}\n"
    ".facet .free{fill:#dff1ea;stroke:#2a7f62}\n"
    ".facet .freeink{fill:#17513e}\n"
    ".facet .empty{fill:#f4f6f8;stroke:#b4bcc4;stroke-dasharray:3 3}\n"
    ".facet .unusable{fill:url(#facet-hatch);stroke:#c2410c}\n"
    ".facet .hatch{stroke:#c2410c}\n"
    ".facet .closed{fill:#dfe3e7;stroke:#c3cad1}\n"
    "@media (prefers-color-scheme:dark){\n"
    ".facet text{fill:#e8ecf0}\n"
    ".facet .soft{fill:#9aa5b1}\n"
    ".facet .warn{fill:#f08a4b}\n"
    ".facet .ground{fill:#14181c}\n"
    ".facet .rule{stroke:#313941}\n"
    ".facet .used{fill:#3fa381}\n"
    ".facet .usedink{fill:#08140f}\n"
    ".facet .free{fill:#17352b;stroke:#3fa381}\n"
    ".facet .freeink{fill:#a9dfcb}\n"
    ".facet .empty{fill:#1c2228;stroke:#4a5560}\n"
    ".facet .unusable,.facet .hatch{stroke:#f08a4b}\n"
    ".facet .closed{fill:#2a3138;stroke:#3d4751}\n"
    "}\n"
    "</style>\n"
    "<defs><pattern id=\"facet-hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
    "patternTransform=\"rotate(45)\"><line class=\"hatch\" x1=\"0\" y1=\"0\" x2=\"0\" "
    "y2=\"6\"/></pattern></defs>\n";

static const char *const classes[EXPLAIN_SLOT_KINDS] = {"used", "free", "empty", "unusable", "closed"};

/* ---- elements ---- */

static void append_escaped(Text *out, const char *text) {
  for (; *text; text++) {
    if (*text == '<')
      text_append(out, "&lt;");
    else if (*text == '>')
      text_append(out, "&gt;");
    else if (*text == '&')
      text_append(out, "&amp;");
    else if (*text == '"')
      text_append(out, "&quot;");
    else
      text_append_bytes(out, text, 1);
  }
}

static void append_text(View *view, Text *out, double x, double y, const char *class_, const char *text) {
  text_format(out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, class_);
  append_escaped(out, cli_printable(&view->arena, text));
  text_append(out, "</text>\n");
}

static void append_rect(Text *out, double x, double y, double width, double height, const char *class_) {
  text_format(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"4\" class=\"%s\"/>\n", x,
              y, width, height, class_);
}

static void append_rule(Text *out, double y) {
  text_format(out, "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" class=\"rule\"/>\n", MARGIN, y,
              WIDTH - MARGIN, y);
}

#define LETTER_WIDTH 6.3

/* What fits into a width at 11 px, by the average width of a letter; the whole text is the tooltip. */
static const char *fit(View *view, const char *text, double width) {
  size_t room = width < 24 ? 1 : (size_t)(width / LETTER_WIDTH), size = strlen(text);
  if (size <= room)
    return text;
  size_t kept = room - 1;
  while (kept > 0 && ((unsigned char)text[kept] & 0xc0) == 0x80)
    kept--;
  return arena_format(&view->arena, "%.*s\xe2\x80\xa6", (int)kept, text);
}

/* ---- one GPU ---- */

static const char *name_free(const ExplainCell *cell) {
  return cell->kept ? "free, kept" : cell->promised ? "free, promised" : "free";
}

static void append_tooltip(Text *out, const ExplainCell *cell, const char *holder) {
  text_append(out, "<title>");
  if (cell->profile)
    text_format(out, "%s at slot %d, %s", cell->profile->name, cell->start,
                cell->slot == EXPLAIN_SLOT_USED ? "held by " : name_free(cell));
  else
    text_format(out, "slot %d is %s", cell->start, explain_slot_name(cell->slot));
  append_escaped(out, cell->slot == EXPLAIN_SLOT_USED ? holder : "");
  text_append(out, "</title>\n");
}

/* What fits: the whole words; without the namespace; of how many it is one. Nodes that stand for others name
 * nobody. The tooltip has the whole words. */
static const char *name_holder(View *view, const ExplainCell *cell, double width) {
  const char *holder = cli_view_holder(view, cell), *slash = strchr(holder, '/');
  size_t room = (size_t)(width / LETTER_WIDTH);
  if (strlen(holder) <= room || !cell->holders)
    return holder;
  if (explain_holders_sole(cell->holders) < 0)
    return arena_format(&view->arena, "one of %zu", cell->holders->pod_count);
  return slash ? slash + 1 : holder;
}

static const char *name_state(View *view, const ExplainCell *cell, double width, bool is_alone) {
  if (cell->slot == EXPLAIN_SLOT_USED)
    return is_alone ? name_holder(view, cell, width) : "used";
  return name_free(cell);
}

static void append_cell(View *view, Text *out, const ExplainCell *cell, double slot_width, double y,
                        bool is_alone) {
  double x = BAR_LEFT + cell->start * slot_width + 1.5, width = cell->size * slot_width - 3;
  text_append(out, "<g>");
  append_tooltip(out, cell, is_alone ? cli_view_holder(view, cell) : "a pod");
  append_rect(out, x, y, width, GPU_HEIGHT, classes[cell->slot]);
  if (cell->profile) {
    const char *class_ = cell->slot == EXPLAIN_SLOT_USED ? "small usedink" : "small freeink";
    append_text(view, out, x + 7, y + 17, class_, fit(view, cell->profile->name, width - 12));
    append_text(view, out, x + 7, y + 33, class_,
                fit(view, name_state(view, cell, width - 12, is_alone), width - 12));
  }
  text_append(out, "</g>\n");
}

static void append_gpu(View *view, Text *out, const ExplainLook *look, int g, double y) {
  int node = look->node;
  const SnapshotGpu *gpu = &view->snapshot->nodes.items[node].gpus[g];
  ExplainCell cells[MIG_SLOTS_MAX];
  append_text(view, out, MARGIN, y + 17, "", arena_format(&view->arena, "GPU %d", gpu->index));
  append_text(view, out, MARGIN, y + 33, "soft small",
              fit(view, cli_view_model(view, gpu), BAR_LEFT - MARGIN - 8));
  if (!gpu->model) {
    append_text(view, out, BAR_LEFT, y + 25, "soft small", "its slots are not known");
    return;
  }
  int count = explain_picture_cells(view->holding, view->snapshot, node, g, cells);
  for (int i = 0; i < count; i++)
    append_cell(view, out, &cells[i], (double)BAR_WIDTH / gpu->model->slot_count, y, look->count == 1);
}

/* Who may hold the slices of which the drawing says only "one of 6": a page has no tooltips. */
static double append_sets(View *view, Text *out, int node, double y) {
  const ExplainNodeHolders *holders = &view->holding->nodes[node];
  for (size_t i = 0; i < holders->count; i++) {
    const ExplainHolders *set = &holders->items[i];
    if (!set->used || set->pod_count < 2)
      continue;
    CLEANUP(text_deinit) Text names = {0};
    text_format(&names, "%s: ", set->profile);
    for (size_t p = 0; p < set->pod_count; p++) {
      text_append(&names, p ? ", " : "");
      explain_pod_format(view->cluster->pods[set->pods[p]], &names);
    }
    append_text(view, out, BAR_LEFT, y + 12, "soft small", fit(view, text_string(&names), BAR_WIDTH));
    y += 16;
  }
  return y;
}

/* ---- one node ---- */

/* The sentence, where it is the same for all GPUs; else how many are closed. */
static const char *find_note(View *view, const SnapshotNode *node) {
  const char *first = NULL;
  int closed = 0;
  for (int g = 0; g < node->gpu_count; g++) {
    const char *why = explain_picture_closed(node, &node->gpus[g]);
    first = first ? first : why;
    closed += why != NULL;
  }
  if (!closed || closed == 1 || !node->may_change)
    return first;
  return arena_format(&view->arena, "%d GPUs are closed: %s", closed, first);
}

static double append_node(View *view, Text *out, const ExplainLook *look, double y) {
  const SnapshotNode *node = &view->snapshot->nodes.items[look->node];
  ExplainSlots slots = {0};
  for (int g = 0; g < node->gpu_count; g++)
    explain_slots_add(&slots, node, &node->gpus[g]);
  append_rule(out, y);
  append_text(view, out, MARGIN, y + 25, "node", fit(view, cli_view_title(view, look), 420));
  append_text(view, out, WIDTH - MARGIN, y + 25, "soft small num",
              arena_format(&view->arena, "%lld of %lld slots used%s",
                           (long long)slots.counts[EXPLAIN_SLOT_USED], (long long)explain_slots_total(&slots),
                           look->count > 1 ? ", each" : ""));
  y += NODE_HEAD;
  const char *note = find_note(view, node);
  if (note) {
    append_text(view, out, MARGIN, y + 6, "warn", fit(view, note, WIDTH - 2 * MARGIN));
    y += 20;
  }
  for (int g = 0; g < node->gpu_count; g++)
    append_gpu(view, out, look, g, y + g * GPU_STEP);
  y += node->gpu_count * GPU_STEP;
  if (look->count == 1)
    y = append_sets(view, out, look->node, y);
  return y + NODE_GAP;
}

/* ---- head and foot ---- */

static double append_head(View *view, Text *out, double y) {
  const ExplainCensus *census = view->census;
  int64_t total = explain_slots_total(&census->slots), used = census->slots.counts[EXPLAIN_SLOT_USED];
  append_text(view, out, MARGIN, y + 20, "title",
              arena_format(&view->arena, "%s on %s", cli_view_count(&view->arena, census->gpu_count, "GPU"),
                           cli_view_count(&view->arena, census->node_count, "node")));
  append_text(view, out, MARGIN, y + 42, "soft",
              arena_format(&view->arena, "%lld of %lld slots are used: %lld %%", (long long)used,
                           (long long)total, total ? (long long)((used * 100 + total / 2) / total) : 0));
  double x = MARGIN;
  for (int i = 0; i < EXPLAIN_SLOT_KINDS && total; i++) {
    double width = (double)census->slots.counts[i] * (WIDTH - 2 * MARGIN) / (double)total;
    if (width >= 1)
      text_format(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"14\" class=\"%s\"/>\n", x, y + 56,
                  width, classes[i]);
    x += width;
  }
  return y + 84;
}

static double append_legend(View *view, Text *out, double y) {
  static const char *const words[] = {"used", "free slice", "empty", "unusable beside what is used",
                                      "closed to facet"};
  double x = MARGIN;
  for (int i = 0; i < EXPLAIN_SLOT_KINDS; i++) {
    const char *text =
        arena_format(&view->arena, "%s: %lld", words[i], (long long)view->census->slots.counts[i]);
    append_rect(out, x, y, 22, 16, classes[i]);
    append_text(view, out, x + 30, y + 12.5, "small", text);
    x += 30 + 6.4 * (double)strlen(text) + 24;
  }
  return y + 36;
}

static void append_cells_of_row(View *view, Text *out, double y, const char *class_,
                                const char *const words[5]) {
  static const int left[] = {MARGIN, MARGIN + 260};
  static const int right[] = {MARGIN + 480, MARGIN + 600, MARGIN + 760};
  char end_class[32];
  snprintf(end_class, sizeof end_class, "%s num", class_);
  for (int i = 0; i < 5; i++)
    append_text(view, out, i < 2 ? left[i] : right[i - 2], y, i < 2 ? class_ : end_class, words[i]);
}

static double append_profiles(View *view, Text *out, double y) {
  static const char *const head[] = {"Model", "Profile", "used", "free", "could still be made"};
  if (!view->census->tallies.count)
    return y;
  append_rule(out, y);
  y += ROW + 4;
  append_cells_of_row(view, out, y, "soft small", head);
  for (size_t i = 0; i < view->census->tallies.count; i++) {
    const ExplainTally *tally = &view->census->tallies.items[i];
    const MigModelRow *row = mig_model_find(tally->model->name);
    bool is_new = i == 0 || strcmp(tally->model->name, view->census->tallies.items[i - 1].model->name) != 0;
    y += ROW - 2;
    const char *words[] = {is_new ? row ? row->key : tally->model->name : "", tally->profile->name,
                           arena_format(&view->arena, "%lld", (long long)tally->used),
                           arena_format(&view->arena, "%lld", (long long)tally->free),
                           arena_format(&view->arena, "%lld", (long long)tally->more)};
    append_cells_of_row(view, out, y, "", words);
  }
  append_text(view, out, MARGIN, y + ROW, "soft small",
              "could still be made: of this profile alone, where free slices of others give way");
  return y + ROW + 12;
}

static double append_nodes(View *view, Text *out, double y) {
  ExplainLooks looks = {0};
  explain_picture_looks(view->snapshot, view->only_node, view->only_node < 0 && view->census->node_count > 4,
                        &looks);
  int64_t more = 0;
  for (size_t i = 0; i < looks.count; i++) {
    if (i < LOOKS_MAX)
      y = append_node(view, out, &looks.items[i], y);
    else
      more += looks.items[i].count;
  }
  if (more) {
    append_text(
        view, out, MARGIN, y + 16, "soft",
        arena_format(&view->arena, "and %s that are not drawn", cli_view_count(&view->arena, more, "node")));
    y += 28;
  }
  array_deinit(&looks);
  return y;
}

void cli_view_svg(View *view, Text *out) {
  CLEANUP(text_deinit) Text body = {0};
  double y = append_head(view, &body, MARGIN - 8);
  y = append_legend(view, &body, y);
  y = append_nodes(view, &body, y);
  y = append_profiles(view, &body, y) + MARGIN - 12;
  text_format(
      out,
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"facet\" width=\"%d\" height=\"%.0f\" viewBox=\"0 0 "
      "%d %.0f\" role=\"img\" aria-label=\"GPUs and their slices\">\n%s",
      WIDTH, y, WIDTH, y, style);
  text_format(out, "<rect width=\"%d\" height=\"%.0f\" class=\"ground\"/>\n%s</svg>\n", WIDTH, y,
              text_string(&body));
}
