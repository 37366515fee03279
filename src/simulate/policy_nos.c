/* SPDX-License-Identifier: Apache-2.0 */
/* nos' rule, in a form that is kind to it: what is lacking is counted rightly, no pod is counted twice, used
 * slices are never touched, and the agent finds an order of creation that realises as much as it can.
 *
 *   * A batch is planned when no pod came for 10 s, or 60 s after its first (the defaults of its chart).
 *   * Node after node, GPU after GPU: of the known geometries that contain what is used, the one that brings
 *     the most slices of profiles that are still lacking; of equals the first.
 *   * The driver chooses the places.
 *
 * The geometries are those that nos knows for A30 and A100, by compute slices. It knows no other model; all
 * models of eight slots count as A100 here. Nothing in them has 1g with double memory or media engines. */
#include "simulate/policy.h"

enum { IDLE_MS = 10000, BATCH_MS = 60000, SIZES = 5, A100_SLOTS = 8, A30_SLOTS = 4 };

static const int slice_counts[SIZES] = {1, 2, 3, 4, 7};

typedef struct Geometry {
  int counts[SIZES];
} Geometry;

static const Geometry a100_geometries[] = {{{7}},       {{5, 1}},       {{3, 2}},       {{1, 3}},
                                           {{2, 1, 1}}, {{0, 2, 1}},    {{3, 0, 1}},    {{1, 1, 1}},
                                           {{0, 0, 2}}, {{3, 0, 0, 1}}, {{1, 1, 0, 1}}, {{0, 0, 0, 0, 1}}};
static const Geometry a30_geometries[] = {{{4}}, {{2, 1}}, {{0, 2}}, {{0, 0, 0, 1}}};

typedef struct Nos {
  int64_t first_ms, last_ms; /* of the batch: its first event and its latest; first_ms -1: there is none */
} Nos;

typedef struct Lacking {
  int64_t count[SIMULATE_KINDS_MAX];
} Lacking;

static const Geometry *find_geometries(const MigModel *model, int *ret_count) {
  if (model->slot_count == A100_SLOTS) {
    *ret_count = (int)COUNT_OF(a100_geometries);
    return a100_geometries;
  }
  *ret_count = model->slot_count == A30_SLOTS ? (int)COUNT_OF(a30_geometries) : 0;
  return a30_geometries;
}

/* The plain profile of so many slices; of two, the one with less memory. -1: none. */
static int find_profile(const MigModel *model, int slices) {
  int found = -1;
  for (int i = 0; i < model->profile_count; i++)
    if (model->profiles[i].kind == MIG_PLAIN && model->profiles[i].slice_count == slices &&
        (found < 0 || model->profiles[i].size < model->profiles[found].size))
      found = i;
  return found;
}

static int find_kind(const SimulateWorld *world, int gpu, int profile) {
  for (int kind = 0; kind < world->load->kind_count; kind++)
    if (profile >= 0 && simulate_world_profile(world, gpu, kind) == profile)
      return kind;
  return -1;
}

typedef struct Tally { /* of one GPU, by size */
  int used[SIZES], free[SIZES];
  bool foreign; /* uses a slice that no geometry has */
} Tally;

static void count_slices(const SimulateGpu *gpu, Tally *ret_tally) {
  *ret_tally = (Tally){0};
  for (int i = 0; i < gpu->layout.count; i++) {
    const MigInstance *instance = &gpu->layout.instances[i];
    bool used = gpu->used_starts >> instance->start & 1, known = false;
    for (int s = 0; s < SIZES; s++)
      if (find_profile(gpu->layout.model, slice_counts[s]) == instance->profile) {
        known = true;
        (used ? ret_tally->used : ret_tally->free)[s]++;
      }
    ret_tally->foreign |= !known;
  }
}

static bool contains_used(const Geometry *geometry, const Tally *tally) {
  for (int s = 0; s < SIZES; s++)
    if (geometry->counts[s] < tally->used[s])
      return false;
  return true;
}

/* How many lacking slices the geometry adds to what the GPU has, less those that it would take away. */
static int64_t count_gain(const SimulateWorld *world, int gpu, const Geometry *geometry, const Tally *tally,
                          const Lacking *lacking) {
  int64_t gain = 0;
  for (int s = 0; s < SIZES; s++) {
    int kind =
        find_kind(world, gpu, find_profile(world->fleet->gpus.items[gpu].layout.model, slice_counts[s]));
    int64_t more = geometry->counts[s] - tally->used[s] - tally->free[s];
    if (kind >= 0 && lacking->count[kind] > 0)
      gain += more < lacking->count[kind] ? more : lacking->count[kind];
  }
  return gain;
}

static const Geometry *choose_geometry(const SimulateWorld *world, int gpu, const Tally *tally,
                                       const Lacking *lacking) {
  int count;
  const Geometry *geometries = find_geometries(world->fleet->gpus.items[gpu].layout.model, &count);
  const Geometry *best = NULL;
  int64_t most = 0;
  for (int i = 0; i < count && !tally->foreign; i++) {
    if (!contains_used(&geometries[i], tally))
      continue;
    int64_t gain = count_gain(world, gpu, &geometries[i], tally, lacking);
    if (gain > most) {
      most = gain;
      best = &geometries[i];
    }
  }
  return best;
}

