/* SPDX-License-Identifier: Apache-2.0 */
/* A storm on virtual time, around the real controller and agents: short pods of mixed profiles, more than
 * there is room for, slow bindings, a scheduler that stops at random; in the wild one also killed programs, a
 * failing API server, and people who delete pods, reservations among them.
 *
 * After each change of an object: no pod holds a slice that is gone, every layout is legal, no node offers
 * what it has not. No pod is rejected, but in the window in which its kubelet has no plugin. When the storm
 * is over everything comes to rest, and no pod waits that could be helped.
 *
 * One seed decides all of it. FACET_STORM_SEEDS=500 plays more of them; a seed as argument replays that one
 * and tells what happened. */
#include "base/test.h"

#include "base/log.h"
#include "base/text.h"
#include "sim/cluster/check.h"

#include <signal.h>

enum {
  SEEDS = 6,
  STORM_MS = 40000,
  REST_MS = 240000,
  NODES_MAX = 3,
  WAITING_MAX = 25,     /* pods */
  LASTING_MAX = 6,      /* pods that never end */
  UNGUARDED_MS = 15000, /* so long after a reservation lost its pod: reports that fail are late */
};

typedef struct Storm {
  SimCluster *cluster;
  Random random;
  uint64_t seed;
  bool is_wild;
  int lasting;
  uint64_t unguarded_until_ms; /* a reservation lost its pod: what it held may be offered, and fail */
  uint64_t paused_until_ms, controller_back_ms;
  uint64_t agent_back_ms[NODES_MAX], kubelet_back_ms[NODES_MAX];
  Text timeline;
  size_t window_victims;    /* pods that came while there was no plugin */
  size_t unguarded_victims; /* pods that came after a reservation had lost its pod */
} Storm;

static uint64_t replay_seed; /* 0: none */
static Storm *the_storm;     /* for those who get no userdata */

/* ---- telling ---- */

static void note(Storm *storm, const char *format, ...) PRINTF_LIKE(2, 3);
static void note(Storm *storm, const char *format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  text_format(&storm->timeline, "# %6llu ms  %s\n", (unsigned long long)storm->cluster->host.now_ms, line);
}

static void on_log(void *userdata, LogLevel level, const char *component, const char *message,
                   const char *fields) {
  if (replay_seed && the_storm)
    note(the_storm, "%s: %s %s", component, message, fields);
}

/* What facet says on the nodes. */
static void note_nodes(Storm *storm) {
  for (int i = 0; i < storm->cluster->node_count; i++) {
    const char *name = storm->cluster->nodes[i].name, *key;
    const json_t *node = sim_api_store_find(sim_api_store(storm->cluster->api), SIM_API_NODES, name);
    json_t *value, *annotations = json_object_get(json_object_get(node, "metadata"), "annotations");
    json_object_foreach(annotations, key, value) if (strcmp(key, MIG_ANNOTATION_PROFILES) != 0)
        note(storm, "%s: %s=%s", name, key, json_string_value(value));
  }
}

static void fail_storm(Storm *storm, const char *why) {
  note_nodes(storm);
  fprintf(stderr, "%s", text_string(&storm->timeline));
  fail_msg("seed=%llu, %s storm, at %llu ms: %s; replay with the argument %llu",
           (unsigned long long)storm->seed, storm->is_wild ? "wild" : "calm",
           (unsigned long long)storm->cluster->host.now_ms, why, (unsigned long long)storm->seed);
}

/* An assertion somewhere in the programs: cmocka cannot tell us of it. */
static void on_abort(int number) {
  if (the_storm)
    fprintf(stderr, "%s# seed=%llu, %s storm: aborted; replay with the argument %llu\n",
            text_string(&the_storm->timeline), (unsigned long long)the_storm->seed,
            the_storm->is_wild ? "wild" : "calm", (unsigned long long)the_storm->seed);
}

/* ---- watching ---- */

