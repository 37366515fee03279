/* SPDX-License-Identifier: Apache-2.0 */
/* How decoded values get into the structs of cluster/object.h, the same for every format. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "cluster/object.h"
#include "kube/schema.h"

/* Entries of one list or map inside an object: more than fit into the 1.5 MB that etcd takes, so that nobody
 * can create an object that is refused for it. */
enum { KUBE_ITEMS_MAX = 1 << 20 };

/* A copy as a C string. What UTF-8 or a C string cannot hold (NUL) becomes U+FFFD: anybody who may create a
 * pod can put such bytes into an annotation, and one odd object must not stop the others. */
const char *kube_store_text(Arena *arena, const char *text, size_t size);
/* How many leading bytes are valid UTF-8 without NUL. */
size_t kube_store_valid_size(const char *text, size_t size);

/* Gives the list room for `count` items, all of them new. */
int kube_store_reserve(Arena *arena, const KubeField *field, void *target, size_t count,
                       Error *err) MUST_CHECK;
/* The next item's place; there must be room. */
void *kube_store_push(const KubeField *field, void *target);
/* Bytes of one item. */
size_t kube_store_item_size(const KubeField *field);
/* True for the kinds that hold many values. */
bool kube_store_is_list(const KubeField *field);
/* Sorts by key; of equal keys the last one stays. Does nothing where they are in order, as servers send them.
 */
void kube_store_sort(KeyValues *map);
