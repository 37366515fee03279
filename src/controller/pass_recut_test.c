/* SPDX-License-Identifier: Apache-2.0 */
/* Passes over a node whose free slice has to go, and over one that is being re-cut. */
#include "controller/pass_fixture.h"

/* n1 has a free slice where a larger one is wanted. */
static void add_cut_node(Fixture *f) {
  fixture_gpu(f, fixture_node(f, "n1"), A100, "2g.20gb@0:used,1g.10gb@5:free");
}

static void a_write_says_what_goes_and_the_pod_hears_of_it(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  add_cut_node(&f);
  add_pods(&f, 1, "p", "3g.40gb");
  CLEANUP(controller_pass_deinit) ControllerPass pass = compute(&f, &memory, NOW);
  assert_string_equal(writes_of(&f, &pass), "n1{gpu 0: -1g.10gb@5,+3g.40gb@4}");
  assert_string_equal(pass.words.items[0].note,
                      "Re-cutting free slices on node n1 for this pod: 1 x nvidia.com/mig-3g.40gb");
}

/* It was told plan p1: the free slice goes for a 3g. */
static void tell_recut(Fixture *f) {
  annotate(f, 0, MIG_ANNOTATION_SPEC_PLAN, "p1");
  annotate(f, 0, "facet.gpu/spec-gpu-0", "GPU-n1-0 2g.20gb@0,3g.40gb@4");
}

static void a_node_that_is_being_recut_gets_nothing_new_and_nobody_hears_a_refusal(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  add_cut_node(&f);
  tell_recut(&f);
  add_pods(&f, 1, "p", "3g.40gb");
  add_pods(&f, 1, "q", "1g.10gb");
  CLEANUP(controller_pass_deinit) ControllerPass busy = compute(&f, &memory, NOW);
  assert_string_equal(writes_of(&f, &busy), "");
  assert_string_equal(words_of(&f, &busy), "");
  assert_int_equal(busy.already_fit, 1);
  fixture_status(&f, f.nodes.items[0], 0, "2g.20gb@0:used,3g.40gb@4:free");
  annotate(&f, 0, MIG_ANNOTATION_STATUS_PLAN, "p1");
  CLEANUP(controller_pass_deinit) ControllerPass answered = compute(&f, &memory, NOW + 500);
  assert_string_equal(writes_of(&f, &answered), "n1{gpu 0: +1g.10gb@3}");
  assert_string_equal(words_of(&f, &answered), "q0+");
}

static void a_pod_that_waits_for_busy_nodes_hears_why_after_half_a_minute(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  add_cut_node(&f);
  tell_recut(&f);
  add_pods(&f, 1, "q", "4g.40gb");
  CLEANUP(controller_pass_deinit) ControllerPass busy = compute(&f, &memory, NOW);
  assert_string_equal(words_of(&f, &busy), "");
  assert_true(busy.wake_ms == NOW + CONTROLLER_ANSWER_MS);
  annotate(&f, 0, MIG_ANNOTATION_SPEC_PLAN, "p2"); /* so that the node itself is not late yet */
  CLEANUP(controller_pass_deinit) ControllerPass later = compute(&f, &memory, NOW + CONTROLLER_ANSWER_MS);
  assert_string_equal(words_of(&f, &later), "q0-");
}

static void a_withdrawal_that_lost_is_planned_again_at_once(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  add_cut_node(&f);
  add_pods(&f, 1, "p", "3g.40gb");
  pass_by(&f, &memory, NOW);
  tell_recut(&f);
  pass_by(&f, &memory, NOW + 10);
  annotate(&f, 0, MIG_ANNOTATION_STATUS_PLAN, "p1");
  CLEANUP(controller_pass_deinit) ControllerPass again = compute(&f, &memory, NOW + 20);
  assert_string_equal(writes_of(&f, &again), "n1{gpu 0: -1g.10gb@5,+3g.40gb@4}");
  assert_string_equal(words_of(&f, &again), "");
}

static void a_node_that_does_not_answer_its_recut_is_held(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  add_cut_node(&f);
  tell_recut(&f);
  add_pods(&f, 1, "p", "3g.40gb");
  pass_by(&f, &memory, NOW);
  CLEANUP(controller_pass_deinit) ControllerPass late = compute(&f, &memory, NOW + CONTROLLER_ANSWER_MS);
  assert_int_equal(late.already_fit, 0);
  assert_string_equal(words_of(&f, &late), "p0-");
  assert_non_null(strstr(late.words.items[0].note, "node n1 has not answered plan p1 for 30 s"));
}

