/* SPDX-License-Identifier: Apache-2.0 */
/* A child process as libuv sees it is three handles - the process, its socket, its stderr - that close one by
 * one in later turns of the loop. This file hides that: the struct lives until the process has been reaped
 * and the last handle is closed, whoever still cares.
 *
 * When the exit is noticed, bytes may still wait in the pipes: they are drained first, so that a result that
 * was written completely counts even if the worker died right after it. */
#include "gpu/worker_process.h"

#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

enum { READ_SIZE = 16384 };

struct GpuProcess {
  uv_process_t process;
  uv_pipe_t socket;
  uv_pipe_t errors;
  int open_handles;
  GpuProcessEvents events; /* zero once abandoned */
  void (*kill)(int pid);   /* NULL: SIGKILL */
  Text received;
  char words[GPU_PROCESS_WORDS_SIZE]; /* the end of what it wrote to stderr; not terminated */
  size_t words_size;
};

static void on_handle_closed(uv_handle_t *handle) {
  GpuProcess *process = handle->data;
  if (--process->open_handles > 0)
    return;
  text_deinit(&process->received);
  free(process);
}

static void close_handle(uv_handle_t *handle) {
  if (!uv_is_closing(handle))
    uv_close(handle, on_handle_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer) {
  *ret_buffer = uv_buf_init(mem_alloc(READ_SIZE), READ_SIZE);
}

/* After gpu_process_abandon() nobody reads any more, and nothing is kept. */
static void receive(GpuProcess *process, const char *bytes, size_t size) {
  if (!process->events.on_received)
    return;
  text_append_bytes(&process->received, bytes, size);
  process->events.on_received(process->events.userdata, process);
}

static void on_socket_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer) {
  CLEANUP(cleanup_free) char *bytes = buffer->base;
  if (size > 0)
    receive(stream->data, bytes, (size_t)size);
  else if (size < 0)
    uv_read_stop(stream); /* the exit follows, and says why */
}

/* Keeps the newest bytes only. */
static void remember_words(GpuProcess *process, const char *bytes, size_t size) {
  if (size > sizeof process->words) {
    bytes += size - sizeof process->words;
    size = sizeof process->words;
  }
  size_t keep = sizeof process->words - size;
  if (keep > process->words_size)
    keep = process->words_size;
  memmove(process->words, process->words + process->words_size - keep, keep);
  memcpy(process->words + keep, bytes, size);
  process->words_size = keep + size;
}

static void on_errors_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer) {
  CLEANUP(cleanup_free) char *bytes = buffer->base;
  if (size > 0)
    remember_words(stream->data, bytes, (size_t)size);
  else if (size < 0)
    uv_read_stop(stream);
}

