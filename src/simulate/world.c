/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/world.h"

#include "simulate/migbench.h"

static int class_of(const SimulateWorld *world, int job) {
  return world->load->jobs.items[job].class_;
}

static const SimulateClass *request_of(const SimulateWorld *world, int job) {
  return &world->load->classes.items[class_of(world, job)];
}

void simulate_world_init(SimulateWorld *world, SimulateFleet *fleet, const SimulateLoad *load,
                         SimulateLatency latency) {
  *world = (SimulateWorld){.fleet = fleet, .load = load, .latency = latency};
  simulate_fleet_reset(fleet);
  world->jobs = mem_alloc((load->jobs.count + 1) * sizeof *world->jobs);
  for (size_t i = 0; i < load->jobs.count; i++)
    world->jobs[i] = (SimulateProgress){.missing = request_of(world, (int)i)->count, .node = SIMULATE_NOBODY};
  world->queues = mem_alloc((load->classes.count + 1) * sizeof *world->queues);
  for (int m = 0; m < fleet->model_count; m++)
    for (int k = 0; k < load->kind_count; k++) {
      const MigModel *model = &fleet->models[m]->model;
      world->profiles[m][k] = (int8_t)mig_model_find_profile(model, load->kinds[k]);
    }
}

void simulate_world_deinit(SimulateWorld *world) {
  free(world->jobs);
  for (size_t c = 0; c < world->load->classes.count; c++)
    array_deinit(&world->queues[c].jobs);
  free(world->queues);
  array_deinit(&world->started);
  array_deinit(&world->released);
}

int simulate_world_profile(const SimulateWorld *world, int gpu, int kind) {
  return world->profiles[world->fleet->gpus.items[gpu].model][kind];
}

/* ---- changes by policies ---- */

static SimulateGpu *get_gpu(const SimulateWorld *world, int gpu) {
  assert(gpu >= 0 && (size_t)gpu < world->fleet->gpus.count);
  return &world->fleet->gpus.items[gpu];
}

/* The free slices of the profile are so many more. Profiles that nobody asks for are not counted. */
static void count_free(SimulateWorld *world, const SimulateGpu *gpu, int profile, int more) {
  for (int k = 0; k < world->load->kind_count; k++)
    if (world->profiles[gpu->model][k] == profile)
      world->free_count[k] += more;
}

/* Returns when the driver has done what takes so long. */
static int64_t charge_driver(SimulateWorld *world, SimulateGpu *gpu, int64_t ms) {
  if (gpu->driver_free_ms < world->now_ms)
    gpu->driver_free_ms = world->now_ms;
  gpu->driver_free_ms += ms;
  world->repartitions += gpu->changed_ms != world->now_ms;
  gpu->changed_ms = world->now_ms;
  world->fleet->nodes.items[gpu->node].changed = true;
  return gpu->driver_free_ms;
}

void simulate_world_create(SimulateWorld *world, int gpu, int profile, int start) {
  SimulateGpu *item = get_gpu(world, gpu);
  mig_layout_place(&item->layout, profile, start);
  item->ready_ms[start] = charge_driver(world, item, world->latency.create_ms);
  world->creates++;
  count_free(world, item, profile, 1);
}

void simulate_world_destroy(SimulateWorld *world, int gpu, int start) {
  SimulateGpu *item = get_gpu(world, gpu);
  const MigInstance *instance = mig_layout_find(&item->layout, start);
  assert(instance && !(item->used_starts >> start & 1));
  count_free(world, item, instance->profile, -1);
  mig_layout_remove(&item->layout, start);
  (void)charge_driver(world, item, world->latency.destroy_ms);
  world->destroys++;
}

static void count_use(SimulateWorld *world, const SimulateGpu *gpu, int profile, int sign) {
  world->used_slots += sign * gpu->layout.model->profiles[profile].size;
  world->used_memory += sign * simulate_memory_of_profile(gpu->layout.model, profile);
  world->used_slices += sign * gpu->layout.model->profiles[profile].slice_count;
  count_free(world, gpu, profile, -sign);
}

static void leave_queue(SimulateWorld *world, int job) {
  world->waiting_count[class_of(world, job)]--;
  world->waiting_total--;
}

void simulate_world_take(SimulateWorld *world, int job, int gpu, int start) {
  SimulateGpu *item = get_gpu(world, gpu);
  SimulateProgress *progress = &world->jobs[job];
  const MigInstance *instance = mig_layout_find(&item->layout, start);
  assert(progress->state == SIMULATE_JOB_WAITING && progress->missing > 0);
  assert(instance && !(item->used_starts >> start & 1) && item->jobs[start] == SIMULATE_NOBODY);
  assert(instance->profile == simulate_world_profile(world, gpu, request_of(world, job)->kind));
  assert(progress->node == SIMULATE_NOBODY || progress->node == item->node);
  item->used_starts |= UINT32_C(1) << start;
  item->jobs[start] = job;
  count_use(world, item, instance->profile, 1);
  progress->node = item->node;
  int64_t ready = item->ready_ms[start] > world->now_ms ? item->ready_ms[start] : world->now_ms;
  progress->start_ms = ready > progress->start_ms ? ready : progress->start_ms;
  world->fleet->nodes.items[item->node].changed = true;
  if (--progress->missing > 0)
    return;
  progress->state = SIMULATE_JOB_RUNNING;
  leave_queue(world, job);
  *array_push(&world->started) = job;
}

