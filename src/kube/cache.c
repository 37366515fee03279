/* SPDX-License-Identifier: Apache-2.0 */
/* A list that is repeated brings mostly what is there already: such objects are not kept a second time but
 * held by both. */
#include "kube/cache.h"

#include "base/memory.h"
#include "base/text.h"

#include <assert.h>

const ObjectMeta *kube_object_meta(const KubeObject *object) {
  return object->value;
}

const KeyValues *kube_object_annotations(const KubeObject *object) {
  if (object->type->message == kube_pod_type.message) /* a type may be a copy with another path */
    return &pod_common(object->value)->annotations;
  return &((const FullMeta *)object->value)->annotations;
}

static bool is_same_version(const ObjectMeta *a, const ObjectMeta *b) {
  return object_uid_equal(a->uid, b->uid) && object_version_equal(a->resource_version, b->resource_version);
}

void kube_cache_init(KubeCache *cache, const KubeType *type,
                     void (*on_change)(void *userdata, const void *old, const void *new_), void *userdata) {
  *cache = (KubeCache){.shelf = kube_shelf_new(type), .on_change = on_change, .userdata = userdata};
}

const void *kube_cache_find(const KubeCache *cache, const char *key) {
  const KubeKept *kept = kube_index_find_key(&cache->objects, key);
  return kept ? kept->value : NULL;
}

const void *kube_cache_at(const KubeCache *cache, size_t i) {
  assert(i < cache->objects.items.count);
  return cache->objects.items.items[i]->value;
}

/* Takes the object; the holder is whoever calls. */
static KubeKept *keep(KubeCache *cache, KubeObject *object) {
  if (cache->trim)
    cache->trim(object->value, &object->arena);
  KubeKept *kept = kube_shelf_keep(cache->shelf, object->value);
  kube_object_free(object);
  return kept;
}

void kube_cache_collect(KubeCache *cache, KubeObject *object) {
  KubeKept *kept = kube_index_find(&cache->objects, kube_object_meta(object));
  if (kept && is_same_version(kube_shelf_meta(kept), kube_object_meta(object))) {
    kube_object_free(object);
    kube_shelf_hold(kept);
  } else {
    kept = keep(cache, object);
  }
  kube_shelf_release(cache->shelf, kube_index_put(&cache->listed, kept));
}

void kube_cache_uncollect(KubeCache *cache, const ObjectMeta *meta) {
  kube_shelf_release(cache->shelf, kube_index_remove(&cache->listed, meta));
}

static void drop(KubeCache *cache, KubeIndex *objects) {
  for (size_t i = 0; i < objects->items.count; i++)
    kube_shelf_release(cache->shelf, objects->items.items[i]);
  kube_index_deinit(objects);
}

void kube_cache_drop_list(KubeCache *cache) {
  drop(cache, &cache->listed);
}

/* Nothing where it is not there. */
static void remove_object(KubeCache *cache, const ObjectMeta *meta) {
  KubeKept *kept = kube_index_remove(&cache->objects, meta);
  if (!kept)
    return;
  cache->on_change(cache->userdata, kept->value, NULL);
  kube_shelf_release(cache->shelf, kept);
}

/* Takes the caller's hold of `kept`. */
static void put_kept(KubeCache *cache, KubeKept *kept) {
  const ObjectMeta *meta = kube_shelf_meta(kept);
  KubeKept *known = kube_index_find(&cache->objects, meta);
  if (known && !object_uid_equal(kube_shelf_meta(known)->uid, meta->uid)) {
    remove_object(cache, meta);
    known = NULL;
  }
  if (known && is_same_version(kube_shelf_meta(known), meta)) {
    kube_shelf_release(cache->shelf, kept);
    return;
  }
  kube_index_put(&cache->objects, kept);
  cache->on_change(cache->userdata, known ? known->value : NULL, kept->value);
  kube_shelf_release(cache->shelf, known);
}

void kube_cache_put(KubeCache *cache, KubeObject *object) {
  put_kept(cache, keep(cache, object));
}

void kube_cache_remove(KubeCache *cache, const ObjectMeta *meta) {
  remove_object(cache, meta);
}

/* Of a cluster's first list, which is the largest, no second index is made. */
static void adopt_list(KubeCache *cache) {
  KubeIndex empty = cache->objects;
  cache->objects = cache->listed;
  cache->listed = empty;
  for (size_t i = 0; i < cache->objects.items.count; i++)
    cache->on_change(cache->userdata, NULL, kube_cache_at(cache, i));
}

static void merge_list(KubeCache *cache) {
  /* Backwards, because a removal moves the last entry into the gap. */
  for (size_t i = cache->objects.items.count; i-- > 0;) {
    const ObjectMeta *meta = kube_shelf_meta(cache->objects.items.items[i]);
    if (!kube_index_find(&cache->listed, meta))
      remove_object(cache, meta);
  }
  for (size_t i = 0; i < cache->listed.items.count; i++)
    put_kept(cache, cache->listed.items.items[i]);
  kube_index_deinit(&cache->listed);
}

void kube_cache_replace(KubeCache *cache) {
  if (cache->objects.items.count)
    merge_list(cache);
  else
    adopt_list(cache);
  mem_give_back(); /* a list leaves behind what its objects were decoded in */
}

void kube_cache_deinit(KubeCache *cache) {
  drop(cache, &cache->listed);
  drop(cache, &cache->objects);
  kube_shelf_free(cache->shelf);
}
