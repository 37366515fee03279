/* SPDX-License-Identifier: Apache-2.0 */
/* Up to eight GPUs are drawn as boxes, each slice with its profile and its holder; more are bars of one
 * character a slot, and nodes that look alike share a line.
 *
 *     ┌────────┬────────┬─────────────────┐          ████░░··  used, free, empty
 *     │1g.10gb │   ·    │2g.20gb          │
 *     │ml/a    │        │(1)              │
 *     └────────┴────────┴─────────────────┘
 *     (1) one of ml/b-6c5d8, ml/b-9f7a2            below the node's last GPU, each only once
 */
#include "cli/printable.h"
#include "cli/view.h"

#include <string.h>

enum {
  BOX_WIDTH = 72,     /* of a GPU's slots, borders left out of account */
  BOXED_GPUS_MAX = 8, /* more are bars */
  LINES_MAX = 60,     /* nodes with bars */
  SILENT_MAX = 5,     /* nodes without a report that are named */
  NAME_MAX_COLUMNS = 30,
};

typedef struct Glyphs {
  const char *slots[EXPLAIN_SLOT_KINDS];
  const char *line, *wall, *cut;
  const char *top[3], *bottom[3]; /* left, between, right */
} Glyphs;

static const Glyphs unicode = {
    .slots = {"█", "▒", "·", "x", "-"},
    .line = "─",
    .wall = "│",
    .cut = "…",
    .top = {"┌", "┬", "┐"},
    .bottom = {"└", "┴", "┘"},
};
static const Glyphs ascii = {
    .slots = {"#", "o", ".", "x", "-"},
    .line = "-",
    .wall = "|",
    .cut = "~",
    .top = {"+", "+", "+"},
    .bottom = {"+", "+", "+"},
};

static const char *const colour_codes[EXPLAIN_SLOT_KINDS] = {"\033[32m", "\033[36m", "", "\033[31m",
                                                             "\033[2m"};

static const Glyphs *glyphs_of(const View *view) {
  return view->ascii ? &ascii : &unicode;
}

/* ---- text of a width ---- */

static int columns_of(const char *text) {
  int columns = 0;
  for (; *text; text++)
    columns += ((unsigned char)*text & 0xc0) != 0x80;
  return columns;
}

/* The text in exactly so many columns; what is longer ends in a mark. */
static void append_fit(const View *view, Text *out, const char *text, int width) {
  int columns = columns_of(text), room = columns > width ? width - 1 : width, used = 0;
  for (; *text; text++) {
    bool is_first_byte = ((unsigned char)*text & 0xc0) != 0x80;
    if (is_first_byte && used++ >= room)
      break;
    text_append_bytes(out, text, 1);
  }
  if (columns > width)
    text_append(out, glyphs_of(view)->cut);
  for (; columns < width; columns++)
    text_append(out, " ");
}

static void append_times(Text *out, const char *text, int count) {
  for (; count > 0; count--)
    text_append(out, text);
}

static void append_coloured(const View *view, Text *out, ExplainSlot slot, bool begin) {
  if (view->colours && *colour_codes[slot])
    text_append(out, begin ? colour_codes[slot] : "\033[0m");
}

/* ---- boxes ---- */

static void append_border(const View *view, Text *out, const ExplainCell *cells, int count, int slot_width,
                          const char *const corners[3]) {
  text_append(out, "  ");
  for (int i = 0; i < count; i++) {
    text_append(out, corners[i ? 1 : 0]);
    append_times(out, glyphs_of(view)->line, cells[i].size * slot_width - 1);
  }
  text_format(out, "%s\n", corners[2]);
}

static const char *top_word(const View *view, const ExplainCell *cell) {
  return cell->profile ? cell->profile->name : glyphs_of(view)->slots[cell->slot];
}

/* A name that does not fit into its cell stands below the node's boxes instead. */
static bool names_below(View *view, const ExplainCell *cell, int slot_width) {
  return cell->slot == EXPLAIN_SLOT_USED &&
         columns_of(cli_view_holder(view, cell)) > cell->size * slot_width - 1;
}

/* The number of the note with this text, which is added where it is new; from 1. */
static int note_of(View *view, const char *text) {
  int i = 0;
  while (i < view->note_count && strcmp(view->notes[i], text) != 0)
    i++;
  assert(i < CLI_VIEW_NOTES_MAX);
  view->notes[i] = text;
  view->note_count = i < view->note_count ? view->note_count : i + 1;
  return i + 1;
}

static const char *bottom_word(View *view, const ExplainCell *cell, int slot_width) {
  if (cell->slot == EXPLAIN_SLOT_FREE)
    return cell->kept ? "kept" : cell->promised ? "promised" : "free";
  if (names_below(view, cell, slot_width))
    return arena_format(&view->arena, "(%d)", note_of(view, cli_view_holder(view, cell)));
  return cli_view_holder(view, cell);
}

