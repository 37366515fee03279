/* SPDX-License-Identifier: Apache-2.0 */
/* A frame on the socket:
 *
 *     magic | layout | kind | size | size bytes of GpuJob or of GpuResult up to its last GPU
 *
 * The layout word is made of the structs' sizes: two builds that disagree about them refuse each other.
 * Decoding looks at sizes first, then at every count that the reader will loop to and every text that it
 * will print. A frame that fails is never repaired; the worker behind it is replaced. */
#include "gpu/frame.h"

#include "base/memory.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

enum {
  MAGIC = 0x46435431, /* "FCT1" */
  LAYOUT = (int)(sizeof(GpuJob) << 20 ^ sizeof(GpuObserved) << 8 ^ sizeof(Error)),
};

typedef struct FrameHeader {
  uint32_t magic, layout, kind, size;
} FrameHeader;

static size_t result_size(int gpu_count) {
  return offsetof(GpuResult, observation.gpus) + (size_t)gpu_count * sizeof(GpuObserved);
}

static void encode(Text *bytes, GpuFrameKind kind, const void *payload, size_t size) {
  FrameHeader header = {.magic = MAGIC, .layout = LAYOUT, .kind = kind, .size = (uint32_t)size};
  text_append_bytes(bytes, &header, sizeof header);
  text_append_bytes(bytes, payload, size);
}

void gpu_frame_encode_job(Text *bytes, const GpuJob *job) {
  encode(bytes, GPU_FRAME_JOB, job, sizeof *job);
}

void gpu_frame_encode_progress(Text *bytes, uint32_t gpu) {
  encode(bytes, GPU_FRAME_PROGRESS, &gpu, sizeof gpu);
}

void gpu_frame_encode_result(Text *bytes, const GpuResult *result) {
  assert(result->observation.gpu_count >= 0 && result->observation.gpu_count <= GPU_COUNT_MAX);
  encode(bytes, GPU_FRAME_RESULT, result, result_size(result->observation.gpu_count));
}

/* Checks the header as soon as it is there: garbage must not keep the reader waiting for its "size". */
static int peek(const Text *bytes, GpuFrameKind kind, size_t size_min, size_t size_max,
                FrameHeader *ret_header, Error *err) {
  FrameHeader header;
  if (bytes->size < sizeof header)
    return GPU_FRAME_MORE;
  memcpy(&header, bytes->bytes, sizeof header);
  if (header.magic != MAGIC)
    return error_set(err, ERROR_PROTOCOL, "frame does not begin with its magic word");
  if (header.layout != (uint32_t)LAYOUT)
    return error_set(err, ERROR_PROTOCOL, "frame comes from another build of this program");
  if (header.kind != (uint32_t)kind)
    return error_set(err, ERROR_PROTOCOL, "frame is of kind %u where %d was expected", header.kind, kind);
  if (header.size < size_min || header.size > size_max)
    return error_set(err, ERROR_PROTOCOL, "frame of %u bytes where %zu to %zu were expected", header.size,
                     size_min, size_max);
  if (bytes->size < sizeof header + header.size)
    return GPU_FRAME_MORE;
  *ret_header = header;
  return 0;
}

/* Texts are printed with %s later: without their NUL they would run into the next member. */
static bool text_ends(const char *text, size_t size) {
  return memchr(text, '\0', size) != NULL;
}

/* A bool read from foreign bytes is looked at as a byte: any value but 0 and 1 is undefined behaviour. */
static bool bool_is_sound(const bool *value) {
  return *(const unsigned char *)value <= 1;
}

/* Only what indexes an array or a shift is checked; other numbers can be wrong but not harmful. */
static bool model_is_sound(const MigModel *model) {
  if (!text_ends(model->name, sizeof model->name) || model->profile_count > MIG_PROFILES_MAX ||
      model->slot_count > MIG_SLOTS_MAX)
    return false;
  for (int i = 0; i < model->profile_count; i++) {
    const MigProfile *profile = &model->profiles[i];
    if (!text_ends(profile->name, sizeof profile->name) || profile->auto_start_count > MIG_SLOTS_MAX)
      return false;
  }
  return true;
}

