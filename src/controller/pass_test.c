/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/pass_fixture.h"

/* The node was told this plan and has not answered: n1 owes 1g.10gb@6 on its GPU 0. */
static void tell_n1(Fixture *f) {
  annotate(f, 0, MIG_ANNOTATION_SPEC_PLAN, "p1");
  annotate(f, 0, "facet.gpu/spec-gpu-0", "GPU-n1-0 1g.10gb@6");
}

static void add_two_nodes(Fixture *f) {
  fixture_gpu(f, fixture_node(f, "n1"), A100, "");
  fixture_gpu(f, fixture_node(f, "n2"), A100, "");
}

/* ---- what a pass does ---- */

static void five_pods_and_an_empty_gpu_give_one_write_and_five_words(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  add_pods(&f, 5, "p", "1g.10gb");
  ControllerView view = view_of(&f, NOW);
  view.leftover = PLAN_LEFTOVER_FILL;
  CLEANUP(controller_pass_deinit) ControllerPass pass;
  compute_by(&f, &view, &memory, &pass);
  assert_string_equal(writes_of(&f, &pass),
                      "n1{gpu 0: +1g.10gb@6,+1g.10gb@5,+1g.10gb@4,+1g.10gb@3,+1g.10gb@2,+2g.20gb@0}");
  assert_string_equal(pass.writes.items[0].body,
                      "[{\"op\":\"test\",\"path\":\"/metadata/annotations/"
                      "nos.nebuly.com~1spec-partitioning-plan\",\"value\":null},"
                      "{\"op\":\"add\",\"path\":\"/metadata/annotations/facet.gpu~1spec-gpu-0\",\"value\":"
                      "\"GPU-n1-0 1g.10gb@6,1g.10gb@5,1g.10gb@4,1g.10gb@3,1g.10gb@2,2g.20gb@0\"},"
                      "{\"op\":\"add\",\"path\":\"/metadata/annotations/"
                      "nos.nebuly.com~1spec-gpu-0-1g.10gb\",\"value\":\"5\"},"
                      "{\"op\":\"add\",\"path\":\"/metadata/annotations/"
                      "nos.nebuly.com~1spec-gpu-0-2g.20gb\",\"value\":\"1\"},"
                      "{\"op\":\"add\",\"path\":\"/metadata/annotations/"
                      "nos.nebuly.com~1spec-partitioning-plan\",\"value\":\"p1\"}]");
  assert_string_equal(words_of(&f, &pass), "p0+ p1+ p2+ p3+ p4+");
  assert_string_equal(pass.words.items[4].note,
                      "Creating slices on node n1 for this pod: 1 x nvidia.com/mig-1g.10gb");
  assert_int_equal(pass.pending, 5);
  assert_int_equal(pass.admitted, 5);
  assert_int_equal(pass.blocked + pass.already_fit, 0);
  assert_int_equal(pass.bound, 5);
  assert_true(pass.wake_ms == UINT64_MAX);
}

static void an_empty_cluster_gives_nothing(void **state) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  Fixture f = {0};
  ControllerView view = {.plan_id = "p1", .now_ms = NOW};
  CLEANUP(controller_pass_deinit) ControllerPass pass;
  compute_by(&f, &view, &memory, &pass);
  assert_true(pass.writes.count + pass.words.count + pass.warnings.count == 0);
  assert_int_equal(pass.pending, 0);
  assert_true(pass.wake_ms == UINT64_MAX);
}

static void nothing_is_said_or_written_twice(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  add_pods(&f, 1, "p", "1g.10gb");
  add_pods(&f, 1, "q", "1g.5gb"); /* no GPU here has it */
  CLEANUP(controller_pass_deinit) ControllerPass first = compute(&f, &memory, NOW);
  assert_string_equal(words_of(&f, &first), "p0+ q0-");
  tell_n1(&f);
  CLEANUP(controller_pass_deinit) ControllerPass second = compute(&f, &memory, NOW + 10);
  assert_string_equal(words_of(&f, &second), "");
  assert_string_equal(writes_of(&f, &second), "");
  assert_int_equal(second.admitted, 1);
  assert_true(second.wake_ms == NOW + 10 + CONTROLLER_ANSWER_MS);
}

