/* SPDX-License-Identifier: Apache-2.0 */
/* A simulated NVIDIA driver. libnvidia-ml.so.1 built from it is what programs load in the place of NVIDIA's;
 * this header is for using the same code within a process: the demo, unit tests, the facet-sim-nvml command.
 *
 *     sim_nvml_new(&(SimNvmlOptions){.machine = "A100-SXM4-80GB"}, &nvml, &err);
 *     sim_nvml_use(nvml);
 *     __typeof__(nvmlInit_v2) *init = sim_nvml_symbol("nvmlInit_v2"); */
#pragma once

#include "sim/nvml/state.h"

#define SIM_NVML_DRIVER_VERSION "550.163.01" /* where none is asked for and no GPU needs a newer one */

typedef struct SimNvml SimNvml;
typedef void SimSleep(void *userdata, uint32_t milliseconds);

#define SIM_LATENCY_OF_MACHINE (-1.0) /* as the machine's options say */

typedef struct SimNvmlOptions {
  const char *machine;   /* "2xA100-SXM4-80GB,A30:mig=off", see sim_state_parse_machine; NULL: the folder's */
  const SimState *state; /* in the place of `machine`, whole but for driver and seed; NULL: none */
  const char *folder;    /* of the shared state, made where it is missing; NULL: in memory, with `machine` */
  bool renew;            /* start afresh with `machine` where the folder has a state already */
  const char *driver_version; /* of a new state, see sim_driver_parse; NULL: sim_driver_choose */
  uint64_t seed;              /* of a new state's UUIDs; 0: from the folder's path */
  double latency;             /* factor on the times that a real driver takes; 0: none; or what follows */
  bool trace;                 /* each call in a line on stderr */
  bool unprivileged;          /* the caller may neither list nor change instances */
  const char *faults; /* a fault plan for this process alone, see fault.h, ';' between faults; NULL: none */
} SimNvmlOptions;

/* ERROR_NOT_FOUND: neither machine nor state; ERROR_UNSUPPORTED: unknown model; ERROR_PROTOCOL: broken state
 * file. */
int sim_nvml_new(const SimNvmlOptions *options, SimNvml **ret_nvml, Error *err) MUST_CHECK;
void sim_nvml_free(SimNvml *nvml); /* NULL is fine; must not be in use */
DEFINE_CLEANUP(SimNvml, sim_nvml_free)

/* How changes pass their time; the default sleeps. Also called, with the whole timeout, by event waits. */
void sim_nvml_set_sleep(SimNvml *nvml, SimSleep *sleep, void *userdata);
/* The nvml* functions of this process work on it from now on; NULL: on what the environment describes. The
 * caller keeps it alive. Reference counts of nvmlInit are its own. */
void sim_nvml_use(SimNvml *nvml);
/* The function of NVML with this name, or NULL: dlsym for the simulator inside this executable. */
void *sim_nvml_symbol(const char *name);
/* The names it knows, sorted; NULL behind the last. */
const char *sim_nvml_symbol_name(int index);

int sim_nvml_load(SimNvml *nvml, SimState *ret_state, Error *err) MUST_CHECK;
/* A GPU reset, or a reboot, of the whole machine (sim_state_reset). */
int sim_nvml_reset(SimNvml *nvml, bool reboot, Error *err) MUST_CHECK;

/* So many processes are to be seen on this MIG device; ERROR_NOT_FOUND where there is no such device. */
int sim_nvml_set_processes(SimNvml *nvml, const char *mig_uuid, uint8_t count, Error *err) MUST_CHECK;

/* A process is on the GPU or instance from now on, until it is detached; see sim_state_attach. */
int sim_nvml_attach(SimNvml *nvml, const SimClient *client, Error *err) MUST_CHECK;
int sim_nvml_detach(SimNvml *nvml, uint32_t pid, Error *err) MUST_CHECK;
/* Where a process is attached, from "0", "0/13", "0/13/0" or a UUID; the rest of the client stays. */
int sim_nvml_find_place(SimNvml *nvml, const char *place, SimClient *client, Error *err) MUST_CHECK;
/* See options.h. */
int sim_nvml_set_option(SimNvml *nvml, const char *name, const char *value, Error *err) MUST_CHECK;

/* One more fault in the machine's plan, as text (fault.h): shared by all processes where there is a folder.
 * ERROR_INVALID where it makes no sense. */
int sim_nvml_add_fault(SimNvml *nvml, const char *text, Error *err) MUST_CHECK;
int sim_nvml_clear_faults(SimNvml *nvml, Error *err) MUST_CHECK;
/* An Xid event on a GPU, or on one of its instances; gi_id and ci_id -1: the whole GPU. */
int sim_nvml_post_xid(SimNvml *nvml, unsigned gpu_index, uint64_t xid, int gi_id, int ci_id,
                      Error *err) MUST_CHECK;
/* The GPU falls off the bus: GPU_IS_LOST from whatever is about it, until a reset or reboot, and Xid 79. */
enum { SIM_XID_LOST = 79 };
int sim_nvml_lose_gpu(SimNvml *nvml, unsigned gpu_index, Error *err) MUST_CHECK;

/* What libnvidia-ml.so.1 reads at nvmlInit:
 *
 *     FACET_SIM_NVML_STATE    the folder; default $XDG_RUNTIME_DIR/facet-sim-nvml, or in /tmp with the uid
 *     FACET_SIM_NVML_MACHINE  the machine, for a folder without state
 *     FACET_SIM_NVML_DRIVER   the driver's version, likewise
 *     FACET_SIM_NVML_LATENCY  0, 1 or a factor; default: the machine's, which is usually 1
 *     FACET_SIM_NVML_FAULTS   a fault plan for this process */
typedef struct SimNvmlEnvironment {
  char folder[4096];
  SimNvmlOptions options; /* points into `folder` and the environment */
} SimNvmlEnvironment;
int sim_nvml_read_environment(SimNvmlEnvironment *ret_environment, Error *err) MUST_CHECK;
