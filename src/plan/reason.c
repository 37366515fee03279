/* SPDX-License-Identifier: Apache-2.0 */
/* The question is asked of the cluster as it is, for one such pod alone, and narrows down:
 *
 *   1. no GPU has the profile                              -> the profiles that there are
 *   2. every node that has it is closed to the pod         -> by which filter, or by which words of the node
 *   3. alone it would be served                            -> those that are served, or what they leave
 *   4. slices that have to stay are in the way             -> the place that is nearest to being free */
#include "plan/reason.h"

#include "plan/greedy.h"
#include "plan/nearest.h"
#include "sched/filter.h"

#include "base/text.h"

enum { LISTED_MAX = 3 /* things of one sort that a sentence names */, OBSTACLES_MAX = 64, SEARCHES_MAX = 4 };

typedef struct Obstacle { /* why some nodes are closed to the pod */
  const char *plugin;     /* of the scheduler, whose words the text has; NULL: facet's own */
  char text[320];
  const char *node; /* the first of them; NULL: the text names it */
  int node_count;
} Obstacle;

typedef struct Inquiry {
  PlanReasons *reasons;
  const PlanProblem *problem;
  const PlanClass *class_;
  const PlanKind *kind; /* the largest slice that it asks */
  Obstacle obstacles[OBSTACLES_MAX];
  int obstacle_count;
  int more_obstacles;
  bool *open; /* by host: only room is lacking */
  int open_count;
  Text text;
} Inquiry;

static void inquiry_deinit(Inquiry *inquiry) {
  free(inquiry->open);
  text_deinit(&inquiry->text);
}

/* "2 x 1g.10gb and 1 x 3g.40gb", or the bare profile where it is one slice. */
static void append_needs(Inquiry *inquiry) {
  const PlanClass *class_ = inquiry->class_;
  if (plan_class_single_kind(class_) >= 0) {
    text_append(&inquiry->text, inquiry->kind->name);
    return;
  }
  for (int n = 0; n < class_->need_count; n++) {
    const PlanKind *kind = &inquiry->problem->kinds.items[class_->needs[n].kind];
    int64_t amount = resources_get(&class_->example->spec->requests, kind->resource);
    text_format(&inquiry->text, "%s%lld x %s", n ? " and " : "", (long long)amount, kind->name);
  }
}

static bool node_has_profile(const SnapshotNode *node, const char *profile) {
  for (int i = 0; i < node->gpu_count; i++)
    if (node->gpus[i].model && mig_model_find_profile(node->gpus[i].model, profile) >= 0)
      return true;
  return false;
}

/* Adds the names that are new: profiles in the order of the models, each once. */
static void append_profiles(Text *list, Map *seen, const MigModel *model) {
  for (int i = 0; i < model->profile_count; i++)
    if (!map_put(seen, model->profiles[i].name, list))
      text_format(list, "%s%s", list->size ? ", " : "", model->profiles[i].name);
}

/* Of the first node that facet should manage, why it knows no model of its GPUs; NULL where there is none. */
static const char *find_unknown_gpus(const Snapshot *snapshot) {
  for (size_t i = 0; i < snapshot->nodes.count; i++) {
    const SnapshotNode *node = &snapshot->nodes.items[i];
    const KeyValues *labels = &node->object->meta.labels;
    if (string_equal(key_values_find(labels, MIG_LABEL_PARTITIONING), "mig"))
      return node->gpu_count ? node->gpus[0].blocked : node->blocked;
  }
  return NULL;
}

static void explain_missing_profile(Inquiry *inquiry, const PlanKind *kind) {
  CLEANUP(text_deinit) Text offered = {0};
  CLEANUP(map_deinit) Map seen = {0};
  for (size_t host = 0; host < inquiry->problem->hosts.count; host++) {
    const SnapshotNode *node = plan_problem_node(inquiry->problem, (int)host);
    for (int i = 0; i < node->gpu_count; i++)
      if (node->gpus[i].model)
        append_profiles(&offered, &seen, node->gpus[i].model);
  }
  if (*kind->name)
    text_format(&inquiry->text, "no GPU here has profile %s; ", kind->name);
  else
    text_format(&inquiry->text, "%.128s names no MIG profile; ", kind->resource);
  const char *closed = offered.size ? NULL : find_unknown_gpus(inquiry->problem->snapshot);
  if (offered.size)
    text_format(&inquiry->text, "GPUs here offer %s", text_string(&offered));
  else if (closed)
    text_append(&inquiry->text, closed);
  else
    text_append(&inquiry->text, "no node is labelled " MIG_LABEL_PARTITIONING "=mig");
}

