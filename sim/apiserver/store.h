/* SPDX-License-Identifier: Apache-2.0 */
/* The objects of the simulated API server and the history of their changes. Objects are never changed in
 * place: a change puts a new value beside the old one, so that old lists, watches and undone pages can hold
 * on to what they saw by a reference. */
#pragma once

#include "base/array.h"
#include "base/map.h"
#include "sim/apiserver/encode.h"

enum {
  SIM_API_HISTORY_MAX = 4096,   /* changes kept for watches */
  SIM_API_OBJECTS_MAX = 200000, /* of one kind */
  SIM_API_KEY_SIZE = 512,
};

typedef enum SimApiKind {
  SIM_API_NODES,
  SIM_API_PODS,
  SIM_API_EVENTS,
  SIM_API_NAMESPACES,
  SIM_API_PRIORITY_CLASSES,
  SIM_API_LEASES,
  SIM_API_KIND_COUNT
} SimApiKind;

/* One change; `object` of a deletion is what was deleted, with the version of the deletion. */
typedef struct SimApiChange {
  uint64_t version;
  SimApiKind kind;
  char *key;      /* "namespace/name" or "name" */
  json_t *before; /* NULL: the object was created */
  json_t *object;
  bool is_deletion;
  uint64_t at_ms; /* the store's now_ms */
} SimApiChange;

typedef struct SimApiStore {
  Map objects[SIM_API_KIND_COUNT]; /* key -> json_t */
  ARRAY(SimApiChange) history;     /* oldest first */
  size_t history_max;
  SimApiTexts texts;
  uint64_t now_ms;                        /* set by the owner */
  uint64_t version;                       /* of the newest change */
  uint64_t forgotten[SIM_API_KIND_COUNT]; /* the newest change of the kind that is no longer in the history */
  void (*on_change)(void *userdata, const SimApiChange *change); /* NULL: nobody listens */
  void *userdata;
} SimApiStore;

void sim_api_store_init(SimApiStore *store);
void sim_api_store_deinit(SimApiStore *store);
/* Borrowed; NULL where there is none. */
json_t *sim_api_store_find(const SimApiStore *store, SimApiKind kind, const char *key);
/* Adds or replaces, taking the object. Its resourceVersion is set; an object that is as before is no change.
 */
void sim_api_store_put(SimApiStore *store, SimApiKind kind, const char *key, json_t *object);
void sim_api_store_remove(SimApiStore *store, SimApiKind kind, const char *key); /* must exist */

enum { SIM_API_STORE_GONE = 1 }; /* condition: the history does not reach back so far */
/* The objects as they were at that version; fills an empty map with borrowed objects. */
int sim_api_store_list_at(const SimApiStore *store, SimApiKind kind, uint64_t version,
                          Map *ret_objects) MUST_CHECK;
/* Undoes what came after the moment, as far as the history goes: a snapshot is restored. As with etcd's
 * --bump-revision and --mark-compacted, versions go on growing and older watches get 410 Gone. */
void sim_api_store_rewind(SimApiStore *store, uint64_t to_ms);
/* Forgets all history, as a compaction does: older watches and pages get 410 Gone. */
void sim_api_store_compact(SimApiStore *store);
