/* SPDX-License-Identifier: Apache-2.0 */
/* facet-sim-nvml: the hands of the person at the simulated machine. Everything that an NVML client cannot do
 * to a GPU, describing, resetting and rebooting it, happens here. */
#include "base/memory.h"
#include "sim/nvml/driver.h"
#include "sim/nvml/fault_file.h"
#include "sim/nvml/instance.h"
#include "sim/nvml/machine_file.h"
#include "sim/nvml/options.h"
#include "sim/nvml/sim_nvml.h"

#include <ctype.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>

enum { DEFAULT_MEMORY_MIB = 256 };

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
  printf("%s\n", gpu->lost ? ", lost" : "");
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

static void print_client(const SimClient *client) {
  char place[SIM_PLACE_SIZE];
  sim_client_format_place(client, place);
  printf("process %u %s on %s: %u MiB\n", client->pid, client->name, place, client->memory_mib);
}

static int show_faults(const char *folder, Error *err) {
  SimFaults faults;
  int result = sim_fault_file_load(folder, &faults, err);
  if (result < 0)
    return result;
  for (int i = 0; i < faults.count; i++) {
    CLEANUP(text_deinit) Text text = {0};
    sim_fault_format(&faults.list[i], &text);
    printf("fault: %s\n", text_string(&text));
  }
  return 0;
}

static int show(SimNvml *nvml, const char *folder, Error *err) {
  SimState state;
  int result = sim_nvml_load(nvml, &state, err);
  if (result < 0)
    return result;
  printf("%s: %d GPUs, driver %s\n", folder, state.gpu_count, state.driver);
  for (int i = 0; i < state.gpu_count; i++)
    print_gpu(&state, i);
  for (int i = 0; i < state.client_count; i++)
    print_client(&state.clients[i]);
  CLEANUP(text_deinit) Text options = {0};
  sim_options_format(&state.options, &options);
  fputs(text_string(&options), stdout);
  return show_faults(folder, err);
}

static int parse_number(const char *what, const char *text, unsigned long max, unsigned long *ret_number,
                        Error *err) {
  char *end = NULL;
  *ret_number = strtoul(text, &end, 10);
  if (!isdigit((unsigned char)text[0]) || *end || *ret_number > max)
    return error_set(err, ERROR_INVALID, "\"%.40s\" is no %s: a number up to %lu", text, what, max);
  return 0;
}

static int run_nothing(SimNvml *nvml, char **arguments, Error *err) {
  return 0;
}

/* Through NVML itself, so that its rules decide. */
static int run_mode(SimNvml *nvml, char **arguments, Error *err) {
  unsigned long index;
  bool on = strcmp(arguments[1], "on") == 0;
  int parsed = parse_number("GPU", arguments[0], SIM_GPUS_MAX - 1, &index, err);
  if (parsed < 0)
    return parsed;
  if (!on && strcmp(arguments[1], "off") != 0)
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
    return error_set(err, ERROR_GPU, "cannot switch MIG mode %s on GPU %lu: %s", arguments[1], index,
                     nvmlErrorString(result));
  if (status != NVML_SUCCESS)
    printf("MIG mode of GPU %lu is pending: %s\n", index, nvmlErrorString(status));
  return 0;
}

static int run_use(SimNvml *nvml, char **arguments, Error *err) {
  unsigned long count;
  int result = parse_number("count of processes", arguments[1], UINT8_MAX, &count, err);
  return result < 0 ? result : sim_nvml_set_processes(nvml, arguments[0], (uint8_t)count, err);
}

static int run_reset(SimNvml *nvml, char **arguments, Error *err) {
  return sim_nvml_reset(nvml, false, err);
}

static int run_reboot(SimNvml *nvml, char **arguments, Error *err) {
  return sim_nvml_reset(nvml, true, err);
}

static int run_lose(SimNvml *nvml, char **arguments, Error *err) {
  unsigned long index;
  int result = parse_number("GPU", arguments[0], SIM_GPUS_MAX - 1, &index, err);
  return result < 0 ? result : sim_nvml_lose_gpu(nvml, (unsigned)index, err);
}