/* The first kind that no GPU of the cluster has, or NULL. */
static const PlanKind *find_missing_profile(const Inquiry *inquiry) {
  const PlanProblem *problem = inquiry->problem;
  for (int n = 0; n < inquiry->class_->need_count; n++) {
    const PlanKind *kind = &problem->kinds.items[inquiry->class_->needs[n].kind];
    bool found = false;
    for (size_t host = 0; host < problem->hosts.count && !found; host++)
      found = node_has_profile(plan_problem_node(problem, (int)host), kind->name);
    if (!found)
      return kind;
  }
  return NULL;
}

/* `node` is NULL where the text names it. */
static void add_obstacle(Inquiry *inquiry, const char *plugin, const char *text, const char *node) {
  for (int i = 0; i < inquiry->obstacle_count; i++)
    if (string_equal(inquiry->obstacles[i].plugin, plugin) && strcmp(inquiry->obstacles[i].text, text) == 0) {
      inquiry->obstacles[i].node_count++;
      return;
    }
  if (inquiry->obstacle_count == OBSTACLES_MAX) {
    inquiry->more_obstacles++;
    return;
  }
  Obstacle *obstacle = &inquiry->obstacles[inquiry->obstacle_count++];
  snprintf(obstacle->text, sizeof obstacle->text, "%s", text);
  obstacle->plugin = plugin;
  obstacle->node = node;
  obstacle->node_count = 1;
}

static const char not_allowed[] = MIG_ANNOTATION_ALLOWED " leaves it out";

/* Why no GPU of the node may get the profile, or NULL where one may. */
static const char *find_gpu_obstacle(const Inquiry *inquiry, const SnapshotNode *node) {
  const char *obstacle = NULL;
  for (int i = 0; i < node->gpu_count; i++) {
    const SnapshotGpu *gpu = &node->gpus[i];
    int profile = gpu->model ? mig_model_find_profile(gpu->model, inquiry->kind->name) : -1;
    if (profile < 0)
      continue;
    if (!gpu->blocked && gpu->allowed >> profile & 1)
      return NULL;
    if (!obstacle)
      obstacle = gpu->blocked ? gpu->blocked : not_allowed;
  }
  return obstacle;
}

/* Do the pods that are there already let one of this class in? */
static bool agrees_before(const Inquiry *inquiry, int host, SchedVerdict *ret_verdict) {
  const PlanProblem *problem = inquiry->problem;
  return !inquiry->class_->is_coupled ||
         sched_agrees(problem->snapshot, inquiry->class_->pod, problem->hosts.items[host].node, ret_verdict);
}

static void inquire_host(Inquiry *inquiry, int host) {
  SchedVerdict verdict;
  char reason[sizeof verdict.reason];
  const PlanProblem *problem = inquiry->problem;
  const SnapshotNode *node = plan_problem_node(problem, host);
  if (!node_has_profile(node, inquiry->kind->name))
    return;
  if (!sched_admits(problem->snapshot, inquiry->class_->pod, problem->hosts.items[host].node, &verdict)) {
    add_obstacle(inquiry, verdict.plugin, verdict.reason, node->name);
  } else if (!sched_resources_fit(inquiry->class_->example, node, true, reason, sizeof reason)) {
    add_obstacle(inquiry, "NodeResourcesFit", reason, node->name);
  } else if (!agrees_before(inquiry, host, &verdict)) {
    add_obstacle(inquiry, verdict.plugin, verdict.reason, node->name);
  } else if (!node->may_change) {
    add_obstacle(inquiry, NULL, node->blocked, NULL);
  } else {
    const char *obstacle = find_gpu_obstacle(inquiry, node);
    if (obstacle)
      add_obstacle(inquiry, NULL, obstacle, obstacle == not_allowed ? node->name : NULL);
    inquiry->open[host] = !obstacle;
    inquiry->open_count += !obstacle;
  }
}

/* "NodeAffinity refuses 2 nodes such as n1 (...)" or "... leaves it out on node n1". */
static void append_obstacle(Text *text, const Obstacle *obstacle) {
  if (obstacle->plugin)
    text_format(text, "%s refuses ", obstacle->plugin);
  else
    text_format(text, "%s%s", obstacle->text, obstacle->node ? " on " : "");
  if (obstacle->node_count > 1 && obstacle->node)
    text_format(text, "%d nodes such as %s", obstacle->node_count, obstacle->node);
  else if (obstacle->node)
    text_format(text, "node %s", obstacle->node);
  if (obstacle->plugin)
    text_format(text, " (%s)", obstacle->text);
}

