/* SPDX-License-Identifier: Apache-2.0 */
/* facet plan: the controller's planner on a file from `kubectl get nodes,pods -A -o json`. */
#include "cli/draw.h"
#include "cli/verb.h"
#include "kube/reader.h"
#include "plan/plan.h"

#include <errno.h>
#include <jansson.h>

enum { DUMP_SIZE_MAX_MIB = 2048 };

typedef struct Options {
  CliStrings files;
  const char *output;
  const char *leftover;
} Options;

static const CliOption options_table[] = {
    {"--file,-f", CLI_STRINGS, offsetof(Options, files), "FILE",
     "Output of `kubectl get nodes,pods -A -o json`; - is standard input; may be repeated."},
    {"--output,-o", CLI_STRING, offsetof(Options, output), "json|table", "Format (default: table)."},
    {"--leftover", CLI_STRING, offsetof(Options, leftover), "fill|none",
     "What to do with the room left on a GPU that gets slices (default: fill)."},
};

/* Everything that was read from the files. */
typedef struct Cluster {
  ARRAY(KubeObject *) nodes;
  ARRAY(KubeObject *) pods;
} Cluster;

static void cluster_deinit(Cluster *cluster) {
  for (size_t i = 0; i < cluster->nodes.count; i++)
    kube_object_free(cluster->nodes.items[i]);
  for (size_t i = 0; i < cluster->pods.count; i++)
    kube_object_free(cluster->pods.items[i]);
  array_deinit(&cluster->nodes);
  array_deinit(&cluster->pods);
}

/* ---- reading ---- */

static void on_object(void *userdata, KubeObject *object) {
  Cluster *cluster = userdata;
  if (object->type == &kube_node_type)
    *array_push(&cluster->nodes) = object;
  else
    *array_push(&cluster->pods) = object;
}

static void on_bad(void *userdata, const Error *err) {
  fprintf(stderr, "facet plan: skipped an object: %s\n", err->text);
}

static int read_all(FILE *file, const char *path, Text *ret_text, Error *err) {
  char buffer[65536];
  size_t size;
  while ((size = fread(buffer, 1, sizeof buffer, file)) > 0) {
    text_append_bytes(ret_text, buffer, size);
    if (ret_text->size >> 20 >= DUMP_SIZE_MAX_MIB)
      return error_set(err, ERROR_LIMIT, "%s is larger than %d MiB", path, DUMP_SIZE_MAX_MIB);
  }
  if (ferror(file))
    return error_set_errno(err, ERROR_IO, errno, "cannot read %s", path);
  return 0;
}

static int read_file(const char *path, Cluster *cluster, Error *err) {
  bool is_stdin = strcmp(path, "-") == 0;
  CLEANUP(cleanup_fclose) FILE *opened = is_stdin ? NULL : fopen(path, "r");
  if (!is_stdin && !opened)
    return error_set_errno(err, ERROR_IO, errno, "cannot open %s", path);
  CLEANUP(text_deinit) Text text = {0};
  int r = read_all(is_stdin ? stdin : opened, path, &text, err);
  if (r < 0)
    return r;
  KubeDumpReader reader = {.on_object = on_object, .on_bad = on_bad, .userdata = cluster};
  r = kube_dump_read(&reader, text_string(&text), text.size, err);
  if (r < 0)
    return error_prefix(err, "%s is not the output of `kubectl get nodes,pods -A -o json`", path);
  return 0;
}

static int compare_objects(const void *a, const void *b) {
  const ObjectMeta *left = (*(KubeObject *const *)a)->value, *right = (*(KubeObject *const *)b)->value;
  int by_namespace = strcmp(string_or_empty(left->namespace_), string_or_empty(right->namespace_));
  return by_namespace ? by_namespace : strcmp(string_or_empty(left->name), string_or_empty(right->name));
}

static void take_snapshot(Cluster *cluster, Snapshot *snapshot, SnapshotWarnings *warnings) {
  if (cluster->nodes.count)
    qsort(cluster->nodes.items, cluster->nodes.count, sizeof *cluster->nodes.items, compare_objects);
  if (cluster->pods.count)
    qsort(cluster->pods.items, cluster->pods.count, sizeof *cluster->pods.items, compare_objects);
  SnapshotOptions options = {0};
  for (size_t i = 0; i < cluster->nodes.count; i++)
    snapshot_add_node(snapshot, cluster->nodes.items[i]->value, &options, warnings);
  for (size_t i = 0; i < cluster->pods.count; i++)
    snapshot_add_pod(snapshot, cluster->pods.items[i]->value, warnings);
}

/* ---- the planned state of one GPU ---- */

typedef struct PlannedGpu {
  MigLayout layout; /* with the creates in place */
  PlanState states[MIG_INSTANCES_MAX];
} PlannedGpu;

