/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the worker: read a job, carry it out, write the result; plain blocking calls, no event loop.
 * NVML is loaded at the first job and kept for the next ones as long as the GPUs can be read; where that or
 * the loading fails, the failure is the result, and the next job loads it afresh. The worker ends with its
 * socket, that is with the agent or when the agent says so. */
#include "base/memory.h"
#include "gpu/frame.h"
#include "gpu/nvml.h"
#include "gpu/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* The worker ends with its socket and not by signals meant for the agent's whole group, so that they do not
 * cut a change in two. What the agent left open is none of its business, and what NVIDIA's library starts
 * (nvidia-modprobe) shall not hold the socket. */
static void become_worker(int socket_fd) {
  prctl(PR_SET_NAME, "facet-nvml");
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
  fcntl(socket_fd, F_SETFD, FD_CLOEXEC);
  close_range((unsigned)socket_fd + 1, ~0u, 0);
}

/* 0: a job was read; GPU_FRAME_MORE: the socket has ended. */
static int read_job(int socket_fd, Text *bytes, GpuJob *ret_job, Error *err) {
  for (;;) {
    int r = gpu_frame_decode_job(bytes, ret_job, err);
    if (r != GPU_FRAME_MORE)
      return r;
    char chunk[512];
    ssize_t size = read(socket_fd, chunk, sizeof chunk);
    if (size == 0 || (size < 0 && errno == ECONNRESET))
      return GPU_FRAME_MORE;
    if (size < 0 && errno != EINTR)
      return error_set_errno(err, ERROR_IO, errno, "reading a job");
    if (size > 0)
      text_append_bytes(bytes, chunk, (size_t)size);
  }
}

static int write_result(int socket_fd, const GpuResult *result, Error *err) {
  CLEANUP(text_deinit) Text bytes = {0};
  gpu_frame_encode_result(&bytes, result);
  for (size_t done = 0; done < bytes.size;) {
    ssize_t size = send(socket_fd, bytes.bytes + done, bytes.size - done, MSG_NOSIGNAL);
    if (size < 0 && errno != EINTR)
      return error_set_errno(err, ERROR_IO, errno, "writing a result");
    done += size > 0 ? (size_t)size : 0;
  }
  return 0;
}

/* A frame that is lost costs nothing: then nobody knows where a worker hung. */
static void tell_gpu(void *userdata, uint32_t gpu) {
  CLEANUP(text_deinit) Text bytes = {0};
  gpu_frame_encode_progress(&bytes, gpu);
  ssize_t sent = send(*(const int *)userdata, bytes.bytes, bytes.size, MSG_NOSIGNAL);
  (void)sent;
}

static int serve(int socket_fd, const char *library, Text *bytes, GpuNvml **nvml, Error *err) {
  GpuJob job;
  int r = read_job(socket_fd, bytes, &job, err);
  if (r != 0)
    return r;
  CLEANUP(cleanup_free) GpuResult *result = mem_alloc(sizeof *result);
  if (*nvml || gpu_nvml_open(library, nvml, &result->err) == 0) {
    gpu_nvml_set_on_gpu(*nvml, tell_gpu, &socket_fd);
    gpu_nvml_run(*nvml, &job, result);
  }
  bool is_sound = job.kind == GPU_JOB_WATCH ? !result->err.code : result->observed;
  if (*nvml && !is_sound) /* a driver that was loaded again refuses whoever opened the old one */
    gpu_nvml_close(TAKE(*nvml));
  return write_result(socket_fd, result, err);
}

int gpu_worker_main(int socket_fd, const char *nvml_library) {
  CLEANUP(gpu_nvml_closep) GpuNvml *nvml = NULL;
  CLEANUP(text_deinit) Text bytes = {0};
  Error err = {0};
  int r = 0;
  mem_stay_small();
  become_worker(socket_fd);
  while (r == 0)
    r = serve(socket_fd, nvml_library, &bytes, &nvml, &err);
  if (r < 0)
    fprintf(stderr, "%s\n", err.text);
  return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