static void explain_obstacles(Inquiry *inquiry) {
  int listed = 0;
  text_append(&inquiry->text, "no node with GPUs for ");
  append_needs(inquiry);
  text_append(&inquiry->text, " can take it: ");
  for (; listed < inquiry->obstacle_count && listed < LISTED_MAX; listed++) {
    text_append(&inquiry->text, listed ? ", " : "");
    append_obstacle(&inquiry->text, &inquiry->obstacles[listed]);
  }
  int more = inquiry->obstacle_count - listed + inquiry->more_obstacles;
  if (more)
    text_format(&inquiry->text, ", and %d more", more);
}

static bool has_room(Inquiry *inquiry, int host) {
  size_t cell = (size_t)inquiry->class_->asks * inquiry->problem->hosts.count + (size_t)host;
  int8_t *room = &inquiry->reasons->rooms[cell];
  if (*room)
    return *room > 0;
  PlanGlance glance = plan_problem_glance(inquiry->problem, inquiry->class_, host);
  if (glance == PLAN_GLANCE_UNSURE)
    glance = plan_greedy_could_serve(inquiry->problem, inquiry->class_, host) ? PLAN_GLANCE_ROOM
                                                                              : PLAN_GLANCE_NONE;
  *room = glance == PLAN_GLANCE_ROOM ? 1 : -1;
  return *room > 0;
}

static void sort_served(PlanReasons *reasons) {
  const PlanProblem *problem = reasons->problem;
  int next = 0;
  reasons->served = mem_alloc(problem->waiting.count * sizeof *reasons->served);
  reasons->first_served = mem_alloc((problem->hosts.count + 1) * sizeof *reasons->first_served);
  CLEANUP(cleanup_free) int *ends = mem_alloc(problem->hosts.count * sizeof *ends);
  for (size_t host = 0; host < problem->hosts.count; host++) {
    reasons->first_served[host] = ends[host] = next;
    next += reasons->pods_on[host];
  }
  for (int i = 0; i < (int)problem->waiting.count; i++)
    if (reasons->hosts[i] >= 0)
      reasons->served[ends[reasons->hosts[i]]++] = i;
}

static void bind(PlanReasons *reasons, int waiting, SnapshotNode *after) {
  resources_add(&after->requested, &plan_problem_pod(reasons->problem, waiting)->spec->requests, 1,
                &reasons->arena);
  after->pod_count++;
}

/* Mostly one host is asked for, or many. */
static void bind_served(PlanReasons *reasons, int host, SnapshotNode *after) {
  int left = reasons->pods_on[host];
  if (!reasons->served && ++reasons->searches > SEARCHES_MAX)
    sort_served(reasons);
  for (int i = 0; reasons->served && i < left; i++)
    bind(reasons, reasons->served[reasons->first_served[host] + i], after);
  for (int i = 0; !reasons->served && left; i++)
    if (reasons->hosts[i] == host) {
      bind(reasons, i, after);
      left--;
    }
}

/* The host's node with the pods bound that the plan serves there. */
static const SnapshotNode *node_after(PlanReasons *reasons, int host) {
  if (reasons->after[host])
    return reasons->after[host];
  SnapshotNode *after = reasons->after[host] = arena_alloc(&reasons->arena, sizeof *after);
  const SnapshotNode *before = plan_problem_node(reasons->problem, host);
  *after = *before;
  after->requested = (Resources){0};
  resources_add(&after->requested, &before->requested, 1, &reasons->arena);
  bind_served(reasons, host, after);
  return after;
}

/* The hosts that would serve this pod if it were alone. */
typedef struct Rivals {
  int host_count;
  int pod_count;                                       /* served there */
  bool take_slices;                                    /* nothing but slices is lacking on one of them */
  bool keep_away;                                      /* by affinity, spreading or ports, and nothing else */
  const char *short_node;                              /* the first that runs out of something else */
  char shortage[sizeof((SchedVerdict *)NULL)->reason]; /* of what */
} Rivals;

/* The words of the pods that the plan serves, where they refuse the host; NULL where they do not. */
static const char *refusal_after(const Inquiry *inquiry, int host) {
  const PlanReasons *reasons = inquiry->reasons;
  if (!inquiry->class_->is_coupled)
    return NULL;
  const PlanCompany *company = &reasons->company[inquiry->class_ - inquiry->problem->classes.items];
  return company->refuses[host / 64] >> host % 64 & 1 ? company->words : NULL;
}

