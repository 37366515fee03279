/* SPDX-License-Identifier: Apache-2.0 */
/* Many objects in little memory: a pool copies what it is given, and keeps equal strings and equal lists
 * (labels, containers, tolerations: whatever the pods of a Deployment share) once. Driven by the same tables
 * as the readers. Objects of a pool are never changed and die with it. */
#pragma once

#include "base/arena.h"
#include "kube/schema.h"

#include <stddef.h>

typedef struct KubePool KubePool;

KubePool *kube_pool_new(void);
void kube_pool_free(KubePool *pool);
DEFINE_CLEANUP(KubePool, kube_pool_free)
/* A copy of the object: the struct of that type, without its resourceVersion, which nobody asks for who looks
 * at a whole cluster. `object` is as a reader makes it, its part (KubeType) included; it may be freed
 * afterwards, and its lists are left in disorder. */
const void *kube_pool_add(KubePool *pool, const KubeType *type, void *object);
/* All is there: what was only needed to find equal ones is given back. Another add would find none. */
void kube_pool_seal(KubePool *pool);
/* Bytes held, for tests and benchmarks. */
size_t kube_pool_size(const KubePool *pool);
