/* SPDX-License-Identifier: Apache-2.0 */
/* NVML's opaque handles. They point at nothing: a handle is a number that names a place and the serial of
 * what was created there, so that one from before a destroy, from another process or from thin air is
 * recognized instead of followed. */
#pragma once

#include "sim/nvml/abi.h"
#include "sim/nvml/state.h"

typedef enum SimHandleKind {
  SIM_HANDLE_GPU = 1,
  SIM_HANDLE_GI,
  SIM_HANDLE_CI,
  SIM_HANDLE_MIG, /* a compute instance seen as a device */
  SIM_HANDLE_EVENTS,
} SimHandleKind;

/* What a handle names, within one SimState. */
typedef struct SimPlace {
  SimHandleKind kind;
  int gpu_index;
  SimGpu *gpu;
  SimGi *gi; /* GI, CI, MIG */
  SimCi *ci; /* CI, MIG */
} SimPlace;

NvmlDevice sim_handle_gpu(int gpu_index);
NvmlGpuInstance sim_handle_gi(int gpu_index, const SimGpu *gpu, const SimGi *gi);
NvmlComputeInstance sim_handle_ci(int gpu_index, const SimGpu *gpu, const SimGi *gi, const SimCi *ci);
NvmlDevice sim_handle_mig(int gpu_index, const SimGpu *gpu, const SimGi *gi, const SimCi *ci);
NvmlEventSet sim_handle_events(int slot);

/* INVALID_ARGUMENT where it is no handle of these kinds (bits 1 << SIM_HANDLE_...) or names what is gone;
 * GPU_IS_LOST where its GPU is. */
NvmlReturn sim_handle_resolve(SimState *state, const void *handle, unsigned kinds, SimPlace *ret_place);
/* The GPU that a handle is about, whether or not it exists; -1 for event sets and what is no handle. */
int sim_handle_gpu_index(const void *handle);
/* " gpu 0 gi 7", whether or not it exists; "" for what is no handle of a GPU. */
void sim_handle_format(const void *handle, char ret_text[64]);
/* The slot of an event set, or -1. */
int sim_handle_event_slot(NvmlEventSet set);
