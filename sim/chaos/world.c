/* SPDX-License-Identifier: Apache-2.0 */
/* The storm is the history's; then everything is undone that strikes left behind, and the cluster has to come
 * to rest by itself. Checkers run at each change of an object or a GPU, at each step, and at rest. */
#include "sim/chaos/world.h"

#include "base/log.h"
#include "sim/chaos/check.h"
#include "sim/chaos/fault.h"
#include "sim/cluster/check.h"

#include <assert.h>

enum {
  ROUND_MS = 130000, /* longer than any program's look around */
  /* The longest that anybody waits by himself: a controller for a node that failed again and again. */
  ROUNDS_MAX = 8,
  /* A dead watch is noticed, and begun again at last. */
  DEAF_MS = KUBE_INFORMER_SILENCE_MS + KUBE_INFORMER_BACKOFF_MAX_MS,
  HEARD_MS = 15000, /* until pods that were misled have come */
  SLOW_BINDINGS_PERCENT = 20,
  SLOW_BINDINGS_MS = 3000,
};

/* ---- telling ---- */

void chaos_world_note(ChaosWorld *world, const char *format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  uint64_t now_ms = world->cluster->host.now_ms;
  text_format(&world->timeline, "%8.3f  %s\n", (double)(now_ms - world->began_ms) / 1000, line);
}

static void on_log(void *userdata, LogLevel level, const char *component, const char *message,
                   const char *fields) {
  ChaosWorld *world = userdata;
  if (world->tells_all && world->cluster)
    chaos_world_note(world, "    %s: %s %s", component, message, fields);
}

/* What facet says on the nodes; what a GPU model can do is known. */
static void note_nodes(ChaosWorld *world) {
  for (int i = 0; i < world->cluster->node_count; i++) {
    const char *name = world->cluster->nodes[i].name, *key;
    const json_t *node = sim_api_store_find(sim_api_store(world->cluster->api), SIM_API_NODES, name);
    json_t *value, *annotations = json_object_get(json_object_get(node, "metadata"), "annotations");
    json_object_foreach(annotations, key, value) if (strcmp(key, MIG_ANNOTATION_PROFILES) != 0)
        chaos_world_note(world, "    %s: %s=%s", name, key, json_string_value(value));
  }
}

static bool holds_something(const ChaosWorld *world, const char *uid) {
  for (int i = 0; i < world->cluster->node_count; i++) {
    const SimDisk *disk = &world->cluster->nodes[i].disk;
    for (size_t k = 0; k < disk->held.count; k++)
      if (strcmp(disk->held.items[k]->uid, uid) == 0)
        return true;
  }
  return false;
}

/* Pods that are counted on a node, and have nothing there. */
static void note_pods(ChaosWorld *world) {
  const Map *pods = &sim_api_store(world->cluster->api)->objects[SIM_API_PODS];
  for (size_t i = 0; i < pods->count; i++) {
    const json_t *pod = pods->entries[i].value;
    const char *phase = sim_check_text(pod, "status", "phase"),
               *node = sim_check_text(pod, "spec", "nodeName");
    bool is_counted = *node && strcmp(phase, "Succeeded") != 0 && strcmp(phase, "Failed") != 0;
    if (is_counted && !holds_something(world, sim_check_text(pod, "metadata", "uid")))
      chaos_world_note(world, "    %s is %s on %s and holds nothing", pods->entries[i].key, phase, node);
  }
}

void chaos_world_fail(ChaosWorld *world, const char *checker, const Error *err) {
  if (world->checker)
    return;
  world->checker = checker;
  world->failure = *err;
  if (world->is_over) {
    note_nodes(world);
    note_pods(world);
  }
  chaos_world_note(world, "%s: %s", checker, err->text);
}

const char *chaos_world_node_name(const ChaosWorld *world, int node) {
  return world->cluster->nodes[node].name;
}

/* ---- later ---- */

/* It is none of world->laters any more. */
static void carry_out(ChaosLater *later) {
  later->run(later->world, later->node);
  free(later);
}

static void on_later(void *userdata) {
  ChaosLater *later = userdata;
  ChaosWorld *world = later->world;
  for (size_t i = 0; i < world->laters.count; i++)
    if (world->laters.items[i] == later) {
      array_remove(&world->laters, i);
      break;
    }
  carry_out(later);
}

