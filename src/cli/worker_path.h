/* SPDX-License-Identifier: Apache-2.0 */
/* Where the NVML worker is: its own small executable, beside this one or in libexec. It brings neither
 * libcurl nor OpenSSL, which keeps agent and worker together below 16 MB. */
#pragma once

#include <stddef.h>

/* NULL where it is not installed: this executable does it itself then. The buffer is the caller's. */
const char *cli_worker_path(char *buffer, size_t size);
