/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: a controller on a played API server. The server's nodes and pods are JSON values; nothing is
 * answered and nothing is shown in a watch before the test says so.
 *
 *     World *world = *state;
 *     add_node(world, "n1"); add_pod(world, "p", "1g.10gb"); answer_lists(world);
 *     run_for(world, 200);
 *     KubeCall *write = get_call(world, "PATCH", "/api/v1/nodes/n1"); */
#pragma once

#include "kube/fake_transport.h"

#include "base/log.h"
#include "base/map.h"
#include "base/text.h"
#include "controller/controller.h"
#include "controller/memory.h"

#include <jansson.h>

enum { WORLD_BEGIN_MS = 1000000 };
static const int64_t WORLD_WALL_MS = 1767225600000;

#define NODES  "/api/v1/nodes"
#define PODS   "/api/v1/pods"
#define EVENTS "/apis/events.k8s.io/v1/namespaces/demo/events"

typedef struct World {
  Host host;
  FakeTransport fake;
  Controller *controller;
  Map nodes, pods; /* name -> json_t, owned */
  int version;
} World;

/* ---- calls ---- */

/* The oldest open call of that method whose path begins so, or NULL. */
static inline KubeCall *find_call(World *world, const char *method, const char *path) {
  for (size_t i = 0; i < world->fake.calls.count; i++) {
    KubeCall *call = world->fake.calls.items[i];
    if (!call->is_over && strcmp(call->request.method, method) == 0 &&
        string_has_prefix(call->request.path, path))
      return call;
  }
  return NULL;
}

static inline KubeCall *get_call(World *world, const char *method, const char *path) {
  KubeCall *call = find_call(world, method, path);
  if (!call)
    fail_msg("no open %s of %s", method, path);
  return call;
}

/* All calls ever made of that method, answered or not. */
static inline int count_calls(const World *world, const char *method) {
  int count = 0;
  for (size_t i = 0; i < world->fake.calls.count; i++)
    count += strcmp(world->fake.calls.items[i]->request.method, method) == 0;
  return count;
}

static inline int count_open(const World *world, const char *method) {
  int count = 0;
  for (size_t i = 0; i < world->fake.calls.count; i++)
    count += !world->fake.calls.items[i]->is_over &&
             strcmp(world->fake.calls.items[i]->request.method, method) == 0;
  return count;
}

/* ---- time ---- */

static inline void run_for(World *world, uint64_t ms) {
  uint64_t end_ms = world->host.now_ms + ms;
  host_run_timers(&world->host);
  while (host_next_ms(&world->host) <= end_ms) {
    uint64_t now_ms = host_next_ms(&world->host);
    host_advance(&world->host, now_ms, WORLD_WALL_MS + (int64_t)(now_ms - WORLD_BEGIN_MS));
    host_run_timers(&world->host);
  }
  host_advance(&world->host, end_ms, WORLD_WALL_MS + (int64_t)(end_ms - WORLD_BEGIN_MS));
}

/* ---- objects ---- */

static inline json_t *annotations_of(json_t *node) {
  return json_object_get(json_object_get(node, "metadata"), "annotations");
}

static inline json_t *node_of(World *world, const char *name) {
  json_t *node = map_find(&world->nodes, name);
  assert_non_null(node);
  return node;
}

static inline void annotate(World *world, const char *name, const char *key, const char *value) {
  json_object_set_new(annotations_of(node_of(world, name)), key, json_string(value));
}

/* Shows the object in its watch, if that is open: type is "ADDED", "MODIFIED" or "DELETED". */
static inline void show(World *world, const char *path, const char *type, json_t *object) {
  json_object_set_new(json_object_get(object, "metadata"), "resourceVersion",
                      json_sprintf("%d", ++world->version));
  KubeCall *watch = find_call(world, "GET", path);
  if (!watch || !strstr(watch->request.path, "watch=1"))
    return;
  json_t *event = json_pack("{s:s, s:O}", "type", type, "object", object);
  CLEANUP(cleanup_free) char *line = json_dumps(event, JSON_COMPACT);
  fake_body(watch, line);
  fake_body(watch, "\n");
  json_decref(event);
}

static inline void show_node(World *world, const char *name) {
  show(world, NODES, "MODIFIED", node_of(world, name));
}

