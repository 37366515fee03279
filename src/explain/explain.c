/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/inquiry.h"

enum {
  PLACES_MAX = 4, /* that a sentence names */
  TRIES_MIN = 12,
  TRIES_MAX = 400,
  WORK_MAX = 1500000, /* objects read again in all tries: a few seconds */
  WORK_PER_NODE = 20, /* a node with its GPUs is as much work as so many pods */
};

static const char *const verdict_names[] = {
    [EXPLAIN_IGNORED] = "ignored", [EXPLAIN_FITS] = "fits",     [EXPLAIN_ADMITTED] = "admitted",
    [EXPLAIN_BLOCKED] = "blocked", [EXPLAIN_BOUND] = "running", [EXPLAIN_ENDED] = "ended"};
static const char *const advice_names[] = {[EXPLAIN_WAIT] = "wait",         [EXPLAIN_SETTING] = "setting",
                                           [EXPLAIN_END] = "end",           [EXPLAIN_ASK] = "ask",
                                           [EXPLAIN_TOLERATE] = "tolerate", [EXPLAIN_SEVERAL] = "several",
                                           [EXPLAIN_PRIORITY] = "priority", [EXPLAIN_GPU] = "gpu"};
static const char *const node_state_names[] = {
    [EXPLAIN_NODE_CHOSEN] = "chosen", [EXPLAIN_NODE_ROOM] = "room", [EXPLAIN_NODE_BLOCKED] = "blocked"};

const char *explain_verdict_name(ExplainVerdict verdict) {
  assert(verdict < COUNT_OF(verdict_names));
  return verdict_names[verdict];
}

const char *explain_advice_name(ExplainAdviceKind kind) {
  assert(kind < COUNT_OF(advice_names));
  return advice_names[kind];
}

const char *explain_node_state_name(ExplainNodeState state) {
  assert(state < COUNT_OF(node_state_names));
  return node_state_names[state];
}

/* ---- tries ---- */

bool explain_try(Explanation *explanation, const ExplainTrial *trial, ExplainAnswer *ret_answer) {
  if (explanation->tries_left <= 0)
    return false;
  explanation->tries_left--;
  explanation->tries++;
  return explain_trial_serves(trial, explanation->subject, ret_answer);
}

/* Of those who are served now, how many are not, when the subject is? */
static const char *format_cost(Explanation *explanation, const ExplainAnswer *answer) {
  int lost = explanation->plan.admitted + explanation->plan.already_fit + 1 - answer->served;
  if (lost <= 0)
    return "";
  return lost == 1
             ? ", and 1 pod that would be served now is not"
             : arena_format(&explanation->arena, ", and %d pods that would be served now are not", lost);
}

ExplainAdvice *explain_add_advice(Explanation *explanation, ExplainAdviceKind kind, const char *text,
                                  const char *command, const ExplainAnswer *answer) {
  ExplainAdvice *advice = array_push(&explanation->advice);
  Arena *arena = &explanation->arena;
  advice->kind = kind;
  advice->text = arena_strdup(arena, text);
  advice->command = arena_strdup(arena, command);
  advice->node = arena_strdup(arena, answer->node);
  advice->outcome = arena_format(
      arena, answer->verdict == PLAN_FITS ? "it fits on node %s%s" : "facet makes room for it on node %s%s",
      answer->node, kind == EXPLAIN_PRIORITY ? "" : format_cost(explanation, answer));
  return advice;
}

ExplainAdvice *explain_advise(Explanation *explanation, const ExplainTrial *trial, ExplainAdviceKind kind,
                              const char *text, const char *command) {
  ExplainAnswer answer;
  if (!explain_try(explanation, trial, &answer))
    return NULL;
  return explain_add_advice(explanation, kind, text, command, &answer);
}

size_t explain_node_index(const Explanation *explanation, int node) {
  const Node *object = explanation->snapshot.nodes.items[node].object;
  size_t index = 0;
  while (explanation->cluster->nodes[index] != object)
    index++;
  return index;
}

/* ---- the subject ---- */

