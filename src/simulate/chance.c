/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/chance.h"

#include "base/real.h"

#include <math.h>

double simulate_chance_uniform(Random *random) {
  return (double)(random_next(random) >> 11) * 0x1p-53;
}

double simulate_chance_exponential(Random *random, double mean) {
  return -mean * real_log(1 - simulate_chance_uniform(random));
}

/* Marsaglia's polar way; the second number that it would give is left. */
double simulate_chance_normal(Random *random) {
  for (;;) {
    double x = 2 * simulate_chance_uniform(random) - 1, y = 2 * simulate_chance_uniform(random) - 1;
    double square = x * x + y * y;
    if (square > 0 && square < 1)
      return x * sqrt(-2 * real_log(square) / square);
  }
}