/* With one empty A100, whose agent reported. */
static inline void add_node(World *world, const char *name) {
  json_t *node = json_pack("{s:{s:s, s:s+, s:{s:s}, s:{}}, s:{s:{s:s, s:s, s:s}}}", "metadata", "name", name,
                           "uid", "uid-", name, "labels", MIG_LABEL_PARTITIONING, "mig", "annotations",
                           "status", "allocatable", "cpu", "64", "memory", "256Gi", "pods", "110");
  assert_null(map_put(&world->nodes, name, node));
  CLEANUP(cleanup_free) char *identity = mem_format("GPU-%s-0 NVIDIA-A100-SXM4-80GB mig=on", name);
  annotate(world, name, "facet.gpu/gpu-0", identity);
  annotate(world, name, "facet.gpu/status-gpu-0", "");
  show(world, NODES, "ADDED", node);
}

static inline void remove_node(World *world, const char *name) {
  json_t *node = map_remove(&world->nodes, name);
  show(world, NODES, "DELETED", node);
  json_decref(node);
}

/* A pod that the scheduler found unschedulable. */
static inline void add_pod(World *world, const char *name, const char *profile) {
  CLEANUP(cleanup_free) char *resource = mem_format("nvidia.com/mig-%s", profile);
  json_t *pod =
      json_pack("{s:{s:s, s:s, s:s+}, s:{s:[{s:s, s:{s:{s:s}}}]}, s:{s:s, s:[{s:s, s:s, s:s}]}}", "metadata",
                "name", name, "namespace", "demo", "uid", "uid-", name, "spec", "containers", "name", "main",
                "resources", "limits", resource, "1", "status", "phase", "Pending", "conditions", "type",
                "PodScheduled", "status", "False", "reason", "Unschedulable");
  assert_null(map_put(&world->pods, name, pod));
  show(world, PODS, "ADDED", pod);
}

static inline void remove_pod(World *world, const char *name) {
  json_t *pod = map_remove(&world->pods, name);
  show(world, PODS, "DELETED", pod);
  json_decref(pod);
}

/* ---- answers ---- */

static inline void answer_list(World *world, const char *path, const Map *objects) {
  json_t *items = json_array();
  for (size_t i = 0; i < objects->count; i++)
    json_array_append(items, objects->entries[i].value);
  json_t *list = json_pack("{s:{s:s}, s:o}", "metadata", "resourceVersion", "1", "items", items);
  CLEANUP(cleanup_free) char *body = json_dumps(list, JSON_COMPACT);
  fake_answer(get_call(world, "GET", path), 200, body);
  json_decref(list);
  fake_head(get_call(world, "GET", path), 200, -1); /* of the watch that follows */
}

static inline void answer_lists(World *world) {
  answer_list(world, NODES, &world->nodes);
  answer_list(world, PODS, &world->pods);
}

/* "/metadata/annotations/a~1b" -> "a/b"; the caller frees. */
static inline char *key_of(const char *pointer) {
  static const char prefix[] = "/metadata/annotations/";
  assert_true(string_has_prefix(pointer, prefix));
  Text key = {0};
  for (const char *p = pointer + strlen(prefix); *p; p++) {
    bool is_escaped = *p == '~';
    p += is_escaped;
    text_format(&key, "%c", !is_escaped ? *p : *p == '1' ? '/' : '~');
  }
  return text_take(&key);
}

/* As the API server: all operations or none. */
static inline bool apply_patch(json_t *node, const char *body) {
  json_t *operations = json_loads(body, 0, NULL), *operation;
  json_t *annotations = json_deep_copy(annotations_of(node));
  size_t i;
  bool is_good = json_is_array(operations);
  json_array_foreach(operations, i, operation) {
    const char *op = json_string_value(json_object_get(operation, "op"));
    json_t *value = json_object_get(operation, "value");
    CLEANUP(cleanup_free) char *key = key_of(json_string_value(json_object_get(operation, "path")));
    json_t *old = json_object_get(annotations, key);
    if (strcmp(op, "test") == 0)
      is_good &= old ? json_equal(old, value) : json_is_null(value);
    else if (strcmp(op, "remove") == 0)
      is_good &= json_object_del(annotations, key) == 0;
    else
      is_good &= json_object_set(annotations, key, value) == 0;
  }
  if (is_good)
    json_object_set(json_object_get(node, "metadata"), "annotations", annotations);
  json_decref(annotations);
  json_decref(operations);
  return is_good;
}