static int run_xid(SimNvml *nvml, char **arguments, Error *err) {
  unsigned long index, xid, gi = 0, ci = 0;
  int result = parse_number("GPU", arguments[0], SIM_GPUS_MAX - 1, &index, err);
  if (result == 0)
    result = parse_number("Xid", arguments[1], UINT16_MAX, &xid, err);
  if (result == 0 && arguments[2])
    result = parse_number("GPU instance", arguments[2], UINT8_MAX, &gi, err);
  if (result == 0 && arguments[2] && arguments[3])
    result = parse_number("compute instance", arguments[3], UINT8_MAX, &ci, err);
  if (result < 0)
    return result;
  return sim_nvml_post_xid(nvml, (unsigned)index, xid, arguments[2] ? (int)gi : -1,
                           arguments[2] && arguments[3] ? (int)ci : -1, err);
}

static int run_attach(SimNvml *nvml, char **arguments, Error *err) {
  SimClient client = {0};
  unsigned long pid = 0, memory_mib = DEFAULT_MEMORY_MIB;
  int result = sim_nvml_find_place(nvml, arguments[0], &client, err);
  if (result == 0)
    result = parse_number("process id", arguments[1], UINT32_MAX, &pid, err);
  if (result == 0 && arguments[3])
    result = parse_number("memory in MiB", arguments[3], UINT32_MAX, &memory_mib, err);
  if (result < 0)
    return result;
  client.pid = (uint32_t)pid;
  client.memory_mib = (uint32_t)memory_mib;
  if (!sim_client_set_name(&client, arguments[2]))
    return error_set(err, ERROR_INVALID, "\"%.70s\" is no name of a process: 1 to %d characters in one line",
                     arguments[2], SIM_CLIENT_NAME_SIZE - 1);
  return sim_nvml_attach(nvml, &client, err);
}

static int run_detach(SimNvml *nvml, char **arguments, Error *err) {
  unsigned long pid;
  int result = parse_number("process id", arguments[0], UINT32_MAX, &pid, err);
  return result < 0 ? result : sim_nvml_detach(nvml, (uint32_t)pid, err);
}

static int run_set(SimNvml *nvml, char **arguments, Error *err) {
  return sim_nvml_set_option(nvml, arguments[0], arguments[1], err);
}

static int run_fault(SimNvml *nvml, char **arguments, Error *err) {
  if (strcmp(arguments[0], "clear") == 0 && !arguments[1])
    return sim_nvml_clear_faults(nvml, err);
  CLEANUP(text_deinit) Text text = {0};
  for (int i = 0; arguments[i]; i++)
    text_format(&text, "%s%s", i ? " " : "", arguments[i]);
  return sim_nvml_add_fault(nvml, text_string(&text), err);
}

/* The libraries lie beside this program, in "drivers". */
static int print_library(SimNvml *nvml, Error *err) {
  char self[PATH_MAX] = "";
  SimState state;
  int result = sim_nvml_load(nvml, &state, err);
  if (result < 0)
    return result;
  if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
    return error_set_errno(err, ERROR_IO, errno, "cannot tell where this program lies");
  printf("%s/drivers/%d\n", dirname(self), sim_driver_library_branch(state.driver));
  return 0;
}

typedef struct Command {
  const char *name, *arguments, *help;
  int argument_min, argument_max;
  int (*run)(SimNvml *nvml, char **arguments, Error *err);
} Command;

static const Command commands[] = {
    {"init", "MACHINE|FILE.yaml",
     "start afresh with these GPUs, e.g. 2xA100-SXM4-80GB,H100-80GB-HBM3:mig=off, or with what the file "
     "describes",
     1, 1, run_nothing},
    {"show", "", "the GPUs, their instances and the fault plan", 0, 0, run_nothing},
    {"mode", "GPU on|off", "MIG mode of one GPU, as nvidia-smi -i GPU -mig 1|0", 2, 2, run_mode},
    {"attach", "PLACE PID NAME [MEMORY]",
     "a process runs on a GPU (0), GPU instance (0/13) or compute instance (0/13/0, or its UUID), which is "
     "IN_USE; "
     "with 0 MiB of MEMORY it holds the place without running there",
     3, 4, run_attach},
    {"detach", "PID", "the process ends", 1, 1, run_detach},
    {"set", "OPTION VALUE",
     "uuids place|random, handles strict|alias, compute-device gpu|mig, event-sets free|hold, mode-reset "
     "needed|automatic, "
     "linger-ms MS, "
     "root PATH|none",
     2, 2, run_set},
    {"use", "MIG COUNT", "so many processes run on the MIG device with this UUID", 2, 2, run_use},
    {"reset", "", "reset all GPUs: instances are gone, pending MIG modes become active, lost ones return", 0,
     0, run_reset},
    {"reboot", "", "likewise, and MIG mode is lost where the driver alone holds it", 0, 0, run_reboot},
    {"fault", "FUNCTION EFFECT [call=N] [times=N|always] [gpu=I]",
     "the N-th call goes wrong: a return code such as IN_USE, hang, hang=MS, kill; \"after:\" in front: when "
     "its work is done",
     2, 6, run_fault},
    {"fault", "clear", "forget the fault plan", 1, 1, run_fault},
    {"xid", "GPU XID [GI [CI]]", "an Xid event, on the whole GPU or one of its instances", 2, 4, run_xid},
    {"library", "", "the folder with the libnvidia-ml.so.1 of this machine's driver, for LD_LIBRARY_PATH", 0,
     0, run_nothing},
    {"lose", "GPU", "the GPU falls off the bus, until a reset", 1, 1, run_lose},
};

