/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_fixture.h"

#include "agent/health.h"
#include "base/host.h"

enum { NOW_MS = 1000 };

/* On the first GPU. */
static bool strike(AgentHealth *health, const Fixture *f, uint64_t xid, int instance_id, uint64_t now_ms) {
  const GpuXid event = {.uuid = "GPU-0", .xid = xid, .instance_id = instance_id};
  return agent_health_note(health, f->observation, &event, now_ms) != NULL;
}

static const char *words(const AgentHealth *health, uint64_t now_ms) {
  static char words[ERROR_TEXT_SIZE];
  CLEANUP(text_deinit) Text text = {0};
  agent_health_append(health, now_ms, &text);
  snprintf(words, sizeof words, "%s", text_string(&text));
  return words;
}

static void errors_of_programs_and_those_that_are_ignored_count_for_nothing(void **state) {
  static const uint64_t of_programs[] = {13, 31, 43, 45, 68, 109};
  CLEANUP(agent_health_deinit) AgentHealth health = {0};
  Error err = {0};
  for (size_t i = 0; i < COUNT_OF(of_programs); i++)
    assert_false(agent_health_is_critical(&health, of_programs[i]));
  assert_true(agent_health_is_critical(&health, 48));
  assert_ok(agent_health_parse(&health, "48,79", &err));
  assert_false(agent_health_is_critical(&health, 48));
  assert_false(agent_health_is_critical(&health, 79));
  assert_true(agent_health_is_critical(&health, 74));
}

static void all_errors_can_be_ignored(void **state) {
  static const char *const words_for_all[] = {"all", "xids"};
  for (size_t i = 0; i < COUNT_OF(words_for_all); i++) {
    AgentHealth health = {0};
    Error err = {0};
    assert_ok(agent_health_parse(&health, words_for_all[i], &err));
    assert_false(agent_health_is_critical(&health, 79));
  }
}

static void other_words_are_refused(void **state) {
  static const char *const bad[] = {"none", "13;31", "-1", "13,,31", " 13"};
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    AgentHealth health = {0};
    Error err = {0};
    CLEANUP(cleanup_free)
    char *text = mem_format(
        "health checks to disable are \"all\", \"xids\" or up to 64 numbers such as \"13,31\", not "
        "\"%s\"",
        bad[i]);
    assert_int_equal(agent_health_parse(&health, bad[i], &err), -ERROR_INVALID);
    assert_string_equal(err.text, text);
  }
}

static void as_many_numbers_as_fit_and_no_more(void **state) {
  CLEANUP(text_deinit) Text text = {0};
  for (int i = 0; i < AGENT_XIDS_MAX; i++)
    text_format(&text, "%s%d", i ? "," : "", 200 + i);
  AgentHealth health = {0};
  Error err = {0};
  assert_ok(agent_health_parse(&health, text_string(&text), &err));
  text_append(&text, ",7");
  health = (AgentHealth){0};
  assert_int_equal(agent_health_parse(&health, text_string(&text), &err), -ERROR_INVALID);
}

static void an_error_of_a_slice_strikes_that_slice(void **state) {
  Fixture *f = *state;
  CLEANUP(agent_health_deinit) AgentHealth health = {0};
  GpuObserved *gpu = observe(f, "A100-80GB", "1g.10gb@6 1g.10gb@5"); /* GPU instances 1 and 2 */
  assert_true(strike(&health, f, 94, 2, NOW_MS));
  assert_true(agent_health_apply(&health, f->observation, NOW_MS));
  assert_false(gpu->is_sick);
  assert_false(gpu->instances[0].is_sick);
  assert_true(gpu->instances[1].is_sick);
  assert_false(agent_health_apply(&health, f->observation, NOW_MS)); /* nothing new */
  assert_string_equal(words(&health, NOW_MS), "Xid 94 struck the slice at slot 5 of GPU 0: out of service");
}

static void an_error_without_a_slice_strikes_the_gpu(void **state) {
  Fixture *f = *state;
  CLEANUP(agent_health_deinit) AgentHealth health = {0};
  GpuObserved *gpu = observe(f, "A100-80GB", "1g.10gb@6");
  observe(f, "A100-80GB", "1g.10gb@6");
  assert_true(strike(&health, f, 79, -1, NOW_MS));
  assert_true(agent_health_apply(&health, f->observation, NOW_MS));
  assert_true(gpu->is_sick);
  assert_true(gpu->instances[0].is_sick);
  assert_false(f->observation->gpus[1].is_sick);
  assert_string_equal(words(&health, NOW_MS), "Xid 79 struck GPU 0: out of service");
}

static void it_is_well_again_after_a_quiet_time_that_doubles(void **state) {
  Fixture *f = *state;
  CLEANUP(agent_health_deinit) AgentHealth health = {0};
  observe(f, "A100-80GB", "1g.10gb@6");
  uint64_t now_ms = NOW_MS;
  for (uint64_t sick_ms = AGENT_SICK_MS; sick_ms < AGENT_SICK_MAX_MS; sick_ms *= 2) {
    assert_true(strike(&health, f, 94, 1, now_ms));
    assert_int_equal(agent_health_wake_ms(&health, now_ms), now_ms + sick_ms);
    assert_true(agent_health_apply(&health, f->observation, now_ms + sick_ms - 1));
    now_ms += sick_ms;
    assert_true(agent_health_apply(&health, f->observation, now_ms));
    assert_string_equal(words(&health, now_ms), "");
    assert_true(agent_health_wake_ms(&health, now_ms) == HOST_NEVER);
  }
  assert_true(strike(&health, f, 94, 1, now_ms));
  assert_int_equal(agent_health_wake_ms(&health, now_ms), now_ms + AGENT_SICK_MAX_MS);
}

static void an_error_of_a_gpu_or_slice_that_is_not_there_strikes_nothing(void **state) {
  Fixture *f = *state;
  CLEANUP(agent_health_deinit) AgentHealth health = {0};
  assert_false(strike(&health, f, 79, -1, NOW_MS));
  observe(f, "A100-80GB", "1g.10gb@6");
  assert_false(strike(&health, f, 94, 9, NOW_MS));
  assert_int_equal(health.count, 0);
}

static void no_more_places_than_the_limit_are_remembered(void **state) {
  Fixture *f = *state;
  CLEANUP(agent_health_deinit) AgentHealth health = {0};
  GpuObserved *gpu = observe(f, "A100-80GB", "1g.10gb@6");
  for (int i = 0; i < AGENT_SICK_MAX + 5; i++) {
    GpuXid event = {.xid = 79, .instance_id = -1};
    snprintf(gpu->uuid, sizeof gpu->uuid, "GPU-%d", i);
    snprintf(event.uuid, sizeof event.uuid, "GPU-%d", i);
    assert_non_null(agent_health_note(&health, f->observation, &event, NOW_MS));
  }
  assert_int_equal(health.sick.count, AGENT_SICK_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(errors_of_programs_and_those_that_are_ignored_count_for_nothing),
      cmocka_unit_test(all_errors_can_be_ignored),
      cmocka_unit_test(other_words_are_refused),
      cmocka_unit_test(as_many_numbers_as_fit_and_no_more),
      FIXTURE_TEST(an_error_of_a_slice_strikes_that_slice),
      FIXTURE_TEST(an_error_without_a_slice_strikes_the_gpu),
      FIXTURE_TEST(it_is_well_again_after_a_quiet_time_that_doubles),
      FIXTURE_TEST(an_error_of_a_gpu_or_slice_that_is_not_there_strikes_nothing),
      FIXTURE_TEST(no_more_places_than_the_limit_are_remembered),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
