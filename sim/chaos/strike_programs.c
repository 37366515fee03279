/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that are killed, at once or right behind their next step, and come back now or later; kubelets
 * that are slow or write what was true some time ago. */
#include "sim/chaos/fault.h"

enum {
  PLUGIN_MS = 15000,    /* so long until a kubelet has its plugins again */
  KILL_BEHIND_MS = 400, /* a re-cut's steps are tens of milliseconds apart */
};

/* Dead for a moment, or replaced at once. */
static uint32_t away_ms(uint32_t random) {
  return random % 2 ? 1 : random / 2 % 2500;
}

/* ---- agents ---- */

static void start_agent(ChaosWorld *world, int node) {
  if (!world->cluster->nodes[node].agent && !world->nodes[node].is_absent)
    sim_cluster_start_agent(world->cluster, node);
}

void chaos_strike_agent(ChaosWorld *world, const ChaosStep *step) {
  if (!world->cluster->nodes[step->node].agent)
    return;
  uint32_t pause_ms = away_ms(step->a);
  chaos_world_note(world, "the agent of %s is killed for %u ms", chaos_world_node_name(world, step->node),
                   pause_ms);
  sim_cluster_kill_agent(world->cluster, step->node);
  chaos_world_excuse_unplugged(world, step->node, pause_ms + PLUGIN_MS);
  chaos_world_later(world, pause_ms, start_agent, step->node);
}

void chaos_strike_agent_in_step(ChaosWorld *world, const ChaosStep *step) {
  world->nodes[step->node].kill_in_ms = 1 + step->a % KILL_BEHIND_MS;
}

static void replace_agent(ChaosWorld *world, int node) {
  if (!world->cluster->nodes[node].agent)
    return;
  sim_cluster_kill_agent(world->cluster, node);
  start_agent(world, node);
}

static void lose_patience(ChaosWorld *world, int node) {
  chaos_world_note(world, "the agent of %s has not left in time", chaos_world_node_name(world, node));
  chaos_world_excuse_unplugged(world, node, PLUGIN_MS);
  replace_agent(world, node);
}

/* An agent that is killed while it leaves says nothing any more; so the wish to replace it is still there. */
static void on_left(void *userdata) {
  ChaosLater *later = userdata;
  ChaosWorld *world = later->world;
  chaos_world_note(world, "the agent of %s has left", chaos_world_node_name(world, later->node));
  later->run = replace_agent;
  timer_set(&world->cluster->host, &later->timer, 0);
}

/* SIGTERM, and a new one when it has gone, or when patience is over. */
void chaos_strike_agent_upgrade(ChaosWorld *world, const ChaosStep *step) {
  if (!world->cluster->nodes[step->node].agent)
    return;
  chaos_world_note(world, "the agent of %s is asked to leave", chaos_world_node_name(world, step->node));
  ChaosLater *later = chaos_world_later(world, 5000 + step->a % 25000, lose_patience, step->node);
  agent_leave(world->cluster->nodes[step->node].agent, on_left, later);
}

/* ---- controllers ---- */

static void start_controller(ChaosWorld *world, int node) {
  if (!world->cluster->controller)
    sim_cluster_start_controller(world->cluster);
}

void chaos_strike_controller(ChaosWorld *world, const ChaosStep *step) {
  if (!world->cluster->controller)
    return;
  uint32_t pause_ms = away_ms(step->a);
  chaos_world_note(world, "the controller is killed for %u ms", pause_ms);
  sim_cluster_kill_controller(world->cluster);
  chaos_world_later(world, pause_ms, start_controller, 0);
}

void chaos_strike_controller_in_step(ChaosWorld *world, const ChaosStep *step) {
  world->kill_controller_in_ms = 1 + step->a % 50;
}

static void end_rival(ChaosWorld *world, int node) {
  controller_free(TAKE(world->rival));
}

/* Two that both believe. */
void chaos_strike_second_controller(ChaosWorld *world, const ChaosStep *step) {
  if (world->rival)
    return;
  chaos_world_note(world, "a second controller runs for %u ms", step->a % 10000);
  const ControllerOptions options = {.batch_idle_ms = CONTROLLER_BATCH_IDLE_MS,
                                     .batch_timeout_ms = CONTROLLER_BATCH_TIMEOUT_MS,
                                     .leftover = world->cluster->options.leftover,
                                     .instance = "rival"};
  world->rival = controller_new(&options, &world->cluster->host, sim_api_seam(world->cluster->api));
  controller_start(world->rival);
  chaos_world_later(world, step->a % 10000, end_rival, 0);
}

/* ---- kubelets ---- */

static void start_kubelet(ChaosWorld *world, int node) {
  if (!world->cluster->nodes[node].kubelet && !world->nodes[node].is_absent)
    sim_cluster_start_kubelet(world->cluster, node);
}

void chaos_strike_kubelet(ChaosWorld *world, const ChaosStep *step) {
  if (!world->cluster->nodes[step->node].kubelet)
    return;
  uint32_t pause_ms = away_ms(step->a);
  chaos_world_note(world, "the kubelet of %s is killed for %u ms", chaos_world_node_name(world, step->node),
                   pause_ms);
  sim_cluster_kill_kubelet(world->cluster, step->node);
  chaos_world_excuse_unplugged(world, step->node, pause_ms + PLUGIN_MS);
  chaos_world_later(world, pause_ms, start_kubelet, step->node);
}

static void write_in_time(ChaosWorld *world, int node) {
  if (world->cluster->nodes[node].kubelet)
    sim_kubelet_delay_status(world->cluster->nodes[node].kubelet, 0);
}

void chaos_strike_late_status(ChaosWorld *world, const ChaosStep *step) {
  if (!world->cluster->nodes[step->node].kubelet)
    return;
  uint32_t delay_ms = 1 + step->a % 3000;
  chaos_world_note(world, "the kubelet of %s writes the node's status %u ms late",
                   chaos_world_node_name(world, step->node), delay_ms);
  sim_kubelet_delay_status(world->cluster->nodes[step->node].kubelet, delay_ms);
  chaos_world_later(world, 10000 + step->b % 20000, write_in_time, step->node);
}

static void answer_in_time(ChaosWorld *world, int node) {
  sim_port_set_jitter(world->cluster->nodes[node].port, world->cluster->options.socket_jitter_ms);
}

void chaos_strike_slow_sockets(ChaosWorld *world, const ChaosStep *step) {
  uint32_t jitter_ms = 100 + step->a % 1500;
  chaos_world_note(world, "the sockets of %s take up to %u ms", chaos_world_node_name(world, step->node),
                   jitter_ms);
  sim_port_set_jitter(world->cluster->nodes[step->node].port, jitter_ms);
  chaos_world_later(world, step->b % 8000, answer_in_time, step->node);
}
