/* SPDX-License-Identifier: Apache-2.0 */
/* People who edit nodes, and who cut GPUs with nvidia-smi. */
#include "sim/chaos/fault.h"
#include "sim/nvml/instance.h"

enum {
  LOOK_MS = 75000, /* until an agent has looked at its GPUs again, and told */
  REPORT_MS = 15000,
};

static void patch_node(ChaosWorld *world, int node, const char *subresource, const json_t *patch) {
  CLEANUP(cleanup_free)
  char *path = mem_format("/api/v1/nodes/%s%s", chaos_world_node_name(world, node), subresource);
  sim_api_patch(world->cluster->api, path, patch);
}

/* ---- annotations and labels ---- */

/* value NULL: removed */
static void annotate(ChaosWorld *world, int node, const char *key, const char *value) {
  json_auto_t *patch = json_pack("{s:{s:{s:s?}}}", "metadata", "annotations", key, value);
  patch_node(world, node, "", patch);
}

static void label(ChaosWorld *world, int node, const char *key, const char *value) {
  json_auto_t *patch = json_pack("{s:{s:{s:s?}}}", "metadata", "labels", key, value);
  patch_node(world, node, "", patch);
}

void chaos_strike_annotation_edit(ChaosWorld *world, const ChaosStep *step) {
  static const struct {
    const char *key, *value;
    bool is_label;
  } edits[] = {
      {MIG_ANNOTATION_SPEC_PLAN, NULL, false},
      {MIG_ANNOTATION_SPEC_PLAN, "by-hand", false},
      {MIG_ANNOTATION_STATUS_PLAN, NULL, false},
      {MIG_ANNOTATION_STATUS_PLAN, "by-hand", false},
      {MIG_ANNOTATION_SPEC_GPU_PREFIX "0", NULL, false},
      {MIG_ANNOTATION_SPEC_GPU_PREFIX "0", "GPU-0 9g.5gb@77", false},
      {MIG_ANNOTATION_STATUS_GPU_PREFIX "0", "1g.10gb@0:free", false},
      {MIG_ANNOTATION_IDENTITY_PREFIX "0", NULL, false},
      {MIG_ANNOTATION_PROFILES, NULL, false},
      {MIG_ANNOTATION_ERROR, "somebody was here", false},
      {MIG_LABEL_OFFER, NULL, true},
      {MIG_LABEL_OFFER, "7", true},
  };
  size_t which = step->a % COUNT_OF(edits);
  chaos_world_note(world, "somebody sets %s of %s to %s", edits[which].key,
                   chaos_world_node_name(world, step->node),
                   edits[which].value ? edits[which].value : "nothing");
  (edits[which].is_label ? label : annotate)(world, step->node, edits[which].key, edits[which].value);
}

static void go_on(ChaosWorld *world, int node) {
  annotate(world, node, MIG_ANNOTATION_PAUSED, NULL);
}

void chaos_strike_node_pause(ChaosWorld *world, const ChaosStep *step) {
  chaos_world_note(world, "somebody pauses %s for %u ms", chaos_world_node_name(world, step->node),
                   step->a % 10000);
  annotate(world, step->node, MIG_ANNOTATION_PAUSED, "true");
  chaos_world_later(world, step->a % 10000, go_on, step->node);
}

static void hand_over(ChaosWorld *world, int node) {
  label(world, node, MIG_LABEL_PARTITIONING, "mig");
}

void chaos_strike_node_unlabel(ChaosWorld *world, const ChaosStep *step) {
  chaos_world_note(world, "somebody takes %s away from facet for %u ms",
                   chaos_world_node_name(world, step->node), step->a % 15000);
  label(world, step->node, MIG_LABEL_PARTITIONING, NULL);
  chaos_world_later(world, step->a % 15000, hand_over, step->node);
}

void chaos_strike_hands_off(ChaosWorld *world) {
  for (int i = 0; i < world->cluster->node_count; i++) {
    go_on(world, i);
    hand_over(world, i);
  }
}

/* ---- amounts ---- */

