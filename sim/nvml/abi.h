/* SPDX-License-Identifier: Apache-2.0 */
/* The part of NVML's binary interface that other people's programs use and facet does not, beside
 * gpu/nvml_abi.h and by its rules: nvml.h 13.3.29, and for what older programs call also the structs from
 * before. */
#pragma once

#include "gpu/nvml_abi.h"

#include <stdint.h>

enum {
  NVML_BRAND_NVIDIA = 14,
  NVML_ARCHITECTURE_AMPERE = 7,
  NVML_ARCHITECTURE_HOPPER = 9,
  NVML_ARCHITECTURE_BLACKWELL = 10,
  NVML_FIELD_RESETLESS_MIG = 184,        /* NVML_FI_DEV_IS_RESETLESS_MIG_SUPPORTED */
  NVML_FIELD_MODE_INDEPENDENT_MIG = 199, /* NVML_FI_DEV_IS_MIG_MODE_INDEPENDENT_MIG_QUERY_CAPABLE */
  NVML_VALUE_UNSIGNED_INT = 1,
  NVML_UUID_ASCII = 1,
  NVML_UUID_BINARY = 2,
};

/* As nvmlDeviceGetPciInfo_v2 fills it. */
typedef struct NvmlPciInfoV2 {
  char bus_id[16];
  unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
  unsigned reserved[4];
} NvmlPciInfoV2;

typedef struct NvmlPciInfoExt {
  unsigned version; /* number 1 */
  unsigned domain, bus, device, pci_device_id, pci_subsystem_id, base_class, sub_class;
  char bus_id[32];
} NvmlPciInfoExt;

/* As the functions without a version fill it. */
typedef struct NvmlProcessInfoV1 {
  unsigned pid;
  unsigned long long used_gpu_memory;
} NvmlProcessInfoV1;

typedef struct NvmlBar1Memory {
  unsigned long long total, free, used; /* bytes */
} NvmlBar1Memory;

typedef struct NvmlAddressingMode {
  unsigned version;
  unsigned value; /* 0: no memory is shared with the host's processes */
} NvmlAddressingMode;

typedef struct NvmlUtilization {
  unsigned gpu, memory; /* percent */
} NvmlUtilization;

typedef struct NvmlFieldValue {
  unsigned field_id, scope_id;
  long long timestamp, latency_us;
  int value_type;
  NvmlReturn result;
  unsigned long long value;
} NvmlFieldValue;

typedef struct NvmlUuid {
  unsigned version, type; /* number 1; NVML_UUID_... */
  char value[44];         /* 41 characters or 16 bytes */
} NvmlUuid;

_Static_assert(sizeof(NvmlPciInfoV2) == 52, "nvmlPciInfo_v2_t");
_Static_assert(sizeof(NvmlPciInfoExt) == 64, "nvmlPciInfoExt_v1_t");
_Static_assert(sizeof(NvmlProcessInfoV1) == 16, "nvmlProcessInfo_v1_t");
_Static_assert(sizeof(NvmlFieldValue) == 40, "nvmlFieldValue_t");
_Static_assert(offsetof(NvmlFieldValue, value) == 32, "nvmlFieldValue_t.value");
_Static_assert(sizeof(NvmlUuid) == 0x34, "nvmlUUID_t");

#ifdef NVML_ABI_EXPORT
#pragma GCC visibility push(default)
#endif

NvmlReturn nvmlSystemGetProcessName(unsigned pid, char *name, unsigned length);
NvmlReturn nvmlDeviceGetHandleByUUIDV(const NvmlUuid *uuid, NvmlDevice *device);
NvmlReturn nvmlGetExcludedDeviceCount(unsigned *count);
NvmlReturn nvmlGetBlacklistDeviceCount(unsigned *count);
NvmlReturn nvmlUnitGetCount(unsigned *count);
/* Undocumented: the table of functions behind a GUID. */
NvmlReturn nvmlInternalGetExportTable(const void **table, const void *guid);

