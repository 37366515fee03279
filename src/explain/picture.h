/* SPDX-License-Identifier: Apache-2.0 */
/* GPUs as pictures need them: cells from slot 0 on, each a slice or a single slot without one. And which
 * nodes look alike, so that a thousand of them fit on a page. */
#pragma once

#include "explain/census.h"
#include "explain/holder.h"

typedef struct ExplainCell {
  int start, size;
  ExplainSlot slot;
  const MigProfile *profile;     /* NULL: no slice */
  bool kept;                     /* facet.gpu/keep-gpu-<i> */
  bool promised;                 /* free, and a bound pod will take it */
  const ExplainHolders *holders; /* of a slice in use; NULL: nobody is known */
} ExplainCell;

/* Its model is known. Returns how many; ret_cells has room for MIG_SLOTS_MAX. */
int explain_picture_cells(const ExplainHolding *holding, const Snapshot *snapshot, int node, int gpu,
                          ExplainCell ret_cells[MIG_SLOTS_MAX]);
/* Why nothing can be made there, NULL where something can. */
const char *explain_picture_closed(const SnapshotNode *node, const SnapshotGpu *gpu);

typedef struct ExplainLook {
  int node; /* the first of them */
  int count;
} ExplainLook;
typedef ARRAY(ExplainLook) ExplainLooks;

/* Nodes with GPUs. With `merge`, nodes that look alike (whoever holds the slices) are listed once. */
void explain_picture_looks(const Snapshot *snapshot, int only_node, bool merge, ExplainLooks *ret_looks);
