/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verb.h"
#include "gpu/worker.h"

typedef struct Options {
  const char *nvml_library;
} Options;

static const CliOption options_table[] = {
    {"--nvml-library", CLI_STRING, offsetof(Options, nvml_library), "FILE", "NVIDIA's libnvidia-ml.so.1."},
};

enum { SOCKET_FD = 3 }; /* where gpu/worker.c puts the worker's end */

static int run(const CliVerb *verb, int argc, char **argv) {
  Options options = {0};
  int exit_code;
  if (!cli_begin(verb, argc, argv, &options, &exit_code))
    return exit_code;
  return gpu_worker_main(SOCKET_FD, options.nvml_library);
}

const CliVerb cli_verb_nvml_worker = {
    .name = "nvml-worker",
    .help = "the agent's own helper process; not for people",
    .options = options_table,
    .option_count = COUNT_OF(options_table),
    .hidden = true,
    .run = run,
};
