/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/apiserver/target.h"

#include "base/text.h"

#include <errno.h>
#include <string.h>

enum { PARTS_MAX = 6, PART_SIZE = 256, VALUE_SIZE = 1024 };

const SimApiKindInfo sim_api_kinds[SIM_API_KIND_COUNT] = {
    [SIM_API_NODES] = {"/api/v1/", "nodes", "nodes", "Node", "v1", false, true},
    [SIM_API_PODS] = {"/api/v1/", "pods", "pods", "Pod", "v1", true, true},
    [SIM_API_EVENTS] = {"/apis/events.k8s.io/v1/", "events", "events.events.k8s.io", "Event",
                        "events.k8s.io/v1", true, true},
    [SIM_API_NAMESPACES] = {"/api/v1/", "namespaces", "namespaces", "Namespace", "v1", false, false},
    [SIM_API_PRIORITY_CLASSES] = {"/apis/scheduling.k8s.io/v1/", "priorityclasses",
                                  "priorityclasses.scheduling.k8s.io", "PriorityClass",
                                  "scheduling.k8s.io/v1", false, false},
    [SIM_API_LEASES] = {"/apis/coordination.k8s.io/v1/", "leases", "leases.coordination.k8s.io", "Lease",
                        "coordination.k8s.io/v1", true, false},
};

static int hex_digit(char c) {
  static const char digits[] = "0123456789abcdef0123456789ABCDEF";
  const char *found = c ? strchr(digits, c) : NULL;
  return found ? (int)(found - digits) % 16 : -1;
}

/* %XX -> byte; false where it does not fit or is broken. */
static bool unescape(const char *text, size_t size, char *ret_value, size_t value_size) {
  size_t used = 0;
  for (size_t i = 0; i < size; i++) {
    if (used + 1 >= value_size)
      return false;
    ret_value[used] = text[i];
    if (text[i] == '%') {
      if (i + 2 >= size || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0)
        return false;
      ret_value[used] = (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    }
    used++;
  }
  ret_value[used] = '\0';
  return true;
}

/* ---- query ---- */

static int parse_number(const char *name, const char *text, uint64_t *ret_number, Error *err) {
  size_t size = strlen(text);
  if (size == 0 || size > 19 || strspn(text, "0123456789") != size)
    return error_set(err, ERROR_INVALID, "%s=%.40s is not a number", name, text);
  *ret_number = strtoull(text, NULL, 10);
  return 0;
}

static int take_parameter(SimApiTarget *target, const char *name, const char *value, Error *err) {
  bool is_true = strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
  if (strcmp(name, "watch") == 0)
    target->watch = is_true;
  else if (strcmp(name, "allowWatchBookmarks") == 0)
    target->bookmarks = is_true;
  else if (strcmp(name, "continue") == 0)
    snprintf(target->continue_, sizeof target->continue_, "%s", value);
  else if (strcmp(name, "fieldSelector") == 0)
    return sim_api_selector_parse_fields(value, &target->selector, err);
  else if (strcmp(name, "labelSelector") == 0)
    return sim_api_selector_parse_labels(value, &target->selector, err);
  else if (strcmp(name, "limit") == 0)
    return parse_number(name, value, &target->limit, err);
  else if (strcmp(name, "timeoutSeconds") == 0)
    return parse_number(name, value, &target->timeout_seconds, err);
  else if (strcmp(name, "gracePeriodSeconds") == 0) {
    target->has_grace = true;
    return parse_number(name, value, &target->grace_seconds, err);
  } else if (strcmp(name, "resourceVersion") == 0 && *value) {
    target->has_version = true;
    return parse_number(name, value, &target->version, err);
  }
  return 0; /* the real server ignores what it does not know, too */
}

static int parse_query(SimApiTarget *target, const char *query, Error *err) {
  while (*query) {
    size_t size = strcspn(query, "&"), name_size = strcspn(query, "=&");
    char name[64], value[VALUE_SIZE] = "";
    bool is_good = unescape(query, name_size, name, sizeof name);
    if (is_good && name_size < size)
      is_good = unescape(query + name_size + 1, size - name_size - 1, value, sizeof value);
    if (!is_good)
      return error_set(err, ERROR_INVALID, "the query cannot be read: %.200s", query);
    int result = take_parameter(target, name, value, err);
    if (result < 0)
      return result;
    query += size + (query[size] == '&');
  }
  return 0;
}

/* ---- path ---- */

typedef struct Parts {
  char texts[PARTS_MAX][PART_SIZE];
  int count;
} Parts;

static bool split(const char *path, size_t size, Parts *ret_parts) {
  ret_parts->count = 0;
  for (size_t i = 0; i < size;) {
    size_t part = 0;
    while (i + part < size && path[i + part] != '/')
      part++;
    if (ret_parts->count == PARTS_MAX || part == 0 ||
        !unescape(path + i, part, ret_parts->texts[ret_parts->count++], PART_SIZE))
      return false;
    i += part + (i + part < size);
  }
  return true;
}

/* [namespaces NAMESPACE] KIND [NAME [SUBRESOURCE]] */
static bool take_parts(SimApiTarget *target, const Parts *parts, SimApiKind kind) {
  const SimApiKindInfo *info = &sim_api_kinds[kind];
  int i = 0;
  if (info->is_namespaced && parts->count > 2 && strcmp(parts->texts[0], "namespaces") == 0) {
    snprintf(target->namespace_, sizeof target->namespace_, "%s", parts->texts[1]);
    i = 2;
  }
  bool is_kind = i < parts->count && strcmp(parts->texts[i], info->name) == 0;
  bool may_be_named = !info->is_namespaced || target->namespace_[0];
  if (!is_kind || parts->count - i > (may_be_named ? 2 + info->has_subresources : 1))
    return false;
  target->kind = kind;
  if (i + 1 < parts->count)
    snprintf(target->name, sizeof target->name, "%s", parts->texts[i + 1]);
  if (i + 2 < parts->count)
    snprintf(target->subresource, sizeof target->subresource, "%.31s", parts->texts[i + 2]);
  return true;
}

static bool parse_path(SimApiTarget *target, const char *path, size_t size) {
  for (int kind = 0; kind < SIM_API_KIND_COUNT; kind++) {
    size_t root = strlen(sim_api_kinds[kind].root);
    Parts parts;
    *target = (SimApiTarget){0};
    if (size > root && strncmp(path, sim_api_kinds[kind].root, root) == 0 &&
        split(path + root, size - root, &parts) && take_parts(target, &parts, (SimApiKind)kind))
      return true;
  }
  return false;
}

int sim_api_target_parse(const char *path, SimApiTarget *ret_target, Error *err) {
  size_t size = strcspn(path, "?");
  if (!parse_path(ret_target, path, size))
    return error_set(err, ERROR_NOT_FOUND, "the server could not find the requested resource");
  if (ret_target->namespace_[0]) {
    SimApiTerm *term = &ret_target->selector.terms[ret_target->selector.count++];
    *term = (SimApiTerm){.section = "metadata", .field = "namespace", .operator_ = SIM_API_EQUALS};
    snprintf(term->value, sizeof term->value, "%s", ret_target->namespace_);
  }
  return path[size] ? parse_query(ret_target, path + size + 1, err) : 0;
}

void sim_api_target_key(const SimApiTarget *target, char ret_key[SIM_API_KEY_SIZE]) {
  snprintf(ret_key, SIM_API_KEY_SIZE, "%s%s%s", target->namespace_, target->namespace_[0] ? "/" : "",
           target->name);
}
