/* SPDX-License-Identifier: Apache-2.0 */
/* Lists get their room once and are then filled; how many items there will be is known to who calls, for
 * both decoders count before they read. */
#include "kube/store.h"

#include "base/memory.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

/* Every LIST(T) begins like this. */
typedef struct AnyList {
  void *items;
  size_t count;
} AnyList;

/* The size of the UTF-8 sequence at text (RFC 3629: shortest form, no surrogates), 0 where there is none. */
static size_t sequence_size(const unsigned char *text, size_t size) {
  unsigned char first = text[0];
  size_t wanted = first < 0x80   ? 1
                  : first < 0xc2 ? 0
                  : first < 0xe0 ? 2
                  : first < 0xf0 ? 3
                  : first < 0xf5 ? 4
                                 : 0;
  if (first == 0 || wanted == 0 || wanted > size)
    return 0;
  for (size_t i = 1; i < wanted; i++)
    if ((text[i] & 0xc0) != 0x80)
      return 0;
  if ((first == 0xe0 && text[1] < 0xa0) || (first == 0xed && text[1] > 0x9f) ||
      (first == 0xf0 && text[1] < 0x90) || (first == 0xf4 && text[1] > 0x8f))
    return 0;
  return wanted;
}

/* None of eight bytes has its highest bit set or is NUL. */
static bool is_plain_word(const char *text) {
  uint64_t word;
  memcpy(&word, text, sizeof word);
  uint64_t borrows = word - UINT64_C(0x0101010101010101);
  return ((word | borrows) & UINT64_C(0x8080808080808080)) == 0;
}

size_t kube_store_valid_size(const char *text, size_t size) {
  size_t valid = 0;
  while (size - valid >= sizeof(uint64_t) && is_plain_word(text + valid))
    valid += sizeof(uint64_t);
  while (valid < size) {
    size_t sequence = sequence_size((const unsigned char *)text + valid, size - valid);
    if (sequence == 0)
      break;
    valid += sequence;
  }
  return valid;
}

/* Copies with replacements to `out` unless that is NULL; returns the size. */
static size_t replace_invalid(const char *text, size_t size, char *out) {
  static const char replacement[] = "\xef\xbf\xbd";
  size_t written = 0;
  while (size > 0) {
    size_t valid = kube_store_valid_size(text, size);
    size_t used = valid ? valid : 1;
    size_t added = valid ? valid : strlen(replacement);
    if (out)
      memcpy(out + written, valid ? text : replacement, added);
    written += added;
    text += used;
    size -= used;
  }
  return written;
}

const char *kube_store_text(Arena *arena, const char *text, size_t size) {
  if (kube_store_valid_size(text, size) == size)
    return arena_strndup(arena, text, size);
  char *copy = arena_alloc(arena, replace_invalid(text, size, NULL) + 1);
  replace_invalid(text, size, copy);
  return copy;
}

bool kube_store_is_list(const KubeField *field) {
  return field->kind == KUBE_LIST || field->kind == KUBE_STRINGS || field->kind == KUBE_MAP ||
         field->kind == KUBE_QUANTITIES;
}

size_t kube_store_item_size(const KubeField *field) {
  assert(kube_store_is_list(field));
  if (field->kind == KUBE_LIST)
    return field->item_size;
  return field->kind == KUBE_STRINGS ? sizeof(const char *) : sizeof(KeyValue);
}

int kube_store_reserve(Arena *arena, const KubeField *field, void *target, size_t count, Error *err) {
  AnyList *list = kube_field_place(field, target);
  if (count > KUBE_ITEMS_MAX)
    return error_set(err, ERROR_LIMIT, "\"%s\" has %zu entries; at most %d are read", field->name, count,
                     KUBE_ITEMS_MAX);
  *list = (AnyList){count ? arena_alloc(arena, count * kube_store_item_size(field)) : NULL, 0};
  return 0;
}

void *kube_store_push(const KubeField *field, void *target) {
  AnyList *list = kube_field_place(field, target);
  assert(list->items);
  return (char *)list->items + list->count++ * kube_store_item_size(field);
}

typedef struct Ordered {
  KeyValue entry;
  size_t order; /* of arrival: makes the sort stable */
} Ordered;

static int compare_ordered(const void *left, const void *right) {
  const Ordered *a = left, *b = right;
  int keys = strcmp(a->entry.key, b->entry.key);
  return keys ? keys : (a->order > b->order) - (a->order < b->order);
}

static bool is_sorted(const KeyValues *map) {
  for (size_t i = 1; i < map->count; i++)
    if (strcmp(map->items[i - 1].key, map->items[i].key) >= 0)
      return false;
  return true;
}

void kube_store_sort(KeyValues *map) {
  if (is_sorted(map))
    return;
  CLEANUP(cleanup_free) Ordered *entries = mem_grow(NULL, map->count, sizeof *entries);
  for (size_t i = 0; i < map->count; i++)
    entries[i] = (Ordered){map->items[i], i};
  qsort(entries, map->count, sizeof *entries, compare_ordered);
  size_t kept = 0;
  for (size_t i = 0; i < map->count; i++)
    if (i + 1 == map->count || strcmp(entries[i].entry.key, entries[i + 1].entry.key) != 0)
      map->items[kept++] = entries[i].entry;
  map->count = kept;
}
