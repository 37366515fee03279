/* SPDX-License-Identifier: Apache-2.0 */
/* One function per verb. They work on copies and hand the result to the store, so that a request that is
 * refused half-way has changed nothing. */
#include "sim/apiserver/page.h"
#include "sim/apiserver/patch.h"
#include "sim/apiserver/route.h"

#include <time.h>

json_t *sim_api_route_find(const Route *route) {
  return sim_api_store_find(route->store, route->target->kind, route->key);
}

void sim_api_route_refuse_unknown(Route *route) {
  sim_api_answer_refuse(route->answer, 404, "NotFound", "%s \"%s\" not found",
                        sim_api_kinds[route->target->kind].qualified, route->target->name);
}

void sim_api_route_answer(Route *route, int status, const json_t *object) {
  sim_api_answer_text(route->answer, status, sim_api_texts_get(&route->store->texts, object));
}

json_t *sim_api_route_read_body(Route *route) {
  json_error_t problem;
  json_t *body = json_loadb(string_or_empty(route->request->body), route->request->body_size,
                            JSON_REJECT_DUPLICATES, &problem);
  if (!body)
    sim_api_answer_refuse(route->answer, 400, "BadRequest", "the body is not JSON: %s", problem.text);
  return body;
}

json_t *sim_api_route_date(int64_t wall_ms) {
  char date[32];
  time_t seconds = (time_t)(wall_ms / 1000);
  struct tm parts;
  gmtime_r(&seconds, &parts);
  strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return json_string(date);
}

/* ---- GET ---- */

static void get(Route *route) {
  const SimApiTarget *target = route->target;
  const json_t *object = target->name[0] ? sim_api_route_find(route) : NULL;
  if (!target->name[0] && target->watch) {
    route->answer->is_watch = true;
    if (!target->has_version)
      sim_api_answer_refuse(route->answer, 400, "BadRequest", "a watch needs a resourceVersion here");
  } else if (!target->name[0]) {
    sim_api_page_answer(route->store, target, route->answer);
  } else if (object) {
    sim_api_route_answer(route, 200, object);
  } else {
    sim_api_route_refuse_unknown(route);
  }
}

/* ---- POST ---- */

/* What the scheduler posts: the pod goes to a node, once. */
static void bind_pod(Route *route) {
  json_auto_t *binding = sim_api_route_read_body(route);
  if (!binding)
    return;
  const json_t *old = sim_api_route_find(route);
  if (!old) {
    sim_api_route_refuse_unknown(route);
    return;
  }
  const char *node = json_string_value(json_object_get(json_object_get(binding, "target"), "name"));
  const char *bound = json_string_value(json_object_get(json_object_get(old, "spec"), "nodeName"));
  if (!node || bound) {
    sim_api_answer_refuse(route->answer, bound ? 409 : 422, bound ? "Conflict" : "Invalid",
                          bound ? "pod %s is already assigned to node \"%s\""
                                : "pod %s: target.name: Required value%s",
                          route->target->name, string_or_empty(bound));
    return;
  }
  json_t *pod = json_deep_copy(old);
  json_object_set_new(json_object_get(pod, "spec"), "nodeName", json_string(node));
  json_object_set_new(json_object_get(pod, "status"), "conditions",
                      json_pack("[{s:s,s:s}]", "type", "PodScheduled", "status", "True"));
  sim_api_store_put(route->store, SIM_API_PODS, route->key, pod);
  CLEANUP(text_deinit) Text text = {0};
  sim_api_encode(binding, &text);
  sim_api_answer_text(route->answer, 201, &text);
}

static void post(Route *route) {
  if (!route->target->name[0])
    sim_api_create_object(route);
  else if (route->target->kind == SIM_API_PODS && strcmp(route->target->subresource, "binding") == 0)
    bind_pod(route);
  else
    sim_api_answer_refuse(route->answer, 405, "MethodNotAllowed", "POST is not possible here");
}

/* ---- PATCH ---- */

static void keep(json_t *object, const json_t *old, const char *name) {
  json_t *value = json_object_get(old, name);
  if (value)
    json_object_set(object, name, value);
  else
    json_object_del(object, name);
}

/* nodes/n1 cannot change the status, nodes/n1/status nothing but status and metadata, and nobody who an
 * object is. */
