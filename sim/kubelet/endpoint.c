/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin registers: we dial its socket and ask for its options before we answer, then keep ListAndWatch
 * open on that connection. A lost connection makes everything it listed unhealthy.
 *
 * Where a second plugin registers the same resource, it is the one that is asked from now on; the first one
 * keeps its ListAndWatch, and the last list of either counts. When the ListAndWatch of one of them ends, we
 * hang up on the one that registered last, whichever ended, and ask nobody any more (plugin/v1beta1/server.go
 * and handler.go of the real one: runClient, PluginDisconnected). */
#include "sim/kubelet/state.h"

#include <assert.h>

SimResource *sim_endpoint_find(const SimKubelet *kubelet, const char *name) {
  for (size_t i = 0; i < kubelet->resources.count; i++)
    if (strcmp(kubelet->resources.items[i]->name, name) == 0)
      return kubelet->resources.items[i];
  return NULL;
}

static SimResource *get_resource(SimKubelet *kubelet, const char *name) {
  SimResource *resource = sim_endpoint_find(kubelet, name);
  if (resource)
    return resource;
  resource = mem_alloc(sizeof *resource);
  resource->name = mem_strdup(name);
  *array_push(&kubelet->resources) = resource;
  return resource;
}

void sim_endpoint_remember(SimKubelet *kubelet, const char *name) {
  get_resource(kubelet, name);
}

static void clear_partitions(SimResource *resource) {
  for (size_t i = 0; i < resource->partitions.count; i++)
    free(resource->partitions.items[i].id);
  array_clear(&resource->partitions);
}

size_t sim_endpoint_count_healthy(const SimResource *resource) {
  size_t count = 0;
  for (size_t i = 0; i < resource->partitions.count; i++)
    count += resource->partitions.items[i].is_healthy;
  return count;
}

static void release(SimEndpoint *endpoint) {
  if (endpoint->connection || endpoint->calls)
    return;
  SimKubelet *kubelet = endpoint->kubelet;
  for (size_t i = 0; i < kubelet->endpoints.count; i++)
    if (kubelet->endpoints.items[i] == endpoint) {
      array_remove(&kubelet->endpoints, i);
      break;
    }
  SimResource *resource = sim_endpoint_find(kubelet, endpoint->resource);
  if (resource && resource->client == endpoint)
    resource->client = NULL;
  free(endpoint->resource);
  free(endpoint);
}

static void stop(SimResource *resource) {
  resource->endpoint = NULL;
  for (size_t i = 0; i < resource->partitions.count; i++)
    resource->partitions.items[i].is_healthy = false;
}

static void leave_resource(SimEndpoint *endpoint) {
  SimResource *resource = sim_endpoint_find(endpoint->kubelet, endpoint->resource);
  if (resource && resource->endpoint == endpoint)
    stop(resource);
}

static void on_lost(void *userdata, const Error *err) {
  SimEndpoint *endpoint = userdata;
  leave_resource(endpoint);
  endpoint->connection = NULL;
  release(endpoint);
}

/* The calls end with it, and each of them may be the last one that needs the endpoint. */
static void hang_up(SimEndpoint *endpoint) {
  leave_resource(endpoint);
  endpoint->calls++;
  if (endpoint->connection)
    kubelet_connection_close(TAKE(endpoint->connection));
  sim_endpoint_call_ended(endpoint);
}

void sim_endpoint_call(SimEndpoint *endpoint, const char *method, const Text *message,
                       const GrpcReply *reply) {
  endpoint->calls++;
  grpc_session_call(kubelet_connection_session(endpoint->connection), method, text_string(message),
                    message->size, 0, reply);
}

void sim_endpoint_call_ended(SimEndpoint *endpoint) {
  assert(endpoint->calls > 0);
  endpoint->calls--;
  release(endpoint);
}

/* ---- ListAndWatch ---- */

static void on_list(void *userdata, const void *message, size_t size) {
  SimEndpoint *endpoint = userdata;
  SimResource *resource = sim_endpoint_find(endpoint->kubelet, endpoint->resource);
  CLEANUP(arena_deinit) Arena arena = {0};
  KubeletPartitions listed;
  Error err;
  if (!resource || kubelet_partitions_decode(message, size, &arena, &listed, &err) < 0)
    return;
  clear_partitions(resource);
  resource->is_listed = true;
  for (size_t i = 0; i < listed.count; i++)
    *array_push(&resource->partitions) =
        (SimPartition){.id = mem_strdup(listed.items[i].id), .is_healthy = listed.items[i].healthy};
}

