/* SPDX-License-Identifier: Apache-2.0 */
/* The only source in which the libraries of the drivers differ; what else differs is what the linker exports.
 */
#include "sim/nvml/functions.h"

const int sim_library_branch = SIM_LIBRARY_BRANCH;
