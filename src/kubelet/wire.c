/* SPDX-License-Identifier: Apache-2.0 */
/* One function per message and direction. Field numbers are those of k8s.io/kubelet v0.36.2,
 * pkg/apis/deviceplugin/v1beta1/api.proto and pkg/apis/podresources/v1/api.proto; the functions name their
 * message. Fields that facet has no use for (topology, mounts, CPUs, dynamic resources) are skipped.
 *
 * Fields may come in any order, so what belongs to all entries of a message is filled in at its end. */
#include "kubelet/wire.h"

#include "kubelet/proto.h"

#include <string.h>

static int push_string(Strings *strings, const KubeletProtoField *field, Arena *arena, Error *err) {
  const char **item = NULL;
  int result = KUBELET_PROTO_PUSH(arena, strings, &item, err);
  return result < 0 ? result : kubelet_proto_get_string(field, arena, item, err);
}

/* Strings of one repeated field, the only field of many messages here. */
static int on_only_string(void *target, const KubeletProtoField *field, Arena *arena, Error *err) {
  return field->number == 1 ? push_string(target, field, arena, err) : 0;
}

static void put_strings(Text *out, uint32_t number, const Strings *strings) {
  for (size_t i = 0; i < strings->count; i++)
    kubelet_proto_put_item(out, number, strings->items[i]);
}

/* DevicePluginOptions */

typedef struct PluginOptions {
  bool pre_start_required, preferred_allocation;
} PluginOptions;

static int on_options_field(void *target, const KubeletProtoField *field, Arena *arena, Error *err) {
  PluginOptions *options = target;
  switch (field->number) {
  case 1:
    return kubelet_proto_get_bool(field, &options->pre_start_required, err);
  case 2:
    return kubelet_proto_get_bool(field, &options->preferred_allocation, err);
  default:
    return 0;
  }
}

void kubelet_options_encode(bool preferred_allocation, bool pre_start_required, Text *out) {
  kubelet_proto_put_bool(out, 1, pre_start_required);
  kubelet_proto_put_bool(out, 2, preferred_allocation);
}

int kubelet_options_decode(const void *bytes, size_t size, bool *ret_preferred, bool *ret_pre_start,
                           Error *err) {
  PluginOptions options = {0};
  int result = kubelet_proto_each(bytes, size, on_options_field, &options, NULL, err);
  if (result < 0)
    return error_prefix(err, "DevicePluginOptions");
  *ret_preferred = options.preferred_allocation;
  *ret_pre_start = options.pre_start_required;
  return 0;
}

/* RegisterRequest */

static int on_register_field(void *target, const KubeletProtoField *field, Arena *arena, Error *err) {
  KubeletRegister *request = target;
  PluginOptions options = {request->pre_start_required, request->preferred_allocation};
  switch (field->number) {
  case 1:
    return kubelet_proto_get_string(field, arena, &request->version, err);
  case 2:
    return kubelet_proto_get_string(field, arena, &request->endpoint, err);
  case 3:
    return kubelet_proto_get_string(field, arena, &request->resource_name, err);
  case 4: {
    int result = kubelet_proto_get_message(field, on_options_field, &options, arena, err);
    request->preferred_allocation = options.preferred_allocation;
    request->pre_start_required = options.pre_start_required;
    return result;
  }
  default:
    return 0;
  }
}

void kubelet_register_encode(const KubeletRegister *request, Text *out) {
  CLEANUP(text_deinit) Text options = {0};
  kubelet_options_encode(request->preferred_allocation, request->pre_start_required, &options);
  kubelet_proto_put_string(out, 1, request->version);
  kubelet_proto_put_string(out, 2, request->endpoint);
  kubelet_proto_put_string(out, 3, request->resource_name);
  kubelet_proto_put_message(out, 4, &options);
}

int kubelet_register_decode(const void *bytes, size_t size, Arena *arena, KubeletRegister *ret, Error *err) {
  KubeletRegister request = {.version = "", .endpoint = "", .resource_name = ""};
  int result = kubelet_proto_each(bytes, size, on_register_field, &request, arena, err);
  if (result < 0)
    return error_prefix(err, "RegisterRequest");
  *ret = request;
  return 0;
}

/* Device, ListAndWatchResponse */

static const char HEALTHY[] = "Healthy", UNHEALTHY[] = "Unhealthy";

