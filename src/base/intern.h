/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers for byte strings: equal bytes get equal numbers, 0, 1, 2... in the order in which they were first
 * met. For telling apart ten thousand things of which most are alike. An Intern of zeroes is empty and
 * usable. */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct InternEntry InternEntry;

typedef struct Intern {
  InternEntry *entries; /* by number */
  size_t count, capacity;
  uint32_t *slots; /* number + 1; 0 is empty; a power of two, at most half full */
  size_t slot_count;
} Intern;

/* The number of these bytes, which are copied where they are new. */
int intern_number(Intern *intern, const void *bytes, size_t size);
void intern_deinit(Intern *intern); /* a cleanup function as it is */
