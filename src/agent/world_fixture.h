/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: an agent among played neighbours - an API server with one node, a kubelet (device manager and
 * pod-resources) on a port in memory, and a driver with GPUs. Each can fail or fall silent; what they see is
 * told in one story:
 *
 *     observe;                        the driver was asked to look
 *     create 1g.10gb@6;               ... to create, or destroy
 *     list 1g.10gb: MIG-0-6;          the kubelet received a list
 *     patch;                          the API server received a report (world->patch is its body)
 *     reserve; release;               ... a reservation pod (world->pod), or its deletion */
#pragma once

#include "agent/agent_fixture.h"
#include "agent/kubelet_fixture.h"

#include "agent/agent.h"
#include "base/log.h"
#include "kube/fake_transport.h"

#include <jansson.h>

enum { WORLD_BEGIN_MS = 1000000 };

typedef struct World World;

struct World {
  Host host;
  Text story;
  Agent *agent;
  /* the driver */
  GpuDriver driver;
  GpuObservation *truth;
  GpuJob job;
  GpuOnResult *on_result; /* NULL: no job */
  void *result_userdata;
  bool driver_is_mute;
  Error driver_error; /* what every job fails with; code 0: they succeed */
  int dying;          /* so many jobs take the worker with them, before they did anything */
  bool driver_lies;   /* says "created" and creates nothing */
  /* the API server */
  FakeTransport fake;
  json_t *node; /* NULL: there is none */
  int version;
  bool api_is_mute;
  KubeCall *watch; /* the one that was begun */
  bool watch_is_late;
  int refuse_status; /* what PATCH is answered with; 0: it succeeds */
  bool take_over;    /* an option of the agent */
  AgentCdiOptions cdi;
  bool patch_is_lost;
  bool patch_is_undone; /* by somebody who disagrees, at once */
  char *patch;          /* the last one */
  int patch_count;
  json_t *pod; /* the reservation pod; NULL: there is none */
  KubeCall *pod_watch;
  bool scheduler_is_mute; /* nobody binds the pod */
  bool pod_stays;         /* being deleted, but the kubelet does not let it go */
  int refuse_pod;         /* status that POST of it is answered with; 0: it succeeds */
  /* the kubelet */
  MemoryPort port;
  FakeKubelet kubelet;
  /* NVIDIA's device plugin, for tests that have one. */
  AgentOptions options; /* what differs from the usual ones */
  AgentPluginProcess *plugin_process;
  bool (*plugin_turn)(World *world); /* true: it did something */
  void *plugin;
};

#define assert_story(world, expected)                                                                        \
  do {                                                                                                       \
    assert_string_equal(text_string(&(world)->story), expected);                                             \
    text_clear(&(world)->story);                                                                             \
  } while (0)

/* ---- the driver ---- */

static inline const char *profile_name(const World *world, const GpuJob *job) {
  const MigModel *model = &world->truth->gpus[0].model;
  for (int i = 0; i < model->profile_count; i++)
    if (model->profiles[i].nvml_id == job->nvml_id)
      return model->profiles[i].name;
  return "?";
}

static inline void driver_submit(GpuDriver *driver, const GpuJob *job, GpuOnResult *on_result,
                                 void *userdata) {
  World *world = (World *)((char *)driver - offsetof(World, driver));
  assert_null(world->on_result); /* one job at a time */
  world->job = *job;
  world->on_result = on_result;
  world->result_userdata = userdata;
  if (job->kind == GPU_JOB_OBSERVE)
    text_format(&world->story, "observe;");
  else
    text_format(&world->story, "%s %s@%d;", job->kind == GPU_JOB_CREATE ? "create" : "destroy",
                profile_name(world, job), job->start);
}

static inline void destroy_slice(World *world) {
  for (int g = 0; g < world->truth->gpu_count; g++) {
    GpuObserved *gpu = &world->truth->gpus[g];
    for (int i = 0; strcmp(gpu->uuid, world->job.uuid) == 0 && i < gpu->instance_count; i++)
      if (gpu->instances[i].start == world->job.start && gpu->instances[i].nvml_id == world->job.nvml_id) {
        gpu->instances[i] = gpu->instances[--gpu->instance_count];
        return;
      }
  }
  fail_msg("the slice to be destroyed does not exist");
}

static inline void create_slice(World *world, GpuResult *result) {
  for (int g = 0; g < world->truth->gpu_count; g++) {
    GpuObserved *gpu = &world->truth->gpus[g];
    if (strcmp(gpu->uuid, world->job.uuid) != 0)
      continue;
    char slice[64];
    snprintf(slice, sizeof slice, "%s@%d", profile_name(world, &world->job), world->job.start);
    observe_slice(gpu, slice);
    snprintf(result->created_uuid, sizeof result->created_uuid, "%s",
             gpu->instances[gpu->instance_count - 1].uuid);
  }
}

