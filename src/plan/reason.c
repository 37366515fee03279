/* SPDX-License-Identifier: Apache-2.0 */
/* The question is asked of the cluster as it is, for one such pod alone, and narrows down:
 *
 *   1. no GPU has the profile                              -> the profiles that there are
 *   2. every node that has it is closed to the pod         -> by which filter, or by which words of the node
 *   3. alone it would be served                            -> those that came before it
 *   4. existing slices are in the way                      -> the place that is nearest to being free */
#include "plan/reason.h"

#include "plan/greedy.h"
#include "sched/filter.h"

#include "base/text.h"

enum { LISTED_MAX = 3 /* things of one sort that a sentence names */, OBSTACLES_MAX = 64 };

typedef struct Obstacle { /* why some nodes are closed to the pod */
  char text[320];
  int node_count; /* 0: the text names the node itself */
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
    int64_t amount = resources_get(&class_->example->requests, kind->resource);
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

static void explain_missing_profile(Inquiry *inquiry, const PlanKind *kind) {
  CLEANUP(text_deinit) Text offered = {0};
  CLEANUP(map_deinit) Map seen = {0};
  for (size_t host = 0; host < inquiry->problem->hosts.count; host++) {
    const SnapshotNode *node = plan_problem_node(inquiry->problem, (int)host);
    for (int i = 0; i < node->gpu_count; i++)
      if (node->gpus[i].model)
        append_profiles(&offered, &seen, node->gpus[i].model);
  }
  text_format(&inquiry->text, "no GPU here has profile %s; ", kind->name);
  if (offered.size)
    text_format(&inquiry->text, "GPUs here offer %s", text_string(&offered));
  else
    text_format(&inquiry->text, "no node labelled %s=mig reports a GPU that facet knows",
                MIG_LABEL_PARTITIONING);
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

static void add_obstacle(Inquiry *inquiry, const char *text, bool names_node) {
  for (int i = 0; i < inquiry->obstacle_count; i++)
    if (strcmp(inquiry->obstacles[i].text, text) == 0) {
      inquiry->obstacles[i].node_count += !names_node;
      return;
    }
  if (inquiry->obstacle_count == OBSTACLES_MAX) {
    inquiry->more_obstacles++;
    return;
  }
  Obstacle *obstacle = &inquiry->obstacles[inquiry->obstacle_count++];
  snprintf(obstacle->text, sizeof obstacle->text, "%s", text);
  obstacle->node_count = !names_node;
}

static void add_refusal(Inquiry *inquiry, const char *plugin, const char *reason) {
  char text[sizeof inquiry->obstacles[0].text];
  snprintf(text, sizeof text, "%s (%s)", plugin, reason);
  add_obstacle(inquiry, text, false);
}

static const char not_allowed[] = "without it in " MIG_ANNOTATION_ALLOWED;

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

static void inquire_host(Inquiry *inquiry, int host) {
  SchedVerdict verdict;
  char reason[sizeof verdict.reason];
  const SnapshotNode *node = plan_problem_node(inquiry->problem, host);
  if (!node_has_profile(node, inquiry->kind->name))
    return;
  if (!sched_admits(inquiry->class_->example, node, &verdict)) {
    add_refusal(inquiry, verdict.plugin, verdict.reason);
  } else if (!sched_resources_fit(inquiry->class_->example, node, true, reason, sizeof reason)) {
    add_refusal(inquiry, "NodeResourcesFit", reason);
  } else if (!node->may_change) {
    add_obstacle(inquiry, node->blocked ? node->blocked : "it may not be changed", node->blocked);
  } else {
    const char *obstacle = find_gpu_obstacle(inquiry, node);
    if (obstacle)
      add_obstacle(inquiry, obstacle, obstacle != not_allowed);
    inquiry->open[host] = !obstacle;
    inquiry->open_count += !obstacle;
  }
}

static void explain_obstacles(Inquiry *inquiry) {
  int listed = 0;
  text_append(&inquiry->text, "no node with GPUs for ");
  append_needs(inquiry);
  text_append(&inquiry->text, " can take it: ");
  for (; listed < inquiry->obstacle_count && listed < LISTED_MAX; listed++) {
    const Obstacle *obstacle = &inquiry->obstacles[listed];
    text_append(&inquiry->text, listed ? ", " : "");
    if (obstacle->node_count)
      text_format(&inquiry->text, "%d node%s ", obstacle->node_count, obstacle->node_count > 1 ? "s" : "");
    text_append(&inquiry->text, obstacle->text);
  }
  int more = inquiry->obstacle_count - listed + inquiry->more_obstacles;
  if (more)
    text_format(&inquiry->text, ", and %d more", more);
}

static bool has_room(Inquiry *inquiry, int host) {
  size_t cell = (size_t)inquiry->class_->asks * inquiry->problem->hosts.count + (size_t)host;
  int8_t *room = &inquiry->reasons->rooms[cell];
  if (!*room)
    *room = plan_greedy_could_serve(inquiry->problem, inquiry->class_, host) ? 1 : -1;
  return *room > 0;
}

/* How many pods are served by the hosts that would serve this one if it were alone; -1: none would. */
static int count_rivals(Inquiry *inquiry) {
  int rivals = -1;
  for (int host = 0; host < (int)inquiry->problem->hosts.count; host++)
    if (plan_class_admits(inquiry->class_, host) && has_room(inquiry, host))
      rivals = (rivals < 0 ? 0 : rivals) + inquiry->reasons->pods_on[host];
  return rivals;
}

static void explain_rivals(Inquiry *inquiry, int rivals) {
  text_append(&inquiry->text, "all free slots for ");
  append_needs(inquiry);
  text_format(&inquiry->text,
              " are needed by %d pod%s that come%s first: of higher priority, smaller, or older", rivals,
              rivals == 1 ? "" : "s", rivals == 1 ? "s" : "");
}

typedef struct Nearest { /* the place for the largest slice with the least in the way */
  int gpu, start;        /* gpu -1: none */
  int profile;
  int in_the_way, used;
  int gpu_count; /* that could have the profile at all */
} Nearest;

static uint32_t instance_mask(const MigLayout *layout, const MigInstance *instance) {
  return mig_placement_mask(layout->model, instance->profile, instance->start);
}

static void weigh_place(Nearest *nearest, const SnapshotGpu *gpu, int index, int profile, int start) {
  uint32_t mask = mig_placement_mask(gpu->model, profile, start);
  int in_the_way = 0, used = 0;
  for (int i = 0; i < gpu->layout.count; i++) {
    const MigInstance *instance = &gpu->layout.instances[i];
    if (!(instance_mask(&gpu->layout, instance) & mask))
      continue;
    in_the_way++;
    used += gpu->used_starts >> instance->start & 1;
  }
  if (nearest->gpu >= 0 &&
      (used > nearest->used || (used == nearest->used && in_the_way >= nearest->in_the_way)))
    return;
  nearest->gpu = index;
  nearest->start = start;
  nearest->profile = profile;
  nearest->in_the_way = in_the_way;
  nearest->used = used;
}

static Nearest find_nearest(const Inquiry *inquiry) {
  const PlanProblem *problem = inquiry->problem;
  Nearest nearest = {.gpu = -1};
  for (int i = 0; i < (int)problem->gpus.count; i++) {
    const SnapshotGpu *gpu = plan_problem_gpu(problem, i);
    int profile = plan_problem_model(problem, i)->profile_of_kind[inquiry->class_->needs[0].kind];
    if (profile < 0 || !inquiry->open[problem->gpus.items[i].host])
      continue;
    nearest.gpu_count++;
    for (uint32_t starts = gpu->model->profiles[profile].starts; starts; starts &= starts - 1)
      weigh_place(&nearest, gpu, i, profile, __builtin_ctz(starts));
  }
  return nearest;
}

static void append_slices_in_the_way(Text *text, const SnapshotGpu *gpu, uint32_t mask) {
  int listed = 0, more = 0;
  for (int i = 0; i < gpu->layout.count; i++) {
    const MigInstance *instance = &gpu->layout.instances[i];
    if (!(instance_mask(&gpu->layout, instance) & mask))
      continue;
    if (listed == LISTED_MAX) {
      more++;
      continue;
    }
    text_format(text, "%s%s@%d %s", listed++ ? ", " : " (", gpu->model->profiles[instance->profile].name,
                instance->start, gpu->used_starts >> instance->start & 1 ? "used by a pod" : "free");
  }
  if (more)
    text_format(text, ", and %d more", more);
  text_append(text, listed ? ")" : "");
}

/* "GPU 0 of node n1 empty, but 5 slices are on it (...)" or "slots 4-7 of ..., but 1 slice is in the way
 * (...)". */
static void append_nearest_place(Inquiry *inquiry, const Nearest *nearest, const SnapshotGpu *gpu) {
  Text *text = &inquiry->text;
  int size = gpu->model->profiles[nearest->profile].size;
  const SnapshotNode *node =
      plan_problem_node(inquiry->problem, inquiry->problem->gpus.items[nearest->gpu].host);
  bool is_whole = size == gpu->model->slot_count;
  text_format(text, "%s needs ", inquiry->kind->name);
  if (size == 1)
    text_format(text, "slot %d of ", nearest->start);
  else if (!is_whole)
    text_format(text, "slots %d-%d of ", nearest->start, nearest->start + size - 1);
  text_format(text, "GPU %d of node %s%s, but %d slice%s %s", gpu->index, node->name,
              is_whole ? " empty" : "", nearest->in_the_way, nearest->in_the_way == 1 ? " is" : "s are",
              is_whole ? "on it" : "in the way");
  append_slices_in_the_way(text, gpu, mig_placement_mask(gpu->model, nearest->profile, nearest->start));
}

static void explain_nearest(Inquiry *inquiry, const Nearest *nearest) {
  const SnapshotGpu *gpu = plan_problem_gpu(inquiry->problem, nearest->gpu);
  Error err;
  if (nearest->in_the_way) {
    append_nearest_place(inquiry, nearest, gpu);
  } else {
    int r = mig_layout_why_not(&gpu->layout, nearest->profile, nearest->start, &err);
    text_format(&inquiry->text, "%s has no place on GPU %d of node %s: %s", inquiry->kind->name, gpu->index,
                plan_problem_node(inquiry->problem, inquiry->problem->gpus.items[nearest->gpu].host)->name,
                r < 0 ? err.text : "it needs more steps to plan than facet takes");
  }
  if (nearest->gpu_count > 1)
    text_format(&inquiry->text, "; no other of the %d GPUs for it is nearer", nearest->gpu_count);
}

static void explain_lack_of_room(Inquiry *inquiry) {
  Nearest nearest = find_nearest(inquiry);
  if (plan_class_single_kind(inquiry->class_) >= 0 && nearest.gpu >= 0) {
    explain_nearest(inquiry, &nearest);
    return;
  }
  text_append(&inquiry->text, "no node has room for ");
  append_needs(inquiry);
  text_append(&inquiry->text, " together");
  if (inquiry->obstacle_count)
    text_format(&inquiry->text, " among the %d that could take it", inquiry->open_count);
}

static void explain(Inquiry *inquiry) {
  const PlanKind *missing = find_missing_profile(inquiry);
  if (missing) {
    explain_missing_profile(inquiry, missing);
    return;
  }
  int rivals = count_rivals(inquiry);
  if (rivals >= 0) {
    explain_rivals(inquiry, rivals);
    return;
  }
  for (int host = 0; host < (int)inquiry->problem->hosts.count; host++)
    inquire_host(inquiry, host);
  if (inquiry->open_count)
    explain_lack_of_room(inquiry);
  else
    explain_obstacles(inquiry);
}

void plan_reasons_init(PlanReasons *reasons, const PlanProblem *problem, const int *hosts) {
  size_t host_count = problem->hosts.count;
  *reasons = (PlanReasons){.problem = problem};
  reasons->pods_on = mem_alloc(host_count * sizeof *reasons->pods_on);
  reasons->rooms = mem_alloc((size_t)problem->asks_count * host_count);
  for (size_t i = 0; i < problem->waiting.count; i++)
    if (hosts[i] >= 0)
      reasons->pods_on[hosts[i]]++;
}

void plan_reasons_deinit(PlanReasons *reasons) {
  free(reasons->pods_on);
  free(reasons->rooms);
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
