/* SPDX-License-Identifier: Apache-2.0 */
/* The agent leaves a node while the kubelet puts the amounts back at its ticks. */
#include "agent/leaving_fixture.h"

static void what_the_kubelet_restores_is_taken_down_again(void **state) {
  World *world = *state;
  bool has_left = false;
  settle_with_two(world);
  agent_leave(world->agent, note_left, &has_left);
  run_for(world, 4000);
  set_amount(world, SMALL, "2");
  run_for(world, 100);
  assert_string_equal(amount(world, "allocatable", SMALL), "0");
  assert_false(leaves_within(world, AGENT_LEAVE_SETTLE_MS - 200, &has_left));
  assert_true(leaves_within(world, 200, &has_left));
}

/* A tick was seen, but the witness takes so long that the next one is due, and its write may be under way. */
static void a_tick_of_the_kubelet_that_is_due_is_waited_for(void **state) {
  World *world = *state;
  bool has_left = false;
  settle_with_two(world);
  world->scheduler_is_behind = true;
  agent_leave(world->agent, note_left, &has_left);
  run_for(world, 1000);
  set_amount(world, SMALL, "2");
  run_for(world, 4000);
  world->scheduler_is_behind = false;
  bind_witness(world); /* served 5 s later, 0.5 s before the tick */
  assert_false(leaves_within(world, AGENT_KUBELET_TICK_MS - 4000 + AGENT_KUBELET_LATE_MS - 500, &has_left));
  set_amount(world, SMALL, "2");
  run_for(world, 100);
  assert_string_equal(amount(world, "allocatable", SMALL), "0");
  assert_false(leaves_within(world, AGENT_LEAVE_SETTLE_MS - 200, &has_left));
  assert_true(leaves_within(world, 200, &has_left));
}

static void a_kubelet_that_has_nothing_to_restore_is_not_waited_for_for_ever(void **state) {
  World *world = *state;
  bool has_left = false;
  settle_with_two(world);
  agent_leave(world->agent, note_left, &has_left);
  assert_false(leaves_within(world, SERVED_MS - 1, &has_left));
  assert_true(leaves_within(world, 2, &has_left));
}

static void what_only_the_server_knows_of_is_waited_for(void **state) {
  World *world = *state;
  bool has_left = false;
  settle_with_two(world);
  agent_leave(world->agent, note_left, &has_left);
  run_for(world, 4000);
  world->newer = "newer";
  assert_false(leaves_within(world, 30000, &has_left));
  world->newer = NULL;
  assert_true(leaves_within(world, SERVED_MS + 100, &has_left));
}

/* ... and then our own patch takes them down, which the watch shows before the answer comes, with all that
 * was before it. Nobody knows what the scheduler has seen of that. */
static void what_the_last_question_itself_takes_down_is_waited_for(void **state) {
  World *world = *state;
  bool has_left = false;
  settle_with_two(world);
  agent_leave(world->agent, note_left, &has_left);
  run_for(world, SERVED_MS - 1);
  world->api_is_mute = true;
  run_for(world, 1);
  assert_non_null(find_call(world, "PATCH", false));
  world->api_is_mute = false;
  set_amount(world, SMALL, "0");
  CLEANUP(cleanup_free) char *version = mem_format("%d", world->version);
  world->newer = version;
  world->scheduler_is_behind = true;
  run(world);
  world->newer = NULL;
  assert_false(leaves_within(world, 30000, &has_left));
  bind_witness(world);
  assert_true(leaves_within(world, SERVED_MS + 100, &has_left));
}

/* What it puts back are all of them, and one may become free. */
static void without_free_slices_only_a_tick_of_the_kubelet_is_waited_for(void **state) {
  World *world = *state;
  bool has_left = false;
  text_append(&world->kubelet.held, "MIG-0-5 MIG-0-6");
  settle_with_two(world);
  agent_leave(world->agent, note_left, &has_left);
  run_for(world, 1000);
  set_amount(world, SMALL, "2");
  assert_true(leaves_within(world, 10, &has_left));
  assert_string_equal(amount(world, "allocatable", SMALL), "0");
}

static void without_free_slices_a_tick_that_may_be_under_way_is_waited_for(void **state) {
  World *world = *state;
  bool has_left = false;
  text_append(&world->kubelet.held, "MIG-0-5 MIG-0-6");
  settle_with_two(world);
  agent_leave(world->agent, note_left, &has_left);
  assert_false(leaves_within(world, SERVED_MS - 1, &has_left));
  assert_true(leaves_within(world, 2, &has_left));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      WORLD_TEST(what_the_kubelet_restores_is_taken_down_again),
      WORLD_TEST(a_tick_of_the_kubelet_that_is_due_is_waited_for),
      WORLD_TEST(a_kubelet_that_has_nothing_to_restore_is_not_waited_for_for_ever),
      WORLD_TEST(what_only_the_server_knows_of_is_waited_for),
      WORLD_TEST(what_the_last_question_itself_takes_down_is_waited_for),
      WORLD_TEST(without_free_slices_only_a_tick_of_the_kubelet_is_waited_for),
      WORLD_TEST(without_free_slices_a_tick_that_may_be_under_way_is_waited_for),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
