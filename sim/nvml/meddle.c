/* SPDX-License-Identifier: Apache-2.0 */
/* A fault plan that cannot be read stops nothing; it is complained about at each call that would ask it. */
#include "sim/nvml/meddle.h"

#include "sim/nvml/call.h"
#include "sim/nvml/fault_file.h"
#include "sim/nvml/object.h"

#include <signal.h>
#include <unistd.h>

int sim_meddle_carry_out(SimNvml *nvml, const SimFault *fault) {
  switch (fault->kind) {
  case SIM_FAULT_NONE:
    break;
  case SIM_FAULT_RETURN:
    return (int)fault->code;
  case SIM_FAULT_HANG:
    sim_call_sleep(nvml, fault->hang_ms);
    while (fault->hang_ms == 0)
      pause();
    break;
  case SIM_FAULT_KILL:
    raise(SIGKILL);
    break;
  }
  return SIM_MEDDLE_NOTHING;
}

static SimFault count_call(SimNvml *nvml, const char *function, int gpu_index) {
  pthread_mutex_lock(&nvml->faults_mutex);
  SimFault due = sim_faults_count_call(&nvml->faults, function, gpu_index);
  pthread_mutex_unlock(&nvml->faults_mutex);
  SimFault shared = {0};
  Error err = {0};
  if (nvml->store.folder &&
      sim_fault_file_count_call(nvml->store.folder, function, gpu_index, &shared, &err) < 0)
    sim_call_complain(&err);
  return due.kind == SIM_FAULT_NONE ? shared : due;
}

/* To pretend is to do all but the committing, so that what the rules refuse is still refused. */
static bool is_for_later(const SimFault *due) {
  return due->after || (due->kind == SIM_FAULT_RETURN && due->code == NVML_SUCCESS);
}

int sim_meddle(SimNvml *nvml, const char *function, int gpu_index, SimFault *ret_after) {
  SimFault due = count_call(nvml, function, gpu_index);
  bool later = is_for_later(&due);
  *ret_after = later ? due : (SimFault){0};
  return later ? SIM_MEDDLE_NOTHING : sim_meddle_carry_out(nvml, &due);
}