void simulate_world_unmake_released(SimulateWorld *world) {
  for (size_t i = 0; i < world->released.count; i++) {
    int gpu = world->released.items[i];
    for (uint32_t free = simulate_gpu_free_starts(&world->fleet->gpus.items[gpu]); free; free &= free - 1)
      simulate_world_destroy(world, gpu, __builtin_ctz(free));
  }
}

bool simulate_world_has_open(const SimulateWorld *world) {
  for (size_t c = 0; c < world->load->classes.count; c++)
    if (world->waiting_count[c] > 0 && !world->stuck[c])
      return true;
  return false;
}

int simulate_world_next_waiting(const SimulateWorld *world, int class_, size_t *place) {
  const SimulateQueue *queue = &world->queues[class_];
  while (*place < queue->jobs.count) {
    int job = queue->jobs.items[(*place)++];
    if (world->jobs[job].state == SIMULATE_JOB_WAITING)
      return job;
  }
  return SIMULATE_NOBODY;
}

int simulate_world_find_oldest(SimulateWorld *world, const bool *skip) {
  int oldest = SIMULATE_NOBODY;
  for (int c = 0; c < (int)world->load->classes.count; c++) {
    if (!world->waiting_count[c] || world->stuck[c] || (skip && skip[c]))
      continue;
    size_t place = world->queues[c].first;
    int job = simulate_world_next_waiting(world, c, &place);
    assert(job != SIMULATE_NOBODY);
    world->queues[c].first = place - 1;
    if (oldest == SIMULATE_NOBODY || job < oldest)
      oldest = job;
  }
  return oldest;
}

/* ---- scheduling on slices that exist ---- */

typedef struct Place {
  int gpu, start;
  int64_t wait_ms; /* until it is ready */
  int open_slots;  /* of the GPU, not used */
} Place;

static bool is_better(const Place *a, const Place *b) {
  if (b->gpu < 0 || a->wait_ms != b->wait_ms)
    return b->gpu < 0 || a->wait_ms < b->wait_ms;
  return a->open_slots < b->open_slots;
}

/* Returns how many free slices of the kind the GPU has. */
static int look_at_gpu(const SimulateWorld *world, int gpu, int kind, Place *best) {
  const SimulateGpu *item = &world->fleet->gpus.items[gpu];
  int profile = simulate_world_profile(world, gpu, kind), found = 0;
  if (profile < 0)
    return 0;
  Place place = {.gpu = gpu, .open_slots = -1};
  for (uint32_t free = simulate_gpu_free_starts(item); free; free &= free - 1) {
    place.start = __builtin_ctz(free);
    if (mig_layout_find(&item->layout, place.start)->profile != profile)
      continue;
    if (place.open_slots < 0)
      place.open_slots = item->layout.model->slot_count - __builtin_popcount(simulate_gpu_used_mask(item));
    int64_t wait_ms = item->ready_ms[place.start] - world->now_ms;
    place.wait_ms = wait_ms > 0 ? wait_ms : 0;
    if (is_better(&place, best))
      *best = place;
    found++;
  }
  return found;
}

/* The best free slice for the request on the node, where it has as many as that; *best stays where not. */
static void look_at_node(const SimulateWorld *world, const SimulateNode *node, const SimulateClass *request,
                         Place *best) {
  Place here = *best;
  int found = 0;
  for (int gpu = node->first_gpu; gpu < node->first_gpu + node->gpu_count; gpu++)
    found += look_at_gpu(world, gpu, request->kind, &here);
  if (found >= request->count)
    *best = here;
}

bool simulate_world_take_on(SimulateWorld *world, int job, int node) {
  const SimulateNode *item = &world->fleet->nodes.items[node];
  SimulateClass request = *request_of(world, job);
  for (; request.count > 0; request.count--) {
    Place place = {.gpu = -1};
    look_at_node(world, item, &request, &place);
    if (place.gpu < 0)
      return false; /* only at the first slice: later there are as many as were counted, less those taken */
    simulate_world_take(world, job, place.gpu, place.start);
  }
  return true;
}

static bool schedule_job(SimulateWorld *world, int job) {
  const SimulateClass *request = request_of(world, job);
  const SimulateFleet *fleet = world->fleet;
  Place best = {.gpu = -1};
  if (world->free_count[request->kind] < request->count)
    return false;
  for (size_t n = 0; n < fleet->nodes.count; n++)
    look_at_node(world, &fleet->nodes.items[n], request, &best);
  return best.gpu >= 0 && simulate_world_take_on(world, job, fleet->gpus.items[best.gpu].node);
}