static int on_partition_field(void *target, const KubeletProtoField *field, Arena *arena, Error *err) {
  KubeletPartition *partition = target;
  const char *health = NULL;
  int result = 0;
  switch (field->number) {
  case 1:
    return kubelet_proto_get_string(field, arena, &partition->id, err);
  case 2:
    result = kubelet_proto_get_string(field, arena, &health, err);
    if (result == 0)
      partition->healthy = strcmp(health, HEALTHY) == 0;
    return result;
  default:
    return 0;
  }
}

static int on_partitions_field(void *target, const KubeletProtoField *field, Arena *arena, Error *err) {
  KubeletPartitions *partitions = target;
  KubeletPartition *partition = NULL;
  if (field->number != 1)
    return 0;
  int result = KUBELET_PROTO_PUSH(arena, partitions, &partition, err);
  if (result < 0)
    return result;
  partition->id = "";
  return kubelet_proto_get_message(field, on_partition_field, partition, arena, err);
}

void kubelet_partitions_encode(const KubeletPartitions *partitions, Text *out) {
  CLEANUP(text_deinit) Text entry = {0};
  for (size_t i = 0; i < partitions->count; i++) {
    text_clear(&entry);
    kubelet_proto_put_string(&entry, 1, partitions->items[i].id);
    kubelet_proto_put_string(&entry, 2, partitions->items[i].healthy ? HEALTHY : UNHEALTHY);
    kubelet_proto_put_message(out, 1, &entry);
  }
}

int kubelet_partitions_decode(const void *bytes, size_t size, Arena *arena, KubeletPartitions *ret,
                              Error *err) {
  KubeletPartitions partitions = {0};
  int result = kubelet_proto_each(bytes, size, on_partitions_field, &partitions, arena, err);
  if (result < 0)
    return error_prefix(err, "ListAndWatchResponse");
  *ret = partitions;
  return 0;
}

/* PreferredAllocationRequest of ContainerPreferredAllocationRequests */

static int on_preferred_field(void *target, const KubeletProtoField *field, Arena *arena, Error *err) {
  KubeletPreferred *request = target;
  switch (field->number) {
  case 1:
    return push_string(&request->available, field, arena, err);
  case 2:
    return push_string(&request->must_include, field, arena, err);
  case 3:
    return kubelet_proto_get_int32(field, &request->size, err);
  default:
    return 0;
  }
}

static int on_preferreds_field(void *target, const KubeletProtoField *field, Arena *arena, Error *err) {
  KubeletPreferreds *containers = target;
  KubeletPreferred *request = NULL;
  if (field->number != 1)
    return 0;
  int result = KUBELET_PROTO_PUSH(arena, containers, &request, err);
  return result < 0 ? result : kubelet_proto_get_message(field, on_preferred_field, request, arena, err);
}

void kubelet_preferreds_encode(const KubeletPreferreds *containers, Text *out) {
  CLEANUP(text_deinit) Text entry = {0};
  for (size_t i = 0; i < containers->count; i++) {
    text_clear(&entry);
    put_strings(&entry, 1, &containers->items[i].available);
    put_strings(&entry, 2, &containers->items[i].must_include);
    kubelet_proto_put_int32(&entry, 3, containers->items[i].size);
    kubelet_proto_put_message(out, 1, &entry);
  }
}

int kubelet_preferreds_decode(const void *bytes, size_t size, Arena *arena, KubeletPreferreds *ret,
                              Error *err) {
  KubeletPreferreds containers = {0};
  int result = kubelet_proto_each(bytes, size, on_preferreds_field, &containers, arena, err);
  if (result < 0)
    return error_prefix(err, "PreferredAllocationRequest");
  *ret = containers;
  return 0;
}

/* PreferredAllocationResponse and AllocateRequest are the same on the wire: ids per container. */

static int on_id_lists_field(void *target, const KubeletProtoField *field, Arena *arena, Error *err) {
  KubeletIdLists *containers = target;
  Strings *ids = NULL;
  if (field->number != 1)
    return 0;
  int result = KUBELET_PROTO_PUSH(arena, containers, &ids, err);
  return result < 0 ? result : kubelet_proto_get_message(field, on_only_string, ids, arena, err);
}

static void id_lists_encode(const KubeletIdLists *containers, Text *out) {
  CLEANUP(text_deinit) Text entry = {0};
  for (size_t i = 0; i < containers->count; i++) {
    text_clear(&entry);
    put_strings(&entry, 1, &containers->items[i]);
    kubelet_proto_put_message(out, 1, &entry);
  }
}