static void note_company(const Inquiry *inquiry, int host, Rivals *rivals) {
  const char *words = refusal_after(inquiry, host);
  if (!words)
    return;
  rivals->take_slices = false;
  if (rivals->short_node)
    return;
  rivals->keep_away = true;
  rivals->short_node = plan_problem_node(inquiry->problem, host)->name;
  snprintf(rivals->shortage, sizeof rivals->shortage, "%s", words);
}

static void find_rivals(Inquiry *inquiry, Rivals *ret_rivals) {
  Rivals rivals = {0};
  SchedVerdict verdict;
  char shortage[sizeof rivals.shortage];
  for (int host = 0; host < (int)inquiry->problem->hosts.count; host++) {
    if (!plan_class_admits(inquiry->class_, host) || !has_room(inquiry, host) ||
        !agrees_before(inquiry, host, &verdict))
      continue;
    rivals.host_count++;
    rivals.pod_count += inquiry->reasons->pods_on[host];
    if (rivals.take_slices)
      continue;
    const SnapshotNode *after = node_after(inquiry->reasons, host);
    rivals.take_slices =
        sched_resources_fit(inquiry->class_->example, after, true, shortage, sizeof shortage);
    if (rivals.take_slices)
      note_company(inquiry, host, &rivals);
    if (rivals.take_slices || rivals.short_node)
      continue;
    rivals.short_node = after->name;
    memcpy(rivals.shortage, shortage, sizeof shortage);
  }
  *ret_rivals = rivals;
}

static void append_room_for_rivals(Text *text, const Rivals *rivals) {
  text_format(text, " would fit on node %s", rivals->short_node);
  if (rivals->host_count > 1)
    text_format(text, " and %d more", rivals->host_count - 1);
  if (rivals->keep_away)
    text_format(text, ", but not once the pods that are served are placed (%s)", rivals->shortage);
  else
    text_format(text, ", but not beside the pod%s that %s served there (%s)",
                rivals->pod_count == 1 ? "" : "s", rivals->pod_count == 1 ? "is" : "are", rivals->shortage);
}

static void explain_rivals(Inquiry *inquiry, const Rivals *rivals) {
  Text *text = &inquiry->text;
  if (rivals->take_slices)
    text_append(text, "all free slots for ");
  append_needs(inquiry);
  if (rivals->take_slices)
    text_format(text, " are needed by %d pod%s that %s served instead", rivals->pod_count,
                rivals->pod_count == 1 ? "" : "s", rivals->pod_count == 1 ? "is" : "are");
  else
    append_room_for_rivals(text, rivals);
}

static const SnapshotNode *find_open_node(const Inquiry *inquiry) {
  int host = 0;
  while (!inquiry->open[host])
    host++;
  return plan_problem_node(inquiry->problem, host);
}

static void explain_lack_of_room(Inquiry *inquiry) {
  PlanNearest nearest;
  plan_nearest_find(inquiry->problem, inquiry->class_->needs[0].kind, inquiry->open, &nearest);
  if (plan_class_single_kind(inquiry->class_) >= 0 && nearest.gpu >= 0) {
    plan_nearest_format(inquiry->problem, &nearest, &inquiry->text);
    return;
  }
  if (inquiry->open_count == 1)
    text_format(&inquiry->text, "node %s, the only one that could take it, has no room for ",
                find_open_node(inquiry)->name);
  else
    text_format(&inquiry->text, "none of the %d nodes that could take it has room for ", inquiry->open_count);
  append_needs(inquiry);
  text_append(&inquiry->text, " together");
}

static void explain(Inquiry *inquiry) {
  const PlanKind *missing = find_missing_profile(inquiry);
  if (missing) {
    explain_missing_profile(inquiry, missing);
    return;
  }
  SchedVerdict verdict;
  if (!sched_may_begin(inquiry->problem->snapshot, inquiry->class_->pod, &verdict)) {
    text_format(&inquiry->text, "%s refuses it on every node (%s)", verdict.plugin, verdict.reason);
    if (string_has_prefix(verdict.reason, "unknown "))
      text_append(&inquiry->text,
                  "; where a file leaves it out, add pvc,pv,sc,ns to `kubectl get nodes,pods`");
    return;
  }
  Rivals rivals;
  find_rivals(inquiry, &rivals);
  if (rivals.pod_count || rivals.keep_away) {
    explain_rivals(inquiry, &rivals);
    return;
  }
  for (int host = 0; host < (int)inquiry->problem->hosts.count; host++)
    inquire_host(inquiry, host);
  if (inquiry->open_count)
    explain_lack_of_room(inquiry);
  else
    explain_obstacles(inquiry);
}