void simulate_world_schedule(SimulateWorld *world) {
  size_t class_count = world->load->classes.count;
  CLEANUP(cleanup_free) bool *failed = mem_alloc(class_count * sizeof *failed);
  for (size_t c = 0; c < class_count; c++) {
    const SimulateClass *request = &world->load->classes.items[c];
    failed[c] = world->free_count[request->kind] < request->count;
  }
  for (int job; (job = simulate_world_find_oldest(world, failed)) != SIMULATE_NOBODY;)
    if (!schedule_job(world, job))
      failed[class_of(world, job)] = true;
}

/* ---- what happens by itself ---- */

void simulate_world_arrive(SimulateWorld *world, int job) {
  assert(world->jobs[job].state == SIMULATE_JOB_COMING);
  world->jobs[job].state = SIMULATE_JOB_WAITING;
  world->waiting_count[class_of(world, job)]++;
  world->waiting_total++;
  *array_push(&world->queues[class_of(world, job)].jobs) = job;
}

void simulate_world_give_up(SimulateWorld *world, int job) {
  assert(world->jobs[job].state == SIMULATE_JOB_WAITING);
  world->jobs[job].state = SIMULATE_JOB_GONE;
  leave_queue(world, job);
}

void simulate_world_end(SimulateWorld *world, int job) {
  SimulateProgress *progress = &world->jobs[job];
  assert(progress->state == SIMULATE_JOB_RUNNING);
  const SimulateNode *node = &world->fleet->nodes.items[progress->node];
  int left = request_of(world, job)->count;
  for (int gpu = node->first_gpu; left > 0 && gpu < node->first_gpu + node->gpu_count; gpu++) {
    SimulateGpu *item = &world->fleet->gpus.items[gpu];
    for (uint32_t used = item->used_starts; used; used &= used - 1) {
      int start = __builtin_ctz(used);
      if (item->jobs[start] != job)
        continue;
      item->jobs[start] = SIMULATE_NOBODY;
      item->used_starts &= ~(UINT32_C(1) << start);
      count_use(world, item, mig_layout_find(&item->layout, start)->profile, -1);
      *array_push(&world->released) = gpu;
      left--;
    }
  }
  assert(left == 0);
  world->fleet->nodes.items[progress->node].changed = true;
  progress->state = SIMULATE_JOB_ENDED;
  memset(world->stuck, 0, sizeof world->stuck);
}

/* ---- measures ---- */

/* As many slices of one profile as fit into the free slots: greedily by start, which is most where places of
 * one profile have one size. */
static int count_placeable(const SimulateGpu *gpu, int profile, uint32_t used) {
  const MigModel *model = gpu->layout.model;
  int count = 0, enough = simulate_gpu_memory_left(gpu) / simulate_memory_of_profile(model, profile);
  for (uint32_t starts = model->profiles[profile].starts; starts; starts &= starts - 1) {
    uint32_t mask = mig_placement_mask(model, profile, __builtin_ctz(starts));
    if (used & mask)
      continue;
    used |= mask;
    count++;
  }
  int most = model->profiles[profile].instance_count_max;
  most = enough < most ? enough : most;
  return count < most ? count : most;
}

double simulate_world_unusable_slots(const SimulateWorld *world, const double weights[SIMULATE_KINDS_MAX],
                                     int gpu) {
  const SimulateGpu *item = &world->fleet->gpus.items[gpu];
  const MigModel *model = item->layout.model;
  uint32_t used = simulate_gpu_used_mask(item);
  double unusable = 0, total = 0;
  int free = model->slot_count - __builtin_popcount(used);
  for (int kind = 0; kind < world->load->kind_count; kind++) {
    int profile = simulate_world_profile(world, gpu, kind);
    if (profile < 0 || weights[kind] <= 0)
      continue;
    int left = free - count_placeable(item, profile, used) * model->profiles[profile].size;
    unusable += weights[kind] * left;
    total += weights[kind];
  }
  return total > 0 ? unusable / total : free;
}

int simulate_world_check(const SimulateWorld *world, Error *err) {
  CLEANUP(cleanup_free) int *held = mem_alloc((world->load->jobs.count + 1) * sizeof *held);
  for (size_t g = 0; g < world->fleet->gpus.count; g++) {
    const SimulateGpu *gpu = &world->fleet->gpus.items[g];
    int result = simulate_gpu_check(gpu, err);
    if (result < 0)
      return error_prefix(err, "GPU %zu", g);
    for (uint32_t used = gpu->used_starts; used; used &= used - 1)
      held[gpu->jobs[__builtin_ctz(used)]]++;
  }
  for (size_t j = 0; j < world->load->jobs.count; j++) {
    bool runs = world->jobs[j].state == SIMULATE_JOB_RUNNING;
    if (held[j] != (runs ? request_of(world, (int)j)->count : 0))
      return error_set(err, ERROR_INVALID, "job %zu holds %d slices", j, held[j]);
  }
  return 0;
}
