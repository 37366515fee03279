/* SPDX-License-Identifier: Apache-2.0 */
/* Which nodes could serve the waiting pods, and what may be created on their GPUs.
 *
 * Nodes may report a model of their own each, so models are told apart by their content, and geometries by
 * theirs: an A100-80GB and an H100-80GB are one shape, with the same profile names at the same places. */
#include "plan/problem.h"

#include "base/text.h"
#include "sched/filter.h"

/* Comparing bytes, padding included: at worst two equal ones are taken for different ones, which costs a
 * little memory. */
static int find_shape(PlanProblem *problem, const PlanGeometry *geometry, bool exact) {
  for (size_t i = 0; i < problem->shapes.count; i++)
    /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c) */
    if (memcmp(&problem->shapes.items[i].geometry, geometry, sizeof *geometry) == 0)
      return (int)i;
  PlanShape *shape = array_push(&problem->shapes);
  shape->geometry = *geometry;
  shape->exact = exact;
  shape->rank_of_kind = arena_alloc(&problem->arena, problem->kinds.count);
  for (size_t kind = 0; kind < problem->kinds.count; kind++)
    shape->rank_of_kind[kind] = (int8_t)plan_geometry_find_rank(geometry, problem->kinds.items[kind].name);
  return (int)problem->shapes.count - 1;
}

static void set_profiles(PlanProblem *problem, PlanModel *model) {
  model->profile_of_kind = arena_alloc(&problem->arena, problem->kinds.count);
  for (size_t i = 0; i < problem->kinds.count; i++) {
    PlanKind *kind = &problem->kinds.items[i];
    int profile = mig_model_find_profile(model->model, kind->name);
    if (profile >= 0 && !(model->allowed >> profile & 1))
      profile = -1;
    if (profile >= 0 && model->model->profiles[profile].size < kind->size)
      kind->size = model->model->profiles[profile].size;
    model->profile_of_kind[i] = (int8_t)profile;
  }
}

static int find_stock(PlanProblem *problem, const char *profile) {
  char resource[MIG_RESOURCE_NAME_SIZE];
  mig_profile_format_resource(profile, resource);
  for (size_t i = 0; i < problem->stocks.count; i++)
    if (strcmp(problem->stocks.items[i], resource) == 0)
      return (int)i;
  *array_push(&problem->stocks) = arena_strdup(&problem->arena, resource);
  return (int)problem->stocks.count - 1;
}

static void set_stocks(PlanProblem *problem, PlanModel *model) {
  for (int profile = 0; profile < model->model->profile_count; profile++) {
    int stock = find_stock(problem, model->model->profiles[profile].name);
    model->stock_of_profile[profile] = stock;
    for (size_t kind = 0; kind < problem->kinds.count; kind++)
      if (strcmp(problem->kinds.items[kind].resource, problem->stocks.items[stock]) == 0)
        problem->kinds.items[kind].stock = stock;
  }
}

static int find_model(PlanProblem *problem, const MigModel *content, uint32_t allowed) {
  for (size_t i = 0; i < problem->models.count; i++) {
    const PlanModel *known = &problem->models.items[i];
    /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c): as above */
    bool is_same = known->model == content || memcmp(known->model, content, sizeof *content) == 0;
    if (is_same && known->allowed == allowed)
      return (int)i;
  }
  PlanGeometry geometry;
  bool exact = plan_geometry_init(&geometry, content, allowed);
  int shape = find_shape(problem, &geometry, exact);
  PlanModel *model = array_push(&problem->models);
  *model = (PlanModel){.model = content, .allowed = allowed, .shape = shape};
  set_profiles(problem, model);
  set_stocks(problem, model);
  return (int)problem->models.count - 1;
}

static bool may_be_changed(const SnapshotNode *node, const SnapshotGpu *gpu) {
  return node->may_change && gpu->model && gpu->mode == MIG_MODE_ON && !gpu->excluded && !gpu->blocked;
}

static void add_gpus(PlanProblem *problem, int host) {
  const SnapshotNode *node = plan_problem_node(problem, host);
  problem->hosts.items[host].first_gpu = (int)problem->gpus.count;
  for (int g = 0; g < node->gpu_count; g++) {
    if (!may_be_changed(node, &node->gpus[g]))
      continue;
    int model = find_model(problem, node->gpus[g].model, node->gpus[g].allowed);
    *array_push(&problem->gpus) = (PlanHostGpu){.host = host, .gpu = g, .model = model, .pool = -1};
    problem->hosts.items[host].gpu_count++;
  }
}

