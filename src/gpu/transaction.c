/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/transaction.h"

#include <assert.h>
#include <string.h>

static GpuPlace place_of(const GpuInstance *instance) {
  return (GpuPlace){.nvml_id = instance->nvml_id, .start = instance->start, .size = instance->size};
}

void gpu_transaction_begin(GpuTransaction *transaction, const GpuObserved *gpu, bool is_all_or_nothing) {
  *transaction = (GpuTransaction){
      .state = GPU_TRANSACTION_FORWARD, .gpu = gpu->index, .is_all_or_nothing = is_all_or_nothing};
  snprintf(transaction->uuid, sizeof transaction->uuid, "%s", gpu->uuid);
  for (int i = 0; i < gpu->instance_count; i++)
    if (gpu->instances[i].uuid[0])
      gpu_places_add(&transaction->good, place_of(&gpu->instances[i]));
}

void gpu_transaction_add_good(GpuTransaction *transaction, GpuPlace place) {
  if (gpu_places_have(&transaction->good, place.nvml_id, place.start))
    return;
  gpu_places_add(&transaction->good, place);
  transaction->has_destroyed = true;
}

static void set_job(const GpuTransaction *transaction, GpuJobKind kind, GpuPlace place, GpuJob *ret_job) {
  *ret_job = (GpuJob){.kind = kind, .nvml_id = place.nvml_id, .start = place.start, .size = place.size};
  snprintf(ret_job->uuid, sizeof ret_job->uuid, "%s", transaction->uuid);
  ret_job->gpu = (uint32_t)transaction->gpu;
}

/* The first instance that is not aimed at, and may go. */
static bool find_destruction(const GpuTransaction *transaction, const GpuObserved *gpu, const GpuPlaces *aim,
                             GpuMayDestroy *may_destroy, void *userdata, GpuJob *ret_job) {
  for (int i = 0; i < gpu->instance_count; i++) {
    const GpuInstance *instance = &gpu->instances[i];
    if (gpu_places_have(aim, instance->nvml_id, instance->start) ||
        gpu_places_have(&transaction->failed, instance->nvml_id, instance->start) ||
        !may_destroy(userdata, gpu, instance))
      continue;
    set_job(transaction, GPU_JOB_DESTROY, place_of(instance), ret_job);
    ret_job->is_bare = gpu_observed_is_bare(instance);
    return true;
  }
  return false;
}

/* An instance that lacks its compute instance is completed by creating it again; one that holds smaller ones
 * is somebody's affair. */
static bool can_create(const GpuObserved *gpu, const MigLayout *layout, GpuPlace place) {
  const GpuInstance *instance = gpu_observed_find(gpu, place.nvml_id, place.start);
  const MigProfile *profile = mig_model_find_nvml_id(&gpu->model, place.nvml_id);
  if (instance)
    return true;
  return profile && mig_layout_can_place(layout, (int)(profile - gpu->model.profiles), place.start);
}

/* The first slice of the aim that is not there and has room. */
static bool find_creation(const GpuTransaction *transaction, const GpuObserved *gpu, const GpuPlaces *aim,
                          int *ret_blocked, GpuJob *ret_job) {
  MigLayout layout;
  gpu_observed_layout(gpu, &layout);
  *ret_blocked = 0;
  for (int i = 0; i < aim->count; i++) {
    const GpuPlace place = aim->items[i];
    const GpuInstance *instance = gpu_observed_find(gpu, place.nvml_id, place.start);
    if ((instance && instance->uuid[0]) || gpu_places_have(&transaction->failed, place.nvml_id, place.start))
      continue;
    if (can_create(gpu, &layout, place)) {
      set_job(transaction, GPU_JOB_CREATE, place, ret_job);
      return true;
    }
    ++*ret_blocked;
  }
  return false;
}

GpuStep gpu_transaction_next(GpuTransaction *transaction, const GpuObserved *gpu, const GpuPlaces *goal,
                             GpuMayDestroy *may_destroy, void *userdata, GpuJob *ret_job) {
  assert(transaction->state != GPU_TRANSACTION_NONE && strcmp(gpu->uuid, transaction->uuid) == 0);
  int blocked = 0;
  if (transaction->state == GPU_TRANSACTION_DONE)
    transaction->state = GPU_TRANSACTION_FORWARD; /* the goal may be another one by now */
  if (transaction->state == GPU_TRANSACTION_UNDONE)
    return GPU_STEP_OVER;
  bool is_undoing = transaction->state == GPU_TRANSACTION_UNDOING;
  const GpuPlaces *aim = is_undoing ? &transaction->good : goal;
  bool is_job = find_destruction(transaction, gpu, aim, may_destroy, userdata, ret_job) ||
                find_creation(transaction, gpu, aim, &blocked, ret_job);
  transaction->blocked = is_undoing ? 0 : blocked;
  if (is_job)
    return GPU_STEP_JOB;
  if (is_undoing) {
    transaction->lost += blocked;
    transaction->state = GPU_TRANSACTION_UNDONE;
    return GPU_STEP_OVER;
  }
  if (blocked)
    return GPU_STEP_BLOCKED;
  transaction->state = GPU_TRANSACTION_DONE;
  return GPU_STEP_OVER;
}

