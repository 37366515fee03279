/* SPDX-License-Identifier: Apache-2.0 */
/* What queue.c knows of classes, for those who meet pods later. */
#pragma once

#include "plan/problem.h"

/* Appends what tells classes apart, but for what depends on other pods and on volumes. */
void plan_queue_add_key(Text *key, const SnapshotPod *pod);