static bool asks_the_same(const Explanation *explanation, const SnapshotPod *pod) {
  int count = 0;
  for (size_t i = 0; i < pod->spec->requests.count; i++)
    count +=
        mig_profile_is_resource(pod->spec->requests.items[i].name) && pod->spec->requests.items[i].amount > 0;
  for (int i = 0; i < explanation->need_count; i++) {
    char resource[MIG_RESOURCE_NAME_SIZE];
    mig_profile_format_resource(explanation->needs[i].profile, resource);
    if (resources_get(&pod->spec->requests, resource) != explanation->needs[i].count)
      return false;
  }
  return count == explanation->need_count;
}

/* Higher priority, or as high and older. */
static bool comes_before(const Pod *a, const Pod *b) {
  if (a->priority != b->priority)
    return a->priority > b->priority;
  if (a->meta.creation_time != b->meta.creation_time)
    return a->meta.creation_time < b->meta.creation_time;
  int order = strcmp(string_or_empty(a->meta.namespace_), string_or_empty(b->meta.namespace_));
  return order ? order < 0 : strcmp(string_or_empty(a->meta.name), string_or_empty(b->meta.name)) < 0;
}

/* Others wait for the same, and what helps one more pod helps them first. */
static int count_ahead(const Explanation *explanation) {
  const Pod *subject = explanation->cluster->pods[explanation->subject];
  int ahead = 0;
  for (size_t i = 0; i < explanation->plan.pods.count; i++) {
    const SnapshotPod *pod = &explanation->snapshot.pods.items[i];
    ahead += explanation->plan.pods.items[i].verdict == PLAN_BLOCKED && pod->object != subject &&
             comes_before(pod->object, subject) && asks_the_same(explanation, pod);
  }
  return ahead;
}

static int compare_needs(const void *a, const void *b) {
  const ExplainNeed *left = a, *right = b;
  MigProfile profile_left = {0}, profile_right = {0};
  uint32_t gb_left = 0, gb_right = 0;
  Error err;
  if (mig_profile_parse_name(left->profile, &profile_left, &gb_left, &err) < 0)
    gb_left = 0;
  if (mig_profile_parse_name(right->profile, &profile_right, &gb_right, &err) < 0)
    gb_right = 0;
  if (gb_left != gb_right)
    return gb_left < gb_right ? 1 : -1;
  return (int)profile_right.slice_count - (int)profile_left.slice_count;
}

static void read_needs(Explanation *explanation) {
  const Resources *requests = &explanation->requests;
  Error err;
  explanation->needs = arena_alloc(&explanation->arena, requests->count * sizeof *explanation->needs);
  for (size_t i = 0; i < requests->count; i++) {
    ExplainNeed *need = &explanation->needs[explanation->need_count];
    if (requests->items[i].amount <= 0 || !mig_profile_is_resource(requests->items[i].name) ||
        mig_profile_parse_resource(requests->items[i].name, need->profile, &err) < 0)
      continue;
    need->count = requests->items[i].amount;
    explanation->need_count++;
  }
  if (explanation->need_count)
    qsort(explanation->needs, (size_t)explanation->need_count, sizeof *explanation->needs, compare_needs);
}

static const char *format_created(const Explanation *explanation, int node) {
  CLEANUP(text_deinit) Text text = {0};
  for (size_t i = 0; i < explanation->plan.gpus.count; i++) {
    const PlanGpu *changed = &explanation->plan.gpus.items[i];
    const SnapshotGpu *gpu = &explanation->snapshot.nodes.items[node].gpus[changed->gpu];
    if (changed->node != node)
      continue;
    text_format(&text, "%sGPU %d:", text.size ? "; " : "", gpu->index);
    for (int d = 0; d < changed->destroy_count; d++)
      text_format(&text, " -%s@%d", gpu->model->profiles[changed->destroys[d].profile].name,
                  changed->destroys[d].start);
    for (int c = 0; c < changed->create_count; c++)
      text_format(&text, " +%s@%d", gpu->model->profiles[changed->creates[c].profile].name,
                  changed->creates[c].start);
  }
  return arena_strdup((Arena *)&explanation->arena, text_string(&text));
}

