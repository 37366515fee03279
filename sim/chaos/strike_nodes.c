/* SPDX-License-Identifier: Apache-2.0 */
/* Machines that reboot, are replaced, lose a GPU, or have a driver that fails; and a clock that jumps. */
#include "sim/chaos/fault.h"
#include "sim/cluster/check.h"

enum {
  SETTLED_MS = 45000, /* until a node that came back has said what it has */
  LOST_MAX_MS = 20000,
  BOOT_MS = 5000, /* no machine is there in less; by then bindings to the one before have arrived, too */
};

static void halt(ChaosWorld *world, int node, uint32_t away_ms) {
  SimClusterNode *machine = &world->cluster->nodes[node];
  chaos_world_excuse_unplugged(world, node, away_ms + SETTLED_MS);
  chaos_world_excuse_lies(world, node, away_ms + SETTLED_MS);
  chaos_world_excuse_slices(world, node);
  chaos_world_note_loss(world, node);
  if (machine->agent)
    sim_cluster_kill_agent(world->cluster, node);
  if (machine->kubelet)
    sim_cluster_kill_kubelet(world->cluster, node);
}

static void start(ChaosWorld *world, int node) {
  SimClusterNode *machine = &world->cluster->nodes[node];
  if (world->nodes[node].is_absent)
    return;
  if (!machine->kubelet)
    sim_cluster_start_kubelet(world->cluster, node);
  if (!machine->agent)
    sim_cluster_start_agent(world->cluster, node);
}

/* ---- reboots ---- */

/* Its containers are no more. */
static void fail_pods(ChaosWorld *world, const char *node) {
  const Map *pods = &sim_api_store(world->cluster->api)->objects[SIM_API_PODS];
  json_auto_t *failed = json_pack("{s:{s:s}}", "status", "phase", "Failed");
  for (size_t i = 0; i < pods->count; i++) {
    const json_t *pod = pods->entries[i].value;
    const char *phase = sim_check_text(pod, "status", "phase");
    if (strcmp(sim_check_text(pod, "spec", "nodeName"), node) != 0 || strcmp(phase, "Succeeded") == 0)
      continue;
    CLEANUP(cleanup_free)
    char *path =
        mem_format("/api/v1/namespaces/%s/pods/%s/status", sim_check_text(pod, "metadata", "namespace"),
                   sim_check_text(pod, "metadata", "name"));
    sim_api_patch(world->cluster->api, path, failed);
  }
}

/* Mostly something switches MIG mode on again before anybody looks, as NVIDIA's MIG manager does. */
void chaos_strike_reboot(ChaosWorld *world, const ChaosStep *step) {
  SimClusterNode *machine = &world->cluster->nodes[step->node];
  if (world->nodes[step->node].is_absent)
    return;
  uint32_t away_ms = 1000 + step->a % 20000;
  chaos_world_note(world, "%s reboots for %u ms", machine->name, away_ms);
  halt(world, step->node, away_ms);
  sim_driver_reset(machine->driver, step->b % 4 == 0);
  while (machine->disk.held.count)
    sim_disk_release(&machine->disk, machine->disk.held.items[0]->uid);
  sim_port_clear(machine->port, "");
  fail_pods(world, machine->name);
  chaos_world_later(world, away_ms, start, step->node);
}

/* ---- replacements ---- */

static void create(ChaosWorld *world, int node, bool is_new_machine) {
  Error err;
  if (!world->nodes[node].is_absent)
    return;
  chaos_world_note(world, "%s is created again, on %s", chaos_world_node_name(world, node),
                   is_new_machine ? "a new machine" : "the same machine");
  world->nodes[node].is_absent = false;
  world->node_made_ms = world->cluster->host.now_ms + 1; /* what a rewind to there leaves in place */
  if (sim_cluster_create_node(world->cluster, node, is_new_machine, &err) < 0)
    chaos_world_fail(world, "replacement", &err);
  chaos_world_watch_driver(world, node);
  chaos_world_excuse_unplugged(world, node, SETTLED_MS);
  chaos_world_excuse_lies(world, node, SETTLED_MS);
  start(world, node);
}

