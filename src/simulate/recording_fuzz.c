/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer target for recorded loads, and for the lists of GPUs and profiles: what is read keeps its limits.
 */
#include "simulate/recording.h"

#include "simulate/fleet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_recording(const char *text, size_t size) {
  CLEANUP(simulate_recording_deinit) SimulateRecording recording = {0};
  Error err;
  if (simulate_recording_parse(text, size, &mig_model_find("A100-80GB")->model, &recording, &err) < 0) {
    assert(*err.text);
    return;
  }
  const SimulateLoad *load = &recording.load;
  assert(load->jobs.count > 0 && load->jobs.items[0].arrival_ms == 0);
  for (size_t i = 0; i < load->jobs.count; i++) {
    const SimulateJob *job = &load->jobs.items[i];
    const SimulateClass *request = &load->classes.items[job->class_];
    assert(job->duration_ms >= 0 && job->duration_ms <= SIMULATE_TIME_MAX_S * 1000L);
    assert(request->kind < load->kind_count && request->count > 0 &&
           request->count <= SIMULATE_JOB_SLICES_MAX);
    assert(i == 0 || job->arrival_ms >= load->jobs.items[i - 1].arrival_ms);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  CLEANUP(cleanup_free) char *text = mem_strndup((const char *)data, size);
  CLEANUP(simulate_fleet_deinit) SimulateFleet fleet = {0};
  SimulateMix mix;
  Error err;
  check_recording((const char *)data, size);
  if (size < 64 && simulate_fleet_parse(text, &fleet, &err) == 0)
    assert(fleet.gpus.count > 0 && fleet.slot_count > 0);
  if (simulate_mix_parse(text, &mix, &err) == 0)
    assert(mix.count > 0 && simulate_mix_total(&mix) > 0);
  return 0;
}
