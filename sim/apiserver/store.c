/* SPDX-License-Identifier: Apache-2.0 */
/* Current objects by key, and behind them one bounded list of changes of all kinds:
 *
 *     version   41          42          43          44
 *     history  [pod +]     [node ~]    [pod ~]     [pod -]     what watches read, each at its own place
 *
 * A list of an older version is the current one with the later changes undone. */
#include "sim/apiserver/store.h"

#include <assert.h>
#include <inttypes.h>

void sim_api_store_init(SimApiStore *store) {
  *store = (SimApiStore){.history_max = SIM_API_HISTORY_MAX};
}

static void drop_history(SimApiStore *store, size_t count) {
  for (size_t i = 0; i < count; i++) {
    SimApiChange *change = &store->history.items[i];
    store->forgotten[change->kind] = change->version;
    free(change->key);
    json_decref(change->before);
    json_decref(change->object);
  }
  store->history.count -= count;
  if (store->history.count)
    memmove(store->history.items, store->history.items + count,
            store->history.count * sizeof *store->history.items);
}

void sim_api_store_compact(SimApiStore *store) {
  drop_history(store, store->history.count);
}

void sim_api_store_deinit(SimApiStore *store) {
  sim_api_store_compact(store);
  array_deinit(&store->history);
  sim_api_texts_deinit(&store->texts);
  for (int kind = 0; kind < SIM_API_KIND_COUNT; kind++) {
    for (size_t i = 0; i < store->objects[kind].count; i++)
      json_decref(store->objects[kind].entries[i].value);
    map_deinit(&store->objects[kind]);
  }
}

json_t *sim_api_store_find(const SimApiStore *store, SimApiKind kind, const char *key) {
  return map_find(&store->objects[kind], key);
}

static void set_version(json_t *object, uint64_t version) {
  char text[24];
  snprintf(text, sizeof text, "%" PRIu64, version);
  json_object_set_new(json_object_get(object, "metadata"), "resourceVersion", json_string(text));
}

/* Takes `before`, which may be NULL; the object is referenced once more. */
static void record(SimApiStore *store, SimApiKind kind, const char *key, json_t *before, json_t *object,
                   bool is_deletion) {
  /* Half of it at a time, so that moving the rest stays cheap. */
  if (store->history.count >= store->history_max)
    drop_history(store, store->history_max - store->history_max / 2);
  SimApiChange *change = array_push(&store->history);
  *change = (SimApiChange){.version = store->version,
                           .kind = kind,
                           .key = mem_strdup(key),
                           .before = before,
                           .object = json_incref(object),
                           .is_deletion = is_deletion,
                           .at_ms = store->now_ms};
  if (store->on_change)
    store->on_change(store->userdata, change);
}

void sim_api_store_put(SimApiStore *store, SimApiKind kind, const char *key, json_t *object) {
  assert(json_is_object(json_object_get(object, "metadata")));
  json_t *before = sim_api_store_find(store, kind, key);
  if (before && json_equal(before, object)) {
    json_decref(object);
    return;
  }
  set_version(object, ++store->version);
  map_put(&store->objects[kind], key, object);
  record(store, kind, key, before, object, false);
}

void sim_api_store_remove(SimApiStore *store, SimApiKind kind, const char *key) {
  json_t *before = map_remove(&store->objects[kind], key);
  assert(before);
  json_auto_t *object =
      json_copy(before); /* what is kept is never changed, so all but the version is shared */
  json_object_set_new(object, "metadata", json_deep_copy(json_object_get(before, "metadata")));
  set_version(object, ++store->version);
  record(store, kind, key, before, object, true);
}

int sim_api_store_list_at(const SimApiStore *store, SimApiKind kind, uint64_t version, Map *ret_objects) {
  if (version < store->forgotten[kind])
    return SIM_API_STORE_GONE;
  for (size_t i = 0; i < store->objects[kind].count; i++)
    map_put(ret_objects, store->objects[kind].entries[i].key, store->objects[kind].entries[i].value);
  for (size_t i = store->history.count; i-- > 0 && store->history.items[i].version > version;) {
    const SimApiChange *change = &store->history.items[i];
    if (change->kind != kind)
      continue;
    if (change->before)
      map_put(ret_objects, change->key, change->before);
    else
      map_remove(ret_objects, change->key);
  }
  return 0;
}

/* What a key was before the oldest change after the moment: a copy, or NULL where there was nothing. */
typedef struct Undone {
  SimApiKind kind;
  char *key;
  json_t *old;
} Undone;

static bool is_known(const Undone *undone, size_t count, const SimApiChange *change) {
  for (size_t i = 0; i < count; i++)
    if (undone[i].kind == change->kind && strcmp(undone[i].key, change->key) == 0)
      return true;
  return false;
}

static void undo(SimApiStore *store, const Undone *undone) {
  if (undone->old)
    sim_api_store_put(store, undone->kind, undone->key, undone->old);
  else if (sim_api_store_find(store, undone->kind, undone->key))
    sim_api_store_remove(store, undone->kind, undone->key);
}

/* Collected first: undoing is itself a change, and changes move the history. */
void sim_api_store_rewind(SimApiStore *store, uint64_t to_ms) {
  ARRAY(Undone) all = {0};
  for (size_t i = 0; i < store->history.count; i++) {
    const SimApiChange *change = &store->history.items[i];
    if (change->at_ms < to_ms || is_known(all.items, all.count, change))
      continue;
    *array_push(&all) = (Undone){.kind = change->kind,
                                 .key = mem_strdup(change->key),
                                 .old = change->before ? json_deep_copy(change->before) : NULL};
  }
  for (size_t i = 0; i < all.count; i++) {
    undo(store, &all.items[i]);
    free(all.items[i].key);
  }
  array_deinit(&all);
  sim_api_store_compact(store);
}
