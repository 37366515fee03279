/* SPDX-License-Identifier: Apache-2.0 */
/* The libuv shell around a program: one thread, one loop, the Host's time read once per turn, signals. */
#pragma once

#include "base/error.h"
#include "base/host.h"

#include <stdbool.h>
#include <uv.h>

typedef struct CliShell {
  uv_loop_t loop;
  Host host;
  uv_signal_t signals[3]; /* SIGTERM, SIGINT, SIGHUP */
  bool stop;
  /* What the first signal asks for, instead of the end; the second one ends. May be NULL. */
  void (*on_stop)(void *userdata);
  void *stop_userdata;
  /* SIGHUP, where somebody set it before the run; else that ends the process as usual. */
  void (*on_reload)(void *userdata);
  void *reload_userdata;
  /* How long the callbacks of each turn took together. May be NULL. */
  void (*on_turn)(void *userdata, uint64_t busy_us);
  void *turn_userdata;
} CliShell;

int cli_shell_init(CliShell *shell, Error *err) MUST_CHECK;
/* Runs until SIGTERM or SIGINT, or until somebody sets `stop`. */
void cli_shell_run(CliShell *shell);
/* Ends cli_shell_run: for those who tell when they are done. shell: a CliShell. */
void cli_shell_stop(void *shell);
/* Lets the loop finish what was closed. Free all seams before. */
void cli_shell_deinit(CliShell *shell);
