/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "controller/memory.h"

#include "cluster/test_objects.h"
#include "plan/fill.h"

enum { NOW = 1000000 };

/* A node with these annotation values; NULL: absent. */
static Node node_with(KeyValue annotations[3], const char *spec, const char *status, const char *error) {
  size_t count = 0;
  if (error)
    annotations[count++] = (KeyValue){MIG_ANNOTATION_ERROR, error};
  if (spec)
    annotations[count++] = (KeyValue){MIG_ANNOTATION_SPEC_PLAN, spec};
  if (status)
    annotations[count++] = (KeyValue){MIG_ANNOTATION_STATUS_PLAN, status};
  return (Node){.meta = {.name = "n1", .annotations = {.items = annotations, .count = count}}};
}

static uint64_t judge(ControllerMemory *memory, const char *spec, const char *status, const char *error,
                      uint64_t now_ms) {
  KeyValue annotations[3];
  Node node = node_with(annotations, spec, status, error);
  return controller_memory_judge_node(memory, &node, now_ms);
}

static const char *hold_of(const ControllerMemory *memory) {
  return controller_memory_find_hold(memory, "n1");
}

/* ---- how nodes answer ---- */

static void a_node_that_was_told_nothing_is_open(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  assert_null(hold_of(&memory));
  assert_true(judge(&memory, NULL, NULL, NULL, NOW) == UINT64_MAX);
  assert_null(hold_of(&memory));
}

static void an_error_without_a_plan_holds_nothing(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  assert_true(judge(&memory, NULL, NULL, "no GPU", NOW) == UINT64_MAX);
  assert_null(hold_of(&memory));
}

static void a_node_has_30_seconds_to_answer(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  assert_true(judge(&memory, "p2", "p1", NULL, NOW) == NOW + CONTROLLER_ANSWER_MS);
  assert_null(hold_of(&memory));
  assert_true(judge(&memory, "p2", "p1", NULL, NOW + CONTROLLER_ANSWER_MS - 1) == NOW + CONTROLLER_ANSWER_MS);
  assert_null(hold_of(&memory));
  assert_true(judge(&memory, "p2", "p1", NULL, NOW + CONTROLLER_ANSWER_MS) == UINT64_MAX);
  assert_string_equal(hold_of(&memory),
                      "node n1 has not answered plan p2 for 30 s; is the facet agent running there?");
}

static void what_the_agent_says_meanwhile_is_passed_on(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  judge(&memory, "p1", NULL, NULL, NOW);
  judge(&memory, "p1", NULL, "the driver hangs", NOW + CONTROLLER_ANSWER_MS);
  assert_string_equal(hold_of(&memory),
                      "node n1 has not answered plan p1 for 30 s; its agent says: the driver hangs");
}

static void a_late_answer_opens_the_node(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  judge(&memory, "p1", NULL, NULL, NOW);
  judge(&memory, "p1", NULL, NULL, NOW + 100000);
  assert_non_null(hold_of(&memory));
  assert_true(judge(&memory, "p1", "p1", NULL, NOW + 100001) == UINT64_MAX);
  assert_null(hold_of(&memory));
}

static void another_plan_starts_the_clock_again(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  judge(&memory, "p1", NULL, NULL, NOW);
  assert_true(judge(&memory, "p2", NULL, NULL, NOW + 20000) == NOW + 20000 + CONTROLLER_ANSWER_MS);
  judge(&memory, "p2", NULL, NULL, NOW + 40000);
  assert_null(hold_of(&memory));
}

static void the_same_plan_told_again_after_an_answer_is_waited_for_afresh(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  judge(&memory, "p1", NULL, NULL, NOW);
  judge(&memory, "p1", "p1", NULL, NOW + 10);
  assert_true(judge(&memory, "p1", NULL, NULL, NOW + 60000) == NOW + 60000 + CONTROLLER_ANSWER_MS);
}

static void a_failed_node_rests_with_its_own_words_as_the_reason(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  assert_true(judge(&memory, "p1", "p1", "GPU 0 is broken", NOW) == NOW + CONTROLLER_RETRY_FIRST_MS);
  assert_string_equal(hold_of(&memory),
                      "node n1 could not carry out its last plan and is given time: GPU 0 is broken");
  assert_true(judge(&memory, "p1", "p1", "GPU 0 is broken", NOW + CONTROLLER_RETRY_FIRST_MS - 1) ==
              NOW + CONTROLLER_RETRY_FIRST_MS);
  assert_non_null(hold_of(&memory));
  assert_true(judge(&memory, "p1", "p1", "GPU 0 is broken", NOW + CONTROLLER_RETRY_FIRST_MS) == UINT64_MAX);
  assert_null(hold_of(&memory));
}

