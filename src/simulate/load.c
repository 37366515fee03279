/* SPDX-License-Identifier: Apache-2.0 */
/* Three random streams, one for profiles, one for arrivals, one for lifetimes: whoever changes the arrivals
 * compares the same jobs. */
#include "simulate/load.h"

#include "base/real.h"
#include "base/text.h"
#include "mig/scan.h"
#include "simulate/chance.h"

#include <math.h>

enum { DURATION_MIN_MS = 1 };

void simulate_load_deinit(SimulateLoad *load) {
  array_deinit(&load->classes);
  array_deinit(&load->jobs);
  *load = (SimulateLoad){0};
}

int simulate_load_kind(SimulateLoad *load, const char *profile) {
  for (int i = 0; i < load->kind_count; i++)
    if (strcmp(load->kinds[i], profile) == 0)
      return i;
  if (load->kind_count == SIMULATE_KINDS_MAX)
    return -1;
  snprintf(load->kinds[load->kind_count], MIG_PROFILE_NAME_SIZE, "%s", profile);
  return load->kind_count++;
}

int simulate_load_class(SimulateLoad *load, int kind, int count) {
  for (size_t i = 0; i < load->classes.count; i++)
    if (load->classes.items[i].kind == kind && load->classes.items[i].count == count)
      return (int)i;
  if (load->classes.count == SIMULATE_CLASSES_MAX)
    return -1;
  *array_push(&load->classes) = (SimulateClass){.kind = kind, .count = count};
  return (int)load->classes.count - 1;
}

/* Merge sort: qsort() may exchange equals. */
static void sort_range(SimulateJob *jobs, SimulateJob *scratch, size_t count) {
  if (count < 2)
    return;
  size_t half = count / 2, left = 0, right = half;
  sort_range(jobs, scratch, half);
  sort_range(jobs + half, scratch, count - half);
  for (size_t i = 0; i < count; i++) {
    bool take_left = right == count || (left < half && jobs[left].arrival_ms <= jobs[right].arrival_ms);
    scratch[i] = take_left ? jobs[left++] : jobs[right++];
  }
  memcpy(jobs, scratch, count * sizeof *jobs);
}

void simulate_load_sort(SimulateLoad *load) {
  CLEANUP(cleanup_free) SimulateJob *scratch = mem_alloc((load->jobs.count + 1) * sizeof *scratch);
  sort_range(load->jobs.items, scratch, load->jobs.count);
}

/* ---- the mix ---- */

static int refuse_mix(const char *text, Error *err) {
  return error_set(
      err, ERROR_INVALID,
      "--mix wants profiles with weights or counts, such as 1g.10gb=40,3g.40gb=7, not \"%.200s\"", text);
}

static int parse_weight(MigPiece piece, const char *equals, double *ret_weight, Error *err) {
  char text[MIG_EXCERPT_SIZE];
  char *end;
  snprintf(text, sizeof text, "%.*s", (int)(piece.text + piece.size - equals - 1), equals + 1);
  double weight = strtod(text, &end);
  if (end == text || *end || !isfinite(weight) || weight < 0 || weight > 1e9)
    return error_set(err, ERROR_INVALID, "--mix: %.*s: \"%s\" is no weight from 0 to a thousand million",
                     (int)(equals - piece.text), piece.text, text);
  *ret_weight = weight;
  return 0;
}

static int add_to_mix(SimulateMix *mix, MigPiece piece, const char *whole, Error *err) {
  char name[MIG_PROFILE_NAME_SIZE], key[MIG_PROFILE_NAME_SIZE], profile[MIG_PROFILE_NAME_SIZE];
  const char *equals = memchr(piece.text, '=', piece.size);
  if (!equals || equals == piece.text || !piece.size)
    return refuse_mix(whole, err);
  MigPiece left = {.text = piece.text, .size = (size_t)(equals - piece.text)};
  bool fits = mig_scan_copy(left, name, sizeof name);
  if (fits)
    mig_profile_format_key(name, key);
  if (!fits || mig_profile_parse_key(key, profile, err) < 0)
    return error_set(err, ERROR_INVALID, "--mix: \"%.*s\" is no MIG profile such as 1g.10gb", (int)left.size,
                     left.text);
  for (int i = 0; i < mix->count; i++)
    if (strcmp(mix->profiles[i], profile) == 0)
      return error_set(err, ERROR_INVALID, "--mix names %s twice", profile);
  if (mix->count == SIMULATE_KINDS_MAX)
    return error_set(err, ERROR_LIMIT, "--mix has more than %d profiles", SIMULATE_KINDS_MAX);
  memcpy(mix->profiles[mix->count], profile, sizeof profile);
  return parse_weight(piece, equals, &mix->weights[mix->count++], err);
}