ChaosLater *chaos_world_later(ChaosWorld *world, uint64_t delay_ms, void (*run)(ChaosWorld *world, int node),
                              int node) {
  ChaosLater *later = mem_alloc(sizeof *later);
  *later = (ChaosLater){.world = world, .run = run, .node = node};
  later->timer = (HostTimer){.fire = on_later, .userdata = later};
  *array_push(&world->laters) = later;
  timer_set(&world->cluster->host, &later->timer, delay_ms);
  return later;
}

/* In the order in which they were ordered; some order others. */
static void undo_all(ChaosWorld *world) {
  while (world->laters.count) {
    ChaosLater *later = world->laters.items[0];
    array_remove(&world->laters, 0);
    timer_cancel(&world->cluster->host, &later->timer);
    carry_out(later);
  }
}

/* ---- excuses ---- */

static void extend(const ChaosWorld *world, uint64_t *until_ms, uint64_t duration_ms) {
  uint64_t end_ms = world->cluster->host.now_ms + duration_ms;
  *until_ms = *until_ms > end_ms ? *until_ms : end_ms;
}

void chaos_world_excuse_unplugged(ChaosWorld *world, int node, uint64_t duration_ms) {
  extend(world, &world->nodes[node].unplugged_until_ms, duration_ms);
}

void chaos_world_excuse_lies(ChaosWorld *world, int node, uint64_t duration_ms) {
  extend(world, &world->nodes[node].lies_until_ms, duration_ms);
}

void chaos_world_excuse_lie(ChaosWorld *world, int node, const char *resource, const char *amount) {
  world->nodes[node].lie = (ChaosLie){resource, amount, world->cluster->host.now_ms + DEAF_MS};
}

static const json_t *node_object(const ChaosWorld *world, int node) {
  return sim_api_store_find(sim_api_store(world->cluster->api), SIM_API_NODES,
                            chaos_world_node_name(world, node));
}

static bool says_so_still(const ChaosWorld *world, int node) {
  const ChaosLie *lie = &world->nodes[node].lie;
  const json_t *offers = json_object_get(json_object_get(node_object(world, node), "status"), "allocatable");
  return lie->resource &&
         string_equal(json_string_value(json_object_get(offers, lie->resource)), lie->amount);
}

bool chaos_world_is_excused(const ChaosWorld *world, int node) {
  uint64_t now_ms = world->cluster->host.now_ms;
  const ChaosNode *excused = &world->nodes[node];
  return now_ms < excused->lies_until_ms || (now_ms < excused->lie.until_ms && says_so_still(world, node));
}

static int64_t node_version(const ChaosWorld *world, int node) {
  return strtoll(sim_check_text(node_object(world, node), "metadata", "resourceVersion"), NULL, 10);
}

void chaos_world_note_loss(ChaosWorld *world, int node) {
  world->nodes[node].lost_version = node_version(world, node);
}

void chaos_world_excuse_promised(ChaosWorld *world, int node) {
  const Map *pods = &sim_api_store(world->cluster->api)->objects[SIM_API_PODS];
  for (size_t i = 0; i < pods->count; i++) {
    const json_t *pod = pods->entries[i].value;
    if (strcmp(sim_check_text(pod, "spec", "nodeName"), chaos_world_node_name(world, node)) == 0 &&
        strcmp(sim_check_text(pod, "status", "phase"), "Pending") == 0)
      map_put(&world->nodes[node].misled, pods->entries[i].key, world);
  }
}

/* A scheduler whose watch is dead notices after longer than a node takes to come back. */
bool chaos_world_misleads(const ChaosWorld *world, int node) {
  int64_t lost = world->nodes[node].lost_version;
  int64_t seen = sim_scheduler_node_version(world->cluster->scheduler, chaos_world_node_name(world, node));
  return chaos_world_is_excused(world, node) || (seen && seen <= lost && seen < node_version(world, node));
}

void chaos_world_end_lie(ChaosWorld *world, int node) {
  if (!world->nodes[node].lie.resource)
    return;
  world->nodes[node].lie = (ChaosLie){0};
  chaos_world_excuse_lies(world, node, HEARD_MS);
}

