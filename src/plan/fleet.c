/* SPDX-License-Identifier: Apache-2.0 */
/* Which nodes could serve the waiting pods, and what may be created on their GPUs.
 *
 * Nodes may report a model of their own each, so models are told apart by their content, and geometries by
 * theirs: an A100-80GB and an H100-80GB are one shape, with the same profile names at the same places. */
#include "plan/fleet.h"

#include "base/intern.h"
#include "base/text.h"
#include "plan/turn.h"
#include "sched/coupling.h"
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

/* Slices of one profile have one size, so as many fit as there are starts that keep their distance. */
static bool has_binding_limit(const MigModel *model, uint32_t allowed) {
  for (int i = 0; i < model->profile_count; i++) {
    const MigProfile *profile = &model->profiles[i];
    int most = 0, end = 0;
    for (uint32_t starts = profile->starts; starts; starts &= starts - 1) {
      int start = __builtin_ctz(starts);
      if (start < end)
        continue;
      most++;
      end = start + profile->size;
    }
    if (profile->kind == MIG_PLAIN && allowed >> i & 1 && most > profile->instance_count_max)
      return true;
  }
  return false;
}

bool plan_fleet_is_model(const PlanModel *model, const MigModel *content, uint32_t allowed) {
  /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c): as above */
  bool is_same = model->model == content || memcmp(model->model, content, sizeof *content) == 0;
  return is_same && model->allowed == allowed;
}

static int find_model(PlanProblem *problem, const MigModel *content, uint32_t allowed) {
  for (size_t i = 0; i < problem->models.count; i++)
    if (plan_fleet_is_model(&problem->models.items[i], content, allowed))
      return (int)i;
  PlanGeometry geometry;
  bool exact = plan_geometry_init(&geometry, content, allowed);
  int shape = find_shape(problem, &geometry, exact);
  PlanModel *model = array_push(&problem->models);
  *model = (PlanModel){.model = content,
                       .allowed = allowed,
                       .shape = shape,
                       .is_counted = exact && !has_binding_limit(content, allowed)};
  set_profiles(problem, model);
  set_stocks(problem, model);
  return (int)problem->models.count - 1;
}

/* `models`: by sort of the snapshot's GPUs, -1: not known yet. */
static void add_gpus(PlanProblem *problem, int host, int *models) {
  const Snapshot *snapshot = problem->snapshot;
  const SnapshotNode *node = plan_problem_node(problem, host);
  PlanHost *on = &problem->hosts.items[host];
  PlanHostGpu *first = &problem->gpus.items[problem->gpus.count], *next = first;
  bool has_withdrawable = false;
  problem->has_recut |= node->being_recut;
  on->first_gpu = (int)problem->gpus.count;
  for (int g = 0; g < node->gpu_count; g++) {
    const SnapshotGpuBrief gpu = node->briefs[g];
    if (!gpu.sort)
      continue;
    int *model = &models[gpu.sort - 1];
    if (*model < 0)
      *model = find_model(problem, snapshot->gpu_sorts.items[gpu.sort - 1].model,
                          snapshot->gpu_sorts.items[gpu.sort - 1].allowed);
    *next++ = (PlanHostGpu){.host = host, .gpu = g, .model = *model, .pool = -1, .occupied = gpu.occupied};
    has_withdrawable |= gpu.withdrawable;
  }
  on->gpu_count = (int)(next - first);
  problem->gpus.count += (size_t)on->gpu_count;
  problem->has_withdrawable |= has_withdrawable;
}

