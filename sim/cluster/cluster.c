/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cluster/cluster.h"

#include "base/text.h"

#include <assert.h>

enum { STATUS_TICK_MS = 10000 };

/* 2026-01-01, so that the same seed gives the same dates. */
static const int64_t BEGINNING_MS = INT64_C(1767225600000);

SimClusterOptions sim_cluster_defaults(void) {
  return (SimClusterOptions){
      .seed = 1,
      .node_count = 1,
      .machine = "A100-SXM4-80GB",
      .api = {.latency_ms = 1, .jitter_ms = 2},
      .socket_jitter_ms = 1,
      .gpu_latency = 1,
      .container_start_ms = 300,
      .container_stop_ms = 100,
      .leftover = PLAN_LEFTOVER_FILL,
  };
}

/* ---- programs ---- */

void sim_cluster_kill_agent(SimCluster *cluster, int i) {
  SimClusterNode *node = &cluster->nodes[i];
  sim_port_set_killing(node->port, true);
  agent_free(TAKE(node->agent));
  sim_port_set_killing(node->port, false);
  sim_driver_abandon(node->driver);
}

void sim_cluster_start_agent(SimCluster *cluster, int i) {
  SimClusterNode *node = &cluster->nodes[i];
  assert(!node->agent);
  const AgentOptions options = {.node_name = node->name,
                                .device_plugin_folder = SIM_KUBELET_PLUGIN_FOLDER,
                                .pod_resources_socket = SIM_KUBELET_POD_RESOURCES,
                                .reservation_namespace = SIM_CLUSTER_SYSTEM_NAMESPACE};
  sim_api_line_init(cluster->api, &node->line);
  const AgentSeams seams = {.host = &cluster->host,
                            .transport = &node->line.seam,
                            .port = sim_port_seam(node->port),
                            .driver = sim_driver_seam(node->driver),
                            .driver_watches = cluster->options.driver_watches};
  node->agent = agent_new(&options, &seams);
  agent_start(node->agent);
}

void sim_cluster_kill_kubelet(SimCluster *cluster, int i) {
  sim_kubelet_free(TAKE(cluster->nodes[i].kubelet));
}

static void on_rejected(void *userdata, const SimRejection *rejection) {
  const SimCluster *cluster = userdata;
  if (cluster->on_rejected)
    cluster->on_rejected(cluster->rejected_userdata, rejection);
}

void sim_cluster_start_kubelet(SimCluster *cluster, int i) {
  SimClusterNode *node = &cluster->nodes[i];
  assert(!node->kubelet);
  const SimKubeletOptions options = {.node_name = node->name,
                                     .container_start_ms = cluster->options.container_start_ms,
                                     .container_stop_ms = cluster->options.container_stop_ms,
                                     .status_tick_ms = STATUS_TICK_MS,
                                     .on_rejected = on_rejected,
                                     .userdata = cluster};
  node->kubelet =
      sim_kubelet_new(&options, &cluster->host, sim_api_seam(cluster->api), node->port, &node->disk);
  sim_kubelet_start(node->kubelet);
}

void sim_cluster_kill_controller(SimCluster *cluster) {
  controller_free(TAKE(cluster->controller));
}

void sim_cluster_start_controller(SimCluster *cluster) {
  assert(!cluster->controller);
  const ControllerOptions options = {.batch_idle_ms = CONTROLLER_BATCH_IDLE_MS,
                                     .batch_timeout_ms = CONTROLLER_BATCH_TIMEOUT_MS,
                                     .leftover = cluster->options.leftover,
                                     .instance = "demo"};
  cluster->controller = controller_new(&options, &cluster->host, sim_api_seam(cluster->api));
  controller_start(cluster->controller);
}

/* ---- objects ---- */

static int create_named(SimCluster *cluster, const char *path, json_t *object, Error *err) {
  int result = sim_api_create(cluster->api, path, object, err);
  json_decref(object);
  return result;
}

/* What facet's manifests make, and the namespace of the pods. */
static int create_surroundings(SimCluster *cluster, Error *err) {
  static const char *const namespaces[] = {SIM_CLUSTER_NAMESPACE, SIM_CLUSTER_SYSTEM_NAMESPACE};
  for (size_t i = 0; i < COUNT_OF(namespaces); i++) {
    int result = create_named(cluster, "/api/v1/namespaces",
                              json_pack("{s:{s:s}}", "metadata", "name", namespaces[i]), err);
    if (result < 0)
      return result;
  }
  return create_named(cluster, "/apis/scheduling.k8s.io/v1/priorityclasses",
                      json_pack("{s:{s:s},s:i,s:s}", "metadata", "name", "facet-reservation", "value",
                                1000000000, "preemptionPolicy", "Never"),
                      err);
}

