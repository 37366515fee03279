/* SPDX-License-Identifier: Apache-2.0 */
/* The driver seam over the simulated NVML of one machine, without a worker's pipes: a job is carried out when
 * it is submitted, and its result comes by the host's timers after the time that a real driver would have
 * taken. */
#pragma once

#include "base/host.h"
#include "gpu/driver.h"
#include "sim/nvml/sim_nvml.h"

typedef struct SimDriver SimDriver;

typedef struct SimDriverOptions {
  const char *machine; /* "2xA100-SXM4-80GB" */
  uint64_t seed;
  double latency;     /* factor on real times */
  const char *folder; /* of the machine's state. Then each job runs in a process of its own, as in the real
                         worker, and a fault plan may kill it. NULL: in memory, in this process */
} SimDriverOptions;

int sim_driver_new(Host *host, const SimDriverOptions *options, SimDriver **ret_driver,
                   Error *err) MUST_CHECK;
void sim_driver_free(SimDriver *driver);
DEFINE_CLEANUP(SimDriver, sim_driver_free)
GpuDriver *sim_driver_seam(SimDriver *driver);
/* The agent is gone, and its worker with it: no result comes any more. The machine stays as it is. */
void sim_driver_abandon(SimDriver *driver);
/* How often the process of a job died. on_death: called in the place of its result; NULL: the agent is told.
 */
int sim_driver_deaths(const SimDriver *driver);
void sim_driver_on_death(SimDriver *driver, void (*on_death)(void *userdata), void *userdata);
/* The machine itself, for those who check it or want something to go wrong. */
SimNvml *sim_driver_machine(SimDriver *driver);
int sim_driver_load(SimDriver *driver, SimState *ret_state, Error *err) MUST_CHECK;
