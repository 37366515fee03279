/* SPDX-License-Identifier: Apache-2.0 */
/* Bottom up, as in kube/pool.c: first each string becomes the one that is kept of its kind; then a list whose
 * strings are all kept ones is equal to another exactly where its bytes are. Each object counts for the
 * strings and lists that it names, each kept list for those inside it:
 *
 *     pod a { labels ---> [ app, web ] (2) <--- labels } pod b          "app" (1)    "web" (1)
 *
 * What is different in every object stands in its struct or behind it: name, uid, version, extra list. */
#include "kube/shelf.h"

#include "kube/hash.h"

#include "base/memory.h"
#include "base/text.h"

#include <assert.h>
#include <string.h>

enum { KEPT_UNIT = 32, HEAP_BYTES = 8 /* that the heap adds to each piece */, SLOTS_FIRST = 1024 };

/* Equal stretches of memory, each kept once. */
typedef struct Shared {
  uint32_t holders;
  uint32_t size;
  uint32_t hash; /* its lowest bit says whether this is a list: equal bytes of a string are no list */
  _Alignas(8) char bytes[];
} Shared;

struct KubeShelf {
  const KubeType *type;
  Shared **slots; /* open addressing, at most half full */
  size_t slot_count, shared_count;
};

/* Every LIST(T) begins like this. */
typedef struct AnyList {
  void *items;
  size_t count;
} AnyList;

/* ---- the table ---- */

static size_t home(const KubeShelf *shelf, uint32_t hash) {
  return hash >> 1 & (shelf->slot_count - 1);
}

static size_t find_slot(const KubeShelf *shelf, const char *at, size_t size, uint32_t hash) {
  size_t slot = home(shelf, hash);
  for (; shelf->slots[slot]; slot = (slot + 1) & (shelf->slot_count - 1)) {
    const Shared *shared = shelf->slots[slot];
    if (shared->hash == hash && shared->size == size && memcmp(shared->bytes, at, size) == 0)
      break;
  }
  return slot;
}

static void grow(KubeShelf *shelf) {
  CLEANUP(cleanup_free) Shared **old = shelf->slots;
  size_t count = shelf->slot_count;
  shelf->slot_count = count ? count * 2 : SLOTS_FIRST;
  shelf->slots = mem_alloc(shelf->slot_count * sizeof(Shared *));
  for (size_t i = 0; i < count; i++)
    if (old[i])
      shelf->slots[find_slot(shelf, old[i]->bytes, old[i]->size, old[i]->hash)] = old[i];
}

/* The bytes that are kept of this kind, with one holder more; *ret_is_new where they are a copy of these. */
static char *hold(KubeShelf *shelf, const char *at, size_t size, bool is_list, bool *ret_is_new) {
  assert(size <= UINT32_MAX);
  if ((shelf->shared_count + 1) * 2 > shelf->slot_count)
    grow(shelf);
  uint32_t hash = (kube_hash_bytes(at, size) & ~UINT32_C(1)) | is_list;
  size_t slot = find_slot(shelf, at, size, hash);
  Shared *shared = shelf->slots[slot];
  *ret_is_new = !shared;
  if (!shared) {
    shared = shelf->slots[slot] = mem_alloc(sizeof *shared + size);
    shared->size = (uint32_t)size;
    shared->hash = hash;
    memcpy(shared->bytes, at, size);
    shelf->shared_count++;
  }
  shared->holders++;
  return shared->bytes;
}

/* Moves later members of the gap's probe chain back, so that searches never meet a hole. */
static void close_gap(KubeShelf *shelf, size_t gap) {
  size_t mask = shelf->slot_count - 1;
  for (size_t slot = (gap + 1) & mask; shelf->slots[slot]; slot = (slot + 1) & mask) {
    size_t wanted = home(shelf, shelf->slots[slot]->hash);
    if (((slot - wanted) & mask) < ((slot - gap) & mask))
      continue;
    shelf->slots[gap] = shelf->slots[slot];
    gap = slot;
  }
  shelf->slots[gap] = NULL;
}

static Shared *shared_of(const void *bytes) {
  return (Shared *)((char *)bytes - offsetof(Shared, bytes));
}

static void let_go(KubeShelf *shelf, const void *bytes) {
  Shared *shared = shared_of(bytes);
  assert(shared->holders > 0);
  if (--shared->holders)
    return;
  size_t slot = find_slot(shelf, shared->bytes, shared->size, shared->hash);
  assert(shelf->slots[slot] == shared);
  close_gap(shelf, slot);
  shelf->shared_count--;
  free(shared);
}

/* ---- along the tables ---- */

typedef struct Texts {
  const char **items;
  size_t count;
} Texts;

