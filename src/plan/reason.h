/* SPDX-License-Identifier: Apache-2.0 */
/* Why a pod is not helped, in one short sentence that names what blocks it. */
#pragma once

#include "plan/problem.h"

enum { PLAN_REASON_SIZE = 400 };

/* For a pod of this class that is not served. The snapshot is as it was before planning; `hosts` says, by
 * waiting pod, which host serves it (-1: none). */
void plan_reason_format(const PlanProblem *problem, int class_, const int *hosts,
                        char ret_reason[PLAN_REASON_SIZE]);
