/* SPDX-License-Identifier: Apache-2.0 */
/* POST of an object: what the real server checks and adds before it stores one. Of pods these are a few
 * defaults and the priority, which comes from the class and from nothing else. */
#include "base/random.h"
#include "sim/apiserver/route.h"

#include <inttypes.h>

enum { NAME_SIZE_MAX = 253, GENERATED_BASE_MAX = 58 };

/* ---- names ---- */

/* The real server's five characters behind generateName; here they follow from the version. */
static void generate_name(const Route *route, const char *base, json_t *meta) {
  static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
  Random random = {.state = route->store->version};
  char suffix[6] = "";
  for (size_t i = 0; i + 1 < sizeof suffix; i++)
    suffix[i] = letters[random_below(&random, sizeof letters - 1)];
  json_object_set_new(meta, "name", json_sprintf("%.*s%s", GENERATED_BASE_MAX, base, suffix));
}

/* The name comes from the body, the namespace from the path. */
static json_t *take_names(Route *route, json_t *object) {
  json_t *meta = json_object_get(object, "metadata");
  const char *base = string_or_empty(json_string_value(json_object_get(meta, "generateName")));
  if (*base && !json_object_get(meta, "name"))
    generate_name(route, base, meta);
  const char *name = string_or_empty(json_string_value(json_object_get(meta, "name")));
  if (!*name || strlen(name) > NAME_SIZE_MAX)
    return NULL;
  if (route->target->namespace_[0])
    json_object_set_new(meta, "namespace", json_string(route->target->namespace_));
  snprintf(route->key, sizeof route->key, "%s%s%s", route->target->namespace_,
           route->target->namespace_[0] ? "/" : "", name);
  return meta;
}

/* The real server makes "default" by itself. */
static bool has_namespace(const Route *route) {
  const char *name = route->target->namespace_;
  return !*name || strcmp(name, "default") == 0 || sim_api_store_find(route->store, SIM_API_NAMESPACES, name);
}

static void stamp(const Route *route, json_t *meta) {
  char uid[40];
  /* Unique and readable: derived from the version that the object is about to get. */
  snprintf(uid, sizeof uid, "00000000-0000-4000-8000-%012" PRIx64, route->store->version + 1);
  json_object_set_new(meta, "uid", json_string(uid));
  json_object_set_new(meta, "creationTimestamp", sim_api_route_date(route->request->wall_ms));
}

/* ---- pods ---- */

static void forbid(Route *route, const char *name, const char *why) {
  sim_api_answer_refuse(route->answer, 403, "Forbidden", "pods \"%s\" is forbidden: %s", name, why);
}

static bool set_priority(Route *route, const char *name, json_t *spec) {
  const char *class_name = json_string_value(json_object_get(spec, "priorityClassName"));
  const json_t *class =
      class_name ? sim_api_store_find(route->store, SIM_API_PRIORITY_CLASSES, class_name) : NULL;
  const json_t *given = json_object_get(spec, "priority");
  json_int_t value = json_integer_value(json_object_get(class, "value"));
  char why[512];
  if (class_name && !class) {
    snprintf(why, sizeof why, "no PriorityClass with name %s was found", class_name);
    forbid(route, name, why);
    return false;
  }
  if (given && json_integer_value(given) != value) {
    snprintf(why, sizeof why,
             "the integer value of priority (%lld) must not be provided in pod spec; priority admission "
             "controller computed %lld from the given PriorityClass name",
             (long long)json_integer_value(given), (long long)value);
    forbid(route, name, why);
    return false;
  }
  json_t *policy = json_object_get(class, "preemptionPolicy");
  json_object_set_new(spec, "priority", json_integer(value));
  json_object_set_new(spec, "preemptionPolicy",
                      policy ? json_incref(policy) : json_string("PreemptLowerPriority"));
  return true;
}

static void set_default(json_t *object, const char *key, json_t *value) {
  if (json_object_get(object, key))
    json_decref(value);
  else
    json_object_set_new(object, key, value);
}

/* Where a limit is given and no request, the request is the limit. */
static void complete_requests(json_t *container) {
  json_t *resources = json_object_get(container, "resources"), *limits = json_object_get(resources, "limits");
  if (!json_is_object(limits))
    return;
  json_t *requests = json_object_get(resources, "requests");
  if (json_is_object(requests))
    json_object_update_missing(requests, limits);
  else
    json_object_set_new(resources, "requests", json_deep_copy(limits));
}

static bool complete_pod(Route *route, json_t *pod) {
  json_t *spec = json_object_get(pod, "spec"), *container;
  size_t i;
  set_default(pod, "status", json_pack("{s:s}", "phase", "Pending"));
  if (!json_is_object(spec))
    json_object_set_new(pod, "spec", spec = json_object());
  set_default(spec, "schedulerName", json_string("default-scheduler"));
  set_default(spec, "terminationGracePeriodSeconds", json_integer(30));
  json_array_foreach(json_object_get(spec, "containers"), i, container) complete_requests(container);
  const char *name = json_string_value(json_object_get(json_object_get(pod, "metadata"), "name"));
  return set_priority(route, name, spec);
}

void sim_api_create_object(Route *route) {
  json_auto_t *object = sim_api_route_read_body(route);
  if (!object)
    return;
  SimApiKind kind = route->target->kind;
  json_t *meta = take_names(route, object);
  if (!has_namespace(route)) {
    sim_api_answer_refuse(route->answer, 404, "NotFound", "namespaces \"%s\" not found",
                          route->target->namespace_);
  } else if (!meta) {
    sim_api_answer_refuse(route->answer, 422, "Invalid", "metadata.name: Required value: name is required");
  } else if (sim_api_route_find(route)) {
    sim_api_answer_refuse(route->answer, 409, "AlreadyExists", "%s \"%s\" already exists",
                          sim_api_kinds[kind].qualified, route->key);
  } else if (route->store->objects[kind].count >= SIM_API_OBJECTS_MAX) {
    sim_api_answer_refuse(route->answer, 429, "TooManyRequests", "there are %d %s already",
                          SIM_API_OBJECTS_MAX, sim_api_kinds[kind].qualified);
  } else if (kind != SIM_API_PODS || complete_pod(route, object)) {
    stamp(route, meta);
    sim_api_store_put(route->store, kind, route->key, json_incref(object));
    sim_api_route_answer(route, 201, object);
  }
}