static void a_pod_that_fits_what_was_created_hears_nothing_more(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  add_pods(&f, 1, "p", "1g.10gb");
  pass_by(&f, &memory, NOW);
  tell_n1(&f);
  annotate(&f, 0, MIG_ANNOTATION_STATUS_PLAN, "p1");
  fixture_status(&f, f.nodes.items[0], 0, "1g.10gb@6:free");
  CLEANUP(controller_pass_deinit) ControllerPass second = compute(&f, &memory, NOW + 10);
  assert_int_equal(second.already_fit, 1);
  assert_true(second.writes.count + second.words.count == 0);
  assert_true(second.wake_ms == UINT64_MAX);
}

static void a_blocked_pod_hears_the_planners_reason(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "1g.10gb@6:used");
  add_pods(&f, 1, "p", "7g.80gb");
  CLEANUP(controller_pass_deinit) ControllerPass pass = compute(&f, &memory, NOW);
  const Plan *plan = fixture_plan(&f, NULL);
  assert_string_equal(words_of(&f, &pass), "p0-");
  assert_string_equal(pass.words.items[0].note, plan->pods.items[0].reason);
  assert_int_equal(pass.blocked, 1);
}

static void pods_that_partitioning_cannot_help_hear_nothing(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  add_pods(&f, 2, "p", "7g.80gb");
  add_pods(&f, 1, "q", NULL);
  f.pods.items[0]->meta.deletion_time = 1;
  f.pods.items[1]->common->conditions.items[0].reason = "SchedulerError";
  CLEANUP(controller_pass_deinit) ControllerPass pass = compute(&f, &memory, NOW);
  assert_true(pass.words.count + pass.writes.count == 0);
  assert_int_equal(pass.pending, 0);
}

static void several_gpus_of_a_node_are_one_write(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  Node *node = fixture_node(&f, "n1");
  fixture_gpu(&f, node, A100, "");
  fixture_gpu(&f, node, A100, "");
  fixture_gpu(&f, fixture_node(&f, "n2"), A100, "");
  add_pods(&f, 3, "p", "7g.80gb");
  CLEANUP(controller_pass_deinit) ControllerPass pass = compute(&f, &memory, NOW);
  assert_string_equal(writes_of(&f, &pass), "n1{gpu 0: +7g.80gb@0; gpu 1: +7g.80gb@0} n2{gpu 0: +7g.80gb@0}");
}

static void a_gpu_that_only_counts_tell_of_is_told_counts(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  Node *node = fixture_node(&f, "n1");
  fixture_set(&f, &node->meta.labels, "nvidia.com/gpu.product", A100);
  annotate(&f, 0, "nos.nebuly.com/status-gpu-0-1g.10gb-used", "1");
  add_pods(&f, 1, "p", "1g.10gb");
  CLEANUP(controller_pass_deinit) ControllerPass pass = compute(&f, &memory, NOW);
  assert_true(pass.writes.count == 1);
  assert_null(strstr(pass.writes.items[0].body, "facet.gpu"));
  assert_non_null(strstr(pass.writes.items[0].body, "spec-gpu-0-1g.10gb\",\"value\":\"2\""));
}

static void warnings_outlive_the_snapshot_and_name_their_object(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "what is this?");
  CLEANUP(controller_pass_deinit) ControllerPass pass = compute(&f, &memory, NOW);
  assert_true(pass.warnings.count == 1);
  assert_string_equal(pass.warnings.items[0].object, "node n1");
  assert_non_null(strstr(pass.warnings.items[0].text, "facet.gpu/status-gpu-0 cannot be read: "));
}

/* The second of two passes with fill, so that the first one's memory counts. */
static const char *fill_twice(Fixture *f) {
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {.decayed_ms = NOW};
  ControllerView view = view_of(f, NOW);
  view.leftover = PLAN_LEFTOVER_FILL;
  CLEANUP(controller_pass_deinit) ControllerPass first;
  compute_by(f, &view, &memory, &first);
  CLEANUP(controller_pass_deinit) ControllerPass second;
  compute_by(f, &view, &memory, &second);
  return writes_of(f, &second);
}

