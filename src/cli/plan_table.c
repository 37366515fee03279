/* SPDX-License-Identifier: Apache-2.0 */
/* On a large cluster most of what is is not news: GPUs that stay as they are are counted, and pods of which
 * the same is to be said share a line. -o json has everything. */
#include "cli/draw.h"
#include "cli/plan_view.h"
#include "cli/printable.h"

#include "base/map.h"
#include "base/memory.h"

enum {
  GPUS_SMALL = 16, /* as many are all drawn */
  GPUS_MAX = 64,   /* drawn of those that change */
  PODS_SMALL = 40, /* as many have a line each */
  LINES_MAX = 200,
};

/* ---- GPUs ---- */

static DrawState draw_state_of(PlanState state) {
  return state == PLAN_CREATE ? DRAW_NEW : state == PLAN_USED ? DRAW_USED : DRAW_FREE;
}

static void append_destroys(const CliPlanGpu *planned, Text *out) {
  const MigProfile *profiles = planned->layout.model->profiles;
  for (int i = 0; planned->changes && i < planned->changes->destroy_count; i++)
    text_format(out, "%s%s@%d", i ? ", " : "  free slices that go first: ",
                profiles[planned->changes->destroys[i].profile].name, planned->changes->destroys[i].start);
  if (planned->changes && planned->changes->destroy_count)
    text_append(out, "\n");
}

static void append_gpu(CliPlanView *view, int n, int g, bool colours, Text *out) {
  const SnapshotNode *node = &view->snapshot->nodes.items[n];
  const SnapshotGpu *gpu = &node->gpus[g];
  const char *blocked = gpu->blocked ? gpu->blocked : node->blocked;
  text_format(out, "%s  GPU %d  %s%s%s\n", cli_printable(&view->arena, node->name), gpu->index,
              *gpu->model_label ? cli_printable(&view->arena, gpu->model_label) : "unknown model",
              blocked ? ": " : "", cli_printable(&view->arena, blocked));
  if (!gpu->model)
    return;
  CliPlanGpu planned = cli_plan_view_gpu(view, n, g);
  DrawState states[MIG_INSTANCES_MAX];
  for (int i = 0; i < planned.layout.count; i++)
    states[i] = draw_state_of(planned.states[i]);
  text_append(out, "  ");
  cli_draw_layout(&planned.layout, states, colours, out);
  text_append(out, "\n");
  append_destroys(&planned, out);
}

static const char *plural(int64_t count) {
  return count == 1 ? "" : "s";
}

static int64_t count_gpus(const Snapshot *snapshot) {
  int64_t count = 0;
  for (size_t n = 0; n < snapshot->nodes.count; n++)
    count += snapshot->nodes.items[n].gpu_count;
  return count;
}

static void append_changed_gpus(CliPlanView *view, int64_t gpu_count, bool colours, Text *out) {
  const Plan *plan = view->plan;
  for (size_t i = 0; i < plan->gpus.count && i < GPUS_MAX; i++)
    append_gpu(view, plan->gpus.items[i].node, plan->gpus.items[i].gpu, colours, out);
  int64_t more = (int64_t)plan->gpus.count - GPUS_MAX, same = gpu_count - (int64_t)plan->gpus.count;
  if (more > 0)
    text_format(out, "... and %lld more GPU%s that change%s; -o json has all\n", (long long)more,
                plural(more), more == 1 ? "s" : "");
  if (same)
    text_format(out, "%lld GPU%s stay%s as %s\n", (long long)same, plural(same), same == 1 ? "s" : "",
                same == 1 ? "it is" : "they are");
}

static void append_gpus(CliPlanView *view, bool colours, Text *out) {
  int64_t count = count_gpus(view->snapshot);
  if (count > GPUS_SMALL) {
    append_changed_gpus(view, count, colours, out);
    return;
  }
  for (size_t n = 0; n < view->snapshot->nodes.count; n++)
    for (int g = 0; g < view->snapshot->nodes.items[n].gpu_count; g++)
      append_gpu(view, (int)n, g, colours, out);
}

/* ---- pods ---- */

