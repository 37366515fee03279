/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers of the distributions that loads are made of, and the two functions that they need. These are
 * written out because the logarithm and the exponential function of a static C library cannot be linked
 * everywhere, and because a seed shall give the same load whatever the library rounds to. */
#pragma once

#include "base/random.h"

double simulate_natural_log(double number); /* of a positive number */
double simulate_raise_e(double x);          /* e to the x */

double simulate_chance_uniform(Random *random); /* in [0, 1) */
double simulate_chance_exponential(Random *random, double mean);
double simulate_chance_normal(Random *random); /* mean 0, standard deviation 1 */