static void on_change(void *userdata, const SimApiChange *change) {
  Storm *storm = userdata;
  Error err;
  if (change->kind == SIM_API_EVENTS)
    return;
  bool is_guarded = storm->cluster->host.now_ms >= storm->unguarded_until_ms;
  if (sim_check_layouts(storm->cluster, &err) < 0 || sim_check_held(storm->cluster, &err) < 0 ||
      (is_guarded && sim_check_offers(storm->cluster, &err) < 0))
    fail_storm(storm, err.text);
}

/* A reservation has lost its pod. If its slices are gone already, their count is offered until the agent has
 * said so. */
static void lose_guard(Storm *storm) {
  storm->unguarded_until_ms =
      storm->cluster->host.now_ms + storm->cluster->options.container_stop_ms + UNGUARDED_MS;
}

static void on_rejected(void *userdata, const SimRejection *rejection) {
  Storm *storm = userdata;
  char why[ERROR_TEXT_SIZE];
  note(storm, "%s/%s is rejected: %s%s", rejection->namespace_, rejection->pod, rejection->why,
       rejection->is_plugin_away ? " (no plugin)" : "");
  if (strcmp(rejection->namespace_, SIM_CLUSTER_SYSTEM_NAMESPACE) == 0) {
    lose_guard(storm);
    return;
  }
  if (rejection->is_plugin_away) {
    storm->window_victims++;
    return;
  }
  if (storm->cluster->host.now_ms < storm->unguarded_until_ms) {
    storm->unguarded_victims++;
    return;
  }
  snprintf(why, sizeof why, "the pod %s is rejected: %.300s", rejection->pod, rejection->why);
  fail_storm(storm, why);
}

/* ---- demand ---- */

static bool chance(Storm *storm, uint64_t percent) {
  return random_below(&storm->random, 100) < percent;
}

static void demand(Storm *storm) {
  static const char *const profiles[] = {"1g.10gb", "1g.10gb", "1g.10gb", "2g.20gb",
                                         "2g.20gb", "3g.40gb", "3g.40gb", "7g.80gb"};
  if (sim_cluster_count_pods(storm->cluster, "Pending") >= WAITING_MAX)
    return;
  const char *profile = profiles[random_below(&storm->random, COUNT_OF(profiles))];
  uint64_t run_ms = 50 + random_below(&storm->random, 3000);
  Error err = {0};
  if (storm->lasting < LASTING_MAX && chance(storm, 4) && strcmp(profile, "7g.80gb") != 0) {
    storm->lasting++;
    run_ms = 0;
  }
  note(storm, "p-%d comes: %s for %llu ms", storm->cluster->pod_count + 1, profile,
       (unsigned long long)run_ms);
  assert_ok(sim_cluster_create_pod(storm->cluster, profile, run_ms, &err));
}

/* ---- trouble ---- */

static void pause_scheduler(Storm *storm) {
  uint64_t pause_ms = random_below(&storm->random, 2500);
  note(storm, "the scheduler stops for %llu ms", (unsigned long long)pause_ms);
  storm->paused_until_ms = storm->cluster->host.now_ms + pause_ms;
  sim_scheduler_pause(storm->cluster->scheduler, true);
}

/* Dead for a moment, or replaced at once. */
static uint64_t back_ms(Storm *storm) {
  uint64_t pause_ms = chance(storm, 50) ? 1 : random_below(&storm->random, 2500);
  return storm->cluster->host.now_ms + pause_ms;
}

static void kill_agent(Storm *storm) {
  int i = (int)random_below(&storm->random, (uint64_t)storm->cluster->node_count);
  if (!storm->cluster->nodes[i].agent)
    return;
  note(storm, "the agent of %s is killed", storm->cluster->nodes[i].name);
  sim_cluster_kill_agent(storm->cluster, i);
  storm->agent_back_ms[i] = back_ms(storm);
}

static void kill_kubelet(Storm *storm) {
  int i = (int)random_below(&storm->random, (uint64_t)storm->cluster->node_count);
  if (!storm->cluster->nodes[i].kubelet)
    return;
  note(storm, "the kubelet of %s is killed", storm->cluster->nodes[i].name);
  sim_cluster_kill_kubelet(storm->cluster, i);
  storm->kubelet_back_ms[i] = back_ms(storm);
}

