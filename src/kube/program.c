/* SPDX-License-Identifier: Apache-2.0 */
/* A process and the two pipes that it writes to, which end one by one in later turns of the loop. The end is
 * told when all three have ended, so that no byte is missing; the handles are closed one by one after that.
 */
#include "kube/program.h"

#include "base/memory.h"

#include <signal.h>

enum { OUTPUT, WORDS, PIPES };

struct KubeProgram {
  KubeProgramOptions options;
  uv_process_t process;
  uv_pipe_t pipes[PIPES];
  uv_timer_t deadline;
  bool has_process;
  int open_handles;
  int awaited; /* ends that are still to come: of the process and of the pipes */
  Text received[PIPES];
  KubeProgramFate fate;
  int number;
  bool is_over; /* told, or cancelled */
};

static void on_handle_closed(uv_handle_t *handle) {
  KubeProgram *program = handle->data;
  if (--program->open_handles > 0)
    return;
  text_deinit(&program->received[OUTPUT]);
  text_deinit(&program->received[WORDS]);
  free(program);
}

static void close_handle(uv_handle_t *handle) {
  if (!uv_is_closing(handle))
    uv_close(handle, on_handle_closed);
}

static void close_all(KubeProgram *program) {
  program->is_over = true;
  if (program->has_process && uv_is_active((uv_handle_t *)&program->process))
    uv_process_kill(&program->process, SIGKILL); /* its handle stays until it was reaped */
  else if (program->has_process)
    close_handle((uv_handle_t *)&program->process);
  for (int i = 0; i < PIPES; i++)
    close_handle((uv_handle_t *)&program->pipes[i]);
  close_handle((uv_handle_t *)&program->deadline);
}

static void tell(KubeProgram *program) {
  const KubeProgramEnd end = {.fate = program->fate,
                              .number = program->number,
                              .output = &program->received[OUTPUT],
                              .words = &program->received[WORDS]};
  program->is_over = true;
  program->options.on_end(program->options.userdata, &end);
  close_all(program);
}

static void on_one_end(KubeProgram *program) {
  if (--program->awaited == 0)
    tell(program);
}

static void kill_for(KubeProgram *program, KubeProgramFate fate) {
  if (program->fate != KUBE_PROGRAM_ENDED)
    return;
  program->fate = fate;
  uv_process_kill(&program->process, SIGKILL);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer) {
  *ret_buffer = uv_buf_init(mem_alloc(suggested), (unsigned)suggested);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer) {
  CLEANUP(cleanup_free) char *bytes = buffer->base;
  KubeProgram *program = stream->data;
  Text *received = &program->received[stream == (uv_stream_t *)&program->pipes[WORDS]];
  if (size < 0) {
    uv_read_stop(stream);
    on_one_end(program);
  } else if (received->size + (size_t)size <= program->options.output_max) {
    text_append_bytes(received, bytes, (size_t)size);
  } else {
    kill_for(program, KUBE_PROGRAM_TOO_LONG);
  }
}

static void on_exit_seen(uv_process_t *process, int64_t status, int signal_number) {
  KubeProgram *program = process->data;
  if (program->is_over) {
    close_handle((uv_handle_t *)process);
    return;
  }
  if (program->fate == KUBE_PROGRAM_ENDED) {
    program->fate = signal_number ? KUBE_PROGRAM_KILLED : KUBE_PROGRAM_ENDED;
    program->number = signal_number ? signal_number : (int)status;
  }
  on_one_end(program);
}

/* What it has started may hold the pipes open for ever: they are not waited for. */
static void on_deadline(uv_timer_t *timer) {
  KubeProgram *program = timer->data;
  if (program->fate == KUBE_PROGRAM_ENDED)
    program->fate = KUBE_PROGRAM_TOO_SLOW;
  tell(program);
}

static int spawn(KubeProgram *program, uv_loop_t *loop) {
  const uv_stdio_flags out = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
  uv_stdio_container_t stdio[] = {{.flags = UV_IGNORE},
                                  {.flags = out, .data.stream = (uv_stream_t *)&program->pipes[OUTPUT]},
                                  {.flags = out, .data.stream = (uv_stream_t *)&program->pipes[WORDS]}};
  uv_process_options_t options = {.file = program->options.file,
                                  .args = (char **)program->options.args,
                                  .env = (char **)program->options.env,
                                  .stdio = stdio,
                                  .stdio_count = COUNT_OF(stdio),
                                  .exit_cb = on_exit_seen};
  program->has_process = true;
  program->open_handles++;
  int r = uv_spawn(loop, &program->process, &options);
  for (int i = 0; r == 0 && i < PIPES; i++)
    r = uv_read_start((uv_stream_t *)&program->pipes[i], on_alloc, on_read);
  return r;
}

KubeProgram *kube_program_start(uv_loop_t *loop, const KubeProgramOptions *options) {
  KubeProgram *program = mem_alloc(sizeof *program);
  program->options = *options;
  program->open_handles = 3;
  for (int i = 0; i < PIPES; i++)
    uv_pipe_init(loop, &program->pipes[i], 0);
  uv_timer_init(loop, &program->deadline);
  program->process.data = program->pipes[OUTPUT].data = program->pipes[WORDS].data = program->deadline.data =
      program;
  program->awaited = 1 + PIPES;
  int r = spawn(program, loop);
  if (r < 0) {
    program->fate = KUBE_PROGRAM_NOT_STARTED;
    program->number = r;
  }
  uv_timer_start(&program->deadline, on_deadline, r < 0 ? 0 : options->timeout_ms, 0);
  return program;
}

void kube_program_cancel(KubeProgram *program) {
  if (program)
    close_all(program);
}
