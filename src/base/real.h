/* SPDX-License-Identifier: Apache-2.0 */
/* The few functions of real numbers that facet needs, without libm: in the agent, which needs none of them,
 * it would make a third of a megabyte resident. (sqrt() is an instruction, frexp() and ldexp() are in libc.)
 */
#pragma once

double real_floor(double x); /* of a number that an int64_t can hold */
double real_exp2(double x);  /* to about 1e-15 of the result */
double real_exp(double x);   /* e to the x */
double real_log(double x);   /* natural, of a positive number; likewise */