static const Command *find_command(int argc, char **argv) {
  for (size_t i = 0; argc > 1 && i < COUNT_OF(commands); i++)
    if (strcmp(argv[1], commands[i].name) == 0 && argc - 2 >= commands[i].argument_min &&
        argc - 2 <= commands[i].argument_max)
      return &commands[i];
  return NULL;
}

static void print_usage(FILE *file) {
  fputs("usage: facet-sim-nvml COMMAND\n", file);
  for (size_t i = 0; i < COUNT_OF(commands); i++)
    fprintf(file, "  %s %s\n        %s\n", commands[i].name, commands[i].arguments, commands[i].help);
  fputs("The machine is kept in the folder FACET_SIM_NVML_STATE; see the README for the other variables.\n",
        file);
}

static bool is_file(const char *machine) {
  return strchr(machine, '/') || string_has_suffix(machine, ".yaml") || string_has_suffix(machine, ".yml");
}

/* A new machine from a file, with its fault plan. */
static int open_file(const char *path, SimNvmlOptions *options, SimNvml **ret_nvml, Error *err) {
  CLEANUP(cleanup_free) SimMachineFile *file = mem_alloc(sizeof *file);
  CLEANUP(sim_nvml_freep) SimNvml *nvml = NULL;
  int result = sim_machine_file_load(path, file, err);
  if (result < 0)
    return result;
  options->state = &file->state;
  options->machine = NULL;
  if (file->driver[0])
    options->driver_version = file->driver;
  result = sim_nvml_new(options, &nvml, err);
  for (int i = 0; result == 0 && i < file->faults.count; i++) {
    CLEANUP(text_deinit) Text text = {0};
    sim_fault_format(&file->faults.list[i], &text);
    result = sim_nvml_add_fault(nvml, text_string(&text), err);
  }
  if (result == 0)
    *ret_nvml = TAKE(nvml);
  return result;
}

/* init and the rest differ in what they want to find in the folder. */
static int open_machine(const Command *command, char **arguments, SimNvmlEnvironment *environment,
                        SimNvml **ret_nvml, Error *err) {
  int result = sim_nvml_read_environment(environment, err);
  if (result < 0)
    return result;
  SimNvmlOptions *options = &environment->options;
  options->faults = NULL; /* they are for the programs under test */
  bool init = strcmp(command->name, "init") == 0;
  options->renew = init;
  if (init && is_file(arguments[0]))
    return open_file(arguments[0], options, ret_nvml, err);
  if (init)
    options->machine = arguments[0];
  return sim_nvml_new(options, ret_nvml, err);
}

static int run(const Command *command, char **arguments, Error *err) {
  SimNvmlEnvironment environment;
  CLEANUP(sim_nvml_freep) SimNvml *nvml = NULL;
  int result = open_machine(command, arguments, &environment, &nvml, err);
  if (result == 0)
    result = command->run(nvml, arguments, err);
  if (result == 0 && strcmp(command->name, "library") == 0)
    return print_library(nvml, err);
  return result < 0 ? result : show(nvml, environment.folder, err);
}

int main(int argc, char **argv) {
  bool help = argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0);
  const Command *command = find_command(argc, argv);
  if (help || !command) {
    print_usage(help ? stdout : stderr);
    return help ? 0 : 2;
  }
  Error err = {0};
  if (run(command, argv + 2, &err) < 0) {
    fprintf(stderr, "facet-sim-nvml: %s\n", err.text);
    return 1;
  }
  return 0;
}
