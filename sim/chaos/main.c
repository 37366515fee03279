/* SPDX-License-Identifier: Apache-2.0 */
/* Plays seeds until one fails, tells what happened, and finds a shorter history that fails in the same way.
 *
 *     facet-chaos [--seeds N] [--first SEED] [--go-on | --caught] [--no-shrink]
 *     facet-chaos SEED [--keep STEPS] [--all]          replays one
 *
 * --go-on plays the other seeds when one has failed, and looks for no shorter histories.
 * --caught is for programs that were broken on purpose: a failure is the success. */
#include "sim/chaos/shrink.h"

#include <assert.h>
#include <getopt.h>
#include <inttypes.h>
#include <sys/resource.h>

enum { SHRINK_TRIES = 300, SEEDS = 500, TELL_EVERY = 10000 };

typedef struct Options {
  const char *program;
  uint64_t first, seeds, replay;
  const char *keep; /* NULL: all steps */
  bool is_replay, shall_be_caught, goes_on, shrinks, tells_all;
} Options;

typedef struct Tally {
  uint64_t seeds;
  double node_hours;
  ChaosCounts counts;
  uint64_t strikes[CHAOS_FAULTS_MAX];
} Tally;

static int parse(int argc, char **argv, Options *ret_options) {
  static const struct option names[] = {
      {"seeds", required_argument, NULL, 's'}, {"first", required_argument, NULL, 'f'},
      {"keep", required_argument, NULL, 'k'},  {"caught", no_argument, NULL, 'c'},
      {"no-shrink", no_argument, NULL, 'n'},   {"go-on", no_argument, NULL, 'g'},
      {"all", no_argument, NULL, 'a'},         {NULL, 0, NULL, 0}};
  Options options = {.program = argv[0], .first = 1, .seeds = SEEDS, .shrinks = true};
  for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
    if (c == 's')
      options.seeds = strtoull(optarg, NULL, 10);
    else if (c == 'f')
      options.first = strtoull(optarg, NULL, 10);
    else if (c == 'k')
      options.keep = optarg;
    else if (c == 'c')
      options.shall_be_caught = true;
    else if (c == 'n')
      options.shrinks = false;
    else if (c == 'g')
      options.goes_on = true;
    else if (c == 'a')
      options.tells_all = true;
    else
      return -1;
  }
  options.is_replay = optind < argc;
  options.replay = options.is_replay ? strtoull(argv[optind], NULL, 10) : 0;
  *ret_options = options;
  return 0;
}

