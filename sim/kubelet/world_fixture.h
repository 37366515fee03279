/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated kubelet between a real device plugin (kubelet/plugins.h) and the simulated API server, for
 * this folder's tests. */
#pragma once

#include "base/test.h"

#include "kubelet/plugins.h"
#include "kubelet/pod_resources.h"
#include "sim/apiserver/server.h"
#include "sim/kubelet/kubelet.h"

#define RESOURCE "nvidia.com/mig-1g.10gb"
#define PODS     "/api/v1/namespaces/demo/pods"

enum { START_MS = 300, STOP_MS = 200, TICK_MS = 10000 };

typedef struct World {
  Host host;
  SimApi *api;
  SimPort *port;
  SimDisk disk;
  SimKubelet *kubelet;
  KubeletPlugins *plugins;
  KubeletPodResources *asker;
  const char *refusal; /* of Allocate */
  bool prefers_last;
  const char *announces; /* while it is asked what it prefers */
  int registered_count;
  Text seen; /* the last answer of pod-resources: "resource id; " */
} World;

static inline void pass_time(World *world, uint64_t duration_ms) {
  uint64_t end_ms = world->host.now_ms + duration_ms;
  host_run_timers(&world->host);
  while (host_next_ms(&world->host) <= end_ms) {
    host_advance(&world->host, host_next_ms(&world->host), 1700000000000);
    host_run_timers(&world->host);
  }
  host_advance(&world->host, end_ms, 1700000000000);
}

/* ---- the agent's side ---- */

static inline int on_allocate(void *userdata, const char *resource, const Strings *ids, Arena *arena,
                              KubeletAllocation *ret_allocation, Error *err) {
  const World *world = userdata;
  if (world->refusal)
    return error_set(err, ERROR_NOT_FOUND, "%s", world->refusal);
  KeyValue *env = arena_alloc(arena, sizeof *env);
  *env = (KeyValue){.key = "NVIDIA_VISIBLE_DEVICES", .value = ids->items[0]};
  ret_allocation->envs = (KeyValues){.items = env, .count = 1};
  return 0;
}

static inline void announce_now(World *world, const char *ids);

static inline void on_preferred(void *userdata, const char *resource, const KubeletPreferred *request,
                                Arena *arena, Strings *ret_ids) {
  World *world = userdata;
  if (world->announces)
    announce_now(world, world->announces);
  size_t chosen = world->prefers_last ? request->available.count - 1 : 0;
  *ret_ids = (Strings){.items = &request->available.items[chosen], .count = 1};
}

static inline void on_registered(void *userdata, const char *resource) {
  ((World *)userdata)->registered_count++;
}

static inline void agent_start(World *world) {
  world->plugins = kubelet_plugins_new(&world->host, sim_port_seam(world->port),
                                       &(KubeletPluginsOptions){.folder = SIM_KUBELET_PLUGIN_FOLDER,
                                                                .on_allocate = on_allocate,
                                                                .on_preferred = on_preferred,
                                                                .on_registered = on_registered,
                                                                .userdata = world});
  world->asker =
      kubelet_pod_resources_new(&world->host, sim_port_seam(world->port), SIM_KUBELET_POD_RESOURCES);
}

static inline void agent_stop(World *world) {
  kubelet_plugins_free(TAKE(world->plugins));
  kubelet_pod_resources_free(TAKE(world->asker));
}

/* "a b" announces two healthy partitions; "b!" an unhealthy one. */
static inline void announce_now(World *world, const char *ids) {
  KubeletPartition items[8];
  char names[8][16];
  KubeletPartitions partitions = {.items = items};
  Error err = {0};
  while (*ids) {
    size_t size = strcspn(ids, " ");
    bool is_healthy = ids[size - 1] != '!';
    snprintf(names[partitions.count], sizeof names[0], "%.*s", (int)(size - !is_healthy), ids);
    items[partitions.count] = (KubeletPartition){.id = names[partitions.count], .healthy = is_healthy};
    partitions.count++;
    ids += size + (ids[size] == ' ');
  }
  assert_ok(kubelet_plugins_set(world->plugins, RESOURCE, &partitions, &err));
}

static inline void announce(World *world, const char *ids) {
  announce_now(world, ids);
  pass_time(world, 100);
}

