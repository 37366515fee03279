/* SPDX-License-Identifier: Apache-2.0 */
/* Versions as programs tell them: numbers with dots between, whatever stands before and behind. */
#pragma once

#include <stdbool.h>

enum { VERSION_PARTS = 3 };

typedef struct Version {
  int parts[VERSION_PARTS]; /* those that the text lacks are 0 */
} Version;

/* "v1.29.3-gke.100" is 1.29.3, "470.57" is 470.57.0, "29+" is 29.0.0. False (and all parts 0) where no number
 * begins it, a NULL text included, or where one is above 99999. */
bool version_parse(const char *text, Version *ret_version);
/* Negative, 0 or positive, as strcmp. */
int version_compare(const Version *a, const Version *b);
