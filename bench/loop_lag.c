/* SPDX-License-Identifier: Apache-2.0 */
/* How long a program's event loop is away from poll(): what anything that becomes ready has to wait for at
 * most. Preloaded into the program as it is; counts the time between two calls of poll(), by the clock and by
 * the processor time of the thread (which others on the machine do not lengthen), and appends a line of JSON
 * to $LOOP_LAG_FILE every ten seconds.
 *
 *     LD_PRELOAD=loop_lag.so LOOP_LAG_FILE=lag.jsonl facet controller */
#include <dlfcn.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SPAN_MS = 10000, BUCKETS = 20000, BUCKET_US = 100 };

typedef struct Lags {
  uint32_t counts[BUCKETS]; /* by tenths of a millisecond; the last holds all that are longer */
  uint64_t turns, longest_us;
} Lags;

static Lags by_clock, by_processor;
static uint64_t returned_us, returned_cpu_us, written_us;

static uint64_t read_us(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void count(Lags *lags, uint64_t us) {
  size_t bucket = us / BUCKET_US;
  lags->counts[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
  lags->turns++;
  if (us > lags->longest_us)
    lags->longest_us = us;
}

static double quantile_ms(const Lags *lags, double part) {
  uint64_t wanted = (uint64_t)((double)lags->turns * part), seen = 0;
  for (size_t i = 0; i < BUCKETS; i++) {
    seen += lags->counts[i];
    if (seen > wanted)
      return (double)(i + 1) * BUCKET_US / 1000;
  }
  return 0;
}

static void write_line(void) {
  const char *path = getenv("LOOP_LAG_FILE");
  FILE *file = path ? fopen(path, "ae") : NULL;
  if (!file)
    return;
  fprintf(file,
          "{\"turns\": %llu, \"p50_ms\": %.1f, \"p99_ms\": %.1f, \"max_ms\": %.1f, \"cpu_p99_ms\": %.1f, "
          "\"cpu_max_ms\": %.1f}\n",
          (unsigned long long)by_clock.turns, quantile_ms(&by_clock, 0.5), quantile_ms(&by_clock, 0.99),
          (double)by_clock.longest_us / 1000, quantile_ms(&by_processor, 0.99),
          (double)by_processor.longest_us / 1000);
  fclose(file);
  memset(&by_clock, 0, sizeof by_clock);
  memset(&by_processor, 0, sizeof by_processor);
}

__attribute__((visibility("default"))) int poll(struct pollfd *fds, nfds_t fd_count, int timeout_ms) {
  static int (*real)(struct pollfd *, nfds_t, int);
  if (!real)
    *(void **)&real = dlsym(RTLD_NEXT, "poll");
  uint64_t now_us = read_us(CLOCK_MONOTONIC);
  if (returned_us) {
    count(&by_clock, now_us - returned_us);
    count(&by_processor, read_us(CLOCK_THREAD_CPUTIME_ID) - returned_cpu_us);
  }
  if (now_us - written_us >= (uint64_t)SPAN_MS * 1000) {
    if (written_us)
      write_line();
    written_us = now_us;
  }
  int result = real(fds, fd_count, timeout_ms);
  returned_us = read_us(CLOCK_MONOTONIC);
  returned_cpu_us = read_us(CLOCK_THREAD_CPUTIME_ID);
  return result;
}
