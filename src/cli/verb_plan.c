/* SPDX-License-Identifier: Apache-2.0 */
/* facet plan: the controller's planner on a file from `kubectl get nodes,pods -A -o json`. */
#include "cli/draw.h"
#include "cli/verb.h"
#include "kube/reader.h"
#include "kube/store.h"
#include "plan/plan.h"

#include <errno.h>
#include <jansson.h>

enum { DUMP_SIZE_MAX_MIB = 2048, COMPLAINTS_MAX = 20 /* on one run; the others are counted */ };

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
  Map seen; /* "Pod demo/p", "Node n1" */
  size_t complaint_count;
} Cluster;

static void cluster_deinit(Cluster *cluster) {
  for (size_t i = 0; i < cluster->nodes.count; i++)
    kube_object_free(cluster->nodes.items[i]);
  for (size_t i = 0; i < cluster->pods.count; i++)
    kube_object_free(cluster->pods.items[i]);
  array_deinit(&cluster->nodes);
  array_deinit(&cluster->pods);
  map_deinit(&cluster->seen);
}

/* ---- what is printed ---- */

/* A file may hold names that no API server would accept. This is what a terminal can bear of them. */
static const char *printable(Arena *arena, const char *text) {
  const char *valid = kube_store_text(arena, string_or_empty(text), strlen(string_or_empty(text)));
  char *plain = arena_strdup(arena, valid);
  for (unsigned char *p = (unsigned char *)plain; *p; p++) {
    bool is_c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f; /* U+0080 to U+009F in UTF-8 */
    if (*p < ' ' || *p == 0x7f)
      *p = '?';
    else if (is_c1)
      p[0] = p[1] = '?';
  }
  return plain;
}

static void complain(Cluster *cluster, const char *text) {
  CLEANUP(arena_deinit) Arena arena = {0};
  if (cluster->complaint_count++ < COMPLAINTS_MAX)
    fprintf(stderr, "facet plan: %s\n", printable(&arena, text));
}

static void count_complaints(const Cluster *cluster) {
  if (cluster->complaint_count > COMPLAINTS_MAX)
    fprintf(stderr, "facet plan: %zu more problems of this kind are not shown\n",
            cluster->complaint_count - COMPLAINTS_MAX);
}

/* ---- reading ---- */

/* The same file may be given twice. Without a name, nobody can tell. */
static bool is_seen(Cluster *cluster, const KubeObject *object) {
  const ObjectMeta *meta = object->value;
  CLEANUP(text_deinit) Text text = {0};
  text_format(&text, "%s %s%s%s", object->type->kind, string_or_empty(meta->namespace_),
              meta->namespace_ ? "/" : "", string_or_empty(meta->name));
  if (!*string_or_empty(meta->name) || !map_put(&cluster->seen, text_string(&text), cluster))
    return false;
  text_append(&text, " is listed twice: the first one counts");
  complain(cluster, text_string(&text));
  return true;
}

static void on_object(void *userdata, KubeObject *object) {
  Cluster *cluster = userdata;
  if (is_seen(cluster, object))
    kube_object_free(object);
  else if (object->type == &kube_node_type)
    *array_push(&cluster->nodes) = object;
  else
    *array_push(&cluster->pods) = object;
}

static void on_bad(void *userdata, const Error *err) {
  CLEANUP(text_deinit) Text text = {0};
  text_format(&text, "skipped an object: %s", err->text);
  complain(userdata, text_string(&text));
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
    return error_prefix(err, "%s is not the output of `kubectl get nodes,pods -A -o json`",
                        is_stdin ? "standard input" : path);
  return 0;
}

static int compare_objects(const void *a, const void *b) {
  const ObjectMeta *left = (*(KubeObject *const *)a)->value, *right = (*(KubeObject *const *)b)->value;
  int by_namespace = strcmp(string_or_empty(left->namespace_), string_or_empty(right->namespace_));
  return by_namespace ? by_namespace : strcmp(string_or_empty(left->name), string_or_empty(right->name));
}

static void take_snapshot(Cluster *cluster, Snapshot *snapshot) {
  SnapshotWarnings warnings = {0};
  if (cluster->nodes.count)
    qsort(cluster->nodes.items, cluster->nodes.count, sizeof *cluster->nodes.items, compare_objects);
  if (cluster->pods.count)
    qsort(cluster->pods.items, cluster->pods.count, sizeof *cluster->pods.items, compare_objects);
  SnapshotOptions options = {0};
  for (size_t i = 0; i < cluster->nodes.count; i++)
    snapshot_add_node(snapshot, cluster->nodes.items[i]->value, &options, &warnings);
  for (size_t i = 0; i < cluster->pods.count; i++)
    snapshot_add_pod(snapshot, cluster->pods.items[i]->value, &warnings);
  for (size_t i = 0; i < warnings.count; i++) {
    CLEANUP(text_deinit) Text text = {0};
    text_format(&text, "%s: %s", warnings.items[i].object, warnings.items[i].text);
    complain(cluster, text_string(&text));
  }
  array_deinit(&warnings);
}

