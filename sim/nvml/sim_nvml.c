/* SPDX-License-Identifier: Apache-2.0 */
/* A simulated driver is a store and a way to pass time; everything else is computed from the store's state
 * at each call, as a library in front of a real driver would have to ask the kernel at each call. */
#include "sim/nvml/sim_nvml.h"

#include "base/memory.h"
#include "sim/nvml/driver.h"
#include "sim/nvml/event.h"
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
  int result = 0;
  if (options->state)
    *ret_state = *options->state;
  else
    result = sim_state_parse_machine(options->machine, ret_state, err);
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
  bool make = options->machine || options->state;
  assert(options->folder || make);
  SimFaults plan = {0};
  if (parse_plan(string_or_empty(options->faults), &plan, err) < 0)
    return error_prefix(err, "simulated GPUs");
  /* Before anything else, because the seed comes from the canonical path. */
  if (options->folder && make && mkdir(options->folder, 0777) < 0 && errno != EEXIST)
    return error_set_errno(err, ERROR_IO, errno, "simulated GPUs: cannot make the folder %s",
                           options->folder);
  SimState machine;
  if (make && make_machine(options, &machine, err) < 0)
    return -err->code;
  CLEANUP(cleanup_free) SimNvml *nvml = mem_alloc(sizeof *nvml);
  int result = sim_store_init(&nvml->store, options->folder, make ? &machine : NULL, options->renew, err);
  if (result == 0 && options->folder && options->renew)
    result = sim_fault_file_clear(options->folder, err);
  if (result < 0)
    return result;
  pthread_mutex_init(&nvml->faults_mutex, NULL);
  nvml->latency = options->latency;
  nvml->faults = plan;
  nvml->trace = options->trace;
  nvml->unprivileged = options->unprivileged;
  *ret_nvml = TAKE(nvml);
  return 0;
}

void sim_nvml_free(SimNvml *nvml) {
  if (!nvml)
    return;
  sim_event_sets_end(nvml);
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

static const char *non_empty(const char *name) {
  const char *value = getenv(name);
  return value && *value ? value : NULL;
}

static int read_latency(double *ret_latency, Error *err) {
  const char *text = non_empty("FACET_SIM_NVML_LATENCY");
  if (!text) {
    *ret_latency = SIM_LATENCY_OF_MACHINE;
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

static int read_privilege(bool *ret_unprivileged, Error *err) {
  const char *text = non_empty("FACET_SIM_NVML_PRIVILEGED");
  *ret_unprivileged = text && (strcmp(text, "no") == 0 || (strcmp(text, "root") == 0 && geteuid() != 0));
  if (!text || *ret_unprivileged || strcmp(text, "yes") == 0 || strcmp(text, "root") == 0)
    return 0;
  return error_set(err, ERROR_INVALID, "FACET_SIM_NVML_PRIVILEGED is \"%.40s\": none of yes, no and root",
                   text);
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
  int result = read_privilege(&environment->options.unprivileged, err);
  return result < 0 ? result : read_latency(&environment->options.latency, err);
}
