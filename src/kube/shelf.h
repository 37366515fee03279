/* SPDX-License-Identifier: Apache-2.0 */
/* Many objects of one type that come and go, in little memory: what a cache of a cluster keeps. An object is
 * one piece with its own texts; equal strings and equal lists (labels, containers, tolerations: whatever the
 * pods of a Deployment share) are kept once and counted. Driven by the same tables as the readers.
 * kube/pool.h is for objects that only come. Private to kube/. */
#pragma once

#include "cluster/object.h"
#include "kube/schema.h"

typedef struct KubeShelf KubeShelf;

/* An object on the shelf: `value` is the struct of its type, never changed and never moved. */
typedef struct KubeKept {
  uint32_t holders;
  _Alignas(8) char value[];
} KubeKept;

KubeShelf *kube_shelf_new(const KubeType *type);
/* All objects must be gone. */
void kube_shelf_free(KubeShelf *shelf);
/* A copy with one holder. `object` is as a reader makes it, its part (KubeType) included; it may be freed
 * afterwards, and its lists are left in disorder. */
KubeKept *kube_shelf_keep(KubeShelf *shelf, void *object);
void kube_shelf_hold(KubeKept *kept);
void kube_shelf_release(KubeShelf *shelf,
                        KubeKept *kept); /* the last holder's ends the object; NULL is fine */
const ObjectMeta *kube_shelf_meta(const KubeKept *kept);
/* Different strings and lists that are kept, for tests. */
size_t kube_shelf_count(const KubeShelf *shelf);
