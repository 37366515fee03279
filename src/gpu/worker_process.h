/* SPDX-License-Identifier: Apache-2.0 */
/* One worker process with its two pipes: the socket for frames (its descriptor 3) and its stderr.
 * Private to gpu/worker.c. A GpuProcess frees itself once the process has exited and its handles are closed;
 * until then its owner may forget it with gpu_process_abandon(). */
#pragma once

#include "base/text.h"
#include "gpu/worker.h"

enum { GPU_PROCESS_SOCKET_FD = 3, GPU_PROCESS_WORDS_SIZE = 256, GPU_PROCESS_EXIT_TEXT_SIZE = 400 };

typedef struct GpuProcess GpuProcess;

/* Called from the loop. on_exit is the last one; the process is gone when it returns. */
typedef struct GpuProcessEvents {
  void (*on_received)(void *userdata, GpuProcess *process); /* more bytes are in gpu_process_received() */
  void (*on_exit)(void *userdata, GpuProcess *process, const char *how); /* "was killed by signal 9 (...)" */
  void *userdata;
} GpuProcessEvents;

int gpu_process_spawn(uv_loop_t *loop, const GpuWorkerOptions *options, const GpuProcessEvents *events,
                      GpuProcess **ret_process, Error *err) MUST_CHECK;
/* All bytes at once or an error: one job fits into the socket's buffer, and only one is under way. */
int gpu_process_send(GpuProcess *process, const Text *bytes, Error *err) MUST_CHECK;
Text *gpu_process_received(GpuProcess *process);    /* the owner decodes and drops from its front */
void gpu_process_close_socket(GpuProcess *process); /* the worker reads the end and exits by itself */
void gpu_process_kill(GpuProcess *process);         /* SIGKILL; on_exit still comes */
void gpu_process_abandon(GpuProcess *process);      /* SIGKILL; nothing is called any more */