static void ask_company(const PlanProblem *problem, const PlanClass *class_, PlanCompany *company) {
  SchedVerdict verdict;
  for (int host = 0; host < (int)problem->hosts.count; host++) {
    if (!plan_class_admits(class_, host) ||
        sched_agrees(problem->snapshot, class_->pod, problem->hosts.items[host].node, &verdict))
      continue;
    company->refuses[host / 64] |= UINT64_C(1) << host % 64;
    if (!company->words[0])
      snprintf(company->words, sizeof company->words, "%.40s: %.200s", verdict.plugin, verdict.reason);
  }
}

/* In a fork with all pods on their nodes that the plan serves. */
static void find_company(PlanReasons *reasons, const int *hosts) {
  const PlanProblem *problem = reasons->problem;
  size_t words = (problem->hosts.count + 63) / 64;
  size_t mark = snapshot_fork(problem->snapshot);
  reasons->company = arena_alloc(&reasons->arena, problem->classes.count * sizeof *reasons->company);
  for (size_t i = 0; i < problem->waiting.count; i++)
    if (hosts[i] >= 0)
      snapshot_bind(problem->snapshot, problem->waiting.items[i].pod, problem->hosts.items[hosts[i]].node);
  for (size_t i = 0; i < problem->classes.count; i++) {
    if (!problem->classes.items[i].is_coupled)
      continue;
    reasons->company[i].refuses = arena_alloc(&reasons->arena, words * sizeof(uint64_t));
    ask_company(problem, &problem->classes.items[i], &reasons->company[i]);
  }
  snapshot_rollback(problem->snapshot, mark);
}

static bool is_asked(const PlanProblem *problem, const int *hosts) {
  for (size_t i = 0; i < problem->waiting.count; i++)
    if (hosts[i] < 0 && plan_problem_class(problem, (int)i)->is_coupled)
      return true;
  return false;
}

void plan_reasons_init(PlanReasons *reasons, const PlanProblem *problem, const int *hosts) {
  size_t host_count = problem->hosts.count;
  *reasons = (PlanReasons){.problem = problem, .hosts = hosts};
  reasons->pods_on = mem_alloc(host_count * sizeof *reasons->pods_on);
  reasons->after = mem_alloc(host_count * sizeof *reasons->after);
  reasons->rooms = mem_alloc((size_t)problem->asks_count * host_count);
  for (size_t i = 0; i < problem->waiting.count; i++)
    if (hosts[i] >= 0)
      reasons->pods_on[hosts[i]]++;
  if (problem->is_coupled && is_asked(problem, hosts))
    find_company(reasons, hosts);
}

void plan_reasons_deinit(PlanReasons *reasons) {
  free(reasons->pods_on);
  free(reasons->after);
  free(reasons->served);
  free(reasons->first_served);
  arena_deinit(&reasons->arena);
  free(reasons->rooms);
}

bool plan_reasons_are_premature(const PlanReasons *reasons, int class_) {
  const PlanProblem *problem = reasons->problem;
  const PlanClass *asking = &problem->classes.items[class_];
  for (int host = 0; host < (int)problem->hosts.count && problem->has_recut; host++) {
    const SnapshotNode *node = plan_problem_node(problem, host);
    if (node->being_recut && plan_class_admits(asking, host) &&
        node_has_profile(node, problem->kinds.items[asking->needs[0].kind].name))
      return true;
  }
  return false;
}

void plan_reasons_format(PlanReasons *reasons, int class_, char ret_reason[PLAN_REASON_SIZE]) {
  const PlanProblem *problem = reasons->problem;
  const PlanClass *asking = &problem->classes.items[class_];
  CLEANUP(inquiry_deinit)
  Inquiry inquiry = {
      .reasons = reasons,
      .problem = problem,
      .class_ = asking,
      .kind = &problem->kinds.items[asking->needs[0].kind],
      .open = mem_alloc(problem->hosts.count * sizeof *inquiry.open),
  };
  explain(&inquiry);
  bool is_cut = inquiry.text.size >= PLAN_REASON_SIZE;
  snprintf(ret_reason, PLAN_REASON_SIZE, "%.*s%s", PLAN_REASON_SIZE - 4, text_string(&inquiry.text),
           is_cut ? "..." : "");
}
