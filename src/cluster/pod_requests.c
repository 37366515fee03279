/* SPDX-License-Identifier: Apache-2.0 */
/* The sum that kube-scheduler 1.36 makes (k8s.io/component-helpers/resource, PodRequests):
 *
 *     running  =  all containers + all sidecars
 *     starting =  for each init container: itself + the sidecars before it
 *     pod      =  the larger of both, resource by resource
 *
 * Requests of the pod itself (spec.resources) then take the place of that for cpu, memory and huge pages;
 * other resources cannot be asked for there. The runtime's overhead comes on top. */
#include "cluster/resources.h"

#include "base/text.h"

#include <assert.h>

/* The API server fills in a missing request from the limit, a manifest in a file may not have it yet. */
static int read_container(const Container *container, Arena *arena, Resources *ret_requests, Error *err) {
  Resources requests, limits;
  if (resources_parse(&container->requests, arena, &requests, err) < 0)
    return error_prefix(err, "requests of container %s", string_or_empty(container->name));
  if (resources_parse(&container->limits, arena, &limits, err) < 0)
    return error_prefix(err, "limits of container %s", string_or_empty(container->name));
  for (size_t i = 0; i < limits.count; i++)
    if (!resources_has(&requests, limits.items[i].name))
      resources_set(&requests, limits.items[i].name, limits.items[i].amount, arena);
  *ret_requests = requests;
  return 0;
}

/* Checked after every container, so that the work stays bounded too. */
static int check_count(const Resources *requests, Error *err) {
  if (requests->count <= RESOURCES_MAX)
    return 0;
  return error_set(err, ERROR_LIMIT, "the pod asks for more than %d different resources", RESOURCES_MAX);
}

static int add_containers(const Pod *pod, Arena *arena, Resources *running, Error *err) {
  const PodCommon *common = pod_common(pod);
  for (size_t i = 0; i < common->containers.count; i++) {
    Resources requests;
    if (read_container(&common->containers.items[i], arena, &requests, err) < 0)
      return -err->code;
    resources_add(running, &requests, 1, arena);
    if (check_count(running, err) < 0)
      return -err->code;
  }
  return 0;
}

static int add_init_containers(const Pod *pod, Arena *arena, Resources *running, Resources *starting,
                               Error *err) {
  const PodCommon *common = pod_common(pod);
  Resources sidecars = {0};
  for (size_t i = 0; i < common->init_containers.count; i++) {
    const Container *container = &common->init_containers.items[i];
    Resources requests;
    if (read_container(container, arena, &requests, err) < 0)
      return -err->code;
    if (string_equal(container->restart_policy, "Always")) {
      resources_add(running, &requests, 1, arena);
      resources_add(&sidecars, &requests, 1, arena);
      resources_max(starting, &sidecars, arena);
    } else {
      resources_add(&requests, &sidecars, 1, arena);
      resources_max(starting, &requests, arena);
    }
    if (check_count(starting, err) < 0)
      return -err->code;
  }
  return 0;
}

static bool is_pod_level(const char *resource) {
  return string_equal(resource, "cpu") || string_equal(resource, "memory") ||
         string_has_prefix(resource, "hugepages-");
}

static int replace_by_pod_level(const Pod *pod, Arena *arena, Resources *requests, Error *err) {
  Resources own;
  if (resources_parse(&pod_common(pod)->pod_requests, arena, &own, err) < 0)
    return error_prefix(err, "requests of the pod");
  for (size_t i = 0; i < own.count; i++)
    if (is_pod_level(own.items[i].name))
      resources_set(requests, own.items[i].name, own.items[i].amount, arena);
  return 0;
}

int pod_requests_compute(const Pod *pod, Arena *arena, Resources *ret_requests, Error *err) {
  const PodCommon *common = pod_common(pod);
  assert(pod && arena && ret_requests);
  Resources requests = {0}, starting = {0}, overhead;
  if (add_containers(pod, arena, &requests, err) < 0)
    return -err->code;
  if (add_init_containers(pod, arena, &requests, &starting, err) < 0)
    return -err->code;
  resources_max(&requests, &starting, arena);
  if (common->has_pod_resources && replace_by_pod_level(pod, arena, &requests, err) < 0)
    return -err->code;
  if (resources_parse(&common->overhead, arena, &overhead, err) < 0)
    return error_prefix(err, "overhead of the pod");
  resources_add(&requests, &overhead, 1, arena);
  if (check_count(&requests, err) < 0)
    return -err->code;
  *ret_requests = requests;
  return 0;
}
