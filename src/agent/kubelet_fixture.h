/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: a kubelet on a port in memory, with its device manager and its pod-resources socket. It tells
 * each list that it receives to a story: "list 1g.10gb: MIG-0-5 MIG-0-6;". Lists that begin empty, as those
 * of most profiles do, are not worth a word. */
#pragma once

#include "base/test.h"

#include "kubelet/connection.h"
#include "kubelet/memory_port_test.h"
#include "kubelet/wire.h"
#include "mig/model.h"

#define FOLDER     "/dp"
#define KUBELET    FOLDER "/kubelet.sock"
#define POD_SOCKET "/pods.sock"

typedef struct FakeKubelet FakeKubelet;

/* A plugin that registered. */
typedef struct Endpoint {
  FakeKubelet *kubelet;
  char *resource;
  KubeletConnection *connection; /* NULL: lost */
  Text ids;                      /* "MIG-0-5 MIG-0-6" */
} Endpoint;

/* A connection to one of its sockets. */
typedef struct Peer {
  FakeKubelet *kubelet;
  KubeletConnection *connection; /* NULL: lost */
} Peer;

struct FakeKubelet {
  Host *host;
  MemoryPort *port;
  Text *story;
  KubeletListener *listeners[2];
  ARRAY(Endpoint *) endpoints;
  ARRAY(Peer *) peers;
  Text held;         /* ids that pods hold */
  Map allocated;     /* those of them that the plugin was asked for */
  Text reserved;     /* ids that the reservation pod holds */
  char *reservation; /* its name; NULL: there is none */
  bool has_no_get;   /* as kubelets before 1.34 */
  bool is_slow;      /* answers Get when kubelet_answer_late() says so */
  GrpcCall *late;
  Text late_answer;
  Text strange;          /* what NVIDIA's plugin announces: "nvidia.com/mig-1g.10gb=MIG-0-5 ..." */
  int lists;             /* times that it was asked who holds what */
  bool hides_new_slices; /* GetAllocatableResources lags */
  const char *foreign;   /* ids of 1g.10gb that another plugin lists, in the place of ours; NULL: none */
  bool asks_another;     /* ... and Allocate goes there */
};

static inline Strings split(const char *words, Arena *arena) {
  size_t most = strlen(words) / 2 + 1;
  Strings strings = {.items = arena_alloc(arena, most * sizeof *strings.items)};
  char *rest = arena_strdup(arena, words);
  for (char *word; (word = strsep(&rest, " "));)
    if (*word)
      strings.items[strings.count++] = word;
  return strings;
}

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
  if (!endpoint->ids.size && !partitions.count)
    return;
  text_clear(&endpoint->ids);
  for (size_t i = 0; i < partitions.count; i++)
    text_format(&endpoint->ids, "%s%s", i ? " " : "", partitions.items[i].id);
  text_format(endpoint->kubelet->story, "list %s:%s%s;",
              endpoint->resource + (mig_profile_is_resource(endpoint->resource) ? strlen(MIG_RESOURCE_PREFIX)
                                                                                : strlen("nvidia.com/")),
              partitions.count ? " " : "", text_string(&endpoint->ids));
}

static inline void on_list_end(void *userdata, GrpcStatus status, const char *text) {
}

static inline void on_register(FakeKubelet *kubelet, const KubeletRegister *request) {
  Endpoint *endpoint = mem_alloc(sizeof *endpoint);
  *array_push(&kubelet->endpoints) = endpoint;
  endpoint->kubelet = kubelet;
  endpoint->resource = mem_strdup(request->resource_name);
  CLEANUP(cleanup_free) char *path = mem_format(FOLDER "/%s", request->endpoint);
  endpoint->connection =
      kubelet_connection_dial(kubelet->host, &kubelet->port->seam, path, on_endpoint_lost, endpoint);
  const GrpcReply reply = {.on_message = on_list, .on_end = on_list_end, .userdata = endpoint};
  grpc_session_call(kubelet_connection_session(endpoint->connection), KUBELET_METHOD_LIST_AND_WATCH, "", 0, 0,
                    &reply);
}

