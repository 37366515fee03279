/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to a machine from outside of NVML: resets, accidents, processes that come and go, faults
 * planned. Each is one change of its state. */
#include "sim/nvml/call.h"
#include "sim/nvml/fault_file.h"
#include "sim/nvml/instance.h"
#include "sim/nvml/object.h"
#include "sim/nvml/options.h"

#include <string.h>

int sim_nvml_reset(SimNvml *nvml, bool reboot, Error *err) {
  CLEANUP(sim_change_end) SimChange change = {0};
  int result = sim_change_begin(&change, &nvml->store, err);
  if (result < 0)
    return result;
  sim_state_reset(&change.state, reboot);
  return sim_change_commit(&change, err);
}

int sim_nvml_add_fault(SimNvml *nvml, const char *text, Error *err) {
  SimFault fault;
  int result = sim_fault_parse(text, &fault, err);
  if (result < 0)
    return result;
  if (nvml->store.folder)
    return sim_fault_file_add(nvml->store.folder, &fault, err);
  pthread_mutex_lock(&nvml->faults_mutex);
  result = sim_faults_add(&nvml->faults, &fault, err);
  pthread_mutex_unlock(&nvml->faults_mutex);
  return result;
}

int sim_nvml_clear_faults(SimNvml *nvml, Error *err) {
  pthread_mutex_lock(&nvml->faults_mutex);
  nvml->faults = (SimFaults){0};
  pthread_mutex_unlock(&nvml->faults_mutex);
  return nvml->store.folder ? sim_fault_file_clear(nvml->store.folder, err) : 0;
}

/* Something happens to a GPU from outside. */
static int strike(SimNvml *nvml, unsigned gpu_index, bool lose, SimEvent event, Error *err) {
  CLEANUP(sim_change_end) SimChange change = {0};
  int result = sim_change_begin(&change, &nvml->store, err);
  if (result < 0)
    return result;
  if (gpu_index >= change.state.gpu_count)
    return error_set(err, ERROR_NOT_FOUND, "simulated GPUs: there is no GPU %u; the machine has %u",
                     gpu_index, change.state.gpu_count);
  event.gpu_index = (uint8_t)gpu_index;
  event.type = NVML_EVENT_XID;
  sim_state_post(&change.state, event);
  if (lose)
    change.state.gpus[gpu_index].lost = true;
  return sim_change_commit(&change, err);
}

int sim_nvml_post_xid(SimNvml *nvml, unsigned gpu_index, uint64_t xid, int gi_id, int ci_id, Error *err) {
  SimEvent event = {.data = xid, .gi_id = (int16_t)gi_id, .ci_id = (int16_t)ci_id};
  return strike(nvml, gpu_index, false, event, err);
}

int sim_nvml_lose_gpu(SimNvml *nvml, unsigned gpu_index, Error *err) {
  return strike(nvml, gpu_index, true, (SimEvent){.data = SIM_XID_LOST, .gi_id = -1, .ci_id = -1}, err);
}

static SimCi *find_mig(SimState *state, const char *uuid) {
  for (int g = 0; g < state->gpu_count; g++)
    for (int i = 0; i < state->gpus[g].gi_count; i++)
      for (int k = 0; k < state->gpus[g].gis[i].ci_count; k++) {
        SimGi *gi = &state->gpus[g].gis[i];
        char found[NVML_UUID_SIZE];
        sim_uuid_mig(state, g, gi, &gi->cis[k], found);
        if (strcmp(found, uuid) == 0)
          return &gi->cis[k];
      }
  return NULL;
}

int sim_nvml_set_processes(SimNvml *nvml, const char *mig_uuid, uint8_t count, Error *err) {
  CLEANUP(sim_change_end) SimChange change = {0};
  int result = sim_change_begin(&change, &nvml->store, err);
  if (result < 0)
    return result;
  SimCi *ci = find_mig(&change.state, mig_uuid);
  if (!ci)
    return error_set(err, ERROR_NOT_FOUND, "simulated GPUs: there is no MIG device %.80s", mig_uuid);
  ci->process_count = count;
  return sim_change_commit(&change, err);
}

int sim_nvml_attach(SimNvml *nvml, const SimClient *client, Error *err) {
  CLEANUP(sim_change_end) SimChange change = {0};
  int result = sim_change_begin(&change, &nvml->store, err);
  if (result == 0)
    result = sim_state_attach(&change.state, client, err);
  return result < 0 ? result : sim_change_commit(&change, err);
}

int sim_nvml_detach(SimNvml *nvml, uint32_t pid, Error *err) {
  CLEANUP(sim_change_end) SimChange change = {0};
  int result = sim_change_begin(&change, &nvml->store, err);
  if (result == 0)
    result = sim_state_detach(&change.state, pid, sim_call_now_ms(), err);
  return result < 0 ? result : sim_change_commit(&change, err);
}

int sim_nvml_set_option(SimNvml *nvml, const char *name, const char *value, Error *err) {
  CLEANUP(sim_change_end) SimChange change = {0};
  int result = sim_change_begin(&change, &nvml->store, err);
  if (result == 0)
    result = sim_options_set(&change.state.options, name, value, err);
  return result < 0 ? result : sim_change_commit(&change, err);
}

/* Whether the UUID is that of the GPU or of a MIG device of it. */
static bool find_uuid(const SimState *state, int gpu_index, const char *uuid, SimClient *client) {
  const SimGpu *gpu = &state->gpus[gpu_index];
  char found[NVML_UUID_SIZE];
  client->gpu_index = (uint8_t)gpu_index;
  client->gi_id = client->ci_id = -1;
  sim_uuid_gpu(state, gpu_index, found);
  if (strcmp(found, uuid) == 0)
    return true;
  for (int i = 0; i < gpu->gi_count; i++)
    for (int k = 0; k < gpu->gis[i].ci_count; k++) {
      const SimGi *gi = &gpu->gis[i];
      sim_uuid_mig(state, gpu_index, gi, &gi->cis[k], found);
      client->gi_id = (int16_t)sim_gi_id(sim_gpu_model(gpu), gi->profile, gi->start);
      client->ci_id = gi->cis[k].id;
      if (strcmp(found, uuid) == 0)
        return true;
    }
  return false;
}

int sim_nvml_find_place(SimNvml *nvml, const char *place, SimClient *client, Error *err) {
  SimState state;
  int result = sim_nvml_load(nvml, &state, err);
  if (result < 0)
    return result;
  for (int i = 0; i < state.gpu_count; i++)
    if (find_uuid(&state, i, place, client))
      return 0;
  if (!sim_client_set_place(client, place))
    return error_set(
        err, ERROR_INVALID,
        "\"%.80s\" is no place: give GPU, GPU/GI, GPU/GI/CI (0/13/0) or the UUID of one that exists", place);
  return 0;
}
