/* SPDX-License-Identifier: Apache-2.0 */
/* For somebody who was woken up: what is the matter, what helps, and only then the details.
 *
 *     ml/train is blocked: 3g.40gb needs slots 4-7 of GPU 0 of node gpu-1, but 1 slice is in the way
 *     Way in: when ml/notebook ends, facet makes room for it on node gpu-1.
 *     (other ways)
 *     (nodes and GPUs, equal ones once)
 */
#include "cli/explanation.h"
#include "cli/printable.h"

#include <string.h>

enum {
  ADVICE_MAX = 8,        /* told; the cheapest ones */
  GROUPS_MAX = 24,       /* of nodes */
  SERVED_GROUPS_MAX = 3, /* for a pod that is served */
  OBSTACLES_MAX = 4,
  SERVED_MAX = 3, /* pods that come first, by name */
  NAME_COLUMNS = 24,
  GPUS_MAX = 4, /* lines for GPUs, of the first node; the others get fewer */
  GPUS_FEW = 2,
};

typedef struct Printer {
  const Explanation *explanation;
  Text *out;
  Arena arena;
} Printer;

static const char *plain(Printer *printer, const char *text) {
  return cli_printable(&printer->arena, text);
}

/* ---- the short answer ---- */

static const char *pod_name(Printer *printer) {
  CLEANUP(text_deinit) Text name = {0};
  explain_pod_format(printer->explanation->cluster->pods[printer->explanation->subject], &name);
  return plain(printer, arena_strdup(&printer->arena, text_string(&name)));
}

static void append_requests(Printer *printer) {
  const Resources *requests = &printer->explanation->requests;
  const Pod *pod = printer->explanation->cluster->pods[printer->explanation->subject];
  bool is_first = true;
  for (size_t i = 0; i < requests->count; i++) {
    const char *name = requests->items[i].name;
    if (!requests->items[i].amount)
      continue;
    text_format(printer->out, "%s%s %s", is_first ? "It asks " : ", ", plain(printer, name),
                explain_amount_format(&printer->arena, name, requests->items[i].amount));
    is_first = false;
  }
  text_format(printer->out, "%s; its priority is %d\n", is_first ? "It asks nothing" : "", pod->priority);
}

/* A pod that has a node need not run yet. */
static const char *verdict_words(const Explanation *explanation) {
  const Pod *pod = explanation->cluster->pods[explanation->subject];
  if (explanation->verdict == EXPLAIN_BOUND && !string_equal(pod_common(pod)->phase, "Running"))
    return "placed";
  return explain_verdict_name(explanation->verdict);
}

static void append_answer(Printer *printer) {
  const Explanation *explanation = printer->explanation;
  const char *reason = explanation->reason;
  text_format(printer->out, "%s%s %s%s%s\n", pod_name(printer),
              explanation->verdict == EXPLAIN_FITS ? "" : " is", verdict_words(explanation),
              *reason ? ": " : "", plain(printer, reason));
}

static void append_way(Printer *printer, const char *begin, const ExplainAdvice *advice) {
  text_format(printer->out, "%s%s: %s\n", begin, plain(printer, advice->text),
              plain(printer, advice->outcome));
  if (advice->command)
    text_format(printer->out, "    $ %s\n", plain(printer, advice->command));
}

static const char *next_step(const Explanation *explanation) {
  switch (explanation->verdict) {
  case EXPLAIN_FITS:
    return "The scheduler can place it; if it does not, `kubectl describe pod` has the scheduler's own "
           "words.\n";
  case EXPLAIN_ADMITTED:
    return "It is next: facet's controller makes the slices and the scheduler places it.\n";
  case EXPLAIN_IGNORED:
    return "Cutting GPUs cannot help it.\n";
  default:
    return "";
  }
}

static void append_no_way(Printer *printer) {
  const Explanation *explanation = printer->explanation;
  if (explanation->tries)
    text_format(printer->out, "No way in was found: %d change%s planned, and none lets it in.\n",
                explanation->tries, explanation->tries == 1 ? " was" : "s were");
  else
    text_append(printer->out, "No way in was found.\n");
}

