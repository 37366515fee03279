/* SPDX-License-Identifier: Apache-2.0 */
/* The driver seam over the simulated NVML of one machine, without a worker process: a job is carried out when
 * it is submitted, and its result comes by the host's timers after the time that a real driver would have
 * taken. */
#pragma once

#include "base/host.h"
#include "gpu/driver.h"
#include "sim/nvml/sim_nvml.h"

typedef struct SimDriver SimDriver;

/* machine: "2xA100-SXM4-80GB"; latency: factor on real times. */
int sim_driver_new(Host *host, const char *machine, uint64_t seed, double latency, SimDriver **ret_driver,
                   Error *err) MUST_CHECK;
void sim_driver_free(SimDriver *driver);
DEFINE_CLEANUP(SimDriver, sim_driver_free)
GpuDriver *sim_driver_seam(SimDriver *driver);
/* The agent is gone, and its worker with it: no result comes any more. The machine stays as it is. */
void sim_driver_abandon(SimDriver *driver);
/* The machine itself, for those who check it. */
int sim_driver_load(SimDriver *driver, SimState *ret_state, Error *err) MUST_CHECK;
