/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/release_guard.h"

#include "base/log.h"
#include "base/text.h"
#include "kube/fake_transport.h"

typedef struct World {
  Host host;
  FakeTransport fake;
  CliReleaseGuard guard;
  int refusing, refused;
} World;

static Text said; /* warnings */

static void listen_to_log(void *userdata, LogLevel level, const char *component, const char *message,
                          const char *fields) {
  if (level == LOG_LEVEL_WARN)
    text_format(&said, "%s %s %s\n", component, message, fields);
}

static void note_refused(void *userdata) {
  ((World *)userdata)->refused++;
}

static void note_refusing(void *userdata) {
  ((World *)userdata)->refusing++;
}

static void run_for(World *world, uint64_t ms) {
  uint64_t end_ms = world->host.now_ms + ms;
  host_run_timers(&world->host);
  while (host_next_ms(&world->host) <= end_ms) {
    host_advance(&world->host, host_next_ms(&world->host), 0);
    host_run_timers(&world->host);
  }
  host_advance(&world->host, end_ms, 0);
}

static void begin(World *world, const char *node_name) {
  *world = (World){0};
  log_configure((LogConfig){.level = LOG_LEVEL_DEBUG, .sink = listen_to_log});
  host_init(&world->host, 1);
  host_advance(&world->host, 1000, 0);
  fake_init(&world->fake);
  cli_release_guard_init(&world->guard, &world->host, &world->fake.seam, "agent", node_name, note_refused,
                         world);
  run_for(world, 0);
  assert_string_equal(fake_open_call(&world->fake)->request.path, "/version");
}

static void end(World *world) {
  cli_release_guard_deinit(&world->guard);
  assert_true(host_next_ms(&world->host) == HOST_NEVER);
  fake_deinit(&world->fake);
  host_deinit(&world->host);
  text_deinit(&said);
}

#define REFUSAL "Kubernetes is v1.25.16: facet needs 1.26 or newer; upgrade the cluster"

static void a_server_that_is_new_enough_is_asked_once(void **state) {
  World world;
  Error err;
  begin(&world, "n1");
  fake_answer(fake_open_call(&world.fake), 200, "{\"major\":\"1\",\"gitVersion\":\"v1.36.2\"}");
  run_for(&world, 600000);
  assert_int_equal(world.fake.calls.count, 1);
  assert_int_equal(world.refused, 0);
  assert_int_equal(cli_release_guard_result(&world.guard, &err), 0);
  assert_string_equal(text_string(&said), "");
  end(&world);
}

static void a_server_that_nobody_tried_is_warned_of(void **state) {
  World world;
  begin(&world, NULL);
  fake_answer(fake_open_call(&world.fake), 200, "{\"gitVersion\":\"v1.27.3\"}");
  assert_int_equal(world.refused, 0);
  assert_string_equal(text_string(&said), "agent facet was never tried with this Kubernetes version=v1.27.3 "
                                          "supported=\"1.29 and newer\"\n");
  end(&world);
}

static void an_old_server_is_refused(void **state) {
  World world;
  Error err;
  begin(&world, NULL);
  fake_answer(fake_open_call(&world.fake), 200, "{\"gitVersion\":\"v1.25.16\"}");
  assert_int_equal(world.refused, 1);
  assert_true(cli_release_guard_result(&world.guard, &err) < 0);
  assert_string_equal(err.text, REFUSAL);
  end(&world);
}

static void the_node_of_an_agent_says_so_before_it_ends(void **state) {
  World world;
  begin(&world, "n1");
  world.guard.on_refusing = note_refusing;
  world.guard.refusing_userdata = &world;
  fake_answer(fake_open_call(&world.fake), 200, "{\"gitVersion\":\"v1.25.16\"}");
  run_for(&world, 0);
  assert_int_equal(world.refusing, 1);
  assert_int_equal(world.refused, 0);
  KubeCall *patch = fake_open_call(&world.fake);
  assert_string_equal(patch->request.method, "PATCH");
  assert_string_equal(patch->request.path, "/api/v1/nodes/n1/status");
  assert_string_equal(patch->request.body,
                      "{\"metadata\":{\"annotations\":{\"facet.gpu/error\":\"" REFUSAL "\"}}}");
  fake_answer(patch, 200, "{}");
  assert_int_equal(world.refused, 1);
  end(&world);
}

static void a_node_that_cannot_be_told_is_no_reason_to_stay(void **state) {
  World world;
  begin(&world, "n1");
  fake_answer(fake_open_call(&world.fake), 200, "{\"gitVersion\":\"v1.20.0\"}");
  run_for(&world, 0);
  fake_break(fake_open_call(&world.fake));
  assert_int_equal(world.refused, 1);
  assert_string_equal(text_string(&said),
                      "agent the node does not say why node=n1 err=\"the connection broke\"\n");
  end(&world);
}

static void a_server_that_does_not_answer_is_asked_ever_more_rarely(void **state) {
  static const uint64_t delays_ms[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
  World world;
  begin(&world, NULL);
  fake_break(fake_open_call(&world.fake));
  for (size_t i = 0; i < COUNT_OF(delays_ms); i++) {
    run_for(&world, delays_ms[i] - 1);
    assert_int_equal(world.fake.calls.count, i + 1);
    run_for(&world, 1);
    assert_int_equal(world.fake.calls.count, i + 2);
    if (i + 1 < COUNT_OF(delays_ms))
      fake_answer(fake_open_call(&world.fake), 500, "");
  }
  fake_answer(fake_open_call(&world.fake), 200, "{\"gitVersion\":\"v1.25.16\"}");
  assert_int_equal(world.refused, 1);
  end(&world);
}

static void who_may_not_see_the_version_goes_on(void **state) {
  static const char *const answers[] = {"{\"kind\":\"Status\",\"code\":403}", "", "{}", "[]",
                                        "{\"gitVersion\":7}"};
  for (size_t i = 0; i < COUNT_OF(answers); i++) {
    World world;
    begin(&world, "n1");
    fake_answer(fake_open_call(&world.fake), i ? 200 : 403, answers[i]);
    run_for(&world, 600000);
    assert_int_equal(world.fake.calls.count, 1);
    assert_int_equal(world.refused, 0);
    end(&world);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_server_that_is_new_enough_is_asked_once),
      cmocka_unit_test(a_server_that_nobody_tried_is_warned_of),
      cmocka_unit_test(an_old_server_is_refused),
      cmocka_unit_test(the_node_of_an_agent_says_so_before_it_ends),
      cmocka_unit_test(a_node_that_cannot_be_told_is_no_reason_to_stay),
      cmocka_unit_test(a_server_that_does_not_answer_is_asked_ever_more_rarely),
      cmocka_unit_test(who_may_not_see_the_version_goes_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
