/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/release.h"

#include "base/version.h"

#include <stddef.h>

static bool is_older(const Version *version, const char *than) {
  Version other;
  return version_parse(than, &other) && version_compare(version, &other) < 0;
}

Release release_judge(const char *version) {
  Version parsed;
  if (!version_parse(version, &parsed))
    return RELEASE_UNKNOWN;
  if (is_older(&parsed, RELEASE_OLDEST))
    return RELEASE_TOO_OLD;
  return is_older(&parsed, RELEASE_SUPPORTED) ? RELEASE_UNTESTED : RELEASE_GOOD;
}
