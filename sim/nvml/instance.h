/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of GPU instances and compute instances on one simulated GPU: what may be created where, what the
 * driver itself would choose, and which ids the results get. Pure; answers are NVML's return codes. */
#pragma once

#include "sim/nvml/abi.h"
#include "sim/nvml/state.h"

/* A row of the compute instance profiles: all GPU instances of `gi_slices` have it. */
typedef struct SimComputeProfile {
  uint8_t gi_slices;
  uint8_t slices;
  uint8_t index;  /* NVML_COMPUTE_INSTANCE_PROFILE_*, and also the profile id */
  uint8_t starts; /* bit k: may start at slice k; as many may exist as there are starts */
} SimComputeProfile;

const MigModel *sim_gpu_model(const SimGpu *gpu);
/* The table has no second product id for every second name; the last id then stands for the rest. */
uint32_t sim_gpu_pci_device_id(const SimGpu *gpu);
/* The bus that the GPU with this index sits on, alone. */
unsigned sim_gpu_pci_bus(int gpu_index);
MigLayout sim_gpu_layout(const SimGpu *gpu);
/* As many MIG devices as the largest profile has compute slices. */
unsigned sim_gpu_mig_device_max(const SimGpu *gpu);

/* Index in the model's profiles by NVML's numbers, -1 where the model has none. */
int sim_profile_find_id(const MigModel *model, unsigned nvml_id);
int sim_profile_find_index(const MigModel *model, unsigned nvml_index);

/* The number of the partition in the driver's tree: 0 the whole GPU, 1-2 halves, 3-6 quarters, 7-14 eighths
 * (open-gpu-kernel-modules, "swizz id"; drivers from R460 on). */
unsigned sim_gi_id(const MigModel *model, int profile, int start);
const MigProfile *sim_gi_profile(const SimGpu *gpu, const SimGi *gi);
SimGi *sim_gi_find(SimGpu *gpu, unsigned id);
/* start -1: where the driver would put it. INVALID_ARGUMENT for a start the profile does not have,
 * INSUFFICIENT_RESOURCES where it does not fit. */
NvmlReturn sim_gi_choose(const SimGpu *gpu, int profile, int start, int *ret_start);
/* Asserts that sim_gi_choose agreed. */
SimGi *sim_gi_add(SimGpu *gpu, int profile, int start, uint32_t serial);
void sim_gi_remove(SimGpu *gpu, SimGi *gi); /* asserted to hold no compute instance */
/* How many more of the profile the driver could create now, one after the other. */
unsigned sim_gi_remaining(const SimGpu *gpu, int profile);

/* The compute profile with this index (= id) of GPU instances with so many slices, or NULL. */
const SimComputeProfile *sim_ci_profile_find(int gi_slices, unsigned index);
/* Likewise by its slices. */
const SimComputeProfile *sim_ci_profile_of(int gi_slices, int slices);
unsigned sim_ci_multiprocessors(const SimGpu *gpu, const SimGi *gi, int slices);
SimCi *sim_ci_find(SimGi *gi, unsigned id);
uint32_t sim_ci_mask(int start, int slices);
/* As sim_gi_choose. */
NvmlReturn sim_ci_choose(const SimGi *gi, const SimComputeProfile *profile, int start, int *ret_start);
SimCi *sim_ci_add(SimGpu *gpu, SimGi *gi, const SimComputeProfile *profile, int start, uint32_t serial);
void sim_ci_remove(SimGi *gi, SimCi *ci);
unsigned sim_ci_remaining(const SimGi *gi, const SimComputeProfile *profile);

/* UUIDs follow from the machine's seed and the place, so a re-created slice has its old UUID again, as with
 * NVIDIA's driver. Buffers of NVML_UUID_SIZE. */
void sim_uuid_gpu(const SimState *state, int gpu_index, char *ret_uuid);
void sim_uuid_mig(const SimState *state, int gpu_index, const SimGi *gi, const SimCi *ci, char *ret_uuid);
/* "NVIDIA A100-SXM4-80GB MIG 1c.3g.40gb"; the profile alone ("MIG 1c.3g.40gb") where product is NULL.
 * ret_name holds NVML_NAME_V2_SIZE. */
void sim_name_mig(const char *product, const MigProfile *profile, int ci_slices, char *ret_name);
