/* SPDX-License-Identifier: Apache-2.0 */
/* DELETE, after BeforeDelete of k8s.io/apiserver and CheckGracefulDelete of pods (Kubernetes 1.36):
 *
 *     pod on a node, still alive    marked: deletionTimestamp = now + its grace period; its kubelet ends it
 *                                   and deletes it for good, with a grace period of 0
 *     marked already                a shorter grace period counts, anything else changes nothing
 *     everything else               gone at once */
#include "sim/apiserver/route.h"

/* The options are the body where there is one, else the query. */
static bool read_options(Route *route, json_t **ret_options) {
  *ret_options = NULL;
  if (route->request->body_size) {
    *ret_options = sim_api_route_read_body(route);
    return *ret_options != NULL;
  }
  *ret_options = json_object();
  if (route->target->has_grace)
    json_object_set_new(*ret_options, "gracePeriodSeconds",
                        json_integer((json_int_t)route->target->grace_seconds));
  return true;
}

static bool meets(Route *route, const json_t *meta, const json_t *wanted, const char *field,
                  const char *field_name, const char *hint) {
  const char *value = json_string_value(json_object_get(wanted, field));
  const char *is = string_or_empty(json_string_value(json_object_get(meta, field)));
  if (!value || strcmp(value, is) == 0)
    return true;
  sim_api_answer_refuse(route->answer, 409, "Conflict",
                        "Operation cannot be fulfilled on %s \"%s\": the %s in the precondition (%s) does "
                        "not match the %s in record (%s). The object might have been %s",
                        sim_api_kinds[route->target->kind].kind, route->target->name, field_name, value,
                        field_name, is, hint);
  return false;
}

static bool meets_preconditions(Route *route, const json_t *object, const json_t *options) {
  const json_t *meta = json_object_get(object, "metadata");
  const json_t *wanted = json_object_get(options, "preconditions");
  return meets(route, meta, wanted, "uid", "UID", "deleted and then recreated") &&
         meets(route, meta, wanted, "resourceVersion", "ResourceVersion", "modified");
}

static json_int_t grace_of(const json_t *pod, const json_t *given) {
  const json_t *spec = json_object_get(pod, "spec");
  const char *phase =
      string_or_empty(json_string_value(json_object_get(json_object_get(pod, "status"), "phase")));
  if (!json_object_get(spec, "nodeName") || strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0)
    return 0;
  json_int_t seconds =
      json_integer_value(given ? given : json_object_get(spec, "terminationGracePeriodSeconds"));
  return seconds < 0 ? 1 : seconds;
}

static void remove_object(Route *route, const json_t *object) {
  sim_api_route_answer(route, 200, object);
  sim_api_store_remove(route->store, route->target->kind, route->key);
}

static void mark(Route *route, const json_t *pod, json_int_t seconds) {
  json_t *marked = json_deep_copy(pod), *meta = json_object_get(marked, "metadata");
  json_object_set_new(meta, "deletionTimestamp",
                      sim_api_route_date(route->request->wall_ms + (int64_t)seconds * 1000));
  json_object_set_new(meta, "deletionGracePeriodSeconds", json_integer(seconds));
  sim_api_store_put(route->store, route->target->kind, route->key, marked);
  sim_api_route_answer(route, 200, sim_api_route_find(route));
}

static void delete_pod(Route *route, const json_t *pod, const json_t *options) {
  const json_t *pending = json_object_get(json_object_get(pod, "metadata"), "deletionGracePeriodSeconds");
  const json_t *given = json_object_get(options, "gracePeriodSeconds");
  bool is_shorter = pending && given && json_integer_value(given) < json_integer_value(pending);
  json_int_t seconds = pending ? json_integer_value(given) : grace_of(pod, given);
  if (pending && !is_shorter)
    sim_api_route_answer(route, 200, pod);
  else if (seconds == 0)
    remove_object(route, pod);
  else
    mark(route, pod, seconds);
}

void sim_api_delete_object(Route *route) {
  const json_t *object = sim_api_route_find(route);
  json_auto_t *options = NULL;
  if (!object || route->target->subresource[0])
    sim_api_route_refuse_unknown(route);
  else if (!read_options(route, &options) || !meets_preconditions(route, object, options))
    return; /* refused */
  else if (route->target->kind == SIM_API_PODS)
    delete_pod(route, object, options);
  else
    remove_object(route, object);
}
