/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/apiserver/watch_fixture.h"

#define WATCH_NODES NODE_PATH "?watch=1&resourceVersion=0"
#define WATCH_PODS  "/api/v1/pods?watch=1&resourceVersion=0"
#define NOTE_PATCH  "{\"metadata\":{\"annotations\":{\"note\":\"1\"}}}"
#define BROKEN      "the connection to the simulated API server broke"

static void patch_node(World *world, const char *plan) {
  json_auto_t *patch = json_pack("{s:{s:{s:s}}}", "metadata", "annotations", "plan", plan);
  sim_api_patch(world->api, NODE_PATH "/n1", patch);
}

static int retry_after_s;

static void on_retry(void *userdata, const KubeAnswer *answer) {
  retry_after_s = answer->failure.retry_after_s;
}

static void a_refusal_may_say_when_to_come_back(void **state) {
  World world;
  world_init(&world, 0, 1);
  sim_api_fail(world.api, &(SimApiFailure){.count = 1, .status = 429, .retry_after_s = 7});
  kube_client_call(world.client,
                   &(KubeCallOptions){.method = "GET", .path = NODE_PATH, .on_answer = on_retry});
  pass_time(&world, 20);
  assert_int_equal(retry_after_s, 7);
  world_deinit(&world);
}

static void only_patches_are_refused_where_only_they_shall_be(void **state) {
  World world;
  world_init(&world, 0, 1);
  create_node(&world, "n1");
  sim_api_fail(world.api,
               &(SimApiFailure){.count = 1, .status = 409, .retry_after_s = -1, .only_patches = true});
  assert_int_equal(call(&world, "GET", NODE_PATH, NULL, NULL), 200);
  assert_int_equal(call(&world, "PATCH", NODE_PATH "/n1", KUBE_MERGE_PATCH, "{}"), 409);
  assert_int_equal(call(&world, "PATCH", NODE_PATH "/n1", KUBE_MERGE_PATCH, "{}"), 200);
  world_deinit(&world);
}

static void a_hung_answer_was_carried_out_and_ends_with_the_clients_patience(void **state) {
  World world;
  const KubeCallOptions options = {.method = "POST",
                                   .path = NODE_PATH,
                                   .content_type = "application/json",
                                   .body = "{\"metadata\":{\"name\":\"n1\"}}",
                                   .body_size = strlen("{\"metadata\":{\"name\":\"n1\"}}"),
                                   .on_answer = on_answer,
                                   .userdata = &world};
  world_init(&world, 0, 1);
  sim_api_hang_next(world.api, 1);
  kube_client_call(world.client, &options);
  pass_time(&world, KUBE_CALL_TIMEOUT_MS - 1);
  assert_int_equal(world.answer_count, 0);
  assert_non_null(sim_api_store_find(sim_api_store(world.api), SIM_API_NODES, "n1"));
  pass_time(&world, 100);
  assert_int_equal(world.answer_count, 1);
  assert_int_equal(world.status, -1);
  world_deinit(&world);
}

static void a_watch_that_is_behind_keeps_its_order_and_the_other_kind_goes_on(void **state) {
  World world;
  Watch nodes, pods;
  world_init(&world, 0, 1);
  watch_start(&nodes, &world, &kube_node_type, WATCH_NODES);
  watch_start(&pods, &world, &kube_pod_type, WATCH_PODS);
  sim_api_stall_watches(world.api, SIM_API_NODES, 1000);
  create_node(&world, "n1");
  patch_node(&world, "2");
  create_pod(&world, "p");
  pass_time(&world, 900);
  assert_string_equal(text_string(&nodes.story), "");
  assert_string_equal(text_string(&pods.story), "ADDED p@3; ");
  pass_time(&world, 200);
  assert_string_equal(text_string(&nodes.story), "ADDED n1@1; MODIFIED n1@2; ");
  watch_stop(&pods);
  watch_stop(&nodes);
  world_deinit(&world);
}

static void a_silent_watch_says_nothing_until_it_is_cut(void **state) {
  World world;
  Watch watch;
  world_init(&world, 0, 1);
  watch_start(&watch, &world, &kube_node_type, WATCH_NODES "&allowWatchBookmarks=true");
  sim_api_silence_watch(world.api, 0);
  create_node(&world, "n1");
  pass_time(&world, 200000);
  assert_string_equal(text_string(&watch.story), "");
  sim_api_cut_watches(world.api);
  pass_time(&world, 20);
  assert_string_equal(text_string(&watch.story), BROKEN);
  watch_stop(&watch);
  world_deinit(&world);
}

static void an_event_that_is_repeated_comes_twice_in_a_row(void **state) {
  World world;
  Watch watch;
  world_init(&world, 0, 1);
  watch_start(&watch, &world, &kube_node_type, WATCH_NODES);
  sim_api_repeat_events(world.api, 100);
  create_node(&world, "n1");
  pass_time(&world, 20);
  assert_string_equal(text_string(&watch.story), "ADDED n1@1; ADDED n1@1; ");
  watch_stop(&watch);
  world_deinit(&world);
}