void chaos_world_excuse_slices(ChaosWorld *world, int node) {
  const SimDisk *disk = &world->cluster->nodes[node].disk;
  for (size_t i = 0; i < disk->held.count; i++)
    for (size_t k = 0; k < disk->held.items[i]->ids.count; k++)
      map_put(&world->nodes[node].gone, disk->held.items[i]->ids.items[k], world);
}

/* ---- watching ---- */

static void check(ChaosWorld *world, ChaosMoment moment, int node) {
  const char *name;
  Error err;
  if (!world->checker && chaos_check(world, moment, node, &name, &err) < 0)
    chaos_world_fail(world, name, &err);
}

static int find_node(const ChaosWorld *world, const char *name) {
  for (int i = 0; name && i < world->cluster->node_count; i++)
    if (strcmp(world->cluster->nodes[i].name, name) == 0)
      return i;
  return -1;
}

static void kill_agent(ChaosWorld *world, int node) {
  chaos_strike_agent(world, &(ChaosStep){.node = (uint16_t)node, .a = world->nodes[node].kill_in_ms});
}

static void kill_controller(ChaosWorld *world, int node) {
  chaos_strike_controller(world, &(ChaosStep){.a = world->kill_controller_in_ms});
}

/* Those who wait for a change to strike right behind it. */
static void strike_behind(ChaosWorld *world, const SimApiChange *change, int node) {
  if (node >= 0 && world->nodes[node].kill_in_ms) {
    chaos_world_later(world, world->nodes[node].kill_in_ms, kill_agent, node);
    world->nodes[node].kill_in_ms = 0;
  }
  if (change->kind == SIM_API_NODES && world->kill_controller_in_ms) {
    chaos_world_later(world, world->kill_controller_in_ms, kill_controller, 0);
    world->kill_controller_in_ms = 0;
  }
}

static void on_change(void *userdata, const SimApiChange *change) {
  ChaosWorld *world = userdata;
  if (change->kind != SIM_API_NODES && change->kind != SIM_API_PODS)
    return;
  const json_t *spec = json_object_get(change->object, "spec");
  int node =
      find_node(world, change->kind == SIM_API_NODES ? change->key
                                                     : json_string_value(json_object_get(spec, "nodeName")));
  if (node >= 0 && !says_so_still(world, node))
    chaos_world_end_lie(world, node);
  if (node >= 0 && change->kind == SIM_API_PODS && chaos_world_misleads(world, node))
    map_put(&world->nodes[node].misled, change->key, world);
  if (node >= 0)
    check(world, CHAOS_AT_CHANGE, node);
  strike_behind(world, change, node);
}

static void on_job(void *userdata) {
  ChaosWorld *world = userdata;
  for (int i = 0; i < world->cluster->node_count; i++)
    check(world, CHAOS_AT_CHANGE, i);
}

static void on_rejected(void *userdata, const SimRejection *rejection) {
  ChaosWorld *world = userdata;
  Error err;
  chaos_world_note(world, "%s/%s is rejected: %s%s", rejection->namespace_, rejection->pod, rejection->why,
                   rejection->is_plugin_away ? " (no plugin)" : "");
  if (chaos_check_rejection(world, rejection, &err) < 0)
    chaos_world_fail(world, "rejection", &err);
}

void chaos_world_watch_driver(ChaosWorld *world, int node) {
  sim_driver_listen(world->cluster->nodes[node].driver, on_job, world);
}

/* ---- playing ---- */

static bool is_wrong(void *userdata) {
  return ((const ChaosWorld *)userdata)->checker != NULL;
}

static void run_until(ChaosWorld *world, uint64_t until_ms) {
  if (!world->checker)
    sim_cluster_run(world->cluster, until_ms, is_wrong, world);
}

