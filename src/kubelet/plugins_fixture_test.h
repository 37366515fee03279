/* SPDX-License-Identifier: Apache-2.0 */
/* A world for the tests of the plugins: an agent's plugins, and a kubelet that behaves as the real one
 * (v1.36, pkg/kubelet/cm/devicemanager). On start it removes every socket of the folder and makes its own;
 * before it answers Register it connects back and asks for the options; afterwards it opens ListAndWatch
 * there. */
#pragma once

#include "kubelet/plugins.h"

#include "base/test.h"
#include "kubelet/connection.h"
#include "kubelet/memory_port_test.h"

#define FOLDER   "/dp"
#define KUBELET  FOLDER "/kubelet.sock"
#define RESOURCE "nvidia.com/mig-1g.10gb"
#define SOCKET   FOLDER "/facet-mig-1g.10gb.sock"

typedef struct World World;

/* The kubelet's side of one plugin. */
typedef struct Endpoint {
  World *world;
  char *name;
  KubeletConnection *connection;
  GrpcCall *registration; /* waits for our look at the options */
  GrpcCall *watch;
} Endpoint;

struct World {
  Host host;
  MemoryPort port;
  KubeletPlugins *plugins;
  Text story;
  /* the kubelet */
  KubeletListener *listener;
  ARRAY(KubeletConnection *) clients; /* connections to its socket */
  ARRAY(Endpoint *) endpoints;
  const char *refuses; /* what Register is answered with; NULL: it succeeds */
  bool is_mute;        /* never answers Register */
  bool is_idle;        /* never asks for ListAndWatch */
  bool is_forgetful;   /* asks for ListAndWatch and forgets to answer Register */
};

static inline void tell(World *world, const char *format, ...) PRINTF_LIKE(2, 3);

static inline void tell(World *world, const char *format, ...) {
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  text_append(&world->story, line);
}

#define assert_story(world, expected)                                                                        \
  do {                                                                                                       \
    assert_string_equal(text_string(&(world)->story), expected);                                             \
    text_clear(&(world)->story);                                                                             \
  } while (0)

/* The kubelet */

static inline void on_endpoint_lost(void *userdata, const Error *err) {
  Endpoint *endpoint = userdata;
  endpoint->connection = NULL;
}

static inline void on_list(void *userdata, const void *message, size_t size) {
  Endpoint *endpoint = userdata;
  CLEANUP(arena_deinit) Arena arena = {0};
  KubeletPartitions partitions = {0};
  Error err = {0};
  assert_ok(kubelet_partitions_decode(message, size, &arena, &partitions, &err));
  tell(endpoint->world, "list");
  for (size_t i = 0; i < partitions.count; i++)
    tell(endpoint->world, " %s%s", partitions.items[i].id, partitions.items[i].healthy ? "" : "!");
  tell(endpoint->world, ";");
}

static inline void on_list_end(void *userdata, GrpcStatus status, const char *text) {
  ((Endpoint *)userdata)->watch = NULL;
}

static inline void open_watch(Endpoint *endpoint) {
  const GrpcReply reply = {.on_message = on_list, .on_end = on_list_end, .userdata = endpoint};
  endpoint->watch = grpc_session_call(kubelet_connection_session(endpoint->connection),
                                      KUBELET_METHOD_LIST_AND_WATCH, "", 0, 0, &reply);
}

static inline void on_options(void *userdata, const void *message, size_t size) {
  bool preferred = false, pre_start = true;
  Error err = {0};
  assert_ok(kubelet_options_decode(message, size, &preferred, &pre_start, &err));
  assert_true(preferred);
  assert_false(pre_start);
}

static inline void on_options_end(void *userdata, GrpcStatus status, const char *text) {
  Endpoint *endpoint = userdata;
  World *world = endpoint->world;
  if (!endpoint->registration)
    return;
  if (status != GRPC_OK) {
    grpc_call_finish(TAKE(endpoint->registration), GRPC_UNKNOWN, "no way back");
    return;
  }
  tell(world, "options;");
  if (!world->is_forgetful) {
    grpc_call_send(endpoint->registration, "", 0);
    grpc_call_finish(TAKE(endpoint->registration), GRPC_OK, "");
  }
  if (!world->is_idle)
    open_watch(endpoint);
}

static inline void on_registration_gone(void *userdata) {
  ((Endpoint *)userdata)->registration = NULL;
}

static inline void connect_back(World *world, GrpcCall *call, const KubeletRegister *request) {
  Endpoint *endpoint = mem_alloc(sizeof *endpoint);
  *array_push(&world->endpoints) = endpoint;
  char path[256];
  snprintf(path, sizeof path, FOLDER "/%s", request->endpoint);
  endpoint->world = world;
  endpoint->name = mem_strdup(request->resource_name);
  endpoint->registration = call;
  grpc_call_on_gone(call, on_registration_gone, endpoint);
  endpoint->connection =
      kubelet_connection_dial(&world->host, &world->port.seam, path, on_endpoint_lost, endpoint);
  const GrpcReply reply = {.on_message = on_options, .on_end = on_options_end, .userdata = endpoint};
  grpc_session_call(kubelet_connection_session(endpoint->connection), KUBELET_METHOD_OPTIONS, "", 0, 0,
                    &reply);
}