bool plan_fleet_has_slices(const PlanProblem *problem, const SnapshotNode *node) {
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
  size_t gpus = 0;
  array_reserve(&problem->hosts, problem->snapshot->nodes.count);
  for (size_t i = 0; i < problem->snapshot->nodes.count; i++) {
    const SnapshotNode *node = &problem->snapshot->nodes.items[i];
    if (node->gpu_count > 0 || plan_fleet_has_slices(problem, node))
      array_push(&problem->hosts)->node = (int)i;
    gpus += (size_t)node->gpu_count;
  }
  array_reserve(&problem->gpus, gpus);
  if (problem->snapshot->is_unordered && problem->hosts.count)
    qsort_r(problem->hosts.items, problem->hosts.count, sizeof problem->hosts.items[0], compare_hosts,
            problem->snapshot);
  CLEANUP(cleanup_free) int *models = mem_alloc_raw(problem->snapshot->gpu_sorts.count, sizeof *models);
  for (size_t i = 0; i < problem->snapshot->gpu_sorts.count; i++)
    models[i] = -1;
  for (size_t host = 0; host < problem->hosts.count; host++)
    add_gpus(problem, (int)host, models);
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

/* What the filters read of a node: where that is equal, so are their verdicts. Of the labels only those count
 * for which some class asks. */
typedef struct Likeness {
  ARRAY(const char *) labels; /* keys */
  bool names_matter;
  Intern groups;
  int plain; /* the group of nodes that nothing tells apart; -1: none was met */
  int *group_of_host;
  ARRAY(int) examples; /* by group: a host */
  Text key;
} Likeness;

static void likeness_deinit(Likeness *likeness) {
  array_deinit(&likeness->labels);
  intern_deinit(&likeness->groups);
  free(likeness->group_of_host);
  array_deinit(&likeness->examples);
  text_deinit(&likeness->key);
}

static void note_label(Likeness *likeness, const char *label) {
  for (size_t i = 0; i < likeness->labels.count; i++)
    if (string_equal(likeness->labels.items[i], label))
      return;
  *array_push(&likeness->labels) = label;
}

static void note_labels_of(Likeness *likeness, const Pod *pod) {
  const PodCommon *common = pod_common(pod);
  for (size_t i = 0; i < common->node_selector.count; i++)
    note_label(likeness, string_or_empty(common->node_selector.items[i].key));
  for (size_t i = 0; i < pod->required_terms.count; i++) {
    const NodeSelectorTerm *term = &pod->required_terms.items[i];
    for (size_t e = 0; e < term->match_expressions.count; e++)
      note_label(likeness, string_or_empty(term->match_expressions.items[e].key));
    likeness->names_matter |= term->match_fields.count > 0;
  }
}

/* Absent is not empty. */
static void append_string(Text *key, const char *string) {
  text_append_bytes(key, string ? "=" : "-", 1);
  text_append_bytes(key, string_or_empty(string), strlen(string_or_empty(string)) + 1);
}

static void format_likeness(Likeness *likeness, const SnapshotNode *node) {
  Text *key = &likeness->key;
  const Node *object = node->object;
  text_clear(key);
  append_string(key, object->unschedulable ? "unschedulable" : "");
  append_string(key, likeness->names_matter ? node->name : "");
  for (size_t i = 0; i < likeness->labels.count; i++)
    append_string(key, key_values_find(&object->meta.labels, likeness->labels.items[i]));
  for (size_t i = 0; i < object->taints.count; i++) {
    append_string(key, object->taints.items[i].key);
    append_string(key, object->taints.items[i].value);
    append_string(key, object->taints.items[i].effect);
  }
}

static bool is_plain(const Likeness *likeness, const SnapshotNode *node) {
  return !likeness->labels.count && !likeness->names_matter && !node->is_closed;
}

static int find_group(Likeness *likeness, const SnapshotNode *node) {
  bool plain = is_plain(likeness, node);
  if (plain && likeness->plain >= 0)
    return likeness->plain;
  format_likeness(likeness, node);
  int group = intern_number(&likeness->groups, likeness->key.bytes, likeness->key.size);
  if (plain)
    likeness->plain = group;
  return group;
}

static void likeness_init(Likeness *likeness, const PlanProblem *problem) {
  *likeness = (Likeness){.plain = -1, .group_of_host = mem_alloc(problem->hosts.count * sizeof(int))};
  for (size_t i = 0; i < problem->classes.count; i++)
    note_labels_of(likeness, problem->classes.items[i].example->object);
  for (size_t host = 0; host < problem->hosts.count; host++) {
    int group = find_group(likeness, plan_problem_node(problem, (int)host));
    likeness->group_of_host[host] = group;
    if (group == (int)likeness->examples.count)
      *array_push(&likeness->examples) = (int)host;
  }
}

static bool has_room(const PlanProblem *problem, const PlanClass *class_, int host) {
  char reason[sizeof((SchedVerdict *)NULL)->reason];
  if (class_->takes)
    return plan_rooms_hold(problem, class_, plan_problem_rooms(problem, host));
  return sched_resources_fit(class_->example, plan_problem_node(problem, host), true, reason, sizeof reason);
}

static bool admits(const PlanProblem *problem, const PlanClass *class_, int host) {
  SchedVerdict verdict;
  return sched_admits(problem->snapshot, class_->pod, problem->hosts.items[host].node, &verdict);
}

/* Hosts of this word of bits. */
static uint64_t hosts_of(const PlanProblem *problem, size_t word) {
  size_t left = problem->hosts.count - word * 64;
  return left < 64 ? (UINT64_C(1) << left) - 1 : UINT64_MAX;
}

static void ask_hosts(PlanProblem *problem, PlanClass *class_, const Likeness *likeness) {
  bool each = sched_has_volumes(problem->snapshot, class_->pod); /* they ask for labels of their own */
  bool has_room_everywhere = class_->takes && plan_rooms_hold(problem, class_, problem->least_rooms);
  bool all_admit = !each && has_room_everywhere;
  size_t words = (problem->hosts.count + 63) / 64;
  CLEANUP(cleanup_free) bool *admitted = mem_alloc(likeness->examples.count);
  for (size_t group = 0; group < likeness->examples.count; group++) {
    admitted[group] = each || admits(problem, class_, likeness->examples.items[group]);
    all_admit &= admitted[group];
  }
  class_->admits = arena_alloc(&problem->arena, words * sizeof *class_->admits);
  for (size_t word = 0; word < words && all_admit; word++)
    class_->admits[word] = hosts_of(problem, word);
  for (size_t host = 0; host < problem->hosts.count && !all_admit; host++)
    if (admitted[likeness->group_of_host[host]] &&
        (has_room_everywhere || has_room(problem, class_, (int)host)) &&
        (!each || admits(problem, class_, (int)host)))
      class_->admits[host / 64] |= UINT64_C(1) << host % 64;
}

static void finish_classes(PlanProblem *problem) {
  CLEANUP(likeness_deinit) Likeness likeness;
  likeness_init(&likeness, problem);
  for (size_t i = 0; i < problem->classes.count; i++) {
    PlanClass *class_ = &problem->classes.items[i];
    sort_needs(problem, class_);
    for (int n = 0; n < class_->need_count; n++) {
      const PlanKind *kind = &problem->kinds.items[class_->needs[n].kind];
      class_->slot_count += class_->needs[n].count * kind->size;
      class_->slice_count += class_->needs[n].count * kind->slice_count;
    }
    ask_hosts(problem, class_, &likeness);
  }
}

static void sign_host(PlanProblem *problem, size_t host) {
  PlanHost *signed_ = &problem->hosts.items[host];
  signed_->signature = UINT64_C(14695981039346656037); /* FNV-1a */
  for (size_t i = 0; i < problem->classes.count; i++) {
    bool admits = plan_class_admits(&problem->classes.items[i], (int)host);
    signed_->contention += admits;
    signed_->signature = (signed_->signature ^ (admits ? i + 1 : 0)) * UINT64_C(1099511628211);
  }
}

/* Does each class admit all hosts of this word of bits, or none? */
static bool are_alike(const PlanProblem *problem, size_t word) {
  for (size_t i = 0; i < problem->classes.count; i++) {
    uint64_t admits = problem->classes.items[i].admits[word];
    if (admits && admits != hosts_of(problem, word))
      return false;
  }
  return true;
}

static void sign_hosts(PlanProblem *problem) {
  bool alike = false;
  for (size_t host = 0; host < problem->hosts.count; host++) {
    if (host % 64 == 0)
      alike = are_alike(problem, host / 64);
    if (host % 64 == 0 || !alike) {
      sign_host(problem, host);
    } else {
      problem->hosts.items[host].signature = problem->hosts.items[host - 1].signature;
      problem->hosts.items[host].contention = problem->hosts.items[host - 1].contention;
    }
  }
}

/* The pool of each shape and signature. `last`: the pool that was asked for before, mostly the same; -1. */
static int find_pool(PlanProblem *problem, Intern *known, int shape, int host, int last) {
  const struct {
    uint64_t signature;
    int64_t shape;
  } key = {.signature = problem->hosts.items[host].signature, .shape = shape};
  const PlanPool *before = last < 0 ? NULL : &problem->pools.items[last];
  if (before && before->shape == shape && problem->hosts.items[before->host].signature == key.signature)
    return last;
  int pool = intern_number(known, &key, sizeof key);
  if (pool == (int)problem->pools.count)
    *array_push(&problem->pools) = (PlanPool){.shape = shape, .host = host};
  return pool;
}

static void find_pools(PlanProblem *problem) {
  CLEANUP(intern_deinit) Intern known = {0};
  PlanHostGpu *gpus = problem->gpus.items;
  int last = -1;
  for (int first = 0, end; first < (int)problem->gpus.count; first = end) {
    int shape = problem->models.items[gpus[first].model].shape;
    end = plan_problem_gpus_end(problem, first);
    if (!problem->shapes.items[shape].exact)
      continue; /* add_gpus() has put them in none */
    last = find_pool(problem, &known, shape, gpus[first].host, last);
    for (int gpu = first; gpu < end; gpu++)
      gpus[gpu].pool = last;
    problem->pools.items[last].gpu_count += end - first;
  }
}

void plan_fleet_init(PlanProblem *problem) {
  add_hosts(problem);
  plan_rooms_init(problem);
  finish_classes(problem);
  plan_queue_sort(problem);
  plan_turns_give(problem);
  sign_hosts(problem);
  find_pools(problem);
}
