/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: what the played neighbours of an agent are made of (world_fixture.h), and the driver among
 * them. */
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
  Text events; /* on the node */
  Agent *agent;
  /* the driver */
  GpuDriver driver;
  GpuObservation *truth;
  GpuJob job;
  GpuOnResult *on_result; /* NULL: no job */
  void *result_userdata;
  bool driver_is_mute;
  GpuOnResult *on_watched; /* NULL: nobody watches */
  uint32_t watch_ms;       /* what the last watch was given */
  bool driver_watches;
  Error driver_error;          /* what every job fails with; code 0: they succeed */
  int dying;                   /* so many jobs take the worker with them, before they did anything */
  int hangs_at;                /* 1 + index of the GPU at which NVML hangs; 0: nowhere */
  uint32_t stuck_count;        /* workers that no kill has ended */
  const char *refused_profile; /* slices of it cannot be created; NULL: all can */
  int destructions_left;       /* so many succeed, the others are refused; 0: all succeed */
  bool driver_lies;            /* says "created" and creates nothing */
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
  const char
      *newer; /* version of the node that answers to PATCH tell of, and no watch; NULL: they tell of none */
  bool patch_is_lost;
  bool patch_is_undone; /* by somebody who disagrees, at once */
  char *patch;          /* the last one */
  int patch_count;
  json_t *pod; /* the reservation pod; NULL: there is none */
  KubeCall *pod_watch;
  bool scheduler_is_mute;   /* nobody binds the pod */
  bool pod_stays;           /* being deleted, but the kubelet does not let it go */
  int refuse_pod;           /* status that POST of it is answered with; 0: it succeeds */
  json_t *witness;          /* the witness pod; NULL: there is none */
  bool scheduler_is_behind; /* it has not seen what the node offers now */
  int refuse_witness;
  int refuse_repetition; /* status that PATCH of an Event is answered with; 0: it succeeds */
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
  assert_null(world->on_watched);
  if (job->kind == GPU_JOB_WATCH) {
    world->on_watched = on_result;
    world->result_userdata = userdata;
    world->watch_ms = job->wait_ms;
    return;
  }
  world->job = *job;
  world->on_result = on_result;
  world->result_userdata = userdata;
  if (job->kind == GPU_JOB_OBSERVE)
    text_format(&world->story, "observe;");
  else if (job->kind == GPU_JOB_ENABLE_MIG)
    text_format(&world->story, "enable %s;", job->uuid);
  else
    text_format(&world->story, "%s %s@%d;", job->kind == GPU_JOB_CREATE ? "create" : "destroy",
                profile_name(world, job), job->start);
}

/* Only a watch is ever cancelled. */
static inline void driver_cancel(GpuDriver *driver) {
  World *world = (World *)((char *)driver - offsetof(World, driver));
  assert_non_null(world->on_watched);
  world->on_watched = NULL;
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

/* A look passes every GPU that it was not told to skip. */
static inline bool hangs(const World *world) {
  int gpu = world->hangs_at - 1;
  if (gpu < 0 || world->job.skip >> gpu & 1)
    return false;
  return world->job.kind == GPU_JOB_OBSERVE || strcmp(world->job.uuid, world->truth->gpus[gpu].uuid) == 0;
}

static inline void skip_gpus(const World *world, GpuObservation *observation) {
  for (int i = 0; i < observation->gpu_count; i++)
    if (world->job.skip >> i & 1)
      observation->gpus[i] = (GpuObserved){.index = i, .trouble = "NVML hung or crashed on it"};
}

/* Ends the job, as the script says. */
static inline bool driver_turn(World *world) {
  if (!world->on_result || world->driver_is_mute)
    return false;
  CLEANUP(cleanup_free) GpuResult *result = mem_alloc(sizeof *result);
  result->stuck_count = world->stuck_count;
  if (hangs(world)) {
    result->stuck_gpu = (uint32_t)world->hangs_at;
    error_set(&result->err, ERROR_TIMEOUT, "NVML did not answer within 30 s; its worker was killed");
    GpuOnResult *on_hung = TAKE(world->on_result);
    on_hung(world->result_userdata, result);
    return true;
  }
  bool is_create = world->job.kind == GPU_JOB_CREATE;
  bool dies = world->job.kind != GPU_JOB_OBSERVE && world->dying > 0;
  if (dies)
    error_set(&result->err, ERROR_UNAVAILABLE, "the NVML worker died");
  else
    result->err = world->driver_error;
  world->dying -= dies;
  if (is_create && string_equal(world->refused_profile, profile_name(world, &world->job)))
    error_set(&result->err, ERROR_CONFLICT, "Insufficient Resources");
  if (world->job.kind == GPU_JOB_DESTROY && world->destructions_left && --world->destructions_left == 0)
    world->destructions_left = -1;
  else if (world->job.kind == GPU_JOB_DESTROY && world->destructions_left < 0)
    error_set(&result->err, ERROR_GPU, "In use by another client");
  if (is_create && !result->err.code && !world->driver_lies)
    create_slice(world, result);
  if (world->job.kind == GPU_JOB_DESTROY && !result->err.code && !world->driver_lies)
    destroy_slice(world);
  for (int g = 0; world->job.kind == GPU_JOB_ENABLE_MIG && !result->err.code && g < world->truth->gpu_count;
       g++)
    if (strcmp(world->truth->gpus[g].uuid, world->job.uuid) == 0)
      world->truth->gpus[g].mode = MIG_MODE_ON;
  /* A driver that refuses to create still lets itself be looked at; a dead worker does not. */
  result->observed = !result->err.code || (world->job.kind != GPU_JOB_OBSERVE && !dies);
  if (result->observed) {
    result->observation = *world->truth;
    skip_gpus(world, &result->observation);
  }
  GpuOnResult *on_result = world->on_result;
  world->on_result = NULL;
  on_result(world->result_userdata, result);
  return true;
}
