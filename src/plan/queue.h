/* SPDX-License-Identifier: Apache-2.0 */
/* What queue.c knows of classes, for those who meet pods later. */
#pragma once

#include "plan/problem.h"

/* Appends what tells classes apart, but for what depends on other pods and on volumes. */
void plan_queue_add_key(Text *key, const SnapshotPod *pod);
/* The oldest of these pods first, those of one age by their names: indexes of `waiting`. `ages`: order_key()
 * of their times of creation, used up. */
void plan_queue_order_by_age(const Snapshot *snapshot, const PlanWaiting *waiting, uint64_t *ages,
                             size_t count, int *ret_order);