NvmlReturn nvmlDeviceGetPciInfo(NvmlDevice device, NvmlPciInfoV2 *info);
NvmlReturn nvmlDeviceGetPciInfo_v2(NvmlDevice device, NvmlPciInfoV2 *info);
NvmlReturn nvmlDeviceGetPciInfoExt(NvmlDevice device, NvmlPciInfoExt *info);
NvmlReturn nvmlDeviceGetComputeRunningProcesses(NvmlDevice device, unsigned *count, NvmlProcessInfoV1 *infos);
NvmlReturn nvmlDeviceGetGraphicsRunningProcesses(NvmlDevice device, unsigned *count,
                                                 NvmlProcessInfoV1 *infos);
NvmlReturn nvmlDeviceGetMPSComputeRunningProcesses(NvmlDevice device, unsigned *count,
                                                   NvmlProcessInfoV1 *infos);
NvmlReturn nvmlDeviceGetMPSComputeRunningProcesses_v2(NvmlDevice device, unsigned *count,
                                                      NvmlProcessInfo *infos);
NvmlReturn nvmlDeviceGetMPSComputeRunningProcesses_v3(NvmlDevice device, unsigned *count,
                                                      NvmlProcessInfo *infos);
NvmlReturn nvmlDeviceGetGpuInstanceProfileInfoByIdV(NvmlDevice device, unsigned profile_id, void *info);
NvmlReturn nvmlComputeInstanceGetInfo(NvmlComputeInstance compute, void *info);
NvmlReturn nvmlEventSetWait(NvmlEventSet set, void *data, unsigned timeout_ms);

NvmlReturn nvmlDeviceGetBrand(NvmlDevice device, int *brand);
NvmlReturn nvmlDeviceGetArchitecture(NvmlDevice device, unsigned *architecture);
NvmlReturn nvmlDeviceGetCudaComputeCapability(NvmlDevice device, int *major, int *minor);
NvmlReturn nvmlDeviceGetBAR1MemoryInfo(NvmlDevice device, NvmlBar1Memory *memory);
NvmlReturn nvmlDeviceGetUtilizationRates(NvmlDevice device, NvmlUtilization *utilization);
NvmlReturn nvmlDeviceGetFieldValues(NvmlDevice device, int count, NvmlFieldValue *values);
NvmlReturn nvmlDeviceGetMemoryErrorCounter(NvmlDevice device, int error, int counter, int location,
                                           unsigned long long *count);
NvmlReturn nvmlDeviceGetTotalEccErrors(NvmlDevice device, int error, int counter, unsigned long long *count);
NvmlReturn nvmlDeviceGetEccMode(NvmlDevice device, int *current, int *pending);
NvmlReturn nvmlDeviceGetPersistenceMode(NvmlDevice device, int *mode);
NvmlReturn nvmlDeviceGetAddressingMode(NvmlDevice device, NvmlAddressingMode *mode);
NvmlReturn nvmlDeviceGetComputeMode(NvmlDevice device, int *mode);
NvmlReturn nvmlDeviceSetComputeMode(NvmlDevice device, int mode);
NvmlReturn nvmlDeviceGetDisplayMode(NvmlDevice device, int *display);
NvmlReturn nvmlDeviceGetDisplayActive(NvmlDevice device, int *active);
NvmlReturn nvmlDeviceGetVirtualizationMode(NvmlDevice device, int *mode);
NvmlReturn nvmlDeviceGetMultiGpuBoard(NvmlDevice device, unsigned *multi_gpu);
NvmlReturn nvmlDeviceGetPerformanceState(NvmlDevice device, int *state);
NvmlReturn nvmlDeviceGetTemperature(NvmlDevice device, int sensor, unsigned *temperature);

#ifdef NVML_ABI_EXPORT
#pragma GCC visibility pop
#endif