int simulate_mix_parse(const char *text, SimulateMix *ret_mix, Error *err) {
  SimulateMix mix = {0};
  MigPiece piece;
  for (const char *rest = mig_scan_begin(text); mig_scan_piece(&rest, ',', &piece);) {
    int result = add_to_mix(&mix, piece, text, err);
    if (result < 0)
      return result;
  }
  if (simulate_mix_total(&mix) <= 0)
    return refuse_mix(text, err);
  *ret_mix = mix;
  return 0;
}

double simulate_mix_total(const SimulateMix *mix) {
  double total = 0;
  for (int i = 0; i < mix->count; i++)
    total += mix->weights[i];
  return total;
}

/* ---- jobs ---- */

static int draw_profile(Random *random, const SimulateMix *mix) {
  double left = simulate_chance_uniform(random) * simulate_mix_total(mix);
  int last = 0;
  for (int i = 0; i < mix->count; i++) {
    if (mix->weights[i] <= 0)
      continue;
    last = i;
    if (left < mix->weights[i])
      return i;
    left -= mix->weights[i];
  }
  return last; /* rounding only */
}

static int64_t draw_duration(Random *random, const SimulateSynthetic *synthetic) {
  double duration = synthetic->duration_ms;
  if (synthetic->lifetime == SIMULATE_LOGNORMAL)
    duration *= real_exp(synthetic->duration_sigma * simulate_chance_normal(random));
  else if (synthetic->lifetime == SIMULATE_EXPONENTIAL)
    duration = simulate_chance_exponential(random, duration);
  double most = (double)SIMULATE_TIME_MAX_S * 1000;
  return duration < DURATION_MIN_MS ? DURATION_MIN_MS : duration > most ? (int64_t)most : (int64_t)duration;
}

double simulate_synthetic_mean_duration_ms(const SimulateSynthetic *synthetic) {
  double sigma = synthetic->duration_sigma;
  return synthetic->lifetime == SIMULATE_LOGNORMAL ? synthetic->duration_ms * real_exp(sigma * sigma / 2)
                                                   : synthetic->duration_ms;
}

typedef struct Streams {
  Random profiles, arrivals, lifetimes;
} Streams;

static Streams split_seed(uint64_t seed) {
  Random seeds = {.state = seed};
  Streams streams;
  streams.profiles.state = random_next(&seeds);
  streams.arrivals.state = random_next(&seeds);
  streams.lifetimes.state = random_next(&seeds);
  return streams;
}

void simulate_load_draw_times(SimulateLoad *load, const SimulateSynthetic *synthetic, uint64_t seed) {
  Streams streams = split_seed(seed);
  double now = 0, most = (double)SIMULATE_TIME_MAX_S * 1000;
  for (size_t i = 0; i < load->jobs.count; i++) {
    if (i >= (size_t)synthetic->burst_count)
      now += simulate_chance_exponential(&streams.arrivals, synthetic->arrival_mean_ms);
    now = now < most ? now : most;
    load->jobs.items[i].arrival_ms = (int64_t)now;
    load->jobs.items[i].duration_ms = draw_duration(&streams.lifetimes, synthetic);
  }
}

void simulate_load_generate(const SimulateSynthetic *synthetic, uint64_t seed, SimulateLoad *ret_load) {
  assert(synthetic->job_count <= SIMULATE_JOBS_MAX && synthetic->burst_count <= synthetic->job_count);
  Streams streams = split_seed(seed);
  *ret_load = (SimulateLoad){0};
  for (int i = 0; i < synthetic->mix.count; i++)
    simulate_load_kind(ret_load, synthetic->mix.profiles[i]);
  for (int i = 0; i < synthetic->job_count; i++) {
    int kind = draw_profile(&streams.profiles, &synthetic->mix);
    if (i < synthetic->burst_count && synthetic->burst_profile)
      kind = simulate_load_kind(ret_load, synthetic->burst_profile);
    assert(kind >= 0);
    *array_push(&ret_load->jobs) = (SimulateJob){.class_ = simulate_load_class(ret_load, kind, 1)};
  }
  simulate_load_draw_times(ret_load, synthetic, seed);
}
