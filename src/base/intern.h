/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers for byte strings: equal bytes get equal numbers, 0, 1, 2... in the order in which they were first
 * met; numbers that were given back go first. For telling apart ten thousand things of which most are alike.
 * An Intern of zeroes is empty and usable. */
#pragma once

#include "base/cleanup.h"
#include "base/slots.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct InternEntry InternEntry;

typedef struct Intern {
  InternEntry *entries;   /* by number */
  size_t count, capacity; /* numbers below `count` were given out, some of them may be back */
  uint32_t free;          /* number + 1 of one that is back; 0: none */
  Slots slots;
} Intern;

/* The number of these bytes, which are copied where they are new. */
int intern_number(Intern *intern, const void *bytes, size_t size);
/* The bytes of the number are forgotten, and it will be given to others. */
void intern_forget(Intern *intern, int number);
void intern_deinit(Intern *intern); /* a cleanup function as it is */
