/* SPDX-License-Identifier: Apache-2.0 */
/* The state file is text that a person can read and, between runs, edit:
 *
 *     facet-sim-nvml 1
 *     driver 550.163.01
 *     seed 1f0c3a5e77d2b946
 *     serial 4
 *     gpu on on NVIDIA A100-SXM4-80GB            MIG mode now, and after a reset
 *       gi 1g.10gb start 6 serial 1              belongs to the gpu above
 *         ci 0 slices 1 start 0 mig 0 serial 2   belongs to the gi above
 *         ci 1 slices 1 start 1 mig 1 serial 3 processes 2
 *     gpu on on NVIDIA A30
 *       lost                                     fallen off the bus
 *     event 1 gpu 1 type 8 data 79 gi -1 ci -1   the newest ones, behind the GPUs
 *     end
 *
 * The last line tells a whole file from one that was cut. Every line is checked against the rules while it is
 * read, so that no file can bring the simulator into a state that its own calls could not reach. */
#include "sim/nvml/state.h"

#include "base/memory.h"
#include "sim/nvml/instance.h"

#include <inttypes.h>
#include <string.h>

static const char *on_off(bool on) {
  return on ? "on" : "off";
}

static void format_gpu(const SimGpu *gpu, Text *text) {
  text_format(text, "gpu %s %s %s\n", on_off(gpu->mig_on), on_off(gpu->mig_on_pending), gpu->product);
  if (gpu->lost)
    text_append(text, "  lost\n");
  for (int i = 0; i < gpu->gi_count; i++) {
    const SimGi *gi = &gpu->gis[i];
    text_format(text, "  gi %s start %u serial %u\n", sim_gi_profile(gpu, gi)->name, gi->start, gi->serial);
    for (int k = 0; k < gi->ci_count; k++) {
      const SimCi *ci = &gi->cis[k];
      text_format(text, "    ci %u slices %u start %u mig %u serial %u", ci->id, ci->slices, ci->start,
                  ci->mig_index, ci->serial);
      if (ci->process_count)
        text_format(text, " processes %u", ci->process_count);
      text_append(text, "\n");
    }
  }
}

void sim_state_format(const SimState *state, Text *text) {
  text_format(text, "facet-sim-nvml 1\ndriver %s\nseed %016" PRIx64 "\nserial %" PRIu32 "\n", state->driver,
              state->seed, state->last_serial);
  for (int i = 0; i < state->gpu_count; i++)
    format_gpu(&state->gpus[i], text);
  for (int i = 0; i < state->event_count; i++) {
    const SimEvent *event = &state->events[i];
    text_format(text, "event %u gpu %u type %" PRIu64 " data %" PRIu64 " gi %d ci %d\n", event->serial,
                event->gpu_index, event->type, event->data, event->gi_id, event->ci_id);
  }
  text_append(text, "end\n");
}

/* True where the format matched the whole line; each format ends in %n for that. */
static bool whole(const char *line, int used) {
  return used > 0 && line[used] == '\0';
}

static bool parse_on_off(const char *word, bool *ret_on) {
  *ret_on = strcmp(word, "on") == 0;
  return *ret_on || strcmp(word, "off") == 0;
}

static bool set_product(SimGpu *gpu, const char *product) {
  gpu->row = mig_model_find(product);
  if (!gpu->row || !gpu->row->placements_known)
    return false;
  for (int i = 0; i < MIG_PRODUCT_NAMES_MAX && gpu->row->product_names[i]; i++)
    if (strcmp(gpu->row->product_names[i], product) == 0)
      gpu->product = gpu->row->product_names[i];
  return gpu->product != NULL;
}

static bool parse_gpu(const char *line, SimState *state) {
  char now[4], pending[4];
  int used = 0;
  if (sscanf(line, "gpu %3s %3s %n", now, pending, &used) != 2 || used == 0)
    return false;
  if (state->gpu_count == SIM_GPUS_MAX)
    return false;
  SimGpu gpu = {0};
  if (!parse_on_off(now, &gpu.mig_on) || !parse_on_off(pending, &gpu.mig_on_pending) ||
      !set_product(&gpu, line + used))
    return false;
  state->gpus[state->gpu_count++] = gpu;
  return true;
}

