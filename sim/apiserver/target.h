/* SPDX-License-Identifier: Apache-2.0 */
/* What a request's path speaks of:
 *
 *     /api/v1/namespaces/demo/pods/p-1/status?watch=1...
 *                       namespace kind name subresource    query */
#pragma once

#include "sim/apiserver/selector.h"
#include "sim/apiserver/store.h"

typedef struct SimApiKindInfo {
  const char *root, *name; /* of its paths: "/api/v1/", "pods" */
  const char *qualified;   /* as refusals name it: "events.events.k8s.io" */
  const char *kind, *api_version;
  bool is_namespaced, has_subresources;
} SimApiKindInfo;

extern const SimApiKindInfo sim_api_kinds[SIM_API_KIND_COUNT];

typedef struct SimApiTarget {
  SimApiKind kind;
  char namespace_[256];
  char name[256];
  char subresource[32];
  /* query */
  bool watch, bookmarks;
  bool has_version;
  uint64_t version;
  uint64_t limit; /* 0: none */
  char continue_[1024];
  uint64_t timeout_seconds; /* 0: none */
  uint64_t grace_seconds;
  bool has_grace;
  SimApiSelector selector; /* the namespace included */
} SimApiTarget;

/* ERROR_NOT_FOUND: no such path; ERROR_INVALID: the query makes no sense. */
int sim_api_target_parse(const char *path, SimApiTarget *ret_target, Error *err) MUST_CHECK;
/* The store's key of the object that the path names. */
void sim_api_target_key(const SimApiTarget *target, char ret_key[SIM_API_KEY_SIZE]);
