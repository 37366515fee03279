/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cluster/check.h"

#include "base/text.h"
#include "kube/informer.h"
#include "sim/nvml/instance.h"

#include <assert.h>

enum { LOOK_MS = 5000 };

const char *sim_check_text(const json_t *object, const char *section, const char *field) {
  return string_or_empty(json_string_value(json_object_get(json_object_get(object, section), field)));
}

static const json_t *node_of(const SimCluster *cluster, int i) {
  return sim_api_store_find(sim_api_store(cluster->api), SIM_API_NODES, cluster->nodes[i].name);
}

static bool is_reservation(const json_t *pod) {
  const json_t *labels = json_object_get(json_object_get(pod, "metadata"), "labels");
  return json_object_get(labels, MIG_LABEL_RESERVATION) != NULL;
}

/* ---- GPUs ---- */

static size_t count_profile(const SimState *state, const char *profile) {
  size_t count = 0;
  for (int g = 0; g < state->gpu_count; g++)
    for (int i = 0; i < state->gpus[g].gi_count; i++)
      count += strcmp(state->gpus[g].row->model.profiles[state->gpus[g].gis[i].profile].name, profile) == 0;
  return count;
}

size_t sim_check_count_cut(SimCluster *cluster, const char *profile) {
  size_t count = 0;
  for (int i = 0; i < cluster->node_count; i++) {
    SimState state;
    Error err;
    int result = sim_driver_load(cluster->nodes[i].driver, &state, &err);
    assert(result == 0); /* a machine in memory has no reason to fail */
    count += count_profile(&state, profile);
  }
  return count;
}

int sim_check_layouts(SimCluster *cluster, Error *err) {
  for (int i = 0; i < cluster->node_count; i++) {
    SimState state;
    int result = sim_driver_load(cluster->nodes[i].driver, &state, err);
    if (result == 0)
      result = sim_state_check(&state, err);
    if (result < 0)
      return error_prefix(err, "the GPUs of %s", cluster->nodes[i].name);
  }
  return 0;
}

/* ---- what pods hold ---- */

bool sim_check_has_slice(const SimState *state, const char *uuid) {
  for (int g = 0; g < state->gpu_count; g++)
    for (int i = 0; i < state->gpus[g].gi_count; i++)
      for (int c = 0; c < state->gpus[g].gis[i].ci_count; c++) {
        char text[NVML_UUID_SIZE];
        sim_uuid_mig(state, g, &state->gpus[g].gis[i], &state->gpus[g].gis[i].cis[c], text);
        if (strcmp(text, uuid) == 0)
          return true;
      }
  return false;
}

/* One that Allocate has not answered yet may still be refused. */
static int check_held(const SimClusterNode *node, const SimState *state, const SimHeld *held, Error *err) {
  if (!held->is_answered || strcmp(held->namespace_, SIM_CLUSTER_SYSTEM_NAMESPACE) == 0)
    return 0;
  for (size_t i = 0; i < held->ids.count; i++)
    if (!sim_check_has_slice(state, held->ids.items[i]))
      return error_set(err, ERROR_NOT_FOUND, "the pod %s on %s holds the slice %s, which does not exist",
                       held->pod, node->name, held->ids.items[i]);
  return 0;
}

int sim_check_node_held(const SimClusterNode *node, const SimState *state, Error *err) {
  for (size_t i = 0; i < node->disk.held.count; i++) {
    int result = check_held(node, state, node->disk.held.items[i], err);
    if (result < 0)
      return result;
  }
  return 0;
}

int sim_check_held(SimCluster *cluster, Error *err) {
  for (int i = 0; i < cluster->node_count; i++) {
    SimState state;
    int result = sim_driver_load(cluster->nodes[i].driver, &state, err);
    if (result == 0)
      result = sim_check_node_held(&cluster->nodes[i], &state, err);
    if (result < 0)
      return result;
  }
  return 0;
}

/* ---- what nodes offer ---- */

static size_t count_reserved(const SimCluster *cluster, const char *node, const char *resource) {
  const Map *pods = &sim_api_store(cluster->api)->objects[SIM_API_PODS];
  size_t count = 0;
  for (size_t i = 0; i < pods->count; i++) {
    const json_t *pod = pods->entries[i].value;
    if (!is_reservation(pod) || strcmp(sim_check_text(pod, "spec", "nodeName"), node) != 0)
      continue;
    const json_t *container = json_array_get(json_object_get(json_object_get(pod, "spec"), "containers"), 0);
    const json_t *limits = json_object_get(json_object_get(container, "resources"), "limits");
    const char *amount = json_string_value(json_object_get(limits, resource));
    count += amount ? strtoul(amount, NULL, 10) : 0;
  }
  return count;
}

