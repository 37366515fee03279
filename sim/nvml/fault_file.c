/* SPDX-License-Identifier: Apache-2.0 */
/* As the state file: read without waiting, replaced as a whole under a lock. A call that no fault names does
 * not take the lock. */
#include "sim/nvml/fault_file.h"

#include "base/memory.h"
#include "sim/nvml/file.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static int parse(char *rest, SimFaults *faults, Error *err) {
  for (int number = 1; rest && *rest; number++) {
    const char *line = strsep(&rest, "\n");
    SimFault fault;
    if (sim_fault_parse(line, &fault, err) < 0 || sim_faults_add(faults, &fault, err) < 0)
      return error_prefix(err, "line %d", number);
  }
  return 0;
}

int sim_fault_file_load(const char *folder, SimFaults *ret_faults, Error *err) {
  CLEANUP(text_deinit) Text text = {0};
  *ret_faults = (SimFaults){0};
  int result = sim_file_read(folder, "faults", &text, err);
  if (result == SIM_FILE_ABSENT)
    return 0;
  if (result < 0)
    return result;
  CLEANUP(cleanup_free) char *copy = mem_strdup(text_string(&text));
  return parse(copy, ret_faults, err) < 0 ? error_prefix(err, "simulated GPUs: %s/faults", folder) : 0;
}

static int save(const char *folder, const SimFaults *faults, Error *err) {
  CLEANUP(text_deinit) Text text = {0};
  for (int i = 0; i < faults->count; i++) {
    sim_fault_format(&faults->list[i], &text);
    text_append(&text, "\n");
  }
  return sim_file_replace(folder, "faults", &text, err);
}

int sim_fault_file_add(const char *folder, const SimFault *fault, Error *err) {
  CLEANUP(cleanup_close) int lock = -1;
  SimFaults faults;
  int result = sim_file_lock(folder, "faults.lock", &lock, err);
  if (result == 0)
    result = sim_fault_file_load(folder, &faults, err);
  if (result == 0)
    result = sim_faults_add(&faults, fault, err);
  return result < 0 ? result : save(folder, &faults, err);
}

int sim_fault_file_clear(const char *folder, Error *err) {
  CLEANUP(cleanup_close) int lock = -1;
  int result = sim_file_lock(folder, "faults.lock", &lock, err);
  return result < 0 ? result : sim_file_remove(folder, "faults", err);
}

int sim_fault_file_count_call(const char *folder, const char *function, int gpu, SimFault *ret_due,
                              Error *err) {
  SimFaults faults;
  *ret_due = (SimFault){0};
  int result = sim_fault_file_load(folder, &faults, err);
  if (result < 0 || !sim_faults_concern(&faults, function, gpu))
    return result;
  CLEANUP(cleanup_close) int lock = -1;
  result = sim_file_lock(folder, "faults.lock", &lock, err);
  if (result == 0)
    result = sim_fault_file_load(folder, &faults, err);
  if (result < 0)
    return result;
  SimFault due = sim_faults_count_call(&faults, function, gpu);
  result = save(folder, &faults, err);
  if (result == 0)
    *ret_due = due;
  return result;
}