static int create_node(SimCluster *cluster, const char *name, Error *err) {
  json_auto_t *amounts = json_pack("{s:s,s:s,s:s}", "cpu", "64", "memory", "512Gi", "pods", "110");
  json_auto_t *object =
      json_pack("{s:s,s:s,s:{s:s,s:{s:s,s:s}},s:{},s:{s:O,s:O,s:[{s:s,s:s}]}}", "apiVersion", "v1", "kind",
                "Node", "metadata", "name", name, "labels", "kubernetes.io/hostname", name,
                MIG_LABEL_PARTITIONING, "mig", "spec", "status", "capacity", amounts, "allocatable", amounts,
                "conditions", "type", "Ready", "status", "True");
  return sim_api_create(cluster->api, "/api/v1/nodes", object, err);
}

int sim_cluster_create_pod(SimCluster *cluster, const char *profile, uint64_t run_ms, Error *err) {
  char resource[MIG_RESOURCE_NAME_SIZE];
  mig_profile_format_resource(profile, resource);
  CLEANUP(cleanup_free) char *name = mem_format("p-%0*d", cluster->options.pod_digits, ++cluster->pod_count);
  CLEANUP(cleanup_free) char *run = mem_format("%llu", (unsigned long long)run_ms);
  json_auto_t *amounts = json_pack("{s:s}", resource, "1");
  json_auto_t *object =
      json_pack("{s:s,s:s,s:{s:s,s:{s:s}},s:{s:s,s:[{s:s,s:s,s:[s,s],s:{s:O,s:O}}]}}", "apiVersion", "v1",
                "kind", "Pod", "metadata", "name", name, "annotations", SIM_KUBELET_RUN_MS, run, "spec",
                "schedulerName", "default-scheduler", "containers", "name", "main", "image", "busybox",
                "command", "sleep", "120", "resources", "requests", amounts, "limits", amounts);
  return sim_api_create(cluster->api, "/api/v1/namespaces/" SIM_CLUSTER_NAMESPACE "/pods", object, err);
}

int sim_cluster_create_pods(SimCluster *cluster, const char *profile, int count, Error *err) {
  for (int i = 0; i < count; i++) {
    int result = sim_cluster_create_pod(cluster, profile, 0, err);
    if (result < 0)
      return result;
  }
  return 0;
}

size_t sim_cluster_count_pods(const SimCluster *cluster, const char *phase) {
  const Map *pods = &sim_api_store(cluster->api)->objects[SIM_API_PODS];
  size_t count = 0;
  for (size_t i = 0; i < pods->count; i++) {
    const json_t *status = json_object_get(pods->entries[i].value, "status");
    count += string_equal(json_string_value(json_object_get(status, "phase")), phase);
  }
  return count;
}

/* ---- life ---- */

static void on_change(void *userdata, const SimApiChange *change) {
  SimCluster *cluster = userdata;
  cluster->changed_ms = cluster->host.now_ms;
  if (cluster->on_change)
    cluster->on_change(cluster->change_userdata, change);
}

static int start_machine(SimCluster *cluster, SimClusterNode *node, Error *err) {
  const SimDriverOptions driver = {.machine = cluster->options.machine,
                                   .seed = cluster->options.seed * 1000 + ++cluster->machines,
                                   .latency = cluster->options.gpu_latency,
                                   .folder = cluster->options.machine_folder};
  assert(!driver.folder || cluster->options.node_count == 1);
  return sim_driver_new(&cluster->host, &driver, &node->driver, err);
}

static int start_node(SimCluster *cluster, Error *err) {
  int i = cluster->node_count;
  SimClusterNode *node = &cluster->nodes[i];
  snprintf(node->name, sizeof node->name, "gpu-%d", i + 1);
  int result = start_machine(cluster, node, err);
  if (result < 0)
    return result;
  node->port = sim_port_new(&cluster->host, cluster->options.socket_jitter_ms);
  cluster->node_count++;
  result = create_node(cluster, node->name, err);
  if (result < 0)
    return result;
  sim_cluster_start_kubelet(cluster, i);
  sim_cluster_start_agent(cluster, i);
  return 0;
}

static void start_scheduler(SimCluster *cluster) {
  cluster->scheduler = sim_scheduler_new(&cluster->host, sim_api_seam(cluster->api));
  sim_scheduler_start(cluster->scheduler);
}

void sim_cluster_restart_scheduler(SimCluster *cluster) {
  sim_scheduler_free(cluster->scheduler);
  start_scheduler(cluster);
}

int sim_cluster_new(const SimClusterOptions *options, SimCluster **ret_cluster, Error *err) {
  assert(options->node_count > 0 && options->node_count <= SIM_CLUSTER_NODES_MAX);
  CLEANUP(sim_cluster_freep) SimCluster *cluster = mem_alloc(sizeof *cluster);
  cluster->options = *options;
  host_init(&cluster->host, options->seed);
  host_advance(&cluster->host, 0, BEGINNING_MS);
  cluster->api = sim_api_new(&options->api, &cluster->host);
  sim_api_listen(cluster->api, on_change, cluster);
  int result = create_surroundings(cluster, err);
  if (result < 0)
    return result;
  cluster->nodes = mem_alloc((size_t)options->node_count * sizeof *cluster->nodes);
  while (cluster->node_count < options->node_count) {
    result = start_node(cluster, err);
    if (result < 0)
      return result;
  }
  start_scheduler(cluster);
  sim_cluster_start_controller(cluster);
  *ret_cluster = TAKE(cluster);
  return 0;
}

