/* SPDX-License-Identifier: Apache-2.0 */
/* A simulated driver is a store and a way to pass time; everything else is computed from the store's state
 * at each call, as a library in front of a real driver would have to ask the kernel at each call. */
#include "sim/nvml/sim_nvml.h"

#include "base/memory.h"
#include "sim/nvml/driver.h"
#include "sim/nvml/fault_file.h"
#include "sim/nvml/functions.h"
#include "sim/nvml/instance.h"
#include "sim/nvml/object.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

/* Machines in different folders have different GPUs, the same folder always the same ones. FNV-1a. */
static uint64_t seed_of_folder(const char *folder) {
  char path[PATH_MAX];
  const char *text = folder && realpath(folder, path) ? path : string_or_empty(folder);
  uint64_t hash = 0xcbf29ce484222325u;
  for (; *text; text++)
    hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
  return hash;
}

static int make_machine(const SimNvmlOptions *options, SimState *ret_state, Error *err) {
  int result = sim_state_parse_machine(options->machine, ret_state, err);
  if (result < 0)
    return result;
  if (options->driver_version)
    result = sim_driver_parse(options->driver_version, ret_state->driver, err);
  else
    sim_driver_choose(ret_state, ret_state->driver);
  if (result == 0)
    result = sim_driver_check(ret_state, ret_state->driver, err);
  if (result < 0)
    return result;
  ret_state->seed = options->seed ? options->seed : seed_of_folder(options->folder);
  return 0;
}

/* Faults with ';' or line ends between them. */
static int parse_plan(const char *text, SimFaults *faults, Error *err) {
  CLEANUP(cleanup_free) char *copy = mem_strdup(text);
  for (char *rest = copy; rest;) {
    const char *item = strsep(&rest, ";\n");
    SimFault fault;
    if (item[strspn(item, " \t")] == '\0')
      continue;
    int result = sim_fault_parse(item, &fault, err);
    if (result == 0)
      result = sim_faults_add(faults, &fault, err);
    if (result < 0)
      return result;
  }
  return 0;
}

int sim_nvml_new(const SimNvmlOptions *options, SimNvml **ret_nvml, Error *err) {
  assert(options->folder || options->machine);
  SimFaults plan = {0};
  if (parse_plan(string_or_empty(options->faults), &plan, err) < 0)
    return error_prefix(err, "simulated GPUs");
  /* Before anything else, because the seed comes from the canonical path. */
  if (options->folder && options->machine && mkdir(options->folder, 0777) < 0 && errno != EEXIST)
    return error_set_errno(err, ERROR_IO, errno, "simulated GPUs: cannot make the folder %s",
                           options->folder);
  SimState machine;
  if (options->machine && make_machine(options, &machine, err) < 0)
    return -err->code;
  CLEANUP(cleanup_free) SimNvml *nvml = mem_alloc(sizeof *nvml);
  int result =
      sim_store_init(&nvml->store, options->folder, options->machine ? &machine : NULL, options->renew, err);
  if (result == 0 && options->folder && options->renew)
    result = sim_fault_file_clear(options->folder, err);
  if (result < 0)
    return result;
  pthread_mutex_init(&nvml->faults_mutex, NULL);
  nvml->latency = options->latency;
  nvml->faults = plan;
  nvml->trace = options->trace;
  *ret_nvml = TAKE(nvml);
  return 0;
}

void sim_nvml_free(SimNvml *nvml) {
  if (!nvml)
    return;
  sim_store_deinit(&nvml->store);
  pthread_mutex_destroy(&nvml->faults_mutex);
  free(nvml);
}

void sim_nvml_set_sleep(SimNvml *nvml, SimSleep *sleep, void *userdata) {
  nvml->sleep = sleep;
  nvml->sleep_userdata = userdata;
}

int sim_nvml_load(SimNvml *nvml, SimState *ret_state, Error *err) {
  return sim_store_load(&nvml->store, ret_state, err);
}

int sim_nvml_reset(SimNvml *nvml, bool reboot, Error *err) {
  CLEANUP(sim_change_end) SimChange change = {0};
  int result = sim_change_begin(&change, &nvml->store, err);
  if (result < 0)
    return result;
  sim_state_reset(&change.state, reboot);
  return sim_change_commit(&change, err);
}

int sim_nvml_add_fault(SimNvml *nvml, const char *text, Error *err) {
  SimFault fault;
  int result = sim_fault_parse(text, &fault, err);
  if (result < 0)
    return result;
  if (nvml->store.folder)
    return sim_fault_file_add(nvml->store.folder, &fault, err);
  pthread_mutex_lock(&nvml->faults_mutex);
  result = sim_faults_add(&nvml->faults, &fault, err);
  pthread_mutex_unlock(&nvml->faults_mutex);
  return result;
}

int sim_nvml_clear_faults(SimNvml *nvml, Error *err) {
  pthread_mutex_lock(&nvml->faults_mutex);
  nvml->faults = (SimFaults){0};
  pthread_mutex_unlock(&nvml->faults_mutex);
  return nvml->store.folder ? sim_fault_file_clear(nvml->store.folder, err) : 0;
}

