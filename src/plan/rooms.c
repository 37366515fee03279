/* SPDX-License-Identifier: Apache-2.0 */
/* Resources as numbers in a table instead of names in lists, for those who ask ten thousand hosts. The last
 * column is the number of pods that may still come.
 *
 * A request of zero or less asks nothing. A rest that cannot be told, because the sums overflow, is none. */
#include "plan/problem.h"

#include "base/map.h"
#include "sched/filter.h"

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
static void look_up(const PlanProblem *problem, const Resources *list, int64_t *amounts) {
  size_t next = 0;
  for (size_t i = 0; i < problem->resources.count; i++) {
    int order = -1;
    while (next < list->count && (order = strcmp(list->items[next].name, problem->resources.items[i])) < 0)
      next++;
    amounts[i] = next < list->count && order == 0 ? list->items[next].amount : 0;
  }
}

static void measure_host(const PlanProblem *problem, int host) {
  int64_t requested[PLAN_RESOURCES_MAX], *rooms = plan_problem_rooms(problem, host);
  const SnapshotNode *node = plan_problem_node(problem, host);
  look_up(problem, &node->allocatable, rooms);
  look_up(problem, &node->requested, requested);
  for (size_t i = 0; i < problem->resources.count; i++)
    if (__builtin_sub_overflow(rooms[i], requested[i], &rooms[i]))
      rooms[i] = INT64_MIN;
  if (__builtin_sub_overflow(node->pod_max, node->pod_count, &rooms[problem->resources.count]))
    rooms[problem->resources.count] = INT64_MIN;
}

static void measure_class(PlanProblem *problem, PlanClass *class_) {
  size_t count = problem->resources.count;
  class_->takes = arena_alloc(&problem->arena, (count + 1) * sizeof *class_->takes);
  look_up(problem, &class_->example->requests, class_->takes);
  for (size_t i = 0; i < count; i++)
    if (class_->takes[i] < 0)
      class_->takes[i] = 0;
  class_->takes[count] = 1;
}

void plan_rooms_init(PlanProblem *problem) {
  collect_names(problem);
  if (problem->resources.count > PLAN_RESOURCES_MAX)
    return;
  problem->rooms = arena_alloc(&problem->arena, problem->hosts.count * (problem->resources.count + 1) *
                                                    sizeof *problem->rooms);
  for (int host = 0; host < (int)problem->hosts.count; host++)
    measure_host(problem, host);
  for (size_t i = 0; i < problem->classes.count; i++)
    measure_class(problem, &problem->classes.items[i]);
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
