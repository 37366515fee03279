/* SPDX-License-Identifier: Apache-2.0 */
/* Resources as numbers in a table instead of names in lists, for those who ask ten thousand hosts. The last
 * column is the number of pods that may still come.
 *
 * A request of zero or less asks nothing. A rest that cannot be told, because the sums overflow, is none. */
#include "plan/problem.h"

#include "base/map.h"
#include "sched/filter.h"

enum { AHEAD = 8 /* hosts */, CACHE_LINE = 64 };

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void collect_names(PlanProblem *problem) {
  CLEANUP(map_deinit) Map known = {0};
  for (size_t i = 0; i < problem->classes.count; i++) {
    const Resources *requests = &problem->classes.items[i].example->requests;
    for (size_t r = 0; r < requests->count; r++) {
      const char *name = requests->items[r].name;
      if (requests->items[r].amount > 0 && !mig_profile_is_resource(name) &&
          sched_resource_is_counted(name) && !map_put(&known, name, problem))
        *array_push(&problem->resources) = name;
    }
  }
  if (problem->resources.count)
    qsort(problem->resources.items, problem->resources.count, sizeof problem->resources.items[0],
          compare_names);
}

/* Both lists are by name. `amounts` gets 0 for what the list does not have. */
static void look_up(const char *const *names, size_t count, const Resources *list, int64_t *amounts) {
  size_t next = 0;
  for (size_t i = 0; i < count; i++) {
    int order = -1;
    while (next < list->count && (order = strcmp(list->items[next].name, names[i])) < 0)
      next++;
    amounts[i] = next < list->count && order == 0 ? list->items[next].amount : 0;
  }
}

/* The kinds by their resources' names. */
typedef struct KindNames {
  const char **names;
  int *kinds;
  int64_t *allocatable, *requested; /* scratch */
} KindNames;

static void kind_names_deinit(KindNames *names) {
  free(names->names);
  free(names->kinds);
  free(names->allocatable);
  free(names->requested);
}

static int compare_kinds(const void *a, const void *b, void *userdata) {
  const PlanProblem *problem = userdata;
  return strcmp(problem->kinds.items[*(const int *)a].resource,
                problem->kinds.items[*(const int *)b].resource);
}

static void kind_names_init(KindNames *names, const PlanProblem *problem) {
  size_t count = problem->kinds.count;
  *names = (KindNames){.names = mem_alloc(count * sizeof *names->names),
                       .kinds = mem_alloc(count * sizeof *names->kinds),
                       .allocatable = mem_alloc(count * sizeof *names->allocatable),
                       .requested = mem_alloc(count * sizeof *names->requested)};
  for (size_t i = 0; i < count; i++)
    names->kinds[i] = (int)i;
  if (count)
    qsort_r(names->kinds, count, sizeof *names->kinds, compare_kinds, (void *)problem);
  for (size_t i = 0; i < count; i++)
    names->names[i] = problem->kinds.items[names->kinds[i]].resource;
}

/* As snapshot_free_of() says. */
static void count_free(PlanProblem *problem, const KindNames *names, int host) {
  const SnapshotNode *node = plan_problem_node(problem, host);
  size_t count = problem->kinds.count;
  look_up(names->names, count, &node->allocatable, names->allocatable);
  look_up(names->names, count, &node->requested, names->requested);
  for (size_t i = 0; i < count; i++) {
    int64_t allocatable = names->allocatable[i], requested = names->requested[i];
    int64_t left = requested >= allocatable ? 0 : allocatable - (requested > 0 ? requested : 0);
    problem->free[(size_t)host * count + (size_t)names->kinds[i]] =
        left > PLAN_SLICES_MAX ? PLAN_SLICES_MAX : (int)left;
  }
}

static void measure_host(const PlanProblem *problem, int host) {
  int64_t requested[PLAN_RESOURCES_MAX], *rooms = plan_problem_rooms(problem, host);
  const SnapshotNode *node = plan_problem_node(problem, host);
  look_up(problem->resources.items, problem->resources.count, &node->allocatable, rooms);
  look_up(problem->resources.items, problem->resources.count, &node->requested, requested);
  for (size_t i = 0; i < problem->resources.count; i++)
    if (__builtin_sub_overflow(rooms[i], requested[i], &rooms[i]))
      rooms[i] = INT64_MIN;
  if (__builtin_sub_overflow(node->pod_max, node->pod_count, &rooms[problem->resources.count]))
    rooms[problem->resources.count] = INT64_MIN;
}

static void measure_class(PlanProblem *problem, PlanClass *class_) {
  size_t count = problem->resources.count;
  class_->takes = arena_alloc(&problem->arena, (count + 1) * sizeof *class_->takes);
  look_up(problem->resources.items, count, &class_->example->requests, class_->takes);
  for (size_t i = 0; i < count; i++)
    if (class_->takes[i] < 0)
      class_->takes[i] = 0;
  class_->takes[count] = 1;
}

/* The lists of ten thousand nodes lie all over the memory. */
static void fetch_ahead(const PlanProblem *problem, int host) {
  if (host >= (int)problem->hosts.count)
    return;
  const SnapshotNode *node = plan_problem_node(problem, host);
  __builtin_prefetch(node->allocatable.items);
  __builtin_prefetch((const char *)node->allocatable.items + CACHE_LINE);
  __builtin_prefetch(node->requested.items);
}

void plan_rooms_init(PlanProblem *problem) {
  CLEANUP(kind_names_deinit) KindNames names;
  kind_names_init(&names, problem);
  problem->free =
      arena_alloc(&problem->arena, problem->hosts.count * problem->kinds.count * sizeof *problem->free);
  collect_names(problem);
  if (problem->resources.count <= PLAN_RESOURCES_MAX)
    problem->rooms = arena_alloc(&problem->arena, problem->hosts.count * (problem->resources.count + 1) *
                                                      sizeof *problem->rooms);
  for (int host = 0; host < (int)problem->hosts.count; host++) {
    fetch_ahead(problem, host + AHEAD);
    count_free(problem, &names, host);
    if (problem->rooms)
      measure_host(problem, host);
  }
  for (size_t i = 0; i < problem->classes.count && problem->rooms; i++)
    measure_class(problem, &problem->classes.items[i]);
}

void plan_rooms_measure(PlanProblem *problem, int host) {
  CLEANUP(kind_names_deinit) KindNames names;
  kind_names_init(&names, problem);
  count_free(problem, &names, host);
  if (problem->rooms)
    measure_host(problem, host);
}

bool plan_rooms_hold(const PlanProblem *problem, const PlanClass *class_, const int64_t *rooms) {
  for (size_t i = 0; i <= problem->resources.count; i++)
    if (class_->takes[i] > 0 && class_->takes[i] > rooms[i])
      return false;
  return true;
}

void plan_rooms_take(const PlanProblem *problem, const PlanClass *class_, int64_t *rooms) {
  for (size_t i = 0; i <= problem->resources.count; i++)
    rooms[i] -= class_->takes[i];
}
