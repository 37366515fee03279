/* SPDX-License-Identifier: Apache-2.0 */
/* The part of NVML's binary interface that facet speaks, for 64-bit Linux: what gpu/nvml.c calls and what
 * the simulated library exports. Layouts, numbers and signatures are those of nvml.h (13.3.29, as published
 * in NVIDIA/go-nvml); the asserts hold every size and the offsets behind padding against it.
 *
 * The prototypes are for their types: __typeof__(nvmlInit_v2) *init = dlsym(library, "nvmlInit_v2").
 * nvml.h renames the plain names to the newest version by macros; here every name is the symbol itself. */
#pragma once

#include <stddef.h>

/* Opaque; all are pointers and may be compared, copied and nothing else. */
typedef struct NvmlDeviceHandle *NvmlDevice;
typedef struct NvmlGpuInstanceHandle *NvmlGpuInstance;
typedef struct NvmlComputeInstanceHandle *NvmlComputeInstance;
typedef struct NvmlEventSetHandle *NvmlEventSet;

typedef enum NvmlReturn {
  NVML_SUCCESS = 0,
  NVML_UNINITIALIZED = 1,
  NVML_INVALID_ARGUMENT = 2,
  NVML_NOT_SUPPORTED = 3,
  NVML_NO_PERMISSION = 4,
  NVML_ALREADY_INITIALIZED = 5,
  NVML_NOT_FOUND = 6,
  NVML_INSUFFICIENT_SIZE = 7,
  NVML_INSUFFICIENT_POWER = 8,
  NVML_DRIVER_NOT_LOADED = 9,
  NVML_TIMEOUT = 10,
  NVML_IRQ_ISSUE = 11,
  NVML_LIBRARY_NOT_FOUND = 12,
  NVML_FUNCTION_NOT_FOUND = 13,
  NVML_CORRUPTED_INFOROM = 14,
  NVML_GPU_IS_LOST = 15,
  NVML_RESET_REQUIRED = 16,
  NVML_OPERATING_SYSTEM = 17,
  NVML_LIB_RM_VERSION_MISMATCH = 18,
  NVML_IN_USE = 19,
  NVML_MEMORY = 20,
  NVML_NO_DATA = 21,
  NVML_VGPU_ECC_NOT_SUPPORTED = 22,
  NVML_INSUFFICIENT_RESOURCES = 23,
  NVML_FREQ_NOT_SUPPORTED = 24,
  NVML_ARGUMENT_VERSION_MISMATCH = 25,
  NVML_DEPRECATED = 26,
  NVML_NOT_READY = 27,
  NVML_GPU_NOT_FOUND = 28,
  NVML_INVALID_STATE = 29,
  NVML_RESET_TYPE_NOT_SUPPORTED = 30,
  NVML_UNKNOWN = 999,
} NvmlReturn;

enum {
  NVML_MIG_DISABLE = 0,
  NVML_MIG_ENABLE = 1,
  NVML_INIT_FLAG_NO_GPUS = 1,
  NVML_INIT_FLAG_NO_ATTACH = 2,
  NVML_GPU_INSTANCE_PROFILE_COUNT = 18,    /* indexes of the newest nvml.h; older drivers know fewer */
  NVML_COMPUTE_INSTANCE_PROFILE_COUNT = 9, /* likewise */
  NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_SHARED = 0,
  NVML_UUID_SIZE = 80,
  NVML_NAME_SIZE = 64,
  NVML_NAME_V2_SIZE = 96,
  NVML_VERSION_SIZE = 80,
  NVML_PCI_BUS_ID_SIZE = 32,
  NVML_PROFILE_CAPABILITY_P2P = 1,
  NVML_PROFILE_CAPABILITY_GFX = 2,
  NVML_EVENT_XID = 0x8,
  NVML_EVENT_MIG_CONFIG_CHANGE = 0x100,
};

/* gpuInstanceId and computeInstanceId of a process that runs on a whole GPU. */
#define NVML_NO_INSTANCE 0xffffffffu

/* The first word of a versioned struct, e.g. 0x02000098 for NvmlGpuInstanceProfileInfoV2. */
#define NVML_STRUCT_VERSION(Type, number) ((unsigned)(sizeof(Type) | ((unsigned)(number) << 24)))