static bool has_slices(const PlanProblem *problem, const SnapshotNode *node) {
  for (size_t i = 0; i < problem->kinds.count; i++)
    if (resources_get(&node->allocatable, problem->kinds.items[i].resource) > 0)
      return true;
  return false;
}

static int compare_hosts(const void *a, const void *b, void *userdata) {
  const Snapshot *snapshot = userdata;
  return strcmp(snapshot->nodes.items[((const PlanHost *)a)->node].name,
                snapshot->nodes.items[((const PlanHost *)b)->node].name);
}

static void add_hosts(PlanProblem *problem) {
  for (size_t i = 0; i < problem->snapshot->nodes.count; i++) {
    const SnapshotNode *node = &problem->snapshot->nodes.items[i];
    if (node->gpu_count > 0 || has_slices(problem, node))
      array_push(&problem->hosts)->node = (int)i;
  }
  if (problem->hosts.count)
    qsort_r(problem->hosts.items, problem->hosts.count, sizeof problem->hosts.items[0], compare_hosts,
            problem->snapshot);
  for (size_t host = 0; host < problem->hosts.count; host++)
    add_gpus(problem, (int)host);
}

/* Largest first, so that a pod's slices are placed largest first. */
static void sort_needs(const PlanProblem *problem, PlanClass *class_) {
  for (int i = 1; i < class_->need_count; i++) {
    PlanNeed need = class_->needs[i];
    int place = i;
    for (; place > 0; place--) {
      const PlanNeed *other = &class_->needs[place - 1];
      if (problem->kinds.items[other->kind].size >= problem->kinds.items[need.kind].size)
        break;
      class_->needs[place] = *other;
    }
    class_->needs[place] = need;
  }
}

static void ask_hosts(PlanProblem *problem, PlanClass *class_) {
  SchedVerdict verdict;
  char reason[sizeof verdict.reason];
  class_->admits = arena_alloc(&problem->arena, (problem->hosts.count + 63) / 64 * sizeof *class_->admits);
  for (size_t host = 0; host < problem->hosts.count; host++) {
    const SnapshotNode *node = plan_problem_node(problem, (int)host);
    if (sched_admits(class_->example, node, &verdict) &&
        sched_resources_fit(class_->example, node, true, reason, sizeof reason))
      class_->admits[host / 64] |= UINT64_C(1) << host % 64;
  }
}

static void finish_classes(PlanProblem *problem) {
  for (size_t i = 0; i < problem->classes.count; i++) {
    PlanClass *class_ = &problem->classes.items[i];
    sort_needs(problem, class_);
    for (int n = 0; n < class_->need_count; n++) {
      const PlanKind *kind = &problem->kinds.items[class_->needs[n].kind];
      class_->slot_count += class_->needs[n].count * kind->size;
      class_->slice_count += class_->needs[n].count * kind->slice_count;
    }
    ask_hosts(problem, class_);
  }
}

static void sign_hosts(PlanProblem *problem) {
  for (size_t h = 0; h < problem->hosts.count; h++) {
    PlanHost *host = &problem->hosts.items[h];
    host->signature = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < problem->classes.count; i++) {
      bool admits = plan_class_admits(&problem->classes.items[i], (int)h);
      host->contention += admits;
      host->signature = (host->signature ^ (admits ? i + 1 : 0)) * UINT64_C(1099511628211);
    }
  }
}

static int find_pool(PlanProblem *problem, int shape, int host) {
  uint64_t signature = problem->hosts.items[host].signature;
  for (size_t i = 0; i < problem->pools.count; i++) {
    const PlanPool *pool = &problem->pools.items[i];
    if (pool->shape == shape && problem->hosts.items[pool->host].signature == signature)
      return (int)i;
  }
  *array_push(&problem->pools) = (PlanPool){.shape = shape, .host = host};
  return (int)problem->pools.count - 1;
}

void plan_fleet_init(PlanProblem *problem) {
  add_hosts(problem);
  finish_classes(problem);
  plan_queue_sort(problem);
  sign_hosts(problem);
  for (size_t i = 0; i < problem->gpus.count; i++) {
    PlanHostGpu *gpu = &problem->gpus.items[i];
    int shape = problem->models.items[gpu->model].shape;
    if (problem->shapes.items[shape].exact)
      gpu->pool = find_pool(problem, shape, gpu->host);
  }
}
