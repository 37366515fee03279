/* SPDX-License-Identifier: Apache-2.0 */
/* The kubelet's protobuf messages that we send and receive (k8s.io/kubelet v0.36: deviceplugin/v1beta1,
 * podresources/v1), encoded and decoded by hand: a dozen small messages need no generator and no descriptors.
 * Both directions exist, because the simulated kubelet speaks the other side. Decoded strings live in the
 * arena. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include "cluster/object.h"

#define KUBELET_METHOD_REGISTER       "/v1beta1.Registration/Register"
#define KUBELET_METHOD_OPTIONS        "/v1beta1.DevicePlugin/GetDevicePluginOptions"
#define KUBELET_METHOD_LIST_AND_WATCH "/v1beta1.DevicePlugin/ListAndWatch"
#define KUBELET_METHOD_PREFERRED      "/v1beta1.DevicePlugin/GetPreferredAllocation"
#define KUBELET_METHOD_ALLOCATE       "/v1beta1.DevicePlugin/Allocate"
#define KUBELET_METHOD_PRE_START      "/v1beta1.DevicePlugin/PreStartContainer"
#define KUBELET_METHOD_PODS_LIST      "/v1.PodResourcesLister/List"
#define KUBELET_METHOD_PODS_GET       "/v1.PodResourcesLister/Get"
#define KUBELET_METHOD_ALLOCATABLE    "/v1.PodResourcesLister/GetAllocatableResources"

enum { KUBELET_ITEMS_MAX = 65536 }; /* entries of any repeated field */

typedef struct KubeletRegister {
  const char *version;  /* "v1beta1" */
  const char *endpoint; /* file name of the plugin's socket */
  const char *resource_name;
  bool preferred_allocation, pre_start_required;
} KubeletRegister;

typedef struct KubeletPartition { /* the API's "Device": one allocatable unit */
  const char *id;
  bool healthy;
} KubeletPartition;

typedef LIST(KubeletPartition) KubeletPartitions;

typedef struct KubeletPreferred { /* one container's GetPreferredAllocation request */
  Strings available, must_include;
  int32_t size;
} KubeletPreferred;

typedef struct KubeletAllocation { /* one container's AllocateResponse */
  KeyValues envs;
  Strings cdi_names;
} KubeletAllocation;

typedef struct KubeletHeld { /* what one container of one pod holds of one resource */
  const char *pod, *namespace_, *container;
  const char *resource;
  Strings ids;
} KubeletHeld;

typedef struct KubeletPodName { /* GetPodResourcesRequest */
  const char *namespace_, *pod;
} KubeletPodName;

typedef LIST(KubeletPreferred) KubeletPreferreds;
typedef LIST(KubeletAllocation) KubeletAllocations;
typedef LIST(Strings) KubeletIdLists;
typedef LIST(KubeletHeld) KubeletHelds;

void kubelet_register_encode(const KubeletRegister *request, Text *out);
int kubelet_register_decode(const void *bytes, size_t size, Arena *arena, KubeletRegister *ret,
                            Error *err) MUST_CHECK;
void kubelet_options_encode(bool preferred_allocation, bool pre_start_required, Text *out);
int kubelet_options_decode(const void *bytes, size_t size, bool *ret_preferred, bool *ret_pre_start,
                           Error *err) MUST_CHECK;
void kubelet_partitions_encode(const KubeletPartitions *partitions, Text *out); /* ListAndWatchResponse */
int kubelet_partitions_decode(const void *bytes, size_t size, Arena *arena, KubeletPartitions *ret,
                              Error *err) MUST_CHECK;
void kubelet_preferreds_encode(const KubeletPreferreds *containers, Text *out);
int kubelet_preferreds_decode(const void *bytes, size_t size, Arena *arena, KubeletPreferreds *ret,
                              Error *err) MUST_CHECK;
void kubelet_preferred_answers_encode(const KubeletIdLists *containers, Text *out);
int kubelet_preferred_answers_decode(const void *bytes, size_t size, Arena *arena, KubeletIdLists *ret,
                                     Error *err) MUST_CHECK;
void kubelet_allocate_encode(const KubeletIdLists *containers, Text *out); /* AllocateRequest */
int kubelet_allocate_decode(const void *bytes, size_t size, Arena *arena, KubeletIdLists *ret,
                            Error *err) MUST_CHECK;
void kubelet_allocations_encode(const KubeletAllocations *containers, Text *out); /* AllocateResponse */
int kubelet_allocations_decode(const void *bytes, size_t size, Arena *arena, KubeletAllocations *ret,
                               Error *err) MUST_CHECK;
/* ListPodResourcesResponse; neighbours of the same pod and container are grouped. */
void kubelet_helds_encode(const KubeletHelds *helds, Text *out);
int kubelet_helds_decode(const void *bytes, size_t size, Arena *arena, KubeletHelds *ret,
                         Error *err) MUST_CHECK;
void kubelet_pod_name_encode(const KubeletPodName *name, Text *out);
int kubelet_pod_name_decode(const void *bytes, size_t size, Arena *arena, KubeletPodName *ret,
                            Error *err) MUST_CHECK;
/* GetPodResourcesResponse. On the wire it is a ListPodResourcesResponse of one pod: kubelet_helds_encode()
 * writes it. */
int kubelet_pod_helds_decode(const void *bytes, size_t size, Arena *arena, KubeletHelds *ret,
                             Error *err) MUST_CHECK;
/* AllocatableResourcesResponse: one KubeletHeld per entry, pod and container NULL. */
void kubelet_allocatable_encode(const KubeletHelds *resources, Text *out);
int kubelet_allocatable_decode(const void *bytes, size_t size, Arena *arena, KubeletHelds *ret,
                               Error *err) MUST_CHECK;
