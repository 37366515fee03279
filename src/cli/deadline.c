/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/deadline.h"

#include <time.h>

static int64_t read_clock_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void begin(void *userdata) {
  CliDeadline *deadline = userdata;
  deadline->end_ms = read_clock_ms() + deadline->budget_ms;
}

static bool is_late(void *userdata) {
  const CliDeadline *deadline = userdata;
  return read_clock_ms() >= deadline->end_ms;
}

PlanClock cli_deadline_clock(CliDeadline *deadline) {
  return (PlanClock){.begin = begin, .is_late = is_late, .userdata = deadline};
}
