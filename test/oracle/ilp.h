/* SPDX-License-Identifier: Apache-2.0 */
/* The most pods of a family that any plan could serve, by an integer program that cbc solves. */
#pragma once

#include "family.h"

typedef struct IlpAnswer {
  int served;  /* by the best solution */
  int bound;   /* no solution serves more; equal to `served` where cbc finished in time */
  bool proven; /* it did */
} IlpAnswer;

bool ilp_is_available(void); /* is there a cbc on this machine? */
/* Of the family as its fixture's snapshot has it. The files go to `folder`. */
void ilp_solve(const Family *family, const char *folder, int seconds_max, IlpAnswer *ret_answer);
