/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of the slots that are left on GPUs which the plan changes anyway. */
#pragma once

#include "plan/draft.h"
#include "plan/plan.h"

/* Fills every touched GPU of the draft with plain, allowed profiles. */
void plan_fill(PlanDraft *draft, const PlanOptions *options);
