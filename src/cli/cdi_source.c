/* SPDX-License-Identifier: Apache-2.0 */
/* A program's output is taken from a run of it (kube/program.h). A file is read at once, but answered from
 * the loop, too: its answer outlives the source where it must. */
#include "cli/cdi_source.h"

#include "base/memory.h"
#include "kube/program.h"

#include <errno.h>

enum { RUN_MS_MAX = 60000, WORDS_SIZE_MAX = 300 };

typedef struct FileAnswer {
  CliCdiSource *source;
  uv_timer_t timer; /* fires at once, unless the source was cancelled */
  Text text;
  Error err; /* code 0: all is well */
} FileAnswer;

struct CliCdiSource {
  AgentCdiSource seam; /* first: the seam's pointer is the source's */
  uv_loop_t *loop;
  char *file, *program;
  FileAnswer *answer; /* these two NULL: nothing was asked */
  KubeProgram *run;
  AgentOnCdiEdits *on_edits;
  void *userdata;
};

/* ---- a program ---- */

static int set_failed(const CliCdiSource *source, const KubeProgramEnd *end, Error *err) {
  size_t size = end->words->size;
  while (size > 0 && end->words->bytes[size - 1] <= ' ')
    size--;
  return error_set(err, ERROR_IO, "`%s cdi generate --format=json` ended with %s %d: %.*s", source->program,
                   end->fate == KUBE_PROGRAM_KILLED ? "signal" : "exit status", end->number,
                   (int)(size < WORDS_SIZE_MAX ? size : WORDS_SIZE_MAX), text_string(end->words));
}

static int judge(const CliCdiSource *source, const KubeProgramEnd *end, Error *err) {
  switch (end->fate) {
  case KUBE_PROGRAM_NOT_STARTED:
    return error_set(err, ERROR_IO,
                     "cannot run %s: %s; name the program with --nvidia-ctk, or its output with --cdi-edits",
                     source->program, uv_strerror(end->number));
  case KUBE_PROGRAM_TOO_SLOW:
    return error_set(err, ERROR_TIMEOUT, "`%s cdi generate` did not end within %d s", source->program,
                     RUN_MS_MAX / 1000);
  case KUBE_PROGRAM_TOO_LONG:
    return error_set(err, ERROR_LIMIT, "nvidia-ctk wrote more than %d bytes", AGENT_CDI_EDITS_MAX);
  case KUBE_PROGRAM_KILLED:
  case KUBE_PROGRAM_ENDED:
    break;
  }
  return end->fate == KUBE_PROGRAM_KILLED || end->number ? set_failed(source, end, err) : 0;
}

static void on_end(void *userdata, const KubeProgramEnd *end) {
  CliCdiSource *source = userdata;
  Error err;
  int r = judge(source, end, &err);
  source->run = NULL;
  source->on_edits(source->userdata, r < 0 ? NULL : text_string(end->output), r < 0 ? &err : NULL);
}

static void start_program(CliCdiSource *source) {
  const char *arguments[] = {source->program, "cdi", "generate", "--format=json", NULL};
  source->run = kube_program_start(source->loop, &(KubeProgramOptions){.file = source->program,
                                                                       .args = arguments,
                                                                       .timeout_ms = RUN_MS_MAX,
                                                                       .output_max = AGENT_CDI_EDITS_MAX,
                                                                       .on_end = on_end,
                                                                       .userdata = source});
}

/* ---- a file ---- */

static void on_answer_closed(uv_handle_t *handle) {
  FileAnswer *answer = handle->data;
  text_deinit(&answer->text);
  free(answer);
}

static void on_ready(uv_timer_t *timer) {
  FileAnswer *answer = timer->data;
  CliCdiSource *source = answer->source;
  source->answer = NULL;
  source->on_edits(source->userdata, answer->err.code ? NULL : text_string(&answer->text),
                   answer->err.code ? &answer->err : NULL);
  uv_close((uv_handle_t *)timer, on_answer_closed);
}

static void read_file(CliCdiSource *source) {
  const char *path = source->file;
  FileAnswer *answer = mem_alloc(sizeof *answer);
  answer->source = source;
  answer->timer.data = answer;
  source->answer = answer;
  CLEANUP(cleanup_fclose) FILE *file = fopen(path, "re");
  char chunk[4096];
  size_t size;
  if (!file)
    (void)error_set_errno(&answer->err, ERROR_IO, errno, "reading the CDI edits %s", path);
  while (file && (size = fread(chunk, 1, sizeof chunk, file)) > 0 && answer->text.size <= AGENT_CDI_EDITS_MAX)
    text_append_bytes(&answer->text, chunk, size);
  if (answer->text.size > AGENT_CDI_EDITS_MAX)
    (void)error_set(&answer->err, ERROR_LIMIT, "the CDI edits %s have more than %d bytes", path,
                    AGENT_CDI_EDITS_MAX);
  uv_timer_init(source->loop, &answer->timer);
  uv_timer_start(&answer->timer, on_ready, 0, 0);
}

/* ---- the seam ---- */

static void ask(AgentCdiSource *seam, AgentOnCdiEdits *on_edits, void *userdata) {
  CliCdiSource *source = (CliCdiSource *)seam;
  source->on_edits = on_edits;
  source->userdata = userdata;
  if (source->file)
    read_file(source);
  else
    start_program(source);
}

static void cancel(AgentCdiSource *seam) {
  CliCdiSource *source = (CliCdiSource *)seam;
  kube_program_cancel(TAKE(source->run));
  if (source->answer)
    uv_close((uv_handle_t *)&TAKE(source->answer)->timer, on_answer_closed);
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
