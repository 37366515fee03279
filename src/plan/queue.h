/* SPDX-License-Identifier: Apache-2.0 */
/* What queue.c knows of classes, for those who meet pods later. */
#pragma once

#include "base/order.h"
#include "plan/problem.h"

/* Appends what tells classes apart, but for what depends on other pods and on volumes. */
void plan_queue_add_key(Text *key, const SnapshotPod *pod);
/* Sorts keys that have the indexes of waiting pods; equal ones by the names of the pods. */
void plan_queue_order(const Snapshot *snapshot, const PlanWaiting *waiting, OrderKey *keys, size_t count);
