/* SPDX-License-Identifier: Apache-2.0 */
/* dlsym for the simulator inside an executable: all functions of all drivers. */
#include "sim/nvml/functions.h"
#include "sim/nvml/sim_nvml.h"

#include <assert.h>
#include <string.h>

void *sim_nvml_symbol(const char *name) {
  for (int i = 0; i < sim_function_count; i++)
    if (strcmp(sim_functions[i].name, name) == 0)
      return sim_functions[i].function;
  return NULL;
}

const char *sim_nvml_symbol_name(int index) {
  assert(index >= 0);
  return index < sim_function_count ? sim_functions[index].name : NULL;
}
