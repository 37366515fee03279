/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a pod tolerates a taint; three filters ask. */
#pragma once

#include "cluster/object.h"

bool sched_tolerates(const Pod *pod, const Taint *taint);
/* All taints of the node that keep pods away. */
bool sched_tolerates_all(const Pod *pod, const Node *node);
