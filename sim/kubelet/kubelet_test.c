/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated kubelet between a real device plugin (kubelet/plugins.h) and the simulated API server. */
#include "base/test.h"

#include "kubelet/plugins.h"
#include "kubelet/pod_resources.h"
#include "sim/apiserver/server.h"
#include "sim/kubelet/kubelet.h"

#define RESOURCE "nvidia.com/mig-1g.10gb"
#define PODS     "/api/v1/namespaces/demo/pods"

enum { START_MS = 300, TICK_MS = 10000 };

typedef struct World {
  Host host;
  SimApi *api;
  SimPort *port;
  SimDisk disk;
  SimKubelet *kubelet;
  KubeletPlugins *plugins;
  KubeletPodResources *asker;
  const char *refusal; /* of Allocate */
  bool prefers_last;
  int registered_count;
  Text seen; /* the last answer of pod-resources: "resource id; " */
} World;

static void pass_time(World *world, uint64_t duration_ms) {
  uint64_t end_ms = world->host.now_ms + duration_ms;
  host_run_timers(&world->host);
  while (host_next_ms(&world->host) <= end_ms) {
    host_advance(&world->host, host_next_ms(&world->host), 1700000000000);
    host_run_timers(&world->host);
  }
  host_advance(&world->host, end_ms, 1700000000000);
}

/* ---- the agent's side ---- */

static int on_allocate(void *userdata, const char *resource, const Strings *ids, Arena *arena,
                       KubeletAllocation *ret_allocation, Error *err) {
  const World *world = userdata;
  if (world->refusal)
    return error_set(err, ERROR_NOT_FOUND, "%s", world->refusal);
  KeyValue *env = arena_alloc(arena, sizeof *env);
  *env = (KeyValue){.key = "NVIDIA_VISIBLE_DEVICES", .value = ids->items[0]};
  ret_allocation->envs = (KeyValues){.items = env, .count = 1};
  return 0;
}

static void on_preferred(void *userdata, const char *resource, const KubeletPreferred *request, Arena *arena,
                         Strings *ret_ids) {
  const World *world = userdata;
  size_t chosen = world->prefers_last ? request->available.count - 1 : 0;
  *ret_ids = (Strings){.items = &request->available.items[chosen], .count = 1};
}

static void on_registered(void *userdata, const char *resource) {
  ((World *)userdata)->registered_count++;
}

static void agent_start(World *world) {
  world->plugins = kubelet_plugins_new(&world->host, sim_port_seam(world->port),
                                       &(KubeletPluginsOptions){.folder = SIM_KUBELET_PLUGIN_FOLDER,
                                                                .on_allocate = on_allocate,
                                                                .on_preferred = on_preferred,
                                                                .on_registered = on_registered,
                                                                .userdata = world});
  world->asker =
      kubelet_pod_resources_new(&world->host, sim_port_seam(world->port), SIM_KUBELET_POD_RESOURCES);
}

static void agent_stop(World *world) {
  kubelet_plugins_free(TAKE(world->plugins));
  kubelet_pod_resources_free(TAKE(world->asker));
}

/* "a b" announces two healthy partitions; "b!" an unhealthy one. */
static void announce(World *world, const char *ids) {
  KubeletPartition items[8];
  char names[8][16];
  KubeletPartitions partitions = {.items = items};
  Error err = {0};
  while (*ids) {
    size_t size = strcspn(ids, " ");
    bool is_healthy = ids[size - 1] != '!';
    snprintf(names[partitions.count], sizeof names[0], "%.*s", (int)(size - !is_healthy), ids);
    items[partitions.count] = (KubeletPartition){.id = names[partitions.count], .healthy = is_healthy};
    partitions.count++;
    ids += size + (ids[size] == ' ');
  }
  assert_ok(kubelet_plugins_set(world->plugins, RESOURCE, &partitions, &err));
  pass_time(world, 100);
}

static void on_helds(void *userdata, const KubeletHelds *helds, const Error *err) {
  World *world = userdata;
  text_clear(&world->seen);
  if (err)
    text_append(&world->seen, err->text);
  for (size_t i = 0; !err && i < helds->count; i++)
    text_format(&world->seen, "%s%s%s; ", string_or_empty(helds->items[i].pod),
                helds->items[i].pod ? " " : "", helds->items[i].ids.items[0]);
}