static int id_lists_decode(const void *bytes, size_t size, Arena *arena, const char *message,
                           KubeletIdLists *ret, Error *err) {
  KubeletIdLists containers = {0};
  int result = kubelet_proto_each(bytes, size, on_id_lists_field, &containers, arena, err);
  if (result < 0)
    return error_prefix(err, "%s", message);
  *ret = containers;
  return 0;
}

void kubelet_preferred_answers_encode(const KubeletIdLists *containers, Text *out) {
  id_lists_encode(containers, out);
}

int kubelet_preferred_answers_decode(const void *bytes, size_t size, Arena *arena, KubeletIdLists *ret,
                                     Error *err) {
  return id_lists_decode(bytes, size, arena, "PreferredAllocationResponse", ret, err);
}

void kubelet_allocate_encode(const KubeletIdLists *containers, Text *out) {
  id_lists_encode(containers, out);
}

int kubelet_allocate_decode(const void *bytes, size_t size, Arena *arena, KubeletIdLists *ret, Error *err) {
  return id_lists_decode(bytes, size, arena, "AllocateRequest", ret, err);
}

/* AllocateResponse of ContainerAllocateResponses, with map entries and CDIDevices */

static int on_env_field(void *target, const KubeletProtoField *field, Arena *arena, Error *err) {
  KeyValue *env = target;
  switch (field->number) {
  case 1:
    return kubelet_proto_get_string(field, arena, &env->key, err);
  case 2:
    return kubelet_proto_get_string(field, arena, &env->value, err);
  default:
    return 0;
  }
}

static int on_cdi_field(void *target, const KubeletProtoField *field, Arena *arena, Error *err) {
  return field->number == 1 ? kubelet_proto_get_string(field, arena, target, err) : 0;
}

static int on_allocation_field(void *target, const KubeletProtoField *field, Arena *arena, Error *err) {
  KubeletAllocation *allocation = target;
  KeyValue *env = NULL;
  const char **cdi_name = NULL;
  int result = 0;
  switch (field->number) {
  case 1:
    result = KUBELET_PROTO_PUSH(arena, &allocation->envs, &env, err);
    if (result < 0)
      return result;
    *env = (KeyValue){.key = "", .value = ""};
    return kubelet_proto_get_message(field, on_env_field, env, arena, err);
  case 5:
    result = KUBELET_PROTO_PUSH(arena, &allocation->cdi_names, &cdi_name, err);
    if (result < 0)
      return result;
    *cdi_name = "";
    return kubelet_proto_get_message(field, on_cdi_field, cdi_name, arena, err);
  default:
    return 0;
  }
}

static int on_allocations_field(void *target, const KubeletProtoField *field, Arena *arena, Error *err) {
  KubeletAllocations *containers = target;
  KubeletAllocation *allocation = NULL;
  if (field->number != 1)
    return 0;
  int result = KUBELET_PROTO_PUSH(arena, containers, &allocation, err);
  return result < 0 ? result : kubelet_proto_get_message(field, on_allocation_field, allocation, arena, err);
}

static void allocation_encode(const KubeletAllocation *allocation, Text *out) {
  CLEANUP(text_deinit) Text entry = {0};
  for (size_t i = 0; i < allocation->envs.count; i++) {
    text_clear(&entry);
    kubelet_proto_put_item(&entry, 1, allocation->envs.items[i].key);
    kubelet_proto_put_item(&entry, 2, string_or_empty(allocation->envs.items[i].value));
    kubelet_proto_put_message(out, 1, &entry);
  }
  for (size_t i = 0; i < allocation->cdi_names.count; i++) {
    text_clear(&entry);
    kubelet_proto_put_string(&entry, 1, allocation->cdi_names.items[i]);
    kubelet_proto_put_message(out, 5, &entry);
  }
}

void kubelet_allocations_encode(const KubeletAllocations *containers, Text *out) {
  CLEANUP(text_deinit) Text entry = {0};
  for (size_t i = 0; i < containers->count; i++) {
    text_clear(&entry);
    allocation_encode(&containers->items[i], &entry);
    kubelet_proto_put_message(out, 1, &entry);
  }
}

int kubelet_allocations_decode(const void *bytes, size_t size, Arena *arena, KubeletAllocations *ret,
                               Error *err) {
  KubeletAllocations containers = {0};
  int result = kubelet_proto_each(bytes, size, on_allocations_field, &containers, arena, err);
  if (result < 0)
    return error_prefix(err, "AllocateResponse");
  *ret = containers;
  return 0;
}
