/* SPDX-License-Identifier: Apache-2.0 */
/* One pod at a time, one (container, resource) after the other:
 *
 *     enough healthy and free? -> GetPreferredAllocation -> taken -> Allocate -> the environment is kept
 *
 * Any failure rejects the pod for good, in the words of the real kubelet. A resource that nobody ever
 * registered is none of the device manager's business: the pod gets through without anything.
 *
 * As in the real one, what was free is not looked at again when the plugin has said what it prefers: Allocate
 * may name a partition that has just left the list. And a pod that had its partitions before a restart of
 * the kubelet, but whose container did not run, is admitted again only if all of them are healthy. */
#include "sim/kubelet/state.h"

#include <assert.h>

static void go_on(SimKubelet *kubelet);

static void finish(SimKubelet *kubelet, const char *why) {
  SimPod *pod = TAKE(kubelet->admission.pod);
  if (kubelet->is_stopping)
    return;
  if (pod->is_gone || pod->is_deleted)
    sim_pods_withdrawn(pod);
  else if (why)
    sim_pods_rejected(pod, why);
  else
    sim_pods_admitted(pod);
  sim_admission_next(kubelet);
}

static const SimNeed *current_need(const SimKubelet *kubelet) {
  return &kubelet->admission.pod->needs.items[kubelet->admission.need];
}

static void on_answer(void *userdata, const void *message, size_t size) {
  SimAdmission *admission = &((SimKubelet *)userdata)->admission;
  text_clear(&admission->answer);
  text_append_bytes(&admission->answer, message, size);
}

static void call_plugin(SimKubelet *kubelet, const char *method, const Text *message,
                        void (*on_end)(void *userdata, GrpcStatus status, const char *text)) {
  SimAdmission *admission = &kubelet->admission;
  const SimResource *resource = sim_endpoint_find(kubelet, current_need(kubelet)->resource);
  const GrpcReply reply = {.on_message = on_answer, .on_end = on_end, .userdata = kubelet};
  text_clear(&admission->answer);
  admission->endpoint = resource->endpoint;
  sim_endpoint_call(admission->endpoint, method, message, &reply);
}

/* ---- Allocate ---- */

static void keep_envs(SimHeld *held, const KubeletAllocation *allocation) {
  KeyValue *envs = arena_alloc(&held->arena, allocation->envs.count * sizeof *envs);
  for (size_t i = 0; i < allocation->envs.count; i++)
    envs[i] = (KeyValue){.key = arena_strdup(&held->arena, allocation->envs.items[i].key),
                         .value = arena_strdup(&held->arena, allocation->envs.items[i].value)};
  held->envs = (KeyValues){.items = envs, .count = allocation->envs.count};
  held->is_answered = true;
}

static void on_allocated(void *userdata, GrpcStatus status, const char *text) {
  SimKubelet *kubelet = userdata;
  SimAdmission *admission = &kubelet->admission;
  CLEANUP(arena_deinit) Arena arena = {0};
  KubeletAllocations allocations = {0};
  Error err;
  sim_endpoint_call_ended(TAKE(admission->endpoint));
  if (status != GRPC_OK) {
    CLEANUP(cleanup_free) char *why = mem_format("rpc error: code = %d desc = %s", (int)status, text);
    finish(kubelet, why);
  } else if (kubelet_allocations_decode(admission->answer.bytes, admission->answer.size, &arena, &allocations,
                                        &err) < 0 ||
             allocations.count != 1) {
    finish(kubelet, "the plugin's answer to Allocate makes no sense");
  } else {
    keep_envs(admission->held, &allocations.items[0]);
    admission->need++;
    go_on(kubelet);
  }
}

static void allocate(SimKubelet *kubelet, const Strings *ids) {
  const SimNeed *need = current_need(kubelet);
  const SimPod *pod = kubelet->admission.pod;
  SimHeld *held = sim_disk_add(kubelet->disk, &(SimHeld){.uid = pod->uid,
                                                         .namespace_ = pod->namespace_,
                                                         .pod = pod->name,
                                                         .container = need->container,
                                                         .resource = need->resource});
  held->ids.items = arena_alloc(&held->arena, ids->count * sizeof *ids->items);
  for (size_t i = 0; i < ids->count; i++)
    held->ids.items[held->ids.count++] = arena_strdup(&held->arena, ids->items[i]);
  kubelet->admission.held = held;
  CLEANUP(text_deinit) Text message = {0};
  Strings list = *ids;
  kubelet_allocate_encode(&(KubeletIdLists){.items = &list, .count = 1}, &message);
  call_plugin(kubelet, KUBELET_METHOD_ALLOCATE, &message, on_allocated);
}

/* ---- which ones ---- */

static void find_available(const SimKubelet *kubelet, const SimResource *resource, Arena *arena,
                           Strings *ret_ids) {
  *ret_ids = (Strings){.items = arena_alloc(arena, resource->partitions.count * sizeof *ret_ids->items)};
  for (size_t i = 0; i < resource->partitions.count; i++) {
    const SimPartition *partition = &resource->partitions.items[i];
    if (partition->is_healthy && !sim_disk_is_taken(kubelet->disk, resource->name, partition->id))
      ret_ids->items[ret_ids->count++] = arena_strdup(arena, partition->id);
  }
}

static bool contains(const Strings *ids, const char *id) {
  for (size_t i = 0; i < ids->count; i++)
    if (strcmp(ids->items[i], id) == 0)
      return true;
  return false;
}