static void a_version_that_is_gone_is_refused_by_status_where_that_is_wanted(void **state) {
  World world;
  Watch watch;
  world_init(&world, 0, 1);
  create_node(&world, "n1");
  sim_api_compact(world.api);
  sim_api_set_gone_by_status(world.api, true);
  assert_int_equal(call(&world, "GET", WATCH_NODES, NULL, NULL), 410);
  sim_api_set_gone_by_status(world.api, false);
  watch_start(&watch, &world, &kube_node_type, WATCH_NODES);
  assert_int_equal(watch.status, 200);
  assert_string_equal(text_string(&watch.story), "ERROR 410 Expired; end");
  watch_stop(&watch);
  world_deinit(&world);
}

static void a_restart_breaks_everything_and_loses_nothing(void **state) {
  World world;
  Watch watch;
  world_init(&world, 0, 1);
  create_node(&world, "n1");
  watch_start(&watch, &world, &kube_node_type, WATCH_NODES);
  sim_api_restart(world.api, 500, 0);
  assert_int_equal(call(&world, "GET", NODE_PATH "/n1", NULL, NULL), -1);
  assert_string_equal(world.failure, BROKEN);
  assert_string_equal(text_string(&watch.story), "ADDED n1@1; " BROKEN);
  pass_time(&world, 500);
  assert_int_equal(call(&world, "GET", NODE_PATH "/n1", NULL, NULL), 200);
  watch_stop(&watch);
  world_deinit(&world);
}

static void a_line_that_is_cut_concerns_one_client(void **state) {
  World world;
  Watch watch;
  SimApiLine line;
  world_init(&world, 0, 1);
  create_node(&world, "n1");
  watch_start(&watch, &world, &kube_node_type, WATCH_NODES);
  sim_api_line_init(world.api, &line);
  KubeClient *everybody = world.client;
  world.client = kube_client_new(&world.host, &line.seam);
  sim_api_line_cut(&line, 500);
  assert_int_equal(call(&world, "PATCH", NODE_PATH "/n1", KUBE_MERGE_PATCH, NOTE_PATCH), -1);
  assert_string_equal(world.failure, BROKEN);
  pass_time(&world, 500);
  assert_string_equal(text_string(&watch.story), "ADDED n1@1; ");
  assert_int_equal(call(&world, "PATCH", NODE_PATH "/n1", KUBE_MERGE_PATCH, NOTE_PATCH), 200);
  assert_string_equal(text_string(&watch.story), "ADDED n1@1; MODIFIED n1@2; ");
  kube_client_free(TAKE(world.client));
  world.client = everybody;
  watch_stop(&watch);
  world_deinit(&world);
}

/* Created, changed and deleted within what is lost. */
static void a_restart_may_lose_what_came_last(void **state) {
  World world;
  world_init(&world, 0, 1);
  create_node(&world, "n1");
  create_pod(&world, "old");
  pass_time(&world, 2000);
  patch_node(&world, "2");
  create_pod(&world, "new");
  sim_api_remove_pod(world.api, "default", "old");
  uint64_t version = sim_api_store(world.api)->version;
  sim_api_restart(world.api, 0, 1000);
  assert_string_equal(look(&world, SIM_API_NODES, "n1", "metadata", "annotations", "plan"), "1");
  assert_non_null(sim_api_store_find(sim_api_store(world.api), SIM_API_PODS, "default/old"));
  assert_null(sim_api_store_find(sim_api_store(world.api), SIM_API_PODS, "default/new"));
  assert_true(sim_api_store(world.api)->version > version);
  sim_api_set_gone_by_status(world.api, true);
  assert_int_equal(call(&world, "GET", WATCH_NODES, NULL, NULL), 410);
  world_deinit(&world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_refusal_may_say_when_to_come_back),
      cmocka_unit_test(only_patches_are_refused_where_only_they_shall_be),
      cmocka_unit_test(a_hung_answer_was_carried_out_and_ends_with_the_clients_patience),
      cmocka_unit_test(a_watch_that_is_behind_keeps_its_order_and_the_other_kind_goes_on),
      cmocka_unit_test(a_silent_watch_says_nothing_until_it_is_cut),
      cmocka_unit_test(an_event_that_is_repeated_comes_twice_in_a_row),
      cmocka_unit_test(a_version_that_is_gone_is_refused_by_status_where_that_is_wanted),
      cmocka_unit_test(a_restart_breaks_everything_and_loses_nothing),
      cmocka_unit_test(a_line_that_is_cut_concerns_one_client),
      cmocka_unit_test(a_restart_may_lose_what_came_last),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