static void kill_controller(Storm *storm) {
  if (!storm->cluster->controller)
    return;
  note(storm, "the controller is killed");
  sim_cluster_kill_controller(storm->cluster);
  storm->controller_back_ms = back_ms(storm);
}

static void cut_watches(Storm *storm) {
  bool forgets = chance(storm, 30);
  note(storm, "the watches are cut%s", forgets ? ", and the history is gone" : "");
  if (forgets)
    sim_api_compact(storm->cluster->api);
  sim_api_cut_watches(storm->cluster->api);
}

static void fail_requests(Storm *storm) {
  static const int statuses[] = {429, 500, 503};
  int status = statuses[random_below(&storm->random, COUNT_OF(statuses))];
  note(storm, "requests fail with %d", status);
  sim_api_fail_next(storm->cluster->api, 1 + (uint32_t)random_below(&storm->random, 4), status);
}

static void lose_answers(Storm *storm) {
  note(storm, "answers are lost");
  sim_api_lose_next(storm->cluster->api, 1 + (uint32_t)random_below(&storm->random, 3));
}

/* Somebody deletes a pod of that namespace. */
static void delete_pod(Storm *storm, const char *namespace_, bool by_force) {
  const Map *pods = &sim_api_store(storm->cluster->api)->objects[SIM_API_PODS];
  size_t first = pods->count ? random_below(&storm->random, pods->count) : 0;
  for (size_t i = 0; i < pods->count; i++) {
    const json_t *pod = pods->entries[(first + i) % pods->count].value;
    if (strcmp(sim_check_text(pod, "metadata", "namespace"), namespace_) != 0)
      continue;
    CLEANUP(cleanup_free) char *name = mem_strdup(sim_check_text(pod, "metadata", "name"));
    note(storm, "somebody deletes %s%s", name, by_force ? " by force" : "");
    (by_force ? sim_api_remove_pod : sim_api_delete_pod)(storm->cluster->api, namespace_, name);
    return;
  }
}

static void delete_user_pod(Storm *storm) {
  delete_pod(storm, SIM_CLUSTER_NAMESPACE, false);
}

/* By force, the kubelet holds its slices longer than the scheduler counts them. */
static void delete_reservation(Storm *storm) {
  if (sim_check_count_reservations(storm->cluster) == 0)
    return;
  lose_guard(storm);
  delete_pod(storm, SIM_CLUSTER_SYSTEM_NAMESPACE, chance(storm, 20));
}

static const struct {
  void (*strike)(Storm *storm);
  uint64_t percent; /* of the steps */
  bool is_wild;
} strikes[] = {
    {pause_scheduler, 4, false}, {delete_user_pod, 3, false}, {kill_agent, 3, true},
    {kill_kubelet, 2, true},     {kill_controller, 3, true},  {cut_watches, 2, true},
    {fail_requests, 3, true},    {lose_answers, 2, true},     {delete_reservation, 4, true},

};

/* ---- life ---- */

static void bring_back(Storm *storm, bool all) {
  SimCluster *cluster = storm->cluster;
  uint64_t now_ms = all ? UINT64_MAX : cluster->host.now_ms;
  for (int i = 0; i < cluster->node_count; i++) {
    if (!cluster->nodes[i].agent && now_ms >= storm->agent_back_ms[i])
      sim_cluster_start_agent(cluster, i);
    if (!cluster->nodes[i].kubelet && now_ms >= storm->kubelet_back_ms[i])
      sim_cluster_start_kubelet(cluster, i);
  }
  if (!cluster->controller && now_ms >= storm->controller_back_ms)
    sim_cluster_start_controller(cluster);
  if (storm->paused_until_ms && now_ms >= storm->paused_until_ms) {
    storm->paused_until_ms = 0;
    sim_scheduler_pause(cluster->scheduler, false);
  }
}