/* Beyond the limit a node only grows, and the pod hears what it waits for. */
static void a_node_that_was_recut_too_often_only_grows(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  add_cut_node(&f);
  add_pods(&f, 1, "p", "3g.40gb");
  add_pods(&f, 1, "q", "1g.10gb");
  add_pods(&f, 1, "r", "1g.10gb");
  controller_memory_note_recut(&memory, "n1", NOW - 1000);
  ControllerView view = view_of(&f, NOW);
  view.recut_limit = 1;
  CLEANUP(controller_pass_deinit) ControllerPass resting, rested;
  compute_by(&f, &view, &memory, &resting);
  assert_string_equal(writes_of(&f, &resting), "n1{gpu 0: +1g.10gb@4}");
  assert_true(resting.wake_ms == NOW - 1000 + CONTROLLER_RECUT_SPAN_MS);
  assert_string_equal(words_of(&f, &resting), "p0- r0+");
  assert_non_null(strstr(resting.words.items[0].note,
                         "1g.10gb@5 free, but its node was re-cut too often in the last minute"));
  view.now_ms = resting.wake_ms;
  compute_by(&f, &view, &memory, &rested);
  assert_string_equal(writes_of(&f, &rested), "n1{gpu 0: -1g.10gb@5,+1g.10gb@3,+1g.10gb@2,+3g.40gb@4}");
}

static void a_pass_remembers_what_it_takes_away(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  uint64_t wake_ms = UINT64_MAX;
  add_cut_node(&f);
  add_pods(&f, 1, "p", "3g.40gb");
  pass_by(&f, &memory, NOW);
  assert_true(controller_memory_is_recut_out(&memory, "n1", 1, NOW + 1, &wake_ms));
}

static void reservations_are_no_demand(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  add_pods(&f, 1, "waiting", "1g.10gb");
  add_pods(&f, 1, "bound", "1g.10gb");
  f.pods.items[1]->node_name = "n1";
  for (size_t i = 0; i < f.pods.count; i++)
    fixture_set(&f, &f.pods.items[i]->meta.labels, MIG_LABEL_RESERVATION, "n1");
  CLEANUP(controller_pass_deinit) ControllerPass pass = compute(&f, &memory, NOW);
  assert_int_equal(pass.pending, 0);
  assert_int_equal(pass.writes.count + pass.words.count, 0);
  assert_int_equal(memory.demand.count, 0);
}

static void pods_of_another_scheduler_are_warned_of_once(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  add_pods(&f, 3, "p", "1g.10gb");
  f.pods.items[0]->common->scheduler_name = "default-scheduler";
  f.pods.items[1]->common->scheduler_name = "volcano";
  f.pods.items[2]->common->scheduler_name = "volcano";
  CLEANUP(controller_pass_deinit) ControllerPass pass = compute(&f, &memory, NOW);
  assert_int_equal(pass.warnings.count, 1);
  assert_string_equal(pass.warnings.items[0].object, "scheduler volcano");
  assert_true(string_has_suffix(pass.warnings.items[0].text,
                                "start the agents of their nodes, and the controller, with "
                                "--scheduler-name volcano"));
}

static void pods_of_the_scheduler_that_reserves_are_not_warned_of(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  add_pods(&f, 1, "p", "1g.10gb");
  f.pods.items[0]->common->scheduler_name = "volcano";
  ControllerView view = view_of(&f, NOW);
  view.scheduler = "volcano";
  CLEANUP(controller_pass_deinit) ControllerPass pass;
  compute_by(&f, &view, &memory, &pass);
  assert_int_equal(pass.warnings.count, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_write_says_what_goes_and_the_pod_hears_of_it),
      cmocka_unit_test(a_node_that_is_being_recut_gets_nothing_new_and_nobody_hears_a_refusal),
      cmocka_unit_test(a_pod_that_waits_for_busy_nodes_hears_why_after_half_a_minute),
      cmocka_unit_test(a_withdrawal_that_lost_is_planned_again_at_once),
      cmocka_unit_test(a_node_that_does_not_answer_its_recut_is_held),
      cmocka_unit_test(a_node_that_was_recut_too_often_only_grows),
      cmocka_unit_test(a_pass_remembers_what_it_takes_away),
      cmocka_unit_test(reservations_are_no_demand),
      cmocka_unit_test(pods_of_another_scheduler_are_warned_of_once),
      cmocka_unit_test(pods_of_the_scheduler_that_reserves_are_not_warned_of),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
