/* SPDX-License-Identifier: Apache-2.0 */
/* Killed at every point: an agent and its worker are carrying out a plan, and one of them dies by SIGKILL
 * before or after its n-th call of NVML, or between two events of the agent's loop. n is counted up until the
 * plan is carried out without a death. Whatever happens: the slice in use is never touched, and the next
 * start comes to the same layout.
 *
 * One pod holds a slice of the first GPU all the time. The plans go round in a circle, so that each change
 * begins where the one before ended.
 *
 *     test-sim-cluster-crash all      each single call; else each change of a GPU, and a part of the other
 *                                     calls */
#include "base/test.h"

#include "base/log.h"
#include "base/text.h"
#include "kube/client.h"
#include "sim/cluster/check.h"

#include <dirent.h>
#include <unistd.h>

enum { ANSWER_MS = 120000, AGAIN_MS = 500, REST_MS = 90000 };

/* Of an A30. The pod holds 1g.6gb@3. */
static const char *const circle[] = {
    "1g.6gb@0,1g.6gb@1,1g.6gb@2,1g.6gb@3",
    "2g.12gb@0,1g.6gb@2,1g.6gb@3",
    "1g.6gb@2,1g.6gb@3",
    "1g.6gb@0,1g.6gb@3",
    "2g.12gb@0,1g.6gb@3",
};

typedef struct World {
  SimCluster *cluster;
  KubeClient *client;
  char folder[64];
  char uuid[MIG_UUID_SIZE];
  int plan; /* number of the last one */
  size_t rejected;
  int repeated;           /* plans that had to be made again */
  uint64_t again_ms;      /* the agent is dead until then; 0: it lives */
  uint64_t turns, die_at; /* of the loop; 0: it does not die there */
  int deaths;             /* of the agent, in this change */
} World;

static bool runs_all;

/* ---- checks ---- */

static void on_change(void *userdata, const SimApiChange *change) {
  World *world = userdata;
  Error err;
  assert_ok(sim_check_layouts(world->cluster, &err));
  assert_ok(sim_check_held(world->cluster, &err));
}

/* A reservation that meets no plugin is none of the users'. */
static void on_rejected(void *userdata, const SimRejection *rejection) {
  ((World *)userdata)->rejected += strcmp(rejection->namespace_, SIM_CLUSTER_NAMESPACE) == 0;
}

static const char *node_says(const World *world, const char *key) {
  const json_t *node =
      sim_api_store_find(sim_api_store(world->cluster->api), SIM_API_NODES, world->cluster->nodes[0].name);
  const json_t *annotations = json_object_get(json_object_get(node, "metadata"), "annotations");
  return string_or_empty(json_string_value(json_object_get(annotations, key)));
}

/* "1g.6gb@0,2g.12gb@2?": the last one is no whole slice. */
static void format_layout(const World *world, Text *text) {
  SimState state;
  Error err = {0};
  assert_ok(sim_driver_load(world->cluster->nodes[0].driver, &state, &err));
  for (int i = 0; i < state.gpus[0].gi_count; i++) {
    const SimGi *gi = &state.gpus[0].gis[i];
    text_format(text, "%s%s@%d%s", i ? "," : "", state.gpus[0].row->model.profiles[gi->profile].name,
                gi->start, gi->ci_count == 1 ? "" : "?");
  }
}

/* ---- dying ---- */

/* Its worker goes with it. */
static void kill_agent(World *world) {
  sim_cluster_kill_agent(world->cluster, 0);
  world->again_ms = world->cluster->host.now_ms + AGAIN_MS;
  world->deaths++;
}

static void on_worker_death(void *userdata) {
  kill_agent(userdata);
}

static bool pace(void *userdata, uint64_t next_ms) {
  World *world = userdata;
  if (!world->again_ms && ++world->turns == world->die_at)
    kill_agent(world);
  if (world->again_ms && world->cluster->host.now_ms >= world->again_ms) {
    world->again_ms = 0;
    sim_cluster_start_agent(world->cluster, 0);
  }
  return true;
}

static void on_wake(void *userdata) {
}

/* The loop sees to it that a dead agent is started in time. */
static void pass_time(World *world, uint64_t duration_ms, bool (*is_done)(void *userdata)) {
  uint64_t until_ms = world->cluster->host.now_ms + duration_ms;
  HostTimer tick = {.fire = on_wake, .userdata = world};
  while (world->cluster->host.now_ms < until_ms) {
    timer_set(&world->cluster->host, &tick, 100);
    if (sim_cluster_run(world->cluster, world->cluster->host.now_ms + 100, is_done, world))
      break;
  }
  timer_cancel(&world->cluster->host, &tick);
}

/* ---- plans ---- */

static void on_answer(void *userdata, const KubeAnswer *answer) {
  Error err = {0};
  assert_true(kube_answer_is_ok(answer, &err));
}