/* The strings of a list that consists of nothing else. */
static Texts texts_of(const KubeField *field, const AnyList *list) {
  size_t each = field->kind == KUBE_STRINGS ? 1 : sizeof(KeyValue) / sizeof(const char *);
  return (Texts){list->items, list->count * each};
}

static size_t item_size_of(const KubeField *field) {
  if (field->kind == KUBE_LIST)
    return field->item_size;
  return field->kind == KUBE_STRINGS ? sizeof(const char *) : sizeof(KeyValue);
}

static void release_message(KubeShelf *shelf, const KubeMessage *message, char *target);

static void release_items(KubeShelf *shelf, const KubeField *field, const AnyList *list) {
  if (field->kind == KUBE_LIST) {
    for (size_t i = 0; i < list->count; i++)
      release_message(shelf, field->message, (char *)list->items + i * field->item_size);
    return;
  }
  Texts texts = texts_of(field, list);
  for (size_t i = 0; i < texts.count; i++)
    if (texts.items[i])
      let_go(shelf, texts.items[i]);
}

static void release_list(KubeShelf *shelf, const KubeField *field, const AnyList *list) {
  if (!list->count)
    return;
  if (shared_of(list->items)->holders == 1)
    release_items(shelf, field, list);
  let_go(shelf, list->items);
}

static void release_field(KubeShelf *shelf, const KubeField *field, char *target) {
  void *place = kube_field_place(field, target);
  switch (field->kind) {
  case KUBE_INT32:
  case KUBE_BOOL:
  case KUBE_TIME:
  case KUBE_UID:
  case KUBE_VERSION:
    return; /* lie in the struct itself, or behind it */
  case KUBE_STRING:
    if (*(const char **)place)
      let_go(shelf, *(const char **)place);
    return;
  case KUBE_MESSAGE:
    release_message(shelf, field->message, place);
    return;
  case KUBE_LIST:
  case KUBE_STRINGS:
  case KUBE_MAP:
  case KUBE_QUANTITIES:
    release_list(shelf, field, place);
    return;
  }
  assert(!"a kind of field that the shelf does not know");
}

/* Of a message with a part, all but what is in it. */
static void release_message(KubeShelf *shelf, const KubeMessage *message, char *target) {
  for (size_t i = 0; i < message->field_count; i++)
    if (!message->fields[i].part)
      release_field(shelf, &message->fields[i], target);
}

static void release_part_fields(KubeShelf *shelf, const KubeMessage *message, char *target) {
  for (size_t i = 0; i < message->field_count; i++) {
    const KubeField *field = &message->fields[i];
    if (field->part)
      release_field(shelf, field, target);
    else if (field->kind == KUBE_MESSAGE)
      release_part_fields(shelf, field->message, kube_field_place(field, target));
  }
}

/* Where the object points to its part; NULL: objects of this type have none. */
static void **part_of(const KubeShelf *shelf, char *object) {
  return shelf->type->part ? (void **)(object + shelf->type->part) : NULL;
}

static void release_object(KubeShelf *shelf, char *object) {
  void **part = part_of(shelf, object);
  release_message(shelf, shelf->type->message, object);
  if (!part)
    return;
  if (shared_of(*part)->holders == 1)
    release_part_fields(shelf, shelf->type->message, object);
  let_go(shelf, *part);
}

static void share_text(KubeShelf *shelf, const char **place) {
  bool ignored;
  if (*place)
    *place = hold(shelf, *place, strlen(*place) + 1, false, &ignored);
}

static void share_message(KubeShelf *shelf, const KubeMessage *message, char *target);

static void share_items(KubeShelf *shelf, const KubeField *field, const AnyList *list) {
  if (field->kind == KUBE_LIST) {
    for (size_t i = 0; i < list->count; i++)
      share_message(shelf, field->message, (char *)list->items + i * field->item_size);
    return;
  }
  Texts texts = texts_of(field, list);
  for (size_t i = 0; i < texts.count; i++)
    share_text(shelf, &texts.items[i]);
}

static void share_list(KubeShelf *shelf, const KubeField *field, AnyList *list) {
  if (!list->count) {
    list->items = NULL;
    return;
  }
  bool is_new;
  share_items(shelf, field, list);
  char *kept = hold(shelf, list->items, list->count * item_size_of(field), true, &is_new);
  if (!is_new) /* the list that is kept holds them already */
    release_items(shelf, field, list);
  list->items = kept;
}

