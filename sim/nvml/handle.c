/* SPDX-License-Identifier: Apache-2.0 */
/* The 64 bits of a handle:
 *
 *     63      56 55   48 47  40 39  32 31                    0
 *     [ 0x50+kind ][ gpu ][ gi ][ ci ][ serial of gi or ci   ]
 *
 * gi and ci are NVML's ids. The top byte makes the number an address that no process has mapped. */
#include "sim/nvml/handle.h"

#include "sim/nvml/instance.h"

enum { KIND_BASE = 0x50 };

static void *encode(SimHandleKind kind, unsigned gpu, unsigned gi, unsigned ci, uint32_t serial) {
  uint64_t bits = (uint64_t)(KIND_BASE + kind) << 56 | (uint64_t)gpu << 48 | (uint64_t)gi << 40 |
                  (uint64_t)ci << 32 | serial;
  return (void *)(uintptr_t)bits;
}

static unsigned byte_of(const void *handle, int shift) {
  return (unsigned)((uintptr_t)handle >> shift & 0xff);
}

static unsigned id_of(const SimGpu *gpu, const SimGi *gi) {
  return sim_gi_id(sim_gpu_model(gpu), gi->profile, gi->start);
}

NvmlDevice sim_handle_gpu(int gpu_index) {
  return encode(SIM_HANDLE_GPU, (unsigned)gpu_index, 0, 0, 0);
}

NvmlGpuInstance sim_handle_gi(int gpu_index, const SimGpu *gpu, const SimGi *gi) {
  return encode(SIM_HANDLE_GI, (unsigned)gpu_index, id_of(gpu, gi), 0, gi->serial);
}

NvmlComputeInstance sim_handle_ci(int gpu_index, const SimGpu *gpu, const SimGi *gi, const SimCi *ci) {
  return encode(SIM_HANDLE_CI, (unsigned)gpu_index, id_of(gpu, gi), ci->id, ci->serial);
}

NvmlDevice sim_handle_mig(int gpu_index, const SimGpu *gpu, const SimGi *gi, const SimCi *ci) {
  return encode(SIM_HANDLE_MIG, (unsigned)gpu_index, id_of(gpu, gi), ci->id, ci->serial);
}

NvmlEventSet sim_handle_events(int slot) {
  return encode(SIM_HANDLE_EVENTS, (unsigned)slot, 0, 0, 0);
}

static bool is_fresh(const SimState *state, uint32_t serial_there, uint32_t serial) {
  return state->options.alias_handles || serial_there == serial;
}

NvmlReturn sim_handle_resolve(SimState *state, const void *handle, unsigned kinds, SimPlace *ret_place) {
  unsigned kind = byte_of(handle, 56) - KIND_BASE;
  unsigned gpu_index = byte_of(handle, 48);
  uint32_t serial = (uint32_t)(uintptr_t)handle;
  if (kind < SIM_HANDLE_GPU || kind > SIM_HANDLE_MIG || !(kinds >> kind & 1) || gpu_index >= state->gpu_count)
    return NVML_INVALID_ARGUMENT;
  SimPlace place = {.kind = (SimHandleKind)kind, .gpu_index = (int)gpu_index, .gpu = &state->gpus[gpu_index]};
  if (place.gpu->lost)
    return NVML_GPU_IS_LOST;
  if (kind != SIM_HANDLE_GPU) {
    place.gi = sim_gi_find(place.gpu, byte_of(handle, 40));
    if (!place.gi || (kind == SIM_HANDLE_GI && !is_fresh(state, place.gi->serial, serial)))
      return NVML_INVALID_ARGUMENT;
  }
  if (kind == SIM_HANDLE_CI || kind == SIM_HANDLE_MIG) {
    place.ci = sim_ci_find(place.gi, byte_of(handle, 32));
    if (!place.ci || !is_fresh(state, place.ci->serial, serial))
      return NVML_INVALID_ARGUMENT;
  }
  *ret_place = place;
  return NVML_SUCCESS;
}

int sim_handle_gpu_index(const void *handle) {
  unsigned kind = byte_of(handle, 56) - KIND_BASE;
  return kind >= SIM_HANDLE_GPU && kind <= SIM_HANDLE_MIG ? (int)byte_of(handle, 48) : -1;
}

void sim_handle_format(const void *handle, char ret_text[64]) {
  unsigned kind = byte_of(handle, 56) - KIND_BASE;
  int used = 0;
  ret_text[0] = '\0';
  if (kind < SIM_HANDLE_GPU || kind > SIM_HANDLE_MIG)
    return;
  used += snprintf(ret_text, 64, " gpu %u", byte_of(handle, 48));
  if (kind != SIM_HANDLE_GPU)
    used += snprintf(ret_text + used, 64 - (size_t)used, " gi %u", byte_of(handle, 40));
  if (kind == SIM_HANDLE_CI || kind == SIM_HANDLE_MIG)
    snprintf(ret_text + used, 64 - (size_t)used, " ci %u%s", byte_of(handle, 32),
             kind == SIM_HANDLE_MIG ? " (MIG device)" : "");
}

int sim_handle_event_slot(NvmlEventSet set) {
  return byte_of(set, 56) == KIND_BASE + SIM_HANDLE_EVENTS ? (int)byte_of(set, 48) : -1;
}