static void set_plan(World *world, const char *layout) {
  CLEANUP(cleanup_free) char *path = mem_format("/api/v1/nodes/%s", world->cluster->nodes[0].name);
  CLEANUP(cleanup_free)
  char *body = mem_format("{\"metadata\":{\"annotations\":{\"" MIG_ANNOTATION_SPEC_PLAN "\":\"p%d\",\"" //
                          MIG_ANNOTATION_SPEC_GPU_PREFIX "0\":\"%s %s\"}}}",
                          ++world->plan, world->uuid, layout);
  kube_client_call(world->client, &(KubeCallOptions){.method = "PATCH",
                                                     .path = path,
                                                     .content_type = KUBE_MERGE_PATCH,
                                                     .body = body,
                                                     .body_size = strlen(body),
                                                     .on_answer = on_answer,
                                                     .userdata = world});
}

static bool is_answered(void *userdata) {
  const World *world = userdata;
  char plan[16];
  snprintf(plan, sizeof plan, "p%d", world->plan);
  return strcmp(node_says(world, MIG_ANNOTATION_STATUS_PLAN), plan) == 0;
}

static bool is_at_rest(void *userdata) {
  const World *world = userdata;
  return !world->again_ms && sim_check_count_reservations(world->cluster) == 0 &&
         !*node_says(world, MIG_ANNOTATION_ERROR);
}

/* A killed agent may have lost the race for its reservation: then the plan is answered with what there is,
 * and whoever made it makes it again. */
static void carry_out(World *world, const char *layout, const char *what) {
  for (int tries = 0; tries < 3; tries++) {
    world->repeated += tries > 0;
    set_plan(world, layout);
    pass_time(world, ANSWER_MS, is_answered);
    if (!is_answered(world))
      fail_msg("%s: the plan \"%s\" is never answered", what, layout);
    pass_time(world, REST_MS, is_at_rest);
    pass_time(world, 1000, NULL);
    CLEANUP(text_deinit) Text text = {0};
    format_layout(world, &text);
    if (strcmp(text_string(&text), layout) == 0)
      break;
  }
  CLEANUP(text_deinit) Text text = {0};
  format_layout(world, &text);
  assert_string_equal(text_string(&text), layout);
  assert_string_equal(node_says(world, MIG_ANNOTATION_ERROR), "");
  assert_int_equal(sim_cluster_count_pods(world->cluster, "Running"), 1);
  assert_int_equal(sim_cluster_count_pods(world->cluster, "Failed"), 0);
}

/* ---- life ---- */

static bool one_runs(void *userdata) {
  return sim_cluster_count_pods(((World *)userdata)->cluster, "Running") == 1;
}

static void world_init(World *world) {
  Error err = {0};
  *world = (World){0};
  snprintf(world->folder, sizeof world->folder, "%s/facet-crash-XXXXXX",
           access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
  assert_non_null(mkdtemp(world->folder));
  SimClusterOptions options = sim_cluster_defaults();
  options.machine = "A30";
  options.machine_folder = world->folder;
  assert_ok(sim_cluster_new(&options, &world->cluster, &err));
  world->cluster->on_change = on_change;
  world->cluster->on_rejected = on_rejected;
  world->cluster->pace = pace;
  world->cluster->change_userdata = world->cluster->rejected_userdata = world->cluster->pace_userdata = world;
  world->client = kube_client_new(&world->cluster->host, sim_api_seam(world->cluster->api));
  assert_true(sim_cluster_settle(world->cluster));
  sim_cluster_kill_controller(world->cluster); /* the plans are ours */
  sscanf(node_says(world, MIG_ANNOTATION_IDENTITY_PREFIX "0"), "%95s", world->uuid);
  set_plan(world, "1g.6gb@3");
  pass_time(world, ANSWER_MS, is_answered);
  assert_ok(sim_cluster_create_pods(world->cluster, "1g.6gb", 1, &err));
  pass_time(world, ANSWER_MS, one_runs);
  pass_time(world, 2000, NULL);
}

static void remove_folder(const char *path) {
  DIR *folder = opendir(path);
  for (struct dirent *entry; folder && (entry = readdir(folder));)
    if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2)
      unlinkat(dirfd(folder), entry->d_name, 0);
  if (folder)
    closedir(folder);
  rmdir(path);
}

static void world_deinit(World *world) {
  assert_int_equal(world->rejected, 0);
  kube_client_free(world->client);
  sim_cluster_start_controller(world->cluster);
  sim_cluster_free(world->cluster);
  remove_folder(world->folder);
}

/* ---- every point ---- */

