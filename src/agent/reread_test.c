/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/reread.h"

#include "base/host.h"
#include "base/test.h"

enum { BEGIN_MS = 1000000 };

/* A machine whose first lists the kubelet has shown, and then a slice came. */
typedef struct Case {
  AgentReread reread;
  AgentRereadView view;
} Case;

static bool step(Case *c) {
  return agent_reread_step(&c->reread, &c->view);
}

static bool step_after(Case *c, uint64_t ms) {
  c->view.now_ms += ms;
  return step(c);
}

static Case begin(void) {
  Case c = {.view = {.now_ms = BEGIN_MS, .changes = 1, .is_answered = true, .is_shown = true}};
  assert_false(step(&c));
  c.view.changes = 2;
  c.view.is_shown = false;
  assert_false(step(&c));
  return c;
}

/* Asked once, in that way. */
static Case begin_asked(AgentRereadWay way) {
  Case c = begin();
  assert_true(step_after(&c, AGENT_REREAD_GATHER_MS));
  agent_reread_done(&c.reread, way, c.view.now_ms);
  assert_false(step(&c));
  return c;
}

/* Milliseconds until it asks, by its own timer. */
static uint64_t asks_after(Case *c) {
  uint64_t from_ms = c->view.now_ms;
  for (int i = 0; i < 4; i++) {
    uint64_t wake_ms = agent_reread_wake_ms(&c->reread);
    assert_true(wake_ms != HOST_NEVER);
    if (step_after(c, wake_ms > c->view.now_ms ? wake_ms - c->view.now_ms : 0))
      return c->view.now_ms - from_ms;
  }
  fail_msg("it does not ask when it said that it would");
  return 0;
}

static void what_comes_within_a_short_while_is_asked_for_once(void **state) {
  Case c = begin();
  assert_false(step_after(&c, AGENT_REREAD_GATHER_MS - 1));
  c.view.changes++;
  assert_false(step(&c));
  assert_int_equal(asks_after(&c), AGENT_REREAD_GATHER_MS);
}

static void slices_that_keep_coming_do_not_put_it_off_for_ever(void **state) {
  Case c = begin();
  uint64_t waited_ms = 0;
  for (; waited_ms < 60000 && !step_after(&c, 100); waited_ms += 100)
    c.view.changes++;
  assert_int_equal(waited_ms + 100, AGENT_REREAD_GATHER_MAX_MS);
}

static void busy_gpus_are_waited_for(void **state) {
  Case c = begin();
  c.view.is_busy = true;
  assert_false(step_after(&c, 3600000));
  c.view.is_busy = false;
  assert_true(step(&c));
}

static void nobody_is_asked_before_the_kubelet_has_answered(void **state) {
  Case c = {.view = {.now_ms = BEGIN_MS, .changes = 1}};
  assert_false(step(&c));
  assert_false(step_after(&c, 3600000));
  c.view.is_answered = c.view.is_shown = true;
  assert_false(step(&c));
  assert_int_equal(c.reread.state, AGENT_REREAD_SHOWN);
}

static void it_is_asked_once_at_a_time(void **state) {
  Case c = begin();
  assert_true(step_after(&c, AGENT_REREAD_GATHER_MS));
  c.view.changes++;
  assert_false(step_after(&c, 3600000)); /* the answer is on its way */
  agent_reread_done(&c.reread, AGENT_REREAD_SIGNAL, c.view.now_ms);
  assert_false(step(&c));
  assert_int_equal(asks_after(&c), AGENT_REREAD_GATHER_MS); /* for what came since */
}

static void what_the_kubelet_shows_needs_no_answer(void **state) {
  Case c = begin();
  assert_true(step_after(&c, AGENT_REREAD_GATHER_MS));
  c.view.is_shown = true;
  assert_false(step(&c));
  agent_reread_done(&c.reread, AGENT_REREAD_SIGNAL, c.view.now_ms);
  agent_reread_refuse(&c.reread, "no", c.view.now_ms);
  assert_int_equal(c.reread.state, AGENT_REREAD_SHOWN);
  assert_int_equal(agent_reread_waits_ms(&c.reread, c.view.now_ms), 0);
}

