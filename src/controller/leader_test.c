/* SPDX-License-Identifier: Apache-2.0 */
/* A controller with a Lease on a played API server. */
#include "controller/controller_fixture.h"

#include "controller/leaving.h"

#define LEASES "/apis/coordination.k8s.io/v1/namespaces/facet-system/leases"
#define LEASE  LEASES "/facet-controller"

static int lease_world_init(void **state) {
  static const ControllerLeaseOptions lease = {
      .namespace_ = "facet-system", .name = "facet-controller", .identity = "me"};
  return world_init_with(state, &(ControllerOptions){.batch_idle_ms = CONTROLLER_BATCH_IDLE_MS,
                                                     .batch_timeout_ms = CONTROLLER_BATCH_TIMEOUT_MS,
                                                     .leftover = PLAN_LEFTOVER_NONE,
                                                     .lease = &lease});
}

static void answer_lease(World *world, const char *method, const char *holder) {
  run_for(world, 0);
  int version = ++world->version;
  CLEANUP(cleanup_free)
  char *body = mem_format("{\"metadata\":{\"resourceVersion\":\"%d\"},\"spec\":{\"holderIdentity\":\"%s\","
                          "\"leaseDurationSeconds\":15,\"leaseTransitions\":4,\"renewTime\":"
                          "\"2026-01-01T00:00:%02d.000000Z\"}}",
                          version, holder, version % 60);
  fake_answer(get_call(world, method, strcmp(method, "POST") == 0 ? LEASES : LEASE), 200, body);
}

/* Leads, is synced and has one node. */
static void lead(World *world) {
  add_node(world, "n1");
  answer_lists(world);
  run_for(world, 0);
  fake_answer(get_call(world, "GET", LEASE), 404, REFUSAL(404, "NotFound", "no such lease"));
  answer_lease(world, "POST", "me");
  assert_true(controller_leads(world->controller));
}

static void renew(World *world) {
  run_for(world, KUBE_ELECTION_RETRY_MS);
  answer_lease(world, "PATCH", "me");
}

static void on_left(void *userdata) {
  ++*(int *)userdata;
}

/* ---- who leads ---- */