/* Creates largest first what is missing, where the driver puts it; returns how many could not be created. */
static int realise(const Geometry *geometry, MigLayout *layout) {
  int failed = 0;
  for (int s = SIZES - 1; s >= 0; s--) {
    int profile = find_profile(layout->model, slice_counts[s]);
    for (int left = profile < 0 ? 0 : geometry->counts[s] - mig_layout_count(layout, profile); left > 0;
         left--) {
      int start = mig_layout_auto_start(layout, profile);
      failed += start < 0;
      if (start >= 0)
        mig_layout_place(layout, profile, start);
    }
  }
  return failed;
}

/* Without the free slices that the geometry has no use for, or without any. */
static void strip(const SimulateGpu *gpu, const Geometry *geometry, const Tally *tally, MigLayout *layout) {
  int surplus[SIZES];
  for (int s = 0; s < SIZES; s++)
    surplus[s] = geometry ? tally->used[s] + tally->free[s] - geometry->counts[s] : tally->free[s];
  for (uint32_t free = simulate_gpu_free_starts(gpu); free; free &= free - 1) {
    int start = __builtin_ctz(free);
    for (int s = 0; s < SIZES; s++) {
      const MigInstance *instance = mig_layout_find(layout, start);
      if (instance && find_profile(layout->model, slice_counts[s]) == instance->profile && surplus[s]-- > 0)
        mig_layout_remove(layout, start);
    }
  }
}

static void apply_layout(SimulateWorld *world, int gpu, const MigLayout *wanted) {
  const SimulateGpu *item = &world->fleet->gpus.items[gpu];
  for (uint32_t free = simulate_gpu_free_starts(item); free; free &= free - 1) {
    int start = __builtin_ctz(free);
    const MigInstance *same = mig_layout_find(wanted, start);
    if (!same || same->profile != mig_layout_find(&item->layout, start)->profile)
      simulate_world_destroy(world, gpu, start);
  }
  for (int i = 0; i < wanted->count; i++)
    if (!mig_layout_find(&item->layout, wanted->instances[i].start))
      simulate_world_create(world, gpu, wanted->instances[i].profile, wanted->instances[i].start);
}

static void change_gpu(SimulateWorld *world, int gpu, Lacking *lacking) {
  Tally before, after;
  const SimulateGpu *item = &world->fleet->gpus.items[gpu];
  count_slices(item, &before);
  const Geometry *geometry = choose_geometry(world, gpu, &before, lacking);
  if (!geometry)
    return;
  MigLayout careful = item->layout, afresh = item->layout;
  strip(item, geometry, &before, &careful);
  strip(item, NULL, &before, &afresh);
  int failed = realise(geometry, &careful);
  if (failed > 0 && realise(geometry, &afresh) < failed)
    careful = afresh;
  apply_layout(world, gpu, &careful);
  count_slices(item, &after);
  for (int s = 0; s < SIZES; s++) {
    int kind = find_kind(world, gpu, find_profile(item->layout.model, slice_counts[s]));
    if (kind >= 0)
      lacking->count[kind] -= after.free[s] - before.free[s];
  }
}

static bool count_lacking(const SimulateWorld *world, Lacking *ret_lacking) {
  bool any = false;
  *ret_lacking = (Lacking){0};
  for (size_t c = 0; c < world->load->classes.count; c++) {
    const SimulateClass *request = &world->load->classes.items[c];
    ret_lacking->count[request->kind] += (int64_t)world->waiting_count[c] * request->count;
  }
  for (int kind = 0; kind < world->load->kind_count; kind++) {
    ret_lacking->count[kind] -= world->free_count[kind];
    any |= ret_lacking->count[kind] > 0;
  }
  return any;
}

static void plan_batch(SimulateWorld *world) {
  Lacking lacking;
  if (count_lacking(world, &lacking))
    for (size_t gpu = 0; gpu < world->fleet->gpus.count; gpu++)
      change_gpu(world, (int)gpu, &lacking);
  simulate_world_schedule(world);
}

/* Whatever happens while somebody waits belongs to the batch. */
static int64_t decide(void *state, SimulateWorld *world) {
  Nos *nos = state;
  simulate_world_schedule(world);
  bool due = nos->first_ms >= 0 &&
             (world->now_ms >= nos->last_ms + IDLE_MS || world->now_ms >= nos->first_ms + BATCH_MS);
  if (due) {
    plan_batch(world);
    nos->first_ms = -1;
    return SIMULATE_NEVER;
  }
  if (!simulate_world_has_open(world))
    return SIMULATE_NEVER;
  nos->first_ms = nos->first_ms < 0 ? world->now_ms : nos->first_ms;
  nos->last_ms = world->now_ms;
  int64_t idle_ms = nos->last_ms + IDLE_MS, batch_ms = nos->first_ms + BATCH_MS;
  return idle_ms < batch_ms ? idle_ms : batch_ms;
}

static void *start(const SimulateWorld *world) {
  Nos *nos = mem_alloc(sizeof *nos);
  *nos = (Nos){.first_ms = -1};
  return nos;
}

const SimulatePolicy simulate_policy_nos = {.name = "nos",
                                            .knows_hardware = true,
                                            .title = "nos' rule",
                                            .start = start,
                                            .stop = free,
                                            .decide = decide};
