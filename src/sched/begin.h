/* SPDX-License-Identifier: Apache-2.0 */
/* What the scheduler's plugins check of a pod before they look at nodes. */
#pragma once

#include "sched/coupling.h"
#include "sched/filter.h"

bool sched_begin(const SchedCoupling *coupling, int pod, SchedVerdict *ret_verdict);
