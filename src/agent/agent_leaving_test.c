/* SPDX-License-Identifier: Apache-2.0 */
/* The agent leaves a node: who was promised a slice gets it, and nobody comes for one that is not served. */
#include "agent/leaving_fixture.h"

#define STATUS "facet.gpu/status-gpu-0"

static void the_node_offers_nothing_while_promised_pods_are_served(void **state) {
  World *world = *state;
  bool has_left = false;
  settle_with_two(world);
  agent_leave(world->agent, note_left, &has_left);
  run_for(world, SERVED_MS - 1);
  assert_string_equal(amount(world, "allocatable", SMALL), "0");
  assert_false(has_left);
  assert_story(world, "patch;"); /* the kubelet keeps its list, and gives slices to those who come */
  assert_true(leaves_within(world, 2, &has_left));
  assert_string_equal(annotation(world, STATUS), "1g.10gb@5:free,1g.10gb@6:free");
}

/* The kubelet restored them a moment ago, and our watch is behind: the server tells of a node that we do not
 * know.
 */
static int count_witness_calls(const World *world, const char *method, const char *text) {
  int count = 0;
  for (size_t i = 0; i < world->fake.calls.count; i++) {
    const KubeRequest *request = &world->fake.calls.items[i]->request;
    const char *where = request->body ? request->body : request->path;
    count += strcmp(request->method, method) == 0 && strstr(where, text) != NULL;
  }
  return count;
}

/* The scheduler is behind for long, and each tick wants a new witness. */
static void a_new_witness_takes_the_place_of_the_one_before(void **state) {
  World *world = *state;
  settle_with_two(world);
  world->scheduler_is_behind = true;
  set_label(world, NULL);
  run_for(world, 1000);
  for (int i = 0; i < 4; i++) {
    set_amount(world, SMALL, "2");
    run_for(world, 1000);
  }
  assert_int_equal(count_witness_calls(world, "POST", "facet-witness-"), 5);
  assert_true(count_witness_calls(world, "DELETE", "facet-witness-") >= 4);
}

static void a_scheduler_that_is_behind_is_waited_for(void **state) {
  World *world = *state;
  bool has_left = false;
  settle_with_two(world);
  world->scheduler_is_behind = true;
  agent_leave(world->agent, note_left, &has_left);
  assert_false(leaves_within(world, 30000, &has_left));
  assert_string_equal(amount(world, "allocatable", SMALL), "0");
  bind_witness(world);
  assert_false(leaves_within(world, AGENT_LEAVE_SETTLE_MS - 100, &has_left));
  assert_true(leaves_within(world, 200, &has_left));
  assert_null(world->witness);
}

/* A slice may have become free, and been promised, after we looked. */
static void without_free_slices_the_scheduler_is_asked_all_the_same(void **state) {
  World *world = *state;
  bool has_left = false;
  text_append(&world->kubelet.held, "MIG-0-5 MIG-0-6");
  settle_with_two(world);
  world->scheduler_is_behind = true;
  agent_leave(world->agent, note_left, &has_left);
  assert_false(leaves_within(world, 30000, &has_left));
  assert_non_null(world->witness);
  bind_witness(world);
  assert_true(leaves_within(world, 200, &has_left));
}

static void without_free_slices_the_scheduler_is_asked_also_where_the_label_goes(void **state) {
  World *world = *state;
  text_append(&world->kubelet.held, "MIG-0-5 MIG-0-6");
  settle_with_two(world);
  world->scheduler_is_behind = true;
  set_label(world, NULL);
  run_for(world, 30000);
  assert_string_equal(amount(world, "allocatable", SMALL), "0");
  assert_non_null(memory_port_find(&world->port, FOLDER "/facet-mig-1g.10gb.sock"));
  bind_witness(world);
  run_for(world, 200);
  assert_null(memory_port_find(&world->port, FOLDER "/facet-mig-1g.10gb.sock"));
}

/* Its slice may have been promised to another one already. */
static void a_pod_that_ended_since_the_kubelet_was_asked_has_left_a_free_slice(void **state) {
  World *world = *state;
  bool has_left = false;
  text_append(&world->kubelet.held, "MIG-0-5 MIG-0-6");
  settle_with_two(world);
  text_clear(&world->kubelet.held);
  agent_leave(world->agent, note_left, &has_left);
  assert_false(leaves_within(world, SERVED_MS - 1, &has_left));
  assert_true(leaves_within(world, 2, &has_left));
}