static void append_row(View *view, Text *out, const ExplainCell *cells, int count, int slot_width,
                       bool is_top) {
  text_append(out, "  ");
  for (int i = 0; i < count; i++) {
    const ExplainCell *cell = &cells[i];
    text_append(out, glyphs_of(view)->wall);
    append_coloured(view, out, cell->slot, true);
    append_fit(view, out, is_top ? top_word(view, cell) : bottom_word(view, cell, slot_width),
               cell->size * slot_width - 1);
    append_coloured(view, out, cell->slot, false);
  }
  text_format(out, "%s\n", glyphs_of(view)->wall);
}

static void append_notes(View *view, Text *out) {
  for (int i = 0; i < view->note_count; i++)
    text_format(out, "  (%d) %s\n", i + 1, view->notes[i]);
  view->note_count = 0;
}

static void append_box(View *view, Text *out, int node, int gpu) {
  ExplainCell cells[MIG_SLOTS_MAX];
  int count = explain_picture_cells(view->holding, view->snapshot, node, gpu, cells);
  int slot_width = BOX_WIDTH / view->snapshot->nodes.items[node].gpus[gpu].model->slot_count;
  append_border(view, out, cells, count, slot_width, glyphs_of(view)->top);
  append_row(view, out, cells, count, slot_width, true);
  append_row(view, out, cells, count, slot_width, false);
  append_border(view, out, cells, count, slot_width, glyphs_of(view)->bottom);
}

static void append_node_boxed(View *view, Text *out, const ExplainLook *look) {
  const SnapshotNode *node = &view->snapshot->nodes.items[look->node];
  for (int g = 0; g < node->gpu_count; g++) {
    const SnapshotGpu *gpu = &node->gpus[g];
    const char *closed = explain_picture_closed(node, gpu);
    text_format(out, "%s  GPU %d  %s%s%s\n", cli_view_title(view, look), gpu->index,
                cli_view_model(view, gpu), closed ? ": " : "", cli_printable(&view->arena, closed));
    if (gpu->assumed && gpu->layout->count)
      text_append(out, "  (counts only: where the slices are is a guess)\n");
    if (gpu->model && (!closed || gpu->layout->count))
      append_box(view, out, look->node, g);
  }
  append_notes(view, out);
}

/* ---- bars ---- */

static void append_bar(const View *view, Text *out, const SnapshotNode *node, const SnapshotGpu *gpu) {
  ExplainSlot slots[MIG_SLOTS_MAX];
  if (!gpu->model) {
    text_append(out, "?");
    return;
  }
  explain_census_slots(node, gpu, slots);
  for (int slot = 0; slot < gpu->model->slot_count; slot++) {
    bool is_first = slot == 0 || slots[slot] != slots[slot - 1];
    bool is_last = slot + 1 == gpu->model->slot_count || slots[slot + 1] != slots[slot];
    if (is_first)
      append_coloured(view, out, slots[slot], true);
    text_append(out, glyphs_of(view)->slots[slots[slot]]);
    if (is_last)
      append_coloured(view, out, slots[slot], false);
  }
}

static void append_models(View *view, Text *out, const SnapshotNode *node) {
  for (int g = 0; g < node->gpu_count;) {
    int first = g;
    while (g < node->gpu_count && strcmp(node->gpus[g].model_label, node->gpus[first].model_label) == 0)
      g++;
    text_format(out, "%s%d x %s", first ? ", " : "", g - first, cli_view_model(view, &node->gpus[first]));
  }
}

static void append_node_bars(View *view, Text *out, const ExplainLook *look) {
  const SnapshotNode *node = &view->snapshot->nodes.items[look->node];
  ExplainSlots slots = {0};
  for (int g = 0; g < node->gpu_count; g++)
    explain_slots_add(&slots, node, &node->gpus[g]);
  append_fit(view, out, cli_view_title(view, look), NAME_MAX_COLUMNS);
  text_append(out, "  ");
  append_models(view, out, node);
  text_format(out, ", %lld of %lld slots used%s\n ", (long long)slots.counts[EXPLAIN_SLOT_USED],
              (long long)explain_slots_total(&slots), node->may_change ? "" : ", closed");
  for (int g = 0; g < node->gpu_count; g++) {
    text_append(out, g && g % 8 == 0 ? "\n  " : " ");
    append_bar(view, out, node, &node->gpus[g]);
  }
  text_append(out, "\n");
}

