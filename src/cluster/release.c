/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/release.h"

#include "base/version.h"

#include <stddef.h>

static bool is_older(const Version *version, const char *than) {
  Version other;
  return version_parse(than, &other) && version_compare(version, &other) < 0;
}

Release release_judge(const char *text) {
  Version version;
  if (!version_parse(text, &version))
    return RELEASE_UNKNOWN;
  if (is_older(&version, RELEASE_OLDEST))
    return RELEASE_TOO_OLD;
  return is_older(&version, RELEASE_SUPPORTED) ? RELEASE_UNTESTED : RELEASE_GOOD;
}