/* By its name: who put the gate there has to take it away. */
static const char *format_ignored(Explanation *explanation, const char *reason) {
  SchedVerdict verdict;
  if (sched_may_begin(&explanation->snapshot, explanation->waiting, &verdict) ||
      !string_equal(verdict.plugin, "SchedulingGates"))
    return reason;
  return arena_format(&explanation->arena, "%s (%s)", reason, verdict.reason);
}

static void judge_waiting(Explanation *explanation) {
  static const ExplainVerdict verdicts[] = {[PLAN_IGNORED] = EXPLAIN_IGNORED,
                                            [PLAN_FITS] = EXPLAIN_FITS,
                                            [PLAN_ADMITTED] = EXPLAIN_ADMITTED,
                                            [PLAN_BLOCKED] = EXPLAIN_BLOCKED};
  const PlanPod *planned = &explanation->plan.pods.items[explanation->waiting];
  Arena *arena = &explanation->arena;
  explanation->verdict = verdicts[planned->verdict];
  explanation->reason = planned->reason;
  if (planned->node >= 0)
    explanation->node = explanation->snapshot.nodes.items[planned->node].name;
  if (planned->verdict == PLAN_IGNORED)
    explanation->reason = format_ignored(explanation, planned->reason);
  if (planned->verdict == PLAN_FITS)
    explanation->reason =
        arena_format(arena, "free slices for it are on node %s, or on their way there", explanation->node);
  if (planned->verdict == PLAN_ADMITTED)
    explanation->reason = arena_format(arena, "facet cuts new slices for the waiting pods on node %s: %s",
                                       explanation->node, format_created(explanation, planned->node));
}

/* "3g.40gb@4 of GPU 0", or which slices it may be. */
static void append_held(const Explanation *explanation, int node, const ExplainNeed *need, Text *text) {
  const SnapshotNode *on = &explanation->snapshot.nodes.items[node];
  const ExplainHolders *holders = explain_holding_find(&explanation->holding, node, need->profile);
  bool is_sole = explain_holders_sole(holders) == (int64_t)explanation->subject;
  CLEANUP(text_deinit) Text places = {0};
  int count = 0;
  for (int g = 0; g < on->gpu_count; g++)
    for (int i = 0; on->gpus[g].model && i < on->gpus[g].layout->count; i++) {
      const MigInstance *instance = &on->gpus[g].layout->instances[i];
      if (strcmp(on->gpus[g].model->profiles[instance->profile].name, need->profile) != 0 ||
          !(on->gpus[g].used_starts >> instance->start & 1))
        continue;
      if (count < PLACES_MAX)
        text_format(&places, "%s%s@%d of GPU %d", count ? ", " : "", need->profile, instance->start,
                    on->gpus[g].index);
      count++;
    }
  if (count > PLACES_MAX)
    text_format(&places, " and %d more", count - PLACES_MAX);
  if (!count)
    text_format(text, "%lld x %s, of which the node reports none in use yet", (long long)need->count,
                need->profile);
  else
    text_format(text, "%s%s", is_sole ? "" : count > 1 ? "one of " : "perhaps ", text_string(&places));
}

static const char *format_held(const Explanation *explanation, int node) {
  CLEANUP(text_deinit) Text text = {0};
  for (int i = 0; i < explanation->need_count; i++) {
    text_append(&text, i ? "; and " : "; it holds ");
    append_held(explanation, node, &explanation->needs[i], &text);
  }
  return arena_strdup((Arena *)&explanation->arena, text_string(&text));
}

