/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: workers that misbehave, each in its own way. The test's executable plays the part that its
 * --nvml-library names. */
#pragma once

#include "base/memory.h"
#include "gpu/frame.h"
#include "gpu/worker.h"
#include "gpu/worker_process.h"

#include <signal.h>
#include <sys/socket.h>

static inline void read_the_job(void) {
  char bytes[sizeof(GpuJob) + 64];
  if (read(GPU_PROCESS_SOCKET_FD, bytes, sizeof bytes) <= 0)
    _exit(EXIT_SUCCESS);
}

static inline void write_result(int took_ms) {
  CLEANUP(text_deinit) Text bytes = {0};
  CLEANUP(cleanup_free) GpuResult *result = mem_alloc(sizeof *result);
  result->took_ms = (uint32_t)took_ms;
  gpu_frame_encode_result(&bytes, result);
  if (send(GPU_PROCESS_SOCKET_FD, bytes.bytes, bytes.size, MSG_NOSIGNAL) < 0)
    _exit(EXIT_FAILURE);
}

/* Answers each job with its own process id. */
static inline void play_honest(void) {
  for (;;) {
    read_the_job();
    write_result(getpid());
  }
}

static inline void play_hanging(void) {
  read_the_job();
  for (;;)
    pause();
}

/* NVML comes to the third GPU, and no further. */
static inline void play_dying_at_a_gpu(void) {
  CLEANUP(text_deinit) Text bytes = {0};
  read_the_job();
  for (uint32_t gpu = 0; gpu < 3; gpu++)
    gpu_frame_encode_progress(&bytes, gpu);
  if (send(GPU_PROCESS_SOCKET_FD, bytes.bytes, bytes.size, MSG_NOSIGNAL) < 0)
    _exit(EXIT_FAILURE);
  raise(SIGKILL);
}

/* Neither reads nor ends when its socket does. */
static inline void play_deaf_after_one_job(void) {
  read_the_job();
  write_result(getpid());
  for (;;)
    pause();
}

static inline void play_crashing(void) {
  read_the_job();
  fprintf(stderr, "first line\nNVRM: out of \x01 luck\n\n");
  signal(SIGSEGV, SIG_DFL); /* sanitizers would make an exit of it */
  raise(SIGSEGV);
}

static inline void play_leaving(void) {
  read_the_job();
  _exit(7);
}

static inline void play_dying_after_the_answer(void) {
  read_the_job();
  write_result(1);
  raise(SIGKILL);
}

static inline void play_babbling(void) {
  static const char babble[] = "nvidia-smi has failed because it could not communicate with the driver\n";
  read_the_job();
  if (send(GPU_PROCESS_SOCKET_FD, babble, sizeof babble, MSG_NOSIGNAL) < 0)
    _exit(EXIT_FAILURE);
  for (;;)
    pause();
}

static inline void play_answering_twice(void) {
  CLEANUP(text_deinit) Text bytes = {0};
  CLEANUP(cleanup_free) GpuResult *result = mem_alloc(sizeof *result);
  read_the_job();
  gpu_frame_encode_result(&bytes, result);
  gpu_frame_encode_result(&bytes, result);
  if (send(GPU_PROCESS_SOCKET_FD, bytes.bytes, bytes.size, MSG_NOSIGNAL) < 0)
    _exit(EXIT_FAILURE);
  for (;;)
    pause();
}

/* NVML hangs at the second GPU, for whoever is not told to leave it out. */
static inline void play_hanging_at_a_gpu(void) {
  CLEANUP(text_deinit) Text bytes = {0};
  Error err;
  for (;;) {
    GpuJob job;
    char chunk[sizeof(GpuJob) + 64];
    ssize_t size = read(GPU_PROCESS_SOCKET_FD, chunk, sizeof chunk);
    if (size <= 0)
      _exit(EXIT_SUCCESS);
    text_append_bytes(&bytes, chunk, (size_t)size);
    if (gpu_frame_decode_job(&bytes, &job, &err) != 0)
      _exit(EXIT_FAILURE);
    if (job.skip & 2) {
      write_result(getpid());
      continue;
    }
    CLEANUP(text_deinit) Text progress = {0};
    gpu_frame_encode_progress(&progress, 1);
    if (send(GPU_PROCESS_SOCKET_FD, progress.bytes, progress.size, MSG_NOSIGNAL) < 0)
      _exit(EXIT_FAILURE);
    for (;;)
      pause();
  }
}

static const struct {
  const char *name;
  void (*play)(void);
} parts[] = {
    {"honest", play_honest},
    {"hanging", play_hanging},
    {"deaf", play_deaf_after_one_job},
    {"crashing", play_crashing},
    {"leaving", play_leaving},
    {"dying", play_dying_after_the_answer},
    {"babbling", play_babbling},
    {"twice", play_answering_twice},
    {"dying at a GPU", play_dying_at_a_gpu},
    {"hanging at a GPU", play_hanging_at_a_gpu},
};

static inline int worker_main(const char *library) {
  for (size_t i = 0; i < COUNT_OF(parts); i++)
    if (strcmp(parts[i].name, library) == 0)
      parts[i].play();
  return gpu_worker_main(GPU_PROCESS_SOCKET_FD, library);
}
