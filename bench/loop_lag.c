/* SPDX-License-Identifier: Apache-2.0 */
/* How long something that becomes ready has to wait until a program's event loop looks at it.
 * Preloaded into the program as it is; sees when the loop leaves poll() and when it is back. Each millisecond
 * counts as an arrival: one while the loop waits is seen at once, one while it works waits for the rest of
 * the work. By the clock, and by the processor time of the thread, which others on the machine do not
 * lengthen. Appends a line of JSON to $LOOP_LAG_FILE every ten seconds.
 *
 *     LD_PRELOAD=loop_lag.so LOOP_LAG_FILE=lag.jsonl facet controller */
#include <dlfcn.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SPAN_MS = 10000, BUCKETS = 20000, BUCKET_US = 100, ARRIVAL_US = 1000 };

typedef struct Lags {
  uint32_t counts[BUCKETS]; /* by tenths of a millisecond; the last holds all that are longer */
  uint64_t arrivals, longest_us;
  uint64_t early_us; /* from the last arrival to now */
} Lags;

static Lags by_clock, by_processor;
static uint64_t returned_us, returned_cpu_us, written_us;

static uint64_t read_us(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* The loop did nothing but wait. */
static void count_waiting(Lags *lags, uint64_t us) {
  lags->early_us += us;
  lags->counts[0] += (uint32_t)(lags->early_us / ARRIVAL_US);
  lags->arrivals += lags->early_us / ARRIVAL_US;
  lags->early_us %= ARRIVAL_US;
}

static void count_work(Lags *lags, uint64_t us) {
  uint64_t at_us = ARRIVAL_US - lags->early_us; /* into the work, of the next arrival */
  for (; at_us <= us; at_us += ARRIVAL_US) {
    size_t bucket = (us - at_us) / BUCKET_US;
    lags->counts[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    lags->arrivals++;
  }
  lags->early_us = us + ARRIVAL_US - at_us;
  if (us > lags->longest_us)
    lags->longest_us = us;
}

static double quantile_ms(const Lags *lags, double part) {
  uint64_t wanted = (uint64_t)((double)lags->arrivals * part), seen = 0;
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
          "{\"arrivals\": %llu, \"p50_ms\": %.1f, \"p99_ms\": %.1f, \"max_ms\": %.1f, \"cpu_p99_ms\": %.1f, "
          "\"cpu_max_ms\": %.1f}\n",
          (unsigned long long)by_clock.arrivals, quantile_ms(&by_clock, 0.5), quantile_ms(&by_clock, 0.99),
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
    count_work(&by_clock, now_us - returned_us);
    count_work(&by_processor, read_us(CLOCK_THREAD_CPUTIME_ID) - returned_cpu_us);
  }
  if (now_us - written_us >= (uint64_t)SPAN_MS * 1000) {
    if (written_us)
      write_line();
    written_us = now_us;
  }
  int result = real(fds, fd_count, timeout_ms);
  returned_us = read_us(CLOCK_MONOTONIC);
  count_waiting(&by_clock, returned_us - now_us);
  count_waiting(&by_processor, returned_us - now_us);
  returned_cpu_us = read_us(CLOCK_THREAD_CPUTIME_ID);
  return result;
}
