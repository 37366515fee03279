/* SPDX-License-Identifier: Apache-2.0 */
/* Bottom up: first each string becomes the one that is kept of its kind; then a list whose strings are all
 * kept ones is equal to another exactly where its bytes are, so that it is looked up by its bytes, and so on
 * outwards. What is left is the struct of the object, with pointers into what is shared.
 *
 *     pod a { labels ---> [ app, web ] <--- labels } pod b */
#include "kube/pool.h"

#include "base/memory.h"
#include "cluster/object.h"
#include "kube/hash.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

enum { TEXT_BLOCK = 64 << 10 };

/* Equal stretches of memory, each kept once. Open addressing, at most half full. */
typedef struct Shared {
  const char *at; /* NULL: empty */
  uint32_t size;
  uint32_t hash; /* its lowest bit says whether this is a list: texts may stand at any address */
} Shared;

struct KubePool {
  Arena arena;
  char *text; /* room for strings, which need no alignment */
  size_t text_left;
  Shared *slots;
  size_t slot_count, shared_count;
};

/* Every LIST(T) begins like this. */
typedef struct AnyList {
  void *items;
  size_t count;
} AnyList;

KubePool *kube_pool_new(void) {
  return mem_alloc(sizeof(KubePool));
}

void kube_pool_free(KubePool *pool) {
  if (!pool)
    return;
  arena_deinit(&pool->arena);
  free(pool->slots);
  free(pool);
}

void kube_pool_seal(KubePool *pool) {
  free(pool->slots);
  pool->slots = NULL;
  pool->slot_count = pool->shared_count = 0;
}

size_t kube_pool_size(const KubePool *pool) {
  return pool->arena.total + pool->slot_count * sizeof *pool->slots;
}

static Shared *find_slot(const KubePool *pool, const char *at, size_t size, uint32_t hash) {
  size_t mask = pool->slot_count - 1;
  for (size_t slot = hash >> 1 & mask;; slot = (slot + 1) & mask) {
    Shared *shared = &pool->slots[slot];
    bool equal = shared->hash == hash && shared->size == size && shared->at;
    if (!shared->at || (equal && memcmp(shared->at, at, size) == 0))
      return shared;
  }
}

static void grow(KubePool *pool) {
  CLEANUP(cleanup_free) Shared *old = pool->slots;
  size_t count = pool->slot_count;
  pool->slot_count = count ? count * 2 : 1024;
  pool->slots = mem_alloc(pool->slot_count * sizeof *pool->slots);
  for (size_t i = 0; i < count; i++)
    if (old[i].at)
      *find_slot(pool, old[i].at, old[i].size, old[i].hash) = old[i];
}

/* The slot of these bytes; its `at` is NULL where they are new, and then the caller fills it. */
static Shared *share(KubePool *pool, const char *at, size_t size, bool is_list) {
  assert(size <= UINT32_MAX);
  if ((pool->shared_count + 1) * 2 > pool->slot_count)
    grow(pool);
  uint32_t hash = (kube_hash_bytes(at, size) & ~UINT32_C(1)) | is_list;
  Shared *shared = find_slot(pool, at, size, hash);
  pool->shared_count += !shared->at;
  shared->size = (uint32_t)size;
  shared->hash = hash;
  return shared;
}

/* A copy with its NUL, packed. */
static const char *store_text(KubePool *pool, const char *text, size_t size) {
  if (size + 1 > TEXT_BLOCK / 16) /* would leave too much of a block unused */
    return arena_strndup(&pool->arena, text, size);
  if (size + 1 > pool->text_left) {
    pool->text = arena_alloc(&pool->arena, TEXT_BLOCK);
    pool->text_left = TEXT_BLOCK;
  }
  char *copy = memcpy(pool->text, text, size + 1);
  pool->text += size + 1;
  pool->text_left -= size + 1;
  return copy;
}

/* What is different in each object is not even looked up. */
static const char *store_own(KubePool *pool, const char *text) {
  return text ? store_text(pool, text, strlen(text)) : NULL;
}

static void share_text(KubePool *pool, const char **place) {
  if (!*place)
    return;
  size_t size = strlen(*place);
  Shared *shared = share(pool, *place, size, false);
  if (!shared->at)
    shared->at = store_text(pool, *place, size);
  *place = shared->at;
}

static void share_list(KubePool *pool, AnyList *list, size_t item_size) {
  if (!list->count) {
    list->items = NULL;
    return;
  }
  size_t size = list->count * item_size;
  Shared *shared = share(pool, list->items, size, true);
  if (!shared->at)
    shared->at = arena_copy(&pool->arena, list->items, size);
  list->items = (void *)shared->at;
}

static void share_texts(KubePool *pool, AnyList *list, size_t texts_each) {
  const char **texts = list->items;
  for (size_t i = 0; i < list->count * texts_each; i++)
    share_text(pool, &texts[i]);
  share_list(pool, list, texts_each * sizeof *texts);
}

static void share_message(KubePool *pool, const KubeMessage *message, char *target);

static void share_items(KubePool *pool, const KubeField *field, AnyList *list) {
  for (size_t i = 0; i < list->count; i++)
    share_message(pool, field->message, (char *)list->items + i * field->item_size);
  share_list(pool, list, field->item_size);
}

static void share_field(KubePool *pool, const KubeField *field, char *target) {
  void *place = kube_field_place(field, target);
  switch (field->kind) {
  case KUBE_INT32:
  case KUBE_BOOL:
  case KUBE_TIME:
    return; /* lie in the struct itself */
  case KUBE_UID:
  case KUBE_VERSION:
    return; /* each object's own */
  case KUBE_STRING:
    share_text(pool, place);
    return;
  case KUBE_MESSAGE:
    share_message(pool, field->message, place);
    return;
  case KUBE_LIST:
    share_items(pool, field, place);
    return;
  case KUBE_STRINGS:
    share_texts(pool, place, 1);
    return;
  case KUBE_MAP:
  case KUBE_QUANTITIES:
    share_texts(pool, place, sizeof(KeyValue) / sizeof(const char *));
    return;
  }
  assert(!"a kind of field that the pool does not know");
}

static void share_message(KubePool *pool, const KubeMessage *message, char *target) {
  for (size_t i = 0; i < message->field_count; i++)
    share_field(pool, &message->fields[i], target);
}

/* Its strings and lists are kept ones by now. */
static void share_part(KubePool *pool, void **place, size_t size) {
  Shared *shared = share(pool, *place, size, true);
  if (!shared->at)
    shared->at = arena_copy(&pool->arena, *place, size);
  *place = (void *)shared->at;
}

const void *kube_pool_add(KubePool *pool, const KubeType *type, void *object) {
  ObjectMeta *meta = object;
  const char *name = meta->name;
  meta->name = NULL;
  meta->resource_version = (ObjectVersion){0};
  share_message(pool, type->message, object);
  if (type->part)
    share_part(pool, (void **)((char *)object + type->part), type->part_size);
  meta->name = store_own(pool, name);
  if (!object_uid_pack(&meta->uid))
    meta->uid.text = store_own(pool, meta->uid.text);
  AnyList *extra = type->extra ? (AnyList *)((char *)object + type->extra) : NULL;
  if (extra && extra->count)
    extra->items = arena_copy(&pool->arena, extra->items, extra->count * type->extra_item_size);
  return arena_copy(&pool->arena, object, type->size);
}
