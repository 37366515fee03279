/* SPDX-License-Identifier: Apache-2.0 */
/* Who is served: in the order of tiers and sizes, as many of each queue as there are free slices, then as
 * many as holes are to spare beside what was counted before. That is what bulk.c counts pod by pod. */
#include "plan/kept.h"

#include "base/order.h"

static bool goes_first(const KeptTier *tier, int32_t priority, bool is_old) {
  return tier->priority != priority ? tier->priority > priority : tier->is_old && !is_old;
}

int plan_kept_find_tier(PlanKept *kept, int32_t priority, bool is_old) {
  for (size_t i = 0; i < kept->tiers.count; i++)
    if (kept->tiers.items[i].priority == priority && kept->tiers.items[i].is_old == is_old)
      return (int)i;
  KeptTier *tier = array_push(&kept->tiers);
  *tier = (KeptTier){.priority = priority,
                     .is_old = is_old,
                     .queues = mem_alloc((size_t)kept->line_count * sizeof *tier->queues)};
  int place = (int)kept->tier_order.count;
  array_push(&kept->tier_order);
  for (; place > 0 && !goes_first(&kept->tiers.items[kept->tier_order.items[place - 1]], priority, is_old);
       place--)
    kept->tier_order.items[place] = kept->tier_order.items[place - 1];
  kept->tier_order.items[place] = (int)kept->tiers.count - 1;
  return (int)kept->tiers.count - 1;
}

bool plan_kept_is_old(const PlanKept *kept, int64_t creation) {
  return creation > 0 && creation < kept->old_before;
}

bool plan_kept_knows_age(const PlanKept *kept, int64_t creation) {
  return creation > 0 || !kept->old_before;
}

KeptQueue *plan_kept_queue(const PlanKept *kept, const KeptItem *item) {
  return &kept->tiers.items[item->tier].queues[item->line];
}

/* The oldest first, then by name: the order of queue.c. */
static int compare(const PlanKept *kept, int64_t creation, const Pod *pod, int other) {
  const KeptItem *item = &kept->items.items[other];
  uint64_t key = order_key(creation), key_other = order_key(item->creation);
  if (key != key_other)
    return key < key_other ? -1 : 1;
  if (item->pod < 0) /* it is this pod, which the snapshot does not have any more */
    return 0;
  const ObjectMeta *left = &pod->meta, *right = &kept->snapshot->pods.items[item->pod].object->meta;
  int order = strcmp(string_or_empty(left->namespace_), string_or_empty(right->namespace_));
  return order ? order : strcmp(string_or_empty(left->name), string_or_empty(right->name));
}

/* How many of the queue come before it. */
static int find_position(const PlanKept *kept, const KeptQueue *queue, int64_t creation, const Pod *pod) {
  int low = 0, high = (int)queue->items.count;
  while (low < high) {
    int middle = low + (high - low) / 2;
    if (compare(kept, creation, pod, queue->items.items[middle]) > 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static const Pod *object_of(const PlanKept *kept, int item) {
  return kept->snapshot->pods.items[kept->items.items[item].pod].object;
}

void plan_kept_enqueue(PlanKept *kept, int item) {
  KeptQueue *queue = plan_kept_queue(kept, &kept->items.items[item]);
  int position = find_position(kept, queue, kept->items.items[item].creation, object_of(kept, item));
  queue->is_hungry |= queue->served == (int)queue->items.count; /* else others of it have asked all hosts */
  array_push(&queue->items);
  int *items = queue->items.items;
  memmove(&items[position + 1], &items[position],
          (queue->items.count - 1 - (size_t)position) * sizeof *items);
  items[position] = item;
  if (position < queue->existing) {
    plan_kept_hand_over(kept, items[queue->existing], item);
    position = queue->existing;
  }
  if (position < queue->served)
    plan_kept_hand_over(kept, items[queue->served], items[position]);
}

void plan_kept_dequeue(PlanKept *kept, int item, const Pod *pod) {
  KeptQueue *queue = plan_kept_queue(kept, &kept->items.items[item]);
  int position = find_position(kept, queue, kept->items.items[item].creation, pod);
  assert(position < (int)queue->items.count && queue->items.items[position] == item);
  plan_kept_release(kept, item);
  array_remove(&queue->items, position);
  queue->existing -= position < queue->existing;
  queue->served -= position < queue->served;
}

void plan_kept_lose(PlanKept *kept, int item) {
  KeptQueue *queue = plan_kept_queue(kept, &kept->items.items[item]);
  bool took_existing = !kept->is_searched && kept->items.items[item].gpu < 0;
  plan_kept_release(kept, item);
  queue->is_hungry |= queue->served == (int)queue->items.count;
  if (took_existing) {
    int last = queue->items.items[--queue->existing];
    if (last != item)
      plan_kept_hand_over(kept, last, item);
    item = last;
  }
  int last = queue->items.items[--queue->served];
  if (last != item)
    plan_kept_hand_over(kept, last, item);
}

static int min(int64_t a, int64_t b) {
  return (int)(a < b ? a : b);
}

/* Counts for one queue of `count` pods; lowers what is free, raises what is reserved. */
static void count_queue(const PlanKept *kept, int line, int count, int64_t *free, PlanAmounts *reserved,
                        int *ret_existing, int *ret_served) {
  const KeptLine *at = &kept->lines[line];
  int existing = min(count, free[line]), created = 0;
  free[line] -= existing;
  if (at->pool >= 0 && count > existing) {
    const PlanShape *shape = &kept->problem.shapes.items[kept->problem.pools.items[at->pool].shape];
    created = plan_holes_spare(&shape->geometry, &kept->pools[at->pool].base, &reserved[at->pool], at->rank,
                               count - existing);
    reserved[at->pool].count[at->rank] += created;
  }
  *ret_existing = existing;
  *ret_served = existing + created;
}

static int64_t *copy_free(const PlanKept *kept) {
  int64_t *free = mem_alloc((size_t)kept->line_count * sizeof *free);
  for (int line = 0; line < kept->line_count; line++)
    free[line] = kept->lines[line].free;
  return free;
}

void plan_kept_count(PlanKept *kept) {
  CLEANUP(cleanup_free) int64_t *free = copy_free(kept);
  CLEANUP(cleanup_free) PlanAmounts *reserved = mem_alloc(kept->problem.pools.count * sizeof *reserved);
  for (size_t t = 0; t < kept->tier_order.count; t++)
    for (int i = 0; i < kept->line_count; i++) {
      int line = kept->line_order[i];
      KeptQueue *queue = &kept->tiers.items[kept->tier_order.items[t]].queues[line];
      count_queue(kept, line, (int)queue->items.count, free, reserved, &queue->existing_wanted,
                  &queue->served_wanted);
    }
}

int plan_kept_count_without_tiers(const PlanKept *kept) {
  CLEANUP(cleanup_free) int64_t *free = copy_free(kept);
  CLEANUP(cleanup_free) PlanAmounts *reserved = mem_alloc(kept->problem.pools.count * sizeof *reserved);
  int all = 0;
  for (int i = 0; i < kept->line_count; i++) {
    int line = kept->line_order[i], count = 0, existing, served;
    for (size_t tier = 0; tier < kept->tiers.count; tier++)
      count += (int)kept->tiers.items[tier].queues[line].items.count;
    count_queue(kept, line, count, free, reserved, &existing, &served);
    all += served;
  }
  return all;
}
