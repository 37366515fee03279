/* SPDX-License-Identifier: Apache-2.0 */
/* Which releases of Kubernetes facet works with: those that it was built for, those that nobody has tried,
 * and those that lack what it needs. */
#pragma once

#include <stdbool.h>

/* Releases before the oldest are refused rather than tried: nobody has run facet there, and a wrong guess
 * about a kubelet costs pods. Newer ones than have been tried are taken to keep Kubernetes' promises. */
#define RELEASE_OLDEST    "1.26"
#define RELEASE_SUPPORTED "1.29"

typedef enum Release {
  RELEASE_UNKNOWN,  /* the text is no version */
  RELEASE_TOO_OLD,  /* refused */
  RELEASE_UNTESTED, /* from RELEASE_OLDEST on, older than RELEASE_SUPPORTED */
  RELEASE_GOOD,
} Release;

/* Of "v1.36.2", as API server and kubelet tell it; may be NULL. */
Release release_judge(const char *version);
