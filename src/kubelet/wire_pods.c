/* SPDX-License-Identifier: Apache-2.0 */
/* The pod-resources half of wire.h: the messages of List, Get and GetAllocatableResources in k8s.io/kubelet
 * v0.36.2, pkg/apis/podresources/v1/api.proto.
 *
 * On the wire pods hold containers, containers hold ContainerDevices; here it is one flat list of the latter.
 * Names may come behind the entries that they belong to, so each level fills its own in when it is complete:
 *
 *     PodResources { name, namespace,
 *                    ContainerResources { name, ContainerDevices { resource, ids } ... } ... } */
#include "kubelet/wire.h"

#include "kubelet/proto.h"

static int on_devices_field(void *target, const KubeletProtoField *field, Arena *arena, Error *err) {
  KubeletHeld *held = target;
  const char **id = NULL;
  int result = 0;
  switch (field->number) {
  case 1:
    return kubelet_proto_get_string(field, arena, &held->resource, err);
  case 2:
    result = KUBELET_PROTO_PUSH(arena, &held->ids, &id, err);
    return result < 0 ? result : kubelet_proto_get_string(field, arena, id, err);
  default:
    return 0;
  }
}

static int push_held(KubeletHelds *helds, const KubeletProtoField *field, Arena *arena, Error *err) {
  KubeletHeld *held = NULL;
  int result = KUBELET_PROTO_PUSH(arena, helds, &held, err);
  if (result < 0)
    return result;
  held->resource = "";
  return kubelet_proto_get_message(field, on_devices_field, held, arena, err);
}

typedef struct ContainerTarget {
  KubeletHelds *helds;
  const char *name;
} ContainerTarget;

static int on_container_field(void *target, const KubeletProtoField *field, Arena *arena, Error *err) {
  ContainerTarget *container = target;
  switch (field->number) {
  case 1:
    return kubelet_proto_get_string(field, arena, &container->name, err);
  case 2:
    return push_held(container->helds, field, arena, err);
  default:
    return 0;
  }
}

typedef struct PodTarget {
  KubeletHelds *helds;
  const char *name, *namespace_;
} PodTarget;

static int on_container(PodTarget *pod, const KubeletProtoField *field, Arena *arena, Error *err) {
  size_t first = pod->helds->count;
  ContainerTarget container = {.helds = pod->helds, .name = ""};
  int result = kubelet_proto_get_message(field, on_container_field, &container, arena, err);
  for (size_t i = first; i < pod->helds->count; i++)
    pod->helds->items[i].container = container.name;
  return result;
}

static int on_pod_field(void *target, const KubeletProtoField *field, Arena *arena, Error *err) {
  PodTarget *pod = target;
  switch (field->number) {
  case 1:
    return kubelet_proto_get_string(field, arena, &pod->name, err);
  case 2:
    return kubelet_proto_get_string(field, arena, &pod->namespace_, err);
  case 3:
    return on_container(pod, field, arena, err);
  default:
    return 0;
  }
}

static int on_list_field(void *target, const KubeletProtoField *field, Arena *arena, Error *err) {
  KubeletHelds *helds = target;
  if (field->number != 1)
    return 0;
  size_t first = helds->count;
  PodTarget pod = {.helds = helds, .name = "", .namespace_ = ""};
  int result = kubelet_proto_get_message(field, on_pod_field, &pod, arena, err);
  for (size_t i = first; i < helds->count; i++) {
    helds->items[i].pod = pod.name;
    helds->items[i].namespace_ = pod.namespace_;
  }
  return result;
}

static int on_allocatable_field(void *target, const KubeletProtoField *field, Arena *arena, Error *err) {
  return field->number == 1 ? push_held(target, field, arena, err) : 0;
}

static void devices_encode(const KubeletHeld *held, uint32_t number, Text *out) {
  CLEANUP(text_deinit) Text entry = {0};
  kubelet_proto_put_string(&entry, 1, held->resource);
  for (size_t i = 0; i < held->ids.count; i++)
    kubelet_proto_put_item(&entry, 2, held->ids.items[i]);
  kubelet_proto_put_message(out, number, &entry);
}

