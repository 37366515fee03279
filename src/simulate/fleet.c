/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/fleet.h"

#include "base/text.h"
#include "simulate/migbench.h"

enum { NAME_SIZE = 80, FACTORS_MAX = 2 };

/* ---- models ---- */

static int refuse_model(const char *name, Error *err) {
  CLEANUP(cleanup_free) char *known = mig_model_format_known();
  return error_set(err, ERROR_INVALID, "--gpus: there is no GPU \"%.80s\"; known are %s", name, known);
}

const MigModelRow *simulate_fleet_find_model(const char *name, Error *err) {
  char product[NAME_SIZE + 8];
  snprintf(product, sizeof product, "NVIDIA-%s", name);
  const MigModelRow *row = mig_model_find(name);
  if (!row)
    row = mig_model_find(product);
  if (!row)
    row = mig_model_find_short(name);
  if (row && row->placements_known)
    return row;
  (void)refuse_model(name, err);
  return NULL;
}

int simulate_model_slices(const MigModel *model) {
  int slices = 0;
  for (int i = 0; i < model->profile_count; i++)
    if (model->profiles[i].slice_count > slices)
      slices = model->profiles[i].slice_count;
  return slices;
}

/* ---- building ---- */

static int model_index(SimulateFleet *fleet, const MigModelRow *row) {
  for (int i = 0; i < fleet->model_count; i++)
    if (fleet->models[i] == row)
      return i;
  assert(fleet->model_count < SIMULATE_MODELS_MAX);
  fleet->models[fleet->model_count] = row;
  return fleet->model_count++;
}

static void clear_gpu(SimulateGpu *gpu, const MigModel *model) {
  mig_layout_init(&gpu->layout, model);
  gpu->used_starts = 0;
  for (int i = 0; i < MIG_SLOTS_MAX; i++) {
    gpu->jobs[i] = SIMULATE_NOBODY;
    gpu->ready_ms[i] = 0;
  }
  gpu->driver_free_ms = 0;
  gpu->changed_ms = -1;
}

void simulate_fleet_add(SimulateFleet *fleet, const MigModelRow *model, int node_count, int gpu_count) {
  assert(node_count >= 0 && gpu_count > 0 && gpu_count <= SIMULATE_NODE_GPUS_MAX);
  int index = model_index(fleet, model);
  for (int n = 0; n < node_count; n++) {
    *array_push(&fleet->nodes) =
        (SimulateNode){.first_gpu = (int)fleet->gpus.count, .gpu_count = gpu_count, .changed = true};
    for (int g = 0; g < gpu_count; g++) {
      SimulateGpu *gpu = array_push(&fleet->gpus);
      gpu->node = (int)fleet->nodes.count - 1;
      gpu->model = index;
      clear_gpu(gpu, &model->model);
    }
  }
  int64_t added = (int64_t)node_count * gpu_count;
  fleet->slot_count += added * model->model.slot_count;
  fleet->memory_count += added * simulate_memory_of_model(&model->model);
  fleet->slice_count += added * simulate_model_slices(&model->model);
  assert(fleet->nodes.count <= SIMULATE_NODES_MAX && fleet->gpus.count <= SIMULATE_GPUS_MAX);
}

void simulate_fleet_deinit(SimulateFleet *fleet) {
  array_deinit(&fleet->gpus);
  array_deinit(&fleet->nodes);
  *fleet = (SimulateFleet){0};
}

void simulate_fleet_reset(SimulateFleet *fleet) {
  for (size_t i = 0; i < fleet->gpus.count; i++)
    clear_gpu(&fleet->gpus.items[i], fleet->gpus.items[i].layout.model);
  for (size_t i = 0; i < fleet->nodes.count; i++)
    fleet->nodes.items[i].changed = true;
}

/* ---- parsing ---- */

static int refuse_text(const char *text, Error *err) {
  return error_set(
      err, ERROR_INVALID,
      "--gpus wants GPUs per node and their model, such as 4xA100-80GB, or 2x4xH100-80GB,A30 for "
      "two nodes with four and one with one, not \"%.200s\"",
      text);
}

/* One item "2x4xNAME": its leading factors, missing ones as 1, and where the name begins. */
static bool parse_factors(const char *item, long factors[FACTORS_MAX], const char **ret_name) {
  int count = 0;
  for (char *end; count < FACTORS_MAX; count++, item = end + 1) {
    factors[count] = strtol(item, &end, 10);
    if (end == item || *end != 'x' || *item < '0' || *item > '9')
      break;
  }
  *ret_name = item;
  if (count == 2)
    return true;
  factors[1] = count ? factors[0] : 1;
  factors[0] = 1;
  return true;
}

