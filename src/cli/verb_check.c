/* SPDX-License-Identifier: Apache-2.0 */
/* facet check: what stands in facet's way on a cluster, and the command that mends it. */
#include "cli/check_probe.h"
#include "cli/check_view.h"
#include "cli/cluster_input.h"
#include "cli/print_tree.h"
#include "cli/question.h"
#include "cli/terminal.h"

#include <time.h>

typedef struct Options {
  ClusterInputOptions input;
  const char *output;
  const char *namespace_;
  const char *controller_account, *agent_account;
} Options;

static const CliOption options_table[] = {
    CLI_INPUT_OPTIONS(Options, input),
    {"--output,-o", CLI_STRING, offsetof(Options, output), "table|json|yaml", "Format (default: table)."},
    {"--namespace,-n", CLI_STRING, offsetof(Options, namespace_), "NAME",
     "Where facet is, or shall be (default: where its pods are, else facet-system)."},
    {"--controller-account", CLI_STRING, offsetof(Options, controller_account), "NAME",
     "The controller's service account (default: facet-controller)."},
    {"--agent-account", CLI_STRING, offsetof(Options, agent_account), "NAME",
     "The agents' service account (default: facet-agent)."},
};

/* They go into paths and questions. */
static int check_name(const char *option, const char *name, Error *err) {
  if (!name || (*name && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.")] == '\0'))
    return 0;
  return error_set(err, ERROR_INVALID,
                   "%s wants a name of lower-case letters, digits, \"-\" and \".\", not \"%s\"", option,
                   name);
}

static int check_options(const void *values, Error *err) {
  const Options *options = values;
  if (check_name("--namespace", options->namespace_, err) < 0 ||
      check_name("--controller-account", options->controller_account, err) < 0 ||
      check_name("--agent-account", options->agent_account, err) < 0)
    return -err->code;
  return cli_print_tree_check(options->output, err);
}

static const char *find_namespace(const ClusterInput *input, const char *given) {
  for (size_t i = 0; i < input->pods.count && !given; i++)
    if (string_equal(key_values_find(&input->pods.items[i]->meta.labels, "app.kubernetes.io/name"), "facet"))
      given = input->pods.items[i]->meta.namespace_;
  return given ? given : "facet-system";
}

/* In a dump that has namespaces, facet's is missing where it is not among them. */
static CheckFact knows_namespace(const ClusterInput *input, const char *name) {
  CheckFact fact = CHECK_UNKNOWN;
  for (size_t i = 0; i < input->others.count; i++)
    if (input->others.items[i].type == &kube_namespace_type) {
      const Namespace *one = input->others.items[i].object;
      fact = fact == CHECK_YES || string_equal(one->meta.name, name) ? CHECK_YES : CHECK_NO;
    }
  return fact;
}

static int gather(const Options *options, const ClusterInput *input, CheckCluster *cluster,
                  CliCheckProbe *probe, Error *err) {
  const CliCheckPlace place = {cluster->namespace_, cluster->controller_account, cluster->agent_account};
  if (options->input.files.count) {
    cluster->has_namespace = knows_namespace(input, cluster->namespace_);
    *array_push(&probe->unseen) =
        mem_strdup("files tell of nodes, pods and namespaces: not of the version of "
                   "Kubernetes, of rights, PriorityClass and Lease");
    return 0;
  }
  int r = cli_check_probe(&options->input.connect, &place, probe, err);
  if (r < 0)
    return r;
  cluster->now = time(NULL);
  cluster->server_version = *probe->server_version ? probe->server_version : NULL;
  cluster->has_namespace = probe->has_namespace;
  cluster->has_priority_class = probe->has_priority_class;
  cluster->has_lease = probe->has_lease;
  cluster->lease_renewed = probe->lease_renewed;
  memcpy(cluster->allowed, probe->allowed, sizeof cluster->allowed);
  return 0;
}

static void print(CliCheckView *view, const char *output) {
  if (cli_print_tree_knows(output)) {
    json_t *tree = cli_check_tree(view);
    cli_print_tree(tree, output);
    json_decref(tree);
    return;
  }
  CLEANUP(text_deinit) Text out = {0};
  cli_check_table(view, &out);
  cli_terminal_print(text_string(&out));
}

static void print_all(const CheckCluster *cluster, const CheckFindings *findings, const ClusterInput *input,
                      const CliCheckProbe *probe, const char *output) {
  ARRAY(const char *) unseen = {0};
  for (size_t i = 0; i < input->unseen.count; i++)
    *array_push(&unseen) = input->unseen.items[i];
  for (size_t i = 0; i < probe->unseen.count; i++)
    *array_push(&unseen) = probe->unseen.items[i];
  CliCheckView view = {
      .cluster = cluster, .findings = findings, .unseen = unseen.items, .unseen_count = unseen.count};
  print(&view, output);
  arena_deinit(&view.arena);
  array_deinit(&unseen);
}

static void deinit_warnings(SnapshotWarnings *warnings) {
  array_deinit(warnings);
}

/* The exit code, or negative. */
static int check_input(const void *values, Error *err) {
  Options options = *(const Options *)values;
  CLEANUP(cluster_input_deinit) ClusterInput input = {0};
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  CLEANUP(deinit_warnings) SnapshotWarnings warnings = {0};
  CLEANUP(cli_check_probe_deinit) CliCheckProbe probe = {0};
  CLEANUP(check_findings_deinit) CheckFindings findings = {0};
  snapshot_init(&snapshot);
  options.input.takes_parts = true;
  int r = cluster_input_read(&options.input, &input, err);
  if (r < 0)
    return r;
  cluster_input_fill_told(&input, &snapshot, &warnings);
  cluster_input_report(&input, "facet check");
  CheckCluster cluster = {.snapshot = &snapshot,
                          .warnings = &warnings,
                          .nodes = input.nodes.items,
                          .node_count = input.nodes.count,
                          .sees_nodes = input.sees_nodes && (input.nodes.count || !options.input.files.count),
                          .pods = input.pods.items,
                          .pod_count = input.pods.count,
                          .sees_pods = input.sees_pods && (input.pods.count || !options.input.files.count),
                          .namespace_ = find_namespace(&input, options.namespace_),
                          .controller_account = options.controller_account,
                          .agent_account = options.agent_account};
  r = gather(&options, &input, &cluster, &probe, err);
  if (r < 0)
    return r;
  check_cluster(&cluster, &findings);
  print_all(&cluster, &findings, &input, &probe, options.output);
  return check_count(&findings, CHECK_ERROR) ? CLI_EXIT_BLOCKED : cluster_input_exit_code(&input);
}

static int run(const CliVerb *verb, int argc, char **argv) {
  static const CliQuestion question = {.check = check_options, .answer = check_input};
  Options options = {
      .output = "table", .controller_account = "facet-controller", .agent_account = "facet-agent"};
  return cli_question_run(&question, verb, argc, argv, &options);
}

const CliVerb cli_verb_check = {
    .name = "check",
    .help = "say what stands in facet's way on a cluster, and the command that mends it",
    .more =
        "    facet check\n"
        "    kubectl get nodes,pods,namespaces -A -o json | facet check -f -\n\n"
        "Changes nothing, and works with what it may see: what it may not is told. Exit code: 0, 1 where it\n"
        "could not look, 2 where an error stands in the way.",
    .options = options_table,
    .option_count = COUNT_OF(options_table),
    .run = run,
};