static void what_was_served_lately_decides_how_the_rest_is_cut(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  add_pods(&f, 8, "p", "1g.10gb");
  for (size_t i = 5; i < f.pods.count; i++)
    f.pods.items[i]->node_name = "elsewhere";
  assert_string_equal(
      fill_twice(&f),
      "n1{gpu 0: +1g.10gb@6,+1g.10gb@5,+1g.10gb@4,+1g.10gb@3,+1g.10gb@2,+1g.10gb@1,+1g.10gb@0}");
}

static void pods_that_still_wait_do_not_decide_how_the_rest_is_cut(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  add_pods(&f, 5, "p", "1g.10gb");
  assert_string_equal(fill_twice(&f),
                      "n1{gpu 0: +1g.10gb@6,+1g.10gb@5,+1g.10gb@4,+1g.10gb@3,+1g.10gb@2,+2g.20gb@0}");
}

/* ---- nodes that do not answer, or fail ---- */

static void a_node_that_does_not_answer_loses_its_pods_to_another(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  add_two_nodes(&f);
  add_pods(&f, 1, "p", "1g.10gb");
  tell_n1(&f);
  CLEANUP(controller_pass_deinit) ControllerPass waiting = compute(&f, &memory, NOW);
  assert_string_equal(writes_of(&f, &waiting), "");
  assert_true(waiting.wake_ms == NOW + CONTROLLER_ANSWER_MS);
  CLEANUP(controller_pass_deinit) ControllerPass given_up = compute(&f, &memory, NOW + CONTROLLER_ANSWER_MS);
  assert_string_equal(writes_of(&f, &given_up), "n2{gpu 0: +1g.10gb@6}");
  assert_string_equal(words_of(&f, &given_up), "p0+");
  assert_string_equal(given_up.words.items[0].note,
                      "Creating slices on node n2 for this pod: 1 x nvidia.com/mig-1g.10gb");
}

static void a_node_that_does_not_answer_delays_no_other(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  fixture_gpu(&f, fixture_node(&f, "n2"), A30, "");
  tell_n1(&f);
  add_pods(&f, 1, "p", "1g.10gb");
  add_pods(&f, 1, "q", "4g.24gb");
  CLEANUP(controller_pass_deinit) ControllerPass pass = compute(&f, &memory, NOW);
  assert_string_equal(writes_of(&f, &pass), "n2{gpu 0: +4g.24gb@0}");
  assert_int_equal(pass.admitted, 2);
}

static void where_only_a_silent_node_could_help_the_pod_hears_so(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  add_pods(&f, 1, "p", "1g.10gb");
  tell_n1(&f);
  pass_by(&f, &memory, NOW);
  CLEANUP(controller_pass_deinit) ControllerPass given_up = compute(&f, &memory, NOW + CONTROLLER_ANSWER_MS);
  assert_string_equal(words_of(&f, &given_up), "p0-");
  assert_non_null(strstr(given_up.words.items[0].note,
                         "node n1 has not answered plan p1 for 30 s; is the facet agent running there?"));
}

static void a_node_that_answers_late_is_planned_for_again(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  add_pods(&f, 1, "p", "7g.80gb");
  tell_n1(&f);
  pass_by(&f, &memory, NOW);
  CLEANUP(controller_pass_deinit) ControllerPass given_up = compute(&f, &memory, NOW + CONTROLLER_ANSWER_MS);
  assert_string_equal(writes_of(&f, &given_up), "");
  annotate(&f, 0, MIG_ANNOTATION_STATUS_PLAN, "p1");
  CLEANUP(controller_pass_deinit)
  ControllerPass answered = compute(&f, &memory, NOW + CONTROLLER_ANSWER_MS + 1);
  assert_string_equal(writes_of(&f, &answered), "n1{gpu 0: +7g.80gb@0}");
  assert_string_equal(words_of(&f, &answered), "p0+");
}