static bool is_same_pod(const KubeletHeld *a, const KubeletHeld *b) {
  return string_equal(a->pod, b->pod) && string_equal(a->namespace_, b->namespace_);
}

/* The container of helds->items[first] and its neighbours of the same container; returns the next one. */
static size_t container_encode(const KubeletHelds *helds, size_t first, Text *out) {
  CLEANUP(text_deinit) Text entry = {0};
  const KubeletHeld *head = &helds->items[first];
  size_t i = first;
  kubelet_proto_put_string(&entry, 1, head->container);
  for (; i < helds->count && is_same_pod(&helds->items[i], head) &&
         string_equal(helds->items[i].container, head->container);
       i++)
    devices_encode(&helds->items[i], 2, &entry);
  kubelet_proto_put_message(out, 3, &entry);
  return i;
}

static size_t pod_encode(const KubeletHelds *helds, size_t first, Text *out) {
  CLEANUP(text_deinit) Text entry = {0};
  const KubeletHeld *head = &helds->items[first];
  size_t i = first;
  kubelet_proto_put_string(&entry, 1, head->pod);
  kubelet_proto_put_string(&entry, 2, head->namespace_);
  while (i < helds->count && is_same_pod(&helds->items[i], head))
    i = container_encode(helds, i, &entry);
  kubelet_proto_put_message(out, 1, &entry);
  return i;
}

void kubelet_helds_encode(const KubeletHelds *helds, Text *out) {
  for (size_t i = 0; i < helds->count;)
    i = pod_encode(helds, i, out);
}

int kubelet_helds_decode(const void *bytes, size_t size, Arena *arena, KubeletHelds *ret, Error *err) {
  KubeletHelds helds = {0};
  int result = kubelet_proto_each(bytes, size, on_list_field, &helds, arena, err);
  if (result < 0)
    return error_prefix(err, "ListPodResourcesResponse");
  *ret = helds;
  return 0;
}

void kubelet_pod_name_encode(const KubeletPodName *name, Text *out) {
  kubelet_proto_put_string(out, 1, name->pod);
  kubelet_proto_put_string(out, 2, name->namespace_);
}

static int on_name_field(void *target, const KubeletProtoField *field, Arena *arena, Error *err) {
  KubeletPodName *name = target;
  switch (field->number) {
  case 1:
    return kubelet_proto_get_string(field, arena, &name->pod, err);
  case 2:
    return kubelet_proto_get_string(field, arena, &name->namespace_, err);
  default:
    return 0;
  }
}

int kubelet_pod_name_decode(const void *bytes, size_t size, Arena *arena, KubeletPodName *ret, Error *err) {
  KubeletPodName name = {.namespace_ = "", .pod = ""};
  int result = kubelet_proto_each(bytes, size, on_name_field, &name, arena, err);
  if (result < 0)
    return error_prefix(err, "GetPodResourcesRequest");
  *ret = name;
  return 0;
}

int kubelet_pod_helds_decode(const void *bytes, size_t size, Arena *arena, KubeletHelds *ret, Error *err) {
  KubeletHelds helds = {0};
  int result = kubelet_proto_each(bytes, size, on_list_field, &helds, arena, err);
  if (result < 0)
    return error_prefix(err, "GetPodResourcesResponse");
  *ret = helds;
  return 0;
}

void kubelet_allocatable_encode(const KubeletHelds *resources, Text *out) {
  for (size_t i = 0; i < resources->count; i++)
    devices_encode(&resources->items[i], 1, out);
}

int kubelet_allocatable_decode(const void *bytes, size_t size, Arena *arena, KubeletHelds *ret, Error *err) {
  KubeletHelds resources = {0};
  int result = kubelet_proto_each(bytes, size, on_allocatable_field, &resources, arena, err);
  if (result < 0)
    return error_prefix(err, "AllocatableResourcesResponse");
  *ret = resources;
  return 0;
}
