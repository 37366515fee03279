/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/agenda.h"

#include "base/random.h"
#include "base/test.h"

static void what_is_earlier_comes_first(void **state) {
  CLEANUP(simulate_agenda_deinit) SimulateAgenda agenda = {0};
  Random random = {.state = 3};
  SimulateEvent event;
  int64_t last_ms = -1;
  for (int i = 0; i < 1000; i++)
    simulate_agenda_add(&agenda, (SimulateEvent){.at_ms = (int64_t)random_below(&random, 200), .job = i});
  for (int i = 0; i < 1000; i++) {
    assert_true(simulate_agenda_take(&agenda, &event));
    assert_true(event.at_ms >= last_ms);
    last_ms = event.at_ms;
  }
  assert_false(simulate_agenda_take(&agenda, &event));
  assert_null(simulate_agenda_peek(&agenda));
}

static void of_one_instant_ends_come_before_arrivals_and_these_before_who_gives_up(void **state) {
  CLEANUP(simulate_agenda_deinit) SimulateAgenda agenda = {0};
  static const SimulateEventKind kinds[] = {SIMULATE_WAKE, SIMULATE_GIVE_UP, SIMULATE_ARRIVAL, SIMULATE_END};
  SimulateEvent event;
  for (int i = 0; i < 4; i++)
    simulate_agenda_add(&agenda, (SimulateEvent){.at_ms = 5, .kind = kinds[i]});
  for (int i = 3; i >= 0; i--) {
    assert_true(simulate_agenda_take(&agenda, &event));
    assert_int_equal(event.kind, kinds[i]);
  }
}

static void equals_come_in_the_order_in_which_they_were_noted(void **state) {
  CLEANUP(simulate_agenda_deinit) SimulateAgenda agenda = {0};
  SimulateEvent event;
  for (int i = 0; i < 100; i++)
    simulate_agenda_add(&agenda, (SimulateEvent){.at_ms = 1, .kind = SIMULATE_ARRIVAL, .job = i});
  for (int i = 0; i < 100; i++) {
    assert_int_equal(simulate_agenda_peek(&agenda)->job, i);
    assert_true(simulate_agenda_take(&agenda, &event));
    assert_int_equal(event.job, i);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_earlier_comes_first),
      cmocka_unit_test(of_one_instant_ends_come_before_arrivals_and_these_before_who_gives_up),
      cmocka_unit_test(equals_come_in_the_order_in_which_they_were_noted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