/* libuv makes both pipes of socket pairs, so recv() serves them. */
static void drain(GpuProcess *process, uv_pipe_t *pipe,
                  void (*take)(GpuProcess *process, const char *bytes, size_t size)) {
  uv_os_fd_t fd;
  char bytes[4096];
  ssize_t size;
  while (!uv_is_closing((uv_handle_t *)pipe) && uv_fileno((uv_handle_t *)pipe, &fd) == 0 &&
         (size = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
    take(process, bytes, (size_t)size);
}

/* The last line that is not empty, printable. */
static void format_last_words(const GpuProcess *process, char *ret_text, size_t size) {
  size_t end = process->words_size;
  while (end > 0 && (process->words[end - 1] == '\n' || process->words[end - 1] == ' '))
    end--;
  size_t start = end;
  while (start > 0 && process->words[start - 1] != '\n')
    start--;
  size_t used = 0;
  for (size_t i = start; i < end && used + 1 < size; i++)
    ret_text[used++] = process->words[i] >= ' ' && process->words[i] <= '~' ? process->words[i] : '?';
  ret_text[used] = '\0';
}

static void format_exit(const GpuProcess *process, int64_t status, int signal_number, char *ret_text,
                        size_t size) {
  char words[GPU_PROCESS_WORDS_SIZE];
  format_last_words(process, words, sizeof words);
  int used = signal_number ? snprintf(ret_text, size, "was killed by signal %d (%s)", signal_number,
                                      strsignal(signal_number))
                           : snprintf(ret_text, size, "ended with exit status %d", (int)status);
  if (words[0] && used > 0 && (size_t)used < size)
    snprintf(ret_text + used, size - (size_t)used, "; its last words: %s", words);
}

static void on_process_exit(uv_process_t *handle, int64_t status, int signal_number) {
  GpuProcess *process = handle->data;
  drain(process, &process->socket, receive);
  drain(process, &process->errors, remember_words);
  char how[GPU_PROCESS_EXIT_TEXT_SIZE];
  format_exit(process, status, signal_number, how, sizeof how);
  if (process->events.on_exit)
    process->events.on_exit(process->events.userdata, process, how);
  process->events = (GpuProcessEvents){0};
  close_handle((uv_handle_t *)&process->socket);
  close_handle((uv_handle_t *)&process->errors);
  close_handle((uv_handle_t *)&process->process);
}

static GpuProcess *process_new(uv_loop_t *loop, const GpuWorkerOptions *options,
                               const GpuProcessEvents *events) {
  GpuProcess *process = mem_alloc(sizeof *process);
  process->events = *events;
  process->kill = options->kill;
  uv_pipe_init(loop, &process->socket, 0);
  uv_pipe_init(loop, &process->errors, 0);
  process->process.data = process->socket.data = process->errors.data = process;
  process->open_handles = 3;
  return process;
}

int gpu_process_spawn(uv_loop_t *loop, const GpuWorkerOptions *options, const GpuProcessEvents *events,
                      GpuProcess **ret_process, Error *err) {
  assert(events->on_received && events->on_exit);
  GpuProcess *process = process_new(loop, options, events);
  /* Its stderr comes here and not to the agent's: it is quoted when the worker dies, and silent otherwise. */
  const uv_stdio_flags both_ways = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE;
  uv_stdio_container_t stdio[] = {
      {.flags = UV_IGNORE},
      {.flags = UV_IGNORE},
      {.flags = both_ways, .data.stream = (uv_stream_t *)&process->errors},
      [GPU_PROCESS_SOCKET_FD] = {.flags = both_ways, .data.stream = (uv_stream_t *)&process->socket},
  };
  const char *executable = options->executable ? options->executable : "/proc/self/exe";
  const char *arguments[] = {"facet", "nvml-worker", options->nvml_library ? "--nvml-library" : NULL,
                             options->nvml_library, NULL};
  uv_process_options_t spawn = {.file = executable,
                                .args = (char **)arguments,
                                .stdio = stdio,
                                .stdio_count = COUNT_OF(stdio),
                                .exit_cb = on_process_exit};
  int r = uv_spawn(loop, &process->process, &spawn);
  if (r == 0)
    r = uv_read_start((uv_stream_t *)&process->socket, on_alloc, on_socket_read);
  if (r == 0)
    r = uv_read_start((uv_stream_t *)&process->errors, on_alloc, on_errors_read);
  if (r < 0) {
    gpu_process_abandon(process);
    return error_set(err, ERROR_UNAVAILABLE, "starting the NVML worker %s: %s", executable, uv_strerror(r));
  }
  *ret_process = process;
  return 0;
}

/* Past libuv's queue of writes: nothing to keep alive until it is written, and no SIGPIPE. */
int gpu_process_send(GpuProcess *process, const Text *bytes, Error *err) {
  uv_os_fd_t fd;
  int r = uv_fileno((uv_handle_t *)&process->socket, &fd);
  ssize_t sent = r < 0 ? -1 : send(fd, bytes->bytes, bytes->size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 || (size_t)sent != bytes->size)
    return error_set(err, ERROR_UNAVAILABLE, "sending a job to the NVML worker: %s",
                     r < 0      ? uv_strerror(r)
                     : sent < 0 ? strerror(errno)
                                : "it does not read its socket");
  return 0;
}

Text *gpu_process_received(GpuProcess *process) {
  return &process->received;
}

void gpu_process_close_socket(GpuProcess *process) {
  close_handle((uv_handle_t *)&process->socket);
}

void gpu_process_kill(GpuProcess *process) {
  if (process->kill)
    process->kill(uv_process_get_pid(&process->process));
  else
    uv_process_kill(&process->process, SIGKILL); /* fails only where it has exited already */
}

/* The process handle stays open until the exit was seen, or the kernel would keep a zombie. */
void gpu_process_abandon(GpuProcess *process) {
  process->events = (GpuProcessEvents){0};
  close_handle((uv_handle_t *)&process->socket);
  close_handle((uv_handle_t *)&process->errors);
  if (uv_is_active((uv_handle_t *)&process->process))
    gpu_process_kill(process);
  else
    close_handle((uv_handle_t *)&process->process);
}