static void restore(json_t *object, const json_t *old, bool is_status) {
  static const char *const fixed[] = {"name", "namespace", "uid", "creationTimestamp", "resourceVersion"};
  keep(object, old, is_status ? "spec" : "status");
  json_t *meta = json_object_get(object, "metadata"), *old_meta = json_object_get(old, "metadata");
  if (!json_is_object(meta))
    json_object_set_new(object, "metadata", meta = json_deep_copy(old_meta));
  for (size_t i = 0; i < COUNT_OF(fixed); i++)
    keep(meta, old_meta, fixed[i]);
}

/* A resourceVersion in the patch is a condition: the object must be that one still. */
static bool is_outdated(const json_t *object, const json_t *old) {
  const json_t *wanted = json_object_get(json_object_get(object, "metadata"), "resourceVersion");
  return !json_equal(wanted, json_object_get(json_object_get(old, "metadata"), "resourceVersion"));
}

static bool apply(Route *route, json_t *object, const json_t *body) {
  const char *type = string_or_empty(route->request->content_type);
  Error err;
  if (strcmp(type, "application/merge-patch+json") == 0 && json_is_object(body)) {
    sim_api_patch_merge(object, body);
    return true;
  }
  if (strcmp(type, "application/json-patch+json") != 0 || !json_is_array(body)) {
    sim_api_answer_refuse(route->answer, 415, "UnsupportedMediaType", "this patch is not understood: %s",
                          type);
    return false;
  }
  if (sim_api_patch_apply(object, body, &err) == 0)
    return true;
  /* The real server's words, which do not say which operation failed. */
  sim_api_answer_refuse(route->answer, 422, "Invalid",
                        "the server rejected our request due to an error in our request");
  return false;
}

/* What a merge leaves as it is need not be copied, but for the metadata: there is the version. */
static json_t *copy_for(const json_t *old, const json_t *body) {
  const char *name;
  json_t *value;
  if (!json_is_object(body))
    return json_deep_copy(old);
  json_t *copy = json_copy((json_t *)old);
  json_object_foreach((json_t *)old, name, value) {
    if (strcmp(name, "metadata") == 0 || json_object_get(body, name))
      json_object_set_new(copy, name, json_deep_copy(value));
  }
  return copy;
}

static void patch(Route *route) {
  json_auto_t *body = sim_api_route_read_body(route);
  if (!body)
    return;
  const json_t *old = sim_api_route_find(route);
  bool is_status = strcmp(route->target->subresource, "status") == 0;
  if (!old || (route->target->subresource[0] && !is_status)) {
    sim_api_route_refuse_unknown(route);
    return;
  }
  json_auto_t *object = copy_for(old, body);
  if (!apply(route, object, body))
    return;
  if (is_outdated(object, old)) {
    sim_api_answer_refuse(route->answer, 409, "Conflict",
                          "Operation cannot be fulfilled on %s \"%s\": the object has been modified; please "
                          "apply your changes to the latest version and try again",
                          sim_api_kinds[route->target->kind].qualified, route->target->name);
    return;
  }
  restore(object, old, is_status);
  sim_api_store_put(route->store, route->target->kind, route->key, json_incref(object));
  sim_api_route_answer(route, 200, sim_api_route_find(route));
}

static const struct {
  const char *method;
  void (*run)(Route *route);
  bool needs_name;
} methods[] = {{"GET", get, false},
               {"POST", post, false},
               {"PATCH", patch, true},
               {"DELETE", sim_api_delete_object, true}};

void sim_api_route(SimApiStore *store, const SimApiRequest *request, SimApiAnswer *ret_answer) {
  Error err;
  *ret_answer = (SimApiAnswer){.status = 200, .retry_after_s = -1};
  int result = sim_api_target_parse(request->path, &ret_answer->target, &err);
  if (result < 0) {
    bool is_unknown = err.code == ERROR_NOT_FOUND;
    sim_api_answer_refuse(ret_answer, is_unknown ? 404 : 400, is_unknown ? "NotFound" : "BadRequest", "%s",
                          err.text);
    return;
  }
  Route route = {.store = store, .request = request, .target = &ret_answer->target, .answer = ret_answer};
  sim_api_target_key(route.target, route.key);
  for (size_t i = 0; i < COUNT_OF(methods); i++)
    if (strcmp(methods[i].method, request->method) == 0 &&
        (route.target->name[0] || !methods[i].needs_name)) {
      methods[i].run(&route);
      return;
    }
  sim_api_answer_refuse(ret_answer, 405, "MethodNotAllowed", "the server does not allow this method here");
}
