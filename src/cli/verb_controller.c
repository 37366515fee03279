/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/config_file.h"
#include "cli/connect.h"
#include "cli/deadline.h"
#include "cli/lease.h"
#include "cli/release_guard.h"
#include "cli/reload.h"
#include "cli/service.h"
#include "controller/controller.h"

#include "base/log.h"
#include "base/text.h"

#include <unistd.h>

typedef struct Options {
  CliConnectOptions connect;
  int64_t batch_idle_ms, batch_timeout_ms;
  const char *leftover;
  int64_t starvation_ms, time_budget_ms, recut_limit;
  const char *scheduler;
  bool observe;
  CliLeaseOptions lease;
  CliServiceOptions service;
  const char *config;
  bool config_printed;
} Options;

static const CliOption options_table[] = {
    CLI_CONNECT_OPTIONS(Options, connect),
    {"--batch-window-idle", CLI_DURATION_MS, offsetof(Options, batch_idle_ms), "TIME",
     "Plan when no new pod came for so long (default: 200ms)."},
    {"--batch-window-timeout", CLI_DURATION_MS, offsetof(Options, batch_timeout_ms), "TIME",
     "... but wait no longer than this (default: 2s)."},
    {"--leftover", CLI_STRING, offsetof(Options, leftover), "fill|none",
     "What to do with the room left on a GPU that gets slices (default: fill)."},
    {"--starvation-age", CLI_DURATION_MS, offsetof(Options, starvation_ms), "TIME",
     "Pods that have waited so long come before all others of their priority (default: 10m; 0: never)."},
    {"--time-budget", CLI_DURATION_MS, offsetof(Options, time_budget_ms), "TIME",
     "How long to search for a better plan (default: 200ms)."},
    {"--recuts-per-minute", CLI_NUMBER, offsetof(Options, recut_limit), "NUMBER",
     "How often free slices may be taken away from one node in a minute (default: 12; 0: any number)."},
    {"--scheduler-name", CLI_STRING, offsetof(Options, scheduler), "NAME",
     "The scheduler that the agents are told of; it warns where pods use another one."},
    {"--observe", CLI_FLAG, offsetof(Options, observe), NULL,
     "Plan, explain and count, but write nothing to nodes; needs no Lease and takes none."},
    CLI_LEASE_OPTIONS(Options, lease),
    CLI_SERVICE_OPTIONS(Options, service),
    CLI_CONFIG_ROWS(Options, config),
};

/* What SIGHUP changes without a restart. */
static const char *const live_options[] = {"--log-level",
                                           "--batch-window-idle",
                                           "--batch-window-timeout",
                                           "--starvation-age",
                                           "--time-budget",
                                           "--recuts-per-minute",
                                           NULL};

static void set_defaults(void *values) {
  *(Options *)values = (Options){.batch_idle_ms = CONTROLLER_BATCH_IDLE_MS,
                                 .batch_timeout_ms = CONTROLLER_BATCH_TIMEOUT_MS,
                                 .leftover = "fill",
                                 .starvation_ms = PLAN_STARVATION_DEFAULT_MS,
                                 .time_budget_ms = PLAN_TIME_DEFAULT_MS,
                                 .recut_limit = CONTROLLER_RECUT_LIMIT,
                                 .lease = cli_lease_defaults()};
}

static int check(const void *values, Error *err) {
  const Options *options = values;
  if (!string_equal(options->leftover, "none") && !string_equal(options->leftover, "fill"))
    return error_set(err, ERROR_INVALID, "--leftover wants fill or none, not \"%s\"", options->leftover);
  return cli_connect_check_log_level(options->connect.log_level, err);
}

static bool is_ready(const void *program, const char **ret_why) {
  return controller_is_ready(program, ret_why);
}

static void fill_metrics(const void *program) {
  controller_fill_metrics(program);
}

static void format_debug(const void *program, Text *ret_text) {
  controller_debug_format(program, ret_text);
}

typedef struct Ending {
  CliShell *shell;
  Controller *controller;
} Ending;

static void on_stop(void *userdata) {
  const Ending *ending = userdata;
  controller_leave(ending->controller, cli_shell_stop, ending->shell);
}

/* Those that can change while it runs, too. */
static void set_limits(const Options *options, ControllerOptions *limits) {
  limits->batch_idle_ms = (uint32_t)options->batch_idle_ms;
  limits->batch_timeout_ms = (uint32_t)options->batch_timeout_ms;
  limits->starvation_ms = options->starvation_ms;
  limits->recut_limit = options->recut_limit > INT32_MAX ? INT32_MAX : (int)options->recut_limit;
}

