/* SPDX-License-Identifier: Apache-2.0 */
/* facet plan: the controller's planner for people, on the live cluster or on what kubectl printed of one. */
#include "cli/cluster_input.h"
#include "cli/deadline.h"
#include "cli/draw.h"
#include "cli/print_tree.h"
#include "cli/printable.h"
#include "cli/question.h"
#include "plan/plan.h"

#include <time.h>

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

static json_t *gpu_to_json(View *view, int node, int g) {
  const SnapshotGpu *gpu = &view->snapshot->nodes.items[node].gpus[g];
  json_t *layout = NULL;
  if (gpu->model) {
    PlannedGpu planned = planned_gpu(view, node, g);
    layout = layout_to_json(&planned);
  }
  return json_pack("{s:i,s:s,s:o}", "index", gpu->index, "model", cli_valid(&view->arena, gpu->model_label),
                   "layout", layout ? layout : json_array());
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
    json_array_append_new(list,
                          json_pack("{s:s,s:o}", "name", cli_valid(&view->arena, node->name), "gpus", gpus));
  }
  return list;
}

static const char *node_name_of(const View *view, const PlanPod *planned) {
  return planned->node >= 0 ? view->snapshot->nodes.items[planned->node].name : "";
}

static json_t *pod_to_json(View *view, const PlanPod *planned) {
  const ObjectMeta *meta = &view->snapshot->pods.items[planned->pod].object->meta;
  return json_pack("{s:s,s:s,s:s,s:s,s:s}", "namespace", cli_valid(&view->arena, meta->namespace_), "name",
                   cli_valid(&view->arena, meta->name), "verdict", plan_verdict_name(planned->verdict),
                   "node", cli_valid(&view->arena, node_name_of(view, planned)), "reason",
                   cli_valid(&view->arena, planned->reason));
}

static json_t *pods_to_json(View *view) {
  json_t *list = json_array();
  for (size_t i = 0; i < view->plan->pods.count; i++)
    json_array_append_new(list, pod_to_json(view, &view->plan->pods.items[i]));
  return list;
}

static void print_tree(View *view, const char *format) {
  const Plan *plan = view->plan;
  json_t *summary = json_pack("{s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:f,s:b}", "pending", plan->pending, "admitted",
                              plan->admitted, "already_fit", plan->already_fit, "create", plan->create,
                              "destroy", plan->destroy, "nodes_changed", plan->nodes_changed, "bound",
                              plan->bound, "gap", plan_gap(plan), "stopped_early", plan->stopped_early);
  json_t *root = json_pack("{s:o,s:o,s:o}", "summary", summary, "nodes", nodes_to_json(view), "pods",
                           pods_to_json(view));
  cli_print_tree(root, format);
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
  printf("%s  GPU %d  %s%s%s\n", cli_printable(&view->arena, node->name), gpu->index,
         *gpu->model_label ? cli_printable(&view->arena, gpu->model_label) : "unknown model",
         blocked ? ": " : "", cli_printable(&view->arena, blocked));
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
  printf("%-40s %-9s %-20s %s\n", cli_printable(&view->arena, text_string(&name)),
         plan_verdict_name(planned->verdict), cli_printable(&view->arena, node_name_of(view, planned)),
         cli_printable(&view->arena, planned->reason));
}

static int count_blocked(const Plan *plan) {
  return plan->pending - plan->already_fit - plan->admitted;
}

static const char *plural(int count) {
  return count == 1 ? "" : "s";
}

static void print_table(View *view) {
  const Plan *plan = view->plan;
  bool colours = isatty(STDOUT_FILENO);
  printf("%d pod%s pending: %d fit already, %d admitted by %d new slice%s on %d node%s (bound %d%s), %d "
         "blocked\n\n",
         plan->pending, plural(plan->pending), plan->already_fit, plan->admitted, plan->create,
         plural(plan->create), plan->nodes_changed, plural(plan->nodes_changed), plan->bound,
         plan->stopped_early ? ", stopped early" : "", count_blocked(plan));
  for (size_t n = 0; n < view->snapshot->nodes.count; n++)
    for (int g = 0; g < view->snapshot->nodes.items[n].gpu_count; g++)
      print_gpu(view, (int)n, g, colours);
  if (plan->pods.count)
    printf("\n%-40s %-9s %-20s %s\n", "POD", "VERDICT", "NODE", "REASON");
  for (size_t i = 0; i < plan->pods.count; i++)
    print_pod(view, &plan->pods.items[i]);
}

/* ---- the verb ---- */

static int check_options(const void *values, Error *err) {
  const Options *options = values;
  if (!cli_print_tree_knows(options->output) && !string_equal(options->output, "table"))
    return error_set(err, ERROR_INVALID, "-o wants table, json or yaml, not \"%s\"", options->output);
  if (!string_equal(options->leftover, "fill") && !string_equal(options->leftover, "none"))
    return error_set(err, ERROR_INVALID, "--leftover wants fill or none, not \"%s\"", options->leftover);
  return 0;
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
  PlanOptions plan_options = {
      .leftover = string_equal(options->leftover, "none") ? PLAN_LEFTOVER_NONE : PLAN_LEFTOVER_FILL,
      .old_before = options->starvation_ms ? time(NULL) - options->starvation_ms / 1000 : 0,
      .clock = &clock};
  plan_compute(&snapshot, &plan_options, &plan);
  CLEANUP(view_deinit) View view = {.snapshot = &snapshot, .plan = &plan};
  if (string_equal(options->output, "table"))
    print_table(&view);
  else
    print_tree(&view, options->output);
  int exit_code = cluster_input_exit_code(&input);
  return exit_code == CLI_EXIT_OK && options->check && count_blocked(&plan) ? CLI_EXIT_BLOCKED : exit_code;
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
