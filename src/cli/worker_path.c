/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/worker_path.h"

#include "base/array.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

const char *cli_worker_path(char *buffer, size_t size) {
  static const char *const places[] = {"facet-nvml-worker", "../libexec/facet/facet-nvml-worker"};
  char self[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  if (length < 0)
    return NULL;
  self[length] = '\0';
  const char *folder = dirname(self);
  for (size_t i = 0; i < COUNT_OF(places); i++) {
    int wanted = snprintf(buffer, size, "%s/%s", folder, places[i]);
    if (wanted > 0 && (size_t)wanted < size && access(buffer, X_OK) == 0)
      return buffer;
  }
  return NULL;
}