static void a_lease_is_made_where_there_is_none(void **state) {
  World *world = *state;
  run_for(world, 0);
  fake_answer(get_call(world, "GET", LEASE), 404, REFUSAL(404, "NotFound", "no such lease"));
  run_for(world, 0);
  const KubeCall *call = get_call(world, "POST", LEASES);
  assert_string_equal(call->request.path, LEASES);
  assert_int_equal(call->request.timeout_ms, KUBE_ELECTION_ANSWER_MS);
  assert_non_null(strstr(call->request.body, "\"holderIdentity\":\"me\",\"leaseDurationSeconds\":15,"));
  assert_false(controller_leads(world->controller));
  answer_lease(world, "POST", "me");
  assert_true(controller_leads(world->controller));
  run_for(world, KUBE_ELECTION_RETRY_MS);
  call = get_call(world, "PATCH", LEASE);
  assert_string_equal(call->request.content_type, KUBE_MERGE_PATCH);
  assert_true(string_has_prefix(call->request.body, "{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":"));
}

static void a_missing_namespace_is_trouble_and_not_asked_again_at_once(void **state) {
  World *world = *state;
  for (int i = 0; i < 3; i++) {
    run_for(world, i ? KUBE_ELECTION_RETRY_MS * 12 / 10 : 0);
    fake_answer(get_call(world, "GET", LEASE), 404, REFUSAL(404, "NotFound", "no such lease"));
    run_for(world, 0);
    fake_answer(get_call(world, "POST", LEASES), 404, REFUSAL(404, "NotFound", "no such namespace"));
    run_for(world, KUBE_ELECTION_RETRY_MS - 1);
    assert_null(find_call(world, "GET", LEASE));
  }
  assert_false(controller_leads(world->controller));
}

static void who_stands_by_plans_nothing_and_says_nothing(void **state) {
  World *world = *state;
  answer_lease(world, "GET", "other");
  add_node(world, "n1");
  add_pod(world, "p", "1g.10gb");
  answer_lists(world);
  for (int i = 0; i < 10; i++) {
    run_for(world, 4500);
    answer_lease(world, "GET", "other");
  }
  assert_int_equal(count_calls(world, "PATCH") + count_calls(world, "POST"), 0);
}

static void who_takes_over_plans_at_once_with_what_it_watched(void **state) {
  World *world = *state;
  answer_lease(world, "GET", "other");
  add_node(world, "n1");
  add_pod(world, "p", "1g.10gb");
  answer_lists(world);
  run_for(world, 4500);
  answer_lease(world, "GET", ""); /* it was given back */
  answer_lease(world, "PATCH", "me");
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  answer_write(world, "n1");
  assert_string_equal(spec_of(world, "n1"), "GPU-n1-0 1g.10gb@6");
}

/* ---- who leads no more ---- */

static void what_was_sent_is_taken_back_when_the_lease_is_lost(void **state) {
  World *world = *state;
  lead(world);
  add_pod(world, "p", "1g.10gb");
  run_for(world, CONTROLLER_BATCH_IDLE_MS + KUBE_PATIENCE_MS);
  KubeCall *write = get_call(world, "PATCH", NODES "/n1"), *word = get_call(world, "POST", EVENTS);
  fake_answer(get_call(world, "PATCH", LEASE), 409, REFUSAL(409, "Conflict", "modified"));
  answer_lease(world, "GET", "other");
  assert_false(controller_leads(world->controller));
  assert_true(write->was_cancelled && word->was_cancelled);
  add_pod(world, "q", "1g.10gb");
  run_for(world, 3000);
  assert_null(find_call(world, "PATCH", NODES));
  assert_null(find_call(world, "POST", EVENTS));
}

static void without_answers_the_deadline_ends_it(void **state) {
  World *world = *state;
  lead(world);
  run_for(world, KUBE_ELECTION_RENEW_MS - 1000);
  add_pod(world, "p", "1g.10gb");
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  KubeCall *write = get_call(world, "PATCH", NODES "/n1");
  run_for(world, 800);
  assert_true(write->was_cancelled);
  add_pod(world, "q", "1g.10gb");
  run_for(world, 5000);
  assert_null(find_call(world, "PATCH", NODES));
}

static void a_pass_that_is_due_when_the_process_wakes_up_too_late_does_not_run(void **state) {
  World *world = *state;
  lead(world);
  renew(world);
  add_pod(world, "p", "1g.10gb");
  host_advance(&world->host, world->host.now_ms + 60000,
               WORLD_WALL_MS + 60000); /* it was stopped meanwhile */
  host_run_timers(&world->host);
  assert_null(find_call(world, "PATCH", NODES));
}

static void who_gets_it_back_plans_again(void **state) {
  World *world = *state;
  lead(world);
  add_pod(world, "p", "1g.10gb");
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  run_for(world, KUBE_ELECTION_RETRY_MS);
  fake_answer(get_call(world, "PATCH", LEASE), 409, REFUSAL(409, "Conflict", "modified"));
  answer_lease(world, "GET", "other");
  run_for(world, 4500);
  answer_lease(world, "GET", "");
  answer_lease(world, "PATCH", "me");
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  answer_write(world, "n1");
  assert_string_equal(spec_of(world, "n1"), "GPU-n1-0 1g.10gb@6");
}

/* ---- leaving ---- */

static void what_was_sent_is_waited_for_then_the_lease_goes(void **state) {
  World *world = *state;
  int left = 0;
  lead(world);
  add_pod(world, "p", "1g.10gb");
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  controller_leave(world->controller, on_left, &left);
  add_pod(world, "q", "1g.10gb");
  run_for(world, 100);
  assert_null(find_call(world, "PATCH", LEASE));
  answer_write(world, "n1");
  assert_null(find_call(world, "PATCH", LEASE));
  run_for(world, 1);
  assert_int_equal(answer_events(world), 1);
  const KubeCall *release = get_call(world, "PATCH", LEASE);
  assert_non_null(strstr(release->request.body, "\"holderIdentity\":\"\",\"leaseDurationSeconds\":1,"));
  assert_int_equal(left, 0);
  answer_lease(world, "PATCH", "");
  assert_int_equal(left, 1);
  assert_false(controller_leads(world->controller));
  run_for(world, 10000);
  assert_int_equal(left, 1);
  assert_null(find_call(world, "PATCH", NODES)); /* q is the next one's affair */
}

static void an_api_server_that_does_not_answer_is_not_waited_for_longer_than_a_second(void **state) {
  World *world = *state;
  int left = 0;
  lead(world);
  add_pod(world, "p", "1g.10gb");
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  KubeCall *write = get_call(world, "PATCH", NODES "/n1");
  controller_leave(world->controller, on_left, &left);
  run_for(world, CONTROLLER_DRAIN_MS);
  assert_true(write->was_cancelled);
  get_call(world, "PATCH", LEASE);
  assert_int_equal(left, 0);
  run_for(world, CONTROLLER_LEAVE_MS - CONTROLLER_DRAIN_MS);
  assert_int_equal(left, 1);
}

static void who_stands_by_leaves_at_once(void **state) {
  World *world = *state;
  int left = 0;
  answer_lease(world, "GET", "other");
  controller_leave(world->controller, on_left, &left);
  assert_int_equal(left, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, lease_world_init, world_deinit)
      TEST(a_lease_is_made_where_there_is_none),
      TEST(a_missing_namespace_is_trouble_and_not_asked_again_at_once),
      TEST(who_stands_by_plans_nothing_and_says_nothing),
      TEST(who_takes_over_plans_at_once_with_what_it_watched),
      TEST(what_was_sent_is_taken_back_when_the_lease_is_lost),
      TEST(without_answers_the_deadline_ends_it),
      TEST(a_pass_that_is_due_when_the_process_wakes_up_too_late_does_not_run),
      TEST(who_gets_it_back_plans_again),
      TEST(what_was_sent_is_waited_for_then_the_lease_goes),
      TEST(an_api_server_that_does_not_answer_is_not_waited_for_longer_than_a_second),
      TEST(who_stands_by_leaves_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