static int add_item(SimulateFleet *fleet, const char *item, const char *whole, Error *err) {
  long factors[FACTORS_MAX];
  const char *name;
  if (!parse_factors(item, factors, &name) || !*name)
    return refuse_text(whole, err);
  const MigModelRow *model = simulate_fleet_find_model(name, err);
  if (!model)
    return -ERROR_INVALID;
  if (factors[1] < 1 || factors[1] > SIMULATE_NODE_GPUS_MAX)
    return error_set(err, ERROR_INVALID, "--gpus: a node has 1 to %d GPUs, not %ld (%s)",
                     SIMULATE_NODE_GPUS_MAX, factors[1], item);
  long nodes = factors[0];
  bool is_new = true;
  for (int i = 0; i < fleet->model_count; i++)
    is_new &= fleet->models[i] != model;
  if (nodes < 1 || nodes > SIMULATE_NODES_MAX - (long)fleet->nodes.count ||
      nodes * factors[1] > SIMULATE_GPUS_MAX - (long)fleet->gpus.count)
    return error_set(err, ERROR_LIMIT, "--gpus: a fleet has 1 to %d nodes and at most %d GPUs (%s)",
                     SIMULATE_NODES_MAX, SIMULATE_GPUS_MAX, item);
  if (is_new && fleet->model_count == SIMULATE_MODELS_MAX)
    return error_set(err, ERROR_LIMIT, "--gpus: a fleet has at most %d different models",
                     SIMULATE_MODELS_MAX);
  simulate_fleet_add(fleet, model, (int)nodes, (int)factors[1]);
  return 0;
}

int simulate_fleet_parse(const char *text, SimulateFleet *ret_fleet, Error *err) {
  CLEANUP(simulate_fleet_deinit) SimulateFleet fleet = {0};
  for (const char *rest = text; *rest;) {
    char item[NAME_SIZE];
    size_t size = strcspn(rest, ",");
    if (size == 0 || size >= sizeof item)
      return refuse_text(text, err);
    snprintf(item, sizeof item, "%.*s", (int)size, rest);
    int result = add_item(&fleet, item, text, err);
    if (result < 0)
      return result;
    rest += size + (rest[size] == ',');
  }
  if (!fleet.gpus.count)
    return refuse_text(text, err);
  *ret_fleet = fleet;
  fleet = (SimulateFleet){0};
  return 0;
}

/* ---- one GPU ---- */

uint32_t simulate_gpu_free_starts(const SimulateGpu *gpu) {
  uint32_t starts = 0;
  for (int i = 0; i < gpu->layout.count; i++)
    starts |= UINT32_C(1) << gpu->layout.instances[i].start;
  return starts & ~gpu->used_starts;
}

uint32_t simulate_gpu_used_mask(const SimulateGpu *gpu) {
  uint32_t mask = 0;
  for (int i = 0; i < gpu->layout.count; i++) {
    const MigInstance *instance = &gpu->layout.instances[i];
    if (gpu->used_starts >> instance->start & 1)
      mask |= mig_placement_mask(gpu->layout.model, instance->profile, instance->start);
  }
  return mask;
}

int simulate_gpu_memory_left(const SimulateGpu *gpu) {
  int left = simulate_memory_of_model(gpu->layout.model);
  for (int i = 0; i < gpu->layout.count; i++)
    if (gpu->used_starts >> gpu->layout.instances[i].start & 1)
      left -= simulate_memory_of_profile(gpu->layout.model, gpu->layout.instances[i].profile);
  return left;
}

int simulate_gpu_check(const SimulateGpu *gpu, Error *err) {
  int result = mig_layout_check(&gpu->layout, err);
  if (result < 0)
    return result;
  if (simulate_memory_left(&gpu->layout) < 0)
    return error_set(err, ERROR_INVALID, "its slices have more memory than it has");
  for (int start = 0; start < MIG_SLOTS_MAX; start++) {
    bool used = gpu->used_starts >> start & 1;
    if (used != (gpu->jobs[start] != SIMULATE_NOBODY))
      return error_set(err, ERROR_INVALID, "slot %d: it is not clear whether a job uses it", start);
    if (used && !mig_layout_find(&gpu->layout, start))
      return error_set(err, ERROR_INVALID, "slot %d: job %d uses a slice that does not exist", start,
                       gpu->jobs[start]);
  }
  return 0;
}