static bool parse_gi(const char *line, SimState *state) {
  char name[MIG_PROFILE_NAME_SIZE];
  unsigned start, serial;
  int used = 0;
  if (sscanf(line, " gi %23s start %u serial %u%n", name, &start, &serial, &used) != 3 || !whole(line, used))
    return false;
  if (state->gpu_count == 0 || start >= MIG_SLOTS_MAX || serial > state->last_serial)
    return false;
  SimGpu *gpu = &state->gpus[state->gpu_count - 1];
  int profile = mig_model_find_profile(sim_gpu_model(gpu), name);
  int chosen;
  if (!gpu->mig_on || profile < 0 || sim_gi_choose(gpu, profile, (int)start, &chosen) != NVML_SUCCESS)
    return false;
  /* Files list instances by start; a higher one must not follow, or compute instances would change parent. */
  if (gpu->gi_count > 0 && gpu->gis[gpu->gi_count - 1].start > start)
    return false;
  sim_gi_add(gpu, profile, (int)start, serial);
  return true;
}

static bool mig_index_is_free(const SimGpu *gpu, unsigned mig_index) {
  for (int i = 0; i < gpu->gi_count; i++)
    for (int k = 0; k < gpu->gis[i].ci_count; k++)
      if (gpu->gis[i].cis[k].mig_index == mig_index)
        return false;
  return mig_index < sim_gpu_mig_device_max(gpu);
}

/* Written only where there are some. */
static bool parse_processes(const char *text, unsigned *ret_count) {
  int used = 0;
  return sscanf(text, " processes %u%n", ret_count, &used) == 1 && whole(text, used) && *ret_count > 0 &&
         *ret_count <= UINT8_MAX;
}

static bool parse_ci(const char *line, SimState *state) {
  unsigned id, slices, start, mig_index, serial, process_count = 0;
  int used = 0;
  if (sscanf(line, " ci %u slices %u start %u mig %u serial %u%n", &id, &slices, &start, &mig_index, &serial,
             &used) != 5 ||
      (line[used] && !parse_processes(line + used, &process_count)))
    return false;
  SimGpu *gpu = state->gpu_count > 0 ? &state->gpus[state->gpu_count - 1] : NULL;
  if (!gpu || gpu->gi_count == 0 || id >= SIM_CIS_MAX || slices > SIM_CIS_MAX || start >= SIM_CIS_MAX ||
      serial > state->last_serial)
    return false;
  SimGi *gi = &gpu->gis[gpu->gi_count - 1];
  const SimComputeProfile *profile = sim_ci_profile_of(sim_gi_profile(gpu, gi)->slice_count, (int)slices);
  int chosen;
  if (!profile || sim_ci_choose(gi, profile, (int)start, &chosen) != NVML_SUCCESS ||
      !mig_index_is_free(gpu, mig_index) || (gi->ci_count > 0 && gi->cis[gi->ci_count - 1].id >= id))
    return false;
  gi->cis[gi->ci_count++] = (SimCi){.id = (uint8_t)id,
                                    .slices = (uint8_t)slices,
                                    .start = (uint8_t)start,
                                    .mig_index = (uint8_t)mig_index,
                                    .serial = serial,
                                    .process_count = (uint8_t)process_count};
  return true;
}

static bool parse_lost(const char *line, SimState *state) {
  if (strcmp(line, "lost") != 0 || state->gpu_count == 0)
    return false;
  state->gpus[state->gpu_count - 1].lost = true;
  return true;
}

static bool parse_event(const char *line, SimState *state) {
  SimEvent event;
  unsigned gpu_index;
  int used = 0;
  if (sscanf(line,
             "event %" SCNu32 " gpu %u type %" SCNu64 " data %" SCNu64 " gi %" SCNd16 " ci %" SCNd16 "%n",
             &event.serial, &gpu_index, &event.type, &event.data, &event.gi_id, &event.ci_id, &used) != 6 ||
      !whole(line, used))
    return false;
  if (gpu_index >= state->gpu_count || state->event_count == SIM_EVENTS_MAX ||
      event.serial <= state->last_event)
    return false;
  event.gpu_index = (uint8_t)gpu_index;
  state->last_event = event.serial;
  state->events[state->event_count++] = event;
  return true;
}

