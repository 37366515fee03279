/* SPDX-License-Identifier: Apache-2.0 */
/* NVML: the processes on a GPU or MIG device. Nothing really runs here; who is to be seen is told from
 * outside, by name (sim_nvml_attach) or only as a number of processes (sim_nvml_set_processes). */
#include "sim/nvml/abi.h"
#include "sim/nvml/call.h"
#include "sim/nvml/instance.h"

#include <stdio.h>

enum { PID_FIRST = 100000, MEMORY_MIB = 256 };

static const unsigned long long mib_bytes = 1 << 20;

/* A list that fills at most `room` of its caller's buffer and counts on. */
typedef struct List {
  void *infos;
  bool is_v1;
  unsigned room, total;
} List;

static void add(List *list, unsigned pid, unsigned memory_mib, unsigned gi_id, unsigned ci_id) {
  if (list->total < list->room && list->is_v1)
    ((NvmlProcessInfoV1 *)list->infos)[list->total] =
        (NvmlProcessInfoV1){.pid = pid, .used_gpu_memory = memory_mib * mib_bytes};
  else if (list->total < list->room)
    ((NvmlProcessInfo *)list->infos)[list->total] =
        (NvmlProcessInfo){.pid = pid,
                          .used_gpu_memory = memory_mib * mib_bytes,
                          .gpu_instance_id = gi_id,
                          .compute_instance_id = ci_id};
  list->total++;
}

static unsigned gi_id_of(const SimGpu *gpu, const SimGi *gi) {
  return sim_gi_id(sim_gpu_model(gpu), gi->profile, gi->start);
}

static void add_nameless(const SimPlace *place, List *list) {
  const SimGpu *gpu = place->gpu;
  for (int i = 0; i < gpu->gi_count; i++)
    for (int c = 0; c < gpu->gis[i].ci_count; c++) {
      const SimCi *ci = &gpu->gis[i].cis[c];
      for (unsigned k = 0; (place->kind == SIM_HANDLE_GPU || place->ci == ci) && k < ci->process_count; k++)
        add(list, PID_FIRST + ci->serial * UINT8_MAX + k, MEMORY_MIB, gi_id_of(gpu, &gpu->gis[i]), ci->id);
    }
}

static void add_clients(const SimState *state, const SimPlace *place, List *list) {
  for (int i = 0; i < state->client_count; i++) {
    const SimClient *client = &state->clients[i];
    bool is_here = client->gpu_index == place->gpu_index &&
                   (place->kind == SIM_HANDLE_GPU || (client->gi_id == (int)gi_id_of(place->gpu, place->gi) &&
                                                      client->ci_id == place->ci->id));
    if (is_here && client->memory_mib > 0)
      add(list, client->pid, client->memory_mib,
          client->gi_id < 0 ? NVML_NO_INSTANCE : (unsigned)client->gi_id,
          client->ci_id < 0 ? NVML_NO_INSTANCE : (unsigned)client->ci_id);
  }
}

/* compute false: a list of what nobody does here, drawing and MPS. */
static NvmlReturn list_processes(const char *function, NvmlDevice device, unsigned *count, void *infos,
                                 bool is_v1, bool compute) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, function, device, SIM_DEVICES);
  if (result != NVML_SUCCESS)
    return result;
  if (!count || (*count > 0 && !infos))
    return NVML_INVALID_ARGUMENT;
  List list = {.infos = infos, .is_v1 = is_v1, .room = *count};
  if (compute) {
    add_nameless(&view.place, &list);
    add_clients(&view.state, &view.place, &list);
  }
  *count = list.total;
  return list.total > list.room ? NVML_INSUFFICIENT_SIZE : NVML_SUCCESS;
}

NvmlReturn nvmlDeviceGetComputeRunningProcesses_v3(NvmlDevice device, unsigned *count,
                                                   NvmlProcessInfo *infos) {
  return list_processes(__func__, device, count, infos, false, true);
}

NvmlReturn nvmlDeviceGetComputeRunningProcesses_v2(NvmlDevice device, unsigned *count,
                                                   NvmlProcessInfo *infos) {
  return list_processes(__func__, device, count, infos, false, true);
}

NvmlReturn nvmlDeviceGetComputeRunningProcesses(NvmlDevice device, unsigned *count,
                                                NvmlProcessInfoV1 *infos) {
  return list_processes(__func__, device, count, infos, true, true);
}

NvmlReturn nvmlDeviceGetGraphicsRunningProcesses_v3(NvmlDevice device, unsigned *count,
                                                    NvmlProcessInfo *infos) {
  return list_processes(__func__, device, count, infos, false, false);
}

NvmlReturn nvmlDeviceGetGraphicsRunningProcesses_v2(NvmlDevice device, unsigned *count,
                                                    NvmlProcessInfo *infos) {
  return list_processes(__func__, device, count, infos, false, false);
}

NvmlReturn nvmlDeviceGetGraphicsRunningProcesses(NvmlDevice device, unsigned *count,
                                                 NvmlProcessInfoV1 *infos) {
  return list_processes(__func__, device, count, infos, true, false);
}

NvmlReturn nvmlDeviceGetMPSComputeRunningProcesses_v3(NvmlDevice device, unsigned *count,
                                                      NvmlProcessInfo *infos) {
  return list_processes(__func__, device, count, infos, false, false);
}

NvmlReturn nvmlDeviceGetMPSComputeRunningProcesses_v2(NvmlDevice device, unsigned *count,
                                                      NvmlProcessInfo *infos) {
  return list_processes(__func__, device, count, infos, false, false);
}

NvmlReturn nvmlDeviceGetMPSComputeRunningProcesses(NvmlDevice device, unsigned *count,
                                                   NvmlProcessInfoV1 *infos) {
  return list_processes(__func__, device, count, infos, true, false);
}

NvmlReturn nvmlSystemGetProcessName(unsigned pid, char *name, unsigned length) {
  SimView view;
  NvmlReturn result = sim_view_open(&view, __func__);
  if (result != NVML_SUCCESS)
    return result;
  if (!name || length == 0)
    return NVML_INVALID_ARGUMENT;
  for (int i = 0; i < view.state.client_count; i++)
    if (view.state.clients[i].pid == pid) {
      snprintf(name, length, "%s", view.state.clients[i].name); /* cut, as nvml.h says */
      return NVML_SUCCESS;
    }
  return NVML_NOT_FOUND;
}
