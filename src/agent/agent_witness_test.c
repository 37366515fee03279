/* SPDX-License-Identifier: Apache-2.0 */
/* After a re-cut: the reservation is let go when the scheduler has seen what the node offers. */
#include "agent/recut_fixture.h"
#include "agent/state.h"

/* A scheduler that lost its watch counts the old slices; without the reservation it would promise them. */
static void the_reservation_stays_until_the_scheduler_has_seen_what_the_node_offers(void **state) {
  World *world = *state;
  world->scheduler_is_behind = true;
  begin_recut(world);
  run_for(world, 40000);
  CLEANUP(cleanup_free) char *expected = mem_format("reserve;%spatch;", CUT);
  assert_story(world, expected);
  assert_cut(world);
  assert_non_null(world->pod);
  assert_non_null(world->witness);
  bind_witness(world);
  run_for(world, 100);
  assert_story(world, "release;");
  assert_null(world->pod);
  assert_null(world->witness);
}

static void a_scheduler_that_says_nothing_is_given_three_minutes(void **state) {
  World *world = *state;
  world->refuse_witness = 403;
  begin_recut(world);
  run_for(world, AGENT_KUBELET_LATE_MS + AGENT_RECUT_LINGER_MS - 1000);
  assert_non_null(world->pod);
  run_for(world, 3000);
  assert_null(world->pod);
}

/* Its watch of nodes is dead, and nobody has told it: with bookmarks once a minute it is missed after 150 s.
 */
static void a_scheduler_whose_watch_is_dead_keeps_its_reservation_until_it_has_noticed(void **state) {
  World *world = *state;
  world->scheduler_is_behind = true;
  begin_recut(world);
  run_for(world, 150000);
  assert_non_null(world->pod);
  assert_non_null(world->witness);
  bind_witness(world);
  run_for(world, 1000);
  assert_null(world->pod);
}

/* The kubelet read its list when it was still longer, and its write is under way: should it come when the
 * reservation has gone, slices would be offered that are gone. */
static void a_reservation_outlasts_what_the_kubelet_may_have_under_way(void **state) {
  World *world = *state;
  begin_recut(world);
  run_for(world, AGENT_KUBELET_LATE_MS - 200);
  assert_cut(world);
  assert_null(world->witness); /* nobody asks yet */
  set_amount(world, SMALL, "7");
  run_for(world, 50);
  assert_non_null(world->pod);
  assert_string_equal(amount(world, "allocatable", SMALL), "4");
  world->scheduler_is_behind = true;
  run_for(world, 1000);
  assert_non_null(world->pod);
  assert_non_null(world->witness); /* of what the node has said since then */
  bind_witness(world);
  run_for(world, 100);
  assert_null(world->pod);
}

/* What the kubelet may write late is what the node has said for long: no news, so it is not written. */
static void a_reservation_does_not_wait_for_that_where_amounts_had_not_changed_for_long(void **state) {
  World *world = *state;
  begin_recut(world);
  for (size_t i = 0; i < world->agent->resources.count; i++)
    world->agent->moved_ms[i] -= AGENT_RECUT_LINGER_MS;
  run_for(world, 900);
  CLEANUP(cleanup_free) char *expected = mem_format("reserve;%srelease;", CUT);
  assert_story(world, expected);
  assert_cut(world);
  assert_null(world->pod);
}

/* The scheduler counts three of the four that are left for the first reservation. */
static void a_reservation_does_not_wait_for_that_where_the_next_re_cut_waits_for_it(void **state) {
  World *world = *state;
  begin_recut(world);
  run_for(world, 900);
  assert_cut(world);
  assert_non_null(world->pod);
  text_clear(&world->story);
  set_plan(world, "p2", "GPU-0 3g.40gb@4,3g.40gb@0");
  run_for(world, 200);
  assert_story(world, "patch;release;reserve;");
  text_append(&world->kubelet.reserved, "MIG-0-0 MIG-0-1 MIG-0-2 MIG-0-3");
  run_for(world, 1000);
  assert_string_equal(amount(world, "allocatable", LARGE), "2");
  assert_string_equal(annotation(world, MIG_ANNOTATION_STATUS_PLAN), "p2");
}

static void the_next_re_cut_begins_when_the_last_reservation_has_gone(void **state) {
  World *world = *state;
  begin_recut(world);
  run_for(world, 900);
  text_clear(&world->story);
  world->pod_stays = true; /* its grace */
  set_plan(world, "p2", "GPU-0 3g.40gb@4,3g.40gb@0");
  run_for(world, 2000);
  assert_story(world, "patch;release;");
  remove_pod(world);
  run_for(world, 50);
  assert_story(world, "reserve;");
}

/* Nobody knows any more what the kubelet had before. */
static void a_crash_does_not_shorten_that(void **state) {
  World *world = *state;
  begin_recut(world);
  world->scheduler_is_behind = true;
  run_for(world, 2000);
  assert_cut(world);
  stop_agent(world);
  world->scheduler_is_behind = false;
  start_agent(world);
  run_for(world, AGENT_KUBELET_LATE_MS - 1);
  assert_non_null(world->pod);
  run_for(world, 1000);
  assert_null(world->pod);
}

static void a_witness_that_somebody_deletes_is_replaced(void **state) {
  World *world = *state;
  world->scheduler_is_behind = true;
  begin_recut(world);
  run_for(world, AGENT_KUBELET_LATE_MS + 1000);
  remove_witness(world);
  world->scheduler_is_behind = false;
  run_for(world, AGENT_RECUT_WITNESS_AGAIN_MS);
  assert_null(world->pod);
  assert_null(world->witness);
}

static void a_crash_while_the_witness_waits_leaves_neither_behind(void **state) {
  World *world = *state;
  world->scheduler_is_behind = true;
  begin_recut(world);
  run_for(world, 2000);
  stop_agent(world);
  bind_witness(world); /* what it says is of an earlier life */
  start_agent(world);
  run_for(world, 5000);
  assert_non_null(world->pod);
  assert_non_null(world->witness);
  bind_witness(world);
  run_for(world, 2000);
  assert_null(world->pod);
  assert_null(world->witness);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      WORLD_TEST(the_reservation_stays_until_the_scheduler_has_seen_what_the_node_offers),
      WORLD_TEST(a_scheduler_that_says_nothing_is_given_three_minutes),
      WORLD_TEST(a_scheduler_whose_watch_is_dead_keeps_its_reservation_until_it_has_noticed),
      WORLD_TEST(a_reservation_outlasts_what_the_kubelet_may_have_under_way),
      WORLD_TEST(a_reservation_does_not_wait_for_that_where_amounts_had_not_changed_for_long),
      WORLD_TEST(a_reservation_does_not_wait_for_that_where_the_next_re_cut_waits_for_it),
      WORLD_TEST(the_next_re_cut_begins_when_the_last_reservation_has_gone),
      WORLD_TEST(a_crash_does_not_shorten_that),
      WORLD_TEST(a_witness_that_somebody_deletes_is_replaced),
      WORLD_TEST(a_crash_while_the_witness_waits_leaves_neither_behind),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