/* Ends the job, as the script says. */
static inline bool driver_turn(World *world) {
  if (!world->on_result || world->driver_is_mute)
    return false;
  CLEANUP(cleanup_free) GpuResult *result = mem_alloc(sizeof *result);
  bool is_create = world->job.kind == GPU_JOB_CREATE;
  bool dies = world->job.kind != GPU_JOB_OBSERVE && world->dying > 0;
  if (dies)
    error_set(&result->err, ERROR_UNAVAILABLE, "the NVML worker died");
  else
    result->err = world->driver_error;
  world->dying -= dies;
  if (is_create && !result->err.code && !world->driver_lies)
    create_slice(world, result);
  if (world->job.kind == GPU_JOB_DESTROY && !result->err.code && !world->driver_lies)
    destroy_slice(world);
  /* A driver that refuses to create still lets itself be looked at; a dead worker does not. */
  result->observed = !result->err.code || (world->job.kind != GPU_JOB_OBSERVE && !dies);
  if (result->observed)
    result->observation = *world->truth;
  GpuOnResult *on_result = world->on_result;
  world->on_result = NULL;
  on_result(world->result_userdata, result);
  return true;
}

/* ---- the API server ---- */

static inline json_t *metadata_of(World *world, const char *member) {
  return json_object_get(json_object_get(world->node, "metadata"), member);
}

static inline const char *annotation(World *world, const char *key) {
  const char *value = json_string_value(json_object_get(metadata_of(world, "annotations"), key));
  return value ? value : "(absent)";
}

static inline const char *amount(World *world, const char *list, const char *resource) {
  const json_t *amounts = json_object_get(json_object_get(world->node, "status"), list);
  const char *value = json_string_value(json_object_get(amounts, resource));
  return value ? value : "(absent)";
}

#define PODS "/api/v1/namespaces/facet-system/pods"

static inline KubeCall *find_call_of(World *world, const char *method, const char *path, bool is_watch) {
  for (size_t i = 0; i < world->fake.calls.count; i++) {
    KubeCall *call = world->fake.calls.items[i];
    if (!call->is_over && strcmp(call->request.method, method) == 0 &&
        string_has_prefix(call->request.path, path) &&
        (strstr(call->request.path, "watch=1") != NULL) == is_watch)
      return call;
  }
  return NULL;
}

/* Of the node. */
static inline KubeCall *find_call(World *world, const char *method, bool is_watch) {
  return find_call_of(world, method, "/api/v1/nodes", is_watch);
}

static inline void send_event(KubeCall *watch, const char *type, json_t *object) {
  json_t *event = json_pack("{s:s, s:O}", "type", type, "object", object);
  CLEANUP(cleanup_free) char *line = json_dumps(event, JSON_COMPACT);
  fake_body(watch, line);
  fake_body(watch, "\n");
  json_decref(event);
}

static inline void show(World *world, const char *type) {
  json_object_set_new(json_object_get(world->node, "metadata"), "resourceVersion",
                      json_sprintf("%d", ++world->version));
  KubeCall *watch = find_call(world, "GET", true);
  if (!watch || watch != world->watch || world->api_is_mute || world->watch_is_late)
    return;
  send_event(watch, type, world->node);
}

static inline void show_pod(World *world, const char *type) {
  json_object_set_new(json_object_get(world->pod, "metadata"), "resourceVersion",
                      json_sprintf("%d", ++world->version));
  KubeCall *watch = find_call_of(world, "GET", PODS, true);
  if (watch && watch == world->pod_watch && !world->api_is_mute)
    send_event(watch, type, world->pod);
}

/* value NULL: takes it away. */
static inline void set_annotation(World *world, const char *key, const char *value) {
  if (value)
    json_object_set_new(metadata_of(world, "annotations"), key, json_string(value));
  else
    json_object_del(metadata_of(world, "annotations"), key);
  show(world, "MODIFIED");
}

static inline void set_label(World *world, const char *value) {
  if (value)
    json_object_set_new(metadata_of(world, "labels"), MIG_LABEL_PARTITIONING, json_string(value));
  else
    json_object_clear(metadata_of(world, "labels"));
  show(world, "MODIFIED");
}

/* What the controller writes. */
static inline void set_plan(World *world, const char *plan, const char *spec) {
  json_object_set_new(metadata_of(world, "annotations"), "facet.gpu/spec-gpu-0", json_string(spec));
  set_annotation(world, MIG_ANNOTATION_SPEC_PLAN, plan);
}

