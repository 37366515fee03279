/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/cache.h"

#include "base/memory.h"
#include "base/text.h"

#include <assert.h>

const ObjectMeta *kube_object_meta(const KubeObject *object) {
  return object->value;
}

static void append_key(Text *key, const ObjectMeta *meta) {
  assert(meta->name);
  if (meta->namespace_ && *meta->namespace_)
    text_format(key, "%s/", meta->namespace_);
  text_append(key, meta->name);
}

void kube_cache_collect(Map *objects, KubeObject *object) {
  CLEANUP(text_deinit) Text key = {0};
  append_key(&key, kube_object_meta(object));
  kube_object_free(map_put(objects, text_string(&key), object));
}

void kube_cache_drop(Map *objects) {
  for (size_t i = 0; i < objects->count; i++)
    kube_object_free(objects->entries[i].value);
  map_deinit(objects);
}

static void remove_key(KubeCache *cache, const char *key) {
  CLEANUP(kube_object_freep) KubeObject *old = map_remove(&cache->objects, key);
  if (old)
    cache->on_change(cache->userdata, old->value, NULL);
}

static void put_key(KubeCache *cache, const char *key, KubeObject *object) {
  const ObjectMeta *meta = kube_object_meta(object);
  KubeObject *known = map_find(&cache->objects, key);
  if (known && !string_equal(kube_object_meta(known)->uid, meta->uid)) {
    remove_key(cache, key);
    known = NULL;
  }
  if (known && string_equal(kube_object_meta(known)->resource_version, meta->resource_version)) {
    kube_object_free(object);
    return;
  }
  CLEANUP(kube_object_freep) KubeObject *old = map_put(&cache->objects, key, object);
  cache->on_change(cache->userdata, old ? old->value : NULL, object->value);
}

void kube_cache_put(KubeCache *cache, KubeObject *object) {
  CLEANUP(text_deinit) Text key = {0};
  append_key(&key, kube_object_meta(object));
  put_key(cache, text_string(&key), object);
}

void kube_cache_remove(KubeCache *cache, const ObjectMeta *meta) {
  CLEANUP(text_deinit) Text key = {0};
  append_key(&key, meta);
  remove_key(cache, text_string(&key));
}

void kube_cache_replace(KubeCache *cache, Map *listed) {
  /* Backwards, because a removal moves the last entry into the gap. */
  for (size_t i = cache->objects.count; i-- > 0;) {
    CLEANUP(cleanup_free) char *key = mem_strdup(cache->objects.entries[i].key);
    if (!map_find(listed, key))
      remove_key(cache, key);
  }
  for (size_t i = 0; i < listed->count; i++)
    put_key(cache, listed->entries[i].key, listed->entries[i].value);
  map_deinit(listed);
}

void kube_cache_deinit(KubeCache *cache) {
  kube_cache_drop(&cache->objects);
}