static void the_rest_after_a_failure_doubles_up_to_its_limit(void **state) {
  static const uint64_t rests_ms[] = {5000, 10000, 20000, 40000, 80000, 160000, 300000, 300000, 300000};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  uint64_t now_ms = NOW;
  for (size_t i = 0; i < COUNT_OF(rests_ms); i++) {
    char plan[16];
    snprintf(plan, sizeof plan, "p%zu", i);
    judge(&memory, plan, "before", NULL, now_ms); /* written, not answered yet */
    now_ms += 100;
    assert_true(judge(&memory, plan, plan, "broken", now_ms) == now_ms + rests_ms[i]);
    now_ms += rests_ms[i];
  }
}

static void a_success_ends_the_row_of_failures(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  judge(&memory, "p1", "p1", "broken", NOW);
  judge(&memory, "p2", "p2", "broken", NOW);
  judge(&memory, "p3", "p3", NULL, NOW);
  assert_null(hold_of(&memory));
  assert_true(judge(&memory, "p4", "p4", "broken", NOW) == NOW + CONTROLLER_RETRY_FIRST_MS);
}

static void an_unanswered_plan_does_not_end_the_row_of_failures(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  judge(&memory, "p1", "p1", "broken", NOW);
  judge(&memory, "p2", "p1", "broken", NOW + 5000);
  assert_null(hold_of(&memory));
  assert_true(judge(&memory, "p2", "p2", "broken", NOW + 6000) == NOW + 6000 + 2 * CONTROLLER_RETRY_FIRST_MS);
}

static void new_words_of_the_same_failure_are_no_second_failure(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  judge(&memory, "p1", "p1", "broken", NOW);
  assert_true(judge(&memory, "p1", "p1", "broken and hot", NOW + 10) == NOW + CONTROLLER_RETRY_FIRST_MS);
  assert_string_equal(hold_of(&memory),
                      "node n1 could not carry out its last plan and is given time: broken and hot");
}

/* ---- what the API server refuses ---- */

static void one_refused_write_is_the_guard_at_work_and_costs_nothing(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  judge(&memory, NULL, NULL, NULL, NOW);
  controller_memory_note_refused(&memory, "n1", "the test failed", NOW);
  assert_true(judge(&memory, NULL, NULL, NULL, NOW) == UINT64_MAX);
  assert_null(hold_of(&memory));
}

static void a_node_whose_writes_are_refused_in_a_row_rests_doubling(void **state) {
  static const uint64_t rests_ms[] = {5000, 10000, 20000};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  uint64_t now_ms = NOW;
  judge(&memory, NULL, NULL, NULL, now_ms);
  controller_memory_note_refused(&memory, "n1", "first", now_ms);
  for (size_t i = 0; i < COUNT_OF(rests_ms); i++) {
    controller_memory_note_refused(&memory, "n1", "too long", now_ms);
    assert_true(judge(&memory, NULL, NULL, NULL, now_ms) == now_ms + rests_ms[i]);
    assert_string_equal(hold_of(&memory), "the API server refuses to write the plan to node n1, which is "
                                          "given time: too long");
    now_ms += rests_ms[i];
    assert_true(judge(&memory, NULL, NULL, NULL, now_ms) == UINT64_MAX);
    assert_null(hold_of(&memory));
  }
}

static void a_write_that_succeeds_ends_the_row_of_refusals(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  judge(&memory, NULL, NULL, NULL, NOW);
  controller_memory_note_refused(&memory, "n1", "no", NOW);
  controller_memory_note_refused(&memory, "n1", "no", NOW);
  controller_memory_note_written(&memory, "n1");
  judge(&memory, NULL, NULL, NULL, NOW);
  assert_null(hold_of(&memory));
  controller_memory_note_refused(&memory, "n1", "no", NOW);
  judge(&memory, NULL, NULL, NULL, NOW);
  assert_null(hold_of(&memory));
}

