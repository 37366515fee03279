/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/index.h"

#include "base/text.h"

/* A namespace that is not there is as good as an empty one. */
typedef struct Key {
  const char *namespace_;
  size_t namespace_size;
  const char *name;
} Key;

static Key key_of(const ObjectMeta *meta) {
  const char *namespace_ = string_or_empty(meta->namespace_);
  assert(meta->name);
  return (Key){namespace_, strlen(namespace_), meta->name};
}

static uint64_t hash_of(const Key *key) {
  uint64_t hash = 14695981039346656037u; /* FNV-1a */
  for (size_t i = 0; i < key->namespace_size; i++)
    hash = (hash ^ (unsigned char)key->namespace_[i]) * 1099511628211u;
  hash = (hash ^ '/') * 1099511628211u;
  for (const char *at = key->name; *at; at++)
    hash = (hash ^ (unsigned char)*at) * 1099511628211u;
  return hash ^ hash >> 32;
}

static uint64_t hash_of_number(const void *owner, uint32_t number) {
  Key key = key_of(kube_shelf_meta(((const KubeIndex *)owner)->items.items[number]));
  return hash_of(&key);
}

static bool is_of(const KubeKept *kept, const Key *key) {
  Key other = key_of(kube_shelf_meta(kept));
  return strcmp(other.name, key->name) == 0 && other.namespace_size == key->namespace_size &&
         memcmp(other.namespace_, key->namespace_, key->namespace_size) == 0;
}

/* Where it is among the slots; SIZE_MAX: nowhere. */
static size_t find(const KubeIndex *index, const Key *key) {
  const Slots *slots = &index->slots;
  for (size_t at = slots_first(slots, hash_of(key)); slots->items && slots->items[at];
       at = slots_next(slots, at))
    if (is_of(index->items.items[slots->items[at] - 1], key))
      return at;
  return SIZE_MAX;
}

static KubeKept *kept_at(const KubeIndex *index, size_t at) {
  return at == SIZE_MAX ? NULL : index->items.items[index->slots.items[at] - 1];
}

KubeKept *kube_index_find(const KubeIndex *index, const ObjectMeta *meta) {
  Key key = key_of(meta);
  return kept_at(index, find(index, &key));
}

KubeKept *kube_index_find_key(const KubeIndex *index, const char *key) {
  const char *slash = strchr(key, '/');
  Key parts = {key, slash ? (size_t)(slash - key) : 0, slash ? slash + 1 : key};
  return kept_at(index, find(index, &parts));
}

KubeKept *kube_index_put(KubeIndex *index, KubeKept *kept) {
  Key key = key_of(kube_shelf_meta(kept));
  size_t at = find(index, &key);
  if (at != SIZE_MAX) {
    KubeKept **place = &index->items.items[index->slots.items[at] - 1], *old = *place;
    *place = kept;
    return old;
  }
  *array_push(&index->items) = kept;
  slots_put(&index->slots, hash_of(&key), (uint32_t)index->items.count - 1, hash_of_number, index);
  return NULL;
}

KubeKept *kube_index_remove(KubeIndex *index, const ObjectMeta *meta) {
  Key key = key_of(meta);
  size_t at = find(index, &key);
  if (at == SIZE_MAX)
    return NULL;
  size_t number = index->slots.items[at] - 1;
  KubeKept *gone = index->items.items[number], *last = index->items.items[index->items.count - 1];
  slots_remove(&index->slots, at, hash_of_number, index);
  if (last != gone) {
    Key moved = key_of(kube_shelf_meta(last));
    index->slots.items[find(index, &moved)] = (uint32_t)number + 1;
    index->items.items[number] = last;
  }
  index->items.count--;
  return gone;
}

void kube_index_deinit(KubeIndex *index) {
  array_deinit(&index->items);
  slots_deinit(&index->slots);
}