/* What was not tried is told, so that nobody takes silence for a no. */
static void append_limits(Printer *printer) {
  const Explanation *explanation = printer->explanation;
  if (explanation->more_ends > 0)
    text_format(printer->out, "  (%d more running pod%s not tried)\n", explanation->more_ends,
                explanation->more_ends == 1 ? " was" : "s were");
  else if (!explanation->all_ends_tried && explanation->need_count)
    text_append(printer->out, "  (the search was cut short: not every running pod was tried)\n");
}

static void append_ways(Printer *printer) {
  const Explanation *explanation = printer->explanation;
  if (explanation->verdict != EXPLAIN_BLOCKED) {
    text_append(printer->out, next_step(explanation));
    return;
  }
  if (!explanation->advice.count) {
    append_no_way(printer);
    append_limits(printer);
    return;
  }
  append_way(printer, "Cheapest way in: ", &explanation->advice.items[0]);
  for (size_t i = 1; i < explanation->advice.count && i < ADVICE_MAX; i++)
    append_way(printer, i == 1 ? "\nOther ways, each planned like the first:\n  " : "  ",
               &explanation->advice.items[i]);
  if (explanation->advice.count > ADVICE_MAX)
    text_format(printer->out, "  ... and %zu more; -o json has them\n",
                explanation->advice.count - ADVICE_MAX);
  append_limits(printer);
}

/* ---- nodes and GPUs ---- */

/* "it would fit here if it came before ml/a, ml/b and 5 more" */
static const char *name_served(Printer *printer, const ExplainGroup *group) {
  const Explanation *explanation = printer->explanation;
  int pods[SERVED_MAX], count = explain_served_find(explanation, group->node, SERVED_MAX, pods);
  CLEANUP(text_deinit) Text text = {0};
  text_append(&text, count ? "it would fit here if it came before " : "it would fit here if it came first");
  for (int i = 0; i < count && i < SERVED_MAX; i++) {
    text_append(&text, i ? ", " : "");
    explain_pod_format(explanation->snapshot.pods.items[pods[i]].object, &text);
  }
  if (count > SERVED_MAX)
    text_format(&text, " and %d more", count - SERVED_MAX);
  return plain(printer, arena_strdup(&printer->arena, text_string(&text)));
}

static const char *state_words(Printer *printer, const ExplainGroup *group) {
  if (group->state == EXPLAIN_NODE_CHOSEN)
    return "it goes here";
  if (group->state == EXPLAIN_NODE_ROOM)
    return printer->explanation->verdict == EXPLAIN_BLOCKED ? name_served(printer, group)
                                                            : "it would fit here, too";
  if (!group->obstacles.count)
    return group->is_judged ? "cannot take it" : "not looked at in detail";
  return NULL;
}

static void append_title(Printer *printer, const ExplainGroup *group) {
  const char *name = plain(printer, printer->explanation->snapshot.nodes.items[group->node].name);
  const char *title =
      group->count > 1 ? arena_format(&printer->arena, "%d nodes like %s", group->count, name) : name;
  int columns = 0;
  for (const char *p = title; *p; p++)
    columns += ((unsigned char)*p & 0xc0) != 0x80;
  text_format(printer->out, "%s%*s", title, columns < NAME_COLUMNS ? NAME_COLUMNS - columns : 0, "");
}

static void append_obstacles(Printer *printer, const ExplainGroup *group) {
  const char *words = state_words(printer, group);
  if (words)
    text_format(printer->out, "  %s\n", words);
  for (size_t i = 0; i < group->obstacles.count && i < OBSTACLES_MAX; i++)
    text_format(printer->out, "%*s  %s\n", i || words ? NAME_COLUMNS : 0, "",
                plain(printer, group->obstacles.items[i].text));
  if (group->obstacles.count > OBSTACLES_MAX)
    text_format(printer->out, "%*s  and %zu more things\n", NAME_COLUMNS, "",
                group->obstacles.count - OBSTACLES_MAX);
}

/* What the agent there says of itself: the plan is not done by being made. */
static void append_failure(Printer *printer, const ExplainGroup *group) {
  const Node *node = printer->explanation->snapshot.nodes.items[group->node].object;
  const char *failure = key_values_find(&node->meta.annotations, MIG_ANNOTATION_ERROR);
  if (failure && *failure)
    text_format(printer->out, "%*s  its agent failed last: %s\n", NAME_COLUMNS, "", plain(printer, failure));
}

