/* SPDX-License-Identifier: Apache-2.0 */
/* What the nvml_*.c files share: the table of NVML's functions and the object that holds them. */
#pragma once

#include "gpu/holder.h"
#include "gpu/nvml.h"
#include "gpu/nvml_abi.h"

/* The one list of functions that facet calls: member of GpuNvmlCalls, exported name, the first driver release
 * that has it, and whether facet can do without (NULL then). It makes the struct and the loader's table. */
#define GPU_NVML_FUNCTIONS(X)                                                                                \
  X(init, nvmlInit_v2, "450.51", true)                                                                       \
  X(shutdown, nvmlShutdown, "450.51", true)                                                                  \
  X(driver_version, nvmlSystemGetDriverVersion, "450.51", true)                                              \
  X(count, nvmlDeviceGetCount_v2, "450.51", true)                                                            \
  X(by_index, nvmlDeviceGetHandleByIndex_v2, "450.51", true)                                                 \
  X(by_uuid, nvmlDeviceGetHandleByUUID, "450.51", true)                                                      \
  X(uuid, nvmlDeviceGetUUID, "450.51", true)                                                                 \
  X(name, nvmlDeviceGetName, "450.51", true)                                                                 \
  X(pci_info, nvmlDeviceGetPciInfo_v3, "450.51", true)                                                       \
  X(memory, nvmlDeviceGetMemoryInfo, "450.51", true)                                                         \
  X(minor, nvmlDeviceGetMinorNumber, "450.51", true)                                                         \
  X(mig_mode, nvmlDeviceGetMigMode, "450.51", true)                                                          \
  X(profile, nvmlDeviceGetGpuInstanceProfileInfo, "450.51", true)                                            \
  X(profile_v, nvmlDeviceGetGpuInstanceProfileInfoV, "510.39.01", false)                                     \
  X(placements, nvmlDeviceGetGpuInstancePossiblePlacements_v2, "470.42.01", true)                            \
  X(instances, nvmlDeviceGetGpuInstances, "450.51", true)                                                    \
  X(instance_info, nvmlGpuInstanceGetInfo, "450.51", true)                                                   \
  X(create_instance, nvmlDeviceCreateGpuInstanceWithPlacement, "460.32.03", true)                            \
  X(destroy_instance, nvmlGpuInstanceDestroy, "450.51", true)                                                \
  X(compute_profile, nvmlGpuInstanceGetComputeInstanceProfileInfo, "450.51", true)                           \
  X(computes, nvmlGpuInstanceGetComputeInstances, "450.51", true)                                            \
  X(compute_info, nvmlComputeInstanceGetInfo_v2, "455.38", true)                                             \
  X(create_compute, nvmlGpuInstanceCreateComputeInstance, "450.51", true)                                    \
  X(destroy_compute, nvmlComputeInstanceDestroy, "450.51", true)                                             \
  X(mig_count_max, nvmlDeviceGetMaxMigDeviceCount, "450.51", true)                                           \
  X(mig_by_index, nvmlDeviceGetMigDeviceHandleByIndex, "450.51", true)                                       \
  X(mig_instance_id, nvmlDeviceGetGpuInstanceId, "450.51", true)                                             \
  X(mig_compute_id, nvmlDeviceGetComputeInstanceId, "450.51", true)                                          \
  X(compute_processes, nvmlDeviceGetComputeRunningProcesses_v2, "450.66", false)                             \
  X(graphics_processes, nvmlDeviceGetGraphicsRunningProcesses_v2, "450.66", false)                           \
  X(set_mig_mode, nvmlDeviceSetMigMode, "450.51", false)                                                     \
  X(event_set_create, nvmlEventSetCreate, "450.51", false)                                                   \
  X(event_set_free, nvmlEventSetFree, "450.51", false)                                                       \
  X(register_events, nvmlDeviceRegisterEvents, "450.51", false)                                              \
  X(event_wait, nvmlEventSetWait_v2, "450.51", false)

typedef struct GpuNvmlCalls {
#define MEMBER(member, symbol, since, required) __typeof__(symbol) *member;
  GPU_NVML_FUNCTIONS(MEMBER)
#undef MEMBER
} GpuNvmlCalls;

enum {
  GPU_PROFILE_INDEXES_MAX = 64, /* profile indexes are asked for below this; nvml.h of R610 has 18 and 9 */
  GPU_COMPUTES_MAX = 64,        /* compute instances of one profile in one GPU instance */
  GPU_PLACEMENTS_MAX = 64,      /* placements of one profile */
  GPU_MIG_DEVICES_MAX = 64,     /* indexes of MIG devices on one GPU */
  GPU_PROCESSES_MAX = 65536,    /* of one kind on one GPU */
  GPU_ANY_SLICE_COUNT = 0,
};