static void what_the_node_says_is_told_before_what_the_server_says(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  judge(&memory, NULL, NULL, NULL, NOW);
  controller_memory_note_refused(&memory, "n1", "no", NOW);
  controller_memory_note_refused(&memory, "n1", "no", NOW);
  assert_true(judge(&memory, "p1", "p1", "broken", NOW) == NOW + CONTROLLER_RETRY_FIRST_MS);
  assert_string_equal(hold_of(&memory),
                      "node n1 could not carry out its last plan and is given time: broken");
}

static void of_a_node_that_owes_nothing_nothing_is_remembered(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  assert_true(judge(&memory, NULL, NULL, NULL, NOW) == UINT64_MAX);
  assert_true(judge(&memory, "p1", "p1", NULL, NOW) == UINT64_MAX);
  assert_int_equal(memory.nodes.count, 0);
  judge(&memory, "p2", "p1", NULL, NOW);
  assert_int_equal(memory.nodes.count, 1);
}

static void an_answer_about_a_node_that_is_gone_is_not_remembered(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  judge(&memory, "p1", NULL, NULL, NOW);
  controller_memory_forget_node(&memory, "n1");
  controller_memory_note_written(&memory, "n1");
  controller_memory_forget_node(&memory, "n1");
  assert_true(memory.nodes.count == 0);
}

/* ---- how often nodes are re-cut ---- */

static bool is_out(ControllerMemory *memory, int limit, uint64_t now_ms, uint64_t *wake_ms) {
  *wake_ms = UINT64_MAX;
  return controller_memory_is_recut_out(memory, "n1", limit, now_ms, wake_ms);
}

static void a_node_may_be_recut_so_often_in_a_minute(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  uint64_t wake_ms;
  assert_false(is_out(&memory, 2, NOW, &wake_ms));
  controller_memory_note_recut(&memory, "n1", NOW);
  assert_false(is_out(&memory, 2, NOW + 10, &wake_ms));
  controller_memory_note_recut(&memory, "n1", NOW + 10);
  assert_true(is_out(&memory, 2, NOW + 20, &wake_ms));
  assert_true(wake_ms == NOW + CONTROLLER_RECUT_SPAN_MS);
  assert_false(controller_memory_is_recut_out(&memory, "n2", 2, NOW + 20, &wake_ms));
  assert_false(is_out(&memory, 2, NOW + CONTROLLER_RECUT_SPAN_MS, &wake_ms));
  assert_true(wake_ms == UINT64_MAX);
}

static void without_a_limit_a_node_is_never_out(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  uint64_t wake_ms;
  for (int i = 0; i < 100; i++)
    controller_memory_note_recut(&memory, "n1", NOW);
  assert_false(is_out(&memory, 0, NOW, &wake_ms));
  assert_true(is_out(&memory, 100, NOW, &wake_ms));
  assert_false(is_out(&memory, 101, NOW, &wake_ms));
}

static void a_node_that_comes_back_begins_without_a_past(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  judge(&memory, "p1", "p1", "broken", NOW);
  controller_memory_forget_node(&memory, "n1");
  assert_null(hold_of(&memory));
  assert_true(judge(&memory, "p2", "p2", "broken", NOW) == NOW + CONTROLLER_RETRY_FIRST_MS);
}

/* ---- what pods are told ---- */

static const Pod pod = {.meta = {.name = "p", .namespace_ = "demo", .uid.text = "u1"}};

/* As the pass does: news is told. */
static bool tell(ControllerMemory *memory, bool triggered, const char *note, uint64_t now_ms,
                 uint64_t *wake_ms) {
  if (!controller_memory_is_news(memory, &pod, triggered, note, now_ms, wake_ms))
    return false;
  controller_memory_tell(memory, &pod, triggered, note, now_ms);
  return true;
}

static void the_same_words_are_told_once(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  uint64_t wake_ms = UINT64_MAX;
  assert_true(tell(&memory, false, "no room", NOW, &wake_ms));
  assert_false(tell(&memory, false, "no room", NOW, &wake_ms));
  assert_false(tell(&memory, false, "no room", NOW + 10 * CONTROLLER_REPEAT_MS, &wake_ms));
  assert_true(wake_ms == UINT64_MAX);
}

