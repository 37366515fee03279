/* SPDX-License-Identifier: Apache-2.0 */
/* A seeded random number generator (splitmix64): one seed decides everything that follows. */
#pragma once

#include <stdint.h>

typedef struct Random {
  uint64_t state;
} Random;

uint64_t random_next(Random *random);
/* Uniform in 0..limit-1; limit must not be 0. */
uint64_t random_below(Random *random, uint64_t limit);
