/* SPDX-License-Identifier: Apache-2.0 */
/* The server and one client of it on virtual time, for this folder's tests. */
#pragma once

#include "base/test.h"

#include "cluster/object.h"
#include "kube/client.h"
#include "sim/apiserver/server.h"

#define NODE_PATH "/api/v1/nodes"
#define PODS_PATH "/api/v1/namespaces/default/pods"

typedef struct World {
  Host host;
  SimApi *api;
  KubeClient *client;
  /* the last answer */
  int answer_count, status;
  Text body;
  char failure[ERROR_TEXT_SIZE];
} World;

static inline void world_init(World *world, uint32_t jitter_ms, uint64_t seed) {
  *world = (World){0};
  host_init(&world->host, seed);
  host_advance(&world->host, 0, 1700000000000);
  world->api = sim_api_new(&(SimApiOptions){.latency_ms = 1, .jitter_ms = jitter_ms}, &world->host);
  world->client = kube_client_new(&world->host, sim_api_seam(world->api));
}

static inline void world_deinit(World *world) {
  kube_client_free(world->client);
  sim_api_free(world->api);
  host_deinit(&world->host);
  text_deinit(&world->body);
}

static inline void pass_time(World *world, uint64_t duration_ms) {
  uint64_t end_ms = world->host.now_ms + duration_ms;
  host_run_timers(&world->host);
  while (host_next_ms(&world->host) <= end_ms) {
    host_advance(&world->host, host_next_ms(&world->host), 1700000000000);
    host_run_timers(&world->host);
  }
  host_advance(&world->host, end_ms, 1700000000000);
}

static inline void on_answer(void *userdata, const KubeAnswer *answer) {
  World *world = userdata;
  world->answer_count++;
  world->status = answer->err ? -1 : answer->status;
  text_clear(&world->body);
  if (!answer->err)
    text_append_bytes(&world->body, answer->body, answer->body_size);
  snprintf(world->failure, sizeof world->failure, "%s",
           answer->err ? answer->err->text : answer->failure.message);
}

/* Sends, and waits for the answer; returns its status, -1 where there was none. */
static inline int call(World *world, const char *method, const char *path, const char *type,
                       const char *body) {
  int before = world->answer_count;
  kube_client_call(world->client, &(KubeCallOptions){.method = method,
                                                     .path = path,
                                                     .content_type = type,
                                                     .body = body,
                                                     .body_size = body ? strlen(body) : 0,
                                                     .on_answer = on_answer,
                                                     .userdata = world});
  assert_int_equal(world->answer_count, before); /* never from inside the call */
  pass_time(world, 20);
  assert_int_equal(world->answer_count, before + 1);
  return world->status;
}

static inline int post(World *world, const char *path, const char *body) {
  return call(world, "POST", path, "application/json", body);
}

static inline void create_node(World *world, const char *name) {
  char body[256];
  snprintf(body, sizeof body,
           "{\"metadata\":{\"name\":\"%s\",\"annotations\":{\"plan\":\"1\"}},\"spec\":{},\"status\":{"
           "\"capacity\":{\"cpu\":\"1\"}}}",
           name);
  assert_int_equal(post(world, NODE_PATH, body), 201);
}

static inline void create_pod(World *world, const char *name) {
  char body[256];
  snprintf(body, sizeof body, "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"containers\":[]}}", name);
  assert_int_equal(post(world, PODS_PATH, body), 201);
}

/* A text of an object in the store by its path through the object, e.g. "status phase". */
static inline const char *look(World *world, SimApiKind kind, const char *key, const char *section,
                               const char *field, const char *inner) {
  const json_t *value = sim_api_store_find(sim_api_store(world->api), kind, key);
  value = json_object_get(json_object_get(value, section), field);
  return json_string_value(inner ? json_object_get(value, inner) : value);
}
