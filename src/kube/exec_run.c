/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/exec_run.h"

#include "base/memory.h"
#include "kube/program.h"

#include <string.h>

enum { WORDS_SIZE_MAX = 300 /* of what it says on stderr */ };

struct KubeExecRun {
  const KubeConfig *config;
  KubeProgram *program;
  char **env;
  KubeOnExec *on_exec;
  void *userdata;
};

static void run_free(KubeExecRun *run) {
  kube_exec_free_words(run->env);
  free(run);
}

static int set_not_started(const KubeConfig *config, int number, Error *err) {
  const KubeExec *exec = config->exec;
  return error_set(err, ERROR_NOT_FOUND, "cannot run the exec plugin %s (%s): %s; %s", exec->command,
                   config->source, uv_strerror(number),
                   exec->install_hint ? exec->install_hint
                                      : "install it, or correct the command of the user's exec");
}

/* In one line: it ends up in a log. */
static int set_failed(const KubeConfig *config, const KubeProgramEnd *end, Error *err) {
  char words[WORDS_SIZE_MAX + 1];
  size_t size = end->words->size < WORDS_SIZE_MAX ? end->words->size : WORDS_SIZE_MAX;
  for (size_t i = 0; i < size; i++)
    words[i] = (unsigned char)end->words->bytes[i] < ' ' ? ' ' : end->words->bytes[i];
  while (size > 0 && words[size - 1] == ' ')
    size--;
  words[size] = '\0';
  return error_set(err, ERROR_DENIED, "the exec plugin %s (%s) ended with %s %d%s%s", config->exec->command,
                   config->source, end->fate == KUBE_PROGRAM_KILLED ? "signal" : "exit status", end->number,
                   size ? ": " : "", words);
}

static int judge(const KubeConfig *config, const KubeProgramEnd *end, KubeExecCredential *ret_credential,
                 Error *err) {
  const char *command = config->exec->command;
  switch (end->fate) {
  case KUBE_PROGRAM_NOT_STARTED:
    return set_not_started(config, end->number, err);
  case KUBE_PROGRAM_TOO_SLOW:
    return error_set(err, ERROR_TIMEOUT, "the exec plugin %s (%s) did not end within %d s", command,
                     config->source, KUBE_EXEC_MS / 1000);
  case KUBE_PROGRAM_TOO_LONG:
    return error_set(err, ERROR_LIMIT, "the exec plugin %s (%s) printed more than %d KiB", command,
                     config->source, KUBE_EXEC_OUTPUT_MAX >> 10);
  case KUBE_PROGRAM_KILLED:
  case KUBE_PROGRAM_ENDED:
    break;
  }
  if (end->fate == KUBE_PROGRAM_KILLED || end->number)
    return set_failed(config, end, err);
  return kube_exec_decode(config, text_string(end->output), end->output->size, ret_credential, err);
}

static void on_end(void *userdata, const KubeProgramEnd *end) {
  KubeExecRun *run = userdata;
  CLEANUP(kube_exec_credential_deinit) KubeExecCredential credential = {0};
  Error err;
  int result = judge(run->config, end, &credential, &err);
  KubeOnExec *on_exec = run->on_exec;
  void *owner = run->userdata;
  run_free(run);
  on_exec(owner, result < 0 ? NULL : &credential, result < 0 ? &err : NULL);
}

KubeExecRun *kube_exec_run_start(uv_loop_t *loop, const KubeConfig *config, KubeOnExec *on_exec,
                                 void *userdata) {
  KubeExecRun *run = mem_alloc(sizeof *run);
  *run = (KubeExecRun){
      .config = config, .env = kube_exec_make_env(config), .on_exec = on_exec, .userdata = userdata};
  run->program =
      kube_program_start(loop, &(KubeProgramOptions){.file = config->exec->command,
                                                     .args = (const char *const *)config->exec->args,
                                                     .env = (const char *const *)run->env,
                                                     .timeout_ms = KUBE_EXEC_MS,
                                                     .output_max = KUBE_EXEC_OUTPUT_MAX,
                                                     .on_end = on_end,
                                                     .userdata = run});
  return run;
}

void kube_exec_run_cancel(KubeExecRun *run) {
  if (!run)
    return;
  kube_program_cancel(run->program);
  run_free(run);
}

typedef struct Wait {
  KubeExecCredential *credential;
  Error *err;
  int result;
} Wait;

static void on_waited(void *userdata, const KubeExecCredential *credential, const Error *err) {
  Wait *wait = userdata;
  if (err) {
    *wait->err = *err;
    wait->result = -err->code;
    return;
  }
  *wait->credential = (KubeExecCredential){.token = mem_strdup(credential->token),
                                           .certificate = mem_strdup(credential->certificate),
                                           .key = mem_strdup(credential->key),
                                           .expires_s = credential->expires_s};
}

/* On a loop of its own, which ends when the program's last handle is closed. */
int kube_exec_run_now(const KubeConfig *config, KubeExecCredential *ret_credential, Error *err) {
  uv_loop_t loop;
  if (uv_loop_init(&loop) < 0)
    mem_fail();
  Wait wait = {.credential = ret_credential, .err = err};
  kube_exec_run_start(&loop, config, on_waited, &wait);
  uv_run(&loop, UV_RUN_DEFAULT);
  uv_loop_close(&loop);
  return wait.result;
}
