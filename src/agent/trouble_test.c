/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "agent/trouble.h"

static void without_trouble_there_is_nothing_to_say(void **state) {
  CLEANUP(agent_trouble_deinit) AgentTroubles troubles = {0};
  char buffer[64];
  assert_null(agent_trouble_format(&troubles, buffer, sizeof buffer));
  assert_false(agent_trouble_set(&troubles, "a", NULL));
}

static void a_subject_has_one_sentence_until_it_is_over(void **state) {
  CLEANUP(agent_trouble_deinit) AgentTroubles troubles = {0};
  char buffer[64];
  assert_true(agent_trouble_set(&troubles, "a", "the disk is full"));
  assert_false(agent_trouble_set(&troubles, "a", "the disk is full"));
  assert_string_equal(agent_trouble_format(&troubles, buffer, sizeof buffer), "the disk is full");
  assert_true(agent_trouble_set(&troubles, "a", "the disk is gone"));
  assert_string_equal(agent_trouble_format(&troubles, buffer, sizeof buffer), "the disk is gone");
  assert_true(agent_trouble_set(&troubles, "a", NULL));
  assert_null(agent_trouble_format(&troubles, buffer, sizeof buffer));
}

static void of_many_the_oldest_is_said_and_the_others_are_counted(void **state) {
  CLEANUP(agent_trouble_deinit) AgentTroubles troubles = {0};
  char buffer[64];
  agent_trouble_set(&troubles, "a", "one");
  agent_trouble_set(&troubles, "b", "two");
  agent_trouble_set(&troubles, "c", "three");
  assert_string_equal(agent_trouble_format(&troubles, buffer, sizeof buffer),
                      "one (and 2 more: see the agent's log)");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(without_trouble_there_is_nothing_to_say),
      cmocka_unit_test(a_subject_has_one_sentence_until_it_is_over),
      cmocka_unit_test(of_many_the_oldest_is_said_and_the_others_are_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
