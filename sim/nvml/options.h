/* SPDX-License-Identifier: Apache-2.0 */
/* A machine's options by name, as the state file, facet-sim-nvml set and the machine file write them:
 *
 *     uuids place|random               a MIG device created again has its old UUID, or a new one
 *     handles strict|alias             a stale handle fails, or means whatever came to its place
 *     compute-device gpu|mig           nvmlComputeInstanceInfo_t.device
 *     mode-reset needed|automatic      Ampere's MIG mode waits for a reset, or resets an idle GPU itself
 *     latency 0..1000                  factor on the times of changes, unless FACET_SIM_NVML_LATENCY says
 *     linger-ms 0..60000               IN_USE after the last compute instance or process is gone
 *     root /path                       where /proc/driver/nvidia/capabilities is kept; "none": nowhere */
#pragma once

#include "sim/nvml/state.h"

/* ERROR_INVALID for unknown names and values. */
int sim_options_set(SimOptions *options, const char *name, const char *value, Error *err) MUST_CHECK;
/* Lines "option NAME VALUE" of what differs from the usual. */
void sim_options_format(const SimOptions *options, Text *text);
