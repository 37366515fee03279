/* SPDX-License-Identifier: Apache-2.0 */
/* facet-nvml-worker: the agent's helper process for NVML, started by it with the socket as descriptor 3.
 * The same as `facet nvml-worker`, without the libraries that only talking to the API server needs. */
#include "gpu/worker.h"

#include <string.h>

int main(int argc, char **argv) {
  bool has_library = argc == 4 && strcmp(argv[2], "--nvml-library") == 0;
  return gpu_worker_main(3, has_library ? argv[3] : NULL);
}
