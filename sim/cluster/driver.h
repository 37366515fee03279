/* SPDX-License-Identifier: Apache-2.0 */
/* The driver seam over the simulated NVML of one machine, without a worker's pipes: a job is carried out when
 * it is submitted, and its result comes by the host's timers after the time that a real driver would have
 * taken. */
#pragma once

#include "base/host.h"
#include "gpu/driver.h"
#include "sim/cluster/driver_fault.h"
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
/* Hears of each job that was carried out, before the agent does. At most one listener. */
void sim_driver_listen(SimDriver *driver, void (*on_job)(void *userdata), void *userdata);

/* Faults. */
void sim_driver_fail(SimDriver *driver, const SimDriverFault *fault); /* in the place of the one before */
void sim_driver_lose_gpu(SimDriver *driver, int index);               /* -1: all are there again */
/* All instances are gone; a reboot also forgets the MIG mode where only memory holds it. */
void sim_driver_reset(SimDriver *driver, bool reboot);
/* May there be GPU instances without compute instances, for which no program can be blamed? */
bool sim_driver_left_half(const SimDriver *driver);
/* As nvidia-smi does: at once, without faults, and nobody is told. */
void sim_driver_run_by_hand(SimDriver *driver, const GpuJob *job, GpuResult *ret_result);
/* Its state, for those who check it. */
int sim_driver_load(SimDriver *driver, SimState *ret_state, Error *err) MUST_CHECK;