static void a_failed_node_is_tried_again_after_its_rest(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  add_pods(&f, 1, "p", "1g.10gb");
  tell_n1(&f);
  annotate(&f, 0, MIG_ANNOTATION_STATUS_PLAN, "p1");
  annotate(&f, 0, MIG_ANNOTATION_ERROR, "creating 1g.10gb at slot 6 of GPU 0 failed: no");
  CLEANUP(controller_pass_deinit) ControllerPass resting = compute(&f, &memory, NOW);
  assert_string_equal(writes_of(&f, &resting), "");
  assert_string_equal(words_of(&f, &resting), "p0-");
  assert_non_null(strstr(resting.words.items[0].note, "creating 1g.10gb at slot 6 of GPU 0 failed: no"));
  assert_true(resting.wake_ms == NOW + CONTROLLER_RETRY_FIRST_MS);
  CLEANUP(controller_pass_deinit) ControllerPass again = compute(&f, &memory, resting.wake_ms);
  assert_string_equal(writes_of(&f, &again), "n1{gpu 0: +1g.10gb@6}");
  assert_string_equal(words_of(&f, &again), "p0+");
  /* The next plan fails as well: the rest is twice as long. */
  annotate(&f, 0, MIG_ANNOTATION_SPEC_PLAN, "p2");
  annotate(&f, 0, MIG_ANNOTATION_STATUS_PLAN, "p2");
  CLEANUP(controller_pass_deinit) ControllerPass failed = compute(&f, &memory, NOW + 9000);
  assert_string_equal(writes_of(&f, &failed), "");
  assert_true(failed.wake_ms == NOW + 9000 + 2 * CONTROLLER_RETRY_FIRST_MS);
}

static void while_a_failed_node_rests_its_pods_go_elsewhere(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  add_two_nodes(&f);
  add_pods(&f, 1, "p", "1g.10gb");
  tell_n1(&f);
  annotate(&f, 0, MIG_ANNOTATION_STATUS_PLAN, "p1");
  annotate(&f, 0, MIG_ANNOTATION_ERROR, "broken");
  CLEANUP(controller_pass_deinit) ControllerPass pass = compute(&f, &memory, NOW);
  assert_string_equal(writes_of(&f, &pass), "n2{gpu 0: +1g.10gb@6}");
}

/* ---- limits ---- */

static void more_writes_than_the_limit_follow_in_the_next_pass(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  for (int i = 0; i < CONTROLLER_WRITES_MAX + 2; i++)
    fixture_gpu(&f, fixture_node(&f, arena_format(&f.arena, "n%03d", i)), A100, "");
  add_pods(&f, CONTROLLER_WRITES_MAX, "p", "7g.80gb");
  CLEANUP(controller_pass_deinit) ControllerPass at_limit = compute(&f, &memory, NOW);
  assert_int_equal(at_limit.writes.count, CONTROLLER_WRITES_MAX);
  assert_true(at_limit.wake_ms == UINT64_MAX);
  add_pods(&f, 2, "q", "7g.80gb");
  CLEANUP(controller_pass_deinit) ControllerPass first = compute(&f, &memory, NOW);
  assert_int_equal(first.writes.count, CONTROLLER_WRITES_MAX);
  assert_true(first.wake_ms == NOW);
  for (size_t i = 0; i < CONTROLLER_WRITES_MAX; i++) {
    annotate(&f, i, MIG_ANNOTATION_SPEC_PLAN, "p1");
    annotate(&f, i, "facet.gpu/spec-gpu-0", arena_format(&f.arena, "GPU-n%03zu-0 7g.80gb@0", i));
  }
  CLEANUP(controller_pass_deinit) ControllerPass second = compute(&f, &memory, NOW + 1);
  assert_string_equal(writes_of(&f, &second), "n256{gpu 0: +7g.80gb@0} n257{gpu 0: +7g.80gb@0}");
  assert_true(second.wake_ms == NOW + 1 + CONTROLLER_ANSWER_MS);
}

static void more_words_than_can_go_out_follow_in_the_next_passes(void **state) {
  static const char *const expected[] = {"p0+ p1+", "p2+ p3+", "p4+", ""};
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  add_pods(&f, 5, "p", "1g.10gb");
  for (size_t i = 0; i < COUNT_OF(expected); i++) {
    ControllerView view = view_of(&f, NOW);
    view.words_max = 2;
    CLEANUP(controller_pass_deinit) ControllerPass pass;
    compute_by(&f, &view, &memory, &pass);
    assert_string_equal(words_of(&f, &pass), expected[i]);
    assert_true(pass.wake_ms == (i < 2 ? NOW : UINT64_MAX));
  }
}

