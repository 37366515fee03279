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
  int starts;           /* init minus shutdown */
  bool held_by_session; /* instances cannot go until the session that looked at them ends */
  uint64_t now_ms;
  NvmlEventData xids[4];
  int xid_count, event_sets;
  const char *proc; /* NULL: there is none */
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

#include "gpu/fake_nvml_calls.h"

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
  nvml->proc = fake.proc ? fake.proc : "/nonexistent";
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