static void a_refusal_in_other_words_waits_and_says_until_when(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  uint64_t wake_ms = UINT64_MAX;
  tell(&memory, false, "no room", NOW, &wake_ms);
  assert_false(tell(&memory, false, "still no room", NOW + CONTROLLER_REPEAT_MS - 1, &wake_ms));
  assert_true(wake_ms == NOW + CONTROLLER_REPEAT_MS);
  assert_true(tell(&memory, false, "still no room", NOW + CONTROLLER_REPEAT_MS, &wake_ms));
}

static void an_earlier_wake_up_is_not_put_off(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  uint64_t wake_ms = NOW + 7;
  tell(&memory, false, "no room", NOW, &wake_ms);
  tell(&memory, false, "other", NOW + 1, &wake_ms);
  assert_true(wake_ms == NOW + 7);
}

static void help_is_told_at_once_and_so_is_its_end(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  uint64_t wake_ms = UINT64_MAX;
  assert_true(tell(&memory, false, "no room", NOW, &wake_ms));
  assert_true(tell(&memory, true, "on n1", NOW + 1, &wake_ms));
  assert_true(tell(&memory, true, "on n2", NOW + 2, &wake_ms));
  assert_true(tell(&memory, false, "no room", NOW + 3, &wake_ms));
  assert_true(wake_ms == UINT64_MAX);
}

static void what_a_pod_did_not_hear_is_news_again(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  uint64_t wake_ms = UINT64_MAX;
  tell(&memory, false, "no room", NOW, &wake_ms);
  controller_memory_untell(&memory, "u1");
  assert_false(tell(&memory, false, "no room", NOW + 1, &wake_ms));
  assert_true(wake_ms == NOW + CONTROLLER_REPEAT_MS);
  assert_true(tell(&memory, false, "no room", NOW + CONTROLLER_REPEAT_MS, &wake_ms));
  tell(&memory, true, "on n1", NOW + CONTROLLER_REPEAT_MS, &wake_ms);
  controller_memory_untell(&memory, "u1");
  assert_true(tell(&memory, true, "on n1", NOW + CONTROLLER_REPEAT_MS + 1, &wake_ms));
}

static void a_forgotten_pod_hears_everything_anew(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  uint64_t wake_ms = UINT64_MAX;
  tell(&memory, false, "no room", NOW, &wake_ms);
  controller_memory_forget_pod(&memory, "u1");
  assert_true(memory.told.count == 0);
  controller_memory_untell(&memory, "u1"); /* the answer came after the pod went */
  assert_true(memory.told.count == 0);
  assert_true(tell(&memory, false, "no room", NOW, &wake_ms));
}

static void a_pod_without_a_uid_is_told_nothing(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  const Pod nameless = {.meta = {.name = "p", .namespace_ = "demo"}};
  uint64_t wake_ms = UINT64_MAX;
  assert_false(controller_memory_is_news(&memory, &nameless, true, "on n1", NOW, &wake_ms));
}

/* ---- what was asked for ---- */

static void count(ControllerMemory *memory, const char *uid, Resource *items, size_t item_count) {
  const Pod object = {.meta = {.name = "p", .uid.text = uid}};
  const SnapshotSpec spec = {.requests = {.items = items, .count = item_count}};
  const SnapshotPod counted = {.object = &object, .spec = &spec};
  controller_memory_count_demand(memory, &counted);
}

static double weight_of(const ControllerMemory *memory, const char *profile) {
  for (size_t i = 0; i < memory->demand.count; i++)
    if (strcmp(memory->demand.items[i].profile, profile) == 0)
      return memory->demand.items[i].weight;
  return 0;
}

static void demand_counts_each_pod_once_and_slices_only(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  Resource asks[] = {{"cpu", 4000},
                     {"nvidia.com/gpu", 1},
                     {"nvidia.com/mig-1g.10gb", 2},
                     {"nvidia.com/mig-1g.10gb.me", 1},
                     {"nvidia.com/mig-nonsense", 5}};
  count(&memory, "u1", asks, COUNT_OF(asks));
  count(&memory, "u1", asks, COUNT_OF(asks));
  count(&memory, "u2", asks, 3);
  count(&memory, NULL, asks, 3);
  assert_true(memory.demand.count == 2);
  assert_float_equal(weight_of(&memory, "1g.10gb"), 4, 0);
  assert_float_equal(weight_of(&memory, "1g.10gb+me"), 1, 0);
}

