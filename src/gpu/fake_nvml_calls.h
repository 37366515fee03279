/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: the functions of the NVML of fake_nvml.h, which includes this. */
#pragma once

static inline NvmlReturn fake_nvmlInit_v2(void) {
  FAKE_CALL();
  fake.starts++;
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlShutdown(void) {
  fake.starts--;
  fake.held_by_session = false;
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlSystemGetDriverVersion(char *version, unsigned length) {
  FAKE_CALL();
  snprintf(version, length, "%s", fake.driver_version);
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlDeviceGetCount_v2(unsigned *count) {
  FAKE_CALL();
  *count = fake.gpu_count;
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlDeviceGetHandleByIndex_v2(unsigned index, NvmlDevice *device) {
  FAKE_CALL();
  if (index >= fake.gpu_count)
    return NVML_INVALID_ARGUMENT;
  *device = (NvmlDevice)&fake.gpus[index];
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlDeviceGetHandleByUUID(const char *uuid, NvmlDevice *device) {
  FAKE_CALL();
  for (unsigned i = 0; i < fake.gpu_count; i++) {
    *device = (NvmlDevice)&fake.gpus[i];
    if (strcmp(fake.gpus[i].uuid, uuid) == 0)
      return NVML_SUCCESS;
  }
  return NVML_NOT_FOUND;
}

static inline NvmlReturn fake_nvmlDeviceGetUUID(NvmlDevice device, char *uuid, unsigned length) {
  FAKE_CALL();
  const FakeCompute *compute = (const FakeCompute *)device;
  if (compute->kind == FAKE_GPU)
    snprintf(uuid, length, "%s", ((const FakeGpu *)device)->uuid);
  else
    snprintf(uuid, length, "MIG-%s/%u/%u", compute->instance->gpu->uuid, compute->instance->id, compute->id);
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlDeviceGetName(NvmlDevice device, char *name, unsigned length) {
  FAKE_CALL();
  snprintf(name, length, "%s", ((const FakeGpu *)device)->product);
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlDeviceGetPciInfo_v3(NvmlDevice device, NvmlPciInfo *info) {
  FAKE_CALL();
  info->pci_device_id = ((const FakeGpu *)device)->pci_device_id;
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlDeviceGetMemoryInfo(NvmlDevice device, NvmlMemory *memory) {
  FAKE_CALL();
  memory->total = ((const FakeGpu *)device)->memory_mib << 20;
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlDeviceGetMinorNumber(NvmlDevice device, unsigned *minor) {
  FAKE_CALL();
  *minor = (unsigned)((const FakeGpu *)device - fake.gpus);
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlDeviceGetMigMode(NvmlDevice device, unsigned *current, unsigned *pending) {
  FAKE_CALL();
  const FakeGpu *gpu = (const FakeGpu *)device;
  if (!gpu->capable)
    return NVML_NOT_SUPPORTED;
  *current = gpu->current;
  *pending = gpu->pending;
  return NVML_SUCCESS;
}

static inline const MigProfile *fake_profile_by_id(const FakeGpu *gpu, unsigned id) {
  for (int i = 0; i < gpu->model.profile_count; i++)
    if (gpu->model.profiles[i].nvml_id == (int)id)
      return &gpu->model.profiles[i];
  return NULL;
}

static inline NvmlReturn fake_find_profile(const FakeGpu *gpu, unsigned index,
                                           const MigProfile **ret_profile) {
  if (index >= NVML_GPU_INSTANCE_PROFILE_COUNT)
    return NVML_INVALID_ARGUMENT;
  if (gpu->silent_when_off && gpu->current == NVML_MIG_DISABLE)
    return NVML_NOT_SUPPORTED;
  for (int i = 0; i < gpu->model.profile_count; i++) {
    *ret_profile = &gpu->model.profiles[i];
    if ((*ret_profile)->nvml_index == (int)index)
      return NVML_SUCCESS;
  }
  return NVML_NOT_SUPPORTED;
}

static inline NvmlReturn fake_nvmlDeviceGetGpuInstanceProfileInfo(NvmlDevice device, unsigned index,
                                                                  NvmlGpuInstanceProfileInfo *info) {
  FAKE_CALL();
  const MigProfile *profile;
  NvmlReturn code = fake_find_profile((const FakeGpu *)device, index, &profile);
  if (code != NVML_SUCCESS)
    return code;
  *info = (NvmlGpuInstanceProfileInfo){.id = (unsigned)profile->nvml_id,
                                       .slice_count = profile->slice_count,
                                       .instance_count = profile->instance_count_max,
                                       .multiprocessor_count = profile->multiprocessors,
                                       .copy_engine_count = profile->copy_engines,
                                       .decoder_count = profile->decoders,
                                       .encoder_count = profile->encoders,
                                       .jpeg_count = profile->jpegs,
                                       .ofa_count = profile->ofas,
                                       .memory_size_mb = profile->memory_mib};
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlDeviceGetGpuInstanceProfileInfoV(NvmlDevice device, unsigned index,
                                                                   void *info) {
  FAKE_CALL();
  NvmlGpuInstanceProfileInfoV2 *v2 = info;
  if (v2->version != 0x02000098)
    return NVML_ARGUMENT_VERSION_MISMATCH;
  const MigProfile *profile;
  NvmlReturn code = fake_find_profile((const FakeGpu *)device, index, &profile);
  if (code != NVML_SUCCESS)
    return code;
  *v2 = (NvmlGpuInstanceProfileInfoV2){.version = v2->version,
                                       .id = (unsigned)profile->nvml_id,
                                       .slice_count = profile->slice_count,
                                       .instance_count = profile->instance_count_max,
                                       .multiprocessor_count = profile->multiprocessors,
                                       .copy_engine_count = profile->copy_engines,
                                       .decoder_count = profile->decoders,
                                       .encoder_count = profile->encoders,
                                       .jpeg_count = profile->jpegs,
                                       .ofa_count = profile->ofas,
                                       .memory_size_mb = profile->memory_mib};
  snprintf(v2->name, sizeof v2->name, "MIG %s", profile->name);
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlDeviceGetGpuInstancePossiblePlacements_v2(NvmlDevice device, unsigned id,
                                                                            NvmlPlacement *placements,
                                                                            unsigned *count) {
  FAKE_CALL();
  const MigProfile *profile = fake_profile_by_id((const FakeGpu *)device, id);
  if (!profile)
    return NVML_INVALID_ARGUMENT;
  *count = 0;
  for (unsigned start = 0; start < MIG_SLOTS_MAX; start++) {
    if (!(profile->starts & UINT32_C(1) << start))
      continue;
    if (placements)
      placements[*count] = (NvmlPlacement){.start = start, .size = profile->size};
    ++*count;
  }
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlDeviceGetGpuInstances(NvmlDevice device, unsigned id,
                                                        NvmlGpuInstance *instances, unsigned *count) {
  FAKE_CALL();
  FakeGpu *gpu = (FakeGpu *)device;
  *count = 0;
  for (int i = 0; i < FAKE_INSTANCES_MAX; i++)
    if (gpu->instances[i].alive && gpu->instances[i].profile->nvml_id == (int)id)
      instances[(*count)++] = (NvmlGpuInstance)&gpu->instances[i];
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlGpuInstanceGetInfo(NvmlGpuInstance handle, NvmlGpuInstanceInfo *info) {
  FAKE_CALL();
  FakeInstance *instance = (FakeInstance *)handle;
  *info = (NvmlGpuInstanceInfo){.device = (NvmlDevice)instance->gpu,
                                .id = instance->id,
                                .profile_id = (unsigned)instance->profile->nvml_id,
                                .placement = {.start = instance->start, .size = instance->profile->size}};
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlDeviceCreateGpuInstanceWithPlacement(NvmlDevice device, unsigned id,
                                                                       const NvmlPlacement *placement,
                                                                       NvmlGpuInstance *ret_instance) {
  FAKE_CALL();
  FakeGpu *gpu = (FakeGpu *)device;
  const MigProfile *profile = fake_profile_by_id(gpu, id);
  if (!profile || !(profile->starts & UINT32_C(1) << placement->start) || placement->size != profile->size)
    return NVML_INVALID_ARGUMENT;
  FakeInstance *place = NULL;
  for (int i = 0; i < FAKE_INSTANCES_MAX; i++) {
    FakeInstance *other = &gpu->instances[i];
    if (!other->alive)
      place = other;
    else if (placement->start < other->start + other->profile->size &&
             other->start < placement->start + placement->size)
      return NVML_INSUFFICIENT_RESOURCES;
  }
  *place = (FakeInstance){
      .alive = true, .gpu = gpu, .id = 7 + placement->start, .profile = profile, .start = placement->start};
  *ret_instance = (NvmlGpuInstance)place;
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlGpuInstanceDestroy(NvmlGpuInstance handle) {
  FAKE_CALL();
  FakeInstance *instance = (FakeInstance *)handle;
  if (fake.held_by_session)
    return NVML_IN_USE;
  for (int i = 0; i < FAKE_COMPUTES_MAX; i++)
    if (instance->computes[i].alive)
      return NVML_IN_USE;
  instance->alive = false;
  return NVML_SUCCESS;
}

/* Index and id are the same here: 1, 2, 3, 4 and 7 slices. */
static inline NvmlReturn
fake_nvmlGpuInstanceGetComputeInstanceProfileInfo(NvmlGpuInstance handle, unsigned index, unsigned engine,
                                                  NvmlComputeInstanceProfileInfo *info) {
  FAKE_CALL();
  static const unsigned slice_counts[] = {1, 2, 3, 4, 7};
  const FakeInstance *instance = (const FakeInstance *)handle;
  if (index >= NVML_COMPUTE_INSTANCE_PROFILE_COUNT)
    return NVML_INVALID_ARGUMENT;
  if (index >= COUNT_OF(slice_counts) || slice_counts[index] > instance->profile->slice_count)
    return NVML_NOT_SUPPORTED;
  *info = (NvmlComputeInstanceProfileInfo){.id = index,
                                           .slice_count = slice_counts[index],
                                           .instance_count =
                                               instance->profile->slice_count / slice_counts[index]};
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlGpuInstanceGetComputeInstances(NvmlGpuInstance handle, unsigned id,
                                                                 NvmlComputeInstance *computes,
                                                                 unsigned *count) {
  FAKE_CALL();
  static const unsigned slice_counts[] = {1, 2, 3, 4, 7};
  FakeInstance *instance = (FakeInstance *)handle;
  *count = 0;
  for (int i = 0; i < FAKE_COMPUTES_MAX; i++)
    if (instance->computes[i].alive && instance->computes[i].slice_count == slice_counts[id])
      computes[(*count)++] = (NvmlComputeInstance)&instance->computes[i];
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlComputeInstanceGetInfo_v2(NvmlComputeInstance handle,
                                                            NvmlComputeInstanceInfo *info) {
  FAKE_CALL();
  const FakeCompute *compute = (const FakeCompute *)handle;
  *info = (NvmlComputeInstanceInfo){.gpu_instance = (NvmlGpuInstance)compute->instance, .id = compute->id};
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlGpuInstanceCreateComputeInstance(NvmlGpuInstance handle, unsigned id,
                                                                   NvmlComputeInstance *ret_compute) {
  FAKE_CALL();
  static const unsigned slice_counts[] = {1, 2, 3, 4, 7};
  FakeInstance *instance = (FakeInstance *)handle;
  unsigned taken = 0;
  int place = 0;
  for (int i = 0; i < FAKE_COMPUTES_MAX; i++) {
    taken += instance->computes[i].alive ? instance->computes[i].slice_count : 0;
    place = instance->computes[place].alive ? i : place;
  }
  if (taken + slice_counts[id] > instance->profile->slice_count)
    return NVML_INSUFFICIENT_RESOURCES;
  instance->computes[place] = (FakeCompute){.kind = FAKE_COMPUTE,
                                            .alive = true,
                                            .instance = instance,
                                            .id = (unsigned)place,
                                            .slice_count = slice_counts[id]};
  *ret_compute = (NvmlComputeInstance)&instance->computes[place];
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlComputeInstanceDestroy(NvmlComputeInstance handle) {
  FAKE_CALL();
  ((FakeCompute *)handle)->alive = false;
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlDeviceGetMaxMigDeviceCount(NvmlDevice device, unsigned *count) {
  FAKE_CALL();
  *count = FAKE_INSTANCES_MAX * FAKE_COMPUTES_MAX;
  return NVML_SUCCESS;
}

/* Nearly all indexes are holes. */
static inline NvmlReturn fake_nvmlDeviceGetMigDeviceHandleByIndex(NvmlDevice device, unsigned index,
                                                                  NvmlDevice *ret_mig_device) {
  FAKE_CALL();
  FakeInstance *instance = &((FakeGpu *)device)->instances[index / FAKE_COMPUTES_MAX];
  FakeCompute *compute = &instance->computes[index % FAKE_COMPUTES_MAX];
  if (!instance->alive || !compute->alive)
    return NVML_NOT_FOUND;
  *ret_mig_device = (NvmlDevice)compute;
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlDeviceGetGpuInstanceId(NvmlDevice mig_device, unsigned *id) {
  FAKE_CALL();
  *id = ((const FakeCompute *)mig_device)->instance->id;
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlDeviceGetComputeInstanceId(NvmlDevice mig_device, unsigned *id) {
  FAKE_CALL();
  *id = ((const FakeCompute *)mig_device)->id;
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_list_processes(NvmlDevice device, int kind, unsigned *count,
                                             NvmlProcessInfo *infos) {
  const FakeGpu *gpu = (const FakeGpu *)device;
  unsigned room = *count;
  *count = 0;
  for (int i = 0; i < FAKE_INSTANCES_MAX; i++) {
    const FakeInstance *instance = &gpu->instances[i];
    for (unsigned k = 0; instance->alive && k < instance->process_counts[kind]; k++, ++*count)
      if (*count < room)
        infos[*count] = (NvmlProcessInfo){.pid = 100 + k, .gpu_instance_id = instance->id};
  }
  return *count > room ? NVML_INSUFFICIENT_SIZE : NVML_SUCCESS;
}

#define FAKE_LIST(function, kind)                                                                            \
  static inline NvmlReturn fake_##function(NvmlDevice device, unsigned *count, NvmlProcessInfo *infos) {     \
    FAKE_CALL();                                                                                             \
    return fake_list_processes(device, kind, count, infos);                                                  \
  }
FAKE_LIST(nvmlDeviceGetComputeRunningProcesses_v2, FAKE_COMPUTE_PROCESSES)
FAKE_LIST(nvmlDeviceGetGraphicsRunningProcesses_v2, FAKE_GRAPHICS_PROCESSES)

static inline NvmlReturn fake_nvmlDeviceSetMigMode(NvmlDevice device, unsigned mode, NvmlReturn *activation) {
  FAKE_CALL();
  FakeGpu *gpu = (FakeGpu *)device;
  gpu->pending = mode;
  *activation = fake_fault("activation");
  if (*activation == NVML_SUCCESS)
    gpu->current = mode;
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlEventSetCreate(NvmlEventSet *set) {
  FAKE_CALL();
  fake.event_sets++;
  *set = (NvmlEventSet)&fake;
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlEventSetFree(NvmlEventSet set) {
  fake.event_sets--;
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlDeviceRegisterEvents(NvmlDevice device, unsigned long long types,
                                                       NvmlEventSet set) {
  FAKE_CALL();
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlEventSetWait_v2(NvmlEventSet set, NvmlEventData *data,
                                                  unsigned timeout_ms) {
  FAKE_CALL();
  if (fake.xid_count == 0) {
    fake.now_ms += timeout_ms;
    return NVML_TIMEOUT;
  }
  *data = fake.xids[--fake.xid_count];
  return NVML_SUCCESS;
}
