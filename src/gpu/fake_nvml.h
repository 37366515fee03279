/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: NVML in a few lines, given to gpu_nvml_open_with(). It knows GPUs with the profiles of a
 * MigModel, keeps their instances, and lets a test decide what goes wrong: a named function fails some times,
 * a function is missing, or the n-th call of all fails. Time passes only by sleeping.
 *
 * Included by one test each; include "base/test.h" before. */
#pragma once

#include "gpu/nvml_private.h"

enum { FAKE_GPUS_MAX = 40, FAKE_INSTANCES_MAX = 16, FAKE_COMPUTES_MAX = 4, FAKE_FAULTS_MAX = 8 };

typedef enum FakeKind { FAKE_GPU, FAKE_COMPUTE } FakeKind;
enum { FAKE_COMPUTE_PROCESSES, FAKE_GRAPHICS_PROCESSES };

/* A compute instance, at the same time its MIG device. */
typedef struct FakeCompute {
  FakeKind kind; /* the first member: what a device handle points to */
  bool alive;
  struct FakeInstance *instance;
  unsigned id, slice_count;
} FakeCompute;

typedef struct FakeInstance {
  bool alive;
  struct FakeGpu *gpu;
  unsigned id;
  const MigProfile *profile;
  unsigned start;
  FakeCompute computes[FAKE_COMPUTES_MAX];
  unsigned process_counts[2];
} FakeInstance;

typedef struct FakeGpu {
  FakeKind kind; /* the first member */
  char uuid[64];
  const char *product;
  unsigned pci_device_id;
  bool capable, silent_when_off; /* Ampere tells no profiles while MIG is off */
  unsigned current, pending;
  uint64_t memory_mib;
  MigModel model;
  FakeInstance instances[FAKE_INSTANCES_MAX];
} FakeGpu;

static struct Fake {
  const char *driver_version;
  FakeGpu gpus[FAKE_GPUS_MAX];
  unsigned gpu_count;
  struct {
    const char *function;
    NvmlReturn code;
    int skip, times; /* lets `skip` calls pass, then fails `times` */
  } faults[FAKE_FAULTS_MAX];
  int fault_count;
  int calls, fail_at; /* the fail_at-th call (from 1) returns UNKNOWN */
  const char *missing[4];
  int starts; /* init minus shutdown */
  uint64_t now_ms;
  int sleeps;
} fake;

static inline NvmlReturn fake_fault(const char *function) {
  if (++fake.calls == fake.fail_at)
    return NVML_UNKNOWN;
  for (int i = 0; i < fake.fault_count; i++) {
    if (strcmp(fake.faults[i].function, function) != 0)
      continue;
    if (fake.faults[i].skip > 0)
      fake.faults[i].skip--;
    else if (fake.faults[i].times-- > 0)
      return fake.faults[i].code;
  }
  return NVML_SUCCESS;
}

/* The first thing in each function below: a failure that the test ordered. */
#define FAKE_CALL()                                                                                          \
  do {                                                                                                       \
    NvmlReturn fault_ = fake_fault(__func__ + sizeof "fake_" - 1);                                           \
    if (fault_ != NVML_SUCCESS)                                                                              \
      return fault_;                                                                                         \
  } while (0)

static inline NvmlReturn fake_nvmlInit_v2(void) {
  FAKE_CALL();
  fake.starts++;
  return NVML_SUCCESS;
}

static inline NvmlReturn fake_nvmlShutdown(void) {
  fake.starts--;
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

static inline void *fake_resolve(void *userdata, const char *name) {
  static const struct {
    const char *name;
    void *address;
  } functions[] = {
#define ROW(member, symbol, since, required) {#symbol, (void *)fake_##symbol},
      GPU_NVML_FUNCTIONS(ROW)
#undef ROW
  };
  for (size_t i = 0; i < COUNT_OF(fake.missing); i++)
    if (fake.missing[i] && strcmp(fake.missing[i], name) == 0)
      return NULL;
  for (size_t i = 0; i < COUNT_OF(functions); i++)
    if (strcmp(functions[i].name, name) == 0)
      return functions[i].address;
  return NULL;
}

static inline uint64_t fake_now_ms(void *userdata) {
  return fake.now_ms;
}

static inline void fake_sleep_ms(void *userdata, uint32_t duration_ms) {
  fake.now_ms += duration_ms;
  fake.sleeps++;
}

/* From here on: what tests call. */

/* A fresh machine with `count` GPUs of a row of the built-in table, MIG on. */
static inline void fake_reset(const char *model_key, unsigned count) {
  const MigModelRow *row = mig_model_find(model_key);
  memset(&fake, 0, sizeof fake);
  fake.driver_version = "550.163.01";
  fake.gpu_count = count;
  for (unsigned i = 0; i < count; i++) {
    FakeGpu *gpu = &fake.gpus[i];
    *gpu = (FakeGpu){.product = row->product_names[0],
                     .pci_device_id = row->pci_ids[0],
                     .capable = true,
                     .current = NVML_MIG_ENABLE,
                     .pending = NVML_MIG_ENABLE,
                     .memory_mib = row->model.memory_mib,
                     .model = row->model};
    snprintf(gpu->uuid, sizeof gpu->uuid, "GPU-%u", i);
  }
}

static inline void fake_fail(const char *function, NvmlReturn code, int skip, int times) {
  assert_true(fake.fault_count < FAKE_FAULTS_MAX);
  fake.faults[fake.fault_count].function = function;
  fake.faults[fake.fault_count].code = code;
  fake.faults[fake.fault_count].skip = skip;
  fake.faults[fake.fault_count++].times = times;
}

static inline GpuNvml *fake_open(void) {
  const GpuNvmlClock clock = {.now_ms = fake_now_ms, .sleep_ms = fake_sleep_ms};
  Error err = {0};
  GpuNvml *nvml = NULL;
  assert_ok(gpu_nvml_open_with(fake_resolve, NULL, &nvml, &err));
  gpu_nvml_set_clock(nvml, &clock);
  return nvml;
}

/* An instance made by somebody else; compute_slices 0 leaves it without a compute instance. */
static inline void fake_add_instance(int gpu, const char *profile_name, unsigned start,
                                     unsigned compute_slices) {
  FakeGpu *owner = &fake.gpus[gpu];
  const MigProfile *profile = &owner->model.profiles[mig_model_find_profile(&owner->model, profile_name)];
  FakeInstance *instance = owner->instances;
  while (instance->alive)
    instance++;
  *instance =
      (FakeInstance){.alive = true, .gpu = owner, .id = 7 + start, .profile = profile, .start = start};
  if (compute_slices)
    instance->computes[0] = (FakeCompute){
        .kind = FAKE_COMPUTE, .alive = true, .instance = instance, .slice_count = compute_slices};
}
