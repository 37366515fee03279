/* SPDX-License-Identifier: Apache-2.0 */
/* facet-sim-nvml: the hands of the person at the simulated machine. Everything that an NVML client cannot do
 * to a GPU, describing, resetting and rebooting it, happens here. */
#include "sim/nvml/instance.h"
#include "sim/nvml/sim_nvml.h"

#include <string.h>

static const char usage_text[] =
    "usage: facet-sim-nvml COMMAND\n"
    "  init MACHINE     start afresh with these GPUs, e.g. 2xA100-SXM4-80GB,H100-80GB-HBM3:mig=off\n"
    "  show             the GPUs and their instances\n"
    "  mode GPU on|off  MIG mode of one GPU, as nvidia-smi -i GPU -mig 1|0\n"
    "  use MIG COUNT    so many processes run on the MIG device with this UUID\n"
    "  reset            reset all GPUs: instances are gone, pending MIG modes become active\n"
    "  reboot           likewise, and MIG mode is lost where the driver alone holds it\n"
    "The machine is kept in the folder FACET_SIM_NVML_STATE; see the README for the other variables.\n";

static const char *on_off(bool on) {
  return on ? "on" : "off";
}

static void print_gpu(const SimState *state, int index) {
  const SimGpu *gpu = &state->gpus[index];
  char uuid[NVML_UUID_SIZE];
  sim_uuid_gpu(state, index, uuid);
  printf("GPU %d: %s (UUID: %s) mig=%s", index, gpu->product, uuid, on_off(gpu->mig_on));
  if (gpu->mig_on != gpu->mig_on_pending)
    printf(", %s after a reset", on_off(gpu->mig_on_pending));
  printf("\n");
  for (int i = 0; i < gpu->gi_count; i++) {
    const SimGi *gi = &gpu->gis[i];
    const MigProfile *profile = sim_gi_profile(gpu, gi);
    printf("  GI %2u  %s@%u\n", sim_gi_id(sim_gpu_model(gpu), gi->profile, gi->start), profile->name,
           gi->start);
    for (int k = 0; k < gi->ci_count; k++) {
      char name[NVML_NAME_V2_SIZE];
      sim_name_mig(NULL, profile, gi->cis[k].slices, name);
      sim_uuid_mig(state, index, gi, &gi->cis[k], uuid);
      printf("    CI %u  %s  Device %u: (UUID: %s)", gi->cis[k].id, name, gi->cis[k].mig_index, uuid);
      if (gi->cis[k].process_count)
        printf(" %u processes", gi->cis[k].process_count);
      printf("\n");
    }
  }
}

static int show(SimNvml *nvml, const char *folder, Error *err) {
  SimState state;
  int result = sim_nvml_load(nvml, &state, err);
  if (result < 0)
    return result;
  printf("%s: %d GPUs, driver %s\n", folder, state.gpu_count, state.driver);
  for (int i = 0; i < state.gpu_count; i++)
    print_gpu(&state, i);
  return 0;
}

/* Through NVML itself, so that its rules decide. */
static int set_mode(SimNvml *nvml, const char *gpu_text, const char *mode_text, Error *err) {
  char *end = NULL;
  unsigned long index = strtoul(gpu_text, &end, 10);
  bool on = strcmp(mode_text, "on") == 0;
  if (*end || end == gpu_text || (!on && strcmp(mode_text, "off") != 0))
    return error_set(err, ERROR_INVALID, "mode needs the number of a GPU and on or off");
  sim_nvml_use(nvml);
  NvmlDevice device;
  NvmlReturn status = NVML_SUCCESS, result = nvmlInit_v2();
  if (result == NVML_SUCCESS)
    result = nvmlDeviceGetHandleByIndex_v2((unsigned)index, &device);
  if (result == NVML_SUCCESS)
    result = nvmlDeviceSetMigMode(device, on ? NVML_MIG_ENABLE : NVML_MIG_DISABLE, &status);
  sim_nvml_use(NULL);
  if (result != NVML_SUCCESS)
    return error_set(err, ERROR_GPU, "cannot switch MIG mode %s on GPU %lu: %s", mode_text, index,
                     nvmlErrorString(result));
  if (status != NVML_SUCCESS)
    printf("MIG mode of GPU %lu is pending: %s\n", index, nvmlErrorString(status));
  return 0;
}

static int set_processes(SimNvml *nvml, const char *uuid, const char *count_text, Error *err) {
  char *end = NULL;
  unsigned long count = strtoul(count_text, &end, 10);
  if (*end || end == count_text || count > UINT8_MAX)
    return error_set(err, ERROR_INVALID, "use needs the UUID of a MIG device and a number up to %d",
                     UINT8_MAX);
  return sim_nvml_set_processes(nvml, uuid, (uint8_t)count, err);
}

/* init and the rest differ in what they want to find in the folder. */
static int open_machine(SimNvmlEnvironment *environment, int argc, char **argv, SimNvml **ret_nvml,
                        Error *err) {
  int result = sim_nvml_read_environment(environment, err);
  if (result < 0)
    return result;
  if (strcmp(argv[1], "init") == 0 && argc == 3) {
    environment->options.machine = argv[2];
    environment->options.renew = true;
  }
  return sim_nvml_new(&environment->options, ret_nvml, err);
}

static int run(int argc, char **argv, Error *err) {
  SimNvmlEnvironment environment;
  CLEANUP(sim_nvml_freep) SimNvml *nvml = NULL;
  int result = open_machine(&environment, argc, argv, &nvml, err);
  if (result < 0)
    return result;
  if (strcmp(argv[1], "mode") == 0)
    result = set_mode(nvml, argv[2], argv[3], err);
  else if (strcmp(argv[1], "use") == 0)
    result = set_processes(nvml, argv[2], argv[3], err);
  else if (strcmp(argv[1], "show") != 0 && strcmp(argv[1], "init") != 0)
    result = sim_nvml_reset(nvml, strcmp(argv[1], "reboot") == 0, err);
  return result < 0 ? result : show(nvml, environment.folder, err);
}

static bool is_command(int argc, char **argv) {
  static const struct {
    const char *name;
    int argument_count;
  } commands[] = {{"init", 1}, {"show", 0}, {"mode", 2}, {"use", 2}, {"reset", 0}, {"reboot", 0}};
  for (size_t i = 0; argc > 1 && i < COUNT_OF(commands); i++)
    if (strcmp(argv[1], commands[i].name) == 0)
      return argc == 2 + commands[i].argument_count;
  return false;
}

int main(int argc, char **argv) {
  bool help = argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0);
  if (help || !is_command(argc, argv)) {
    fputs(usage_text, help ? stdout : stderr);
    return help ? 0 : 2;
  }
  Error err = {0};
  if (run(argc, argv, &err) < 0) {
    fprintf(stderr, "facet-sim-nvml: %s\n", err.text);
    return 1;
  }
  return 0;
}
