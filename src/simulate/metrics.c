/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/metrics.h"

#include "simulate/migbench.h"

void simulate_result_deinit(SimulateResult *result) {
  array_deinit(&result->waits);
  array_deinit(&result->samples);
}

int64_t simulate_percentile(const int64_t *sorted, size_t count, int percent) {
  assert(percent > 0 && percent <= 100);
  return count ? sorted[(count * (size_t)percent + 99) / 100 - 1] : 0;
}

static void add_waste(SimulateWaste *sum, const SimulateWaste *waste, double factor) {
  sum->unusable += factor * waste->unusable;
  sum->gaps.scattered += factor * waste->gaps.scattered;
  sum->gaps.stranded += factor * waste->gaps.stranded;
}

static void look_at_gpu(SimulateMeter *meter, int gpu) {
  const SimulateGpu *item = &meter->world->fleet->gpus.items[gpu];
  /* Never 0, which means that nobody looked yet. */
  uint64_t look = (uint64_t)simulate_gpu_memory_left(item) << 32 | simulate_gpu_used_mask(item);
  SimulateWaste *waste = &meter->waste_of_gpu[gpu];
  if (look == meter->looks[gpu])
    return;
  meter->looks[gpu] = look;
  add_waste(&meter->waste, waste, -1);
  waste->unusable = simulate_world_unusable_slots(meter->world, meter->weights, gpu);
  simulate_gaps_measure(&meter->memo, item, &waste->gaps);
  add_waste(&meter->waste, waste, 1);
}

void simulate_meter_init(SimulateMeter *meter, const SimulateWorld *world, int64_t warm_up_ms,
                         SimulateResult *result) {
  const SimulateLoad *load = world->load;
  size_t gpus = world->fleet->gpus.count;
  *meter = (SimulateMeter){.world = world, .from_ms = warm_up_ms, .result = result};
  meter->to_ms = load->jobs.count ? load->jobs.items[load->jobs.count - 1].arrival_ms : 0;
  if (meter->to_ms <= meter->from_ms) { /* all came at once: the whole run counts */
    meter->from_ms = 0;
    meter->to_ms = SIMULATE_NEVER;
  }
  for (size_t i = 0; i < load->jobs.count; i++) {
    const SimulateClass *request = &load->classes.items[load->jobs.items[i].class_];
    meter->weights[request->kind] += request->count;
  }
  meter->waste_of_gpu = mem_alloc((gpus + 1) * sizeof *meter->waste_of_gpu);
  meter->looks = mem_alloc((gpus + 1) * sizeof *meter->looks);
  meter->seen = mem_alloc((load->classes.count + 1) * sizeof *meter->seen);
  for (size_t gpu = 0; gpu < gpus; gpu++)
    look_at_gpu(meter, (int)gpu);
}

void simulate_meter_deinit(SimulateMeter *meter) {
  free(meter->waste_of_gpu);
  free(meter->looks);
  free(meter->seen);
  simulate_gaps_memo_deinit(&meter->memo);
}

void simulate_meter_advance(SimulateMeter *meter, int64_t now_ms) {
  int64_t from = meter->last_ms > meter->from_ms ? meter->last_ms : meter->from_ms;
  int64_t to = now_ms < meter->to_ms ? now_ms : meter->to_ms;
  meter->last_ms = now_ms;
  if (to <= from)
    return;
  double ms = (double)(to - from);
  meter->memory_ms += ms * (double)meter->world->used_memory;
  meter->slices_ms += ms * (double)meter->world->used_slices;
  add_waste(&meter->waste_ms, &meter->waste, ms);
  meter->result->window_ms += to - from;
}

/* Is there so much free memory, and as many free compute slices, as the request takes on some model? */
static bool would_be_enough(const SimulateWorld *world, const SimulateClass *request) {
  const SimulateFleet *fleet = world->fleet;
  for (int m = 0; m < fleet->model_count; m++) {
    const MigModel *model = &fleet->models[m]->model;
    int profile = world->profiles[m][request->kind];
    if (profile >= 0 &&
        request->count * simulate_memory_of_profile(model, profile) <=
            fleet->memory_count - world->used_memory &&
        request->count * model->profiles[profile].slice_count <= fleet->slice_count - world->used_slices)
      return true;
  }
  return false;
}

/* Whoever of a class waits now is held up, if there is enough: only who comes later has to be looked at
 * again. */
