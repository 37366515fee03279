/* SPDX-License-Identifier: Apache-2.0 */
/* The objects of one type by their key, and what changed when one comes or goes. Private to kube/.
 *
 * An object is the same one as long as its uid is; under the same name with another uid it is a deletion and
 * an addition. What carries the resource version that we have already is no change. */
#pragma once

#include "kube/index.h"
#include "kube/reader.h"

typedef struct KubeCache {
  KubeShelf *shelf;
  KubeIndex objects;
  KubeIndex listed; /* of a list that is not complete yet */
  void (*trim)(void *object,
               Arena *arena); /* of an object that is about to be kept; NULL: it is kept as it is */
  void (*on_change)(void *userdata, const void *old, const void *new_);
  void *userdata;
} KubeCache;

/* Every KubeType's struct begins with it. */
const ObjectMeta *kube_object_meta(const KubeObject *object);
const KeyValues *kube_object_annotations(const KubeObject *object);

void kube_cache_init(KubeCache *cache, const KubeType *type,
                     void (*on_change)(void *userdata, const void *old, const void *new_), void *userdata);
/* By "namespace/name" or "name": the struct of the type, or NULL. */
const void *kube_cache_find(const KubeCache *cache, const char *key);
const void *kube_cache_at(const KubeCache *cache, size_t i);

/* The object of a list, in place of what had its key there. Takes it. Nothing is seen of it yet. */
void kube_cache_collect(KubeCache *cache, KubeObject *object);
void kube_cache_uncollect(KubeCache *cache, const ObjectMeta *meta);
void kube_cache_drop_list(KubeCache *cache);
/* Makes the cache equal to the list, which is over then: deletions first, then the rest in list order. */
void kube_cache_replace(KubeCache *cache);

void kube_cache_put(KubeCache *cache, KubeObject *object); /* takes the object */
void kube_cache_remove(KubeCache *cache, const ObjectMeta *meta);
void kube_cache_deinit(KubeCache *cache); /* without on_change */