struct GpuNvml {
  void *library; /* of dlopen; NULL where the functions were given */
  GpuNvmlCalls calls;
  GpuNvmlClock clock;
  char driver_version[GPU_DRIVER_VERSION_SIZE];
  NvmlEventSet events; /* NULL: not watched */
  uint32_t events_skip;
  GpuObservation *last; /* of this session, without the GPUs of last_skip; NULL: none that is whole */
  uint32_t last_skip;
  const char *proc;                             /* where the holders of a busy GPU are looked for */
  void (*on_gpu)(void *userdata, uint32_t gpu); /* NULL: nobody wants to know */
  void *on_gpu_userdata;
};

/* nvml_error.c: "<what was tried>: <NVML's words> (NVML code <n>)", with what to do about it. */
int gpu_nvml_fail(Error *err, NvmlReturn code, const char *format, ...) PRINTF_LIKE(3, 4);

/* nvml_load.c: tries `name` with the loader, then in the folders. */
int gpu_nvml_dlopen(const char *name, const char *const *folders, size_t folder_count, void **ret_library,
                    Error *err) MUST_CHECK;

/* nvml_model.c: profiles and placements of one GPU into gpu->model; gpu->product, pci_device_id and mode are
 * set already. */
int gpu_nvml_observe_model(GpuNvml *nvml, NvmlDevice device, GpuObserved *gpu, Error *err) MUST_CHECK;

/* nvml_instance.c: handles and what they stand for. Handles go stale: nothing keeps them across jobs. */
typedef struct GpuMigDevices {
  struct {
    unsigned instance_id, compute_id;
    char uuid[MIG_UUID_SIZE];
  } items[GPU_MIG_DEVICES_MAX];
  int count;
} GpuMigDevices;

int gpu_nvml_list_instances(GpuNvml *nvml, NvmlDevice device, const MigProfile *profile,
                            NvmlGpuInstance ret_instances[MIG_INSTANCES_MAX], unsigned *ret_count,
                            Error *err) MUST_CHECK;
int gpu_nvml_list_mig_devices(GpuNvml *nvml, NvmlDevice device, GpuMigDevices *ret_devices,
                              Error *err) MUST_CHECK;
/* NULL where there is no such MIG device. */
const char *gpu_nvml_find_uuid(const GpuMigDevices *devices, unsigned instance_id, unsigned compute_id);
/* The next compute instance profile at or above *index that spans slice_count slices (or any number); *index
 * moves behind it; NVML_NOT_FOUND after the last one. */
NvmlReturn gpu_nvml_next_compute_profile(GpuNvml *nvml, NvmlGpuInstance instance, unsigned slice_count,
                                         unsigned *index, NvmlComputeInstanceProfileInfo *ret_info);
/* The compute instance over the whole GPU instance, ret_found false where there is none. */
int gpu_nvml_find_full_compute(GpuNvml *nvml, NvmlGpuInstance instance, unsigned slice_count, bool *ret_found,
                               unsigned *ret_compute_id, Error *err) MUST_CHECK;

/* Of all sizes. */
int gpu_nvml_count_computes(GpuNvml *nvml, NvmlGpuInstance instance, unsigned *ret_count,
                            Error *err) MUST_CHECK;

/* nvml_process.c: adds to the process_count of each instance. */
int gpu_nvml_count_processes(GpuNvml *nvml, NvmlDevice device, GpuObserved *gpu, Error *err) MUST_CHECK;

/* Who runs on one GPU instance (id), or on the GPU (-1): process ids, as many as fit. */
size_t gpu_nvml_list_pids(GpuNvml *nvml, NvmlDevice device, int instance_id,
                          uint32_t ret_pids[GPU_HOLDER_PIDS_MAX]);

/* nvml_observe.c: uuid, product, PCI id and MIG mode of one GPU; ret_active: MIG instances can exist now. */
int gpu_nvml_observe_identity(GpuNvml *nvml, NvmlDevice device, GpuObserved *gpu, bool *ret_active,
                              Error *err) MUST_CHECK;
/* Everything about all GPUs. Fails only where not even their number can be had. */
int gpu_nvml_observe(GpuNvml *nvml, uint32_t skip, GpuObservation *ret_observation, Error *err) MUST_CHECK;
/* The GPU anew, the others as they were at this session's last look. False where there is none, or where
 * anything is unusual: then look at everything. */
bool gpu_nvml_observe_again(GpuNvml *nvml, uint32_t skip, const char *uuid, GpuObservation *ret_observation);
/* nvml_run.c */
void gpu_nvml_tell_gpu(GpuNvml *nvml, uint32_t gpu);

/* nvml_mode.c */
int gpu_nvml_enable_mig(GpuNvml *nvml, const GpuJob *job, Error *err) MUST_CHECK;

/* nvml_watch.c */
int gpu_nvml_watch(GpuNvml *nvml, const GpuJob *job, GpuResult *result, Error *err) MUST_CHECK;
void gpu_nvml_end_watch(GpuNvml *nvml);

/* nvml_change.c */
int gpu_nvml_create(GpuNvml *nvml, const GpuJob *job, char ret_uuid[MIG_UUID_SIZE], Error *err) MUST_CHECK;
int gpu_nvml_destroy(GpuNvml *nvml, const GpuJob *job, Error *err) MUST_CHECK;