static void look_at_waiting(SimulateMeter *meter) {
  const SimulateWorld *world = meter->world;
  for (int c = 0; c < (int)world->load->classes.count; c++) {
    const SimulateClass *request = &world->load->classes.items[c];
    if (!world->waiting_count[c] || !would_be_enough(world, request))
      continue;
    while (simulate_world_next_waiting(world, c, &meter->seen[c]) != SIMULATE_NOBODY)
      meter->result->fragmented_jobs++;
  }
}

void simulate_meter_look(SimulateMeter *meter) {
  const SimulateWorld *world = meter->world;
  for (size_t i = 0; i < world->released.count; i++)
    look_at_gpu(meter, world->released.items[i]);
  for (size_t i = 0; i < world->started.count; i++) {
    const SimulateNode *node = &world->fleet->nodes.items[world->jobs[world->started.items[i]].node];
    for (int gpu = node->first_gpu; gpu < node->first_gpu + node->gpu_count; gpu++)
      look_at_gpu(meter, gpu);
  }
  look_at_waiting(meter);
  *array_push(&meter->result->samples) = (SimulateSample){
      .at_ms = world->now_ms, .used_memory = world->used_memory, .waiting = world->waiting_total};
}

/* ---- the end ---- */

static int compare_times(const void *a, const void *b) {
  int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
  return (left > right) - (left < right);
}

static void sum_up(int64_t *waits, size_t count, SimulateWaits *ret_waits) {
  *ret_waits = (SimulateWaits){0};
  if (!count)
    return;
  double sum = 0;
  qsort(waits, count, sizeof *waits, compare_times);
  for (size_t i = 0; i < count; i++)
    sum += (double)waits[i];
  *ret_waits = (SimulateWaits){.p50_ms = simulate_percentile(waits, count, 50),
                               .p95_ms = simulate_percentile(waits, count, 95),
                               .p99_ms = simulate_percentile(waits, count, 99),
                               .max_ms = waits[count - 1],
                               .mean_ms = sum / (double)count};
}

static bool has_begun(const SimulateProgress *progress) {
  return progress->state == SIMULATE_JOB_RUNNING || progress->state == SIMULATE_JOB_ENDED;
}

/* The waits of one profile's jobs; kind -1: of all. */
static void tally(const SimulateMeter *meter, int kind, int64_t *scratch, SimulateTally *ret_tally) {
  const SimulateLoad *load = meter->world->load;
  *ret_tally = (SimulateTally){0};
  for (size_t i = 0; i < load->jobs.count; i++) {
    const SimulateJob *job = &load->jobs.items[i];
    if (kind >= 0 && load->classes.items[job->class_].kind != kind)
      continue;
    ret_tally->jobs++;
    if (has_begun(&meter->world->jobs[i]))
      scratch[ret_tally->served++] = meter->world->jobs[i].start_ms - job->arrival_ms;
  }
  sum_up(scratch, (size_t)ret_tally->served, &ret_tally->waits);
}

void simulate_meter_finish(SimulateMeter *meter) {
  const SimulateWorld *world = meter->world;
  SimulateResult *result = meter->result;
  CLEANUP(cleanup_free) int64_t *scratch = mem_alloc((world->load->jobs.count + 1) * sizeof *scratch);
  for (int kind = 0; kind < world->load->kind_count; kind++)
    tally(meter, kind, scratch, &result->kinds[kind]);
  tally(meter, -1, scratch, &result->all);
  for (int i = 0; i < result->all.served; i++)
    *array_push(&result->waits) = scratch[i];
  for (size_t i = 0; i < world->load->jobs.count; i++) {
    result->gave_up += world->jobs[i].state == SIMULATE_JOB_GONE;
    result->never += world->jobs[i].state == SIMULATE_JOB_WAITING;
  }
  double window = result->window_ms > 0 ? (double)result->window_ms : 1;
  result->compute_use = meter->slices_ms / window / (double)world->fleet->slice_count;
  result->memory_use = meter->memory_ms / window / (double)world->fleet->memory_count;
  result->fragmentation = meter->waste_ms.unusable / window / (double)world->fleet->slot_count;
  result->gaps.scattered = meter->waste_ms.gaps.scattered / window / (double)world->fleet->gpus.count;
  result->gaps.stranded = meter->waste_ms.gaps.stranded / window / (double)world->fleet->gpus.count;
  result->creates = world->creates;
  result->destroys = world->destroys;
  result->repartitions = world->repartitions;
  result->end_ms = world->now_ms;
}