static void a_forgotten_pod_keeps_its_demand_and_may_count_again(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  Resource asks[] = {{"nvidia.com/mig-1g.10gb", 1}};
  count(&memory, "u1", asks, 1);
  controller_memory_forget_pod(&memory, "u1");
  assert_true(memory.counted.items.count == 0);
  assert_float_equal(weight_of(&memory, "1g.10gb"), 1, 0);
  count(&memory, "u1", asks, 1);
  assert_float_equal(weight_of(&memory, "1g.10gb"), 2, 0);
}

static void demand_halves_in_ten_minutes_in_any_number_of_steps(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {.decayed_ms = NOW};
  Resource asks[] = {{"nvidia.com/mig-1g.10gb", 8}};
  count(&memory, "u1", asks, 1);
  for (uint64_t ms = 1000; ms <= PLAN_DEMAND_HALF_LIFE_MS; ms += 1000)
    controller_memory_decay(&memory, NOW + ms);
  assert_float_equal(weight_of(&memory, "1g.10gb"), 4, 1e-5);
  controller_memory_decay(&memory, NOW + 3 * PLAN_DEMAND_HALF_LIFE_MS);
  assert_float_equal(weight_of(&memory, "1g.10gb"), 1, 1e-5);
}

static void demand_that_faded_is_dropped_and_the_rest_stays(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {.decayed_ms = NOW};
  Resource asks[] = {{"nvidia.com/mig-1g.10gb", 1}, {"nvidia.com/mig-2g.20gb", 1000}};
  count(&memory, "u1", asks, COUNT_OF(asks));
  controller_memory_decay(&memory, NOW + 7 * PLAN_DEMAND_HALF_LIFE_MS); /* 1/128 < 0.01 */
  assert_true(memory.demand.count == 1);
  assert_float_equal(weight_of(&memory, "2g.20gb"), 1000.0 / 128, 1e-3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_node_that_was_told_nothing_is_open),
      cmocka_unit_test(an_error_without_a_plan_holds_nothing),
      cmocka_unit_test(a_node_has_30_seconds_to_answer),
      cmocka_unit_test(what_the_agent_says_meanwhile_is_passed_on),
      cmocka_unit_test(a_late_answer_opens_the_node),
      cmocka_unit_test(another_plan_starts_the_clock_again),
      cmocka_unit_test(the_same_plan_told_again_after_an_answer_is_waited_for_afresh),
      cmocka_unit_test(a_failed_node_rests_with_its_own_words_as_the_reason),
      cmocka_unit_test(the_rest_after_a_failure_doubles_up_to_its_limit),
      cmocka_unit_test(a_success_ends_the_row_of_failures),
      cmocka_unit_test(an_unanswered_plan_does_not_end_the_row_of_failures),
      cmocka_unit_test(new_words_of_the_same_failure_are_no_second_failure),
      cmocka_unit_test(one_refused_write_is_the_guard_at_work_and_costs_nothing),
      cmocka_unit_test(a_node_whose_writes_are_refused_in_a_row_rests_doubling),
      cmocka_unit_test(a_write_that_succeeds_ends_the_row_of_refusals),
      cmocka_unit_test(what_the_node_says_is_told_before_what_the_server_says),
      cmocka_unit_test(of_a_node_that_owes_nothing_nothing_is_remembered),
      cmocka_unit_test(an_answer_about_a_node_that_is_gone_is_not_remembered),
      cmocka_unit_test(a_node_that_comes_back_begins_without_a_past),
      cmocka_unit_test(a_node_may_be_recut_so_often_in_a_minute),
      cmocka_unit_test(without_a_limit_a_node_is_never_out),
      cmocka_unit_test(the_same_words_are_told_once),
      cmocka_unit_test(a_refusal_in_other_words_waits_and_says_until_when),
      cmocka_unit_test(an_earlier_wake_up_is_not_put_off),
      cmocka_unit_test(help_is_told_at_once_and_so_is_its_end),
      cmocka_unit_test(what_a_pod_did_not_hear_is_news_again),
      cmocka_unit_test(a_forgotten_pod_hears_everything_anew),
      cmocka_unit_test(a_pod_without_a_uid_is_told_nothing),
      cmocka_unit_test(demand_counts_each_pod_once_and_slices_only),
      cmocka_unit_test(a_forgotten_pod_keeps_its_demand_and_may_count_again),
      cmocka_unit_test(demand_halves_in_ten_minutes_in_any_number_of_steps),
      cmocka_unit_test(demand_that_faded_is_dropped_and_the_rest_stays),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
