/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_fixture.h"

#include "agent/service.h"

static GpuResult stuck(int gpu, ErrorCode code) {
  GpuResult result = {.stuck_gpu = (uint32_t)gpu + 1};
  error_set(&result.err, code, "no");
  return result;
}

static bool note(AgentService *service, int gpu, ErrorCode code, uint64_t now_ms) {
  CLEANUP(cleanup_free) GpuResult *result = mem_alloc(sizeof *result);
  *result = stuck(gpu, code);
  return agent_service_note(service, result, now_ms);
}

static void a_gpu_on_which_nvml_hangs_is_set_aside_and_tried_ever_more_rarely(void **state) {
  AgentService service = {0};
  uint64_t now_ms = 1000;
  for (uint64_t delay_ms = AGENT_SERVICE_PROBE_MS; delay_ms <= AGENT_SERVICE_PROBE_MAX_MS; delay_ms *= 2) {
    assert_true(note(&service, 2, ERROR_TIMEOUT, now_ms));
    assert_int_equal(agent_service_skip(&service, now_ms + delay_ms - 1), 4);
    assert_int_equal(agent_service_skip(&service, now_ms + delay_ms), 0);
    now_ms += delay_ms;
  }
  for (int i = 0; i < 2; i++) {
    assert_true(note(&service, 2, ERROR_TIMEOUT, now_ms));
    assert_int_equal(agent_service_skip(&service, now_ms + AGENT_SERVICE_PROBE_MAX_MS), 0);
  }
}

static void a_worker_that_dies_once_is_no_reason(void **state) {
  AgentService service = {0};
  assert_false(note(&service, 0, ERROR_UNAVAILABLE, 0));
  assert_int_equal(agent_service_skip(&service, 0), 0);
  assert_true(note(&service, 0, ERROR_UNAVAILABLE, 0));
  assert_int_equal(agent_service_skip(&service, 0), 1);
}

static void other_failures_and_unknown_gpus_set_none_aside(void **state) {
  AgentService service = {0};
  assert_false(note(&service, 0, ERROR_GPU, 0));
  assert_false(note(&service, -1, ERROR_TIMEOUT, 0));
  assert_false(note(&service, GPU_COUNT_MAX, ERROR_TIMEOUT, 0));
  assert_int_equal(agent_service_skip(&service, 0), 0);
}

static void while_a_worker_cannot_be_killed_nothing_is_tried(void **state) {
  AgentService service = {0};
  CLEANUP(cleanup_free) GpuResult *result = mem_alloc(sizeof *result);
  *result = stuck(1, ERROR_TIMEOUT);
  result->stuck_count = 1;
  assert_true(agent_service_note(&service, result, 0));
  assert_int_equal(agent_service_skip(&service, AGENT_SERVICE_PROBE_MAX_MS), 2);
  *result = (GpuResult){.observed = true};
  assert_false(agent_service_note(&service, result, 0));
  assert_int_equal(agent_service_skip(&service, AGENT_SERVICE_PROBE_MAX_MS), 0);
}

/* What a look shows of a GPU that cannot be read. */
static void fail_to_read(GpuObserved *gpu, bool is_lost) {
  *gpu = (GpuObserved){.index = gpu->index, .is_lost = is_lost, .trouble = "no"};
}

static void a_gpu_that_cannot_be_read_keeps_what_it_held_and_goes_at_the_second_look(void **state) {
  Fixture *f = *state;
  AgentService service = {0};
  CLEANUP(cleanup_free) GpuObservation *before = mem_alloc(sizeof *before);
  observe(f, "A100-80GB", "1g.10gb@6");
  observe(f, "A100-80GB", "1g.10gb@5");
  agent_service_judge(&service, NULL, f->observation);
  for (int look = 1; look <= 3; look++) {
    *before = *f->observation;
    fail_to_read(&f->observation->gpus[0], false);
    agent_service_judge(&service, before, f->observation);
    const GpuObserved *gpu = &f->observation->gpus[0];
    assert_string_equal(gpu->uuid, "GPU-0");
    assert_int_equal(gpu->instance_count, 1);
    assert_string_equal(gpu->trouble, "no");
    assert_int_equal(gpu->is_out_of_service, look >= AGENT_SERVICE_BAD_LOOKS);
    assert_false(f->observation->gpus[1].is_out_of_service);
  }
  *f->observation = *before;
  f->observation->gpus[0].trouble[0] = '\0';
  f->observation->gpus[0].is_out_of_service = false;
  agent_service_judge(&service, before, f->observation);
  assert_false(f->observation->gpus[0].is_out_of_service);
}

static void a_lost_gpu_goes_at_once(void **state) {
  Fixture *f = *state;
  AgentService service = {0};
  CLEANUP(cleanup_free) GpuObservation *before = mem_alloc(sizeof *before);
  observe(f, "A100-80GB", "1g.10gb@6");
  *before = *f->observation;
  fail_to_read(&f->observation->gpus[0], true);
  agent_service_judge(&service, before, f->observation);
  assert_true(f->observation->gpus[0].is_out_of_service);
  assert_int_equal(f->observation->gpus[0].instance_count, 1);
}

/* The driver tells the profiles of a new model only once MIG mode is on: it is still a whole GPU to offer. */
static void a_gpu_without_mig_mode_needs_no_profiles(void **state) {
  Fixture *f = *state;
  AgentService service = {0};
  GpuObserved *gpu = observe(f, "A100-80GB", "");
  gpu->mode = MIG_MODE_OFF;
  snprintf(gpu->trouble, sizeof gpu->trouble, "MIG is off, and facet's table does not know it");
  for (int look = 0; look < 5; look++) {
    agent_service_judge(&service, NULL, f->observation);
    assert_false(gpu->is_out_of_service);
    assert_true(agent_service_is_readable(gpu));
  }
}

static void another_gpu_at_its_index_takes_nothing_over(void **state) {
  Fixture *f = *state;
  AgentService service = {0};
  CLEANUP(cleanup_free) GpuObservation *before = mem_alloc(sizeof *before);
  observe(f, "A100-80GB", "1g.10gb@6");
  *before = *f->observation;
  fail_to_read(&f->observation->gpus[0], false);
  snprintf(f->observation->gpus[0].uuid, MIG_UUID_SIZE, "GPU-new");
  agent_service_judge(&service, before, f->observation);
  assert_string_equal(f->observation->gpus[0].uuid, "GPU-new");
  assert_int_equal(f->observation->gpus[0].instance_count, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_gpu_on_which_nvml_hangs_is_set_aside_and_tried_ever_more_rarely),
      cmocka_unit_test(a_worker_that_dies_once_is_no_reason),
      cmocka_unit_test(other_failures_and_unknown_gpus_set_none_aside),
      cmocka_unit_test(while_a_worker_cannot_be_killed_nothing_is_tried),
      FIXTURE_TEST(a_gpu_that_cannot_be_read_keeps_what_it_held_and_goes_at_the_second_look),
      FIXTURE_TEST(a_lost_gpu_goes_at_once),
      FIXTURE_TEST(a_gpu_without_mig_mode_needs_no_profiles),
      FIXTURE_TEST(another_gpu_at_its_index_takes_nothing_over),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
