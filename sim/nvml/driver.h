/* SPDX-License-Identifier: Apache-2.0 */
/* Driver versions, "550.163.01": which there are, which library goes with one, and what each can do. */
#pragma once

#include "sim/nvml/state.h"

/* "470" -> the release of that branch whose library there is; "535.129.03" -> itself. ERROR_INVALID for what
 * is no version, ERROR_UNSUPPORTED for those from before MIG. */
int sim_driver_parse(const char *text, char ret_driver[SIM_DRIVER_SIZE], Error *err) MUST_CHECK;
/* The newest release of functions.txt that is not newer than this version's branch. */
int sim_driver_library_branch(const char *driver);
/* False for versions below number.part, such as 525.53. */
bool sim_driver_is_at_least(const char *driver, int number, int part);

/* Where nobody asks for a version: the usual one, or the first that knows all of the machine's GPUs. */
void sim_driver_choose(const SimState *machine, char ret_driver[SIM_DRIVER_SIZE]);
/* ERROR_UNSUPPORTED where a GPU of the machine needs a newer driver. */
int sim_driver_check(const SimState *machine, const char *driver, Error *err) MUST_CHECK;

/* How many profile indexes the driver's nvml.h has; from there on they are invalid. */
unsigned sim_driver_gi_profile_count(const char *driver);
unsigned sim_driver_ci_profile_count(const char *driver);
/* 12040 for CUDA 12.4. */
int sim_driver_cuda_version(const char *driver);
