/* SPDX-License-Identifier: Apache-2.0 */
/* A list of amounts sorted by name. Lists are short (a handful of names), so an insertion moves a few items
 * and every question is a binary search. Sums saturate: an absurd request stays absurd and never wraps
 * around. */
#include "cluster/resources.h"

#include "cluster/quantity.h"

#include <assert.h>
#include <string.h>

/* Where the name is, or where it would be inserted. */
static size_t find_place(const Resources *resources, const char *name, bool *ret_found) {
  size_t low = 0, high = resources->count;
  *ret_found = false;
  while (low < high && !*ret_found) {
    size_t middle = (low + high) / 2;
    const char *other = resources->items[middle].name;
    int order = name == other ? 0 : strcmp(name, other); /* mostly they are shared */
    *ret_found = order == 0;
    if (order > 0)
      low = middle + 1;
    else
      high = middle;
  }
  return high;
}

static const Resource *find(const Resources *resources, const char *name) {
  bool found;
  size_t place = find_place(resources, name, &found);
  return found ? &resources->items[place] : NULL;
}

int64_t resources_get(const Resources *resources, const char *name) {
  const Resource *resource = find(resources, name);
  return resource ? resource->amount : 0;
}

bool resources_has(const Resources *resources, const char *name) {
  return find(resources, name) != NULL;
}

/* The old items stay in the arena: lists are short-lived, and a literal list may be grown this way too. */
static void insert(Resources *resources, size_t place, Resource resource, Arena *arena) {
  if (resources->count >= resources->capacity) {
    size_t capacity = resources->count ? resources->count * 2 : 4;
    Resource *items = arena_alloc(arena, capacity * sizeof *items);
    if (resources->count)
      memcpy(items, resources->items, resources->count * sizeof *items);
    resources->items = items;
    resources->capacity = capacity;
  }
  Resource *gap = &resources->items[place];
  memmove(gap + 1, gap, (resources->count - place) * sizeof *gap);
  *gap = resource;
  resources->count++;
}

void resources_reserve(Resources *into, size_t capacity, Arena *arena) {
  assert(!into->count);
  into->items = arena_alloc(arena, capacity * sizeof *into->items);
  into->capacity = capacity;
}

void resources_set(Resources *into, const char *name, int64_t amount, Arena *arena) {
  assert(name);
  bool found;
  size_t place = find_place(into, name, &found);
  assert(!found || place < into->count);
  if (found)
    into->items[place].amount = amount;
  else
    insert(into, place, (Resource){.name = name, .amount = amount}, arena);
}

/* No API server lets such amounts in; a file may hold them. */
static int check_amount(const char *text, int64_t amount, Error *err) {
  if (amount < 0)
    return error_set(err, ERROR_INVALID, "%.40s is negative", text);
  if (amount == INT64_MAX)
    return error_set(err, ERROR_INVALID, "%.40s is more than 64 bits can hold", text);
  return 0;
}

int resources_parse(const ResourceTexts *texts, Arena *arena, Resources *ret_resources, Error *err) {
  if (texts->count > RESOURCES_MAX)
    return error_set(err, ERROR_LIMIT, "%zu resources are listed, more than the limit of %d", texts->count,
                     RESOURCES_MAX);
  Resources resources = {0};
  for (size_t i = 0; i < texts->count; i++) {
    const char *name = texts->items[i].key, *text = texts->items[i].value;
    int64_t amount;
    if (quantity_parse(text ? text : "", quantity_scale_of(name), &amount, err) < 0)
      return error_prefix(err, "%s", name);
    if (check_amount(text ? text : "", amount, err) < 0)
      return error_prefix(err, "%s", name);
    resources_set(&resources, name, amount, arena);
  }
  *ret_resources = resources;
  return 0;
}

static int64_t add_saturated(int64_t a, int64_t b) {
  int64_t sum;
  if (!__builtin_add_overflow(a, b, &sum))
    return sum;
  return b > 0 ? INT64_MAX : INT64_MIN;
}

/* INT64_MIN has no counterpart. */
static int64_t negate_saturated(int64_t a) {
  return a == INT64_MIN ? INT64_MAX : -a;
}

void resources_add(Resources *into, const Resources *what, int sign, Arena *arena) {
  assert(sign == 1 || sign == -1);
  for (size_t i = 0; i < what->count; i++) {
    int64_t amount = sign > 0 ? what->items[i].amount : negate_saturated(what->items[i].amount);
    const char *name = what->items[i].name;
    resources_set(into, name, add_saturated(resources_get(into, name), amount), arena);
  }
}

void resources_max(Resources *into, const Resources *what, Arena *arena) {
  for (size_t i = 0; i < what->count; i++)
    if (!resources_has(into, what->items[i].name) ||
        what->items[i].amount > resources_get(into, what->items[i].name))
      resources_set(into, what->items[i].name, what->items[i].amount, arena);
}
