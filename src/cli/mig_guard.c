/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/mig_guard.h"

#include "cli/folder_claim.h"

#include <unistd.h>

int cli_mig_guard(const CliMigGuardOptions *options, int *ret_claim, Error *err) {
  *ret_claim = -1;
  if (access(options->device_plugin_folder, F_OK) != 0)
    return 0;
  int r = cli_folder_claim(options->device_plugin_folder, ret_claim, err);
  if (r == -ERROR_CONFLICT)
    return error_set(
        err, ERROR_CONFLICT,
        "facet's agent cuts the GPUs of this node; nothing was changed. Ask it by pods, or take the node's "
        "label nos.nebuly.com/gpu-partitioning away and stop the agent");
  if (r < 0)
    return r;
  if (!options->beside_kubelet && access(options->pod_resources_socket, F_OK) == 0)
    return error_set(err, ERROR_CONFLICT,
                     "a kubelet runs here (%s) and may have given slices to pods whose processes have not "
                     "begun; nothing was changed. "
                     "Drain the node and add --beside-kubelet, or let facet's agent cut this node",
                     options->pod_resources_socket);
  return 0;
}
