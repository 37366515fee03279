/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what: nvml.h lets only root, or who has the MIG config capability, list and change instances. */
#pragma once

#include <stdbool.h>

/* Whether this function of NVML is for the privileged. */
bool sim_permission_is_needed(const char *function);
