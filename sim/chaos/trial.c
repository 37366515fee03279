/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/chaos/trial.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static ChaosWorld *aborted; /* what a signal handler can tell of */

static void on_abort(int number) {
  (void)!write(STDERR_FILENO, aborted->timeline.bytes, aborted->timeline.size);
}

static void count_strikes(const ChaosWorld *world, ChaosOutcome *outcome) {
  const ChaosHistory *history = world->history;
  for (size_t i = 0; i < history->steps.count; i++)
    if (!world->checker || world->began_ms + history->steps.items[i].at_ms <= world->cluster->host.now_ms)
      outcome->strikes[history->steps.items[i].fault]++;
}

static void describe(const ChaosWorld *world, ChaosOutcome *ret_outcome) {
  *ret_outcome = (ChaosOutcome){.failed = world->checker != NULL, .counts = world->counts};
  if (!world->cluster)
    return;
  ret_outcome->at_ms = world->cluster->host.now_ms - world->began_ms;
  count_strikes(world, ret_outcome);
  snprintf(ret_outcome->checker, sizeof ret_outcome->checker, "%s", world->checker ? world->checker : "");
  snprintf(ret_outcome->why, sizeof ret_outcome->why, "%s", world->failure.text);
}

static _Noreturn void play(const ChaosHistory *history, ChaosTelling telling, int out_fd) {
  ChaosWorld world;
  ChaosOutcome outcome;
  const struct rlimit limit = {.rlim_cur = CHAOS_TRIAL_SECONDS, .rlim_max = CHAOS_TRIAL_SECONDS + 5};
  setrlimit(RLIMIT_CPU, &limit);
  int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (telling == CHAOS_TELL_NOTHING)
    dup2(null_fd, STDERR_FILENO);
  aborted = &world;
  signal(SIGABRT, on_abort);
  chaos_world_play(&world, history, telling == CHAOS_TELL_ALL);
  describe(&world, &outcome);
  if (telling == CHAOS_TELL_ALL || (outcome.failed && telling == CHAOS_TELL_FAILURE))
    fprintf(stderr, "%s", text_string(&world.timeline));
  if (!outcome.failed)
    chaos_world_deinit(&world);
  fflush(stderr);
  ssize_t written = write(out_fd, &outcome, sizeof outcome);
  _exit(written == (ssize_t)sizeof outcome ? 0 : 1);
}

static void note_crash(int status, ChaosOutcome *ret_outcome) {
  *ret_outcome = (ChaosOutcome){.failed = true, .checker = "crash"};
  if (WIFSIGNALED(status))
    snprintf(ret_outcome->why, sizeof ret_outcome->why, "the process died: %s", strsignal(WTERMSIG(status)));
  else
    snprintf(ret_outcome->why, sizeof ret_outcome->why, "the process ended with status %d",
             WEXITSTATUS(status));
}

int chaos_trial_run(const ChaosHistory *history, ChaosTelling telling, ChaosOutcome *ret_outcome,
                    Error *err) {
  int fds[2], status = 0;
  if (pipe(fds) < 0)
    return error_set_errno(err, ERROR_IO, errno, "pipe");
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    close(fds[0]);
    play(history, telling, fds[1]);
  }
  close(fds[1]);
  CLEANUP(cleanup_close) int in_fd = fds[0];
  if (child < 0)
    return error_set_errno(err, ERROR_IO, errno, "fork");
  ssize_t got = read(in_fd, ret_outcome, sizeof *ret_outcome);
  while (waitpid(child, &status, 0) < 0)
    assert(errno == EINTR);
  if (got != (ssize_t)sizeof *ret_outcome || status != 0)
    note_crash(status, ret_outcome);
  return 0;
}
