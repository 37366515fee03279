/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/draw.h"

#include <string.h>

static const char *const words[] = {[DRAW_FREE] = "free", [DRAW_USED] = "used", [DRAW_NEW] = "new"};
static const char *const marks[] = {[DRAW_FREE] = "", [DRAW_USED] = "*", [DRAW_NEW] = "+"};
static const char *const colour_codes[] = {
    [DRAW_FREE] = "", [DRAW_USED] = "\033[32m", [DRAW_NEW] = "\033[33m"};

/* "1g.10gb*"; where that is wider than the cell, without the memory: "1g+me*". */
static void write_marked(const char *name, const char *mark, size_t width, char *label, size_t size) {
  bool fits = strlen(name) + 1 <= width;
  size_t suffix = strcspn(name, "+-");
  int slices = (int)strcspn(name, ".");
  if (fits || !name[suffix])
    snprintf(label, size, "%s%s", name, mark);
  else
    snprintf(label, size, "%.*s%s%s", slices, name, name + suffix, mark);
}

/* Wide cells name the state in a word, one-slot cells by a mark. */
static void draw_instance(const MigProfile *profile, DrawState state, bool colours, Text *out) {
  char label[64];
  int width = profile->size * DRAW_SLOT_WIDTH - 1;
  if (width >= (int)strlen(profile->name) + 6)
    snprintf(label, sizeof label, "%s %s", profile->name, words[state]);
  else
    write_marked(profile->name, marks[state], (size_t)width, label, sizeof label);
  bool coloured = colours && colour_codes[state][0];
  text_format(out, "|%s%-*.*s%s", coloured ? colour_codes[state] : "", width, width, label,
              coloured ? "\033[0m" : "");
}

void cli_draw_layout(const MigLayout *layout, const DrawState *states, bool colours, Text *out) {
  for (int slot = 0; slot < layout->model->slot_count;) {
    const MigInstance *instance = mig_layout_find(layout, slot);
    if (!instance) {
      text_format(out, "|%*s", -(DRAW_SLOT_WIDTH - 1), "   .");
      slot++;
      continue;
    }
    const MigProfile *profile = &layout->model->profiles[instance->profile];
    draw_instance(profile, states[instance - layout->instances], colours, out);
    slot += profile->size;
  }
  text_append(out, "|");
}
