/* SPDX-License-Identifier: Apache-2.0 */
/* Frames between the agent and its NVML worker: a header with a magic word, the layout of the structs, the
 * kind and the size, then the struct itself. Both ends are the same executable, so a struct is its own
 * encoding; what arrives is still checked, because NVIDIA's library may scribble over the worker's memory. */
#pragma once

#include "base/text.h"
#include "gpu/driver.h"

enum { GPU_FRAME_MORE = 1 }; /* condition: the buffer holds no whole frame yet */

typedef enum GpuFrameKind { GPU_FRAME_JOB = 1, GPU_FRAME_RESULT = 2, GPU_FRAME_PROGRESS = 3 } GpuFrameKind;

/* Appends one frame. A result takes along only the GPUs in use. */
void gpu_frame_encode_job(Text *bytes, const GpuJob *job);
/* The worker is about to ask NVML about this GPU, so that one that hangs or crashes can be told. */
void gpu_frame_encode_progress(Text *bytes, uint32_t gpu);
void gpu_frame_encode_result(Text *bytes, const GpuResult *result);

/* Reads the frame at the front of `bytes` and drops it there; GPU_FRAME_MORE where it is not complete.
 * ERROR_PROTOCOL where it is not such a frame: the peer cannot be understood any more. */
int gpu_frame_decode_job(Text *bytes, GpuJob *ret_job, Error *err) MUST_CHECK;
/* GPU_FRAME_MORE also where the next frame is of another kind. */
int gpu_frame_decode_progress(Text *bytes, uint32_t *ret_gpu, Error *err) MUST_CHECK;
/* The caller frees the result. Only the pages of GPUs that exist become resident. */
int gpu_frame_decode_result(Text *bytes, GpuResult **ret_result, Error *err) MUST_CHECK;
