/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds a slice or a GPU that the driver calls "in use": the driver names some processes, the others are
 * found in /proc by the device nodes that they have open. Our own worker is none of them. Needs the host's
 * /proc (hostPID) to see processes of other containers. */
#pragma once

#include "base/error.h"

#include <stdint.h>

enum { GPU_HOLDER_PIDS_MAX = 32, GPU_HOLDER_TEXT_SIZE = 320 };

typedef struct GpuHolderQuery {
  const char *proc;     /* "/proc" */
  int minor;            /* of the GPU's node /dev/nvidia<minor>; -1: unknown */
  int instance_id;      /* of the GPU instance; -1: the GPU as a whole */
  const uint32_t *pids; /* that the driver names */
  size_t pid_count;
} GpuHolderQuery;

/* `held by process 4711 "python3 train.py" of pod train-0 (container 3f2a1b0c9d8e): end it, or wait until it
 * ends`, or "" where nobody is found. */
void gpu_holder_describe(const GpuHolderQuery *query, char *ret_text, size_t size);
