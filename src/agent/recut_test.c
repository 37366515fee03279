/* SPDX-License-Identifier: Apache-2.0 */
/* The machine alone: its way, its losses, and a random walk through whatever the world may show it. */
#include "agent/agent_fixture.h"

#include "agent/publish.h"
#include "agent/recut.h"
#include "base/host.h"
#include "base/random.h"

typedef struct Play {
  Fixture *f;
  AgentRecut *recut;
  AgentTargets wanted;
  const char *held_ids[8];
  Strings held;
  AgentRecutView view;
  const AgentTarget *target; /* of the last step */
} Play;

static void add_target(AgentTargets *targets, const GpuObservation *observation, const char *uuid) {
  const GpuInstance *instance = agent_publish_find(observation, uuid, NULL);
  AgentTarget *target = array_push(targets);
  *target = (AgentTarget){.nvml_id = instance->nvml_id, .start = instance->start, .size = instance->size};
  snprintf(target->uuid, sizeof target->uuid, "%s", uuid);
  snprintf(target->resource, sizeof target->resource, "nvidia.com/mig-1g.10gb");
}

/* Two of three slices are to go. */
static void play_init(Play *play, Fixture *f) {
  AgentTargets targets = {0};
  observe(f, "A100-80GB", "1g.10gb@6 1g.10gb@5 1g.10gb@4");
  add_target(&targets, f->observation, "MIG-0-6");
  add_target(&targets, f->observation, "MIG-0-5");
  *play = (Play){.f = f};
  add_target(&play->wanted, f->observation, "MIG-0-6");
  add_target(&play->wanted, f->observation, "MIG-0-5");
  play->held_ids[0] = "MIG-0-5";
  play->held_ids[1] = "MIG-0-6";
  play->held = (Strings){.items = play->held_ids, .count = 2};
  play->recut = agent_recut_new("r", "p1", &targets, 1000);
  play->view = (AgentRecutView){.now_ms = 1000, .wanted = &play->wanted, .observation = f->observation};
}

static void play_deinit(Play *play) {
  agent_recut_free(play->recut);
  array_deinit(&play->wanted);
}

static AgentRecutAction step(Play *play, uint64_t after_ms) {
  play->view.now_ms += after_ms;
  play->target = NULL;
  return agent_recut_step(play->recut, &play->view, &play->target);
}

static void destroy(Play *play, const char *uuid) {
  GpuObserved *gpu = &play->f->observation->gpus[0];
  for (int i = 0; i < gpu->instance_count; i++)
    if (strcmp(gpu->instances[i].uuid, uuid) == 0)
      gpu->instances[i--] = gpu->instances[--gpu->instance_count];
}

static void go_to_unlisting(Play *play) {
  play->view.pod = AGENT_POD_BOUND;
  assert_int_equal(step(play, 10), AGENT_RECUT_ASK);
  play->view.held = &play->held;
  assert_int_equal(step(play, 10), AGENT_RECUT_WAIT);
  assert_int_equal(play->recut->state, AGENT_RECUT_UNLISTING);
}

/* The kubelet has taken the targets off its books, and says that the pod still holds them. */
static AgentRecutAction confirm(Play *play, uint64_t after_ms) {
  play->view.kubelet_agrees = true;
  assert_int_equal(step(play, after_ms), AGENT_RECUT_WAIT);
  assert_int_equal(play->recut->state, AGENT_RECUT_CONFIRMING);
  play->view.held = NULL;
  assert_int_equal(step(play, 0), AGENT_RECUT_ASK);
  play->view.held = &play->held;
  return step(play, 2);
}

static void assert_lost(Play *play, bool raced, const char *reason) {
  assert_true(play->recut->lost);
  assert_int_equal(play->recut->raced, raced);
  assert_string_equal(play->recut->reason, reason);
  assert_false(agent_recut_withholds(play->recut, "MIG-0-6"));
}