static void without_anything_published_it_leaves_at_once(void **state) {
  World *world = *state;
  bool has_left = false;
  set_label(world, NULL);
  settle(world);
  agent_leave(world->agent, note_left, &has_left);
  assert_true(has_left);
}

static void a_node_that_is_not_ours_gets_no_slices_for_the_sake_of_a_reservation(void **state) {
  World *world = *state;
  bool has_left = false;
  settle_with_two(world);
  world->pod_stays = true;
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 100);
  stop_agent(world);
  set_label(world, NULL);
  memory_port_remove(&world->port, FOLDER "/facet-mig-1g.10gb.sock");
  start_agent(world);
  run_for(world, 5000);
  text_clear(&world->story);
  assert_non_null(world->pod);
  agent_leave(world->agent, note_left, &has_left);
  run_for(world, 5000);
  assert_true(has_left);
  assert_story(world, "");
}

static void a_silent_api_server_does_not_keep_it_for_ever(void **state) {
  World *world = *state;
  bool has_left = false;
  settle_with_two(world);
  world->api_is_mute = true;
  agent_leave(world->agent, note_left, &has_left);
  assert_false(leaves_within(world, AGENT_LEAVE_MAX_MS - 1, &has_left));
  assert_true(leaves_within(world, 1, &has_left));
}

static void a_reservation_is_let_go_first(void **state) {
  World *world = *state;
  bool has_left = false;
  settle_with_two(world);
  world->scheduler_is_mute = true;
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 100);
  assert_non_null(world->pod);
  world->scheduler_is_mute = false;
  agent_leave(world->agent, note_left, &has_left);
  assert_true(leaves_within(world, SERVED_MS + 100, &has_left));
  assert_null(world->pod);
  assert_int_equal(world->truth->gpus[0].instance_count, 2);
}

/* The scheduler goes by what the node offers, whoever it belongs to. */
static void a_node_that_leaves_facet_keeps_its_reservation_until_it_offers_nothing(void **state) {
  World *world = *state;
  begin_recut(world);
  world->refuse_status = 500;
  run_for(world, 900);
  assert_int_equal(world->truth->gpus[0].instance_count, 5);
  set_label(world, NULL);
  run_for(world, 10000);
  assert_string_equal(amount(world, "allocatable", SMALL), "7");
  assert_non_null(world->pod);
  world->refuse_status = 0;
  run_for(world, SERVED_MS + 2000);
  assert_string_equal(amount(world, "allocatable", SMALL), "0");
  assert_null(world->pod);
}

static bool has_offer(World *world) {
  return strcmp(label_of(world, MIG_LABEL_OFFER), "(absent)") != 0;
}

/* Its watch of nodes is dead: without the reservation it would promise slices that are gone. */
static void a_node_that_leaves_facet_keeps_its_reservation_until_the_scheduler_has_seen_that(void **state) {
  World *world = *state;
  world->scheduler_is_behind = true;
  begin_recut(world);
  run_for(world, 2000);
  assert_cut(world);
  set_label(world, NULL);
  run_for(world, 30000);
  assert_string_equal(amount(world, "allocatable", SMALL), "0");
  assert_non_null(world->pod);
  assert_non_null(memory_port_find(&world->port, FOLDER "/facet-mig-1g.10gb.sock"));
  world->scheduler_is_behind = false;
  bind_witness(world);
  run_for(world, AGENT_LEAVE_SETTLE_MS + AGENT_RECUT_WITNESS_AGAIN_MS + 1000);
  assert_null(world->pod);
  assert_null(world->witness);
  assert_null(memory_port_find(&world->port, FOLDER "/facet-mig-1g.10gb.sock"));
  assert_false(has_offer(world));
}

static void
a_node_that_leaves_facet_serves_until_the_scheduler_has_seen_that_it_offers_nothing(void **state) {
  World *world = *state;
  settle_with_two(world);
  world->scheduler_is_behind = true;
  set_label(world, NULL);
  run_for(world, 140000); /* longer, and our own watch would look dead, too */
  assert_string_equal(amount(world, "allocatable", SMALL), "0");
  assert_string_equal(annotation(world, STATUS), "(absent)");
  assert_non_null(memory_port_find(&world->port, FOLDER "/facet-mig-1g.10gb.sock"));
  assert_true(has_offer(world));
  bind_witness(world);
  run_for(world, AGENT_LEAVE_SETTLE_MS + 100);
  assert_null(world->witness);
  assert_null(memory_port_find(&world->port, FOLDER "/facet-mig-1g.10gb.sock"));
  assert_false(has_offer(world));
}