/* Preferred ones that are still available, then any. */
static void choose(const Strings *available, const Strings *preferred, size_t count, Arena *arena,
                   Strings *ret_ids) {
  const Strings *const sources[] = {preferred, available};
  *ret_ids = (Strings){.items = arena_alloc(arena, count * sizeof *ret_ids->items)};
  for (size_t s = 0; s < COUNT_OF(sources); s++)
    for (size_t i = 0; i < sources[s]->count && ret_ids->count < count; i++)
      if (contains(available, sources[s]->items[i]) && !contains(ret_ids, sources[s]->items[i]))
        ret_ids->items[ret_ids->count++] = sources[s]->items[i];
}

static bool is_healthy(const SimResource *resource, const char *id) {
  for (size_t i = 0; i < resource->partitions.count; i++)
    if (strcmp(resource->partitions.items[i].id, id) == 0)
      return resource->partitions.items[i].is_healthy;
  return false;
}

static bool are_healthy(const SimResource *resource, const Strings *ids) {
  for (size_t i = 0; i < ids->count; i++)
    if (!is_healthy(resource, ids->items[i]))
      return false;
  return true;
}

/* Whether the need can be met; else the sentence of the real kubelet in the error. held: what the pod has of
 * it already, or NULL. */
static int check(const SimResource *resource, const SimNeed *need, const SimHeld *held,
                 const Strings *available, Error *err) {
  if (sim_endpoint_count_healthy(resource) == 0)
    return error_set(err, ERROR_UNAVAILABLE,
                     "no healthy devices present; cannot allocate unhealthy devices %s", need->resource);
  if (held && !are_healthy(resource, &held->ids))
    return error_set(
        err, ERROR_UNAVAILABLE,
        "previously allocated devices are no longer healthy; cannot allocate unhealthy devices %s",
        need->resource);
  if (!held && available->count < need->count)
    return error_set(err, ERROR_UNAVAILABLE,
                     "requested number of devices unavailable for %s. Requested: %zu, Available: %zu",
                     need->resource, need->count, available->count);
  return 0;
}

static void take(SimKubelet *kubelet, const Strings *preferred) {
  const SimNeed *need = current_need(kubelet);
  CLEANUP(arena_deinit) Arena arena = {0};
  Strings ids;
  if (!sim_endpoint_find(kubelet, need->resource)->endpoint) {
    CLEANUP(cleanup_free) char *why = mem_format("endpoint %s has been stopped", need->resource);
    finish(kubelet, why);
    return;
  }
  choose(&kubelet->admission.available, preferred, need->count, &arena, &ids);
  allocate(kubelet, &ids);
}

static void on_preferred(void *userdata, GrpcStatus status, const char *text) {
  SimKubelet *kubelet = userdata;
  SimAdmission *admission = &kubelet->admission;
  CLEANUP(arena_deinit) Arena arena = {0};
  KubeletIdLists lists = {0};
  Error err;
  sim_endpoint_call_ended(TAKE(admission->endpoint));
  if (status != GRPC_OK) {
    CLEANUP(cleanup_free) char *why = mem_format("rpc error: code = %d desc = %s", (int)status, text);
    finish(kubelet, why);
    return;
  }
  if (kubelet_preferred_answers_decode(admission->answer.bytes, admission->answer.size, &arena, &lists,
                                       &err) < 0)
    lists.count = 0;
  const Strings none = {0};
  take(kubelet, lists.count == 1 ? &lists.items[0] : &none);
}

static void ask_preference(SimKubelet *kubelet) {
  CLEANUP(text_deinit) Text message = {0};
  KubeletPreferred request = {.available = kubelet->admission.available,
                              .size = (int32_t)current_need(kubelet)->count};
  kubelet_preferreds_encode(&(KubeletPreferreds){.items = &request, .count = 1}, &message);
  call_plugin(kubelet, KUBELET_METHOD_PREFERRED, &message, on_preferred);
}

/* ---- the pod ---- */

/* True where the pod has it already. */
static bool admit_need(SimKubelet *kubelet, const SimResource *resource) {
  SimAdmission *admission = &kubelet->admission;
  const SimNeed *need = current_need(kubelet);
  const SimHeld *held = sim_disk_find(kubelet->disk, admission->pod->uid, need->container, need->resource);
  const Strings none = {0};
  Error err;
  arena_deinit(&admission->arena);
  find_available(kubelet, resource, &admission->arena, &admission->available);
  if (check(resource, need, held, &admission->available, &err) < 0)
    finish(kubelet, err.text);
  else if (held)
    return true;
  else if (resource->endpoint && resource->endpoint->prefers)
    ask_preference(kubelet);
  else
    take(kubelet, &none);
  return false;
}

static void go_on(SimKubelet *kubelet) {
  SimAdmission *admission = &kubelet->admission;
  for (; admission->need < admission->pod->needs.count; admission->need++) {
    const SimResource *resource = sim_endpoint_find(kubelet, current_need(kubelet)->resource);
    if (resource && !admit_need(kubelet, resource))
      return;
  }
  finish(kubelet, NULL);
}

void sim_admission_next(SimKubelet *kubelet) {
  if (kubelet->admission.pod || kubelet->is_stopping || !kube_informer_is_synced(kubelet->pods_watch))
    return;
  for (size_t i = 0; i < kubelet->pods.count; i++)
    if (kubelet->pods.items[i]->state == SIM_POD_QUEUED) {
      kubelet->admission.pod = kubelet->pods.items[i];
      kubelet->admission.pod->state = SIM_POD_ADMITTING;
      kubelet->admission.need = 0;
      go_on(kubelet);
      return;
    }
}