/* What the kubelet says of a resource on the node. */
static inline void set_amount(World *world, const char *resource, const char *value) {
  json_t *status = json_object_get(world->node, "status");
  json_object_set_new(json_object_get(status, "capacity"), resource, json_string(value));
  json_object_set_new(json_object_get(status, "allocatable"), resource, json_string(value));
  show(world, "MODIFIED");
}

static inline void merge(json_t *into, const json_t *patch) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)patch, key, value) {
    if (json_is_null(value))
      json_object_del(into, key);
    else if (json_is_object(value) && json_is_object(json_object_get(into, key)))
      merge(json_object_get(into, key), value);
    else
      json_object_set(into, key, value);
  }
}

static inline void answer_patch(World *world, KubeCall *call) {
  assert_string_equal(call->request.path, "/api/v1/nodes/n1/status");
  assert_string_equal(call->request.content_type, "application/merge-patch+json");
  free(world->patch);
  world->patch = mem_strdup(call->request.body);
  world->patch_count++;
  text_format(&world->story, "patch;");
  if (world->refuse_status || !world->node) {
    fake_answer(call, world->node ? world->refuse_status : 404,
                "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"no\"}");
    return;
  }
  json_t *patch = json_loads(call->request.body, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(patch);
  if (!world->patch_is_undone)
    merge(world->node, patch);
  json_decref(patch);
  if (world->patch_is_lost)
    fake_break(call);
  else
    fake_answer(call, 200, "{}");
  show(world, "MODIFIED");
}

static inline void answer_list(World *world, KubeCall *call, json_t *object) {
  json_t *items = json_array();
  if (object)
    json_array_append(items, object);
  json_t *list = json_pack("{s:{s:s}, s:o}", "metadata", "resourceVersion", "1", "items", items);
  CLEANUP(cleanup_free) char *body = json_dumps(list, JSON_COMPACT);
  fake_answer(call, 200, body);
  json_decref(list);
}

/* A new watch begins with what it may have missed. */
static inline bool begin_watch(World *world) {
  KubeCall *watch = find_call(world, "GET", true);
  if (!watch || watch == world->watch)
    return false;
  world->watch = watch;
  fake_head(watch, 200, -1);
  if (world->node)
    show(world, "MODIFIED");
  return true;
}

/* ---- the reservation pod ---- */

static inline void set_pod(World *world, const char *section, const char *field, json_t *value) {
  json_object_set_new(json_object_get(world->pod, section), field, value);
  show_pod(world, "MODIFIED");
}

static inline void bind_pod(World *world) {
  set_pod(world, "spec", "nodeName", json_string("n1"));
}

static inline void refuse_to_schedule(World *world, const char *message) {
  set_pod(world, "status", "conditions",
          json_pack("[{s:s, s:s, s:s, s:s}]", "type", "PodScheduled", "status", "False", "reason",
                    "Unschedulable", "message", message));
}

static inline void remove_pod(World *world) {
  show_pod(world, "DELETED");
  json_decref(TAKE(world->pod));
  free(TAKE(world->kubelet.reservation));
  text_clear(&world->kubelet.reserved);
}

static inline void answer_reservation(World *world, KubeCall *call) {
  text_append(&world->story, "reserve;");
  if (world->refuse_pod) {
    fake_answer(call, world->refuse_pod, "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"no\"}");
    return;
  }
  if (world->pod) /* of a re-cut that is on its way out: this world has one place for them */
    remove_pod(world);
  world->pod = json_loads(call->request.body, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(world->pod);
  const json_t *name = json_object_get(json_object_get(world->pod, "metadata"), "name");
  world->kubelet.reservation = mem_strdup(json_string_value(name));
  json_object_set_new(world->pod, "status", json_pack("{s:s}", "phase", "Pending"));
  json_object_set_new(json_object_get(world->pod, "metadata"), "namespace", json_string("facet-system"));
  json_object_set_new(json_object_get(world->pod, "metadata"), "uid", json_string("r1"));
  fake_answer(call, 201, "{}");
  show_pod(world, "ADDED");
  if (!world->scheduler_is_mute)
    bind_pod(world);
}

static inline void answer_release(World *world, KubeCall *call) {
  text_append(&world->story, "release;");
  if (!world->pod) {
    fake_answer(call, 404, "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"no\"}");
    return;
  }
  assert_true(string_has_suffix(call->request.path, json_string_value(json_object_get(
                                                        json_object_get(world->pod, "metadata"), "name"))));
  fake_answer(call, 200, "{}");
  set_pod(world, "metadata", "deletionTimestamp", json_string("2026-01-01T00:00:00Z"));
  if (!world->pod_stays)
    remove_pod(world);
}

static inline bool pods_turn(World *world) {
  KubeCall *call;
  if ((call = find_call_of(world, "POST", PODS, false))) {
    answer_reservation(world, call);
  } else if ((call = find_call_of(world, "DELETE", PODS, false))) {
    answer_release(world, call);
  } else if ((call = find_call_of(world, "GET", PODS, false))) {
    answer_list(world, call, world->pod);
  } else if ((call = find_call_of(world, "GET", PODS, true)) && call != world->pod_watch) {
    world->pod_watch = call;
    fake_head(call, 200, -1);
    if (world->pod)
      show_pod(world, "MODIFIED");
  } else {
    return false;
  }
  return true;
}

static inline bool api_turn(World *world) {
  KubeCall *call = find_call(world, "PATCH", false);
  if (world->api_is_mute)
    return false;
  if (call) {
    answer_patch(world, call);
    return true;
  }
  call = find_call(world, "GET", false);
  if (call) {
    answer_list(world, call, world->node);
    return true;
  }
  return begin_watch(world) || pods_turn(world);
}

static inline void add_node(World *world) {
  world->node =
      json_pack("{s:{s:s, s:s, s:{s:s}, s:{}}, s:{s:{}, s:{}}}", "metadata", "name", "n1", "uid", "u1",
                "labels", MIG_LABEL_PARTITIONING, "mig", "annotations", "status", "capacity", "allocatable");
  show(world, "ADDED");
}

static inline void remove_node(World *world) {
  show(world, "DELETED");
  json_decref(TAKE(world->node));
}

/* ---- time ---- */

/* Everything that happens without time passing. */
static inline void run(World *world) {
  do
    memory_port_run(&world->port, &world->host);
  while (driver_turn(world) || api_turn(world) || (world->plugin_turn && world->plugin_turn(world)));
}

static inline void run_for(World *world, uint64_t ms) {
  uint64_t end_ms = world->host.now_ms + ms;
  run(world);
  while (host_next_ms(&world->host) <= end_ms) {
    host_advance(&world->host, host_next_ms(&world->host), 0);
    run(world);
  }
  host_advance(&world->host, end_ms, 0);
}

/* ---- life ---- */

static inline void silence(void *userdata, LogLevel level, const char *component, const char *message,
                           const char *fields) {
}

static inline void start_agent(World *world) {
  const AgentOptions options = {.node_name = "n1",
                                .device_plugin_folder = FOLDER,
                                .pod_resources_socket = POD_SOCKET,
                                .take_over = world->take_over,
                                .cdi = world->cdi,
                                .reservation_namespace = "facet-system",
                                .nvidia_publishes = world->options.nvidia_publishes,
                                .plugin_selector = world->options.plugin_selector};
  const AgentSeams seams = {.host = &world->host,
                            .transport = &world->fake.seam,
                            .port = &world->port.seam,
                            .driver = &world->driver,
                            .plugin_process = world->plugin_process};
  world->agent = agent_new(&options, &seams);
  agent_start(world->agent);
}

/* A node, a kubelet and one empty A100; the agent has not been started. */
static inline int world_init(void **state) {
  log_configure((LogConfig){.level = LOG_LEVEL_DEBUG, .sink = silence});
  World *world = mem_alloc(sizeof *world);
  host_init(&world->host, 42);
  host_advance(&world->host, WORLD_BEGIN_MS, 0);
  fake_init(&world->fake);
  memory_port_init(&world->port);
  world->driver.submit = driver_submit;
  world->truth = mem_alloc(sizeof *world->truth);
  observe_in(world->truth, "A100-80GB", "");
  add_node(world);
  world->kubelet = (FakeKubelet){.host = &world->host, .port = &world->port, .story = &world->story};
  kubelet_start(&world->kubelet);
  *state = world;
  return 0;
}

/* Started, reported, and quiet. */
static inline void settle(World *world) {
  start_agent(world);
  run_for(world, 10000);
  text_clear(&world->story);
}

/* A job in the driver outlives the agent: the driver goes without ending it. */
static inline void stop_agent(World *world) {
  agent_free(TAKE(world->agent));
  world->on_result = NULL;
}

static inline int world_deinit(void **state) {
  World *world = *state;
  stop_agent(world);
  kubelet_deinit(&world->kubelet);
  memory_port_run(&world->port, &world->host);
  for (size_t i = 0; i < world->fake.calls.count; i++)
    assert_true(world->fake.calls.items[i]->is_over);
  assert_true(host_next_ms(&world->host) == HOST_NEVER);
  fake_deinit(&world->fake);
  memory_port_deinit(&world->port);
  json_decref(world->node);
  json_decref(world->pod);
  text_deinit(&world->story);
  free(world->patch);
  free(world->truth);
  host_deinit(&world->host);
  free(world);
  return 0;
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_init, world_deinit)