static const char *ask_allocatable(World *world) {
  assert_true(kubelet_pod_resources_allocatable(world->asker, on_helds, world));
  pass_time(world, 50);
  return text_string(&world->seen);
}

static const char *ask_held(World *world) {
  assert_true(kubelet_pod_resources_list(world->asker, on_helds, world));
  pass_time(world, 50);
  return text_string(&world->seen);
}

static const char *ask_pod(World *world, const char *name) {
  assert_true(kubelet_pod_resources_get(world->asker, "demo", name, on_helds, world));
  pass_time(world, 50);
  return text_string(&world->seen);
}

/* ---- the cluster's side ---- */

static void create(World *world, const char *path, const char *text) {
  Error err = {0};
  json_auto_t *object = json_loads(text, 0, NULL);
  assert_non_null(object);
  assert_ok(sim_api_create(world->api, path, object, &err));
}

/* A pod that somebody has bound to our node already. */
static void send_pod(World *world, const char *name, const char *annotations) {
  char text[512];
  snprintf(
      text, sizeof text,
      "{\"metadata\":{\"name\":\"%s\",\"annotations\":{%s}},\"spec\":{\"nodeName\":\"n1\",\"containers\":"
      "[{\"name\":\"main\",\"resources\":{\"limits\":{\"" RESOURCE "\":\"1\"}}}]}}",
      name, annotations);
  create(world, PODS, text);
}

static const json_t *find_pod(World *world, const char *name) {
  char key[64];
  snprintf(key, sizeof key, "demo/%s", name);
  return sim_api_store_find(sim_api_store(world->api), SIM_API_PODS, key);
}

static const char *pod_text(World *world, const char *name, const char *section, const char *field) {
  return json_string_value(json_object_get(json_object_get(find_pod(world, name), section), field));
}

static const char *env_of(World *world, const char *name) {
  return sim_disk_find_env(&world->disk, pod_text(world, name, "metadata", "uid"), "NVIDIA_VISIBLE_DEVICES");
}

static const char *offered(World *world, const char *list) {
  const json_t *node = sim_api_store_find(sim_api_store(world->api), SIM_API_NODES, "n1");
  return json_string_value(json_object_get(json_object_get(json_object_get(node, "status"), list), RESOURCE));
}

static void kubelet_start(World *world) {
  const SimKubeletOptions options = {
      .node_name = "n1", .container_start_ms = START_MS, .status_tick_ms = TICK_MS};
  world->kubelet =
      sim_kubelet_new(&options, &world->host, sim_api_seam(world->api), world->port, &world->disk);
  sim_kubelet_start(world->kubelet);
}

static int setup(void **state) {
  World *world = mem_alloc(sizeof *world);
  host_init(&world->host, 7);
  host_advance(&world->host, 0, 1700000000000);
  world->api = sim_api_new(&(SimApiOptions){.latency_ms = 1, .jitter_ms = 2}, &world->host);
  world->port = sim_port_new(&world->host, 1);
  create(world, "/api/v1/namespaces", "{\"metadata\":{\"name\":\"demo\"}}");
  create(world, "/api/v1/nodes", "{\"metadata\":{\"name\":\"n1\"},\"spec\":{},\"status\":{}}");
  kubelet_start(world);
  agent_start(world);
  *state = world;
  return 0;
}

static int teardown(void **state) {
  World *world = *state;
  if (world->plugins)
    agent_stop(world);
  sim_kubelet_free(world->kubelet);
  sim_port_free(world->port);
  sim_disk_deinit(&world->disk);
  sim_api_free(world->api);
  host_deinit(&world->host);
  text_deinit(&world->seen);
  free(world);
  return 0;
}

/* ---- partitions ---- */

static void an_announced_slice_is_known_at_once_and_offered_at_the_next_tick(void **state) {
  World *world = *state;
  pass_time(world, TICK_MS);
  announce(world, "a b c!");
  assert_int_equal(world->registered_count, 1);
  assert_true(kubelet_plugins_is_current(world->plugins, RESOURCE));
  assert_string_equal(ask_allocatable(world), "a; b; ");
  assert_null(offered(world, "allocatable"));
  pass_time(world, TICK_MS);
  assert_string_equal(offered(world, "capacity"), "3");
  assert_string_equal(offered(world, "allocatable"), "2");
  announce(world, "a b c d");
  assert_string_equal(ask_allocatable(world), "a; b; c; d; ");
}

