/* SPDX-License-Identifier: Apache-2.0 */
#include "base/real.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>

#define LN_2      0.69314718055994530942
#define SQRT_HALF 0.70710678118654752440

enum {
  LOG_TERMS = 23, /* the next is below 1e-17 */
  EXP_TERMS = 18, /* likewise: 0.7^19 / 19! */
  EXP_MOST = 1100 /* beyond it is infinite, or 0 */
};

double real_floor(double x) {
  double whole = (double)(int64_t)x;
  return whole > x ? whole - 1 : whole;
}

/* The series of e^y for y below ln 2; the whole part goes into the exponent. */
double real_exp2(double x) {
  if (x > EXP_MOST || x < -EXP_MOST)
    return x > 0 ? HUGE_VAL : 0;
  double whole = real_floor(x), y = (x - whole) * LN_2, term = 1, sum = 1;
  for (int k = 1; k <= EXP_TERMS; k++) {
    term *= y / k;
    sum += term;
  }
  return ldexp(sum, (int)whole);
}

double real_exp(double x) {
  return real_exp2(x / LN_2);
}

/* By the series of 2 artanh((m - 1) / (m + 1)) with m near 1. */
double real_log(double x) {
  assert(x > 0);
  int exponent;
  double m = frexp(x, &exponent), sum = 0;
  if (m < SQRT_HALF) {
    m *= 2;
    exponent--;
  }
  double s = (m - 1) / (m + 1), power = s;
  for (int k = 1; k <= LOG_TERMS; k += 2) {
    sum += power / k;
    power *= s * s;
  }
  return exponent * LN_2 + 2 * sum;
}