int sim_check_node_offers(const SimCluster *cluster, int i, const SimState *state, Error *err) {
  const char *name = cluster->nodes[i].name, *resource;
  json_t *amount, *offers = json_object_get(json_object_get(node_of(cluster, i), "status"), "allocatable");
  json_object_foreach(offers, resource, amount) {
    char profile[MIG_PROFILE_NAME_SIZE];
    Error ignored;
    if (!mig_profile_is_resource(resource) || mig_profile_parse_resource(resource, profile, &ignored) < 0)
      continue;
    size_t offered = strtoul(string_or_empty(json_string_value(amount)), NULL, 10);
    size_t cut = count_profile(state, profile);
    size_t reserved = offered > cut ? count_reserved(cluster, name, resource) : 0;
    if (offered > cut + reserved)
      return error_set(err, ERROR_CONFLICT, "%s offers %zu x %s, its GPUs have %zu, reservations hold %zu",
                       name, offered, resource, cut, reserved);
  }
  return 0;
}

int sim_check_offers(SimCluster *cluster, Error *err) {
  for (int i = 0; i < cluster->node_count; i++) {
    SimState state;
    int result = sim_driver_load(cluster->nodes[i].driver, &state, err);
    if (result == 0)
      result = sim_check_node_offers(cluster, i, &state, err);
    if (result < 0)
      return result;
  }
  return 0;
}

/* ---- rest ---- */

size_t sim_check_count_reservations(const SimCluster *cluster) {
  const Map *pods = &sim_api_store(cluster->api)->objects[SIM_API_PODS];
  size_t count = 0;
  for (size_t i = 0; i < pods->count; i++)
    count += is_reservation(pods->entries[i].value);
  return count;
}

int sim_check_rest(const SimCluster *cluster, Error *err) {
  size_t reservations = sim_check_count_reservations(cluster);
  if (reservations)
    return error_set(err, ERROR_CONFLICT, "%zu reservation pods are left", reservations);
  for (int i = 0; i < cluster->node_count; i++) {
    const json_t *annotations =
        json_object_get(json_object_get(node_of(cluster, i), "metadata"), "annotations");
    const char *spec = json_string_value(json_object_get(annotations, MIG_ANNOTATION_SPEC_PLAN));
    const char *status = json_string_value(json_object_get(annotations, MIG_ANNOTATION_STATUS_PLAN));
    if (spec && !string_equal(spec, status))
      return error_set(err, ERROR_CONFLICT, "%s was told plan %s and answered %s", cluster->nodes[i].name,
                       spec, string_or_empty(status));
  }
  return 0;
}

/* ---- served ---- */

static void on_change(void *userdata, const void *old, const void *new_) {
}

static void on_synced(void *userdata) {
}

static void on_trouble(void *userdata, const Error *err, uint64_t retry_ms) {
}

static KubeInformer *look(SimCluster *cluster, const KubeType *type) {
  KubeInformer *informer = kube_informer_new(
      &cluster->host, sim_api_seam(cluster->api),
      &(KubeInformerOptions){
          .type = type, .on_change = on_change, .on_synced = on_synced, .on_trouble = on_trouble});
  kube_informer_start(informer);
  return informer;
}

static int compare_pods(const void *a, const void *b) {
  const Pod *left = *(const Pod *const *)a, *right = *(const Pod *const *)b;
  return strcmp(left->meta.name, right->meta.name);
}

static int judge(const Snapshot *snapshot, const Plan *plan, Error *err) {
  for (size_t i = 0; i < plan->pods.count; i++) {
    const PlanPod *planned = &plan->pods.items[i];
    if (planned->verdict == PLAN_FITS || planned->verdict == PLAN_ADMITTED)
      return error_set(err, ERROR_CONFLICT, "the pod %s still waits, and the planner says: %s on %s",
                       snapshot->pods.items[i].object->meta.name, plan_verdict_name(planned->verdict),
                       snapshot->nodes.items[planned->node].name);
  }
  return 0;
}

static int judge_cluster(const KubeInformer *nodes, const KubeInformer *pods, Error *err) {
  CLEANUP(arena_deinit) Arena arena = {0};
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  CLEANUP(plan_deinit) Plan plan;
  size_t count = kube_informer_count(pods);
  const Pod **sorted = arena_alloc(&arena, (count + 1) * sizeof *sorted);
  snapshot_init(&snapshot);
  for (size_t i = 0; i < kube_informer_count(nodes); i++)
    snapshot_add_node(&snapshot, kube_informer_at(nodes, i), &(SnapshotOptions){0}, NULL);
  for (size_t i = 0; i < count; i++)
    sorted[i] = kube_informer_at(pods, i);
  qsort(sorted, count, sizeof *sorted, compare_pods);
  for (size_t i = 0; i < count; i++)
    snapshot_add_pod(&snapshot, sorted[i], NULL);
  plan_compute(&snapshot, &(PlanOptions){.leftover = PLAN_LEFTOVER_NONE}, &plan);
  return judge(&snapshot, &plan, err);
}

int sim_check_served(SimCluster *cluster, Error *err) {
  CLEANUP(kube_informer_freep) KubeInformer *nodes = look(cluster, &kube_node_type);
  CLEANUP(kube_informer_freep) KubeInformer *pods = look(cluster, &kube_pod_type);
  sim_cluster_run(cluster, cluster->host.now_ms + LOOK_MS, NULL, NULL);
  assert(kube_informer_is_synced(nodes) && kube_informer_is_synced(pods));
  return judge_cluster(nodes, pods, err);
}

void sim_check_drop_log(void *userdata, LogLevel level, const char *component, const char *message,
                        const char *fields) {
}
