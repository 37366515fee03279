/* SPDX-License-Identifier: Apache-2.0 */
/* A machine described in a small YAML file; the README shows one with everything that may stand in it. Part
 * of the facet-sim-nvml command: the library itself reads no YAML. */
#pragma once

#include "sim/nvml/fault.h"
#include "sim/nvml/state.h"

enum { SIM_MACHINE_FILE_MAX = 1024 * 1024 };

typedef struct SimMachineFile {
  SimState state;
  char driver[SIM_DRIVER_SIZE]; /* as it stands there; "": nothing */
  SimFaults faults;
} SimMachineFile;

/* Errors name the file and the line. */
int sim_machine_file_load(const char *path, SimMachineFile *ret_file, Error *err) MUST_CHECK;