static const PlanGpu *find_planned(const Plan *plan, int node, int gpu) {
  for (size_t i = 0; i < plan->gpus.count; i++)
    if (plan->gpus.items[i].node == node && plan->gpus.items[i].gpu == gpu)
      return &plan->gpus.items[i];
  return NULL;
}

static PlannedGpu planned_gpu(const Snapshot *snapshot, const Plan *plan, int node, int g) {
  const SnapshotGpu *gpu = &snapshot->nodes.items[node].gpus[g];
  PlannedGpu planned = {.layout = gpu->layout};
  const PlanGpu *changes = find_planned(plan, node, g);
  uint32_t created = 0;
  for (int i = 0; changes && i < changes->create_count; i++) {
    mig_layout_place(&planned.layout, changes->creates[i].profile, changes->creates[i].start);
    created |= 1u << changes->creates[i].start;
  }
  for (int i = 0; i < planned.layout.count; i++) {
    int start = planned.layout.instances[i].start;
    planned.states[i] = created >> start & 1            ? PLAN_CREATE
                        : gpu->used_starts >> start & 1 ? PLAN_USED
                                                        : PLAN_KEEP;
  }
  return planned;
}

/* ---- JSON ---- */

static json_t *layout_to_json(const PlannedGpu *planned) {
  json_t *list = json_array();
  for (int i = 0; i < planned->layout.count; i++) {
    const MigInstance *instance = &planned->layout.instances[i];
    const MigProfile *profile = &planned->layout.model->profiles[instance->profile];
    json_array_append_new(list,
                          json_pack("{s:s,s:i,s:i,s:s}", "profile", profile->name, "start", instance->start,
                                    "size", profile->size, "state", plan_state_name(planned->states[i])));
  }
  return list;
}

static json_t *gpu_to_json(const Snapshot *snapshot, const Plan *plan, int node, int g) {
  const SnapshotGpu *gpu = &snapshot->nodes.items[node].gpus[g];
  json_t *layout = json_array();
  if (gpu->model) {
    PlannedGpu planned = planned_gpu(snapshot, plan, node, g);
    json_decref(layout);
    layout = layout_to_json(&planned);
  }
  return json_pack("{s:i,s:s,s:o}", "index", gpu->index, "model", gpu->model_label, "layout", layout);
}

static json_t *nodes_to_json(const Snapshot *snapshot, const Plan *plan) {
  json_t *list = json_array();
  for (size_t n = 0; n < snapshot->nodes.count; n++) {
    const SnapshotNode *node = &snapshot->nodes.items[n];
    if (!node->gpu_count)
      continue;
    json_t *gpus = json_array();
    for (int g = 0; g < node->gpu_count; g++)
      json_array_append_new(gpus, gpu_to_json(snapshot, plan, (int)n, g));
    json_array_append_new(list, json_pack("{s:s,s:o}", "name", node->name, "gpus", gpus));
  }
  return list;
}

static const char *node_name_of(const Snapshot *snapshot, const PlanPod *planned) {
  return planned->node >= 0 ? snapshot->nodes.items[planned->node].name : "";
}

static json_t *pods_to_json(const Snapshot *snapshot, const Plan *plan) {
  json_t *list = json_array();
  for (size_t i = 0; i < plan->pods.count; i++) {
    const PlanPod *planned = &plan->pods.items[i];
    const Pod *pod = snapshot->pods.items[planned->pod].object;
    json_array_append_new(
        list, json_pack("{s:s,s:s,s:s,s:s,s:s}", "namespace", string_or_empty(pod->meta.namespace_), "name",
                        string_or_empty(pod->meta.name), "verdict", plan_verdict_name(planned->verdict),
                        "node", node_name_of(snapshot, planned), "reason", string_or_empty(planned->reason)));
  }
  return list;
}

static void print_json(const Snapshot *snapshot, const Plan *plan) {
  json_t *summary =
      json_pack("{s:i,s:i,s:i,s:i,s:i,s:i,s:i}", "pending", plan->pending, "admitted", plan->admitted,
                "already_fit", plan->already_fit, "create", plan->create, "destroy", plan->destroy,
                "nodes_changed", plan->nodes_changed, "bound", plan->bound);
  json_t *root = json_pack("{s:o,s:o,s:o}", "summary", summary, "nodes", nodes_to_json(snapshot, plan),
                           "pods", pods_to_json(snapshot, plan));
  json_dumpf(root, stdout, JSON_INDENT(2));
  putchar('\n');
  json_decref(root);
}

/* ---- table ---- */

static DrawState draw_state_of(PlanState state) {
  return state == PLAN_CREATE ? DRAW_NEW : state == PLAN_USED ? DRAW_USED : DRAW_FREE;
}