static void judge_bound(Explanation *explanation, const Pod *pod) {
  Arena *arena = &explanation->arena;
  if (pod_is_terminal(pod)) {
    explanation->verdict = EXPLAIN_ENDED;
    explanation->reason =
        arena_format(arena, "its phase is %s: it holds nothing any more", pod_common(pod)->phase);
    return;
  }
  explanation->verdict = EXPLAIN_BOUND;
  explanation->node = pod->node_name;
  const char *phase = string_or_empty(pod_common(pod)->phase);
  int node = snapshot_find_node(&explanation->snapshot, pod->node_name);
  if (node < 0)
    explanation->reason = arena_format(arena, "it is bound to node %s, which is not listed", pod->node_name);
  else
    explanation->reason = arena_format(arena, "it is bound to node %s and its phase is %s%s", pod->node_name,
                                       *phase ? phase : "unknown", format_held(explanation, node));
}

static void read_subject(Explanation *explanation) {
  const Pod *pod = explanation->cluster->pods[explanation->subject];
  Error err;
  int r = pod_requests_compute(pod, &explanation->arena, &explanation->requests, &err);
  if (r < 0)
    explanation->requests = (Resources){0};
  read_needs(explanation);
  if (explanation->waiting >= 0)
    judge_waiting(explanation);
  else
    judge_bound(explanation, pod);
  if (r < 0)
    explanation->reason = arena_format(&explanation->arena, "its requests cannot be read: %s", err.text);
}

static int count_tries(const ExplainCluster *cluster, const ExplainOptions *options) {
  if (options && options->tries_max)
    return options->tries_max;
  size_t work = cluster->node_count * WORK_PER_NODE + cluster->pod_count + 1;
  size_t tries = WORK_MAX / work;
  return tries < TRIES_MIN ? TRIES_MIN : tries > TRIES_MAX ? TRIES_MAX : (int)tries;
}

static int compare_advice(const void *a, const void *b) {
  const ExplainAdvice *left = a, *right = b;
  return (int)left->kind - (int)right->kind; /* qsort of glibc merges: equal ones keep their order */
}

void explain_compute(const ExplainCluster *cluster, size_t subject, const ExplainOptions *options,
                     Explanation *ret_explanation) {
  assert(subject < cluster->pod_count);
  Explanation *explanation = ret_explanation;
  *explanation = (Explanation){.cluster = cluster, .subject = subject, .node = "", .reason = ""};
  explanation->tries_left = count_tries(cluster, options);
  CLEANUP(explain_trial_deinit) ExplainTrial as_it_is = {0};
  explain_trial_init(&as_it_is, cluster);
  const PlanOptions plan_options = explain_trial_options(&as_it_is);
  explanation->waiting = explain_trial_snapshot(&as_it_is, subject, &explanation->snapshot, NULL);
  plan_compute(&explanation->snapshot, &plan_options, &explanation->plan);
  explain_holding_init(&explanation->holding, cluster, &explanation->snapshot);
  read_subject(explanation);
  explain_groups_find(explanation);
  if (explanation->verdict != EXPLAIN_BLOCKED)
    return;
  explanation->ahead = explanation->need_count ? count_ahead(explanation) : 0;
  int reserved = explanation->tries_left / 3; /* for the ends of pods */
  explanation->tries_left -= reserved;
  explain_advice_find(explanation);
  explanation->tries_left += reserved;
  explain_ends_find(explanation);
  explain_together_find(explanation);
  if (explanation->advice.count)
    qsort(explanation->advice.items, explanation->advice.count, sizeof explanation->advice.items[0],
          compare_advice);
}

void explain_deinit(Explanation *explanation) {
  for (size_t i = 0; i < explanation->groups.count; i++)
    array_deinit(&explanation->groups.items[i].obstacles);
  array_deinit(&explanation->groups);
  array_deinit(&explanation->advice);
  explain_holding_deinit(&explanation->holding);
  plan_deinit(&explanation->plan);
  snapshot_deinit(&explanation->snapshot);
  arena_deinit(&explanation->arena);
}

int explain_served_find(const Explanation *explanation, int node, int max, int *ret_pods) {
  int count = 0;
  for (size_t i = 0; i < explanation->plan.pods.count; i++) {
    if (explanation->plan.pods.items[i].node != node)
      continue;
    if (count < max)
      ret_pods[count] = (int)i;
    count++;
  }
  return count;
}
