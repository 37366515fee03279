/* SPDX-License-Identifier: Apache-2.0 */
/* Creating and destroying one MIG slice: a GPU instance and the compute instance over the whole of it.
 *
 *                     .-- exists, complete ------------------------------------> done
 *     look at place --+-- exists without compute instance -----> create it ---> done
 *                     '-- nothing --> create GPU instance ----------'  |
 *                                            ^-- taken back if that fails
 *
 * Looking first makes the job idempotent: the driver never says "already exists", only that resources are
 * insufficient, and an agent killed in the middle leaves a GPU instance without its compute instance.
 *
 * Right after another change, or after a process ended, the driver answers "in use" or "not ready" for a
 * moment. Calls that change something are tried again with growing pauses until the job's time is up. */
#include "gpu/nvml_private.h"

#include <string.h>

enum {
  PAUSE_MIN_MS = 10,
  PAUSE_MAX_MS = 1000,
  PATIENCE_MS = 10000,         /* for one job, all its calls together */
  OWN_SESSION_MS = 3000,       /* of that, before our own session is suspected */
  ROLLBACK_PATIENCE_MS = 5000, /* on top, to take back half of a slice */
};

/* One job under way. */
typedef struct Change {
  GpuNvml *nvml;
  const GpuJob *job;
  NvmlDevice device;
  GpuObserved gpu; /* identity and model; no instances */
  const MigProfile *profile;
  uint64_t give_up_ms;
  uint32_t pause_ms;
  int instance_id; /* of the GPU instance at hand; -1: there is none yet */
  bool is_in_use;  /* the job failed because somebody holds it */
} Change;

static void be_patient(Change *change, uint32_t patience_ms) {
  change->give_up_ms = change->nvml->clock.now_ms(change->nvml->clock.userdata) + patience_ms;
  change->pause_ms = PAUSE_MIN_MS;
}

/* True where a call that failed for a passing reason is worth another try; the pause is over then. */
static bool try_again(Change *change, bool passing) {
  const GpuNvmlClock *clock = &change->nvml->clock;
  if (!passing || clock->now_ms(clock->userdata) + change->pause_ms > change->give_up_ms)
    return false;
  clock->sleep_ms(clock->userdata, change->pause_ms);
  change->pause_ms = change->pause_ms < PAUSE_MAX_MS / 2 ? change->pause_ms * 2 : PAUSE_MAX_MS;
  return true;
}

static bool is_passing(NvmlReturn code) {
  return code == NVML_IN_USE || code == NVML_NOT_READY;
}

/* A call that changes something failed for good. */
static int fail(Change *change, NvmlReturn code, const char *what, Error *err) {
  change->is_in_use = code == NVML_IN_USE;
  return gpu_nvml_fail(err, code, "%s", what);
}

static int check_place(const Change *change, Error *err) {
  const GpuJob *job = change->job;
  const MigProfile *profile = change->profile;
  if (job->start < MIG_SLOTS_MAX && (profile->starts & UINT32_C(1) << job->start) &&
      job->size == profile->size)
    return 0;
  return error_set(err, ERROR_INVALID, "%s cannot take %d slots at slot %d of a %s", profile->name, job->size,
                   job->start, change->gpu.product);
}

/* The GPU is found by its UUID, so that a plan for a GPU that was exchanged never cuts another one. */
static int begin(Change *change, GpuNvml *nvml, const GpuJob *job, uint32_t patience_ms, Error *err) {
  *change = (Change){.nvml = nvml, .job = job, .instance_id = -1};
  be_patient(change, patience_ms);
  NvmlReturn code = nvml->calls.by_uuid(job->uuid, &change->device);
  if (code != NVML_SUCCESS)
    return gpu_nvml_fail(err, code, "finding the GPU on this node");
  bool active;
  int r = gpu_nvml_observe_identity(nvml, change->device, &change->gpu, &active, err);
  if (r < 0)
    return r;
  if (!change->gpu.mig_capable)
    return error_set(err, ERROR_UNSUPPORTED, "%s has no MIG", change->gpu.product);
  if (!active)
    return error_set(err, ERROR_UNSUPPORTED, "MIG mode is %s",
                     change->gpu.mode == MIG_MODE_PENDING ? "not active before the GPU is reset" : "off");
  r = gpu_nvml_observe_model(nvml, change->device, &change->gpu, err);
  if (r < 0)
    return r;
  change->profile = mig_model_find_nvml_id(&change->gpu.model, job->nvml_id);
  if (!change->profile)
    return error_set(err, ERROR_NOT_FOUND, "%s has no MIG profile with id %d", change->gpu.product,
                     job->nvml_id);
  return check_place(change, err);
}

