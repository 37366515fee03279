/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cluster/driver.h"

#include "base/memory.h"
#include "gpu/nvml.h"

#include <assert.h>

struct SimDriver {
  GpuDriver seam; /* first: the seam's pointer is the driver's */
  Host *host;
  SimNvml *machine;
  GpuNvml *nvml; /* NULL: not opened yet */
  HostTimer timer;
  uint64_t worked_ms; /* on the current job, in the machine's time */
  GpuOnResult *on_result;
  void *userdata;
  GpuResult result;
};

static void pass_time(void *userdata, uint32_t milliseconds) {
  SimDriver *driver = userdata;
  driver->worked_ms += milliseconds;
}

static uint64_t now_ms(void *userdata) {
  const SimDriver *driver = userdata;
  return driver->host->now_ms + driver->worked_ms;
}

static void *resolve(void *userdata, const char *name) {
  return sim_nvml_symbol(name);
}

/* The simulated functions work on one machine of the process at a time. */
static int open_nvml(SimDriver *driver, Error *err) {
  sim_nvml_use(driver->machine);
  if (driver->nvml)
    return 0;
  int result = gpu_nvml_open_with(resolve, driver, &driver->nvml, err);
  if (result < 0)
    return result;
  gpu_nvml_set_clock(driver->nvml,
                     &(GpuNvmlClock){.now_ms = now_ms, .sleep_ms = pass_time, .userdata = driver});
  return 0;
}

static void close_nvml(SimDriver *driver) {
  sim_nvml_use(driver->machine);
  if (driver->nvml)
    gpu_nvml_close(TAKE(driver->nvml));
  sim_nvml_use(NULL);
}

static void on_timer(void *userdata) {
  SimDriver *driver = userdata;
  GpuOnResult *on_result = TAKE(driver->on_result);
  on_result(driver->userdata, &driver->result);
}

static void submit(GpuDriver *seam, const GpuJob *job, GpuOnResult *on_result, void *userdata) {
  SimDriver *driver = (SimDriver *)seam;
  assert(!driver->on_result);
  driver->on_result = on_result;
  driver->userdata = userdata;
  driver->worked_ms = 0;
  Error err;
  if (open_nvml(driver, &err) < 0)
    driver->result = (GpuResult){.err = err};
  else
    gpu_nvml_run(driver->nvml, job, &driver->result);
  sim_nvml_use(NULL);
  timer_set(driver->host, &driver->timer, driver->worked_ms ? driver->worked_ms : 1);
}

int sim_driver_new(Host *host, const char *machine, uint64_t seed, double latency, SimDriver **ret_driver,
                   Error *err) {
  CLEANUP(sim_driver_freep) SimDriver *driver = mem_alloc(sizeof *driver);
  driver->seam.submit = submit;
  driver->host = host;
  driver->timer = (HostTimer){.fire = on_timer, .userdata = driver};
  int result = sim_nvml_new(&(SimNvmlOptions){.machine = machine, .seed = seed, .latency = latency},
                            &driver->machine, err);
  if (result < 0)
    return result;
  sim_nvml_set_sleep(driver->machine, pass_time, driver);
  *ret_driver = TAKE(driver);
  return 0;
}

void sim_driver_free(SimDriver *driver) {
  if (!driver)
    return;
  sim_driver_abandon(driver);
  sim_nvml_free(driver->machine);
  free(driver);
}

GpuDriver *sim_driver_seam(SimDriver *driver) {
  return &driver->seam;
}

void sim_driver_abandon(SimDriver *driver) {
  timer_cancel(driver->host, &driver->timer);
  driver->on_result = NULL;
  if (driver->nvml)
    close_nvml(driver);
}

int sim_driver_load(SimDriver *driver, SimState *ret_state, Error *err) {
  return sim_nvml_load(driver->machine, ret_state, err);
}