void chaos_world_begin(ChaosWorld *world, const ChaosHistory *history, bool tells_all) {
  Error err;
  SimCluster *cluster = NULL;
  *world = (ChaosWorld){.history = history, .tells_all = tells_all};
  log_configure(
      (LogConfig){.level = tells_all ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, .sink = on_log, .userdata = world});
  if (sim_cluster_new(&world->history->options, &cluster, &err) < 0) {
    world->checker = "begin";
    world->failure = err;
    return;
  }
  world->cluster = cluster;
  cluster->on_change = on_change;
  cluster->on_rejected = on_rejected;
  cluster->change_userdata = cluster->rejected_userdata = world;
  for (int i = 0; i < cluster->node_count; i++)
    chaos_world_watch_driver(world, i);
  if (!sim_cluster_settle(cluster)) {
    (void)error_set(&err, ERROR_TIMEOUT, "not every agent has reported its GPUs within %d s",
                    SIM_CLUSTER_SETTLE_MS / 1000);
    chaos_world_fail(world, "begin", &err);
  }
  sim_scheduler_delay_bindings(cluster->scheduler, SLOW_BINDINGS_PERCENT, SLOW_BINDINGS_MS);
  sim_scheduler_wander(cluster->scheduler, world->history->wanders ? 50 : 0);
  world->began_ms = cluster->host.now_ms;
  chaos_world_note(world, "%d x %s", cluster->node_count, world->history->options.machine);
}

static void blow(ChaosWorld *world) {
  for (size_t i = 0; i < world->history->steps.count && !world->checker; i++) {
    const ChaosStep *step = &world->history->steps.items[i];
    run_until(world, world->began_ms + step->at_ms);
    if (world->checker)
      return;
    chaos_faults[step->fault].strike(world, step);
    check(world, CHAOS_AT_STEP, -1);
  }
  run_until(world, world->began_ms + world->history->storm_ms);
}

static void calm_down(ChaosWorld *world) {
  SimApi *api = world->cluster->api;
  world->is_over = true;
  chaos_world_note(world, "the storm is over");
  undo_all(world);
  for (int i = 0; i < world->cluster->node_count; i++) {
    world->nodes[i].kill_in_ms = 0;
    sim_driver_fail(world->cluster->nodes[i].driver, &(SimDriverFault){0});
  }
  world->kill_controller_in_ms = 0;
  sim_api_fail(api, &(SimApiFailure){0});
  sim_api_lose_next(api, 0);
  sim_api_hang_next(api, 0);
  sim_api_repeat_events(api, 0);
  sim_scheduler_delay_bindings(world->cluster->scheduler, 0, 0);
  undo_all(world);
  chaos_strike_hands_off(world);
}

/* One round in which nothing is written, everything being done. */
static int look(ChaosWorld *world, uint64_t version, const char **ret_name, Error *err) {
  *ret_name = "quiet";
  int result = chaos_check_quiet(world, version, err);
  return chaos_check(world, CHAOS_AT_REST, -1, ret_name, err) < 0 ? -err->code : result;
}

static void come_to_rest(ChaosWorld *world) {
  Error err;
  const char *name = NULL;
  for (int i = 0; i < ROUNDS_MAX; i++) {
    uint64_t version = sim_api_store(world->cluster->api)->version;
    run_until(world, world->cluster->host.now_ms + ROUND_MS);
    check(world, CHAOS_AT_STEP, -1);
    if (world->checker || look(world, version, &name, &err) == 0)
      return;
  }
  chaos_world_fail(world, name, &err);
}

void chaos_world_play(ChaosWorld *world, const ChaosHistory *history, bool tells_all) {
  chaos_world_begin(world, history, tells_all);
  if (!world->checker)
    blow(world);
  if (!world->checker)
    calm_down(world);
  if (!world->checker)
    come_to_rest(world);
  if (world->cluster)
    world->counts.virtual_ms = world->cluster->host.now_ms;
}

void chaos_world_deinit(ChaosWorld *world) {
  for (size_t i = 0; i < world->laters.count; i++) {
    timer_cancel(&world->cluster->host, &world->laters.items[i]->timer);
    free(world->laters.items[i]);
  }
  array_deinit(&world->laters);
  controller_free(world->rival);
  for (int i = 0; i < CHAOS_CANDIDATES; i++)
    controller_free(world->candidates[i].controller);
  sim_cluster_free(world->cluster);
  for (int i = 0; i < CHAOS_NODES_MAX; i++) {
    map_deinit(&world->nodes[i].gone);
    map_deinit(&world->nodes[i].given);
    map_deinit(&world->nodes[i].misled);
  }
  text_deinit(&world->timeline);
}
