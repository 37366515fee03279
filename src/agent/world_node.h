/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: the API server of the played world (world_fixture.h), as far as it is about the node. */
#pragma once

#include "agent/world.h"

static inline json_t *metadata_of(World *world, const char *member) {
  return json_object_get(json_object_get(world->node, "metadata"), member);
}

static inline const char *annotation(World *world, const char *key) {
  const char *value = json_string_value(json_object_get(metadata_of(world, "annotations"), key));
  return value ? value : "(absent)";
}

static inline const char *label_of(World *world, const char *key) {
  const char *value = json_string_value(json_object_get(metadata_of(world, "labels"), key));
  return value ? value : "(absent)";
}

static inline const char *amount(World *world, const char *list, const char *resource) {
  const json_t *amounts = json_object_get(json_object_get(world->node, "status"), list);
  const char *value = json_string_value(json_object_get(amounts, resource));
  return value ? value : "(absent)";
}

#define PODS "/api/v1/namespaces/facet-system/pods"

static inline KubeCall *find_call_of(World *world, const char *method, const char *path, bool is_watch) {
  for (size_t i = 0; i < world->fake.calls.count; i++) {
    KubeCall *call = world->fake.calls.items[i];
    if (!call->is_over && strcmp(call->request.method, method) == 0 &&
        string_has_prefix(call->request.path, path) &&
        (strstr(call->request.path, "watch=1") != NULL) == is_watch)
      return call;
  }
  return NULL;
}

/* Of the node. */
static inline KubeCall *find_call(World *world, const char *method, bool is_watch) {
  return find_call_of(world, method, "/api/v1/nodes", is_watch);
}

static inline void send_event(KubeCall *watch, const char *type, json_t *object) {
  json_t *event = json_pack("{s:s, s:O}", "type", type, "object", object);
  CLEANUP(cleanup_free) char *line = json_dumps(event, JSON_COMPACT);
  fake_body(watch, line);
  fake_body(watch, "\n");
  json_decref(event);
}

static inline void show(World *world, const char *type) {
  json_object_set_new(json_object_get(world->node, "metadata"), "resourceVersion",
                      json_sprintf("%d", ++world->version));
  KubeCall *watch = find_call(world, "GET", true);
  if (!watch || watch != world->watch || world->api_is_mute || world->watch_is_late)
    return;
  send_event(watch, type, world->node);
}

static inline void show_one_pod(World *world, const char *type, json_t *pod) {
  json_object_set_new(json_object_get(pod, "metadata"), "resourceVersion",
                      json_sprintf("%d", ++world->version));
  KubeCall *watch = find_call_of(world, "GET", PODS, true);
  if (watch && watch == world->pod_watch && !world->api_is_mute)
    send_event(watch, type, pod);
}

static inline void show_pod(World *world, const char *type) {
  show_one_pod(world, type, world->pod);
}

/* value NULL: takes it away. */
static inline void set_annotation(World *world, const char *key, const char *value) {
  if (value)
    json_object_set_new(metadata_of(world, "annotations"), key, json_string(value));
  else
    json_object_del(metadata_of(world, "annotations"), key);
  show(world, "MODIFIED");
}

static inline void set_label(World *world, const char *value) {
  if (value)
    json_object_set_new(metadata_of(world, "labels"), MIG_LABEL_PARTITIONING, json_string(value));
  else
    json_object_clear(metadata_of(world, "labels"));
  show(world, "MODIFIED");
}

/* What the controller writes. */
static inline void set_plan(World *world, const char *plan, const char *spec) {
  json_object_set_new(metadata_of(world, "annotations"), "facet.gpu/spec-gpu-0", json_string(spec));
  set_annotation(world, MIG_ANNOTATION_SPEC_PLAN, plan);
}

/* What the kubelet says of a resource on the node. */
static inline void set_amount(World *world, const char *resource, const char *value) {
  json_t *status = json_object_get(world->node, "status");
  json_object_set_new(json_object_get(status, "capacity"), resource, json_string(value));
  json_object_set_new(json_object_get(status, "allocatable"), resource, json_string(value));
  show(world, "MODIFIED");
}

static inline void merge(json_t *into, const json_t *patch) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)patch, key, value) {
    if (json_is_null(value))
      json_object_del(into, key);
    else if (json_is_object(value) && json_is_object(json_object_get(into, key)))
      merge(json_object_get(into, key), value);
    else
      json_object_set(into, key, value);
  }
}

static inline void answer_patch(World *world, KubeCall *call) {
  assert_string_equal(call->request.path, "/api/v1/nodes/n1/status");
  assert_string_equal(call->request.content_type, "application/merge-patch+json");
  free(world->patch);
  world->patch = mem_strdup(call->request.body);
  world->patch_count++;
  text_format(&world->story, "patch;");
  if (world->refuse_status || !world->node) {
    fake_answer(call, world->node ? world->refuse_status : 404,
                "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"no\"}");
    return;
  }
  json_t *patch = json_loads(call->request.body, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(patch);
  if (!world->patch_is_undone)
    merge(world->node, patch);
  json_decref(patch);
  if (world->patch_is_lost)
    fake_break(call);
  else if (world->newer) {
    CLEANUP(cleanup_free)
    char *body = mem_format("{\"metadata\":{\"resourceVersion\":\"%s\"}}", world->newer);
    fake_answer(call, 200, body);
  } else
    fake_answer(call, 200, "{}");
  show(world, "MODIFIED");
}

static inline void answer_lists(World *world, KubeCall *call, json_t *object, json_t *other) {
  json_t *items = json_array();
  if (object)
    json_array_append(items, object);
  if (other)
    json_array_append(items, other);
  json_t *list = json_pack("{s:{s:s}, s:o}", "metadata", "resourceVersion", "1", "items", items);
  CLEANUP(cleanup_free) char *body = json_dumps(list, JSON_COMPACT);
  fake_answer(call, 200, body);
  json_decref(list);
}

static inline void answer_list(World *world, KubeCall *call, json_t *object) {
  answer_lists(world, call, object, NULL);
}

/* A new watch begins with what it may have missed. */
static inline bool begin_watch(World *world) {
  KubeCall *watch = find_call(world, "GET", true);
  if (!watch || watch == world->watch)
    return false;
  world->watch = watch;
  fake_head(watch, 200, -1);
  if (world->node)
    show(world, "MODIFIED");
  return true;
}
