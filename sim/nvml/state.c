/* SPDX-License-Identifier: Apache-2.0 */
/* The state file is text that a person can read and, between runs, edit:
 *
 *     facet-sim-nvml 1
 *     driver 550.163.01
 *     seed 1f0c3a5e77d2b946
 *     serial 4
 *     option linger-ms 40                        see options.h; only what differs from the usual
 *     gpu on on NVIDIA A100-SXM4-80GB            MIG mode now, and after a reset
 *       gi 1g.10gb start 6 serial 1              belongs to the gpu above
 *         ci 0 slices 1 start 0 mig 0 serial 2   belongs to the gi above
 *         ci 1 slices 1 start 1 mig 1 serial 3 processes 2
 *     gpu on on NVIDIA A30
 *       lost                                     fallen off the bus
 *     client 4711 gpu 0 gi 13 ci 0 memory 512 python3
 *     event 1 gpu 1 type 8 data 79 gi -1 ci -1   the newest ones
 *     end
 *
 * The last line tells a whole file from one that was cut. Every line is checked against the rules while it is
 * read, so that no file can bring the simulator into a state that its own calls could not reach. */
#include "sim/nvml/state.h"

#include "base/memory.h"
#include "sim/nvml/instance.h"
#include "sim/nvml/options.h"

#include <inttypes.h>
#include <string.h>

static const char *on_off(bool on) {
  return on ? "on" : "off";
}

/* Ends the line. */
static void format_busy(uint64_t busy_until, Text *text) {
  if (busy_until)
    text_format(text, " busy %" PRIu64, busy_until);
  text_append(text, "\n");
}

static void format_gpu(const SimGpu *gpu, Text *text) {
  text_format(text, "gpu %s %s %s\n", on_off(gpu->mig_on), on_off(gpu->mig_on_pending), gpu->product);
  if (gpu->lost)
    text_append(text, "  lost\n");
  if (gpu->compute_mode)
    text_format(text, "  compute-mode %u\n", gpu->compute_mode);
  for (int i = 0; i < gpu->gi_count; i++) {
    const SimGi *gi = &gpu->gis[i];
    text_format(text, "  gi %s start %u serial %u", sim_gi_profile(gpu, gi)->name, gi->start, gi->serial);
    format_busy(gi->busy_until, text);
    for (int k = 0; k < gi->ci_count; k++) {
      const SimCi *ci = &gi->cis[k];
      text_format(text, "    ci %u slices %u start %u mig %u serial %u", ci->id, ci->slices, ci->start,
                  ci->mig_index, ci->serial);
      if (ci->process_count)
        text_format(text, " processes %u", ci->process_count);
      format_busy(ci->busy_until, text);
    }
  }
}

void sim_state_format(const SimState *state, Text *text) {
  text_format(text, "facet-sim-nvml 1\ndriver %s\nseed %016" PRIx64 "\nserial %" PRIu32 "\n", state->driver,
              state->seed, state->last_serial);
  sim_options_format(&state->options, text);
  for (int i = 0; i < state->gpu_count; i++)
    format_gpu(&state->gpus[i], text);
  for (int i = 0; i < state->client_count; i++) {
    const SimClient *client = &state->clients[i];
    text_format(text, "client %u gpu %u gi %d ci %d memory %u %s\n", client->pid, client->gpu_index,
                client->gi_id, client->ci_id, client->memory_mib, client->name);
  }
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

/* What is written only where there is some: " processes N" (of a ci), " busy N". */
static bool parse_rest(const char *text, unsigned *ret_count, uint64_t *ret_busy_until) {
  int used = 0;
  if (ret_count && sscanf(text, " processes %u%n", ret_count, &used) == 1 && used > 0) {
    if (*ret_count == 0 || *ret_count > UINT8_MAX)
      return false;
    text += used;
    used = 0;
  }
  return *text == '\0' ||
         (sscanf(text, " busy %" SCNu64 "%n", ret_busy_until, &used) == 1 && whole(text, used));
}

static bool parse_gi(const char *line, SimState *state) {
  char name[MIG_PROFILE_NAME_SIZE];
  unsigned start, serial;
  int used = 0;
  uint64_t busy_until = 0;
  if (sscanf(line, " gi %23s start %u serial %u%n", name, &start, &serial, &used) != 3 ||
      !parse_rest(line + used, NULL, &busy_until))
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
  sim_gi_add(gpu, profile, (int)start, serial)->busy_until = busy_until;
  return true;
}

static bool mig_index_is_free(const SimGpu *gpu, unsigned mig_index) {
  for (int i = 0; i < gpu->gi_count; i++)
    for (int k = 0; k < gpu->gis[i].ci_count; k++)
      if (gpu->gis[i].cis[k].mig_index == mig_index)
        return false;
  return mig_index < sim_gpu_mig_device_max(gpu);
}

static bool parse_ci(const char *line, SimState *state) {
  unsigned id, slices, start, mig_index, serial, process_count = 0;
  uint64_t busy_until = 0;
  int used = 0;
  if (sscanf(line, " ci %u slices %u start %u mig %u serial %u%n", &id, &slices, &start, &mig_index, &serial,
             &used) != 5 ||
      !parse_rest(line + used, &process_count, &busy_until))
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
                                    .process_count = (uint8_t)process_count,
                                    .busy_until = busy_until};
  return true;
}

