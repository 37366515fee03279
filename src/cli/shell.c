/* SPDX-License-Identifier: Apache-2.0 */
/* The loop waits outside of libuv, on its backend descriptor, so that the clock is read exactly once per turn
 * and before any callback runs:
 *
 *     wait (descriptor or next timer) -> read the clock -> libuv callbacks -> the Host's timers -> again */
#include "cli/shell.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sys/random.h>
#include <time.h>

enum { CLOSING_MS_MAX = 1000, CLOSING_WAIT_MS = 10 };

static int64_t wall_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void read_clock(CliShell *shell) {
  uv_update_time(&shell->loop);
  host_advance(&shell->host, uv_now(&shell->loop), wall_ms());
}

static int next_wait_ms(const CliShell *shell) {
  int wait_ms = uv_backend_timeout(&shell->loop); /* -1: for ever */
  uint64_t next_ms = host_next_ms(&shell->host);
  if (next_ms == HOST_NEVER)
    return wait_ms;
  uint64_t ours_ms = next_ms > shell->host.now_ms ? next_ms - shell->host.now_ms : 0;
  if (wait_ms >= 0 && (uint64_t)wait_ms < ours_ms)
    return wait_ms;
  return ours_ms < INT32_MAX ? (int)ours_ms : INT32_MAX;
}

static void on_signal(uv_signal_t *handle, int number) {
  CliShell *shell = handle->data;
  void (*on_stop)(void *userdata) = shell->on_stop;
  log_info("shell", "stopping", "signal=%d", number);
  shell->on_stop = NULL;
  if (on_stop)
    on_stop(shell->stop_userdata);
  else
    shell->stop = true;
}

static void on_hangup(uv_signal_t *handle, int number) {
  CliShell *shell = handle->data;
  shell->on_reload(shell->reload_userdata);
}

int cli_shell_init(CliShell *shell, Error *err) {
  static const int numbers[] = {SIGTERM, SIGINT};
  *shell = (CliShell){0};
  int r = uv_loop_init(&shell->loop);
  if (r < 0)
    return error_set(err, ERROR_IO, "cannot make an event loop: %s", uv_strerror(r));
  uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
    seed = (uint64_t)wall_ms();
  host_init(&shell->host, seed);
  read_clock(shell);
  signal(SIGPIPE, SIG_IGN);
  for (size_t i = 0; i < COUNT_OF(shell->signals); i++) {
    uv_signal_init(&shell->loop, &shell->signals[i]);
    shell->signals[i].data = shell;
  }
  for (size_t i = 0; i < COUNT_OF(numbers); i++)
    uv_signal_start(&shell->signals[i], on_signal, numbers[i]);
  return 0;
}

static void turn(CliShell *shell, int wait_ms) {
  struct pollfd backend = {.fd = uv_backend_fd(&shell->loop), .events = POLLIN};
  if (poll(&backend, 1, wait_ms) < 0 && errno != EINTR)
    log_error("shell", "poll failed", "errno=%d", errno);
  uint64_t began_ns = uv_hrtime();
  read_clock(shell);
  uv_run(&shell->loop, UV_RUN_NOWAIT);
  host_run_timers(&shell->host);
  if (shell->on_turn)
    shell->on_turn(shell->turn_userdata, (uv_hrtime() - began_ns) / 1000);
}

void cli_shell_run(CliShell *shell) {
  if (shell->on_reload)
    uv_signal_start(&shell->signals[COUNT_OF(shell->signals) - 1], on_hangup, SIGHUP);
  while (!shell->stop)
    turn(shell, next_wait_ms(shell));
}

void cli_shell_stop(void *shell) {
  ((CliShell *)shell)->stop = true;
}

void cli_shell_deinit(CliShell *shell) {
  if (!shell->signals[0].loop) /* it never came to life */
    return;
  for (size_t i = 0; i < COUNT_OF(shell->signals); i++)
    uv_close((uv_handle_t *)&shell->signals[i], NULL);
  /* A killed worker, for example, is gone only when the kernel says so. */
  for (int waited_ms = 0; waited_ms < CLOSING_MS_MAX && uv_loop_alive(&shell->loop);
       waited_ms += CLOSING_WAIT_MS)
    turn(shell, CLOSING_WAIT_MS);
  if (uv_loop_close(&shell->loop) < 0)
    log_warn("shell", "the event loop still had open handles", "%s", "");
  host_deinit(&shell->host);
}
