/* SPDX-License-Identifier: Apache-2.0 */
/* Each question is a run of its own: the program's process and the two pipes that it writes to, which close
 * one by one in later turns of the loop. The run outlives the source where it must. A file is read at once,
 * but answered from the loop, too: by a run without a process.
 *
 * The answer is given when the process has ended and both pipes are at their end, so that no byte is missing.
 */
#include "cli/cdi_source.h"

#include "base/memory.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

enum { RUN_MS_MAX = 60000, WORDS_SIZE_MAX = 300 };

typedef struct Run {
  CliCdiSource *source; /* NULL: nobody waits any more */
  bool has_process;
  uv_process_t process;
  uv_pipe_t pipes[2]; /* its stdout and stderr */
  uv_timer_t deadline;
  int open_handles;
  int awaited; /* ends that are still to come: of the process and of the pipes */
  Text received[2];
  Error err; /* code 0: all is well */
} Run;

struct CliCdiSource {
  AgentCdiSource seam; /* first: the seam's pointer is the source's */
  uv_loop_t *loop;
  char *file, *program;
  Run *run; /* NULL: nothing was asked */
  AgentOnCdiEdits *on_edits;
  void *userdata;
};

static void on_handle_closed(uv_handle_t *handle) {
  Run *run = handle->data;
  if (--run->open_handles > 0)
    return;
  text_deinit(&run->received[0]);
  text_deinit(&run->received[1]);
  free(run);
}

static void close_handle(uv_handle_t *handle) {
  if (!uv_is_closing(handle))
    uv_close(handle, on_handle_closed);
}

static void close_run(Run *run) {
  if (run->has_process && uv_is_active((uv_handle_t *)&run->process))
    uv_process_kill(&run->process, SIGKILL); /* its handle stays until it was reaped */
  else if (run->has_process)
    close_handle((uv_handle_t *)&run->process);
  close_handle((uv_handle_t *)&run->pipes[0]);
  close_handle((uv_handle_t *)&run->pipes[1]);
  close_handle((uv_handle_t *)&run->deadline);
}

static void answer(Run *run) {
  CliCdiSource *source = run->source;
  run->source = NULL;
  if (source) {
    source->run = NULL;
    source->on_edits(source->userdata, run->err.code ? NULL : text_string(&run->received[0]),
                     run->err.code ? &run->err : NULL);
  }
  close_run(run);
}

static void on_end(Run *run) {
  if (--run->awaited == 0)
    answer(run);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer) {
  *ret_buffer = uv_buf_init(mem_alloc(suggested), (unsigned)suggested);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer) {
  CLEANUP(cleanup_free) char *bytes = buffer->base;
  Run *run = stream->data;
  Text *received = &run->received[stream == (uv_stream_t *)&run->pipes[1]];
  if (size < 0) {
    uv_read_stop(stream);
    on_end(run);
  } else if (received->size + (size_t)size <= AGENT_CDI_EDITS_MAX) {
    text_append_bytes(received, bytes, (size_t)size);
  } else if (!run->err.code) {
    (void)error_set(&run->err, ERROR_LIMIT, "nvidia-ctk wrote more than %d bytes", AGENT_CDI_EDITS_MAX);
    uv_process_kill(&run->process, SIGKILL);
  }
}

static void on_exit_seen(uv_process_t *process, int64_t status, int signal_number) {
  Run *run = process->data;
  if (!run->source) {
    close_handle((uv_handle_t *)process);
    return;
  }
  const Text *words = &run->received[1];
  size_t size = words->size;
  while (size > 0 && words->bytes[size - 1] <= ' ')
    size--;
  if (!run->err.code && (status || signal_number))
    (void)error_set(&run->err, ERROR_IO, "`%s cdi generate --format=json` ended with %s %d: %.*s",
                    run->source->program, signal_number ? "signal" : "exit status",
                    signal_number ? signal_number : (int)status,
                    (int)(size < WORDS_SIZE_MAX ? size : WORDS_SIZE_MAX), text_string(words));
  on_end(run);
}

static void on_deadline(uv_timer_t *timer) {
  Run *run = timer->data;
  (void)error_set(&run->err, ERROR_TIMEOUT, "`%s cdi generate` did not end within %d s", run->source->program,
                  RUN_MS_MAX / 1000);
  uv_process_kill(&run->process, SIGKILL);
}