static inline void on_helds(void *userdata, const KubeletHelds *helds, const Error *err) {
  World *world = userdata;
  text_clear(&world->seen);
  if (err)
    text_append(&world->seen, err->text);
  for (size_t i = 0; !err && i < helds->count; i++)
    text_format(&world->seen, "%s%s%s; ", string_or_empty(helds->items[i].pod),
                helds->items[i].pod ? " " : "", helds->items[i].ids.items[0]);
}

static inline const char *ask_allocatable(World *world) {
  assert_true(kubelet_pod_resources_allocatable(world->asker, on_helds, world));
  pass_time(world, 50);
  return text_string(&world->seen);
}

static inline const char *ask_held(World *world) {
  assert_true(kubelet_pod_resources_list(world->asker, on_helds, world));
  pass_time(world, 50);
  return text_string(&world->seen);
}

static inline const char *ask_pod(World *world, const char *name) {
  assert_true(kubelet_pod_resources_get(world->asker, "demo", name, on_helds, world));
  pass_time(world, 50);
  return text_string(&world->seen);
}

/* ---- the cluster's side ---- */

static inline void create(World *world, const char *path, const char *text) {
  Error err = {0};
  json_auto_t *object = json_loads(text, 0, NULL);
  assert_non_null(object);
  assert_ok(sim_api_create(world->api, path, object, &err));
}

static inline void send_pod_with(World *world, const char *name, const char *kind, const char *key,
                                 const char *value) {
  char text[512];
  snprintf(
      text, sizeof text,
      "{\"metadata\":{\"name\":\"%s\",\"%s\":{\"%s\":\"%s\"}},\"spec\":{\"nodeName\":\"n1\",\"containers\":"
      "[{\"name\":\"main\",\"resources\":{\"limits\":{\"" RESOURCE "\":\"1\"}}}]}}",
      name, kind, key, value);
  create(world, PODS, text);
}

/* A pod that somebody has bound to our node already. */
static inline void send_pod(World *world, const char *name) {
  send_pod_with(world, name, "labels", "app", "test");
}

static inline const json_t *find_pod(World *world, const char *name) {
  char key[64];
  snprintf(key, sizeof key, "demo/%s", name);
  return sim_api_store_find(sim_api_store(world->api), SIM_API_PODS, key);
}

static inline const char *pod_text(World *world, const char *name, const char *section, const char *field) {
  return json_string_value(json_object_get(json_object_get(find_pod(world, name), section), field));
}

static inline const char *env_of(World *world, const char *name) {
  return sim_disk_find_env(&world->disk, pod_text(world, name, "metadata", "uid"), "NVIDIA_VISIBLE_DEVICES");
}

static inline const char *offered(World *world, const char *list) {
  const json_t *node = sim_api_store_find(sim_api_store(world->api), SIM_API_NODES, "n1");
  return json_string_value(json_object_get(json_object_get(json_object_get(node, "status"), list), RESOURCE));
}

static inline void kubelet_start(World *world) {
  const SimKubeletOptions options = {.node_name = "n1",
                                     .container_start_ms = START_MS,
                                     .container_stop_ms = STOP_MS,
                                     .status_tick_ms = TICK_MS};
  world->kubelet =
      sim_kubelet_new(&options, &world->host, sim_api_seam(world->api), world->port, &world->disk);
  sim_kubelet_start(world->kubelet);
}

static inline int setup(void **state) {
  World *world = mem_alloc(sizeof *world);
  host_init(&world->host, 7);
  host_advance(&world->host, 0, 1700000000000);
  world->api = sim_api_new(&(SimApiOptions){.latency_ms = 1, .jitter_ms = 2}, &world->host);
  world->port = sim_port_new(&world->host, 1);
  create(world, "/api/v1/namespaces", "{\"metadata\":{\"name\":\"demo\"}}");
  create(world, "/api/v1/nodes", "{\"metadata\":{\"name\":\"n1\"},\"spec\":{},\"status\":{}}");
  kubelet_start(world);
  agent_start(world);
  *state = world;
  return 0;
}

static inline int teardown(void **state) {
  World *world = *state;
  if (world->plugins)
    agent_stop(world);
  sim_kubelet_free(world->kubelet);
  sim_port_free(world->port);
  sim_disk_deinit(&world->disk);
  sim_api_free(world->api);
  host_deinit(&world->host);
  text_deinit(&world->seen);
  free(world);
  return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
