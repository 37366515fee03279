/* SPDX-License-Identifier: Apache-2.0 */
/* Amounts of resources: cpu in milli, everything else in whole units (bytes, counts), by name.
 * And what a pod requests, as kube-scheduler 1.36 computes it (component-helpers/resource). */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "cluster/object.h"

typedef struct Resource {
  const char *name; /* borrowed */
  int64_t amount;
} Resource;

/* By name, each once. */
typedef struct Resources {
  Resource *items;
  size_t count;
  size_t capacity;
} Resources;

enum { RESOURCES_MAX = 256 }; /* different resource names of one object */

/* The amount, 0 where absent. */
int64_t resources_get(const Resources *resources, const char *name);
bool resources_has(const Resources *resources, const char *name);
/* Parses a list; errors name the resource and its text, which may be neither negative nor beyond 64 bits.
 * Memory from the arena. */
int resources_parse(const ResourceTexts *texts, Arena *arena, Resources *ret_resources,
                    Error *err) MUST_CHECK;
/* into += sign * what; grows `into` from the arena where names are new. */
void resources_add(Resources *into, const Resources *what, int sign, Arena *arena);
/* into[name] = max(into[name], what[name]) for every name of what. */
void resources_max(Resources *into, const Resources *what, Arena *arena);
/* Of an empty list: room for so many names, so that no smaller one is left behind in the arena. */
void resources_reserve(Resources *into, size_t capacity, Arena *arena);
void resources_set(Resources *into, const char *name, int64_t amount, Arena *arena);

/* What the pod asks for: max(sum(containers) + sidecars, init phases), pod-level cpu/memory/hugepages in
 * place of the sums, plus overhead. A container without requests counts its limits. Errors name container and
 * resource. */
int pod_requests_compute(const Pod *pod, Arena *arena, Resources *ret_requests, Error *err) MUST_CHECK;
