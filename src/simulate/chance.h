/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers of the distributions that loads are made of. A seed gives the same load on every machine. */
#pragma once

#include "base/random.h"

double simulate_chance_uniform(Random *random); /* in [0, 1) */
double simulate_chance_exponential(Random *random, double mean);
double simulate_chance_normal(Random *random); /* mean 0, standard deviation 1 */