/* As the garbage collector does with the pods of a node that is not there any more. */
static void remove_pods_of(SimCluster *cluster, const char *node) {
  const Map *pods = &sim_api_store(cluster->api)->objects[SIM_API_PODS];
  for (size_t i = pods->count; i-- > 0;) {
    const json_t *pod = pods->entries[i].value, *meta = json_object_get(pod, "metadata");
    if (!string_equal(json_string_value(json_object_get(json_object_get(pod, "spec"), "nodeName")), node))
      continue;
    CLEANUP(cleanup_free) char *name = mem_strdup(json_string_value(json_object_get(meta, "name")));
    CLEANUP(cleanup_free) char *space = mem_strdup(json_string_value(json_object_get(meta, "namespace")));
    sim_api_remove_pod(cluster->api, space, name);
  }
}

void sim_cluster_delete_node(SimCluster *cluster, int i) {
  const SimClusterNode *node = &cluster->nodes[i];
  assert(!node->agent && !node->kubelet);
  CLEANUP(cleanup_free) char *path = mem_format("/api/v1/nodes/%s", node->name);
  sim_api_delete(cluster->api, path);
  remove_pods_of(cluster, node->name);
}

int sim_cluster_create_node(SimCluster *cluster, int i, bool is_new_machine, Error *err) {
  SimClusterNode *node = &cluster->nodes[i];
  assert(!node->agent && !node->kubelet);
  if (sim_api_store_find(sim_api_store(cluster->api), SIM_API_NODES, node->name))
    sim_cluster_delete_node(cluster, i); /* its deletion was lost */
  remove_pods_of(cluster, node->name);   /* which were bound when it was gone already */
  if (is_new_machine) {
    sim_driver_free(TAKE(node->driver));
    int result = start_machine(cluster, node, err);
    if (result < 0)
      return result;
    sim_port_clear(node->port, "");
    sim_disk_deinit(&node->disk);
    node->disk = (SimDisk){0};
  }
  return create_node(cluster, node->name, err);
}

static void stop_node(SimCluster *cluster, int i) {
  SimClusterNode *node = &cluster->nodes[i];
  if (node->agent)
    sim_cluster_kill_agent(cluster, i);
  sim_cluster_kill_kubelet(cluster, i);
  sim_port_free(node->port);
  sim_disk_deinit(&node->disk);
  sim_driver_free(node->driver);
}

void sim_cluster_free(SimCluster *cluster) {
  if (!cluster)
    return;
  sim_cluster_kill_controller(cluster);
  sim_scheduler_free(cluster->scheduler);
  for (int i = 0; i < cluster->node_count; i++)
    stop_node(cluster, i);
  sim_api_free(cluster->api);
  host_deinit(&cluster->host);
  free(cluster->nodes);
  free(cluster);
}

/* ---- time ---- */

static void advance(SimCluster *cluster, uint64_t now_ms) {
  if (now_ms > cluster->host.now_ms)
    host_advance(&cluster->host, now_ms, BEGINNING_MS + (int64_t)now_ms + cluster->clock_off_ms);
}

bool sim_cluster_run(SimCluster *cluster, uint64_t until_ms, bool (*is_done)(void *userdata),
                     void *userdata) {
  for (;;) {
    host_run_timers(&cluster->host);
    if (is_done && is_done(userdata))
      return true;
    uint64_t next_ms = host_next_ms(&cluster->host);
    if (next_ms > until_ms)
      next_ms = until_ms;
    if (cluster->pace && !cluster->pace(cluster->pace_userdata, next_ms))
      return false;
    if (cluster->host.now_ms >= until_ms)
      return false;
    advance(cluster, next_ms);
  }
}

static bool is_settled(void *userdata) {
  const SimCluster *cluster = userdata;
  for (int i = 0; i < cluster->node_count; i++) {
    const json_t *node =
        sim_api_store_find(sim_api_store(cluster->api), SIM_API_NODES, cluster->nodes[i].name);
    const json_t *annotations = json_object_get(json_object_get(node, "metadata"), "annotations");
    if (cluster->nodes[i].agent && !json_object_get(annotations, MIG_ANNOTATION_PROFILES))
      return false;
  }
  return true;
}

bool sim_cluster_settle(SimCluster *cluster) {
  return sim_cluster_run(cluster, cluster->host.now_ms + SIM_CLUSTER_SETTLE_MS, is_settled, cluster);
}
