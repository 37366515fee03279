/* SPDX-License-Identifier: Apache-2.0 */
/* Kept objects by namespace and name, which are read out of the objects: an entry is one pointer. A removal
 * moves the last entry into the gap; others keep their places. Private to kube/. */
#pragma once

#include "base/array.h"
#include "base/slots.h"
#include "kube/shelf.h"

typedef struct KubeIndex {
  ARRAY(KubeKept *) items; /* in the order in which they came */
  Slots slots;
} KubeIndex;

/* NULL where there is none. */
KubeKept *kube_index_find(const KubeIndex *index, const ObjectMeta *meta);
/* By "namespace/name", or "name" where there is no namespace. */
KubeKept *kube_index_find_key(const KubeIndex *index, const char *key);
/* Adds or replaces; returns what was there before, or NULL. */
KubeKept *kube_index_put(KubeIndex *index, KubeKept *kept);
/* Returns what was there, or NULL. */
KubeKept *kube_index_remove(KubeIndex *index, const ObjectMeta *meta);
void kube_index_deinit(KubeIndex *index);