/* Only the newest registration of a resource counts. */
static inline bool is_newest(const FakeKubelet *kubelet, size_t i) {
  for (size_t k = i + 1; k < kubelet->endpoints.count; k++)
    if (strcmp(kubelet->endpoints.items[k]->resource, kubelet->endpoints.items[i]->resource) == 0)
      return false;
  return true;
}

static inline void encode_allocatable(FakeKubelet *kubelet, Arena *arena, Text *out) {
  Strings strange = split(text_string(&kubelet->strange), arena);
  size_t most = kubelet->endpoints.count + strange.count + 1;
  KubeletHelds helds = {.items = arena_alloc(arena, most * sizeof *helds.items)};
  if (kubelet->foreign)
    helds.items[helds.count++] =
        (KubeletHeld){.resource = "nvidia.com/mig-1g.10gb", .ids = split(kubelet->foreign, arena)};
  for (size_t i = 0; i < strange.count; i++) {
    const char *id = strchr(strange.items[i], '=') + 1;
    helds.items[helds.count++] = (KubeletHeld){
        .resource = arena_format(arena, "%.*s", (int)(id - strange.items[i]) - 1, strange.items[i]),
        .ids = split(id, arena)};
  }
  for (size_t i = 0; i < kubelet->endpoints.count && !kubelet->hides_new_slices; i++) {
    const Endpoint *endpoint = kubelet->endpoints.items[i];
    bool is_hidden = kubelet->foreign && strcmp(endpoint->resource, "nvidia.com/mig-1g.10gb") == 0;
    if (endpoint->connection && is_newest(kubelet, i) && !is_hidden)
      helds.items[helds.count++] =
          (KubeletHeld){.resource = endpoint->resource, .ids = split(text_string(&endpoint->ids), arena)};
  }
  kubelet_allocatable_encode(&helds, out);
}

/* What a pod holds was allocated by the newest plugin that has it. */
static inline void allocate(FakeKubelet *kubelet, const char *id) {
  static const GrpcReply reply = {.on_end = on_list_end};
  Endpoint *owner = NULL;
  for (size_t i = 0; i < kubelet->endpoints.count; i++)
    if (kubelet->endpoints.items[i]->connection && strstr(text_string(&kubelet->endpoints.items[i]->ids), id))
      owner = kubelet->endpoints.items[i];
  if (!owner || kubelet->asks_another || map_put(&kubelet->allocated, id, kubelet))
    return;
  CLEANUP(text_deinit) Text request = {0};
  Strings container = {.items = &id, .count = 1};
  kubelet_allocate_encode(&(KubeletIdLists){.items = &container, .count = 1}, &request);
  grpc_session_call(kubelet_connection_session(owner->connection), KUBELET_METHOD_ALLOCATE, request.bytes,
                    request.size, 0, &reply);
}

static inline KubeletHeld held_by(const char *namespace_, const char *pod, const Text *ids, Arena *arena) {
  return (KubeletHeld){.pod = pod,
                       .namespace_ = namespace_,
                       .container = "main",
                       .resource = "nvidia.com/mig-1g.10gb",
                       .ids = split(text_string(ids), arena)};
}

static inline void encode_held(FakeKubelet *kubelet, Arena *arena, Text *out) {
  KubeletHeld held[] = {held_by("demo", "p", &kubelet->held, arena),
                        held_by("facet-system", kubelet->reservation, &kubelet->reserved, arena)};
  for (size_t i = 0; i < (kubelet->reservation ? 2 : 1); i++) {
    for (size_t k = 0; k < held[i].ids.count; k++)
      allocate(kubelet, held[i].ids.items[k]);
    if (held[i].ids.count)
      kubelet_helds_encode(&(KubeletHelds){.items = &held[i], .count = 1}, out);
  }
}

/* Of the reservation pod, the only one that is asked for. */
static inline void encode_reserved(FakeKubelet *kubelet, const void *message, size_t size, Arena *arena,
                                   Text *out) {
  KubeletPodName name = {0};
  Error err = {0};
  assert_ok(kubelet_pod_name_decode(message, size, arena, &name, &err));
  KubeletHeld held = held_by(name.namespace_, name.pod, &kubelet->reserved, arena);
  kubelet_helds_encode(&(KubeletHelds){.items = &held, .count = held.ids.count > 0}, out);
}

