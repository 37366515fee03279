/* SPDX-License-Identifier: Apache-2.0 */
/* Resources as numbers in a table instead of names in lists, for those who ask ten thousand hosts. The last
 * column is the number of pods that may still come.
 *
 * A request of zero or less asks nothing. A rest that cannot be told, because the sums overflow, is none. */
#include "plan/problem.h"

#include "base/map.h"
#include "sched/filter.h"

enum { COLUMNS_KNOWN = 256 };

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void collect_names(PlanProblem *problem) {
  CLEANUP(map_deinit) Map known = {0};
  for (size_t i = 0; i < problem->classes.count; i++) {
    const Resources *requests = &problem->classes.items[i].example->spec->requests;
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

/* Which column a name stands for: first the kinds, then the resources. Names are read again and again at the
 * same few addresses, so what was found is remembered by address. */
typedef struct Columns {
  const PlanProblem *problem;
  size_t count;
  int64_t *allocatable, *requested; /* by column: of the host that is looked at */
  struct {
    const char *name;
    int column; /* -1: none */
  } known[COLUMNS_KNOWN];
} Columns;

static void columns_init(Columns *columns, const PlanProblem *problem) {
  size_t count = problem->kinds.count + problem->resources.count;
  *columns = (Columns){.problem = problem,
                       .count = count,
                       .allocatable = mem_alloc(count * sizeof *columns->allocatable),
                       .requested = mem_alloc(count * sizeof *columns->requested)};
}

static void columns_deinit(Columns *columns) {
  free(columns->allocatable);
  free(columns->requested);
}

static int search_column(const PlanProblem *problem, const char *name) {
  for (size_t i = 0; i < problem->kinds.count; i++)
    if (strcmp(problem->kinds.items[i].resource, name) == 0)
      return (int)i;
  for (size_t i = 0; i < problem->resources.count; i++)
    if (strcmp(problem->resources.items[i], name) == 0)
      return (int)(problem->kinds.count + i);
  return -1;
}

static int find_column(Columns *columns, const char *name) {
  size_t slot = ((uintptr_t)name >> 4) % COLUMNS_KNOWN;
  if (columns->known[slot].name != name) {
    columns->known[slot].name = name;
    columns->known[slot].column = search_column(columns->problem, name);
  }
  return columns->known[slot].column;
}

/* 0 for what the list does not have. */
static void spread(Columns *columns, const Resources *list, int64_t *amounts) {
  memset(amounts, 0, columns->count * sizeof *amounts);
  for (size_t i = 0; i < list->count; i++) {
    int column = find_column(columns, list->items[i].name);
    if (column >= 0)
      amounts[column] = list->items[i].amount;
  }
}

/* As snapshot_free_of() says. */
static void count_free(PlanProblem *problem, const Columns *columns, int host) {
  size_t count = problem->kinds.count;
  int all = 0;
  for (size_t i = 0; i < count; i++) {
    int64_t allocatable = columns->allocatable[i], requested = columns->requested[i];
    int64_t left = requested >= allocatable ? 0 : allocatable - (requested > 0 ? requested : 0);
    all += problem->free[(size_t)host * count + i] = left > PLAN_SLICES_MAX ? PLAN_SLICES_MAX : (int)left;
  }
  problem->free_most = all > problem->free_most ? all : problem->free_most;
}

static void measure_host(PlanProblem *problem, Columns *columns, int host) {
  const SnapshotNode *node = plan_problem_node(problem, host);
  size_t kinds = problem->kinds.count;
  spread(columns, &node->allocatable, columns->allocatable);
  spread(columns, &node->requested, columns->requested);
  count_free(problem, columns, host);
  if (!problem->rooms)
    return;
  int64_t *rooms = plan_problem_rooms(problem, host);
  for (size_t i = 0; i < problem->resources.count; i++)
    if (__builtin_sub_overflow(columns->allocatable[kinds + i], columns->requested[kinds + i], &rooms[i]))
      rooms[i] = INT64_MIN;
  if (__builtin_sub_overflow(node->pod_max, node->pod_count, &rooms[problem->resources.count]))
    rooms[problem->resources.count] = INT64_MIN;
}

static void measure_class(PlanProblem *problem, Columns *columns, PlanClass *class_) {
  size_t count = problem->resources.count;
  class_->takes = arena_alloc(&problem->arena, (count + 1) * sizeof *class_->takes);
  spread(columns, &class_->example->spec->requests, columns->requested);
  for (size_t i = 0; i < count; i++) {
    int64_t amount = columns->requested[problem->kinds.count + i];
    class_->takes[i] = amount > 0 ? amount : 0;
  }
  class_->takes[count] = 1;
}

static void find_least(PlanProblem *problem) {
  size_t count = problem->resources.count + 1;
  problem->least_rooms = arena_alloc(&problem->arena, count * sizeof *problem->least_rooms);
  for (size_t i = 0; i < count; i++)
    problem->least_rooms[i] = INT64_MAX;
  for (size_t room = 0; room < problem->hosts.count * count; room += count)
    for (size_t i = 0; i < count; i++)
      if (problem->rooms[room + i] < problem->least_rooms[i])
        problem->least_rooms[i] = problem->rooms[room + i];
}

void plan_rooms_init(PlanProblem *problem) {
  CLEANUP(columns_deinit) Columns columns;
  problem->free =
      arena_alloc(&problem->arena, problem->hosts.count * problem->kinds.count * sizeof *problem->free);
  collect_names(problem);
  if (problem->resources.count <= PLAN_RESOURCES_MAX)
    problem->rooms = arena_alloc(&problem->arena, problem->hosts.count * (problem->resources.count + 1) *
                                                      sizeof *problem->rooms);
  columns_init(&columns, problem);
  for (int host = 0; host < (int)problem->hosts.count; host++)
    measure_host(problem, &columns, host);
  if (problem->rooms)
    find_least(problem);
  for (size_t i = 0; i < problem->classes.count && problem->rooms; i++)
    measure_class(problem, &columns, &problem->classes.items[i]);
}

void plan_rooms_measure(PlanProblem *problem, int host) {
  CLEANUP(columns_deinit) Columns columns;
  columns_init(&columns, problem);
  measure_host(problem, &columns, host);
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
