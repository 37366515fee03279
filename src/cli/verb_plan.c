/* SPDX-License-Identifier: Apache-2.0 */
/* facet plan: the controller's planner for people, on the live cluster or on what kubectl printed of one. */
#include "cli/cluster_input.h"
#include "cli/deadline.h"
#include "cli/plan_view.h"
#include "cli/print_tree.h"
#include "cli/question.h"
#include "cli/terminal.h"

typedef struct Options {
  ClusterInputOptions input;
  const char *output;
  const char *leftover;
  int64_t starvation_ms, time_budget_ms;
  bool check;
} Options;

static const CliOption options_table[] = {
    CLI_INPUT_OPTIONS(Options, input),
    {"--output,-o", CLI_STRING, offsetof(Options, output), "table|json|yaml", "Format (default: table)."},
    {"--check", CLI_FLAG, offsetof(Options, check), NULL, "Exit with 2 when pods stay blocked."},
    {"--leftover", CLI_STRING, offsetof(Options, leftover), "fill|none",
     "What to do with the room left on a GPU that gets slices (default: fill)."},
    {"--starvation-age", CLI_DURATION_MS, offsetof(Options, starvation_ms), "TIME",
     "Pods that have waited so long come before all others of their priority (default: 10m; 0: never)."},
    {"--time-budget", CLI_DURATION_MS, offsetof(Options, time_budget_ms), "TIME",
     "How long to search for a better plan (default: 200ms)."},
};

/* ---- the verb ---- */

static int check_options(const void *values, Error *err) {
  const Options *options = values;
  int r = cli_print_tree_check(options->output, err);
  if (r < 0)
    return r;
  if (!string_equal(options->leftover, "fill") && !string_equal(options->leftover, "none"))
    return error_set(err, ERROR_INVALID, "--leftover wants fill or none, not \"%s\"", options->leftover);
  return 0;
}

static void print(CliPlanView *view, const char *output) {
  if (cli_print_tree_knows(output)) {
    json_t *tree = cli_plan_tree(view);
    cli_print_tree(tree, output);
    json_decref(tree);
    return;
  }
  CLEANUP(text_deinit) Text out = {0};
  cli_plan_table(view, cli_terminal_has_colours(), &out);
  cli_terminal_print(text_string(&out));
}

/* The exit code, or negative. */
static int plan_input(const void *values, Error *err) {
  const Options *options = values;
  CLEANUP(cluster_input_deinit) ClusterInput input;
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  int r = cluster_input_open(&options->input, "facet plan", &input, &snapshot, err);
  if (r < 0)
    return r;
  CLEANUP(plan_deinit) Plan plan;
  CliDeadline deadline = {.budget_ms = options->time_budget_ms};
  const PlanClock clock = cli_deadline_clock(&deadline);
  PlanOptions plan_options = {.leftover = string_equal(options->leftover, "none") ? PLAN_LEFTOVER_NONE
                                                                                  : PLAN_LEFTOVER_FILL,
                              .old_before = cluster_input_old_before(&input, options->starvation_ms),
                              .clock = &clock};
  plan_compute(&snapshot, &plan_options, &plan);
  CLEANUP(cli_plan_view_deinit) CliPlanView view = {.snapshot = &snapshot, .plan = &plan};
  print(&view, options->output);
  int exit_code = cluster_input_exit_code(&input);
  return exit_code == CLI_EXIT_OK && options->check && cli_plan_view_blocked(&plan) ? CLI_EXIT_BLOCKED
                                                                                    : exit_code;
}

static int run(const CliVerb *verb, int argc, char **argv) {
  static const CliQuestion question = {.check = check_options, .answer = plan_input};
  Options options = {.output = "table",
                     .leftover = "fill",
                     .starvation_ms = PLAN_STARVATION_DEFAULT_MS,
                     .time_budget_ms = PLAN_TIME_DEFAULT_MS};
  return cli_question_run(&question, verb, argc, argv, &options);
}

const CliVerb cli_verb_plan = {
    .name = "plan",
    .help = "say what facet would do for the pods that wait, on the cluster or on a kubectl dump",
    .more =
        "    kubectl get nodes,pods -A -o json | facet plan -f -\n"
        "    facet plan --context production\n\n"
        "Changes nothing. The JSON (-o json) is a stable interface. Exit code: 0, 1 where the input could\n"
        "not be read as a whole, 2 with --check when pods stay blocked.",
    .options = options_table,
    .option_count = COUNT_OF(options_table),
    .run = run,
};
