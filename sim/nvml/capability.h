/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel module shows of MIG in /proc and what nvidia-modprobe makes of it in /dev, as plain files
 * below a root of the machine's choice:
 *
 *     ROOT/proc/driver/nvidia/capabilities/mig/config, mig/monitor
 *     ROOT/proc/driver/nvidia/capabilities/gpu0/mig/gi7/access, gi7/ci0/access     while the instances exist
 *     ROOT/proc/driver/nvidia-caps/mig-minors                                      all that could exist
 *     ROOT/dev/nvidia-caps/nvidia-cap66                                            empty, for their names */
#pragma once

#include "sim/nvml/state.h"

/* The minor number of the device that grants access: ci_id -1: to the GPU instance. */
unsigned sim_capability_minor(int gpu_index, unsigned gi_id, int ci_id);
/* Makes the files what the state says; nothing where its options name no root. */
int sim_capability_write(const SimState *state, Error *err) MUST_CHECK;
