/* SPDX-License-Identifier: Apache-2.0 */
/* A plan that is kept knows its slices by GPU; what is made of them here is what plan.c writes down at once.
 */
#include "plan/standing.h"

#include "plan/fill.h"

/* In the order of service: of the queues, and within them. */
static bool goes_before(const PlanKept *kept, const KeptItem *item, const KeptItem *other) {
  const KeptTier *tier = &kept->tiers.items[item->tier], *tier_other = &kept->tiers.items[other->tier];
  const KeptLine *line = &kept->lines[item->line], *line_other = &kept->lines[other->line];
  if (tier->priority != tier_other->priority)
    return tier->priority > tier_other->priority;
  if (tier->is_old != tier_other->is_old)
    return tier->is_old;
  if (line->slot_count != line_other->slot_count)
    return line->slot_count < line_other->slot_count;
  if (line->slice_count != line_other->slice_count)
    return line->slice_count < line_other->slice_count;
  if (item->creation != other->creation)
    return item->creation < other->creation;
  return item->start > other->start;
}

/* The items with a new slice on the GPU; returns how many. */
static int list_items(const PlanKept *kept, int gpu, const KeptItem **ret_items) {
  int count = 0;
  const KeptCut *cut = kept->cut_of_gpu[gpu] >= 0 ? &kept->cuts.items[kept->cut_of_gpu[gpu]] : NULL;
  for (int i = 0; cut && i < cut->planned_count; i++) {
    const KeptItem *item = &kept->items.items[plan_kept_item_at(kept, gpu, cut->planned[i].start)];
    int place = count++;
    for (; place > 0 && goes_before(kept, item, ret_items[place - 1]); place--)
      ret_items[place] = ret_items[place - 1];
    ret_items[place] = item;
  }
  return count;
}

static void take_gpu(const PlanKept *kept, int gpu, Arena *arena, PlanGpus *gpus) {
  const KeptItem *items[MIG_SLOTS_MAX];
  int count = list_items(kept, gpu, items);
  if (!count)
    return;
  const PlanHostGpu *changed = &kept->problem.gpus.items[gpu];
  const PlanModel *model = plan_problem_model(&kept->problem, gpu);
  PlanCreate *creates = arena_alloc(arena, MIG_SLOTS_MAX * sizeof *creates); /* left-over ones may follow */
  for (int i = 0; i < count; i++)
    creates[i] = (PlanCreate){.profile = (uint8_t)model->profile_of_kind[kept->lines[items[i]->line].kind],
                              .start = items[i]->start};
  *array_push(gpus) = (PlanGpu){.node = kept->problem.hosts.items[changed->host].node,
                                .gpu = changed->gpu,
                                .creates = creates,
                                .create_count = count};
}

static void take_host(const PlanKept *kept, int host, Arena *arena, PlanGpus *gpus) {
  const PlanHost *from = &kept->problem.hosts.items[host];
  if (!kept->hosts[host].created)
    return;
  for (int gpu = from->first_gpu; gpu < from->first_gpu + from->gpu_count; gpu++)
    take_gpu(kept, gpu, arena, gpus);
}

/* The number of the GPU in the problem. */
static int number_of(const PlanKept *kept, const PlanGpu *gpu) {
  int number = kept->problem.hosts.items[kept->host_of_node[gpu->node]].first_gpu;
  while (kept->problem.gpus.items[number].gpu != gpu->gpu)
    number++;
  return number;
}

/* As where a plan is made from scratch (fill.c), for these GPUs alone. */
static void fill(const PlanKept *kept, const PlanOptions *options, PlanGpus *gpus) {
  CLEANUP(cleanup_free) int *taken = mem_alloc((kept->problem.gpus.count + 1) * sizeof *taken);
  PlanOffer offer = {0};
  for (size_t i = 0; i < gpus->count; i++) {
    int number = number_of(kept, &gpus->items[i]);
    taken[number] = (int)i;
    for (int k = 0; k < gpus->items[i].create_count; k++)
      *array_push(&offer.slices) = (PlanSlice){.gpu = number,
                                               .profile = gpus->items[i].creates[k].profile,
                                               .start = gpus->items[i].creates[k].start};
  }
  size_t demanded = offer.slices.count;
  plan_fill_offer(&kept->problem, options, &offer);
  for (size_t i = demanded; i < offer.slices.count; i++) {
    PlanGpu *gpu = &gpus->items[taken[offer.slices.items[i].gpu]];
    PlanCreate *creates = (PlanCreate *)gpu->creates; /* made above, with room */
    creates[gpu->create_count++] = (PlanCreate){
        .profile = offer.slices.items[i].profile, .start = offer.slices.items[i].start, .leftover = true};
  }
  plan_offer_deinit(&offer);
}

static void copy_gpus(const PlanStanding *standing, int node, PlanGpus *gpus) {
  const Plan *plan = &standing->plan;
  for (int i = standing->first_gpu[node];
       i >= 0 && i < (int)plan->gpus.count && plan->gpus.items[i].node == node; i++)
    *array_push(gpus) = plan->gpus.items[i];
}

void plan_standing_take(PlanStanding *standing, const PlanOptions *options, const int *nodes, size_t count,
                        Arena *arena, PlanGpus *ret_gpus) {
  *ret_gpus = (PlanGpus){0};
  for (size_t i = 0; i < count; i++) {
    if (!standing->is_kept)
      copy_gpus(standing, nodes[i], ret_gpus);
    else if (standing->kept.host_of_node[nodes[i]] >= 0)
      take_host(&standing->kept, standing->kept.host_of_node[nodes[i]], arena, ret_gpus);
  }
  if (standing->is_kept && options->leftover == PLAN_LEFTOVER_FILL && ret_gpus->count)
    fill(&standing->kept, options, ret_gpus);
}