void chaos_strike_amount_edit(ChaosWorld *world, const ChaosStep *step) {
  static const char *const resources[] = {"nvidia.com/mig-1g.10gb", "nvidia.com/mig-3g.40gb"};
  const char *resource = resources[step->a % COUNT_OF(resources)], *amount = step->b % 2 ? "0" : "3";
  json_auto_t *patch = json_pack("{s:{s:{s:s}}}", "status", "allocatable", resource, amount);
  chaos_world_note(world, "somebody lets %s offer %s x %s", chaos_world_node_name(world, step->node), amount,
                   resource);
  if (step->b % 2)
    chaos_world_excuse_lies(world, step->node, REPORT_MS);
  else
    chaos_world_excuse_lie(world, step->node, resource, amount);
  patch_node(world, step->node, "/status", patch);
}

/* ---- GPUs ---- */

static bool is_taken(const ChaosWorld *world, int node, const char *uuid) {
  const SimDisk *disk = &world->cluster->nodes[node].disk;
  for (size_t i = 0; i < disk->held.count; i++)
    for (size_t k = 0; k < disk->held.items[i]->ids.count; k++)
      if (strcmp(disk->held.items[i]->ids.items[k], uuid) == 0)
        return true;
  return false;
}

static GpuResult *look(ChaosWorld *world, int node) {
  GpuResult *result = mem_alloc(sizeof *result);
  sim_driver_run_by_hand(world->cluster->nodes[node].driver, &(GpuJob){.kind = GPU_JOB_OBSERVE}, result);
  return result;
}

static void run_by_hand(ChaosWorld *world, int node, const GpuJob *job) {
  CLEANUP(cleanup_free) GpuResult *result = mem_alloc(sizeof *result);
  sim_driver_run_by_hand(world->cluster->nodes[node].driver, job, result);
}

/* Whether it fits is the driver's business. */
void chaos_strike_cut_by_hand(ChaosWorld *world, const ChaosStep *step) {
  CLEANUP(cleanup_free) GpuResult *seen = look(world, step->node);
  const GpuObserved *gpu = &seen->observation.gpus[step->a % (uint32_t)seen->observation.gpu_count];
  if (!gpu->model.profile_count)
    return;
  const MigProfile *profile = &gpu->model.profiles[step->b % gpu->model.profile_count];
  GpuJob job = {.kind = GPU_JOB_CREATE, .nvml_id = profile->nvml_id, .size = profile->size};
  while (!(profile->starts >> job.start & 1))
    job.start++;
  snprintf(job.uuid, sizeof job.uuid, "%s", gpu->uuid);
  chaos_world_note(world, "somebody cuts %s at slot %d of GPU %d of %s by hand", profile->name, job.start,
                   gpu->index, chaos_world_node_name(world, step->node));
  run_by_hand(world, step->node, &job);
}

/* The driver would refuse one with processes on it. The kubelet gives it to pods until the agent looks. */
void chaos_strike_destruction_by_hand(ChaosWorld *world, const ChaosStep *step) {
  CLEANUP(cleanup_free) GpuResult *seen = look(world, step->node);
  SimState state;
  Error err;
  char uuid[NVML_UUID_SIZE];
  if (sim_driver_load(world->cluster->nodes[step->node].driver, &state, &err) < 0)
    return;
  uint32_t g = step->a % state.gpu_count;
  const SimGpu *gpu = &state.gpus[g];
  const SimGi *gi = gpu->gi_count ? &gpu->gis[step->b % gpu->gi_count] : NULL;
  if (!gi || !gi->ci_count)
    return;
  sim_uuid_mig(&state, (int)g, gi, &gi->cis[0], uuid);
  if (is_taken(world, step->node, uuid))
    return;
  const MigProfile *profile = sim_gi_profile(gpu, gi);
  GpuJob job = {
      .kind = GPU_JOB_DESTROY, .nvml_id = profile->nvml_id, .start = gi->start, .size = profile->size};
  snprintf(job.uuid, sizeof job.uuid, "%s", seen->observation.gpus[g].uuid);
  chaos_world_note(world, "somebody destroys %s at slot %d of GPU %u of %s by hand", profile->name, gi->start,
                   g, chaos_world_node_name(world, step->node));
  chaos_world_excuse_lies(world, step->node, LOOK_MS);
  chaos_world_excuse_promised(world, step->node);
  map_put(&world->nodes[step->node].gone, uuid, world);
  run_by_hand(world, step->node, &job);
}
