/* SPDX-License-Identifier: Apache-2.0 */
/* The pod-resources API: List tells who holds what, Get the same of one pod, GetAllocatableResources which
 * healthy partitions there are, one entry each. */
#include "sim/kubelet/state.h"

static void send(GrpcCall *call, const Text *message) {
  grpc_call_send(call, message->bytes, message->size);
  grpc_call_finish(call, GRPC_OK, "");
}

/* pod NULL: all that the kubelet knows. After a restart that is none until the API server has told. As in the
 * real one, what Allocate has not answered for yet is taken, but not shown. */
static void send_helds(const SimKubelet *kubelet, GrpcCall *call, const SimPod *pod) {
  CLEANUP(arena_deinit) Arena arena = {0};
  CLEANUP(text_deinit) Text message = {0};
  KubeletHelds helds = {.items = arena_alloc(&arena, kubelet->disk->held.count * sizeof *helds.items)};
  for (size_t i = 0; i < kubelet->disk->held.count; i++) {
    const SimHeld *held = kubelet->disk->held.items[i];
    bool is_asked_for = pod ? strcmp(held->uid, pod->uid) == 0 : sim_pods_is_known(kubelet, held->uid);
    if (!is_asked_for || !held->is_answered)
      continue;
    helds.items[helds.count++] = (KubeletHeld){.pod = held->pod,
                                               .namespace_ = held->namespace_,
                                               .container = held->container,
                                               .resource = held->resource,
                                               .ids = held->ids};
  }
  kubelet_helds_encode(&helds, &message);
  send(call, &message);
}

static const SimPod *find_pod(const SimKubelet *kubelet, const KubeletPodName *name) {
  for (size_t i = 0; i < kubelet->pods.count; i++) {
    const SimPod *pod = kubelet->pods.items[i];
    if (!pod->is_gone && strcmp(pod->name, name->pod) == 0 && strcmp(pod->namespace_, name->namespace_) == 0)
      return pod;
  }
  return NULL;
}

static void answer_get(const SimKubelet *kubelet, GrpcCall *call, const void *message, size_t size) {
  CLEANUP(arena_deinit) Arena arena = {0};
  KubeletPodName name;
  Error err;
  if (kubelet_pod_name_decode(message, size, &arena, &name, &err) < 0) {
    grpc_call_finish(call, GRPC_INTERNAL, err.text);
    return;
  }
  const SimPod *pod = find_pod(kubelet, &name);
  if (pod) {
    send_helds(kubelet, call, pod);
    return;
  }
  CLEANUP(cleanup_free) char *why = mem_format("pod %s in namespace %s not found", name.pod, name.namespace_);
  grpc_call_finish(call, GRPC_UNKNOWN, why);
}

static void add_healthy(const SimResource *resource, Arena *arena, KubeletHelds *helds) {
  for (size_t i = 0; i < resource->partitions.count; i++) {
    if (!resource->partitions.items[i].is_healthy)
      continue;
    const char **id = arena_alloc(arena, sizeof *id);
    *id = resource->partitions.items[i].id;
    helds->items[helds->count++] =
        (KubeletHeld){.resource = resource->name, .ids = {.items = id, .count = 1}};
  }
}

static void answer_allocatable(const SimKubelet *kubelet, GrpcCall *call) {
  CLEANUP(arena_deinit) Arena arena = {0};
  CLEANUP(text_deinit) Text message = {0};
  size_t most = 0;
  for (size_t i = 0; i < kubelet->resources.count; i++)
    most += kubelet->resources.items[i]->partitions.count;
  KubeletHelds helds = {.items = arena_alloc(&arena, most * sizeof *helds.items)};
  for (size_t i = 0; i < kubelet->resources.count; i++)
    add_healthy(kubelet->resources.items[i], &arena, &helds);
  kubelet_allocatable_encode(&helds, &message);
  send(call, &message);
}

static void on_call(void *userdata, GrpcCall *call, const char *method, const void *message, size_t size) {
  if (strcmp(method, KUBELET_METHOD_PODS_LIST) == 0)
    send_helds(userdata, call, NULL);
  else if (strcmp(method, KUBELET_METHOD_PODS_GET) == 0)
    answer_get(userdata, call, message, size);
  else if (strcmp(method, KUBELET_METHOD_ALLOCATABLE) == 0)
    answer_allocatable(userdata, call);
  else
    grpc_call_finish(call, GRPC_UNIMPLEMENTED, "unknown method");
}

void sim_pod_resources_on_accept(void *userdata, KubeletStream *stream) {
  sim_kubelet_accept(userdata, stream, on_call);
}