static void a_scheduler_that_says_nothing_does_not_keep_a_node_in_facet_for_ever(void **state) {
  World *world = *state;
  settle_with_two(world);
  world->scheduler_is_behind = true;
  set_label(world, NULL);
  run_for(world, AGENT_RECUT_LINGER_MS + AGENT_LEAVE_SETTLE_MS - 1000);
  assert_non_null(memory_port_find(&world->port, FOLDER "/facet-mig-1g.10gb.sock"));
  run_for(world, 2000);
  assert_null(memory_port_find(&world->port, FOLDER "/facet-mig-1g.10gb.sock"));
  run_for(world, AGENT_RECUT_RELEASE_AGAIN_MS);
  assert_null(world->witness);
  assert_false(has_offer(world));
}

/* Whoever ends the agent has no more patience than that; but the last words to the node are said. */
static void an_agent_that_ends_with_the_label_has_a_minute_for_it(void **state) {
  World *world = *state;
  bool has_left = false;
  settle_with_two(world);
  world->scheduler_is_behind = true;
  set_label(world, NULL);
  run_for(world, 30000);
  agent_leave(world->agent, note_left, &has_left);
  assert_false(leaves_within(world, AGENT_LEAVE_MAX_MS - 100, &has_left));
  assert_true(has_offer(world));
  assert_true(leaves_within(world, 200, &has_left));
  assert_false(has_offer(world));
}

static void an_api_server_that_falls_silent_does_not_keep_an_agent_whose_label_went(void **state) {
  World *world = *state;
  bool has_left = false;
  settle_with_two(world);
  set_label(world, NULL);
  run_for(world, 100);
  assert_true(has_offer(world));
  world->api_is_mute = true;
  agent_leave(world->agent, note_left, &has_left);
  assert_false(leaves_within(world, AGENT_LEAVE_MAX_MS + AGENT_LEAVE_WORDS_MS - 1, &has_left));
  assert_true(leaves_within(world, 1, &has_left));
}

static void an_offer_that_an_earlier_life_left_on_a_node_is_forgotten(void **state) {
  World *world = *state;
  set_label(world, NULL);
  json_object_set_new(metadata_of(world, "labels"), MIG_LABEL_OFFER, json_string("7"));
  settle(world);
  assert_false(has_offer(world));
}

static void a_node_that_leaves_facet_keeps_its_gpus_and_loses_our_words(void **state) {
  World *world = *state;
  settle_with_two(world);
  set_label(world, NULL);
  run_for(world, SERVED_MS + 100);
  assert_string_equal(amount(world, "allocatable", SMALL), "0");
  assert_string_equal(annotation(world, STATUS), "(absent)");
  assert_string_equal(annotation(world, "facet.gpu/gpu-0"), "(absent)");
  assert_string_equal(annotation(world, "facet.gpu/profiles"), "(absent)");
  assert_int_equal(world->truth->gpus[0].instance_count, 2);
  assert_null(memory_port_find(&world->port, FOLDER "/facet-mig-1g.10gb.sock"));
}

static void a_node_that_left_is_left_alone(void **state) {
  World *world = *state;
  settle_with_two(world);
  set_label(world, NULL);
  run_for(world, SERVED_MS + 100);
  int patches = world->patch_count, lists = world->kubelet.lists;
  set_amount(world, SMALL, "2"); /* another plugin publishes them now */
  run_for(world, 60000);
  assert_int_equal(world->patch_count, patches);
  assert_int_equal(world->kubelet.lists, lists); /* nobody asks who holds what */
  assert_string_equal(amount(world, "allocatable", SMALL), "2");
}

static void a_node_that_comes_back_is_served_again(void **state) {
  World *world = *state;
  settle_with_two(world);
  set_label(world, NULL);
  run_for(world, SERVED_MS + 100);
  set_label(world, "mig");
  run_for(world, 1000);
  assert_string_equal(amount(world, "allocatable", SMALL), "2");
  assert_string_equal(annotation(world, STATUS), "1g.10gb@5:free,1g.10gb@6:free");
}

static void a_label_that_comes_back_in_the_middle_stops_the_leaving(void **state) {
  World *world = *state;
  settle_with_two(world);
  set_label(world, NULL);
  run_for(world, 1000);
  assert_string_equal(amount(world, "allocatable", SMALL), "0");
  set_label(world, "mig");
  run_for(world, 1000);
  assert_string_equal(amount(world, "allocatable", SMALL), "2");
}

/* A DaemonSet that selects nodes by the label ends the agent when the label goes; either may be seen first.
 */