static inline void on_kubelet_call(void *userdata, GrpcCall *call, const char *method, const void *message,
                                   size_t size) {
  World *world = userdata;
  CLEANUP(arena_deinit) Arena arena = {0};
  KubeletRegister request = {0};
  Error err = {0};
  assert_string_equal(method, KUBELET_METHOD_REGISTER);
  assert_ok(kubelet_register_decode(message, size, &arena, &request, &err));
  assert_string_equal(request.version, "v1beta1");
  assert_true(request.preferred_allocation);
  tell(world, "register %s at %s;", request.resource_name, request.endpoint);
  if (world->refuses)
    grpc_call_finish(call, GRPC_UNKNOWN, world->refuses);
  else if (!world->is_mute)
    connect_back(world, call, &request);
}

static inline void on_client_lost(void *userdata, const Error *err) {
  World *world = userdata;
  array_clear(&world->clients); /* the cases never have two at a time when one is lost */
}

static inline void on_kubelet_accept(void *userdata, KubeletStream *stream) {
  World *world = userdata;
  *array_push(&world->clients) = kubelet_connection_accept(&world->host, &world->port.seam, stream,
                                                           on_kubelet_call, on_client_lost, world);
}

static inline void kubelet_start(World *world) {
  Error err = {0};
  while (world->port.files.count)
    memory_port_remove(&world->port, world->port.files.items[0].path);
  assert_ok(
      world->port.seam.listen(&world->port.seam, KUBELET, on_kubelet_accept, world, &world->listener, &err));
}

/* Killed: its socket file stays, its connections end. */
static inline void kubelet_kill(World *world) {
  if (world->listener)
    world->listener->is_closed = true;
  world->listener = NULL;
  for (size_t i = 0; i < world->endpoints.count; i++) {
    Endpoint *endpoint = world->endpoints.items[i];
    endpoint->registration = NULL;
    if (endpoint->connection)
      kubelet_connection_close(endpoint->connection);
    free(endpoint->name);
    free(endpoint);
  }
  array_clear(&world->endpoints);
  for (size_t i = 0; i < world->clients.count; i++)
    kubelet_connection_close(world->clients.items[i]);
  array_clear(&world->clients);
}

/* The agent */

static inline int on_allocate(void *userdata, const char *resource, const Strings *ids, Arena *arena,
                              KubeletAllocation *ret_allocation, Error *err) {
  if (strcmp(ids->items[0], "gone") == 0)
    return error_set(err, ERROR_NOT_FOUND, "the slice gone of %s does not exist any more", resource);
  KeyValue *env = arena_alloc(arena, sizeof *env);
  *env = (KeyValue){.key = "NVIDIA_VISIBLE_DEVICES", .value = ids->items[0]};
  ret_allocation->envs = (KeyValues){.items = env, .count = 1};
  return 0;
}

static inline void on_preferred_last(void *userdata, const char *resource, const KubeletPreferred *request,
                                     Arena *arena, Strings *ret_ids) {
  *ret_ids = (Strings){.items = &request->available.items[request->available.count - 1], .count = 1};
}

static inline void on_registered(void *userdata, const char *resource) {
  tell(userdata, "registered %s;", resource);
}

static inline void on_trouble(void *userdata, const char *resource, const Error *err) {
  tell(userdata, "%s %s%s%s;", err ? "trouble" : "well", resource ? resource : "-", err ? ": " : "",
       err ? err->text : "");
}

static inline void on_rival(void *userdata, const char *resource) {
  tell(userdata, "rival %s;", resource);
}

static inline void set(World *world, const char *resource, const char *ids) {
  KubeletPartition items[16];
  KubeletPartitions partitions = {.items = items};
  CLEANUP(cleanup_free) char *copy = mem_strdup(ids);
  char *rest = copy;
  Error err = {0};
  for (char *id; (id = strsep(&rest, " "));) {
    size_t length = strlen(id);
    bool is_unhealthy = length && id[length - 1] == '!';
    if (is_unhealthy)
      id[length - 1] = '\0';
    if (*id)
      items[partitions.count++] = (KubeletPartition){.id = id, .healthy = !is_unhealthy};
  }
  assert_ok(kubelet_plugins_set(world->plugins, resource, &partitions, &err));
}

static inline KubeletPluginsOptions options_of(World *world) {
  return (KubeletPluginsOptions){.folder = FOLDER,
                                 .on_allocate = on_allocate,
                                 .on_registered = on_registered,
                                 .on_trouble = on_trouble,
                                 .on_rival = on_rival,
                                 .userdata = world};
}

static inline int world_init(void **state) {
  World *world = mem_alloc(sizeof *world);
  host_init(&world->host, 1);
  memory_port_init(&world->port);
  const KubeletPluginsOptions options = options_of(world);
  world->plugins = kubelet_plugins_new(&world->host, &world->port.seam, &options);
  *state = world;
  return 0;
}

static inline int world_deinit(void **state) {
  World *world = *state;
  kubelet_plugins_free(world->plugins);
  kubelet_kill(world);
  memory_port_run(&world->port, &world->host);
  assert_int_equal(host_next_ms(&world->host), HOST_NEVER);
  memory_port_deinit(&world->port);
  array_deinit(&world->endpoints);
  array_deinit(&world->clients);
  text_deinit(&world->story);
  host_deinit(&world->host);
  free(world);
  return 0;
}

static inline void run(World *world) {
  memory_port_run(&world->port, &world->host);
}

static inline void run_for(World *world, uint64_t duration_ms) {
  memory_port_run_for(&world->port, &world->host, duration_ms);
}

/* A kubelet that has our one resource with this list. */
static inline void start_registered(World *world, const char *ids) {
  kubelet_start(world);
  set(world, RESOURCE, ids);
  run(world);
  text_clear(&world->story);
}