typedef struct Running {
  Controller *controller;
  CliDeadline *deadline;
} Running;

static void apply(void *userdata, const void *values) {
  const Running *running = userdata;
  const Options *options = values;
  ControllerOptions limits = {0};
  set_limits(options, &limits);
  controller_reconfigure(running->controller, &limits);
  running->deadline->budget_ms = options->time_budget_ms;
  cli_connect_apply_log_level(options->connect.log_level);
}

static void on_reload(void *userdata) {
  cli_reload_run(userdata);
}

static int serve(const Options *options, CliReload *reload, Error *err) {
  CLEANUP(cli_shell_deinit) CliShell shell;
  int r = cli_shell_init(&shell, err);
  if (r < 0)
    return r;
  CLEANUP(kube_curl_freep) KubeCurl *transport = NULL;
  r = cli_connect(&shell, &options->connect, &transport, err);
  if (r < 0)
    return r;
  CLEANUP(cli_service_deinit) CliService service;
  cli_service_init(&service, &shell);
  CLEANUP(cli_lease_deinit) CliLease lease = {0};
  bool elects = options->lease.elect && !options->observe;
  r = elects ? cli_lease_init(&lease, &options->lease, &shell, &options->connect, err) : 0;
  if (r < 0)
    return r;
  char host_name[64] = "facet";
  gethostname(host_name, sizeof host_name - 1);
  CliDeadline deadline = {.budget_ms = options->time_budget_ms};
  const PlanClock clock = cli_deadline_clock(&deadline);
  ControllerOptions controller_options = {
      .leftover = string_equal(options->leftover, "none") ? PLAN_LEFTOVER_NONE : PLAN_LEFTOVER_FILL,
      .clock = &clock,
      .scheduler = options->scheduler,
      .instance = host_name,
      .observe = options->observe,
      .metrics = service.metrics,
      .lease = elects ? &lease.options : NULL};
  set_limits(options, &controller_options);
  CLEANUP(controller_freep)
  Controller *controller = controller_new(&controller_options, &shell.host,
                                          cli_service_count(&service, kube_curl_seam(transport)));
  r = cli_service_start(&service, &options->service,
                        &(CliServed){.program = controller,
                                     .is_ready = is_ready,
                                     .fill_metrics = fill_metrics,
                                     .format_debug = format_debug},
                        err);
  if (r < 0)
    return r;
  Ending ending = {.shell = &shell, .controller = controller};
  Running running = {.controller = controller, .deadline = &deadline};
  reload->apply = apply;
  reload->userdata = &running;
  shell.on_reload = on_reload;
  shell.reload_userdata = reload;
  shell.on_stop = on_stop;
  shell.stop_userdata = &ending;
  controller_start(controller);
  CLEANUP(cli_release_guard_deinit) CliReleaseGuard guard;
  cli_release_guard_init(&guard, &shell.host, kube_curl_seam(transport), "controller", NULL, cli_shell_stop,
                         &shell);
  cli_shell_run(&shell);
  return cli_release_guard_result(&guard, err);
}

static int run(const CliVerb *verb, int argc, char **argv) {
  CLEANUP(arena_deinit) Arena texts = {0};
  Options options;
  int exit_code;
  set_defaults(&options);
  if (!cli_config_begin(verb, argc, argv, &options, &texts, &exit_code))
    return exit_code;
  CLEANUP(cli_reload_deinit)
  CliReload reload = {.verb = verb, .argc = argc, .argv = argv, .values = &options, .check = check};
  Error err;
  if (check(&options, &err) < 0) {
    fprintf(stderr, "facet controller: %s\n", err.text);
    return CLI_EXIT_USAGE;
  }
  if (serve(&options, &reload, &err) < 0) {
    log_error("controller", "cannot start", "err=" LOG_QUOTED, err.text);
    return CLI_EXIT_FAILED;
  }
  return CLI_EXIT_OK;
}

const CliVerb cli_verb_controller = {
    .name = "controller",
    .help = "watch pods that wait for GPU slices, plan, and tell the nodes",
    .more = "Runs once per cluster; further ones stand by (--leader-elect). Nodes take part when labelled "
            "nos.nebuly.com/gpu-partitioning=mig\n"
            "and running `facet agent`.",
    .options = options_table,
    .option_count = COUNT_OF(options_table),
    .live = live_options,
    .set_defaults = set_defaults,
    .values_size = sizeof(Options),
    .run = run,
};
