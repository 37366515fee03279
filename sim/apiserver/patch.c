/* SPDX-License-Identifier: Apache-2.0 */
/* A JSON Pointer is walked down to the value that holds the last name, because every operation works on that
 * holder and the name:    /metadata/annotations/a~1b    ->    holder {...annotations...}, name "a/b" */
#include "sim/apiserver/patch.h"

#include "base/text.h"

#include <string.h>

enum { NAME_SIZE = 512 };

void sim_api_patch_merge(json_t *target, const json_t *patch) {
  const char *name;
  json_t *value;
  json_object_foreach((json_t *)patch, name, value) {
    json_t *old = json_object_get(target, name);
    if (json_is_null(value)) {
      json_object_del(target, name);
    } else if (!json_is_object(value)) {
      json_object_set_new(target, name, json_deep_copy(value));
    } else {
      if (!json_is_object(old))
        json_object_set_new(target, name, old = json_object());
      sim_api_patch_merge(old, value);
    }
  }
}

/* Copies the next name of the pointer, unescaped, and moves behind it; false where it does not fit. */
static bool next_name(const char **pointer, char name[NAME_SIZE]) {
  size_t size = 0;
  const char *p = *pointer + 1;
  for (; *p && *p != '/'; p++) {
    if (size + 1 == NAME_SIZE)
      return false;
    bool escaped = *p == '~' && (p[1] == '0' || p[1] == '1');
    name[size++] = escaped ? (*++p == '0' ? '~' : '/') : *p;
  }
  name[size] = '\0';
  *pointer = p;
  return true;
}

/* The index that a name is in an array; the size of the array for "-"; -1 where it is none. */
static int array_index(const json_t *array, const char *name) {
  size_t size = strlen(name);
  if (strcmp(name, "-") == 0)
    return (int)json_array_size(array);
  if (size == 0 || size > 6 || strspn(name, "0123456789") != size)
    return -1;
  return (int)strtol(name, NULL, 10);
}

static json_t *child_of(const json_t *holder, const char *name) {
  if (json_is_array(holder))
    return array_index(holder, name) < 0 ? NULL : json_array_get(holder, (size_t)array_index(holder, name));
  return json_object_get(holder, name);
}

static json_t *find_holder(json_t *target, const char *pointer, char name[NAME_SIZE]) {
  if (*pointer != '/' || !next_name(&pointer, name))
    return NULL;
  while (target && *pointer) {
    target = child_of(target, name);
    if (!next_name(&pointer, name))
      return NULL;
  }
  return json_is_object(target) || json_is_array(target) ? target : NULL;
}

static bool is_same(const json_t *found, const json_t *expected) {
  return found ? json_equal(found, expected) : json_is_null(expected);
}

static bool add(json_t *holder, const char *name, const json_t *value) {
  json_t *copy = json_deep_copy(value);
  if (json_is_object(holder))
    return json_object_set_new(holder, name, copy) == 0;
  int index = array_index(holder, name);
  if (index < 0) {
    json_decref(copy);
    return false;
  }
  return json_array_insert_new(holder, (size_t)index, copy) == 0;
}

static bool remove_child(json_t *holder, const char *name) {
  if (json_is_object(holder))
    return json_object_del(holder, name) == 0;
  return array_index(holder, name) >= 0 && json_array_remove(holder, (size_t)array_index(holder, name)) == 0;
}

static bool carry_out(const char *operation, json_t *holder, const char *name, const json_t *value) {
  if (strcmp(operation, "test") == 0)
    return value && is_same(child_of(holder, name), value);
  if (strcmp(operation, "add") == 0)
    return value && add(holder, name, value);
  if (strcmp(operation, "remove") == 0)
    return remove_child(holder, name);
  if (strcmp(operation, "replace") == 0)
    return value && remove_child(holder, name) && add(holder, name, value);
  return false;
}

int sim_api_patch_apply(json_t *target, const json_t *operations, Error *err) {
  for (size_t i = 0; i < json_array_size(operations); i++) {
    const json_t *operation = json_array_get(operations, i);
    const char *op = string_or_empty(json_string_value(json_object_get(operation, "op")));
    const char *path = string_or_empty(json_string_value(json_object_get(operation, "path")));
    char name[NAME_SIZE];
    json_t *holder = find_holder(target, path, name);
    if (!holder)
      return error_set(err, ERROR_INVALID, "operation %zu: there is no place %.200s", i, path);
    if (!carry_out(op, holder, name, json_object_get(operation, "value")))
      return error_set(err, ERROR_CONFLICT, "operation %zu: \"%.40s\" of %.200s does not apply", i, op, path);
  }
  return 0;
}