typedef struct NvmlPciInfo {
  char bus_id_legacy[16];
  unsigned domain, bus, device;
  unsigned pci_device_id; /* (device << 16) | vendor */
  unsigned pci_subsystem_id;
  char bus_id[NVML_PCI_BUS_ID_SIZE];
} NvmlPciInfo;

typedef struct NvmlMemory {
  unsigned long long total, free, used; /* bytes */
} NvmlMemory;

typedef struct NvmlMemoryV2 {
  unsigned version; /* number 2 */
  unsigned long long total, reserved, free, used;
} NvmlMemoryV2;

/* As nvmlDeviceGetComputeRunningProcesses_v2 and _v3 fill it. */
typedef struct NvmlProcessInfo {
  unsigned pid;
  unsigned long long used_gpu_memory;
  unsigned gpu_instance_id, compute_instance_id;
} NvmlProcessInfo;

typedef struct NvmlDeviceAttributes {
  unsigned multiprocessor_count;
  unsigned shared_copy_engine_count, shared_decoder_count, shared_encoder_count, shared_jpeg_count,
      shared_ofa_count;
  unsigned gpu_instance_slice_count, compute_instance_slice_count;
  unsigned long long memory_size_mb;
} NvmlDeviceAttributes;

/* In memory slots for GPU instances, in compute slices for compute instances. */
typedef struct NvmlPlacement {
  unsigned start, size;
} NvmlPlacement;

typedef struct NvmlGpuInstanceProfileInfo {
  unsigned id, is_p2p_supported, slice_count, instance_count, multiprocessor_count, copy_engine_count,
      decoder_count, encoder_count, jpeg_count, ofa_count;
  unsigned long long memory_size_mb;
} NvmlGpuInstanceProfileInfo;

typedef struct NvmlGpuInstanceProfileInfoV2 {
  unsigned version; /* number 2 */
  unsigned id, is_p2p_supported, slice_count, instance_count, multiprocessor_count, copy_engine_count,
      decoder_count, encoder_count, jpeg_count, ofa_count;
  unsigned long long memory_size_mb;
  char name[NVML_NAME_V2_SIZE]; /* "MIG 1g.10gb" */
} NvmlGpuInstanceProfileInfoV2;

typedef struct NvmlGpuInstanceProfileInfoV3 {
  unsigned version; /* number 3 */
  unsigned id, slice_count, instance_count, multiprocessor_count, copy_engine_count, decoder_count,
      encoder_count, jpeg_count, ofa_count;
  unsigned long long memory_size_mb;
  char name[NVML_NAME_V2_SIZE];
  unsigned capabilities; /* NVML_PROFILE_CAPABILITY_... */
} NvmlGpuInstanceProfileInfoV3;

typedef struct NvmlGpuInstanceInfo {
  NvmlDevice device;
  unsigned id, profile_id;
  NvmlPlacement placement;
} NvmlGpuInstanceInfo;

typedef struct NvmlComputeInstanceProfileInfo {
  unsigned id, slice_count, instance_count, multiprocessor_count, shared_copy_engine_count,
      shared_decoder_count, shared_encoder_count, shared_jpeg_count, shared_ofa_count;
} NvmlComputeInstanceProfileInfo;

typedef struct NvmlComputeInstanceProfileInfoV2 {
  unsigned version; /* number 2 */
  unsigned id, slice_count, instance_count, multiprocessor_count, shared_copy_engine_count,
      shared_decoder_count, shared_encoder_count, shared_jpeg_count, shared_ofa_count;
  char name[NVML_NAME_V2_SIZE]; /* "MIG 1c.3g.40gb" */
} NvmlComputeInstanceProfileInfoV2;

typedef struct NvmlComputeInstanceProfileInfoV3 {
  unsigned version; /* number 3 */
  unsigned id, slice_count, instance_count, multiprocessor_count, shared_copy_engine_count,
      shared_decoder_count, shared_encoder_count, shared_jpeg_count, shared_ofa_count;
  char name[NVML_NAME_V2_SIZE];
  unsigned capabilities;
} NvmlComputeInstanceProfileInfoV3;

/* As nvmlComputeInstanceGetInfo_v2 fills it. `device` is documented as the parent, seen as the MIG device:
 * ask nvmlDeviceIsMigDeviceHandle. */
typedef struct NvmlComputeInstanceInfo {
  NvmlDevice device;
  NvmlGpuInstance gpu_instance;
  unsigned id, profile_id;
  NvmlPlacement placement;
} NvmlComputeInstanceInfo;