/* Carries out one plan after the other with that fault; true where it struck at least once. */
static bool go_round(World *world, const char *fault) {
  Error err = {0};
  SimDriver *driver = world->cluster->nodes[0].driver;
  bool has_struck = false;
  for (size_t i = 0; i < COUNT_OF(circle); i++) {
    int deaths = sim_driver_deaths(driver);
    world->turns = world->deaths = 0;
    if (*fault)
      assert_ok(sim_nvml_add_fault(sim_driver_machine(driver), fault, &err));
    carry_out(world, circle[i], fault);
    assert_ok(sim_nvml_clear_faults(sim_driver_machine(driver), &err));
    has_struck = has_struck || sim_driver_deaths(driver) > deaths || world->deaths;
  }
  return has_struck;
}

static int kill_at_each(World *world, const char *functions, const char *effect, int stride) {
  int n = 1;
  for (;; n += stride) {
    char fault[96];
    snprintf(fault, sizeof fault, "%s %s call=%d", functions, effect, n);
    if (!go_round(world, fault))
      return n / stride;
  }
}

static void kill_everywhere(bool kills_agent) {
  static const char *const functions[] = {"*Create*", "*Destroy*", "*"};
  static const char *const effects[] = {"kill", "after:kill"};
  World world;
  int points = 0;
  world_init(&world);
  if (kills_agent)
    sim_driver_on_death(world.cluster->nodes[0].driver, on_worker_death, &world);
  for (size_t f = 0; f < COUNT_OF(functions); f++)
    for (size_t e = 0; e < COUNT_OF(effects); e++) {
      bool is_each_call = functions[f][1] == '\0';
      points += kill_at_each(&world, functions[f], effects[e], is_each_call && !runs_all ? 211 : 1);
    }
  print_message("# killed at %d points of each of %zu changes; %d plans lost a race and were made again\n",
                points, COUNT_OF(circle), world.repeated);
  world_deinit(&world);
}

static void a_worker_killed_at_any_call_changes_nothing(void **state) {
  kill_everywhere(false);
}

static void an_agent_killed_with_its_worker_at_any_call_goes_on(void **state) {
  kill_everywhere(true);
}

static void an_agent_killed_between_any_two_events_goes_on(void **state) {
  World world;
  world_init(&world);
  int points = 0;
  for (world.die_at = 1;; world.die_at += runs_all ? 1 : 29, points++)
    if (!go_round(&world, ""))
      break;
  print_message("# killed at %d points of each of %zu changes; %d plans lost a race and were made again\n",
                points, COUNT_OF(circle), world.repeated);
  world_deinit(&world);
}

/* ---- the GPU loses everything ---- */

/* Its instances are gone, and with them the slice of the pod, which goes on waiting for it. */
static void reset_machine(World *world, bool reboot) {
  Error err = {0};
  assert_ok(sim_nvml_reset(sim_driver_machine(world->cluster->nodes[0].driver), reboot, &err));
}

static void assert_restored(World *world, const char *layout) {
  Error err = {0};
  CLEANUP(text_deinit) Text text = {0};
  format_layout(world, &text);
  assert_string_equal(text_string(&text), layout);
  assert_ok(sim_check_held(world->cluster, &err));
}

static void after_a_reboot_the_layout_is_there_again(void **state) {
  World world;
  world_init(&world);
  for (size_t i = 0; i < COUNT_OF(circle); i++) {
    carry_out(&world, circle[i], "before the reboot");
    world.cluster->on_change = NULL;
    kill_agent(&world);
    reset_machine(&world, true);
    pass_time(&world, 10000, NULL);
    assert_restored(&world, circle[i]);
    world.cluster->on_change = on_change;
  }
  world_deinit(&world);
}

/* The agent has never been away, and the plan is long done: only what a pod holds is made again. */
static void what_a_pod_holds_comes_back_after_a_reset_under_a_running_agent(void **state) {
  World world;
  world_init(&world);
  carry_out(&world, circle[0], "before the reset");
  world.cluster->on_change = NULL;
  reset_machine(&world, false);
  pass_time(&world, AGENT_OBSERVE_MS + 10000, NULL);
  assert_restored(&world, "1g.6gb@3");
  world_deinit(&world);
}

static void drop_log(void *userdata, LogLevel level, const char *component, const char *message,
                     const char *fields) {
}

static void show_log(void *userdata, LogLevel level, const char *component, const char *message,
                     const char *fields) {
  fprintf(stderr, "# %s %s %s\n", component, message, fields);
}

int main(int argc, char **argv) {
  runs_all = argc > 1 && strcmp(argv[1], "all") == 0;
  log_configure((LogConfig){.level = LOG_LEVEL_INFO, .sink = getenv("FACET_TEST_LOG") ? show_log : drop_log});
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_worker_killed_at_any_call_changes_nothing),
      cmocka_unit_test(an_agent_killed_with_its_worker_at_any_call_goes_on),
      cmocka_unit_test(an_agent_killed_between_any_two_events_goes_on),
      cmocka_unit_test(after_a_reboot_the_layout_is_there_again),
      cmocka_unit_test(what_a_pod_holds_comes_back_after_a_reset_under_a_running_agent),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