/* The result, and an arena for what is printed of it. */
typedef struct View {
  const Snapshot *snapshot;
  const Plan *plan;
  Arena arena;
} View;

static void view_deinit(View *view) {
  arena_deinit(&view->arena);
}

/* ---- the planned state of one GPU ---- */

typedef struct PlannedGpu {
  MigLayout layout; /* with the creates in place of the destroys */
  PlanState states[MIG_INSTANCES_MAX];
  const PlanGpu *changes; /* NULL: none */
} PlannedGpu;

/* The plan has them by node, then GPU: the nodes of the snapshot are sorted by name. */
static int compare_planned(const void *a, const void *b) {
  const PlanGpu *left = a, *right = b;
  return left->node != right->node ? left->node - right->node : left->gpu - right->gpu;
}

static const PlanGpu *find_planned(const Plan *plan, int node, int gpu) {
  const PlanGpu wanted = {.node = node, .gpu = gpu};
  if (!plan->gpus.count)
    return NULL;
  return bsearch(&wanted, plan->gpus.items, plan->gpus.count, sizeof wanted, compare_planned);
}

static PlannedGpu planned_gpu(const View *view, int node, int g) {
  const SnapshotGpu *gpu = &view->snapshot->nodes.items[node].gpus[g];
  const PlanGpu *changes = find_planned(view->plan, node, g);
  PlannedGpu planned = {.layout = gpu->layout, .changes = changes};
  uint32_t created = 0;
  for (int i = 0; changes && i < changes->destroy_count; i++)
    mig_layout_remove(&planned.layout, changes->destroys[i].start);
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

static json_t *slice_to_json(const MigProfile *profile, int start, PlanState state) {
  return json_pack("{s:s,s:i,s:i,s:s}", "profile", profile->name, "start", start, "size", profile->size,
                   "state", plan_state_name(state));
}

/* What goes first, then what will be there. */
static json_t *layout_to_json(const PlannedGpu *planned) {
  const MigProfile *profiles = planned->layout.model->profiles;
  json_t *list = json_array();
  for (int i = 0; planned->changes && i < planned->changes->destroy_count; i++) {
    const PlanDestroy *destroy = &planned->changes->destroys[i];
    json_array_append_new(list, slice_to_json(&profiles[destroy->profile], destroy->start, PLAN_DESTROY));
  }
  for (int i = 0; i < planned->layout.count; i++) {
    const MigInstance *instance = &planned->layout.instances[i];
    json_array_append_new(list,
                          slice_to_json(&profiles[instance->profile], instance->start, planned->states[i]));
  }
  return list;
}

/* jansson refuses what is not UTF-8, as a long text is that was cut inside a character. */
static const char *valid(View *view, const char *text) {
  return kube_store_text(&view->arena, string_or_empty(text), strlen(string_or_empty(text)));
}

static json_t *gpu_to_json(View *view, int node, int g) {
  const SnapshotGpu *gpu = &view->snapshot->nodes.items[node].gpus[g];
  json_t *layout = NULL;
  if (gpu->model) {
    PlannedGpu planned = planned_gpu(view, node, g);
    layout = layout_to_json(&planned);
  }
  return json_pack("{s:i,s:s,s:o}", "index", gpu->index, "model", valid(view, gpu->model_label), "layout",
                   layout ? layout : json_array());
}

static json_t *nodes_to_json(View *view) {
  json_t *list = json_array();
  for (size_t n = 0; n < view->snapshot->nodes.count; n++) {
    const SnapshotNode *node = &view->snapshot->nodes.items[n];
    if (!node->gpu_count)
      continue;
    json_t *gpus = json_array();
    for (int g = 0; g < node->gpu_count; g++)
      json_array_append_new(gpus, gpu_to_json(view, (int)n, g));
    json_array_append_new(list, json_pack("{s:s,s:o}", "name", valid(view, node->name), "gpus", gpus));
  }
  return list;
}

static const char *node_name_of(const View *view, const PlanPod *planned) {
  return planned->node >= 0 ? view->snapshot->nodes.items[planned->node].name : "";
}

static json_t *pod_to_json(View *view, const PlanPod *planned) {
  const ObjectMeta *meta = &view->snapshot->pods.items[planned->pod].object->meta;
  return json_pack("{s:s,s:s,s:s,s:s,s:s}", "namespace", valid(view, meta->namespace_), "name",
                   valid(view, meta->name), "verdict", plan_verdict_name(planned->verdict), "node",
                   valid(view, node_name_of(view, planned)), "reason", valid(view, planned->reason));
}

static json_t *pods_to_json(View *view) {
  json_t *list = json_array();
  for (size_t i = 0; i < view->plan->pods.count; i++)
    json_array_append_new(list, pod_to_json(view, &view->plan->pods.items[i]));
  return list;
}

static void print_json(View *view) {
  const Plan *plan = view->plan;
  json_t *summary =
      json_pack("{s:i,s:i,s:i,s:i,s:i,s:i,s:i}", "pending", plan->pending, "admitted", plan->admitted,
                "already_fit", plan->already_fit, "create", plan->create, "destroy", plan->destroy,
                "nodes_changed", plan->nodes_changed, "bound", plan->bound);
  json_t *root = json_pack("{s:o,s:o,s:o}", "summary", summary, "nodes", nodes_to_json(view), "pods",
                           pods_to_json(view));
  json_dumpf(root, stdout, JSON_INDENT(2));
  putchar('\n');
  json_decref(root);
}

/* ---- table ---- */

static DrawState draw_state_of(PlanState state) {
  return state == PLAN_CREATE ? DRAW_NEW : state == PLAN_USED ? DRAW_USED : DRAW_FREE;
}

static void print_destroys(const PlannedGpu *planned) {
  const MigProfile *profiles = planned->layout.model->profiles;
  for (int i = 0; planned->changes && i < planned->changes->destroy_count; i++)
    printf("%s%s@%d",
           i ? ", " : "  free slices that go first: ", profiles[planned->changes->destroys[i].profile].name,
           planned->changes->destroys[i].start);
  if (planned->changes && planned->changes->destroy_count)
    putchar('\n');
}

static void print_gpu(View *view, int n, int g, bool colours) {
  const SnapshotNode *node = &view->snapshot->nodes.items[n];
  const SnapshotGpu *gpu = &node->gpus[g];
  const char *blocked = gpu->blocked ? gpu->blocked : node->blocked;
  printf("%s  GPU %d  %s%s%s\n", printable(&view->arena, node->name), gpu->index,
         *gpu->model_label ? printable(&view->arena, gpu->model_label) : "unknown model", blocked ? ": " : "",
         printable(&view->arena, blocked));
  if (!gpu->model)
    return;
  PlannedGpu planned = planned_gpu(view, n, g);
  DrawState states[MIG_INSTANCES_MAX];
  for (int i = 0; i < planned.layout.count; i++)
    states[i] = draw_state_of(planned.states[i]);
  CLEANUP(text_deinit) Text line = {0};
  cli_draw_layout(&planned.layout, states, colours, &line);
  printf("  %s\n", text_string(&line));
  print_destroys(&planned);
}

static void print_pod(View *view, const PlanPod *planned) {
  const ObjectMeta *meta = &view->snapshot->pods.items[planned->pod].object->meta;
  CLEANUP(text_deinit) Text name = {0};
  text_format(&name, "%s/%s", string_or_empty(meta->namespace_), string_or_empty(meta->name));
  printf("%-40s %-9s %-20s %s\n", printable(&view->arena, text_string(&name)),
         plan_verdict_name(planned->verdict), printable(&view->arena, node_name_of(view, planned)),
         printable(&view->arena, planned->reason));
}

static const char *plural(int count) {
  return count == 1 ? "" : "s";
}

static void print_table(View *view) {
  const Plan *plan = view->plan;
  bool colours = isatty(STDOUT_FILENO);
  printf("%d pod%s pending: %d fit already, %d admitted by %d new slice%s on %d node%s (bound %d), %d "
         "blocked\n\n",
         plan->pending, plural(plan->pending), plan->already_fit, plan->admitted, plan->create,
         plural(plan->create), plan->nodes_changed, plural(plan->nodes_changed), plan->bound,
         plan->pending - plan->already_fit - plan->admitted);
  for (size_t n = 0; n < view->snapshot->nodes.count; n++)
    for (int g = 0; g < view->snapshot->nodes.items[n].gpu_count; g++)
      print_gpu(view, (int)n, g, colours);
  if (plan->pods.count)
    printf("\n%-40s %-9s %-20s %s\n", "POD", "VERDICT", "NODE", "REASON");
  for (size_t i = 0; i < plan->pods.count; i++)
    print_pod(view, &plan->pods.items[i]);
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
  take_snapshot(&cluster, &snapshot);
  count_complaints(&cluster);
  CLEANUP(plan_deinit) Plan plan;
  PlanOptions plan_options = {.leftover = string_equal(options->leftover, "none") ? PLAN_LEFTOVER_NONE
                                                                                  : PLAN_LEFTOVER_FILL};
  plan_compute(&snapshot, &plan_options, &plan);
  CLEANUP(view_deinit) View view = {.snapshot = &snapshot, .plan = &plan};
  if (string_equal(options->output, "json"))
    print_json(&view);
  else
    print_table(&view);
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
