/* SPDX-License-Identifier: Apache-2.0 */
/* The clock that ends the search for a better plan. */
#pragma once

#include "plan/budget.h"

typedef struct CliDeadline {
  int64_t budget_ms;
  int64_t end_ms; /* of the plan that is being made, in monotonic time */
} CliDeadline;

/* Borrows the deadline. */
PlanClock cli_deadline_clock(CliDeadline *deadline);
