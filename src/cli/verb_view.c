/* SPDX-License-Identifier: Apache-2.0 */
/* facet view: the GPUs of a cluster, slot by slot, and who holds them. */
#include "cli/explain_cluster.h"
#include "cli/print_tree.h"
#include "cli/question.h"
#include "cli/terminal.h"
#include "cli/view.h"

typedef struct Options {
  ClusterInputOptions input;
  const char *output;
  const char *node;
  bool ascii;
} Options;

static const CliOption options_table[] = {
    CLI_INPUT_OPTIONS(Options, input),
    {"--output,-o", CLI_STRING, offsetof(Options, output), "table|json|yaml|svg", "Format (default: table)."},
    {"--node", CLI_STRING, offsetof(Options, node), "NAME", "This node only."},
    {"--ascii", CLI_FLAG, offsetof(Options, ascii), NULL, "Draw without box-drawing characters."},
};

static int check_options(const void *values, Error *err) {
  const Options *options = values;
  if (!cli_print_tree_knows(options->output) && !string_equal(options->output, "table") &&
      !string_equal(options->output, "svg"))
    return error_set(err, ERROR_INVALID, "-o wants table, json, yaml or svg, not \"%s\"", options->output);
  return 0;
}

static int find_node(const Snapshot *snapshot, const char *name, int *ret_node, Error *err) {
  *ret_node = name ? snapshot_find_node(snapshot, name) : -1;
  if (name && *ret_node < 0)
    return error_set(err, ERROR_NOT_FOUND, "there is no node %.253s", name);
  if (name && !snapshot->nodes.items[*ret_node].gpu_count)
    return error_set(err, ERROR_NOT_FOUND, "facet knows no GPU of node %s%s%s", name,
                     snapshot->nodes.items[*ret_node].blocked ? ": " : "",
                     string_or_empty(snapshot->nodes.items[*ret_node].blocked));
  return 0;
}

static void print(View *view, const char *output) {
  CLEANUP(text_deinit) Text out = {0};
  if (cli_print_tree_knows(output)) {
    json_t *tree = cli_view_tree(view);
    cli_print_tree(tree, output);
    json_decref(tree);
    return;
  }
  if (string_equal(output, "svg"))
    cli_view_svg(view, &out);
  else
    cli_view_table(view, &out);
  fputs(text_string(&out), stdout);
}

/* The exit code, or negative. */
static int view_input(const void *values, Error *err) {
  const Options *options = values;
  CLEANUP(cluster_input_deinit) ClusterInput input;
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  int r = cluster_input_open(&options->input, "facet view", &input, &snapshot, err);
  if (r < 0)
    return r;
  ExplainCluster cluster;
  cli_explain_cluster(&input, &cluster);
  int only_node;
  r = find_node(&snapshot, options->node, &only_node, err);
  if (r < 0)
    return r;
  CLEANUP(explain_holding_deinit) ExplainHolding holding;
  explain_holding_init(&holding, &cluster, &snapshot);
  CLEANUP(explain_census_deinit) ExplainCensus census;
  explain_census_take(&snapshot, only_node, &census);
  View view = {.cluster = &cluster,
               .snapshot = &snapshot,
               .holding = &holding,
               .census = &census,
               .only_node = only_node,
               .ascii = options->ascii || !cli_terminal_is_utf8(),
               .colours = cli_terminal_has_colours()};
  print(&view, options->output);
  arena_deinit(&view.arena);
  return cluster_input_exit_code(&input);
}

static int run(const CliVerb *verb, int argc, char **argv) {
  static const CliQuestion question = {.check = check_options, .answer = view_input};
  Options options = {.output = "table"};
  return cli_question_run(&question, verb, argc, argv, &options);
}

const CliVerb cli_verb_view = {
    .name = "view",
    .help = "draw the GPUs slot by slot: who holds what, what is free, what could still be made",
    .more =
        "    facet view\n"
        "    kubectl get nodes,pods -A -o json | facet view -f - -o svg > gpus.svg\n\n"
        "Changes nothing. Who holds a slice is told where it is certain; where it is one of several pods,\n"
        "all of them are named. Exit code: 0, 1 where the input could not be read as a whole.",
    .options = options_table,
    .option_count = COUNT_OF(options_table),
    .run = run,
};
