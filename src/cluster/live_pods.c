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
  return hash_of(live_pods_at(owner, number)->object);
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
    if (is_same(live_pods_at(pods, slots->items[at] - 1)->object, object))
      return at;
  return SIZE_MAX;
}

LivePod *live_pods_find(const LivePods *pods, const Pod *object) {
  size_t at = find(pods, object);
  return at == SIZE_MAX ? NULL : live_pods_at(pods, pods->slots.items[at] - 1);
}

/* In blocks, because the heap adds half to a piece as small as a record. */
static uint32_t take_number(LivePods *pods) {
  if (pods->spare) {
    uint32_t number = (uint32_t)pods->spare - 1;
    pods->spare = live_pods_at(pods, number)->place + 1;
    return number;
  }
  if (pods->count % LIVE_PODS_BLOCK == 0)
    *array_push(&pods->blocks) = mem_alloc(LIVE_PODS_BLOCK * sizeof(LivePod));
  return pods->count++;
}

LivePod *live_pods_add(LivePods *pods, const Pod *object) {
  uint32_t number = take_number(pods);
  LivePod *pod = live_pods_at(pods, number);
  *pod = (LivePod){.object = object};
  slots_put(&pods->slots, hash_of(object), number, hash_of_number, pods);
  return pod;
}

void live_pods_remove(LivePods *pods, LivePod *pod) {
  size_t at = find(pods, pod->object);
  uint32_t number = pods->slots.items[at] - 1;
  slots_remove(&pods->slots, at, hash_of_number, pods);
  *pod = (LivePod){.place = pods->spare - 1};
  pods->spare = (int)number + 1;
}

void live_pods_deinit(LivePods *pods) {
  for (size_t i = 0; i < pods->blocks.count; i++)
    free(pods->blocks.items[i]);
  array_deinit(&pods->blocks);
  slots_deinit(&pods->slots);
  pods->count = 0;
  pods->spare = 0;
}
