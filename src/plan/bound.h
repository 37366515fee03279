/* SPDX-License-Identifier: Apache-2.0 */
/* How many of the waiting pods any plan could serve at most, whatever their priorities. */
#pragma once

#include "plan/problem.h"

/* On the snapshot before anything is planned. Never too small. */
int plan_bound_compute(const PlanProblem *problem);

/* The parts, for other bounds. The free slices of the kind on the host that are not counted as free slots,
 * and the slots of the GPU that no plan can free. */
int plan_bound_fixed_free(const PlanProblem *problem, int host, int kind);
uint32_t plan_bound_fixed_slots(const PlanProblem *problem, int gpu);
