/* SPDX-License-Identifier: Apache-2.0 */
/* The geometry of MIGBench (dynamia-ai/migbench, September 2026), for comparing with its published figures:
 * an H100-80GB as seven compute slots and, beside them, a sum of memory.
 *
 * No hardware is like that. 3g.40gb@0 beside 1g.10gb@3 is a layout here, and so is 1g.20gb@5 beside
 * 3g.40gb@0: NVML refuses both. So nothing that plans for real GPUs may see this model; it is in no table. */
#pragma once

#include "mig/layout.h"

/* Lives forever. Slots are compute slots, profiles have their memory in memory_mib. */
const MigModelRow *simulate_migbench_model(void);

/* Units of memory of a whole GPU, and of one slice: memory slots, and 10 GB in MIGBench's geometry. */
int simulate_memory_of_model(const MigModel *model);
int simulate_memory_of_profile(const MigModel *model, int profile);
/* Units that the layout's slices leave. */
int simulate_memory_left(const MigLayout *layout);
/* mig_layout_free_starts(), where the memory is enough, too. */
uint32_t simulate_layout_free_starts(const MigLayout *layout, int profile);