/* Something happens to a GPU from outside. */
static int strike(SimNvml *nvml, unsigned gpu_index, bool lose, SimEvent event, Error *err) {
  CLEANUP(sim_change_end) SimChange change = {0};
  int result = sim_change_begin(&change, &nvml->store, err);
  if (result < 0)
    return result;
  if (gpu_index >= change.state.gpu_count)
    return error_set(err, ERROR_NOT_FOUND, "simulated GPUs: there is no GPU %u; the machine has %u",
                     gpu_index, change.state.gpu_count);
  event.gpu_index = (uint8_t)gpu_index;
  event.type = NVML_EVENT_XID;
  sim_state_post(&change.state, event);
  if (lose)
    change.state.gpus[gpu_index].lost = true;
  return sim_change_commit(&change, err);
}

int sim_nvml_post_xid(SimNvml *nvml, unsigned gpu_index, uint64_t xid, int gi_id, int ci_id, Error *err) {
  SimEvent event = {.data = xid, .gi_id = (int16_t)gi_id, .ci_id = (int16_t)ci_id};
  return strike(nvml, gpu_index, false, event, err);
}

int sim_nvml_lose_gpu(SimNvml *nvml, unsigned gpu_index, Error *err) {
  return strike(nvml, gpu_index, true, (SimEvent){.data = SIM_XID_LOST, .gi_id = -1, .ci_id = -1}, err);
}

static SimCi *find_mig(SimState *state, const char *uuid) {
  for (int g = 0; g < state->gpu_count; g++)
    for (int i = 0; i < state->gpus[g].gi_count; i++)
      for (int k = 0; k < state->gpus[g].gis[i].ci_count; k++) {
        SimGi *gi = &state->gpus[g].gis[i];
        char found[NVML_UUID_SIZE];
        sim_uuid_mig(state, g, gi, &gi->cis[k], found);
        if (strcmp(found, uuid) == 0)
          return &gi->cis[k];
      }
  return NULL;
}

int sim_nvml_set_processes(SimNvml *nvml, const char *mig_uuid, uint8_t count, Error *err) {
  CLEANUP(sim_change_end) SimChange change = {0};
  int result = sim_change_begin(&change, &nvml->store, err);
  if (result < 0)
    return result;
  SimCi *ci = find_mig(&change.state, mig_uuid);
  if (!ci)
    return error_set(err, ERROR_NOT_FOUND, "simulated GPUs: there is no MIG device %.80s", mig_uuid);
  ci->process_count = count;
  return sim_change_commit(&change, err);
}

static const char *non_empty(const char *name) {
  const char *value = getenv(name);
  return value && *value ? value : NULL;
}

static int read_latency(double *ret_latency, Error *err) {
  const char *text = non_empty("FACET_SIM_NVML_LATENCY");
  if (!text) {
    *ret_latency = 1;
    return 0;
  }
  char *end = NULL;
  double latency = strtod(text, &end);
  if (*end || !isfinite(latency) || latency < 0 || latency > 1000)
    return error_set(err, ERROR_INVALID, "FACET_SIM_NVML_LATENCY is \"%.40s\": not a factor from 0 to 1000",
                     text);
  *ret_latency = latency;
  return 0;
}

/* NULL for the library that serves all. */
static const char *release_of(int branch) {
  for (int i = 0; i < sim_release_count; i++)
    if (sim_releases[i].branch == branch)
      return sim_releases[i].version;
  return NULL;
}

int sim_nvml_read_environment(SimNvmlEnvironment *ret_environment, Error *err) {
  SimNvmlEnvironment *environment = ret_environment;
  *environment = (SimNvmlEnvironment){.options = {.machine = non_empty("FACET_SIM_NVML_MACHINE"),
                                                  .driver_version = non_empty("FACET_SIM_NVML_DRIVER"),
                                                  .faults = non_empty("FACET_SIM_NVML_FAULTS"),
                                                  .trace = non_empty("FACET_SIM_NVML_TRACE") != NULL}};
  const char *folder = non_empty("FACET_SIM_NVML_STATE"), *runtime = non_empty("XDG_RUNTIME_DIR");
  size_t size = sizeof environment->folder;
  int needed;
  if (folder)
    needed = snprintf(environment->folder, size, "%s", folder);
  else if (runtime)
    needed = snprintf(environment->folder, size, "%s/facet-sim-nvml", runtime);
  else
    needed = snprintf(environment->folder, size, "/tmp/facet-sim-nvml-%u", (unsigned)getuid());
  if ((size_t)needed >= size)
    return error_set(err, ERROR_INVALID, "simulated GPUs: the folder's name is too long");
  environment->options.folder = environment->folder;
  if (!environment->options.driver_version)
    environment->options.driver_version = release_of(sim_library_branch);
  return read_latency(&environment->options.latency, err);
}