static void it_goes_its_way_and_tells_how_long_each_part_took(void **state) {
  Play play;
  play_init(&play, *state);
  assert_int_equal(step(&play, 5), AGENT_RECUT_WAIT);
  go_to_unlisting(&play);
  assert_true(agent_recut_withholds(play.recut, "MIG-0-6"));
  assert_false(agent_recut_withholds(play.recut, "MIG-0-4"));
  assert_int_equal(step(&play, 3), AGENT_RECUT_WAIT);
  assert_int_equal(confirm(&play, 4), AGENT_RECUT_DESTROY);
  assert_string_equal(play.target->uuid, "MIG-0-6");
  destroy(&play, "MIG-0-6");
  assert_int_equal(step(&play, 200), AGENT_RECUT_DESTROY);
  assert_string_equal(play.target->uuid, "MIG-0-5");
  destroy(&play, "MIG-0-5");
  play.view.growing = true;
  assert_int_equal(step(&play, 200), AGENT_RECUT_WAIT);
  assert_int_equal(play.recut->state, AGENT_RECUT_SHOWING);
  play.view.growing = false;
  play.view.node_agrees = true;
  assert_int_equal(step(&play, 160), AGENT_RECUT_WAIT);
  play.view.has_node = true;
  assert_int_equal(step(&play, 0), AGENT_RECUT_WITNESS);
  play.view.witness = AGENT_POD_WAITING;
  assert_int_equal(step(&play, 20000), AGENT_RECUT_WAIT);
  play.view.witness = AGENT_POD_BOUND;
  assert_int_equal(step(&play, 1), AGENT_RECUT_DELETE);
  play.view.pod = AGENT_POD_LEAVING;
  assert_int_equal(step(&play, AGENT_RECUT_RELEASE_AGAIN_MS), AGENT_RECUT_WAIT);
  play.view.pod = AGENT_POD_ABSENT;
  step(&play, 1);
  assert_int_equal(play.recut->state, AGENT_RECUT_OVER);
  assert_int_equal(play.recut->took_ms[AGENT_RECUT_RESERVING], 15);
  assert_int_equal(play.recut->took_ms[AGENT_RECUT_LEARNING], 10);
  assert_int_equal(play.recut->took_ms[AGENT_RECUT_UNLISTING], 7);
  assert_int_equal(play.recut->took_ms[AGENT_RECUT_CONFIRMING], 2);
  assert_int_equal(play.recut->took_ms[AGENT_RECUT_CUTTING], 400);
  assert_int_equal(play.recut->took_ms[AGENT_RECUT_SHOWING], 160);
  play_deinit(&play);
}