/* The instance of the job's profile at the job's place, whatever state it is in. */
static int find_instance(Change *change, bool *ret_found, NvmlGpuInstance *ret_instance, Error *err) {
  NvmlGpuInstance instances[MIG_INSTANCES_MAX];
  unsigned count = 0;
  int r = gpu_nvml_list_instances(change->nvml, change->device, change->profile, instances, &count, err);
  if (r < 0)
    return r;
  *ret_found = false;
  for (unsigned i = 0; i < count && !*ret_found; i++) {
    NvmlGpuInstanceInfo info;
    NvmlReturn code = change->nvml->calls.instance_info(instances[i], &info);
    if (code != NVML_SUCCESS)
      return gpu_nvml_fail(err, code, "reading an instance of %s", change->profile->name);
    *ret_found = info.placement.start == change->job->start;
    *ret_instance = instances[i];
    change->instance_id = *ret_found ? (int)info.id : -1;
  }
  return 0;
}

static int create_instance(Change *change, NvmlGpuInstance *ret_instance, Error *err) {
  const NvmlPlacement placement = {.start = change->job->start, .size = change->job->size};
  NvmlReturn code;
  do
    code = change->nvml->calls.create_instance(change->device, (unsigned)change->job->nvml_id, &placement,
                                               ret_instance);
  while (try_again(change, is_passing(code)));
  if (code != NVML_SUCCESS)
    return fail(change, code, "creating the GPU instance", err);
  return 0;
}

/* Without a placement: the one over all slices has only one. */
static int create_compute(Change *change, NvmlGpuInstance instance, Error *err) {
  NvmlComputeInstanceProfileInfo profile;
  NvmlComputeInstance compute;
  NvmlReturn code;
  do {
    unsigned index = 0;
    code =
        gpu_nvml_next_compute_profile(change->nvml, instance, change->profile->slice_count, &index, &profile);
    /* Directly after its creation an instance may not know its compute profiles yet. */
  } while (try_again(change, is_passing(code) || code == NVML_NOT_FOUND));
  if (code != NVML_SUCCESS)
    return gpu_nvml_fail(err, code, "finding the compute profile of %d slices", change->profile->slice_count);
  do
    code = change->nvml->calls.create_compute(instance, profile.id, &compute);
  while (try_again(change, is_passing(code)));
  if (code != NVML_SUCCESS)
    return fail(change, code, "creating the compute instance", err);
  return 0;
}

/* ret_uuid is "" where the instance is not complete. */
static int read_uuid(Change *change, NvmlGpuInstance instance, char ret_uuid[MIG_UUID_SIZE], Error *err) {
  bool complete;
  unsigned compute_id;
  int r = gpu_nvml_find_full_compute(change->nvml, instance, change->profile->slice_count, &complete,
                                     &compute_id, err);
  ret_uuid[0] = '\0';
  if (r < 0 || !complete)
    return r;
  NvmlGpuInstanceInfo info;
  NvmlReturn code = change->nvml->calls.instance_info(instance, &info);
  if (code != NVML_SUCCESS)
    return gpu_nvml_fail(err, code, "reading the GPU instance");
  GpuMigDevices devices;
  r = gpu_nvml_list_mig_devices(change->nvml, change->device, &devices, err);
  if (r < 0)
    return r;
  const char *uuid = gpu_nvml_find_uuid(&devices, info.id, compute_id);
  if (!uuid)
    return error_set(err, ERROR_GPU, "NVML shows no MIG device for GPU instance %u, compute instance %u",
                     info.id, compute_id);
  snprintf(ret_uuid, MIG_UUID_SIZE, "%s", uuid);
  return 0;
}

static int destroy_instance(Change *change, NvmlGpuInstance instance, Error *err) {
  NvmlReturn code;
  do
    code = change->nvml->calls.destroy_instance(instance);
  while (try_again(change, is_passing(code)));
  if (code != NVML_SUCCESS)
    return fail(change, code, "destroying the GPU instance", err);
  return 0;
}

/* Half a slice is of no use to anybody and would block its slots. */
static int roll_back(Change *change, NvmlGpuInstance instance, Error *err) {
  const Error first = *err;
  Error second;
  be_patient(change, ROLLBACK_PATIENCE_MS);
  if (destroy_instance(change, instance, &second) < 0)
    return error_set(err, (ErrorCode)first.code, "%s; and taking back the rest: %s", first.text, second.text);
  return error_set(err, (ErrorCode)first.code, "%s; the GPU instance was taken back", first.text);
}

/* Makes a GPU instance into a slice; one that this job has made does not survive a failure. */
static int complete(Change *change, NvmlGpuInstance instance, bool made_now, char ret_uuid[MIG_UUID_SIZE],
                    Error *err) {
  int r = create_compute(change, instance, err);
  if (r < 0)
    return made_now ? roll_back(change, instance, err) : r;
  r = read_uuid(change, instance, ret_uuid, err);
  if (r < 0)
    return r;
  if (!ret_uuid[0])
    return error_set(err, ERROR_GPU, "NVML does not show the compute instance that it created");
  return 0;
}