static void without_its_plugin_a_resource_has_nothing_healthy(void **state) {
  World *world = *state;
  announce(world, "a b");
  agent_stop(world);
  pass_time(world, 2 * TICK_MS);
  assert_string_equal(offered(world, "capacity"), "2");
  assert_string_equal(offered(world, "allocatable"), "0");
  agent_start(world);
  announce(world, "a b");
  pass_time(world, TICK_MS);
  assert_string_equal(offered(world, "allocatable"), "2");
}

/* ---- pods ---- */

static void a_pod_gets_a_slice_and_its_environment_and_runs_after_the_start_time(void **state) {
  World *world = *state;
  announce(world, "a");
  send_pod(world, "p", "");
  pass_time(world, START_MS - 50);
  assert_string_equal(pod_text(world, "p", "status", "phase"), "Pending");
  assert_string_equal(env_of(world, "p"), "a");
  pass_time(world, 100);
  assert_string_equal(pod_text(world, "p", "status", "phase"), "Running");
  assert_string_equal(ask_held(world), "p a; ");
}

static void the_plugin_chooses_among_the_available_ones(void **state) {
  World *world = *state;
  world->prefers_last = true;
  announce(world, "a b c");
  send_pod(world, "p", "");
  send_pod(world, "q", "");
  pass_time(world, 1000);
  assert_string_equal(env_of(world, "p"), "c");
  assert_string_equal(env_of(world, "q"), "b");
}

static void a_pod_without_a_healthy_slice_is_rejected_for_good(void **state) {
  World *world = *state;
  announce(world, "a b!");
  send_pod(world, "p", "");
  send_pod(world, "q", "");
  pass_time(world, 1000);
  assert_string_equal(pod_text(world, "p", "status", "phase"), "Running");
  assert_string_equal(pod_text(world, "q", "status", "phase"), "Failed");
  assert_string_equal(pod_text(world, "q", "status", "reason"), "UnexpectedAdmissionError");
  assert_string_equal(pod_text(world, "q", "status", "message"),
                      "Allocate failed due to requested number of devices unavailable for " RESOURCE
                      ". Requested: 1, Available: 0, which is unexpected");
  announce(world, "a b");
  pass_time(world, 1000);
  assert_string_equal(pod_text(world, "q", "status", "phase"), "Failed");
}

static void a_pod_that_comes_while_the_plugin_is_away_is_rejected(void **state) {
  World *world = *state;
  announce(world, "a");
  agent_stop(world);
  pass_time(world, 100);
  send_pod(world, "p", "");
  pass_time(world, 1000);
  assert_string_equal(
      pod_text(world, "p", "status", "message"),
      "Allocate failed due to no healthy devices present; cannot allocate unhealthy devices " RESOURCE
      ", which is unexpected");
}

static void a_plugin_that_refuses_rejects_the_pod_and_keeps_the_slice(void **state) {
  World *world = *state;
  announce(world, "a");
  world->refusal = "the slice is gone";
  send_pod(world, "p", "");
  pass_time(world, 1000);
  assert_string_equal(
      pod_text(world, "p", "status", "message"),
      "Allocate failed due to rpc error: code = 9 desc = the slice is gone, which is unexpected");
  world->refusal = NULL;
  send_pod(world, "q", "");
  pass_time(world, 1000);
  assert_string_equal(env_of(world, "q"), "a");
}

static void a_resource_that_nobody_registered_is_not_looked_after(void **state) {
  World *world = *state;
  send_pod(world, "p", "");
  pass_time(world, 1000);
  assert_string_equal(pod_text(world, "p", "status", "phase"), "Running");
  assert_null(env_of(world, "p"));
}

static void a_pod_that_finishes_gives_its_slice_back(void **state) {
  World *world = *state;
  announce(world, "a");
  send_pod(world, "p", "\"" SIM_KUBELET_RUN_MS "\":\"500\"");
  pass_time(world, START_MS + 600);
  assert_string_equal(pod_text(world, "p", "status", "phase"), "Succeeded");
  assert_string_equal(ask_held(world), "");
  send_pod(world, "q", "");
  pass_time(world, 1000);
  assert_string_equal(env_of(world, "q"), "a");
}

static void a_deleted_pod_goes_in_every_state_and_gives_its_slice_back(void **state) {
  static const uint64_t ages_ms[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 100, START_MS, 1000};
  World *world = *state;
  announce(world, "a");
  for (size_t i = 0; i < COUNT_OF(ages_ms); i++) {
    send_pod(world, "p", "");
    pass_time(world, ages_ms[i]);
    sim_api_delete_pod(world->api, "demo", "p");
    pass_time(world, 1000);
    assert_null(find_pod(world, "p"));
    assert_string_equal(ask_held(world), "");
  }
}

