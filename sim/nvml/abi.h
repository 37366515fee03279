/* SPDX-License-Identifier: Apache-2.0 */
/* The part of NVML's binary interface that other people's programs use and facet does not, beside
 * gpu/nvml_abi.h and by its rules: nvml.h 13.3.29, and its older releases for what they replaced. */
#pragma once

#include "gpu/nvml_abi.h"

#ifdef NVML_ABI_EXPORT
#pragma GCC visibility push(default)
#endif

/* Undocumented: the table of functions behind a GUID. */
NvmlReturn nvmlInternalGetExportTable(const void **table, const void *guid);

#ifdef NVML_ABI_EXPORT
#pragma GCC visibility pop
#endif