/* As nvmlEventSetWait_v2 fills it. */
typedef struct NvmlEventData {
  NvmlDevice device;
  unsigned long long event_type, event_data;
  unsigned gpu_instance_id, compute_instance_id;
} NvmlEventData;

_Static_assert(sizeof(void *) == 8 && sizeof(NvmlReturn) == 4, "NVML's interface is known for 64-bit only");
_Static_assert(sizeof(NvmlPciInfo) == 68, "nvmlPciInfo_t");
_Static_assert(offsetof(NvmlPciInfo, bus_id) == 36, "nvmlPciInfo_t.busId");
_Static_assert(sizeof(NvmlMemory) == 24, "nvmlMemory_t");
_Static_assert(sizeof(NvmlMemoryV2) == 40, "nvmlMemory_v2_t");
_Static_assert(sizeof(NvmlProcessInfo) == 24, "nvmlProcessInfo_t");
_Static_assert(offsetof(NvmlProcessInfo, gpu_instance_id) == 16, "nvmlProcessInfo_t.gpuInstanceId");
_Static_assert(sizeof(NvmlDeviceAttributes) == 40, "nvmlDeviceAttributes_t");
_Static_assert(offsetof(NvmlDeviceAttributes, memory_size_mb) == 32, "nvmlDeviceAttributes_t.memorySizeMB");
_Static_assert(sizeof(NvmlPlacement) == 8, "nvmlGpuInstancePlacement_t");
_Static_assert(sizeof(NvmlGpuInstanceProfileInfo) == 48, "nvmlGpuInstanceProfileInfo_t");
_Static_assert(offsetof(NvmlGpuInstanceProfileInfo, memory_size_mb) == 40, "nvmlGpuInstanceProfileInfo_t");
_Static_assert(sizeof(NvmlGpuInstanceProfileInfoV2) == 152, "nvmlGpuInstanceProfileInfo_v2_t");
_Static_assert(offsetof(NvmlGpuInstanceProfileInfoV2, memory_size_mb) == 48,
               "nvmlGpuInstanceProfileInfo_v2_t");
_Static_assert(offsetof(NvmlGpuInstanceProfileInfoV2, name) == 56, "nvmlGpuInstanceProfileInfo_v2_t.name");
_Static_assert(sizeof(NvmlGpuInstanceProfileInfoV3) == 152, "nvmlGpuInstanceProfileInfo_v3_t");
_Static_assert(offsetof(NvmlGpuInstanceProfileInfoV3, memory_size_mb) == 40,
               "nvmlGpuInstanceProfileInfo_v3_t");
_Static_assert(offsetof(NvmlGpuInstanceProfileInfoV3, capabilities) == 144,
               "nvmlGpuInstanceProfileInfo_v3_t");
_Static_assert(sizeof(NvmlGpuInstanceInfo) == 24, "nvmlGpuInstanceInfo_t");
_Static_assert(offsetof(NvmlGpuInstanceInfo, placement) == 16, "nvmlGpuInstanceInfo_t.placement");
_Static_assert(sizeof(NvmlComputeInstanceProfileInfo) == 36, "nvmlComputeInstanceProfileInfo_t");
_Static_assert(sizeof(NvmlComputeInstanceProfileInfoV2) == 136, "nvmlComputeInstanceProfileInfo_v2_t");
_Static_assert(offsetof(NvmlComputeInstanceProfileInfoV2, name) == 40, "nvmlComputeInstanceProfileInfo_v2_t");
_Static_assert(sizeof(NvmlComputeInstanceProfileInfoV3) == 140, "nvmlComputeInstanceProfileInfo_v3_t");
_Static_assert(offsetof(NvmlComputeInstanceProfileInfoV3, capabilities) == 136,
               "nvmlComputeInstanceProfileInfo_v3_t");
_Static_assert(sizeof(NvmlComputeInstanceInfo) == 32, "nvmlComputeInstanceInfo_t");
_Static_assert(offsetof(NvmlComputeInstanceInfo, placement) == 24, "nvmlComputeInstanceInfo_t.placement");
_Static_assert(sizeof(NvmlEventData) == 32, "nvmlEventData_t");
_Static_assert(offsetof(NvmlEventData, gpu_instance_id) == 24, "nvmlEventData_t.gpuInstanceId");

