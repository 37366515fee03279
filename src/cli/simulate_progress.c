/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/simulate_progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH = 40, PATIENCE_MS = 500, EVERY_MS = 100 };

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void cli_simulate_progress_init(CliSimulateProgress *progress, int part_count) {
  *progress = (CliSimulateProgress){
      .is_terminal = isatty(STDERR_FILENO), .what = "", .part_count = part_count, .began_ms = now_ms()};
}

void cli_simulate_progress_begin(CliSimulateProgress *progress, const char *what, int part) {
  progress->what = what;
  progress->part = part;
}

void cli_simulate_progress_show(void *userdata, size_t done, size_t all) {
  CliSimulateProgress *progress = userdata;
  if (!progress->is_terminal)
    return;
  int64_t now = now_ms();
  if (now - progress->began_ms < PATIENCE_MS || now - progress->drawn_ms < EVERY_MS)
    return;
  char bar[WIDTH + 1];
  double share = (progress->part + (all ? (double)done / (double)all : 0)) / progress->part_count;
  for (int i = 0; i < WIDTH; i++)
    bar[i] = i < (int)(share * WIDTH) ? '#' : '.';
  bar[WIDTH] = '\0';
  fprintf(stderr, "\r[%s] %3.0f %%  run %d of %d: %s\033[K", bar, share * 100, progress->part + 1,
          progress->part_count, progress->what);
  fflush(stderr);
  progress->drawn_ms = now;
  progress->is_drawn = true;
}

void cli_simulate_progress_end(CliSimulateProgress *progress) {
  if (progress->is_drawn)
    fputs("\r\033[K", stderr);
}