#define REFUSAL(status, reason, message)                                                                     \
  "{\"kind\":\"Status\",\"code\":" #status ",\"reason\":\"" reason "\",\"message\":\"" message "\"}"

/* Carries the write out, or refuses it as the API server would; the watch shows nothing yet. */
static inline void answer_write(World *world, const char *name) {
  CLEANUP(cleanup_free) char *path = mem_format(NODES "/%s", name);
  KubeCall *call = get_call(world, "PATCH", path);
  json_t *node = map_find(&world->nodes, name);
  if (!node)
    fake_answer(call, 404, REFUSAL(404, "NotFound", "no such node"));
  else if (apply_patch(node, call->request.body))
    fake_answer(call, 200, "{}");
  else
    fake_answer(call, 422, REFUSAL(422, "Invalid", "the test failed"));
}

static inline int answer_events(World *world) {
  int count = 0;
  for (KubeCall *call; (call = find_call(world, "POST", EVENTS)); count++)
    fake_answer(call, 201, "{}");
  return count;
}

/* What the node is told, or "". */
static inline const char *spec_of(World *world, const char *name) {
  json_t *spec = json_object_get(annotations_of(node_of(world, name)), "facet.gpu/spec-gpu-0");
  return json_is_string(spec) ? json_string_value(spec) : "";
}

/* The agent carries its plan out: exists and answered. */
static inline void carry_out(World *world, const char *name, const char *status) {
  json_t *annotations = annotations_of(node_of(world, name));
  annotate(world, name, "facet.gpu/status-gpu-0", status);
  json_object_set(annotations, MIG_ANNOTATION_STATUS_PLAN,
                  json_object_get(annotations, MIG_ANNOTATION_SPEC_PLAN));
  show_node(world, name);
}

/* ---- life ---- */

static inline void silence(void *userdata, LogLevel level, const char *component, const char *message,
                           const char *fields) {
}

static inline int world_init_with(void **state, const ControllerOptions *options) {
  log_configure((LogConfig){.level = LOG_LEVEL_DEBUG, .sink = silence});
  World *world = mem_alloc(sizeof *world);
  host_init(&world->host, 42);
  host_advance(&world->host, WORLD_BEGIN_MS, WORLD_WALL_MS);
  fake_init(&world->fake);
  world->controller = controller_new(options, &world->host, &world->fake.seam);
  controller_start(world->controller);
  *state = world;
  return 0;
}

static inline int world_init(void **state) {
  return world_init_with(state, &(ControllerOptions){.batch_idle_ms = CONTROLLER_BATCH_IDLE_MS,
                                                     .batch_timeout_ms = CONTROLLER_BATCH_TIMEOUT_MS,
                                                     .leftover = PLAN_LEFTOVER_NONE,
                                                     .instance = "host"});
}

static inline void drop_objects(Map *objects) {
  for (size_t i = 0; i < objects->count; i++)
    json_decref(objects->entries[i].value);
  map_deinit(objects);
}

/* Frees the controller wherever it is; nothing of it may be left. */
static inline int world_deinit(void **state) {
  World *world = *state;
  controller_free(world->controller);
  assert_int_equal(count_open(world, "GET") + count_open(world, "PATCH") + count_open(world, "POST"), 0);
  assert_true(host_next_ms(&world->host) == HOST_NEVER);
  fake_deinit(&world->fake);
  host_deinit(&world->host);
  drop_objects(&world->nodes);
  drop_objects(&world->pods);
  free(world);
  return 0;
}

/* ---- a beginning ---- */

/* Synced, quiet, with one node and no pod. */
static inline void settle(World *world) {
  add_node(world, "n1");
  answer_lists(world);
  run_for(world, 60000);
  assert_int_equal(count_calls(world, "PATCH") + count_calls(world, "POST"), 0);
}

/* The write for one pod on n1 is under way, its Event lets it go first. */
static inline void plan_one(World *world) {
  settle(world);
  add_pod(world, "p", "1g.10gb");
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  assert_int_equal(answer_events(world), 0);
}