static inline void kubelet_answer_late(FakeKubelet *kubelet) {
  GrpcCall *call = TAKE(kubelet->late);
  kubelet->is_slow = false;
  grpc_call_send(call, text_string(&kubelet->late_answer), kubelet->late_answer.size);
  grpc_call_finish(call, GRPC_OK, "");
}

static inline void on_kubelet_call(void *userdata, GrpcCall *call, const char *method, const void *message,
                                   size_t size) {
  FakeKubelet *kubelet = ((Peer *)userdata)->kubelet;
  CLEANUP(arena_deinit) Arena arena = {0};
  CLEANUP(text_deinit) Text out = {0};
  Error err = {0};
  if (strcmp(method, KUBELET_METHOD_REGISTER) == 0) {
    KubeletRegister request = {0};
    assert_ok(kubelet_register_decode(message, size, &arena, &request, &err));
    on_register(kubelet, &request);
  } else if (strcmp(method, KUBELET_METHOD_ALLOCATABLE) == 0) {
    encode_allocatable(kubelet, &arena, &out);
  } else if (strcmp(method, KUBELET_METHOD_PODS_GET) == 0) {
    if (kubelet->has_no_get) {
      grpc_call_finish(call, GRPC_UNKNOWN, "PodResources API Get method disabled");
      return;
    }
    encode_reserved(kubelet, message, size, &arena, &out);
    if (kubelet->is_slow) {
      kubelet->late = call;
      text_append_bytes(&kubelet->late_answer, out.bytes, out.size);
      return;
    }
  } else {
    assert_string_equal(method, KUBELET_METHOD_PODS_LIST);
    kubelet->lists++;
    encode_held(kubelet, &arena, &out);
  }
  grpc_call_send(call, text_string(&out), out.size);
  grpc_call_finish(call, GRPC_OK, "");
}

static inline void on_peer_lost(void *userdata, const Error *err) {
  ((Peer *)userdata)->connection = NULL;
}

static inline void on_kubelet_accept(void *userdata, KubeletStream *stream) {
  FakeKubelet *kubelet = userdata;
  Peer *peer = mem_alloc(sizeof *peer);
  *array_push(&kubelet->peers) = peer;
  peer->kubelet = kubelet;
  peer->connection = kubelet_connection_accept(kubelet->host, &kubelet->port->seam, stream, on_kubelet_call,
                                               on_peer_lost, peer);
}

/* On start it removes every socket of its folder and makes its own. */
static inline void kubelet_start(FakeKubelet *kubelet) {
  Error err = {0};
  while (kubelet->port->files.count)
    memory_port_remove(kubelet->port, kubelet->port->files.items[0].path);
  KubeletPort *port = &kubelet->port->seam;
  assert_ok(port->listen(port, KUBELET, on_kubelet_accept, kubelet, &kubelet->listeners[0], &err));
  assert_ok(port->listen(port, POD_SOCKET, on_kubelet_accept, kubelet, &kubelet->listeners[1], &err));
}

static inline void kubelet_kill(FakeKubelet *kubelet) {
  for (int i = 0; i < 2; i++)
    if (kubelet->listeners[i])
      TAKE(kubelet->listeners[i])->is_closed = true;
  for (size_t i = 0; i < kubelet->endpoints.count; i++) {
    Endpoint *endpoint = kubelet->endpoints.items[i];
    kubelet_connection_close(endpoint->connection);
    text_deinit(&endpoint->ids);
    free(endpoint->resource);
    free(endpoint);
  }
  array_clear(&kubelet->endpoints);
  for (size_t i = 0; i < kubelet->peers.count; i++) {
    kubelet_connection_close(kubelet->peers.items[i]->connection);
    free(kubelet->peers.items[i]);
  }
  array_clear(&kubelet->peers);
}

static inline void kubelet_deinit(FakeKubelet *kubelet) {
  kubelet_kill(kubelet);
  array_deinit(&kubelet->endpoints);
  array_deinit(&kubelet->peers);
  text_deinit(&kubelet->held);
  map_deinit(&kubelet->allocated);
  text_deinit(&kubelet->strange);
  text_deinit(&kubelet->reserved);
  text_deinit(&kubelet->late_answer);
  free(kubelet->reservation);
}