static void share_field(KubeShelf *shelf, const KubeField *field, char *target) {
  void *place = kube_field_place(field, target);
  switch (field->kind) {
  case KUBE_INT32:
  case KUBE_BOOL:
  case KUBE_TIME:
  case KUBE_UID:
  case KUBE_VERSION:
    return;
  case KUBE_STRING:
    share_text(shelf, place);
    return;
  case KUBE_MESSAGE:
    share_message(shelf, field->message, place);
    return;
  case KUBE_LIST:
  case KUBE_STRINGS:
  case KUBE_MAP:
  case KUBE_QUANTITIES:
    share_list(shelf, field, place);
    return;
  }
  assert(!"a kind of field that the shelf does not know");
}

static void share_message(KubeShelf *shelf, const KubeMessage *message, char *target) {
  for (size_t i = 0; i < message->field_count; i++)
    share_field(shelf, &message->fields[i], target);
}

static void share_object(KubeShelf *shelf, char *object) {
  void **part = part_of(shelf, object);
  share_message(shelf, shelf->type->message, object);
  if (!part)
    return;
  bool is_new;
  char *kept = hold(shelf, *part, shelf->type->part_size, true, &is_new);
  if (!is_new) /* as with lists */
    release_part_fields(shelf, shelf->type->message, object);
  *part = kept;
}

/* ---- objects ---- */

/* What each object has for itself, in the order in which it stands behind the struct: uids and versions only
 * where they do not fit into it. */
typedef struct Own {
  const char *name, *uid, *resource_version;
} Own;

static Own take_own(ObjectMeta *meta) {
  Own own = {.name = meta->name};
  meta->name = NULL;
  if (!object_uid_pack(&meta->uid))
    own.uid = meta->uid.text;
  if (!object_version_pack(&meta->resource_version))
    own.resource_version = meta->resource_version.text;
  return own;
}

static size_t size_of(const char *text) {
  return text ? strlen(text) + 1 : 0;
}

static char *put_text(char *room, const char *text, const char **ret_place) {
  size_t size = size_of(text);
  if (text)
    *ret_place = memcpy(room, text, size);
  return room + size;
}

static AnyList extra_of(const KubeShelf *shelf, const char *object) {
  return shelf->type->extra ? *(const AnyList *)(object + shelf->type->extra) : (AnyList){0};
}

static void put_extra(const KubeShelf *shelf, char *room, const AnyList *extra, char *object) {
  if (!shelf->type->extra)
    return;
  if (extra->count)
    memcpy(room, extra->items, extra->count * shelf->type->extra_item_size);
  *(AnyList *)(object + shelf->type->extra) = (AnyList){.items = room, .count = extra->count};
}

KubeShelf *kube_shelf_new(const KubeType *type) {
  KubeShelf *shelf = mem_alloc(sizeof *shelf);
  shelf->type = type;
  return shelf;
}

void kube_shelf_free(KubeShelf *shelf) {
  if (!shelf)
    return;
  assert(shelf->shared_count == 0);
  free(shelf->slots);
  free(shelf);
}

/* So that the place of one that went fits the next that comes: names differ by a few letters, and holes that
 * are a little too small were a seventh of all memory after some churn. */
static size_t round_up(size_t size) {
  return (size + HEAP_BYTES + KEPT_UNIT - 1) / KEPT_UNIT * KEPT_UNIT - HEAP_BYTES;
}

KubeKept *kube_shelf_keep(KubeShelf *shelf, void *object) {
  ObjectMeta *meta = object;
  assert(meta->name);
  Own own = take_own(meta);
  share_object(shelf, object);
  AnyList extra = extra_of(shelf, object);
  size_t texts = size_of(own.name) + size_of(own.uid) + size_of(own.resource_version);
  size_t more = texts + extra.count * shelf->type->extra_item_size;
  KubeKept *kept = mem_alloc(round_up(sizeof(KubeKept) + shelf->type->size + more));
  kept->holders = 1;
  memcpy(kept->value, object, shelf->type->size);
  ObjectMeta *copy = (ObjectMeta *)kept->value;
  char *room = kept->value + shelf->type->size;
  room = put_text(room, own.name, &copy->name);
  room = put_text(room, own.uid, &copy->uid.text);
  room = put_text(room, own.resource_version, &copy->resource_version.text);
  put_extra(shelf, room, &extra, kept->value);
  return kept;
}

void kube_shelf_hold(KubeKept *kept) {
  kept->holders++;
}

void kube_shelf_release(KubeShelf *shelf, KubeKept *kept) {
  if (!kept)
    return;
  assert(kept->holders > 0);
  if (--kept->holders)
    return;
  ((ObjectMeta *)kept->value)->name = NULL; /* lies behind it */
  release_object(shelf, kept->value);
  free(kept);
}

const ObjectMeta *kube_shelf_meta(const KubeKept *kept) {
  return (const ObjectMeta *)kept->value;
}

size_t kube_shelf_count(const KubeShelf *shelf) {
  return shelf->shared_count;
}