static Run *run_new(CliCdiSource *source) {
  Run *run = mem_alloc(sizeof *run);
  run->source = source;
  run->open_handles = 3;
  uv_pipe_init(source->loop, &run->pipes[0], 0);
  uv_pipe_init(source->loop, &run->pipes[1], 0);
  uv_timer_init(source->loop, &run->deadline);
  run->process.data = run->pipes[0].data = run->pipes[1].data = run->deadline.data = run;
  return run;
}

static void on_ready(uv_timer_t *timer) {
  answer(timer->data);
}

static int spawn(Run *run) {
  CliCdiSource *source = run->source;
  const uv_stdio_flags out = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
  uv_stdio_container_t stdio[] = {{.flags = UV_IGNORE},
                                  {.flags = out, .data.stream = (uv_stream_t *)&run->pipes[0]},
                                  {.flags = out, .data.stream = (uv_stream_t *)&run->pipes[1]}};
  const char *arguments[] = {source->program, "cdi", "generate", "--format=json", NULL};
  uv_process_options_t options = {.file = source->program,
                                  .args = (char **)arguments,
                                  .stdio = stdio,
                                  .stdio_count = COUNT_OF(stdio),
                                  .exit_cb = on_exit_seen};
  run->has_process = true;
  run->open_handles++;
  int r = uv_spawn(source->loop, &run->process, &options);
  for (int i = 0; r == 0 && i < 2; i++)
    r = uv_read_start((uv_stream_t *)&run->pipes[i], on_alloc, on_read);
  return r;
}

static void start_program(Run *run) {
  int r = spawn(run);
  if (r == 0) {
    run->awaited = 3;
    uv_timer_start(&run->deadline, on_deadline, RUN_MS_MAX, 0);
    return;
  }
  (void)error_set(&run->err, ERROR_IO,
                  "cannot run %s: %s; name the program with --nvidia-ctk, or its output with --cdi-edits",
                  run->source->program, uv_strerror(r));
  uv_timer_start(&run->deadline, on_ready, 0, 0);
}

static void read_file(Run *run) {
  const char *path = run->source->file;
  CLEANUP(cleanup_fclose) FILE *file = fopen(path, "re");
  char chunk[4096];
  size_t size;
  if (!file)
    (void)error_set_errno(&run->err, ERROR_IO, errno, "reading the CDI edits %s", path);
  while (file && (size = fread(chunk, 1, sizeof chunk, file)) > 0 &&
         run->received[0].size <= AGENT_CDI_EDITS_MAX)
    text_append_bytes(&run->received[0], chunk, size);
  if (run->received[0].size > AGENT_CDI_EDITS_MAX)
    (void)error_set(&run->err, ERROR_LIMIT, "the CDI edits %s have more than %d bytes", path,
                    AGENT_CDI_EDITS_MAX);
  uv_timer_start(&run->deadline, on_ready, 0, 0);
}

static void ask(AgentCdiSource *seam, AgentOnCdiEdits *on_edits, void *userdata) {
  CliCdiSource *source = (CliCdiSource *)seam;
  source->on_edits = on_edits;
  source->userdata = userdata;
  source->run = run_new(source);
  if (source->file)
    read_file(source->run);
  else
    start_program(source->run);
}

static void cancel(AgentCdiSource *seam) {
  CliCdiSource *source = (CliCdiSource *)seam;
  if (!source->run)
    return;
  source->run->source = NULL;
  close_run(TAKE(source->run));
}

CliCdiSource *cli_cdi_source_new(uv_loop_t *loop, const char *file, const char *program) {
  CliCdiSource *source = mem_alloc(sizeof *source);
  *source = (CliCdiSource){.seam = {.ask = ask, .cancel = cancel},
                           .loop = loop,
                           .file = mem_strdup(file),
                           .program = mem_strdup(program)};
  return source;
}

AgentCdiSource *cli_cdi_source_seam(CliCdiSource *source) {
  return &source->seam;
}

void cli_cdi_source_free(CliCdiSource *source) {
  cancel(&source->seam);
  free(source->file);
  free(source->program);
  free(source);
}
