/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_fixture.h"

#include "agent/steer.h"

static const Map nobody = {0};

static void assert_preferred(Fixture *f, int32_t size, bool for_reservation, const char *expected) {
  static const char *available[] = {"MIG-0-6", "MIG-0-5", "MIG-0-4", "MIG-0-3"};
  AgentTargets targets = {0};
  Strings ids;
  CLEANUP(text_deinit) Text text = {0};
  snprintf(array_push(&targets)->uuid, MIG_UUID_SIZE, "MIG-0-6");
  snprintf(array_push(&targets)->uuid, MIG_UUID_SIZE, "MIG-0-4");
  const KubeletPreferred request = {.available = {.items = available, .count = COUNT_OF(available)},
                                    .size = size};
  agent_steer_prefer(f->observation, &nobody, &targets, for_reservation, &request, &f->arena, &ids);
  for (size_t i = 0; i < ids.count; i++)
    text_format(&text, "%s%s", i ? " " : "", ids.items[i]);
  array_deinit(&targets);
  assert_string_equal(text_string(&text), expected);
}

static void the_reservation_gets_the_targets_and_others_do_not(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "1g.10gb@6 1g.10gb@5 1g.10gb@4 1g.10gb@3");
  assert_preferred(f, 2, true, "MIG-0-6 MIG-0-4");
  assert_preferred(f, 1, false, "MIG-0-5");
  assert_preferred(f, 2, false, "MIG-0-5 MIG-0-3");
}

static void nobody_gets_less_than_there_is(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "1g.10gb@6 1g.10gb@5 1g.10gb@4 1g.10gb@3");
  assert_preferred(f, 3, false, "MIG-0-5 MIG-0-3 MIG-0-6");
  assert_preferred(f, 3, true, "MIG-0-6 MIG-0-4 MIG-0-5");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      FIXTURE_TEST(the_reservation_gets_the_targets_and_others_do_not),
      FIXTURE_TEST(nobody_gets_less_than_there_is),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