static bool parse_lost(const char *line, SimState *state) {
  if (strcmp(line, "lost") != 0 || state->gpu_count == 0)
    return false;
  state->gpus[state->gpu_count - 1].lost = true;
  return true;
}

static bool parse_compute_mode(const char *line, SimState *state) {
  unsigned mode;
  int used = 0;
  if (sscanf(line, "compute-mode %u%n", &mode, &used) != 1 || !whole(line, used) || mode == 0 ||
      mode > SIM_COMPUTE_MODE_MAX || state->gpu_count == 0)
    return false;
  state->gpus[state->gpu_count - 1].compute_mode = (uint8_t)mode;
  return true;
}

static bool parse_option(const char *line, SimState *state) {
  char name[32], value[SIM_ROOT_SIZE];
  int used = 0;
  Error err = {0};
  return sscanf(line, "option %31s %255s%n", name, value, &used) == 2 && whole(line, used) &&
         sim_options_set(&state->options, name, value, &err) == 0;
}

static bool parse_client(const char *line, SimState *state) {
  SimClient client = {0};
  unsigned gpu_index;
  int used = 0;
  if (sscanf(line, "client %" SCNu32 " gpu %u gi %" SCNd16 " ci %" SCNd16 " memory %" SCNu32 " %n",
             &client.pid, &gpu_index, &client.gi_id, &client.ci_id, &client.memory_mib, &used) != 5 ||
      used == 0 || gpu_index > UINT8_MAX || !sim_client_set_name(&client, line + used))
    return false;
  client.gpu_index = (uint8_t)gpu_index;
  Error err = {0};
  return sim_state_attach(state, &client, &err) == 0;
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
  if (string_has_prefix(word, "option "))
    return parse_option(word, state);
  if (string_has_prefix(word, "client "))
    return parse_client(word, state);
  if (string_has_prefix(word, "compute-mode "))
    return parse_compute_mode(word, state);
  if (string_has_prefix(word, "lost"))
    return parse_lost(word, state);
  if (string_has_prefix(word, "event "))
    return parse_event(word, state);
  return parse_ci(word, state);
}

void sim_state_copy(SimState *ret_copy, const SimState *state) {
  memcpy(ret_copy, state, offsetof(SimState, clients));
  memcpy(ret_copy->clients, state->clients, state->client_count * sizeof state->clients[0]);
  memcpy(ret_copy->events, state->events, state->event_count * sizeof state->events[0]);
  memcpy(ret_copy->gpus, state->gpus, state->gpu_count * sizeof state->gpus[0]);
}

int sim_state_parse(const char *text, SimState *ret_state, Error *err) {
  CLEANUP(cleanup_free) char *copy = mem_strdup(text);
  CLEANUP(cleanup_free) SimState *state = mem_alloc(sizeof *state);
  state->options = SIM_OPTIONS_USUAL;
  char *rest = copy;
  for (int number = 1; rest && *rest; number++) {
    char *line = strsep(&rest, "\n");
    if (strcmp(line, "end") == 0 && number > 4 && rest && *rest == '\0') {
      sim_state_copy(ret_state, state);
      return 0;
    }
    if (!parse_line(line, number, state))
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

static void forget_event(SimState *state, int at) {
  state->event_count--;
  memmove(&state->events[at], &state->events[at + 1],
          (size_t)(state->event_count - at) * sizeof state->events[0]);
}

void sim_state_post(SimState *state, SimEvent event) {
  for (int i = state->event_count; i-- > 0;)
    if (event.type == NVML_EVENT_MIG_CONFIG_CHANGE && state->events[i].type == event.type &&
        state->events[i].gpu_index == event.gpu_index)
      forget_event(state, i);
  if (state->event_count == SIM_EVENTS_MAX)
    forget_event(state, 0);
  event.serial = ++state->last_event;
  state->events[state->event_count++] = event;
}

void sim_state_reset(SimState *state, bool reboot) {
  state->client_count = 0;
  for (int i = 0; i < state->gpu_count; i++) {
    SimGpu *gpu = &state->gpus[i];
    gpu->gi_count = 0;
    gpu->lost = false;
    gpu->compute_mode = 0;
    /* Ampere keeps the mode in its InfoROM; later ones keep it in the driver, which a reboot unloads. */
    if (reboot && !sim_gpu_model(gpu)->mode_needs_reset)
      gpu->mig_on_pending = false;
    gpu->mig_on = gpu->mig_on_pending;
  }
}
