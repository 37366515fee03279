/* SPDX-License-Identifier: Apache-2.0 */
/* The objects of one type by their key, and what changed when one comes or goes. Private to kube/.
 *
 * An object is the same one as long as its uid is; under the same name with another uid it is a deletion and
 * an addition. What carries the resource version that we have already is no change. */
#pragma once

#include "base/map.h"
#include "cluster/object.h"
#include "kube/reader.h"

typedef struct KubeCache {
  Map objects; /* key -> KubeObject */
  void (*on_change)(void *userdata, const void *old, const void *new_);
  void *userdata;
} KubeCache;

/* Every KubeType's struct begins with it. */
const ObjectMeta *kube_object_meta(const KubeObject *object);

/* Adds to a plain map under "namespace/name" or "name", in place of what had the key. Takes the object. */
void kube_cache_collect(Map *objects, KubeObject *object);
void kube_cache_drop(Map *objects); /* frees the objects and empties the map */

void kube_cache_put(KubeCache *cache, KubeObject *object); /* takes the object */
void kube_cache_remove(KubeCache *cache, const ObjectMeta *meta);
/* Makes the cache equal to the list, whose objects it takes: deletions first, then the rest in list order. */
void kube_cache_replace(KubeCache *cache, Map *listed);
void kube_cache_deinit(KubeCache *cache); /* without on_change */