/* The fixed lines at the top, in their order. */
static bool parse_head(const char *line, int number, SimState *state) {
  int used = 0;
  switch (number) {
  case 1:
    return strcmp(line, "facet-sim-nvml 1") == 0;
  case 2:
    return sscanf(line, "driver %79s%n", state->driver, &used) == 1 && whole(line, used);
  case 3:
    return sscanf(line, "seed %16" SCNx64 "%n", &state->seed, &used) == 1 && whole(line, used);
  default:
    return sscanf(line, "serial %" SCNu32 "%n", &state->last_serial, &used) == 1 && whole(line, used);
  }
}

static bool parse_line(const char *line, int number, SimState *state) {
  if (number <= 4)
    return parse_head(line, number, state);
  const char *word = line + strspn(line, " ");
  if (string_has_prefix(word, "gpu "))
    return parse_gpu(word, state);
  if (string_has_prefix(word, "gi "))
    return parse_gi(word, state);
  if (string_has_prefix(word, "lost"))
    return parse_lost(word, state);
  if (string_has_prefix(word, "event "))
    return parse_event(word, state);
  return parse_ci(word, state);
}

int sim_state_parse(const char *text, SimState *ret_state, Error *err) {
  CLEANUP(cleanup_free) char *copy = mem_strdup(text);
  SimState state = {0};
  char *rest = copy;
  for (int number = 1; rest && *rest; number++) {
    char *line = strsep(&rest, "\n");
    if (strcmp(line, "end") == 0 && number > 4 && rest && *rest == '\0') {
      *ret_state = state;
      return 0;
    }
    if (!parse_line(line, number, &state))
      return error_set(err, ERROR_PROTOCOL, "line %d, \"%.60s\", makes no sense there", number, line);
  }
  return error_set(err, ERROR_PROTOCOL, "the last line, \"end\", is missing: the file was cut");
}

static int check_compute(const SimGpu *gpu, const SimGi *gi, uint32_t *mig_indexes, Error *err) {
  uint32_t taken = 0;
  int gi_slices = sim_gi_profile(gpu, gi)->slice_count;
  for (int k = 0; k < gi->ci_count; k++) {
    const SimCi *ci = &gi->cis[k];
    const SimComputeProfile *profile = sim_ci_profile_of(gi_slices, ci->slices);
    uint32_t mask = sim_ci_mask(ci->start, ci->slices);
    if (!profile || !(profile->starts >> ci->start & 1) || (taken & mask))
      return error_set(err, ERROR_INVALID, "compute instance %u lies where it cannot", ci->id);
    if (*mig_indexes >> ci->mig_index & 1)
      return error_set(err, ERROR_INVALID, "two MIG devices have the index %u", ci->mig_index);
    taken |= mask;
    *mig_indexes |= 1u << ci->mig_index;
  }
  return 0;
}

static int check_gpu(const SimGpu *gpu, Error *err) {
  if (!gpu->mig_on && gpu->gi_count > 0)
    return error_set(err, ERROR_INVALID, "instances exist although MIG mode is off");
  MigLayout layout = sim_gpu_layout(gpu);
  int result = mig_layout_check(&layout, err);
  if (result < 0)
    return result;
  uint32_t mig_indexes = 0;
  for (int i = 0; i < gpu->gi_count; i++) {
    result = check_compute(gpu, &gpu->gis[i], &mig_indexes, err);
    if (result < 0)
      return result;
  }
  return 0;
}

int sim_state_check(const SimState *state, Error *err) {
  for (int i = 0; i < state->gpu_count; i++)
    if (check_gpu(&state->gpus[i], err) < 0)
      return error_prefix(err, "simulated GPU %d", i);
  return 0;
}

void sim_state_post(SimState *state, SimEvent event) {
  if (state->event_count == SIM_EVENTS_MAX)
    memmove(&state->events[0], &state->events[1], --state->event_count * sizeof state->events[0]);
  event.serial = ++state->last_event;
  state->events[state->event_count++] = event;
}

void sim_state_reset(SimState *state, bool reboot) {
  for (int i = 0; i < state->gpu_count; i++) {
    SimGpu *gpu = &state->gpus[i];
    gpu->gi_count = 0;
    gpu->lost = false;
    /* Ampere keeps the mode in its InfoROM; later ones keep it in the driver, which a reboot unloads. */
    if (reboot && !sim_gpu_model(gpu)->mode_needs_reset)
      gpu->mig_on_pending = false;
    gpu->mig_on = gpu->mig_on_pending;
  }
}