/* The simulated library is built with this defined; everybody else never defines these symbols. */
#ifdef NVML_ABI_EXPORT
#pragma GCC visibility push(default)
#endif

/* The library and the machine. */
NvmlReturn nvmlInit(void);
NvmlReturn nvmlInit_v2(void);
NvmlReturn nvmlInitWithFlags(unsigned flags);
NvmlReturn nvmlShutdown(void);
const char *nvmlErrorString(NvmlReturn result);
NvmlReturn nvmlSystemGetDriverVersion(char *version, unsigned length);
NvmlReturn nvmlSystemGetNVMLVersion(char *version, unsigned length);
NvmlReturn nvmlSystemGetCudaDriverVersion(int *version);
NvmlReturn nvmlSystemGetCudaDriverVersion_v2(int *version);
NvmlReturn nvmlDeviceGetCount(unsigned *count);
NvmlReturn nvmlDeviceGetCount_v2(unsigned *count);
NvmlReturn nvmlDeviceGetHandleByIndex(unsigned index, NvmlDevice *device);
NvmlReturn nvmlDeviceGetHandleByIndex_v2(unsigned index, NvmlDevice *device);
NvmlReturn nvmlDeviceGetHandleByUUID(const char *uuid, NvmlDevice *device);
NvmlReturn nvmlDeviceGetHandleByPciBusId(const char *bus_id, NvmlDevice *device);
NvmlReturn nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, NvmlDevice *device);

/* One GPU, some also one MIG device. */
NvmlReturn nvmlDeviceGetName(NvmlDevice device, char *name, unsigned length);
NvmlReturn nvmlDeviceGetUUID(NvmlDevice device, char *uuid, unsigned length);
NvmlReturn nvmlDeviceGetIndex(NvmlDevice device, unsigned *index);
NvmlReturn nvmlDeviceGetMinorNumber(NvmlDevice device, unsigned *minor);
NvmlReturn nvmlDeviceGetPciInfo_v3(NvmlDevice device, NvmlPciInfo *info);
NvmlReturn nvmlDeviceGetMemoryInfo(NvmlDevice device, NvmlMemory *memory);
NvmlReturn nvmlDeviceGetMemoryInfo_v2(NvmlDevice device, NvmlMemoryV2 *memory);
NvmlReturn nvmlDeviceGetMigMode(NvmlDevice device, unsigned *current, unsigned *pending);
NvmlReturn nvmlDeviceSetMigMode(NvmlDevice device, unsigned mode, NvmlReturn *activation_status);
NvmlReturn nvmlDeviceGetComputeRunningProcesses_v2(NvmlDevice device, unsigned *count,
                                                   NvmlProcessInfo *infos);
NvmlReturn nvmlDeviceGetComputeRunningProcesses_v3(NvmlDevice device, unsigned *count,
                                                   NvmlProcessInfo *infos);
NvmlReturn nvmlDeviceGetGraphicsRunningProcesses_v2(NvmlDevice device, unsigned *count,
                                                    NvmlProcessInfo *infos);
NvmlReturn nvmlDeviceGetGraphicsRunningProcesses_v3(NvmlDevice device, unsigned *count,
                                                    NvmlProcessInfo *infos);

/* GPU instances. List buffers have no size argument: they must hold the profile's instance_count. */
NvmlReturn nvmlDeviceGetGpuInstanceProfileInfo(NvmlDevice device, unsigned profile,
                                               NvmlGpuInstanceProfileInfo *info);
/* info: NvmlGpuInstanceProfileInfoV2 or V3, told apart by its version word. */
NvmlReturn nvmlDeviceGetGpuInstanceProfileInfoV(NvmlDevice device, unsigned profile, void *info);
NvmlReturn nvmlDeviceGetGpuInstancePossiblePlacements(NvmlDevice device, unsigned profile_id,
                                                      NvmlPlacement *placements, unsigned *count);
NvmlReturn nvmlDeviceGetGpuInstancePossiblePlacements_v2(NvmlDevice device, unsigned profile_id,
                                                         NvmlPlacement *placements, unsigned *count);
NvmlReturn nvmlDeviceGetGpuInstanceRemainingCapacity(NvmlDevice device, unsigned profile_id, unsigned *count);
NvmlReturn nvmlDeviceCreateGpuInstance(NvmlDevice device, unsigned profile_id, NvmlGpuInstance *instance);
NvmlReturn nvmlDeviceCreateGpuInstanceWithPlacement(NvmlDevice device, unsigned profile_id,
                                                    const NvmlPlacement *placement,
                                                    NvmlGpuInstance *instance);