static void storm_init(Storm *storm, uint64_t seed, bool is_wild) {
  static const char *const machines[] = {"A100-SXM4-80GB", "2xA100-SXM4-80GB", "H100-SXM-80GB"};
  Error err = {0};
  *storm = (Storm){.seed = seed, .is_wild = is_wild, .random = {.state = seed}};
  SimClusterOptions options = sim_cluster_defaults();
  options.seed = seed;
  options.node_count = 1 + (int)random_below(&storm->random, NODES_MAX);
  options.machine = machines[random_below(&storm->random, COUNT_OF(machines))];
  options.api.jitter_ms = (uint32_t)random_below(&storm->random, 60);
  options.socket_jitter_ms = (uint32_t)random_below(&storm->random, 20);
  options.container_stop_ms = (uint32_t)random_below(&storm->random, 1000);
  options.container_start_ms = 100;
  assert_ok(sim_cluster_new(&options, &storm->cluster, &err));
  storm->cluster->on_change = on_change;
  storm->cluster->on_rejected = on_rejected;
  storm->cluster->change_userdata = storm->cluster->rejected_userdata = storm;
  note(storm, "%d x %s", options.node_count, options.machine);
  assert_true(sim_cluster_settle(storm->cluster));
  sim_scheduler_delay_bindings(storm->cluster->scheduler, 20, 3000);
}

static void pass_time(Storm *storm, uint64_t duration_ms) {
  sim_cluster_run(storm->cluster, storm->cluster->host.now_ms + duration_ms, NULL, NULL);
}

static void blow(Storm *storm) {
  uint64_t end_ms = storm->cluster->host.now_ms + STORM_MS;
  while (storm->cluster->host.now_ms < end_ms) {
    pass_time(storm, 1 + random_below(&storm->random, 300));
    bring_back(storm, false);
    if (chance(storm, 70))
      demand(storm);
    for (size_t i = 0; i < COUNT_OF(strikes); i++)
      if ((storm->is_wild || !strikes[i].is_wild) && chance(storm, strikes[i].percent))
        strikes[i].strike(storm);
  }
}

static void calm_down(Storm *storm) {
  Error err;
  note(storm, "the storm is over");
  bring_back(storm, true);
  sim_scheduler_delay_bindings(storm->cluster->scheduler, 0, 0);
  sim_api_fail_next(storm->cluster->api, 0, 0);
  sim_api_lose_next(storm->cluster->api, 0);
  pass_time(storm, REST_MS);
  if (sim_check_rest(storm->cluster, &err) < 0 || sim_check_served(storm->cluster, &err) < 0)
    fail_storm(storm, err.text);
}

static void play(uint64_t seed, bool is_wild, size_t *window_victims, size_t *unguarded_victims) {
  Storm storm;
  the_storm = &storm;
  storm_init(&storm, seed, is_wild);
  blow(&storm);
  calm_down(&storm);
  if (replay_seed)
    fprintf(stderr, "%s", text_string(&storm.timeline));
  *window_victims += storm.window_victims;
  *unguarded_victims += storm.unguarded_victims;
  the_storm = NULL;
  sim_cluster_free(storm.cluster);
  text_deinit(&storm.timeline);
}

static void play_all(bool is_wild) {
  const char *wanted = getenv("FACET_STORM_SEEDS");
  uint64_t first = replay_seed ? replay_seed : 1;
  uint64_t count = replay_seed ? 1 : wanted ? strtoull(wanted, NULL, 10) : SEEDS;
  size_t window = 0, unguarded = 0;
  for (uint64_t seed = first; seed < first + count; seed++)
    play(seed, is_wild, &window, &unguarded);
  print_message(
      "# %llu storms; %zu pods came while their kubelet had no plugin, %zu after a reservation had lost "
      "its pod\n",
      (unsigned long long)count, window, unguarded);
  if (!is_wild)
    assert_int_equal(window, 0);
}

static void a_storm_of_pods_kills_none(void **state) {
  play_all(false);
}

static void a_storm_that_kills_programs_leaves_nothing_behind(void **state) {
  play_all(true);
}

int main(int argc, char **argv) {
  replay_seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
  signal(SIGABRT, on_abort);
  log_configure((LogConfig){.level = LOG_LEVEL_DEBUG, .sink = on_log});
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_storm_of_pods_kills_none),
      cmocka_unit_test(a_storm_that_kills_programs_leaves_nothing_behind),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