static void create_same(ChaosWorld *world, int node) {
  create(world, node, false);
}

static void create_new(ChaosWorld *world, int node) {
  create(world, node, true);
}

void chaos_strike_replacement(ChaosWorld *world, const ChaosStep *step) {
  if (world->nodes[step->node].is_absent)
    return;
  bool is_new = step->b % 2;
  uint32_t away_ms = (step->a % 3 ? step->a % 15000 : 1) + (is_new ? BOOT_MS : 0);
  chaos_world_note(world, "the node %s is deleted for %u ms", chaos_world_node_name(world, step->node),
                   away_ms);
  halt(world, step->node, away_ms);
  world->nodes[step->node].is_absent = true;
  sim_cluster_delete_node(world->cluster, step->node);
  chaos_world_later(world, away_ms, is_new ? create_new : create_same, step->node);
}

/* ---- NVML ---- */

void chaos_strike_nvml_refusal(ChaosWorld *world, const ChaosStep *step) {
  static const NvmlReturn codes[] = {NVML_UNKNOWN, NVML_IN_USE, NVML_INSUFFICIENT_RESOURCES, NVML_TIMEOUT};
  const SimDriverFault fault = {.kind = SIM_DRIVER_REFUSES,
                                .call = 1 + step->a % 4,
                                .times = step->b % 8 ? 1 + step->b % 3 : 40,
                                .code = codes[step->a / 4 % COUNT_OF(codes)]};
  chaos_world_note(world, "NVML on %s refuses %u calls from the %u. on with code %d",
                   chaos_world_node_name(world, step->node), fault.times, fault.call, (int)fault.code);
  sim_driver_fail(world->cluster->nodes[step->node].driver, &fault);
}

void chaos_strike_nvml_death(ChaosWorld *world, const ChaosStep *step) {
  const SimDriverFault fault = {.kind = step->b % 3 ? SIM_DRIVER_DIES : SIM_DRIVER_HANGS,
                                .call = 1 + step->a % 4};
  chaos_world_note(world, "the NVML worker of %s %s in the %u. call",
                   chaos_world_node_name(world, step->node), fault.kind == SIM_DRIVER_DIES ? "dies" : "hangs",
                   fault.call);
  sim_driver_fail(world->cluster->nodes[step->node].driver, &fault);
}

static void find_gpu(ChaosWorld *world, int node) {
  chaos_world_excuse_lies(world, node, SETTLED_MS);
  sim_driver_lose_gpu(world->cluster->nodes[node].driver, -1);
}

/* Whoever was promised one of its slices does not get it. */
void chaos_strike_lost_gpu(ChaosWorld *world, const ChaosStep *step) {
  uint32_t away_ms = step->a % LOST_MAX_MS;
  chaos_world_note(world, "GPU 0 of %s is lost for %u ms", chaos_world_node_name(world, step->node), away_ms);
  chaos_world_excuse_lies(world, step->node, away_ms + SETTLED_MS);
  chaos_world_excuse_promised(world, step->node);
  sim_driver_lose_gpu(world->cluster->nodes[step->node].driver, 0);
  chaos_world_later(world, away_ms, find_gpu, step->node);
}

/* ---- time ---- */

void chaos_strike_clock_jump(ChaosWorld *world, const ChaosStep *step) {
  static const int64_t jumps_ms[] = {500, 2000, 61000, 3600000, 86400000};
  int64_t jump_ms = jumps_ms[step->a % COUNT_OF(jumps_ms)] * (step->b % 2 ? 1 : -1);
  chaos_world_note(world, "the clock jumps by %lld ms", (long long)jump_ms);
  world->cluster->clock_off_ms += jump_ms;
}