static int create(Change *change, char ret_uuid[MIG_UUID_SIZE], Error *err) {
  bool exists;
  NvmlGpuInstance instance;
  int r = find_instance(change, &exists, &instance, err);
  if (r < 0)
    return r;
  r = exists ? read_uuid(change, instance, ret_uuid, err) : create_instance(change, &instance, err);
  if (r < 0 || (exists && ret_uuid[0]))
    return r;
  return complete(change, instance, !exists, ret_uuid, err);
}

static int destroy_computes(Change *change, NvmlGpuInstance instance,
                            const NvmlComputeInstanceProfileInfo *profile, Error *err) {
  NvmlComputeInstance computes[GPU_COMPUTES_MAX];
  unsigned count = GPU_COMPUTES_MAX;
  NvmlReturn code = profile->instance_count > GPU_COMPUTES_MAX
                        ? NVML_INSUFFICIENT_SIZE
                        : change->nvml->calls.computes(instance, profile->id, computes, &count);
  if (code != NVML_SUCCESS)
    return gpu_nvml_fail(err, code, "listing its compute instances");
  for (unsigned i = 0; i < count; i++) {
    do
      code = change->nvml->calls.destroy_compute(computes[i]);
    while (try_again(change, is_passing(code)));
    if (code != NVML_SUCCESS)
      return fail(change, code, "destroying a compute instance", err);
  }
  return 0;
}

/* Compute instances of every size have to go first, also those that somebody else made. One that was bare
 * when the agent looked is only taken as long as it is: the driver refuses otherwise. */
static int destroy(Change *change, Error *err) {
  bool exists;
  NvmlGpuInstance instance;
  int r = find_instance(change, &exists, &instance, err);
  if (r < 0 || !exists)
    return r;
  if (change->job->is_bare)
    return destroy_instance(change, instance, err);
  NvmlComputeInstanceProfileInfo profile;
  NvmlReturn code;
  for (unsigned index = 0; (code = gpu_nvml_next_compute_profile(change->nvml, instance, GPU_ANY_SLICE_COUNT,
                                                                 &index, &profile)) == NVML_SUCCESS;) {
    r = destroy_computes(change, instance, &profile, err);
    if (r < 0)
      return r;
  }
  if (code != NVML_NOT_FOUND)
    return gpu_nvml_fail(err, code, "asking for its compute profiles");
  return destroy_instance(change, instance, err);
}

/* Says what was tried, in words as soon as the profile's name is known. */
/* In place of general advice: a name, where one can be had. */
static int name_holder(const Change *change, Error *err) {
  uint32_t pids[GPU_HOLDER_PIDS_MAX];
  char holder[GPU_HOLDER_TEXT_SIZE];
  if (!change->is_in_use)
    return -err->code;
  const GpuHolderQuery query = {
      .proc = change->nvml->proc,
      .minor = change->gpu.minor,
      .instance_id = change->instance_id,
      .pids = pids,
      .pid_count = gpu_nvml_list_pids(change->nvml, change->device, change->instance_id, pids)};
  gpu_holder_describe(&query, holder, sizeof holder);
  char *advice = strstr(err->text, "; a process on the GPU");
  if (!holder[0] || !advice)
    return -err->code;
  *advice = '\0';
  const Error first = *err;
  return error_set(err, (ErrorCode)first.code, "%s; %s", first.text, holder);
}

int gpu_nvml_create(GpuNvml *nvml, const GpuJob *job, char ret_uuid[MIG_UUID_SIZE], Error *err) {
  Change change;
  char uuid[MIG_UUID_SIZE];
  int r = begin(&change, nvml, job, PATIENCE_MS, err);
  if (r == 0)
    r = create(&change, uuid, err);
  if (r < 0)
    r = name_holder(&change, err);
  if (r < 0)
    return r;
  memcpy(ret_uuid, uuid, sizeof uuid);
  return 0;
}

static int try_to_destroy(Change *change, GpuNvml *nvml, const GpuJob *job, uint32_t patience_ms,
                          Error *err) {
  int r = begin(change, nvml, job, patience_ms, err);
  return r < 0 ? r : destroy(change, err);
}

/* What holds it must not be this session of ours, which has looked at the instance before: it is ended and
 * begun anew for a last try. */
int gpu_nvml_destroy(GpuNvml *nvml, const GpuJob *job, Error *err) {
  Change change;
  int r = try_to_destroy(&change, nvml, job, OWN_SESSION_MS, err);
  if (r < 0 && change.is_in_use) {
    *err = (Error){0};
    nvml->calls.shutdown();
    NvmlReturn code = nvml->calls.init();
    r = code == NVML_SUCCESS ? try_to_destroy(&change, nvml, job, PATIENCE_MS - OWN_SESSION_MS, err)
                             : gpu_nvml_fail(err, code, "starting NVML again");
  }
  if (r < 0)
    r = name_holder(&change, err);
  return r;
}