static void append_legend(const View *view, Text *out) {
  static const char *const words[] = {"used", "free slice", "empty", "unusable beside what is used",
                                      "closed to facet"};
  for (int i = 0; i < EXPLAIN_SLOT_KINDS; i++) {
    text_append(out, i ? "   " : "");
    append_coloured(view, out, (ExplainSlot)i, true);
    text_append(out, glyphs_of(view)->slots[i]);
    append_coloured(view, out, (ExplainSlot)i, false);
    text_format(out, " %s", words[i]);
  }
  text_append(out, "\n");
}

/* ---- the summary ---- */

static void append_summary(View *view, Text *out) {
  const ExplainCensus *census = view->census;
  const int64_t *counts = census->slots.counts;
  int64_t total = explain_slots_total(&census->slots);
  text_format(out,
              "%s on %s: %lld of %lld slots used (%lld %%), %lld in free slices, %lld empty, %lld unusable, "
              "%lld closed\n",
              cli_view_count(&view->arena, census->gpu_count, "GPU"),
              cli_view_count(&view->arena, census->node_count, "node"), (long long)counts[EXPLAIN_SLOT_USED],
              (long long)total,
              total ? (long long)((counts[EXPLAIN_SLOT_USED] * 100 + total / 2) / total) : 0,
              (long long)counts[EXPLAIN_SLOT_FREE], (long long)counts[EXPLAIN_SLOT_EMPTY],
              (long long)counts[EXPLAIN_SLOT_UNUSABLE], (long long)counts[EXPLAIN_SLOT_CLOSED]);
  if (census->unknown_count)
    text_format(out, "%s of unknown model %s not counted\n",
                cli_view_count(&view->arena, census->unknown_count, "GPU"),
                census->unknown_count == 1 ? "is" : "are");
}

/* Nodes that were handed to facet, and of which nobody hears. */
static void append_silent_nodes(View *view, Text *out) {
  int64_t silent = 0;
  for (size_t n = 0; n < view->snapshot->nodes.count; n++) {
    const SnapshotNode *node = &view->snapshot->nodes.items[n];
    const char *label = key_values_find(&node->object->meta.labels, MIG_LABEL_PARTITIONING);
    if (node->gpu_count || !node->blocked || !string_equal(label, "mig"))
      continue;
    if (silent++ < SILENT_MAX)
      text_format(out, "%s\n", cli_printable(&view->arena, node->blocked));
  }
  if (silent > SILENT_MAX)
    text_format(out, "... and %s like these\n",
                cli_view_count(&view->arena, silent - SILENT_MAX, "more node"));
}

/* "More" is for each profile alone: they share the same room. */
static void append_tallies(View *view, Text *out) {
  if (!view->census->tallies.count)
    return;
  text_append(out, "\n");
  append_fit(view, out, "MODEL", NAME_MAX_COLUMNS);
  text_format(out, " %-12s %8s %8s %8s\n", "PROFILE", "USED", "FREE", "MORE");
  for (size_t i = 0; i < view->census->tallies.count; i++) {
    const ExplainTally *tally = &view->census->tallies.items[i];
    const MigModelRow *row = mig_model_find(tally->model->name);
    bool is_new = i == 0 || strcmp(tally->model->name, view->census->tallies.items[i - 1].model->name) != 0;
    const char *name = row ? row->key : cli_printable(&view->arena, tally->model->name);
    append_fit(view, out, is_new ? name : "", NAME_MAX_COLUMNS);
    text_format(out, " %-12s %8lld %8lld %8lld\n", tally->profile->name, (long long)tally->used,
                (long long)tally->free, (long long)tally->more);
  }
  text_append(out, "MORE: could be made of this profile alone, where free slices of others give way\n");
}

/* ---- all ---- */

static void append_bars(View *view, Text *out, const ExplainLooks *looks) {
  size_t shown = looks->count < LINES_MAX ? looks->count : LINES_MAX;
  append_legend(view, out);
  text_append(out, "\n");
  for (size_t i = 0; i < shown; i++)
    append_node_bars(view, out, &looks->items[i]);
  int64_t more = 0;
  for (size_t i = shown; i < looks->count; i++)
    more += looks->items[i].count;
  if (more)
    text_format(out, "... and %s; --node NAME shows one, -o json all\n",
                cli_view_count(&view->arena, more, "more node"));
}

void cli_view_table(View *view, Text *out) {
  ExplainLooks looks = {0};
  bool is_boxed = view->only_node >= 0 || view->census->gpu_count <= BOXED_GPUS_MAX;
  append_summary(view, out);
  if (view->only_node < 0)
    append_silent_nodes(view, out);
  append_tallies(view, out);
  explain_picture_looks(view->snapshot, view->only_node, !is_boxed, &looks);
  text_append(out, looks.count ? "\n" : "");
  for (size_t i = 0; is_boxed && i < looks.count; i++)
    append_node_boxed(view, out, &looks.items[i]);
  if (!is_boxed)
    append_bars(view, out, &looks);
  array_deinit(&looks);
}