static void what_loses_it_while_it_reserves(void **state) {
  static const struct {
    AgentPodState pod;
    const char *says;
    bool raced;
    const char *reason;
  } cases[] = {
      {AGENT_POD_UNSCHEDULABLE, "no room", true, "no room"},
      {AGENT_POD_UNSCHEDULABLE, NULL, true, "the scheduler has promised the slices to other pods"},
      {AGENT_POD_LEAVING, NULL, false, "somebody deleted the reservation pod"},
      {AGENT_POD_ENDED, "no devices", true, "no devices"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    Play play;
    ((Fixture *)*state)->observation->gpu_count = 0;
    play_init(&play, *state);
    play.view.pod = cases[i].pod;
    play.view.pod_says = cases[i].says;
    step(&play, 1);
    assert_lost(&play, cases[i].raced, cases[i].reason);
    play_deinit(&play);
  }
}

static void a_pod_that_vanishes_after_it_was_seen_loses_it(void **state) {
  Play play;
  play_init(&play, *state);
  assert_int_equal(step(&play, 1), AGENT_RECUT_WAIT); /* not shown yet */
  play.view.pod = AGENT_POD_WAITING;
  assert_int_equal(step(&play, 1), AGENT_RECUT_WAIT);
  play.view.pod = AGENT_POD_ABSENT;
  step(&play, 1);
  assert_lost(&play, false, "somebody deleted the reservation pod");
  assert_int_equal(play.recut->state, AGENT_RECUT_OVER);
  play_deinit(&play);
}

static void a_slice_that_is_not_wanted_away_any_more_loses_it(void **state) {
  Play play;
  play_init(&play, *state);
  go_to_unlisting(&play);
  array_remove(&play.wanted, 0);
  assert_int_equal(step(&play, 1), AGENT_RECUT_DELETE);
  assert_lost(&play, true, "the slices are wanted again");
  play_deinit(&play);
}

static void another_slice_in_its_hands_loses_it(void **state) {
  Play play;
  play_init(&play, *state);
  play.view.pod = AGENT_POD_BOUND;
  play.held_ids[0] = "MIG-0-4";
  play.view.held = &play.held;
  step(&play, 1); /* asks: what was known before it was bound does not count */
  assert_int_equal(step(&play, 1), AGENT_RECUT_DELETE);
  assert_lost(&play, true, "the kubelet gave the reservation pod other slices");
  play_deinit(&play);
}

static void slices_that_it_lost_before_they_were_off_the_list_are_not_destroyed(void **state) {
  for (size_t count = 0; count < 2; count++) {
    Play play;
    ((Fixture *)*state)->observation->gpu_count = 0;
    play_init(&play, *state);
    go_to_unlisting(&play);
    play.view.kubelet_agrees = true;
    step(&play, 1);
    play.held.count = count; /* deleted by force, and our watch does not know it yet */
    step(&play, 1);
    assert_lost(&play, true, "the reservation pod lost the slices");
    play_deinit(&play);
  }
}

static void a_slice_that_an_earlier_life_destroyed_is_no_wrong_one(void **state) {
  Play play;
  play_init(&play, *state);
  destroy(&play, "MIG-0-6");
  array_remove(&play.wanted, 0);
  array_remove(&play.recut->targets, 0);
  go_to_unlisting(&play);
  assert_int_equal(confirm(&play, 1), AGENT_RECUT_DESTROY);
  assert_string_equal(play.target->uuid, "MIG-0-5");
  play_deinit(&play);
}

static void a_target_that_must_stay_after_all_is_not_destroyed(void **state) {
  Play play;
  play_init(&play, *state);
  go_to_unlisting(&play);
  assert_int_equal(confirm(&play, 1), AGENT_RECUT_DESTROY);
  array_remove(&play.wanted, 0); /* it could not be destroyed, say */
  assert_int_equal(step(&play, 1), AGENT_RECUT_DESTROY);
  assert_string_equal(play.target->uuid, "MIG-0-5");
  destroy(&play, "MIG-0-5");
  step(&play, 1);
  assert_int_equal(play.recut->state, AGENT_RECUT_SHOWING);
  assert_false(play.recut->lost);
  assert_false(agent_recut_withholds(play.recut, "MIG-0-6")); /* back on offer */
  play_deinit(&play);
}

/* Somebody cuts by hand where a target has just gone, and the driver gives the new slice the old one's UUID.
 */
static void what_came_in_the_place_of_a_target_is_left_alone(void **state) {
  Play play;
  play_init(&play, *state);
  go_to_unlisting(&play);
  assert_int_equal(confirm(&play, 1), AGENT_RECUT_DESTROY);
  play.f->observation->gpus[0].instances[0].nvml_id++;
  assert_int_equal(step(&play, 1), AGENT_RECUT_DESTROY);
  assert_string_equal(play.target->uuid, "MIG-0-5");
  destroy(&play, "MIG-0-5");
  step(&play, 1);
  assert_int_equal(play.recut->state, AGENT_RECUT_SHOWING);
  play_deinit(&play);
}

static void what_the_reservation_does_not_hold_any_more_is_not_destroyed(void **state) {
  Play play;
  play_init(&play, *state);
  go_to_unlisting(&play);
  assert_int_equal(confirm(&play, 1), AGENT_RECUT_DESTROY);
  destroy(&play, "MIG-0-6");
  play.view.pod = AGENT_POD_ENDED; /* the kubelet restarted and did not take it again, say */
  assert_int_equal(step(&play, 1), AGENT_RECUT_WAIT);
  assert_int_equal(play.recut->state, AGENT_RECUT_SHOWING);
  assert_false(agent_recut_withholds(play.recut, "MIG-0-5"));
  play_deinit(&play);
}

static void only_what_the_node_says_after_a_late_write_of_the_kubelet_counts(void **state) {
  Play play;
  play_init(&play, *state);
  go_to_unlisting(&play);
  assert_int_equal(confirm(&play, 1), AGENT_RECUT_DESTROY);
  destroy(&play, "MIG-0-6");
  destroy(&play, "MIG-0-5");
  step(&play, 1);
  assert_int_equal(play.recut->state, AGENT_RECUT_SHOWING);
  play.recut->settles_ms = play.view.now_ms + 500;
  play.view.node_agrees = play.view.has_node = true;
  assert_int_equal(step(&play, 1), AGENT_RECUT_WAIT);
  assert_int_equal(play.recut->state, AGENT_RECUT_SETTLING);
  assert_int_equal(agent_recut_wake_ms(play.recut), play.recut->settles_ms);
  assert_int_equal(step(&play, 498), AGENT_RECUT_WAIT);
  play.view.node_agrees = false;
  assert_int_equal(step(&play, 1), AGENT_RECUT_OFFER);
  play.recut->offer = 7;
  assert_int_equal(step(&play, 0), AGENT_RECUT_WAIT); /* until the node shows it */
  assert_true(agent_recut_wake_ms(play.recut) == HOST_NEVER);
  play.view.node_agrees = true;
  assert_int_equal(step(&play, 30), AGENT_RECUT_WITNESS);
  assert_int_equal(play.recut->state, AGENT_RECUT_LINGERING);
  play_deinit(&play);
}

static void patience_ends_in_each_state_that_waits_for_others(void **state) {
  Play play;
  play_init(&play, *state);
  assert_int_equal(agent_recut_wake_ms(play.recut), 1000 + AGENT_RECUT_PATIENCE_MS);
  step(&play, AGENT_RECUT_PATIENCE_MS);
  assert_lost(&play, false, "the scheduler did not look at the reservation pod within 10 s");
  play_deinit(&play);

  ((Fixture *)*state)->observation->gpu_count = 0;
  play_init(&play, *state);
  play.view.pod = AGENT_POD_BOUND;
  step(&play, 1);
  assert_int_equal(step(&play, AGENT_RECUT_PATIENCE_MS - 1), AGENT_RECUT_ASK);
  step(&play, 1);
  assert_lost(&play, false, "the kubelet did not take the reservation pod within 10 s");
  play_deinit(&play);

  ((Fixture *)*state)->observation->gpu_count = 0;
  play_init(&play, *state);
  go_to_unlisting(&play);
  step(&play, AGENT_RECUT_PATIENCE_MS);
  assert_lost(&play, false, "the kubelet did not follow our list within 10 s");
  play_deinit(&play);

  ((Fixture *)*state)->observation->gpu_count = 0;
  play_init(&play, *state);
  go_to_unlisting(&play);
  play.view.kubelet_agrees = true;
  step(&play, 1);
  play.view.held = NULL;
  step(&play, AGENT_RECUT_PATIENCE_MS);
  assert_lost(&play, false, "the kubelet did not say again what the reservation pod holds in 10 s");
  play_deinit(&play);
}

static void a_witness_is_asked_for_again_and_waited_for_three_minutes_at_most(void **state) {
  Play play = {.f = *state};
  play.recut = agent_recut_new_orphan("r", 1000);
  play.view = (AgentRecutView){
      .now_ms = 1000, .wanted = &play.wanted, .node_agrees = true, .has_node = true, .pod = AGENT_POD_BOUND};
  assert_int_equal(step(&play, 0), AGENT_RECUT_WITNESS);
  assert_int_equal(step(&play, AGENT_RECUT_WITNESS_AGAIN_MS - 1), AGENT_RECUT_WAIT);
  assert_int_equal(step(&play, 1), AGENT_RECUT_WITNESS);
  play.view.witness = AGENT_POD_UNSCHEDULABLE;
  assert_int_equal(step(&play, AGENT_RECUT_LINGER_MS - AGENT_RECUT_WITNESS_AGAIN_MS - 1), AGENT_RECUT_WAIT);
  assert_int_equal(step(&play, 1), AGENT_RECUT_DELETE);
  play_deinit(&play);
}

/* A dead watch shows none of those that were made. */
static void witnesses_that_are_never_seen_are_few(void **state) {
  Play play = {.f = *state};
  int witnesses = 0;
  play.recut = agent_recut_new_orphan("r", 1000);
  play.view = (AgentRecutView){
      .now_ms = 1000, .wanted = &play.wanted, .node_agrees = true, .has_node = true, .pod = AGENT_POD_BOUND};
  for (int ms = 0; ms < AGENT_RECUT_LINGER_MS; ms += 100)
    witnesses += step(&play, 100) == AGENT_RECUT_WITNESS;
  assert_int_equal(witnesses, 6); /* after 0, 5, 15, 35, 75 and 155 s */
  play_deinit(&play);
}

static void a_deletion_that_is_not_heard_is_asked_for_again(void **state) {
  Play play = {.f = *state};
  play.recut = agent_recut_new_orphan("r", 1000);
  play.view =
      (AgentRecutView){.now_ms = 1000, .wanted = &play.wanted, .node_agrees = true, .pod = AGENT_POD_BOUND};
  step(&play, 0);
  assert_int_equal(agent_recut_wake_ms(play.recut), play.view.now_ms + AGENT_RECUT_BLIND_LINGER_MS);
  assert_int_equal(step(&play, AGENT_RECUT_BLIND_LINGER_MS), AGENT_RECUT_DELETE);
  assert_int_equal(step(&play, AGENT_RECUT_RELEASE_AGAIN_MS - 1), AGENT_RECUT_WAIT);
  assert_int_equal(step(&play, 1), AGENT_RECUT_DELETE);
  play_deinit(&play);
}

/* Where NVIDIA's plugin publishes: other slices in its hands are as good, nothing is taken off the list, and
 * when it loses hold of them the rest stays. */
static void unsteered_it_destroys_only_while_it_holds_them(void **state) {
  Play play;
  play_init(&play, *state);
  play.recut->unsteered = true;
  play.held_ids[2] = "MIG-0-4";
  play.held.count = 3;
  play.view.pod = AGENT_POD_BOUND;
  assert_int_equal(step(&play, 10), AGENT_RECUT_ASK);
  play.view.held = &play.held;
  assert_int_equal(step(&play, 10), AGENT_RECUT_DESTROY);
  assert_string_equal(play.target->uuid, "MIG-0-6");
  assert_false(agent_recut_withholds(play.recut, "MIG-0-6"));
  destroy(&play, "MIG-0-6");
  play.view.pod = AGENT_POD_LEAVING;
  assert_int_equal(step(&play, 10), AGENT_RECUT_WAIT);
  assert_int_equal(play.recut->state, AGENT_RECUT_SHOWING);
  assert_false(play.recut->lost);
  play_deinit(&play);
}

/* Whatever is shown, in whatever order: nothing is destroyed that is not wanted away, not held by the pod, or
 * not off the kubelet's list (unsteered: not held at this very moment); a lost re-cut has destroyed nothing;
 * and it always ends. */
static void walk(Fixture *f, uint64_t seed) {
  Play play;
  bool was_held = false, is_confirmed = false;
  int destroyed = 0;
  Random random = {.state = seed};
  f->observation->gpu_count = 0;
  play_init(&play, f);
  play.recut->unsteered = seed % 2;
  for (int i = 0; i < 400 && play.recut->state != AGENT_RECUT_OVER; i++) {
    if (random_below(&random, 4) == 0)
      play.view.pod = (AgentPodState)random_below(&random, AGENT_POD_ENDED + 1);
    if (random_below(&random, 6) == 0)
      play.view.held = random_below(&random, 3) ? &play.held : NULL;
    if (random_below(&random, 40) == 0 && play.wanted.count)
      array_remove(&play.wanted, 0);
    play.view.kubelet_agrees = random_below(&random, 2);
    play.view.node_agrees = random_below(&random, 2);
    play.view.growing = random_below(&random, 2);
    play.view.has_node = random_below(&random, 4);
    play.view.witness = (AgentPodState)random_below(&random, AGENT_POD_ENDED + 1);
    was_held = was_held || play.view.held;
    AgentRecutState before = play.recut->state;
    bool knows = play.view.held;
    AgentRecutAction action = step(&play, random_below(&random, 3000));
    is_confirmed = is_confirmed || (before == AGENT_RECUT_CONFIRMING && knows);
    if (action == AGENT_RECUT_DESTROY) {
      assert_true(play.view.pod == AGENT_POD_BOUND && was_held);
      assert_non_null(agent_targets_find(&play.wanted, play.target->uuid));
      assert_true(play.recut->unsteered || is_confirmed);
      assert_true(play.recut->unsteered ? play.view.pod == AGENT_POD_BOUND
                                        : agent_recut_withholds(play.recut, play.target->uuid));
      destroy(&play, play.target->uuid);
      destroyed++;
    }
    assert_false(play.recut->lost && destroyed);
  }
  for (int i = 0; i < 100 && play.recut->state != AGENT_RECUT_OVER; i++) {
    play.view.pod = AGENT_POD_ABSENT;
    play.view.growing = false;
    play.view.node_agrees = play.view.kubelet_agrees = true;
    if (step(&play, 1000) == AGENT_RECUT_DESTROY)
      destroy(&play, play.target->uuid);
  }
  if (play.recut->state != AGENT_RECUT_OVER)
    fail_msg("seed %llu: it does not end", (unsigned long long)seed);
  play_deinit(&play);
}

static void it_never_destroys_what_is_not_its_own_and_always_ends(void **state) {
  for (uint64_t seed = 1; seed <= 20000; seed++)
    walk(*state, seed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      FIXTURE_TEST(it_goes_its_way_and_tells_how_long_each_part_took),
      FIXTURE_TEST(what_loses_it_while_it_reserves),
      FIXTURE_TEST(a_pod_that_vanishes_after_it_was_seen_loses_it),
      FIXTURE_TEST(a_slice_that_is_not_wanted_away_any_more_loses_it),
      FIXTURE_TEST(another_slice_in_its_hands_loses_it),
      FIXTURE_TEST(slices_that_it_lost_before_they_were_off_the_list_are_not_destroyed),
      FIXTURE_TEST(a_slice_that_an_earlier_life_destroyed_is_no_wrong_one),
      FIXTURE_TEST(a_target_that_must_stay_after_all_is_not_destroyed),
      FIXTURE_TEST(what_came_in_the_place_of_a_target_is_left_alone),
      FIXTURE_TEST(what_the_reservation_does_not_hold_any_more_is_not_destroyed),
      FIXTURE_TEST(only_what_the_node_says_after_a_late_write_of_the_kubelet_counts),
      FIXTURE_TEST(patience_ends_in_each_state_that_waits_for_others),
      FIXTURE_TEST(a_witness_is_asked_for_again_and_waited_for_three_minutes_at_most),
      FIXTURE_TEST(witnesses_that_are_never_seen_are_few),
      FIXTURE_TEST(a_deletion_that_is_not_heard_is_asked_for_again),
      FIXTURE_TEST(unsteered_it_destroys_only_while_it_holds_them),
      FIXTURE_TEST(it_never_destroys_what_is_not_its_own_and_always_ends),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
