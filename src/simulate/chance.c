/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/chance.h"

#include <assert.h>
#include <math.h>

#define LN_2      0.69314718055994530942
#define SQRT_HALF 0.70710678118654752440

enum { LOG_TERMS = 23 /* the next is below 1e-17 */ };

double simulate_chance_uniform(Random *random) {
  return (double)(random_next(random) >> 11) * 0x1p-53;
}

/* By the series of 2 artanh((m - 1) / (m + 1)) with m near 1. */
double simulate_natural_log(double number) {
  assert(number > 0);
  int exponent;
  double m = frexp(number, &exponent), sum = 0;
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

double simulate_raise_e(double x) {
  return exp2(x / LN_2);
}

double simulate_chance_exponential(Random *random, double mean) {
  return -mean * simulate_natural_log(1 - simulate_chance_uniform(random));
}

/* Marsaglia's polar way; the second number that it would give is left. */
double simulate_chance_normal(Random *random) {
  for (;;) {
    double x = 2 * simulate_chance_uniform(random) - 1, y = 2 * simulate_chance_uniform(random) - 1;
    double square = x * x + y * y;
    if (square > 0 && square < 1)
      return x * sqrt(-2 * simulate_natural_log(square) / square);
  }
}