static void print_gpu(const Snapshot *snapshot, const Plan *plan, int node, int g, bool colours) {
  const SnapshotGpu *gpu = &snapshot->nodes.items[node].gpus[g];
  printf("%s  GPU %d  %s%s%s\n", snapshot->nodes.items[node].name, gpu->index, gpu->model_label,
         gpu->blocked ? ": " : "", string_or_empty(gpu->blocked));
  if (!gpu->model)
    return;
  PlannedGpu planned = planned_gpu(snapshot, plan, node, g);
  DrawState states[MIG_INSTANCES_MAX];
  for (int i = 0; i < planned.layout.count; i++)
    states[i] = draw_state_of(planned.states[i]);
  CLEANUP(text_deinit) Text line = {0};
  cli_draw_layout(&planned.layout, states, colours, &line);
  printf("  %s\n", text_string(&line));
}

static void print_table(const Snapshot *snapshot, const Plan *plan) {
  bool colours = isatty(STDOUT_FILENO);
  printf(
      "%d pods pending: %d fit already, %d admitted by %d new slices on %d node%s (bound %d), %d blocked\n\n",
      plan->pending, plan->already_fit, plan->admitted, plan->create, plan->nodes_changed,
      plan->nodes_changed == 1 ? "" : "s", plan->bound, plan->pending - plan->already_fit - plan->admitted);
  for (size_t n = 0; n < snapshot->nodes.count; n++)
    for (int g = 0; g < snapshot->nodes.items[n].gpu_count; g++)
      print_gpu(snapshot, plan, (int)n, g, colours);
  if (plan->pods.count)
    printf("\n%-40s %-9s %-20s %s\n", "POD", "VERDICT", "NODE", "REASON");
  for (size_t i = 0; i < plan->pods.count; i++) {
    const PlanPod *planned = &plan->pods.items[i];
    const Pod *pod = snapshot->pods.items[planned->pod].object;
    CLEANUP(text_deinit) Text name = {0};
    text_format(&name, "%s/%s", string_or_empty(pod->meta.namespace_), string_or_empty(pod->meta.name));
    printf("%-40s %-9s %-20s %s\n", text_string(&name), plan_verdict_name(planned->verdict),
           node_name_of(snapshot, planned), string_or_empty(planned->reason));
  }
}

/* ---- the verb ---- */

static int check_options(const Options *options, Error *err) {
  if (!options->files.count)
    return error_set(err, ERROR_INVALID,
                     "no file: run `kubectl get nodes,pods -A -o json | facet plan -f -`");
  if (!string_equal(options->output, "json") && !string_equal(options->output, "table"))
    return error_set(err, ERROR_INVALID, "-o wants json or table, not \"%s\"", options->output);
  if (!string_equal(options->leftover, "fill") && !string_equal(options->leftover, "none"))
    return error_set(err, ERROR_INVALID, "--leftover wants fill or none, not \"%s\"", options->leftover);
  return 0;
}

static int plan_files(const Options *options, Error *err) {
  CLEANUP(cluster_deinit) Cluster cluster = {0};
  for (int i = 0; i < options->files.count; i++) {
    int r = read_file(options->files.items[i], &cluster, err);
    if (r < 0)
      return r;
  }
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  snapshot_init(&snapshot);
  SnapshotWarnings warnings = {0};
  take_snapshot(&cluster, &snapshot, &warnings);
  for (size_t i = 0; i < warnings.count; i++)
    fprintf(stderr, "facet plan: %s: %s\n", warnings.items[i].object, warnings.items[i].text);
  array_deinit(&warnings);
  CLEANUP(plan_deinit) Plan plan;
  PlanOptions plan_options = {.leftover = string_equal(options->leftover, "none") ? PLAN_LEFTOVER_NONE
                                                                                  : PLAN_LEFTOVER_FILL};
  plan_compute(&snapshot, &plan_options, &plan);
  if (string_equal(options->output, "json"))
    print_json(&snapshot, &plan);
  else
    print_table(&snapshot, &plan);
  return 0;
}

static int run(const CliVerb *verb, int argc, char **argv) {
  Options options = {.output = "table", .leftover = "fill"};
  int exit_code;
  if (!cli_begin(verb, argc, argv, &options, &exit_code))
    return exit_code;
  Error err;
  if (check_options(&options, &err) < 0) {
    fprintf(stderr, "facet plan: %s\n", err.text);
    return CLI_EXIT_USAGE;
  }
  if (plan_files(&options, &err) < 0) {
    fprintf(stderr, "facet plan: %s\n", err.text);
    return CLI_EXIT_FAILED;
  }
  return CLI_EXIT_OK;
}

const CliVerb cli_verb_plan = {
    .name = "plan",
    .help = "say what facet would do for the pods that wait, from a kubectl dump",
    .more = "    kubectl get nodes,pods -A -o json | facet plan -f -\n\n"
            "Changes nothing. The JSON (-o json) is a stable interface.",
    .options = options_table,
    .option_count = COUNT_OF(options_table),
    .run = run,
};