static void on_list_end(void *userdata, GrpcStatus status, const char *text) {
  SimEndpoint *endpoint = userdata;
  SimResource *resource = sim_endpoint_find(endpoint->kubelet, endpoint->resource);
  SimEndpoint *client = resource ? TAKE(resource->client) : NULL;
  if (client) {
    stop(resource);
    hang_up(client);
  }
  sim_endpoint_call_ended(endpoint);
}

static void open_list(SimEndpoint *endpoint) {
  SimResource *resource = get_resource(endpoint->kubelet, endpoint->resource);
  resource->endpoint = endpoint;
  if (!resource->client)
    resource->client = endpoint;
  resource->is_listed = false;
  map_put(&endpoint->kubelet->disk->registered, endpoint->resource, endpoint->kubelet->disk);
  const GrpcReply reply = {.on_message = on_list, .on_end = on_list_end, .userdata = endpoint};
  const Text empty = {0};
  sim_endpoint_call(endpoint, KUBELET_METHOD_LIST_AND_WATCH, &empty, &reply);
}

/* ---- registration ---- */

static void on_options(void *userdata, const void *message, size_t size) {
  SimEndpoint *endpoint = userdata;
  bool pre_start;
  Error err;
  if (kubelet_options_decode(message, size, &endpoint->prefers, &pre_start, &err) < 0)
    endpoint->prefers = false;
}

static void on_options_end(void *userdata, GrpcStatus status, const char *text) {
  SimEndpoint *endpoint = userdata;
  GrpcCall *registration = TAKE(endpoint->registration);
  bool is_good = registration && status == GRPC_OK && endpoint->connection;
  if (is_good)
    grpc_call_send(registration, "", 0);
  if (registration)
    grpc_call_finish(registration, is_good ? GRPC_OK : GRPC_UNKNOWN, is_good ? "" : text);
  if (is_good)
    open_list(endpoint);
  else
    hang_up(endpoint);
  sim_endpoint_call_ended(endpoint);
}

static void on_registration_gone(void *userdata) {
  ((SimEndpoint *)userdata)->registration = NULL;
}

static void connect_back(SimKubelet *kubelet, GrpcCall *call, const KubeletRegister *request) {
  SimEndpoint *endpoint = mem_alloc(sizeof *endpoint);
  *array_push(&kubelet->endpoints) = endpoint;
  endpoint->kubelet = kubelet;
  endpoint->resource = mem_strdup(request->resource_name);
  endpoint->registration = call;
  SimResource *resource = sim_endpoint_find(kubelet, request->resource_name);
  if (resource)
    resource->client = endpoint;
  grpc_call_on_gone(call, on_registration_gone, endpoint);
  CLEANUP(cleanup_free) char *path = mem_format(SIM_KUBELET_PLUGIN_FOLDER "/%s", request->endpoint);
  endpoint->connection = kubelet_connection_dial(kubelet->host, kubelet->seam, path, on_lost, endpoint);
  const GrpcReply reply = {.on_message = on_options, .on_end = on_options_end, .userdata = endpoint};
  const Text empty = {0};
  sim_endpoint_call(endpoint, KUBELET_METHOD_OPTIONS, &empty, &reply);
}

static void on_call(void *userdata, GrpcCall *call, const char *method, const void *message, size_t size) {
  SimKubelet *kubelet = userdata;
  CLEANUP(arena_deinit) Arena arena = {0};
  KubeletRegister request;
  Error err;
  if (strcmp(method, KUBELET_METHOD_REGISTER) != 0)
    grpc_call_finish(call, GRPC_UNIMPLEMENTED, "unknown method");
  else if (kubelet_register_decode(message, size, &arena, &request, &err) < 0)
    grpc_call_finish(call, GRPC_INVALID_ARGUMENT, err.text);
  else if (!string_equal(request.version, "v1beta1"))
    grpc_call_finish(call, GRPC_UNKNOWN, "requested API version is not supported by kubelet");
  else
    connect_back(kubelet, call, &request);
}

void sim_endpoint_on_accept(void *userdata, KubeletStream *stream) {
  sim_kubelet_accept(userdata, stream, on_call);
}

void sim_endpoint_deinit(SimKubelet *kubelet) {
  while (kubelet->endpoints.count)
    hang_up(kubelet->endpoints.items[kubelet->endpoints.count - 1]);
  for (size_t i = 0; i < kubelet->resources.count; i++) {
    clear_partitions(kubelet->resources.items[i]);
    array_deinit(&kubelet->resources.items[i]->partitions);
    free(kubelet->resources.items[i]->name);
    free(kubelet->resources.items[i]);
  }
  array_deinit(&kubelet->resources);
  array_deinit(&kubelet->endpoints);
}
