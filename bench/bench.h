/* SPDX-License-Identifier: Apache-2.0 */
/* What benchmarks share: clocks, medians, and work in a child process whose memory can be told apart. */
#pragma once

#include "base/memory.h"

#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

enum { BENCH_RUNS_MAX = 15 };

static inline double bench_now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* What this process used of a processor: the same on a busy machine, as long as nothing waits. */
static inline double bench_cpu_s(void) {
  struct timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static inline int bench_compare(const void *a, const void *b) {
  double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

/* Sorts the values. */
static inline double bench_median(double *values, int count) {
  qsort(values, (size_t)count, sizeof *values, bench_compare);
  return values[count / 2];
}

typedef struct BenchResult {
  double seconds; /* of processor time */
  int64_t count;  /* whatever the work counts */
  long peak_kib;  /* resident memory at its peak, that of the parent at the fork included */
} BenchResult;

/* Runs the work in a child. The process ends where the child fails. */
static inline BenchResult bench_in_child(int64_t (*work)(const void *userdata), const void *userdata) {
  BenchResult result = {0};
  int ends[2];
  if (pipe(ends) < 0)
    exit(1);
  pid_t child = fork();
  if (child == 0) {
    double began = bench_cpu_s();
    result.count = work(userdata);
    result.seconds = bench_cpu_s() - began;
    _exit(write(ends[1], &result, sizeof result) == (ssize_t)sizeof result ? 0 : 1);
  }
  close(ends[1]);
  int status = 1;
  struct rusage usage;
  if (child < 0 || read(ends[0], &result, sizeof result) != (ssize_t)sizeof result ||
      wait4(child, &status, 0, &usage) != child || status != 0) {
    fprintf(stderr, "a benchmark's child process failed\n");
    exit(1);
  }
  close(ends[0]);
  result.peak_kib = usage.ru_maxrss;
  return result;
}
