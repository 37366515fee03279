/* SPDX-License-Identifier: Apache-2.0 */
/* NVML's return codes by name, as in nvml.h without NVML_ERROR_: IN_USE; and as nvmlErrorString says them. */
#pragma once

#include "sim/nvml/abi.h"

#include <stdbool.h>

const char *sim_code_name(NvmlReturn code);
bool sim_code_parse(const char *name, NvmlReturn *ret_code); /* also "NVML_ERROR_IN_USE" */
const char *sim_code_text(NvmlReturn code);                  /* "In use by another client" */
