/* SPDX-License-Identifier: Apache-2.0 */
/* facet explain: why one pod waits, and what would let it in. */
#include "cli/explain_cluster.h"
#include "cli/explanation.h"
#include "cli/nearest.h"
#include "cli/print_tree.h"
#include "cli/question.h"
#include "cli/terminal.h"

typedef struct Options {
  ClusterInputOptions input;
  const char *pod;
  const char *namespace_;
  const char *output;
  int64_t starvation_ms;
} Options;

static const CliOption options_table[] = {
    CLI_INPUT_OPTIONS(Options, input),
    {"--namespace,-n", CLI_STRING, offsetof(Options, namespace_), "NAME",
     "Of the pod, where its name alone does not say."},
    {"--output,-o", CLI_STRING, offsetof(Options, output), "table|json|yaml", "Format (default: table)."},
    {"--starvation-age", CLI_DURATION_MS, offsetof(Options, starvation_ms), "TIME",
     "Pods that have waited so long come before all others of their priority (default: 10m; 0: never)."},
};

static int check_options(const void *values, Error *err) {
  const Options *options = values;
  if (!options->pod || !*options->pod)
    return error_set(err, ERROR_INVALID, "which pod? facet explain [NAMESPACE/]NAME");
  const char *slash = strchr(options->pod, '/');
  size_t size = slash ? (size_t)(slash - options->pod) : 0;
  if (slash && options->namespace_ &&
      (strlen(options->namespace_) != size || memcmp(options->namespace_, options->pod, size) != 0))
    return error_set(err, ERROR_INVALID,
                     "%.253s names the namespace %.*s, and -n the namespace %.63s: leave one out",
                     options->pod, (int)(size < 63 ? size : 63), options->pod, options->namespace_);
  return cli_print_tree_check(options->output, err);
}

/* The pod of that name; without a namespace the only one, or that in "default". */
static int find_pod(const ExplainCluster *cluster, const char *namespace_, const char *name, size_t *ret_pod,
                    Error *err) {
  CLEANUP(text_deinit) Text others = {0};
  size_t found = 0, in_default = SIZE_MAX;
  for (size_t i = 0; i < cluster->pod_count; i++) {
    const ObjectMeta *meta = &cluster->pods[i]->meta;
    if (!string_equal(meta->name, name) || (namespace_ && !string_equal(meta->namespace_, namespace_)))
      continue;
    if (string_equal(meta->namespace_, "default"))
      in_default = i;
    if (found < CLI_NEAREST_MAX)
      text_format(&others, "%s%s/%s", found ? ", " : "", string_or_empty(meta->namespace_), name);
    found++;
    *ret_pod = i;
  }
  if (found > 1 && in_default != SIZE_MAX) {
    *ret_pod = in_default;
    return 0;
  }
  if (found > 1)
    return error_set(err, ERROR_NOT_FOUND, "%zu pods are named %s: %s; say which", found, name,
                     text_string(&others));
  if (found == 1)
    return 0;
  text_clear(&others);
  cli_nearest_pods(cluster->pods, cluster->pod_count, name, &others);
  return error_set(err, ERROR_NOT_FOUND, "there is no pod %.63s%s%.253s%s%s", string_or_empty(namespace_),
                   namespace_ ? "/" : "", name, others.size ? "; near it are " : "", text_string(&others));
}

/* "NAMESPACE/NAME" or "NAME". */
static int find_subject(const ExplainCluster *cluster, const Options *options, size_t *ret_pod, Error *err) {
  CLEANUP(arena_deinit) Arena arena = {0};
  const char *slash = strchr(options->pod, '/'), *namespace_ = options->namespace_;
  if (slash)
    namespace_ = arena_strndup(&arena, options->pod, (size_t)(slash - options->pod));
  return find_pod(cluster, namespace_, slash ? slash + 1 : options->pod, ret_pod, err);
}

static void print(const Explanation *explanation, const char *output) {
  CLEANUP(text_deinit) Text out = {0};
  if (cli_print_tree_knows(output)) {
    json_t *tree = cli_explanation_tree(explanation);
    cli_print_tree(tree, output);
    json_decref(tree);
    return;
  }
  cli_explanation_table(explanation, &out);
  cli_terminal_print(text_string(&out));
}

/* The snapshot is filled for the sake of its warnings; the explanation takes its own. */
static int open_input(const ClusterInputOptions *options, ClusterInput *ret_input, Error *err) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  return cluster_input_open(options, "facet explain", ret_input, &snapshot, err);
}

/* The exit code, or negative. */
static int explain_input(const void *values, Error *err) {
  const Options *options = values;
  CLEANUP(cluster_input_deinit) ClusterInput input;
  int r = open_input(&options->input, &input, err);
  if (r < 0)
    return r;
  ExplainCluster cluster;
  cli_explain_cluster(&input, &cluster);
  cluster.old_before = cluster_input_old_before(&input, options->starvation_ms);
  size_t subject = 0;
  r = find_subject(&cluster, options, &subject, err);
  if (r < 0)
    return r;
  CLEANUP(explain_deinit) Explanation explanation;
  explain_compute(&cluster, subject, NULL, &explanation);
  print(&explanation, options->output);
  return cluster_input_exit_code(&input);
}

static int run(const CliVerb *verb, int argc, char **argv) {
  static const CliQuestion question = {.check = check_options, .answer = explain_input};
  Options options = {.output = "table", .starvation_ms = PLAN_STARVATION_DEFAULT_MS};
  return cli_question_run(&question, verb, argc, argv, &options);
}

const CliVerb cli_verb_explain = {
    .name = "explain",
    .help = "say why a pod waits, what is in its way on each GPU, and what would let it in",
    .more =
        "    facet explain ml/train\n"
        "    kubectl get nodes,pods -A -o json | facet explain -n ml train -f -\n\n"
        "Changes nothing. Each way in that it names was planned: the planner admits the pod on a cluster\n"
        "that is changed in this way. Exit code: 0, 1 where there is no such pod or the input could not be\n"
        "read as a whole.",
    .operand = "[NAMESPACE/]NAME",
    .operand_offset = offsetof(Options, pod),
    .options = options_table,
    .option_count = COUNT_OF(options_table),
    .run = run,
};
