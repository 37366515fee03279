/* SPDX-License-Identifier: Apache-2.0 */
/* How many of the waiting pods any plan could serve at most, whatever their priorities. */
#pragma once

#include "plan/problem.h"

/* On the snapshot before anything is planned. Never too small. */
int plan_bound_compute(const PlanProblem *problem);