/* "GPU 0", "GPUs 0-3, 6": those from g on that have the same words; marks them as done. */
static const char *format_gpus(Printer *printer, const ExplainGroup *group, int count, int g,
                               uint64_t *done) {
  const SnapshotGpu *gpus = printer->explanation->snapshot.nodes.items[group->node].gpus;
  CLEANUP(text_deinit) Text text = {0};
  int listed = 0, last = -2;
  bool in_run = false;
  for (int i = 0; i < count; i++) {
    if (*done >> i & 1 || strcmp(group->gpus[i].text, group->gpus[g].text) != 0 ||
        strcmp(gpus[i].model_label, gpus[g].model_label) != 0)
      continue;
    *done |= UINT64_C(1) << i;
    if (i == last + 1) {
      in_run = true;
    } else {
      if (in_run)
        text_format(&text, "-%d", gpus[last].index);
      text_format(&text, "%s%d", listed ? "," : "", gpus[i].index);
      in_run = false;
    }
    listed++;
    last = i;
  }
  if (in_run)
    text_format(&text, "-%d", gpus[last].index);
  return arena_format(&printer->arena, "GPU%s %s", listed == 1 ? "" : "s", text_string(&text));
}

/* GPUs with room first, then those with the fewest slices in the way, then by index. */
static int next_gpu(const ExplainGroup *group, int count, uint64_t done) {
  int best = -1;
  for (int g = 0; g < count; g++) {
    const ExplainGpu *gpu = &group->gpus[g];
    if (done >> g & 1 || !gpu->text || !*gpu->text)
      continue;
    bool is_better = best < 0 || gpu->room < group->gpus[best].room ||
                     (gpu->room == group->gpus[best].room && gpu->in_the_way < group->gpus[best].in_the_way);
    best = is_better ? g : best;
  }
  return best;
}

static void append_gpus(Printer *printer, const ExplainGroup *group, int lines) {
  const SnapshotNode *node = &printer->explanation->snapshot.nodes.items[group->node];
  uint64_t done = 0;
  int g;
  for (; (g = next_gpu(group, node->gpu_count, done)) >= 0 && lines > 0; lines--) {
    const char *label = node->gpus[g].model_label;
    const MigModelRow *row = *label ? mig_model_find(label) : NULL;
    const char *gpus = format_gpus(printer, group, node->gpu_count, g, &done);
    text_format(printer->out, "  %s %s: %s\n", gpus,
                row      ? row->key
                : *label ? plain(printer, label)
                         : "unknown model",
                plain(printer, group->gpus[g].text));
  }
  int more = node->gpu_count - __builtin_popcountll(done);
  if (g >= 0)
    text_format(printer->out, "  and %d GPU%s more, not nearer\n", more, more == 1 ? "" : "s");
}

static void append_nodes(Printer *printer) {
  const Explanation *explanation = printer->explanation;
  bool is_served = explanation->verdict == EXPLAIN_FITS || explanation->verdict == EXPLAIN_ADMITTED;
  size_t shown = is_served ? SERVED_GROUPS_MAX : GROUPS_MAX;
  int more = 0;
  for (size_t i = 0; i < explanation->groups.count; i++) {
    const ExplainGroup *group = &explanation->groups.items[i];
    if (i >= shown) {
      more += group->count;
      continue;
    }
    text_append(printer->out, i ? "" : "\n");
    append_title(printer, group);
    append_obstacles(printer, group);
    append_failure(printer, group);
    append_gpus(printer, group, i ? GPUS_FEW : GPUS_MAX);
  }
  if (more)
    text_format(printer->out, "... and %d more nodes; -o json has them\n", more);
  if (explanation->other_nodes)
    text_format(printer->out, "%s%d node%s without GPUs\n", explanation->groups.count ? "" : "\n",
                explanation->other_nodes, explanation->other_nodes == 1 ? "" : "s");
}

void cli_explanation_table(const Explanation *explanation, Text *out) {
  Printer printer = {.explanation = explanation, .out = out};
  append_answer(&printer);
  append_requests(&printer);
  if (explanation->ahead)
    text_format(out, "%d pod%s for the same slices and come%s first\n", explanation->ahead,
                explanation->ahead == 1 ? " waits" : "s wait", explanation->ahead == 1 ? "s" : "");
  append_ways(&printer);
  if (explanation->verdict != EXPLAIN_IGNORED)
    append_nodes(&printer);
  arena_deinit(&printer.arena);
}
