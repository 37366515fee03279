/* SPDX-License-Identifier: Apache-2.0 */
/* What a host's answer to a set of slices depends on, as one number. */
#pragma once

#include "plan/problem.h"

/* Equal for hosts whose GPUs are cut, and may be cut, alike. */
uint64_t plan_frame_of(const PlanProblem *problem, int host);
