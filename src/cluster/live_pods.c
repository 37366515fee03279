/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/live_pods.h"

#include "base/text.h"

static uint64_t hash_text(uint64_t hash, const char *text) {
  for (; *text; text++)
    hash = (hash ^ (unsigned char)*text) * 1099511628211u; /* FNV-1a */
  return hash;
}

static uint64_t hash_of(const Pod *object) {
  uint64_t hash = hash_text(14695981039346656037u, string_or_empty(object->meta.namespace_));
  hash = hash_text((hash ^ '/') * 1099511628211u, object->meta.name);
  return hash ^ hash >> 32;
}

static uint64_t hash_of_number(const void *owner, uint32_t number) {
  return hash_of(((const LivePods *)owner)->items.items[number]->object);
}

static bool is_same(const Pod *a, const Pod *b) {
  return strcmp(a->meta.name, b->meta.name) == 0 &&
         strcmp(string_or_empty(a->meta.namespace_), string_or_empty(b->meta.namespace_)) == 0;
}

/* Where the pod of this namespace and name is; SIZE_MAX: nowhere. */
static size_t find(const LivePods *pods, const Pod *object) {
  const Slots *slots = &pods->slots;
  for (size_t at = slots_first(slots, hash_of(object)); slots->items && slots->items[at];
       at = slots_next(slots, at))
    if (is_same(pods->items.items[slots->items[at] - 1]->object, object))
      return at;
  return SIZE_MAX;
}

LivePod *live_pods_find(const LivePods *pods, const Pod *object) {
  size_t at = find(pods, object);
  return at == SIZE_MAX ? NULL : pods->items.items[pods->slots.items[at] - 1];
}

static void give_back(LivePods *pods, LivePod *pod) {
  pod->next = pods->spare;
  pods->spare = pod;
}

/* In blocks, because the heap adds a third to a piece as small as a record. */
static LivePod *take_record(LivePods *pods) {
  if (!pods->spare) {
    LivePod *block = mem_alloc(LIVE_PODS_BLOCK * sizeof *block);
    *array_push(&pods->blocks) = block;
    for (size_t i = LIVE_PODS_BLOCK; i-- > 0;)
      give_back(pods, &block[i]);
  }
  LivePod *pod = pods->spare;
  pods->spare = pod->next;
  return pod;
}

LivePod *live_pods_add(LivePods *pods, const Pod *object) {
  LivePod *pod = take_record(pods);
  *pod = (LivePod){.object = object, .number = (uint32_t)pods->items.count};
  *array_push(&pods->items) = pod;
  slots_put(&pods->slots, hash_of(object), pod->number, hash_of_number, pods);
  return pod;
}

void live_pods_remove(LivePods *pods, LivePod *pod) {
  slots_remove(&pods->slots, find(pods, pod->object), hash_of_number, pods);
  LivePod *last = pods->items.items[pods->items.count - 1];
  if (last != pod) {
    pods->slots.items[find(pods, last->object)] = pod->number + 1;
    pods->items.items[pod->number] = last;
    last->number = pod->number;
  }
  pods->items.count--;
  give_back(pods, pod);
}

void live_pods_deinit(LivePods *pods) {
  for (size_t i = 0; i < pods->blocks.count; i++)
    free(pods->blocks.items[i]);
  array_deinit(&pods->blocks);
  array_deinit(&pods->items);
  slots_deinit(&pods->slots);
}
