/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: a node whose agent and worker die now and then, under plans that come from the test. One pod
 * holds a slice all the time. */
#pragma once

#include "base/test.h"

#include "base/log.h"
#include "base/text.h"
#include "kube/client.h"
#include "sim/cluster/check.h"

#include <dirent.h>
#include <unistd.h>

enum { ANSWER_MS = 120000, AGAIN_MS = 500, REST_MS = 90000 };

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

/* ---- checks ---- */

static inline void on_change(void *userdata, const SimApiChange *change) {
  World *world = userdata;
  Error err;
  assert_ok(sim_check_layouts(world->cluster, &err));
  assert_ok(sim_check_held(world->cluster, &err));
}

/* A reservation that meets no plugin is none of the users'. */
static inline void on_rejected(void *userdata, const SimRejection *rejection) {
  ((World *)userdata)->rejected += strcmp(rejection->namespace_, SIM_CLUSTER_NAMESPACE) == 0;
}

static inline const char *node_says(const World *world, const char *key) {
  const json_t *node =
      sim_api_store_find(sim_api_store(world->cluster->api), SIM_API_NODES, world->cluster->nodes[0].name);
  const json_t *annotations = json_object_get(json_object_get(node, "metadata"), "annotations");
  return string_or_empty(json_string_value(json_object_get(annotations, key)));
}

/* "1g.6gb@0,2g.12gb@2?": the last one is no whole slice. */
static inline void format_layout(const World *world, Text *text) {
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
static inline void kill_agent(World *world) {
  sim_cluster_kill_agent(world->cluster, 0);
  world->again_ms = world->cluster->host.now_ms + AGAIN_MS;
  world->deaths++;
}

static inline void on_worker_death(void *userdata) {
  kill_agent(userdata);
}

static inline bool pace(void *userdata, uint64_t next_ms) {
  World *world = userdata;
  if (!world->again_ms && ++world->turns == world->die_at)
    kill_agent(world);
  if (world->again_ms && world->cluster->host.now_ms >= world->again_ms) {
    world->again_ms = 0;
    sim_cluster_start_agent(world->cluster, 0);
  }
  return true;
}

static inline void on_wake(void *userdata) {
}

/* The loop sees to it that a dead agent is started in time. */
static inline void pass_time(World *world, uint64_t duration_ms, bool (*is_done)(void *userdata)) {
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

static inline void on_answer(void *userdata, const KubeAnswer *answer) {
  Error err = {0};
  assert_true(kube_answer_is_ok(answer, &err));
}

static inline void set_plan(World *world, const char *layout) {
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

static inline bool is_answered(void *userdata) {
  const World *world = userdata;
  char plan[16];
  snprintf(plan, sizeof plan, "p%d", world->plan);
  return strcmp(node_says(world, MIG_ANNOTATION_STATUS_PLAN), plan) == 0;
}

static inline bool is_at_rest(void *userdata) {
  const World *world = userdata;
  return !world->again_ms && sim_check_count_reservations(world->cluster) == 0 &&
         !*node_says(world, MIG_ANNOTATION_ERROR);
}

/* A killed agent may have lost the race for its reservation: then the plan is answered with what there is,
 * and whoever made it makes it again. */
static inline void carry_out(World *world, const char *layout, const char *what) {
  for (int tries = 0; tries < 3; tries++) {
    world->repeated += tries > 0;
    set_plan(world, layout);
    pass_time(world, ANSWER_MS, is_answered);
    if (!is_answered(world))
      fail_msg("%s: the plan \"%s\" is never answered", what, layout);
    pass_time(world, REST_MS, is_at_rest);
    CLEANUP(text_deinit) Text text = {0};
    format_layout(world, &text);
    if (strcmp(text_string(&text), layout) == 0)
      break;
  }
  CLEANUP(text_deinit) Text text = {0};
  format_layout(world, &text);
  if (strcmp(text_string(&text), layout) != 0 || *node_says(world, MIG_ANNOTATION_ERROR))
    fail_msg("%s: the GPU holds \"%s\" where \"%s\" is wanted; its node says \"%s\"", what,
             text_string(&text), layout, node_says(world, MIG_ANNOTATION_ERROR));
  assert_int_equal(sim_cluster_count_pods(world->cluster, "Running"), 1);
  assert_int_equal(sim_cluster_count_pods(world->cluster, "Failed"), 0);
}

/* ---- life ---- */

static inline bool one_runs(void *userdata) {
  return sim_cluster_count_pods(((World *)userdata)->cluster, "Running") == 1;
}

/* One pod of the profile runs on the slice. */
static inline void world_begin(World *world, const SimClusterOptions *options, const char *profile,
                               const char *slice) {
  Error err = {0};
  assert_ok(sim_cluster_new(options, &world->cluster, &err));
  world->cluster->on_change = on_change;
  world->cluster->on_rejected = on_rejected;
  world->cluster->pace = pace;
  world->cluster->change_userdata = world->cluster->rejected_userdata = world->cluster->pace_userdata = world;
  world->client = kube_client_new(&world->cluster->host, sim_api_seam(world->cluster->api));
  assert_true(sim_cluster_settle(world->cluster));
  sim_cluster_kill_controller(world->cluster); /* the plans are ours */
  sscanf(node_says(world, MIG_ANNOTATION_IDENTITY_PREFIX "0"), "%95s", world->uuid);
  set_plan(world, slice);
  pass_time(world, ANSWER_MS, is_answered);
  assert_ok(sim_cluster_create_pods(world->cluster, profile, 1, &err));
  pass_time(world, ANSWER_MS, one_runs);
  pass_time(world, 2000, NULL);
}

/* Each job has a process of its own, which can be killed. */
static inline void world_init(World *world, const char *machine, const char *profile, const char *slice) {
  *world = (World){0};
  snprintf(world->folder, sizeof world->folder, "%s/facet-crash-XXXXXX",
           access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
  assert_non_null(mkdtemp(world->folder));
  SimClusterOptions options = sim_cluster_defaults();
  options.machine = machine;
  options.machine_folder = world->folder;
  world_begin(world, &options, profile, slice);
}

static inline void remove_folder(const char *path) {
  DIR *folder = opendir(path);
  for (struct dirent *entry; folder && (entry = readdir(folder));)
    if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2)
      unlinkat(dirfd(folder), entry->d_name, 0);
  if (folder)
    closedir(folder);
  rmdir(path);
}

static inline void world_deinit(World *world) {
  assert_int_equal(world->rejected, 0);
  kube_client_free(world->client);
  sim_cluster_start_controller(world->cluster);
  sim_cluster_free(world->cluster);
  if (world->folder[0])
    remove_folder(world->folder);
}

static inline void show_log(void *userdata, LogLevel level, const char *component, const char *message,
                            const char *fields) {
  fprintf(stderr, "# %s %s %s\n", component, message, fields);
}