/* What the driver shows counts, whatever it says: it may fail after it did the work, and say "done" with
 * nothing to show. */
static int judge(const GpuJob *job, const GpuObserved *gpu, const Error *result, Error *err) {
  const GpuInstance *instance = gpu ? gpu_observed_find(gpu, job->nvml_id, job->start) : NULL;
  bool is_there = instance && instance->uuid[0];
  if (gpu && (job->kind == GPU_JOB_CREATE ? is_there : !instance))
    return 0;
  if (result->code) {
    *err = *result;
    return -result->code;
  }
  if (!gpu)
    return 0; /* it says that it is done, and the next look tells */
  return error_set(err, ERROR_GPU, "the driver reported success, but the slice is %s",
                   job->kind == GPU_JOB_CREATE ? "not there" : "still there");
}

static bool is_of_worker(const Error *err) {
  return err->code == ERROR_UNAVAILABLE || err->code == ERROR_TIMEOUT;
}

static void describe(const GpuTransaction *transaction, const GpuJob *job, const char *profile,
                     const Error *err, char *ret_text, size_t size) {
  snprintf(ret_text, size, "%s %s at slot %d of GPU %d failed: %.380s",
           job->kind == GPU_JOB_CREATE ? "creating" : "destroying", profile, job->start, transaction->gpu,
           err->text);
}

static void fail(GpuTransaction *transaction, const GpuJob *job, const Error *err, const char *text) {
  bool was_undoing = transaction->state == GPU_TRANSACTION_UNDOING;
  char *reason = was_undoing ? transaction->undo_reason : transaction->reason;
  if (!reason[0])
    snprintf(reason, ERROR_TEXT_SIZE, "%s", text);
  if (was_undoing && is_of_worker(err)) {
    transaction->state = GPU_TRANSACTION_UNDONE; /* it would only hang again */
  } else if (was_undoing) {
    transaction->lost += job->kind == GPU_JOB_CREATE;
    gpu_places_add(&transaction->failed, (GpuPlace){job->nvml_id, job->start, job->size});
  } else if (transaction->has_destroyed || transaction->is_all_or_nothing || is_of_worker(err)) {
    transaction->state = GPU_TRANSACTION_UNDOING;
    transaction->failed.count = 0; /* an older try of the same place says nothing about the way back */
  } else {
    gpu_places_add(&transaction->failed, (GpuPlace){job->nvml_id, job->start, job->size});
  }
}

int gpu_transaction_note(GpuTransaction *transaction, const GpuJob *job, const char *profile,
                         const GpuObserved *gpu, const Error *result, Error *err) {
  assert(job->kind == GPU_JOB_CREATE || job->kind == GPU_JOB_DESTROY);
  int r = judge(job, gpu, result, err);
  /* Half of a slice may be gone although the step failed. What was bare already is no loss. */
  if (job->kind == GPU_JOB_DESTROY && !job->is_bare)
    transaction->has_destroyed = true;
  if (r == 0) {
    transaction->tries = 0;
    return 0;
  }
  if (is_of_worker(err) && ++transaction->tries < GPU_TRANSACTION_TRIES_MAX)
    return GPU_TRANSACTION_AGAIN;
  transaction->tries = 0;
  char text[ERROR_TEXT_SIZE];
  describe(transaction, job, profile, err, text, sizeof text);
  fail(transaction, job, err, text);
  return r;
}

bool gpu_transaction_is_sound(const GpuTransaction *transaction) {
  return transaction->state != GPU_TRANSACTION_UNDOING && transaction->state != GPU_TRANSACTION_UNDONE;
}

void gpu_transaction_format(const GpuTransaction *transaction, char *ret_text, size_t size) {
  const char *undo = transaction->undo_reason;
  if (!transaction->reason[0])
    ret_text[0] = '\0';
  else if (gpu_transaction_is_sound(transaction) || !transaction->has_destroyed)
    snprintf(ret_text, size, "%s", transaction->reason);
  else if (transaction->state == GPU_TRANSACTION_UNDOING)
    snprintf(ret_text, size, "%s; its last layout is being restored", transaction->reason);
  else if (!transaction->lost && !undo[0])
    snprintf(ret_text, size, "%s; its last layout was restored", transaction->reason);
  else
    snprintf(ret_text, size, "%s; its last layout could not be restored in full%s%s", transaction->reason,
             undo[0] ? ": " : "", undo);
}