static void what_the_api_server_did_not_hear_is_said_again(void **state) {
  World *world = *state;
  announce(world, "a");
  send_pod(world, "p", "");
  pass_time(world, START_MS - 50);
  sim_api_fail_next(world->api, 2, 503);
  pass_time(world, 500);
  assert_string_equal(pod_text(world, "p", "status", "phase"), "Pending");
  pass_time(world, 1500);
  assert_string_equal(pod_text(world, "p", "status", "phase"), "Running");
}

static void one_pod_can_be_asked_for(void **state) {
  World *world = *state;
  announce(world, "a b");
  send_pod(world, "p", "");
  send_pod(world, "q", "");
  pass_time(world, 1000);
  assert_string_equal(ask_pod(world, "p"), "p a; ");
  assert_string_equal(ask_pod(world, "q"), "q b; ");
  assert_string_equal(ask_pod(world, "r"), "");
}

/* ---- restarts ---- */

static void a_restarted_kubelet_knows_who_holds_what(void **state) {
  World *world = *state;
  announce(world, "a b");
  send_pod(world, "p", "");
  pass_time(world, 1000);
  sim_kubelet_free(world->kubelet);
  pass_time(world, 100);
  kubelet_start(world);
  pass_time(world, 500);
  assert_int_equal(world->registered_count, 2);
  assert_string_equal(ask_held(world), "p a; ");
  send_pod(world, "q", "");
  pass_time(world, 1000);
  assert_string_equal(env_of(world, "q"), "b");
  assert_string_equal(pod_text(world, "p", "status", "phase"), "Running");
}

static void a_restarted_kubelet_starts_what_it_had_admitted(void **state) {
  World *world = *state;
  announce(world, "a");
  send_pod(world, "p", "");
  pass_time(world, 100);
  assert_string_equal(env_of(world, "p"), "a");
  sim_kubelet_free(world->kubelet);
  kubelet_start(world);
  pass_time(world, 1000);
  assert_string_equal(pod_text(world, "p", "status", "phase"), "Running");
  assert_string_equal(ask_held(world), "p a; ");
}

static void pods_that_went_while_no_kubelet_was_there_are_forgotten(void **state) {
  World *world = *state;
  announce(world, "a");
  send_pod(world, "p", "");
  pass_time(world, 1000);
  sim_kubelet_free(world->kubelet);
  sim_api_delete_pod(world->api, "demo", "p");
  kubelet_start(world);
  pass_time(world, 1000);
  assert_null(find_pod(world, "p"));
  assert_string_equal(ask_held(world), "");
}

static void a_killed_kubelet_leaves_sockets_that_refuse(void **state) {
  World *world = *state;
  sim_kubelet_free(TAKE(world->kubelet));
  assert_string_equal(ask_held(world), "the kubelet's pod-resources socket " SIM_KUBELET_POD_RESOURCES
                                       " does not answer: cannot connect to " SIM_KUBELET_POD_RESOURCES
                                       ": connection refused");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(an_announced_slice_is_known_at_once_and_offered_at_the_next_tick),
      CASE(without_its_plugin_a_resource_has_nothing_healthy),
      CASE(a_pod_gets_a_slice_and_its_environment_and_runs_after_the_start_time),
      CASE(the_plugin_chooses_among_the_available_ones),
      CASE(a_pod_without_a_healthy_slice_is_rejected_for_good),
      CASE(a_pod_that_comes_while_the_plugin_is_away_is_rejected),
      CASE(a_plugin_that_refuses_rejects_the_pod_and_keeps_the_slice),
      CASE(a_resource_that_nobody_registered_is_not_looked_after),
      CASE(a_pod_that_finishes_gives_its_slice_back),
      CASE(a_deleted_pod_goes_in_every_state_and_gives_its_slice_back),
      CASE(what_the_api_server_did_not_hear_is_said_again),
      CASE(one_pod_can_be_asked_for),
      CASE(a_restarted_kubelet_knows_who_holds_what),
      CASE(a_restarted_kubelet_starts_what_it_had_admitted),
      CASE(pods_that_went_while_no_kubelet_was_there_are_forgotten),
      CASE(a_killed_kubelet_leaves_sockets_that_refuse),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
