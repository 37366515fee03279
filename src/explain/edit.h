/* SPDX-License-Identifier: Apache-2.0 */
/* Changes to the objects of a trial that take more than one assignment. */
#pragma once

#include "explain/explain.h"

/* The node has answered its plan: what the snapshot shows is what is there. */
void explain_edit_finish_recut(ExplainTrial *trial, size_t node, const SnapshotNode *shown);
void explain_edit_mode_on(ExplainTrial *trial, size_t node, const SnapshotNode *shown,
                          const SnapshotGpu *gpu);
/* The node reports so many GPUs of the model, in MIG mode and without slices. */
void explain_edit_report_empty(ExplainTrial *trial, size_t node, const char *model, int count);
void explain_edit_drop_taint(ExplainTrial *trial, size_t node, size_t taint);
/* The slice at that start of the GPU is free. */
void explain_edit_free_slices(ExplainTrial *trial, size_t node, const SnapshotGpu *gpu, uint32_t starts);

/* All slices of `profile` become slices of `other`. */
void explain_edit_ask_profile(ExplainTrial *trial, size_t pod, const char *profile, const char *other);
/* Asks no more than is free of everything but MIG slices, with what others have `freed` by then (NULL:
 * nothing), and nothing of an extended resource that the node does not have; false where nothing is left of
 * something else, or nothing is short. Appends "cpu 3.5 in place of 8 and no example.com/fpga". */
bool explain_edit_ask_less(ExplainTrial *trial, size_t pod, const Resources *requests,
                           const SnapshotNode *node, const Resources *freed, Text *text);
/* More memory or, at equal memory, more compute. */
bool explain_edit_is_larger(const char *profile, const char *than);
/* Adds the model's profiles without extras that are not in the list, largest first; returns the new count. */
int explain_edit_list_profiles(const MigModel *model, const char *except, ExplainNeed *list, int count,
                               int max);
