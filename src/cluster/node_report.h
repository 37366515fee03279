/* SPDX-License-Identifier: Apache-2.0 */
/* A node's annotations sorted by GPU, not understood yet: one walk over them instead of one per GPU and key.
 * All texts are borrowed from the node. */
#pragma once

#include "cluster/object.h"
#include "mig/contract.h"

typedef struct GpuReport { /* NULL where the annotation is absent */
  const char *identity;
  const char *status;
  const char *keep;
  bool has_counts; /* nos' form of the status */
} GpuReport;

typedef struct NodeReport {
  GpuReport gpus[MIG_GPU_INDEX_MAX + 1];
  uint64_t reported; /* bit i: there is a GPU i */
  bool has_identity; /* facet's agent wrote it, else the product label and nos' counts must do */
  const char *spec_plan, *status_plan;
  const char *profiles, *exclude, *allowed, *paused;
  const char *bad_key; /* an annotation key with an impossible GPU index; NULL */
} NodeReport;

void node_report_read(const Node *node, NodeReport *ret_report);
