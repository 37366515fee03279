/* SPDX-License-Identifier: Apache-2.0 */
/* May `facet mig` change the GPUs of this machine? Not beside an agent, and not where a kubelet may have
 * promised slices to pods whose processes have not begun. */
#pragma once

#include "base/error.h"

#include <stdbool.h>

typedef struct CliMigGuardOptions {
  const char *device_plugin_folder;
  const char *pod_resources_socket;
  bool beside_kubelet; /* the user says that the kubelet serves no pods with GPUs */
} CliMigGuardOptions;

/* ret_claim: descriptor that keeps an agent from beginning while it is open; -1 where there is no kubelet. */
int cli_mig_guard(const CliMigGuardOptions *options, int *ret_claim, Error *err) MUST_CHECK;