static void the_label_may_go_and_end_the_agent(void **state) {
  World *world = *state;
  bool has_left = false;
  settle_with_two(world);
  set_label(world, NULL);
  run_for(world, 100);
  agent_leave(world->agent, note_left, &has_left);
  assert_false(leaves_within(world, SERVED_MS - 200, &has_left));
  assert_true(leaves_within(world, 300, &has_left));
  assert_false(has_offer(world));
  assert_string_equal(annotation(world, STATUS), "(absent)");
  assert_string_equal(annotation(world, "facet.gpu/gpu-0"), "(absent)");
  assert_string_equal(amount(world, "allocatable", SMALL), "0");
}

static void the_agent_may_end_and_then_see_that_the_label_went(void **state) {
  World *world = *state;
  bool has_left = false;
  settle_with_two(world);
  agent_leave(world->agent, note_left, &has_left);
  run_for(world, 100);
  set_label(world, NULL);
  assert_true(leaves_within(world, SERVED_MS + 200, &has_left));
  assert_string_equal(annotation(world, STATUS), "(absent)");
  assert_string_equal(annotation(world, "facet.gpu/profiles"), "(absent)");
}

static void an_agent_that_ends_with_the_label_gives_the_other_label_back(void **state) {
  World *world = *state;
  bool has_left = false;
  world->take_over = true;
  settle_with_two(world);
  run_for(world, 10000);
  assert_string_equal(annotation(world, "facet.gpu/took-over"), "absent");
  set_label(world, NULL);
  agent_leave(world->agent, note_left, &has_left);
  assert_true(leaves_within(world, SERVED_MS + 1000, &has_left));
  assert_string_equal(annotation(world, "facet.gpu/took-over"), "(absent)");
  assert_null(memory_port_find(&world->port, FOLDER "/facet-mig-1g.10gb.sock"));
}

static void the_next_life_offers_the_slices_within_a_second(void **state) {
  World *world = *state;
  bool has_left = false;
  settle_with_two(world);
  agent_leave(world->agent, note_left, &has_left);
  assert_true(leaves_within(world, SERVED_MS + 100, &has_left));
  stop_agent(world);
  start_agent(world);
  run_for(world, 1000);
  assert_string_equal(amount(world, "allocatable", SMALL), "2");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      WORLD_TEST(the_node_offers_nothing_while_promised_pods_are_served),
      WORLD_TEST(a_new_witness_takes_the_place_of_the_one_before),
      WORLD_TEST(a_scheduler_that_is_behind_is_waited_for),
      WORLD_TEST(without_free_slices_the_scheduler_is_asked_all_the_same),
      WORLD_TEST(without_free_slices_the_scheduler_is_asked_also_where_the_label_goes),
      WORLD_TEST(a_pod_that_ended_since_the_kubelet_was_asked_has_left_a_free_slice),
      WORLD_TEST(without_anything_published_it_leaves_at_once),
      WORLD_TEST(a_node_that_is_not_ours_gets_no_slices_for_the_sake_of_a_reservation),
      WORLD_TEST(a_silent_api_server_does_not_keep_it_for_ever),
      WORLD_TEST(a_reservation_is_let_go_first),
      WORLD_TEST(a_node_that_leaves_facet_keeps_its_reservation_until_it_offers_nothing),
      WORLD_TEST(a_node_that_leaves_facet_keeps_its_reservation_until_the_scheduler_has_seen_that),
      WORLD_TEST(a_node_that_leaves_facet_serves_until_the_scheduler_has_seen_that_it_offers_nothing),
      WORLD_TEST(a_scheduler_that_says_nothing_does_not_keep_a_node_in_facet_for_ever),
      WORLD_TEST(an_agent_that_ends_with_the_label_has_a_minute_for_it),
      WORLD_TEST(an_api_server_that_falls_silent_does_not_keep_an_agent_whose_label_went),
      WORLD_TEST(an_offer_that_an_earlier_life_left_on_a_node_is_forgotten),
      WORLD_TEST(a_node_that_leaves_facet_keeps_its_gpus_and_loses_our_words),
      WORLD_TEST(a_node_that_left_is_left_alone),
      WORLD_TEST(a_node_that_comes_back_is_served_again),
      WORLD_TEST(a_label_that_comes_back_in_the_middle_stops_the_leaving),
      WORLD_TEST(the_label_may_go_and_end_the_agent),
      WORLD_TEST(the_agent_may_end_and_then_see_that_the_label_went),
      WORLD_TEST(an_agent_that_ends_with_the_label_gives_the_other_label_back),
      WORLD_TEST(the_next_life_offers_the_slices_within_a_second),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
