/* SPDX-License-Identifier: Apache-2.0 */
/* Which pod of a batch goes to a host: any, or where the host may run short of something, one for whom it has
 * room. */
#include "plan/bulk_filling.h"

/* Into the queue of its class. `queue_of_class`: its number plus one; 0: none yet. */
static void queue_pod(PlanFilling *filling, int waiting, int *queue_of_class) {
  int class_ = filling->places->problem->waiting.items[waiting].class_;
  int *next_equal = filling->places->next_equal;
  next_equal[waiting] = -1;
  if (queue_of_class[class_]) {
    PlanQueue *queue = &filling->queues.items[queue_of_class[class_] - 1];
    next_equal[queue->last] = waiting;
    queue->last = waiting;
    return;
  }
  *array_push(&filling->queues) = (PlanQueue){.class_ = class_, .first = waiting, .last = waiting};
  queue_of_class[class_] = (int)filling->queues.count;
}

/* Where no host is tight it does not matter of which class they are: one queue for all. */
void plan_filling_queue(PlanFilling *filling, const PlanBatch *batch) {
  PlanPlaces *places = filling->places;
  const PlanProblem *problem = places->problem;
  CLEANUP(cleanup_free) int *queue_of_class = mem_alloc(problem->classes.count * sizeof *queue_of_class);
  filling->left = batch->count;
  if (!places->any_tight) {
    *array_push(&filling->queues) = (PlanQueue){
        .class_ = problem->waiting.items[batch->first].class_, .first = batch->first, .run = batch->first};
    return;
  }
  for (int run = batch->first; run >= 0; run = places->next[run])
    for (int waiting = run; waiting < places->ends[run]; waiting++)
      queue_pod(filling, waiting, queue_of_class);
}

/* How much the pod takes of what falls to each of the pods that the host can still serve, of the resource
 * where that is the most. Above 1 it takes from others. */
static double share_of(const PlanFilling *filling, const PlanClass *class_, int host) {
  const PlanPlaces *places = filling->places;
  const int64_t *rooms = plan_places_rooms(places, host);
  double pods = (double)places->free_slots[host] / filling->slots_per_pod, most = 0;
  for (size_t i = 0; i <= places->problem->resources.count; i++) {
    double share = class_->takes[i] <= 0 ? 0 : (double)class_->takes[i] * pods / (double)rooms[i];
    most = share > most ? share : most;
  }
  return most;
}

/* Heavy pods to the hosts that can bear them: of those that take no more than their share, the one that takes
 * the most; where all take more, the one that takes the least. */
static bool is_better_match(double share, double than) {
  return (share <= 1) != (than <= 1) ? share <= 1 : (share <= 1 ? share > than : share < than);
}

/* Of the pods that have room on the host, those of the first tier come first. NULL where none has. */
static PlanQueue *match_queue(const PlanFilling *filling, int host) {
  const PlanProblem *problem = filling->places->problem;
  PlanQueue *chosen = NULL;
  double chosen_share = 0;
  for (size_t i = 0; i < filling->queues.count; i++) {
    PlanQueue *queue = &filling->queues.items[i];
    const PlanClass *class_ = &problem->classes.items[queue->class_];
    if (queue->first < 0 || !plan_rooms_hold(problem, class_, plan_places_rooms(filling->places, host)))
      continue;
    double share = share_of(filling, class_, host);
    int tier = problem->waiting.items[queue->first].tier;
    int chosen_tier = chosen ? problem->waiting.items[chosen->first].tier : tier + 1;
    if (tier > chosen_tier || (tier == chosen_tier && !is_better_match(share, chosen_share)))
      continue;
    chosen = queue;
    chosen_share = share;
  }
  return chosen;
}

/* Of the pods that have room on the host, the first one's queue; NULL where none has. */
static PlanQueue *find_queue(const PlanFilling *filling, int host) {
  PlanQueue *chosen = NULL;
  if (filling->places->tight[host])
    return match_queue(filling, host);
  for (size_t i = 0; i < filling->queues.count; i++) {
    PlanQueue *queue = &filling->queues.items[i];
    if (queue->first >= 0 && (!chosen || queue->first < chosen->first))
      chosen = queue;
  }
  return chosen;
}

/* The same, while some pod waits. Resources only shrink, so a host is asked in vain once. */
PlanQueue *plan_filling_choose(const PlanFilling *filling, int host) {
  PlanPlaces *places = filling->places;
  if (!places->any_tight)
    return filling->queues.items;
  PlanQueue *queue = places->full[host] == filling->number ? NULL : find_queue(filling, host);
  if (!queue)
    places->full[host] = filling->number;
  return queue;
}
