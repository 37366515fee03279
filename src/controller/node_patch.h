/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON Patch that tells a node its wanted layout: guarded by a test on the plan id that we planned
 * against, so that a deposed or outdated controller writes nothing; and on the reported slices of GPUs that
 * lose some.
 */
#pragma once

#include "base/text.h"
#include "plan/plan.h"

/* Appends the patch for all changed GPUs of one node (gpus[0..count) all of that node) to `ret_body`. */
void controller_node_patch_format(const Snapshot *snapshot, const PlanGpu *gpus, size_t count,
                                  const char *plan_id, Text *ret_body);
/* Does an unanswered spec of the node already ask for every demanded slice of this GPU, and for none that
 * goes? Then there is nothing new to write: what it says of left-over slices stands until somebody needs
 * their place. */
bool controller_node_patch_is_known(const Snapshot *snapshot, const PlanGpu *gpu);