static void the_other_way_is_tried_and_then_ever_more_rarely(void **state) {
  static const uint32_t waits_ms[] = {60000, 120000, 240000, 300000, 300000};
  Case c = begin_asked(AGENT_REREAD_SIGNAL);
  assert_int_equal(asks_after(&c), AGENT_REREAD_AGAIN_MS);
  assert_true(agent_reread_prefers_pod(&c.reread));
  for (size_t i = 0; i < COUNT_OF(waits_ms); i++) {
    agent_reread_done(&c.reread, AGENT_REREAD_POD, c.view.now_ms);
    assert_int_equal(asks_after(&c), waits_ms[i]);
    assert_false(agent_reread_prefers_pod(&c.reread));
  }
}

static void new_slices_begin_with_a_signal_again(void **state) {
  Case c = begin_asked(AGENT_REREAD_SIGNAL);
  c.view.changes++;
  assert_false(step_after(&c, 1));
  assert_int_equal(asks_after(&c), AGENT_REREAD_GATHER_MS);
  assert_false(agent_reread_prefers_pod(&c.reread));
  agent_reread_done(&c.reread, AGENT_REREAD_SIGNAL, c.view.now_ms);
  assert_int_equal(asks_after(&c), AGENT_REREAD_AGAIN_MS);
}

static void a_refusal_is_tried_again_ever_more_rarely(void **state) {
  static const uint32_t waits_ms[] = {5000, 10000, 20000, 40000, 80000, 160000, 300000, 300000};
  Case c = begin();
  assert_true(step_after(&c, AGENT_REREAD_GATHER_MS));
  for (size_t i = 0; i < COUNT_OF(waits_ms); i++) {
    agent_reread_refuse(&c.reread, "no", c.view.now_ms);
    assert_string_equal(c.reread.refusal, "no");
    assert_int_equal(asks_after(&c), waits_ms[i]);
  }
}

static void a_pod_that_is_starting_is_let_start(void **state) {
  Case c = begin_asked(AGENT_REREAD_POD);
  c.view.changes++;
  assert_false(step_after(&c, 1000));
  assert_int_equal(asks_after(&c), AGENT_REREAD_STARTS_MS - 1000);
}

static void what_it_took_back_itself_is_not_asked_for(void **state) {
  Case c = begin();
  c.view.is_shown = true;
  assert_false(step(&c));
  c.view.is_shown = false;
  assert_false(step_after(&c, 1));
  assert_int_equal(c.reread.state, AGENT_REREAD_GONE);
  assert_false(step_after(&c, 3600000));
  assert_int_equal(agent_reread_waits_ms(&c.reread, c.view.now_ms), 3600000);
  assert_true(agent_reread_wake_ms(&c.reread) == HOST_NEVER);
  c.view.changes++;
  assert_false(step(&c));
  assert_int_equal(asks_after(&c), AGENT_REREAD_GATHER_MS);
}

static void where_it_is_hopeless_it_is_asked_once(void **state) {
  Case c = begin_asked(AGENT_REREAD_SIGNAL);
  c.view.is_hopeless = true;
  assert_false(step_after(&c, 3600000));
  c.view.is_hopeless = false;
  assert_true(step(&c));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_comes_within_a_short_while_is_asked_for_once),
      cmocka_unit_test(slices_that_keep_coming_do_not_put_it_off_for_ever),
      cmocka_unit_test(busy_gpus_are_waited_for),
      cmocka_unit_test(nobody_is_asked_before_the_kubelet_has_answered),
      cmocka_unit_test(it_is_asked_once_at_a_time),
      cmocka_unit_test(what_the_kubelet_shows_needs_no_answer),
      cmocka_unit_test(the_other_way_is_tried_and_then_ever_more_rarely),
      cmocka_unit_test(new_slices_begin_with_a_signal_again),
      cmocka_unit_test(a_refusal_is_tried_again_ever_more_rarely),
      cmocka_unit_test(a_pod_that_is_starting_is_let_start),
      cmocka_unit_test(what_it_took_back_itself_is_not_asked_for),
      cmocka_unit_test(where_it_is_hopeless_it_is_asked_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
