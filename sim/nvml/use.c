/* SPDX-License-Identifier: Apache-2.0 */
/* Who is on a GPU: clients are attached to a place, the place is IN_USE while they are there, and by
 * linger_ms a little longer, as with real drivers. */
#include "sim/nvml/instance.h"

#include <string.h>

static SimGi *find_gi(SimState *state, int gpu_index, int gi_id) {
  return gi_id < 0 ? NULL : sim_gi_find(&state->gpus[gpu_index], (unsigned)gi_id);
}

static bool place_exists(SimState *state, const SimClient *client) {
  if (client->gpu_index >= state->gpu_count)
    return false;
  if (client->gi_id < 0)
    return client->ci_id < 0;
  SimGi *gi = find_gi(state, client->gpu_index, client->gi_id);
  return gi && (client->ci_id < 0 || sim_ci_find(gi, (unsigned)client->ci_id));
}

static int find_client(const SimState *state, uint32_t pid) {
  for (int i = 0; i < state->client_count; i++)
    if (state->clients[i].pid == pid)
      return i;
  return -1;
}

bool sim_client_set_name(SimClient *client, const char *name) {
  size_t size = strlen(name);
  for (const char *c = name; *c; c++)
    if ((unsigned char)*c < ' ')
      return false;
  if (size == 0 || size >= sizeof client->name || name[0] == ' ')
    return false;
  memcpy(client->name, name, size + 1);
  return true;
}

bool sim_client_set_place(SimClient *client, const char *place) {
  unsigned gpu, gi = 0, ci = 0;
  int one = 0, two = 0, three = 0;
  int count = sscanf(place, "%3u%n/%3u%n/%3u%n", &gpu, &one, &gi, &two, &ci, &three);
  int used = count == 3 ? three : count == 2 ? two : one;
  if (count < 1 || place[used] || gpu >= SIM_GPUS_MAX)
    return false;
  client->gpu_index = (uint8_t)gpu;
  client->gi_id = (int16_t)(count > 1 ? (int)gi : -1);
  client->ci_id = (int16_t)(count > 2 ? (int)ci : -1);
  return true;
}

void sim_client_format_place(const SimClient *client, char ret_place[SIM_PLACE_SIZE]) {
  int used = snprintf(ret_place, SIM_PLACE_SIZE, "%u", client->gpu_index);
  if (client->gi_id >= 0)
    used += snprintf(ret_place + used, SIM_PLACE_SIZE - (size_t)used, "/%u", client->gi_id & 0xffu);
  if (client->gi_id >= 0 && client->ci_id >= 0)
    snprintf(ret_place + used, SIM_PLACE_SIZE - (size_t)used, "/%u", client->ci_id & 0xffu);
}

int sim_state_attach(SimState *state, const SimClient *client, Error *err) {
  char place[SIM_PLACE_SIZE];
  sim_client_format_place(client, place);
  if (!place_exists(state, client))
    return error_set(err, ERROR_NOT_FOUND, "simulated GPUs: there is no %s for process %u to be on", place,
                     client->pid);
  if (find_client(state, client->pid) >= 0)
    return error_set(err, ERROR_CONFLICT, "simulated GPUs: process %u is attached already; detach it first",
                     client->pid);
  if (state->client_count == SIM_CLIENTS_MAX)
    return error_set(err, ERROR_LIMIT, "simulated GPUs: a machine has at most %d processes", SIM_CLIENTS_MAX);
  state->clients[state->client_count++] = *client;
  return 0;
}

int sim_state_detach(SimState *state, uint32_t pid, uint64_t now_ms, Error *err) {
  int at = find_client(state, pid);
  if (at < 0)
    return error_set(err, ERROR_NOT_FOUND, "simulated GPUs: no process %u is attached", pid);
  const SimClient client = state->clients[at];
  state->client_count--;
  memmove(&state->clients[at], &state->clients[at + 1],
          (size_t)(state->client_count - at) * sizeof state->clients[0]);
  SimGi *gi = find_gi(state, client.gpu_index, client.gi_id);
  SimCi *ci = gi && client.ci_id >= 0 ? sim_ci_find(gi, (unsigned)client.ci_id) : NULL;
  if (state->options.linger_ms && ci)
    ci->busy_until = now_ms + state->options.linger_ms;
  else if (state->options.linger_ms && gi)
    gi->busy_until = now_ms + state->options.linger_ms;
  return 0;
}

bool sim_state_is_used(const SimState *state, int gpu_index, int gi_id, int ci_id) {
  for (int i = 0; i < state->client_count; i++) {
    const SimClient *client = &state->clients[i];
    if (client->gpu_index == gpu_index && (gi_id < 0 || client->gi_id == gi_id) &&
        (ci_id < 0 || client->ci_id == ci_id))
      return true;
  }
  return false;
}
