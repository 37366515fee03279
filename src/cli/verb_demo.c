/* SPDX-License-Identifier: Apache-2.0 */
/* facet demo: the controller and the agents of this executable in a simulated cluster with simulated GPUs,
 * told as a story. Time is virtual; for people it is made to pass as fast as it would in reality. */
#include "cli/demo_live.h"
#include "cli/demo_wish.h"
#include "cli/verb.h"

#include <math.h>
#include <time.h>

enum { FRAME_MS = 50, TIME_MAX_MS = 600000, EXIT_BY_SIGNAL = 128 };

typedef struct Options {
  const char *gpus, *pods, *speed;
  int64_t nodes;
  bool fast, no_color, verbose;
} Options;

static const CliOption options_table[] = {
    {"--gpus", CLI_STRING, offsetof(Options, gpus), "LIST",
     "GPUs of each node, e.g. 2xH100-80GB,A30 (default: 1xA100-80GB)."},
    {"--nodes", CLI_NUMBER, offsetof(Options, nodes), "N", "Number of nodes (default: 1)."},
    {"--pods", CLI_STRING, offsetof(Options, pods), "LIST",
     "Pods and the slice that each asks for, e.g. '3x2g.20gb,7g.80gb' (default: five of the smallest, and a "
     "second act in which a large one comes)."},
    {"--speed", CLI_STRING, offsetof(Options, speed), "FACTOR",
     "0.2 is five times slower than in reality, 10 ten times faster (default: 1)."},
    {"--fast", CLI_FLAG, offsetof(Options, fast), NULL, "Do not wait at all."},
    {"--no-color", CLI_FLAG, offsetof(Options, no_color), NULL,
     "No colours (also by the variable NO_COLOR)."},
    {"--verbose", CLI_FLAG, offsetof(Options, verbose), NULL,
     "Show every log line of controller and agents."},
};

typedef struct Demo {
  CliDemoStory *story;
  CliDemoLive live;
  double speed;    /* 0: as fast as possible */
  double began_ms; /* real time */
} Demo;

static double real_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* A signal cuts the sleep short. */
static void sleep_ms(double duration_ms) {
  const struct timespec rest = {.tv_nsec = (long)(duration_ms * 1e6)};
  nanosleep(&rest, NULL);
}

/* Lets real time pass until the story may go on, and keeps the picture moving meanwhile. */
static bool pace(void *userdata, uint64_t next_ms) {
  Demo *demo = userdata;
  double until_ms = (double)(next_ms - demo->story->began_ms); /* in the story's time */
  while (demo->speed > 0 && !cli_demo_live_signal()) {
    double at_ms = (real_ms() - demo->began_ms) * demo->speed;
    double rest_ms = (until_ms - at_ms) / demo->speed;
    if (rest_ms <= 0)
      break;
    cli_demo_live_draw(&demo->live, (uint64_t)at_ms);
    sleep_ms(rest_ms < FRAME_MS ? rest_ms : FRAME_MS);
  }
  return !cli_demo_live_signal();
}

/* ---- plain lines ---- */

static void print_line(void *userdata, const CliDemoLine *line) {
  const Demo *demo = userdata;
  if (demo->live.is_on)
    return;
  if (line->actor[0])
    printf("%6.2f s  %-10s  %s\n", (double)line->at_ms / 1000, line->actor, line->text);
  else
    printf("    %s\n", line->text);
  fflush(stdout);
}

/* ---- the run ---- */

static int create_pods(Demo *demo, const char *profile, int count, Error *err) {
  SimCluster *cluster = demo->story->cluster;
  int first = cluster->pod_count + 1, digits = cluster->options.pod_digits;
  int result = sim_cluster_create_pods(cluster, profile, count, err);
  if (result < 0)
    return result;
  if (count == 1)
    cli_demo_story_tell(demo->story, "user", "creates pod demo/p-%0*d, which asks for a slice %s", digits,
                        first, profile);
  else
    cli_demo_story_tell(demo->story, "user",
                        "creates pods demo/p-%0*d to p-%0*d, which ask for a slice %s each", digits, first,
                        digits, cluster->pod_count, profile);
  return 0;
}

static bool all_run(const CliDemoStory *story) {
  return cli_demo_story_count(story, CLI_DEMO_POD_RUNNING) == story->pods.count;
}

static void run_act(Demo *demo) {
  SimCluster *cluster = demo->story->cluster;
  sim_cluster_run(cluster, cluster->host.now_ms + TIME_MAX_MS, cli_demo_story_is_over, demo->story);
}

static int play_first_act(Demo *demo, const CliDemoWish *wish, Error *err) {
  for (int i = 0; i < wish->demand_count; i++) {
    int result = create_pods(demo, wish->demands[i].profile, wish->demands[i].count, err);
    if (result < 0)
      return result;
  }
  run_act(demo);
  return 0;
}

/* Some pods end, and their small slices are free; another pod comes and asks for a large one. */
static int play_second_act(Demo *demo, const CliDemoWish *wish, Error *err) {
  CliDemoStory *story = demo->story;
  CLEANUP(text_deinit) Text end = {0};
  cli_demo_story_format_end(story, &end);
  cli_demo_story_tell(story, "demo", "%.*s: the second act", (int)end.size - 1, text_string(&end));
  cli_demo_story_begin_act(story);
  cli_demo_story_tell(story, "user", "deletes pods demo/p-1 to p-%d", wish->ending_count);
  for (int i = 1; i <= wish->ending_count; i++) {
    CLEANUP(cleanup_free) char *name = mem_format("p-%d", i);
    sim_api_delete_pod(story->cluster->api, SIM_CLUSTER_NAMESPACE, name);
  }
  int result = create_pods(demo, wish->second_profile, 1, err);
  if (result == 0)
    run_act(demo);
  return result;
}