static bool gpu_is_sound(const GpuObserved *gpu) {
  if (!text_ends(gpu->uuid, sizeof gpu->uuid) || !text_ends(gpu->product, sizeof gpu->product) ||
      !text_ends(gpu->trouble, sizeof gpu->trouble) || !bool_is_sound(&gpu->identified) ||
      !bool_is_sound(&gpu->mig_capable) || !bool_is_sound(&gpu->model_from_table) ||
      !bool_is_sound(&gpu->is_out_of_service) || !bool_is_sound(&gpu->is_lost) ||
      !bool_is_sound(&gpu->is_sick) || gpu->mode > MIG_MODE_PENDING || gpu->instance_count < 0 ||
      gpu->instance_count > MIG_INSTANCES_MAX || !model_is_sound(&gpu->model))
    return false;
  for (int i = 0; i < gpu->instance_count; i++)
    if (!text_ends(gpu->instances[i].uuid, sizeof gpu->instances[i].uuid))
      return false;
  return true;
}

static bool result_is_sound(const GpuResult *result) {
  const GpuObservation *observation = &result->observation;
  if (result->err.code < 0 || result->xid_count < 0 || result->xid_count > GPU_XIDS_MAX ||
      !text_ends(result->err.text, sizeof result->err.text) ||
      !text_ends(result->created_uuid, sizeof result->created_uuid) || !bool_is_sound(&result->observed) ||
      !text_ends(observation->driver_version, sizeof observation->driver_version))
    return false;
  for (int i = 0; i < result->xid_count && i < GPU_XIDS_MAX; i++)
    if (!text_ends(result->xids[i].uuid, sizeof result->xids[i].uuid))
      return false;
  for (int i = 0; i < observation->gpu_count; i++)
    if (!gpu_is_sound(&observation->gpus[i]))
      return false;
  return true;
}

int gpu_frame_decode_job(Text *bytes, GpuJob *ret_job, Error *err) {
  FrameHeader header;
  int r = peek(bytes, GPU_FRAME_JOB, sizeof(GpuJob), sizeof(GpuJob), &header, err);
  if (r != 0)
    return r;
  GpuJob job;
  memcpy(&job, bytes->bytes + sizeof header, sizeof job);
  if (job.kind > GPU_JOB_WATCH || job.gpu >= GPU_COUNT_MAX || !text_ends(job.uuid, sizeof job.uuid) ||
      !bool_is_sound(&job.is_bare))
    return error_set(err, ERROR_PROTOCOL, "frame holds no sensible job");
  text_drop_front(bytes, sizeof header + header.size);
  *ret_job = job;
  return 0;
}

int gpu_frame_decode_progress(Text *bytes, uint32_t *ret_gpu, Error *err) {
  FrameHeader header;
  if (bytes->size < sizeof header)
    return GPU_FRAME_MORE;
  memcpy(&header, bytes->bytes, sizeof header);
  if (header.kind != GPU_FRAME_PROGRESS)
    return GPU_FRAME_MORE;
  uint32_t gpu;
  int r = peek(bytes, GPU_FRAME_PROGRESS, sizeof gpu, sizeof gpu, &header, err);
  if (r != 0)
    return r;
  memcpy(&gpu, bytes->bytes + sizeof header, sizeof gpu);
  if (gpu >= GPU_COUNT_MAX)
    return error_set(err, ERROR_PROTOCOL, "frame speaks of GPU %u", gpu);
  text_drop_front(bytes, sizeof header + header.size);
  *ret_gpu = gpu;
  return 0;
}

int gpu_frame_decode_result(Text *bytes, GpuResult **ret_result, Error *err) {
  FrameHeader header;
  int r = peek(bytes, GPU_FRAME_RESULT, result_size(0), result_size(GPU_COUNT_MAX), &header, err);
  if (r != 0)
    return r;
  /* Whole, because callers copy it; the pages behind the last GPU are never touched. */
  CLEANUP(cleanup_free) GpuResult *result = mem_alloc(sizeof *result);
  memcpy(result, bytes->bytes + sizeof header, header.size);
  int gpu_count = result->observation.gpu_count;
  if (gpu_count < 0 || gpu_count > GPU_COUNT_MAX || header.size != result_size(gpu_count) ||
      !result_is_sound(result))
    return error_set(err, ERROR_PROTOCOL, "frame holds no sensible result");
  text_drop_front(bytes, sizeof header + header.size);
  *ret_result = TAKE(result);
  return 0;
}
