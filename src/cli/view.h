/* SPDX-License-Identifier: Apache-2.0 */
/* What `facet view` shows, in its three forms. */
#pragma once

#include "base/text.h"
#include "explain/census.h"
#include "explain/picture.h"

#include <jansson.h>

enum { CLI_VIEW_NOTES_MAX = (MIG_GPU_INDEX_MAX + 1) * MIG_SLOTS_MAX };

typedef struct View {
  const ExplainCluster *cluster;
  const Snapshot *snapshot;
  const ExplainHolding *holding;
  const ExplainCensus *census;
  int only_node; /* index in the snapshot; -1: all */
  bool ascii, colours;
  const char *notes[CLI_VIEW_NOTES_MAX]; /* below the node that is being drawn */
  int note_count;
  Arena arena; /* of what is printed */
} View;

/* The verb's output as text, in 80 columns: few GPUs drawn one by one with their holders, many as bars. */
void cli_view_table(View *view, Text *out);
json_t *cli_view_tree(View *view);
/* A picture that stands alone: SVG with its own style, for light and dark. */
void cli_view_svg(View *view, Text *out);

/* "1 node", "2 nodes" */
const char *cli_view_count(Arena *arena, int64_t count, const char *noun);
/* "gpu-3", "gpu-3 and 11 like it" */
const char *cli_view_title(View *view, const ExplainLook *look);
/* "A100-80GB", for a model that the table knows; else the label. */
const char *cli_view_model(View *view, const SnapshotGpu *gpu);
/* Who holds the cell's slice: "ml/a", "one of ml/a, ml/b"; "" where nobody does. */
const char *cli_view_holder(View *view, const ExplainCell *cell);