static void introduce(Demo *demo, const CliDemoWish *wish) {
  const SimCluster *cluster = demo->story->cluster;
  for (int i = 0; i < cluster->node_count; i++)
    cli_demo_story_tell(demo->story, "node", "%s: %s, no slices yet", cluster->nodes[i].name, wish->machine);
}

static int play(Demo *demo, const CliDemoWish *wish, int *ret_exit, Error *err) {
  SimCluster *cluster = demo->story->cluster;
  introduce(demo, wish);
  cli_demo_live_start(&demo->live, demo->story);
  demo->began_ms = real_ms();
  int result = play_first_act(demo, wish, err);
  if (result == 0 && wish->ending_count && all_run(demo->story) && !cli_demo_live_signal())
    result = play_second_act(demo, wish, err);
  bool was_live = demo->live.is_on;
  cli_demo_live_draw(&demo->live, cluster->host.now_ms - demo->story->began_ms);
  cli_demo_live_stop(&demo->live);
  if (result < 0)
    return result;
  if (cli_demo_live_signal()) {
    *ret_exit = EXIT_BY_SIGNAL + cli_demo_live_signal();
    return 0;
  }
  if (!was_live)
    cli_demo_story_draw_all(demo->story);
  CLEANUP(text_deinit) Text end = {0};
  cli_demo_story_format_end(demo->story, &end);
  printf("%s%s", was_live ? "\n" : "", text_string(&end));
  *ret_exit = all_run(demo->story) ? CLI_EXIT_OK : CLI_EXIT_FAILED;
  return 0;
}

static int run_cluster(const Options *options, const CliDemoWish *wish, double speed, int *ret_exit,
                       Error *err) {
  SimClusterOptions cluster_options = sim_cluster_defaults();
  cluster_options.machine = wish->machine;
  cluster_options.node_count = wish->node_count;
  cluster_options.pod_digits = snprintf(NULL, 0, "%d", wish->pod_count);
  /* Until the story begins nobody wants to hear anything but what is wrong. */
  log_configure((LogConfig){.level = LOG_LEVEL_WARN});
  CLEANUP(sim_cluster_freep) SimCluster *cluster = NULL;
  int result = sim_cluster_new(&cluster_options, &cluster, err);
  if (result < 0)
    return result;
  if (!sim_cluster_settle(cluster))
    return error_set(err, ERROR_TIMEOUT, "the simulated nodes did not report their GPUs");
  bool colours = isatty(STDOUT_FILENO) && !options->no_color && !getenv("NO_COLOR");
  CLEANUP(cli_demo_story_deinit) CliDemoStory story;
  cli_demo_story_init(&story, cluster, options->verbose, colours);
  Demo demo = {.story = &story, .speed = speed};
  story.on_line = print_line;
  story.userdata = &demo;
  cluster->pace = pace;
  cluster->pace_userdata = &demo;
  log_configure((LogConfig){.level = LOG_LEVEL_DEBUG, .sink = cli_demo_story_log, .userdata = &story});
  result = play(&demo, wish, ret_exit, err);
  log_configure((LogConfig){.level = LOG_LEVEL_WARN});
  return result;
}

static int parse_speed(const Options *options, double *ret_speed, Error *err) {
  char *end;
  *ret_speed = strtod(options->speed, &end);
  if (end == options->speed || *end || !isfinite(*ret_speed) || *ret_speed <= 0)
    return error_set(err, ERROR_INVALID, "--speed wants a factor such as 0.5 or 10, not \"%s\"",
                     options->speed);
  if (options->fast)
    *ret_speed = 0;
  return 0;
}

static int run(const CliVerb *verb, int argc, char **argv) {
  Options options = {.gpus = "1xA100-80GB", .nodes = 1, .speed = "1"};
  int exit_code;
  if (!cli_begin(verb, argc, argv, &options, &exit_code))
    return exit_code;
  CliDemoWish wish;
  double speed;
  Error err;
  if (parse_speed(&options, &speed, &err) < 0 ||
      cli_demo_wish_parse(options.gpus, options.pods, options.nodes, &wish, &err) < 0) {
    fprintf(stderr, "facet demo: %s\n", err.text);
    return CLI_EXIT_USAGE;
  }
  if (run_cluster(&options, &wish, speed, &exit_code, &err) < 0) {
    fprintf(stderr, "facet demo: %s\n", err.text);
    return CLI_EXIT_FAILED;
  }
  return exit_code;
}

const CliVerb cli_verb_demo = {
    .name = "demo",
    .help = "show how pods get their slices, on simulated GPUs and a simulated cluster",
    .more =
        "The controller and the agents are the real ones; the GPUs, the API server, the scheduler and the\n"
        "kubelets are simulated, all in this process. Needs no GPU and no Kubernetes.\n\n"
        "    facet demo --gpus 2xH100-80GB --pods '3x2g.20gb,1x7g.80gb'\n\n"
        "Ends with exit code 1, and says what is missing, where a demand cannot be met.",
    .options = options_table,
    .option_count = COUNT_OF(options_table),
    .run = run,
};
