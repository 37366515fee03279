/* SPDX-License-Identifier: Apache-2.0 */
/* With the option "event-sets hold", whoever waits for events of a GPU is a client of it: the GPU's instances
 * cannot be destroyed, by him no more than by others, until he frees the set, shuts NVML down or dies. Some
 * drivers and monitors are reported to behave so, and nobody knows which. */
#pragma once

#include "sim/nvml/object.h"

/* A descriptor that holds the GPU until it is closed; -1: none is needed, or none can be had. */
int sim_hold_take(const SimNvml *nvml, const SimState *state, int gpu_index);
bool sim_hold_exists(const SimNvml *nvml, const SimState *state, int gpu_index);