static double processor_seconds(void) {
  double seconds = 0;
  static const int whose[] = {RUSAGE_SELF, RUSAGE_CHILDREN};
  for (size_t i = 0; i < COUNT_OF(whose); i++) {
    struct rusage usage;
    getrusage(whose[i], &usage);
    seconds += (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  }
  return seconds;
}

static void add(Tally *tally, const ChaosHistory *history, const ChaosOutcome *outcome) {
  tally->seeds++;
  tally->node_hours += (double)outcome->counts.virtual_ms * history->options.node_count / 3600000;
  tally->counts.pods += outcome->counts.pods;
  tally->counts.unplugged_victims += outcome->counts.unplugged_victims;
  tally->counts.excused_victims += outcome->counts.excused_victims;
  if (outcome->counts.heap_max > tally->counts.heap_max)
    tally->counts.heap_max = outcome->counts.heap_max;
  for (size_t i = 0; i < chaos_fault_count; i++)
    tally->strikes[i] += outcome->strikes[i];
}

static void tell_tally(const Tally *tally) {
  double seconds = processor_seconds();
  printf("%" PRIu64
         " seeds, %zu pods, %.0f node-hours of virtual time in %.1f s of processor time (%.0f node-hours a "
         "minute); at most %.1f MB of memory\n",
         tally->seeds, tally->counts.pods, tally->node_hours, seconds,
         seconds > 0 ? tally->node_hours / seconds * 60 : 0, (double)tally->counts.heap_max / 1e6);
  printf(
      "pods that came while their kubelet had no plugin: %zu; while somebody else made their node lie: %zu\n",
      tally->counts.unplugged_victims, tally->counts.excused_victims);
  for (size_t i = 0; i < chaos_fault_count; i++)
    printf("%s%s %" PRIu64, i ? ", " : "", chaos_faults[i].name, tally->strikes[i]);
  printf("\n");
}

static void tell_failure(const Options *options, const ChaosHistory *history, const ChaosOutcome *outcome) {
  CLEANUP(text_deinit) Text places = {0};
  chaos_history_format_places(history, &places);
  printf("seed %" PRIu64 " fails %.3f s after its storm began: %s: %s\nreplay: %s %" PRIu64
         " --keep %s --all\n",
         history->seed, (double)outcome->at_ms / 1000, outcome->checker, outcome->why, options->program,
         history->seed, text_string(&places));
}

static int shrink_and_tell(const Options *options, const ChaosHistory *history, const ChaosOutcome *outcome,
                           Error *err) {
  CLEANUP(chaos_history_deinit) ChaosHistory shorter = {0};
  ChaosOutcome last;
  printf("looking for a shorter history than its %zu steps ...\n", history->steps.count);
  int result = chaos_shrink_by_trials(history, outcome->checker, SHRINK_TRIES, &shorter, err);
  if (result < 0)
    return result;
  printf("%zu steps are enough:\n", shorter.steps.count);
  result = chaos_trial_run(&shorter, CHAOS_TELL_FAILURE, &last, err);
  if (result == 0)
    tell_failure(options, &shorter, &last);
  return result;
}

/* Positive where it failed. */
static int play(const Options *options, uint64_t seed, Tally *tally, Error *err) {
  CLEANUP(chaos_history_deinit) ChaosHistory history = {0};
  ChaosOutcome outcome = {0};
  chaos_history_make(seed, &history);
  int result = options->keep ? chaos_history_keep(&history, options->keep, err) : 0;
  ChaosTelling telling = options->tells_all   ? CHAOS_TELL_ALL
                         : options->is_replay ? CHAOS_TELL_FAILURE
                                              : CHAOS_TELL_NOTHING;
  if (result == 0)
    result = chaos_trial_run(&history, telling, &outcome, err);
  if (result < 0)
    return result;
  add(tally, &history, &outcome);
  if (!outcome.failed)
    return 0;
  tell_failure(options, &history, &outcome);
  if (options->shrinks && !options->is_replay && !options->shall_be_caught && !options->goes_on)
    result = shrink_and_tell(options, &history, &outcome, err);
  return result < 0 ? result : 1;
}

static int play_all(const Options *options, Tally *tally, Error *err) {
  uint64_t first = options->is_replay ? options->replay : options->first;
  uint64_t count = options->is_replay ? 1 : options->seeds;
  int failed = 0;
  for (uint64_t i = 0; i < count; i++) {
    int result = play(options, first + i, tally, err);
    if (result < 0 || (result > 0 && !options->goes_on))
      return result;
    failed += result;
    if ((i + 1) % TELL_EVERY == 0)
      tell_tally(tally);
  }
  if (failed)
    printf("%d seeds failed\n", failed);
  return failed;
}

int main(int argc, char **argv) {
  Options options;
  Tally tally = {0};
  Error err;
  if (parse(argc, argv, &options) < 0) {
    fprintf(stderr,
            "usage: %s [--seeds N] [--first SEED] [--go-on | --caught] [--no-shrink] | SEED [--keep STEPS] "
            "[--all]\n",
            argv[0]);
    return 2;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  int result = play_all(&options, &tally, &err);
  if (result < 0) {
    fprintf(stderr, "%s\n", err.text);
    return 2;
  }
  tell_tally(&tally);
  if (options.shall_be_caught && result == 0)
    printf("nothing was caught\n");
  return options.shall_be_caught ? result == 0 : result != 0;
}
