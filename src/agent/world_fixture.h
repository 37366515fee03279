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

#include "agent/world_pods.h"

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
                                .plugin_selector = world->options.plugin_selector,
                                .restart_after_change = world->options.restart_after_change,
                                .metrics = world->options.metrics};
  const AgentSeams seams = {.host = &world->host,
                            .transport = &world->fake.seam,
                            .port = &world->port.seam,
                            .driver = &world->driver,
                            .driver_watches = world->driver_watches,
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
  world->driver = (GpuDriver){.submit = driver_submit, .cancel = driver_cancel};
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
  json_decref(world->witness);
  text_deinit(&world->story);
  text_deinit(&world->events);
  free(world->patch);
  free(world->truth);
  host_deinit(&world->host);
  free(world);
  return 0;
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_init, world_deinit)