static void without_room_for_words_only_news_asks_for_another_pass(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  add_pods(&f, 1, "p", "1g.10gb");
  pass_by(&f, &memory, NOW);
  ControllerView view = view_of(&f, NOW);
  view.words_max = 0;
  CLEANUP(controller_pass_deinit) ControllerPass quiet;
  compute_by(&f, &view, &memory, &quiet);
  assert_true(quiet.wake_ms == UINT64_MAX);
  add_pods(&f, 1, "q", "1g.10gb");
  view = view_of(&f, NOW);
  view.words_max = 0;
  CLEANUP(controller_pass_deinit) ControllerPass news;
  compute_by(&f, &view, &memory, &news);
  assert_true(news.words.count == 0);
  assert_true(news.wake_ms == NOW);
}

/* ---- determinism ---- */

static void append_pass(const ControllerPass *pass, Text *out) {
  for (size_t i = 0; i < pass->writes.count; i++)
    text_format(out, "%s %s %s\n", pass->writes.items[i].node, pass->writes.items[i].summary,
                pass->writes.items[i].body);
  for (size_t i = 0; i < pass->words.count; i++)
    text_format(out, "%s %d %s\n", pass->words.items[i].pod->meta.name, pass->words.items[i].triggered,
                pass->words.items[i].note);
  text_format(out, "%d %d %d %d %d", pass->pending, pass->admitted, pass->already_fit, pass->blocked,
              pass->bound);
}

static void a_pass_does_not_depend_on_the_order_of_objects(void **state) {
  static const char *const profiles[] = {"1g.10gb", "2g.20gb", "3g.40gb", "7g.80gb", "1g.5gb"};
  Random random = {.state = 20240607};
  CLEANUP(fixture_deinit) Fixture f = {0};
  for (int i = 0; i < 6; i++)
    fixture_gpu(&f, fixture_node(&f, arena_format(&f.arena, "n%d", i)), i % 3 ? A100 : H100,
                i % 2 ? "1g.10gb@6:used" : "");
  for (size_t i = 0; i < COUNT_OF(profiles); i++)
    add_pods(&f, 4, profiles[i], profiles[i]);
  tell_n1(&f);
  CLEANUP(text_deinit) Text expected = {0};
  for (int round = 0; round < 100; round++) {
    CLEANUP(controller_memory_deinit) ControllerMemory memory = {0};
    CLEANUP(controller_pass_deinit) ControllerPass pass = compute(&f, &memory, NOW);
    CLEANUP(text_deinit) Text said = {0};
    append_pass(&pass, &said);
    if (!round)
      text_append(&expected, text_string(&said));
    assert_string_equal(text_string(&said), text_string(&expected));
    fixture_shuffle(&f, &random);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(five_pods_and_an_empty_gpu_give_one_write_and_five_words),
      cmocka_unit_test(an_empty_cluster_gives_nothing),
      cmocka_unit_test(nothing_is_said_or_written_twice),
      cmocka_unit_test(a_pod_that_fits_what_was_created_hears_nothing_more),
      cmocka_unit_test(a_blocked_pod_hears_the_planners_reason),
      cmocka_unit_test(pods_that_partitioning_cannot_help_hear_nothing),
      cmocka_unit_test(several_gpus_of_a_node_are_one_write),
      cmocka_unit_test(a_gpu_that_only_counts_tell_of_is_told_counts),
      cmocka_unit_test(warnings_outlive_the_snapshot_and_name_their_object),
      cmocka_unit_test(what_was_served_lately_decides_how_the_rest_is_cut),
      cmocka_unit_test(pods_that_still_wait_do_not_decide_how_the_rest_is_cut),
      cmocka_unit_test(a_node_that_does_not_answer_loses_its_pods_to_another),
      cmocka_unit_test(a_node_that_does_not_answer_delays_no_other),
      cmocka_unit_test(where_only_a_silent_node_could_help_the_pod_hears_so),
      cmocka_unit_test(a_node_that_answers_late_is_planned_for_again),
      cmocka_unit_test(a_failed_node_is_tried_again_after_its_rest),
      cmocka_unit_test(while_a_failed_node_rests_its_pods_go_elsewhere),
      cmocka_unit_test(more_writes_than_the_limit_follow_in_the_next_pass),
      cmocka_unit_test(more_words_than_can_go_out_follow_in_the_next_passes),
      cmocka_unit_test(without_room_for_words_only_news_asks_for_another_pass),
      cmocka_unit_test(a_pass_does_not_depend_on_the_order_of_objects),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
