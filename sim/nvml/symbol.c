/* SPDX-License-Identifier: Apache-2.0 */
/* dlsym for the simulator inside an executable: all functions of all drivers. */
#include "sim/nvml/functions.h"
#include "sim/nvml/sim_nvml.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static int compare_name(const void *name, const void *function) {
  return strcmp(name, ((const SimFunction *)function)->name);
}

void *sim_nvml_symbol(const char *name) {
  const SimFunction *found =
      bsearch(name, sim_functions, (size_t)sim_function_count, sizeof sim_functions[0], compare_name);
  return found ? found->function : NULL;
}

const char *sim_nvml_symbol_name(int index) {
  assert(index >= 0);
  return index < sim_function_count ? sim_functions[index].name : NULL;
}