static void append_pod(CliPlanView *view, const PlanPod *planned, int like_it, Text *out) {
  const ObjectMeta *meta = &view->snapshot->pods.items[plan_pod_index(view->plan, planned)].object->meta;
  CLEANUP(text_deinit) Text name = {0};
  text_format(&name, "%s/%s", string_or_empty(meta->namespace_), string_or_empty(meta->name));
  if (like_it)
    text_format(&name, " and %d more", like_it);
  text_format(out, "%-40s %-9s %-20s %s\n", cli_printable(&view->arena, text_string(&name)),
              plan_verdict_name(planned->verdict),
              cli_printable(&view->arena, cli_plan_view_node(view, planned)),
              cli_printable(&view->arena, planned->reason));
}

typedef struct Row { /* pods of which the same is to be said */
  const PlanPod *first;
  int count;
} Row;

/* Who stays blocked comes first. */
static int compare_rows(const void *a, const void *b) {
  const Row *left = a, *right = b;
  bool is_left = left->first->verdict == PLAN_BLOCKED, is_right = right->first->verdict == PLAN_BLOCKED;
  if (is_left != is_right)
    return is_left ? -1 : 1;
  return left->first < right->first ? -1 : left->first > right->first;
}

/* In the order of their first pods. */
static size_t list_rows(const CliPlanView *view, Row *rows) {
  CLEANUP(map_deinit) Map seen = {0};
  CLEANUP(text_deinit) Text key = {0};
  size_t count = 0;
  for (size_t i = 0; i < view->plan->pods.count; i++) {
    const PlanPod *planned = &view->plan->pods.items[i];
    text_clear(&key);
    text_format(&key, "%d %d %s", (int)planned->verdict, planned->node, planned->reason);
    Row *row = map_find(&seen, text_string(&key));
    if (!row) {
      row = &rows[count++];
      row->first = planned;
      map_put(&seen, text_string(&key), row);
    }
    row->count++;
  }
  return count;
}

static void append_rows(CliPlanView *view, Text *out) {
  CLEANUP(cleanup_free) Row *rows = mem_alloc(view->plan->pods.count * sizeof *rows);
  size_t count = list_rows(view, rows);
  int64_t more = 0;
  qsort(rows, count, sizeof *rows, compare_rows);
  for (size_t i = 0; i < count; i++) {
    if (i < LINES_MAX)
      append_pod(view, rows[i].first, rows[i].count - 1, out);
    else
      more += rows[i].count;
  }
  if (more)
    text_format(out, "... and %lld more pod%s; -o json has all\n", (long long)more, plural(more));
}

static void append_pods(CliPlanView *view, Text *out) {
  const Plan *plan = view->plan;
  if (plan->pods.count)
    text_format(out, "\n%-40s %-9s %-20s %s\n", "POD", "VERDICT", "NODE", "REASON");
  if (plan->pods.count > PODS_SMALL) {
    append_rows(view, out);
    return;
  }
  for (size_t i = 0; i < plan->pods.count; i++)
    append_pod(view, &plan->pods.items[i], 0, out);
}

/* ---- all ---- */

/* The bound knows no priorities: who looks for as many pods in the plan would look in vain. */
static bool priorities_matter(const CliPlanView *view) {
  const Plan *plan = view->plan;
  const SnapshotPod *first = NULL;
  for (size_t i = 0; i < plan->pods.count && plan->bound > plan->admitted; i++) {
    const SnapshotPod *pod = &view->snapshot->pods.items[i];
    if (plan->pods.items[i].verdict == PLAN_IGNORED)
      continue;
    first = first ? first : pod;
    if (pod->priority != first->priority)
      return true;
  }
  return false;
}

void cli_plan_table(CliPlanView *view, bool colours, Text *out) {
  const Plan *plan = view->plan;
  text_format(out,
              "%d pod%s pending: %d fit already, %d admitted by %d new slice%s on %d node%s (bound %d%s%s), "
              "%d blocked\n\n",
              plan->pending, plural(plan->pending), plan->already_fit, plan->admitted, plan->create,
              plural(plan->create), plan->nodes_changed, plural(plan->nodes_changed), plan->bound,
              priorities_matter(view) ? " if priorities did not count" : "",
              plan->stopped_early ? ", stopped early" : "", cli_plan_view_blocked(plan));
  append_gpus(view, colours, out);
  append_pods(view, out);
}