NvmlReturn nvmlGpuInstanceDestroy(NvmlGpuInstance instance);
NvmlReturn nvmlDeviceGetGpuInstances(NvmlDevice device, unsigned profile_id, NvmlGpuInstance *instances,
                                     unsigned *count);
NvmlReturn nvmlDeviceGetGpuInstanceById(NvmlDevice device, unsigned id, NvmlGpuInstance *instance);
NvmlReturn nvmlGpuInstanceGetInfo(NvmlGpuInstance instance, NvmlGpuInstanceInfo *info);

/* Compute instances. */
NvmlReturn nvmlGpuInstanceGetComputeInstanceProfileInfo(NvmlGpuInstance instance, unsigned profile,
                                                        unsigned engine_profile,
                                                        NvmlComputeInstanceProfileInfo *info);
/* info: NvmlComputeInstanceProfileInfoV2 or V3. */
NvmlReturn nvmlGpuInstanceGetComputeInstanceProfileInfoV(NvmlGpuInstance instance, unsigned profile,
                                                         unsigned engine_profile, void *info);
NvmlReturn nvmlGpuInstanceGetComputeInstancePossiblePlacements(NvmlGpuInstance instance, unsigned profile_id,
                                                               NvmlPlacement *placements, unsigned *count);
NvmlReturn nvmlGpuInstanceGetComputeInstanceRemainingCapacity(NvmlGpuInstance instance, unsigned profile_id,
                                                              unsigned *count);
NvmlReturn nvmlGpuInstanceCreateComputeInstance(NvmlGpuInstance instance, unsigned profile_id,
                                                NvmlComputeInstance *compute);
NvmlReturn nvmlGpuInstanceCreateComputeInstanceWithPlacement(NvmlGpuInstance instance, unsigned profile_id,
                                                             const NvmlPlacement *placement,
                                                             NvmlComputeInstance *compute);
NvmlReturn nvmlComputeInstanceDestroy(NvmlComputeInstance compute);
NvmlReturn nvmlGpuInstanceGetComputeInstances(NvmlGpuInstance instance, unsigned profile_id,
                                              NvmlComputeInstance *computes, unsigned *count);
NvmlReturn nvmlGpuInstanceGetComputeInstanceById(NvmlGpuInstance instance, unsigned id,
                                                 NvmlComputeInstance *compute);
NvmlReturn nvmlComputeInstanceGetInfo_v2(NvmlComputeInstance compute, NvmlComputeInstanceInfo *info);

/* MIG devices: a compute instance seen as a device. Their indexes have holes: NVML_NOT_FOUND. */
NvmlReturn nvmlDeviceGetMaxMigDeviceCount(NvmlDevice device, unsigned *count);
NvmlReturn nvmlDeviceGetMigDeviceHandleByIndex(NvmlDevice device, unsigned index, NvmlDevice *mig_device);
NvmlReturn nvmlDeviceGetDeviceHandleFromMigDeviceHandle(NvmlDevice mig_device, NvmlDevice *device);
NvmlReturn nvmlDeviceIsMigDeviceHandle(NvmlDevice device, unsigned *is_mig_device);
NvmlReturn nvmlDeviceGetGpuInstanceId(NvmlDevice mig_device, unsigned *id);
NvmlReturn nvmlDeviceGetComputeInstanceId(NvmlDevice mig_device, unsigned *id);
NvmlReturn nvmlDeviceGetAttributes_v2(NvmlDevice mig_device, NvmlDeviceAttributes *attributes);

/* Events. */
NvmlReturn nvmlEventSetCreate(NvmlEventSet *set);
NvmlReturn nvmlEventSetFree(NvmlEventSet set);
NvmlReturn nvmlDeviceGetSupportedEventTypes(NvmlDevice device, unsigned long long *types);
NvmlReturn nvmlDeviceRegisterEvents(NvmlDevice device, unsigned long long types, NvmlEventSet set);
NvmlReturn nvmlEventSetWait_v2(NvmlEventSet set, NvmlEventData *data, unsigned timeout_ms);

#ifdef NVML_ABI_EXPORT
#pragma GCC visibility pop
#endif
