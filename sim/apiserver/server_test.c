/* SPDX-License-Identifier: Apache-2.0 */
/* The server as its clients see it: small calls through kube/client.h, watches byte by byte. */
#include "sim/apiserver/watch_fixture.h"

static void objects_are_created_with_identity_and_read_back(void **state) {
  World world;
  world_init(&world, 0, 1);
  create_pod(&world, "p");
  assert_string_equal(look(&world, SIM_API_PODS, "default/p", "metadata", "namespace", NULL), "default");
  assert_string_equal(look(&world, SIM_API_PODS, "default/p", "metadata", "creationTimestamp", NULL),
                      "2023-11-14T22:13:20Z");
  assert_string_equal(look(&world, SIM_API_PODS, "default/p", "metadata", "uid", NULL),
                      "00000000-0000-4000-8000-000000000001");
  assert_string_equal(look(&world, SIM_API_PODS, "default/p", "status", "phase", NULL), "Pending");
  assert_int_equal(call(&world, "GET", PODS_PATH "/p", NULL, NULL), 200);
  assert_non_null(strstr(text_string(&world.body), "\"name\":\"p\""));
  world_deinit(&world);
}

static void bad_requests_are_refused_in_words(void **state) {
  static const struct {
    const char *method, *path, *type, *body;
    int status;
    const char *message;
  } cases[] = {
      {"GET", "/api/v1/secrets", NULL, NULL, 404, "the server could not find the requested resource"},
      {"GET", "/api/v1/nodes/none", NULL, NULL, 404, "nodes \"none\" not found"},
      {"GET", "/api/v1/nodes?limit=x", NULL, NULL, 400, "limit=x is not a number"},
      {"GET", "/api/v1/nodes?fieldSelector=spec.color%3Dred", NULL, NULL, 400,
       "field label not supported: spec.color"},
      {"GET", "/api/v1/nodes?watch=1", NULL, NULL, 400, "a watch needs a resourceVersion here"},
      {"GET", "/api/v1/nodes?continue=abc", NULL, NULL, 400, "continue key is not valid"},
      {"POST", NODE_PATH, "application/json", "{", 400,
       "the body is not JSON: string or '}' expected near end of file"},
      {"POST", NODE_PATH, "application/json", "{\"metadata\":{}}", 422,
       "metadata.name: Required value: name is required"},
      {"POST", NODE_PATH, "application/json", "{\"metadata\":{\"name\":\"n1\"}}", 409,
       "nodes \"n1\" already exists"},
      {"PATCH", NODE_PATH "/n1", "text/plain", "{}", 415, "this patch is not understood: text/plain"},
      {"PATCH", NODE_PATH "/n1", KUBE_JSON_PATCH, "{}", 415,
       "this patch is not understood: " KUBE_JSON_PATCH},
      {"PATCH", NODE_PATH "/n2", KUBE_MERGE_PATCH, "{}", 404, "nodes \"n2\" not found"},
      {"PATCH", NODE_PATH, KUBE_MERGE_PATCH, "{}", 405, "the server does not allow this method here"},
      {"DELETE", NODE_PATH "/n2", NULL, NULL, 404, "nodes \"n2\" not found"},
  };
  World world;
  world_init(&world, 0, 1);
  create_node(&world, "n1");
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    assert_int_equal(call(&world, cases[i].method, cases[i].path, cases[i].type, cases[i].body),
                     cases[i].status);
    assert_string_equal(world.failure, cases[i].message);
  }
  world_deinit(&world);
}

static void a_json_patch_whose_test_fails_gets_422_and_changes_nothing(void **state) {
  World world;
  world_init(&world, 0, 1);
  create_node(&world, "n1");
  const char *guarded = "[{\"op\":\"test\",\"path\":\"/metadata/annotations/plan\",\"value\":\"1\"},"
                        "{\"op\":\"add\",\"path\":\"/metadata/annotations/plan\",\"value\":\"2\"}]";
  assert_int_equal(call(&world, "PATCH", NODE_PATH "/n1", KUBE_JSON_PATCH, guarded), 200);
  assert_string_equal(look(&world, SIM_API_NODES, "n1", "metadata", "annotations", "plan"), "2");
  uint64_t version = sim_api_store(world.api)->version;
  assert_int_equal(call(&world, "PATCH", NODE_PATH "/n1", KUBE_JSON_PATCH, guarded), 422);
  assert_string_equal(world.failure, "the server rejected our request due to an error in our request");
  assert_int_equal(sim_api_store(world.api)->version, version);
  world_deinit(&world);
}

static void the_status_is_patched_apart_from_the_rest(void **state) {
  static const char everything[] =
      "{\"metadata\":{\"name\":\"x\",\"uid\":\"y\",\"annotations\":{\"a\":\"b\"}},"
      "\"spec\":{\"unschedulable\":\"yes\"},\"status\":{\"capacity\":{\"cpu\":\"2\"}}}";
  World world;
  world_init(&world, 0, 1);
  create_node(&world, "n1");
  assert_int_equal(call(&world, "PATCH", NODE_PATH "/n1", KUBE_MERGE_PATCH, everything), 200);
  assert_string_equal(look(&world, SIM_API_NODES, "n1", "status", "capacity", "cpu"), "1");
  assert_string_equal(look(&world, SIM_API_NODES, "n1", "spec", "unschedulable", NULL), "yes");
  create_node(&world, "n2");
  assert_int_equal(call(&world, "PATCH", NODE_PATH "/n2/status", KUBE_MERGE_PATCH, everything), 200);
  assert_string_equal(look(&world, SIM_API_NODES, "n2", "status", "capacity", "cpu"), "2");
  assert_null(look(&world, SIM_API_NODES, "n2", "spec", "unschedulable", NULL));
  assert_string_equal(look(&world, SIM_API_NODES, "n2", "metadata", "annotations", "a"), "b");
  assert_string_equal(look(&world, SIM_API_NODES, "n2", "metadata", "name", NULL), "n2");
  assert_string_not_equal(look(&world, SIM_API_NODES, "n2", "metadata", "uid", NULL), "y");
  world_deinit(&world);
}

static void a_patch_that_changes_nothing_makes_no_new_version(void **state) {
  World world;
  world_init(&world, 0, 1);
  create_node(&world, "n1");
  uint64_t version = sim_api_store(world.api)->version;
  const char *same = "{\"metadata\":{\"annotations\":{\"plan\":\"1\"}}}";
  assert_int_equal(call(&world, "PATCH", NODE_PATH "/n1", KUBE_MERGE_PATCH, same), 200);
  assert_int_equal(sim_api_store(world.api)->version, version);
  world_deinit(&world);
}

static void an_outdated_resource_version_in_a_patch_is_a_conflict(void **state) {
  World world;
  world_init(&world, 0, 1);
  create_node(&world, "n1");
  const char *old = "{\"metadata\":{\"resourceVersion\":\"999\",\"annotations\":{\"plan\":\"2\"}}}";
  assert_int_equal(call(&world, "PATCH", NODE_PATH "/n1", KUBE_MERGE_PATCH, old), 409);
  assert_string_equal(look(&world, SIM_API_NODES, "n1", "metadata", "annotations", "plan"), "1");
  world_deinit(&world);
}

static void a_pod_is_bound_once(void **state) {
  static const char binding[] = "{\"target\":{\"kind\":\"Node\",\"name\":\"n1\"}}";
  World world;
  world_init(&world, 0, 1);
  create_pod(&world, "p");
  assert_int_equal(post(&world, PODS_PATH "/p/binding", "{}"), 422);
  assert_int_equal(post(&world, PODS_PATH "/p/binding", binding), 201);
  assert_string_equal(look(&world, SIM_API_PODS, "default/p", "spec", "nodeName", NULL), "n1");
  assert_int_equal(post(&world, PODS_PATH "/p/binding", binding), 409);
  assert_string_equal(world.failure, "pod p is already assigned to node \"n1\"");
  assert_int_equal(post(&world, PODS_PATH "/q/binding", binding), 404);
  world_deinit(&world);
}

/* ---- lists ---- */

static void pages_show_one_moment(void **state) {
  World world;
  world_init(&world, 0, 1);
  create_node(&world, "n1");
  create_node(&world, "n2");
  create_node(&world, "n3");
  assert_int_equal(call(&world, "GET", NODE_PATH "?limit=2", NULL, NULL), 200);
  assert_non_null(strstr(text_string(&world.body), "{\"resourceVersion\":\"3\",\"continue\":\"3:n2\"}"));
  assert_null(strstr(text_string(&world.body), "\"n3\""));
  assert_int_equal(call(&world, "DELETE", NODE_PATH "/n3", NULL, NULL), 200);
  create_node(&world, "n4");
  assert_int_equal(call(&world, "GET", NODE_PATH "?limit=2&continue=3%3An2", NULL, NULL), 200);
  assert_non_null(strstr(text_string(&world.body), "\"name\":\"n3\""));
  assert_non_null(strstr(text_string(&world.body), "\"metadata\":{\"resourceVersion\":\"3\"}"));
  assert_null(strstr(text_string(&world.body), "n4"));
  sim_api_compact(world.api);
  assert_int_equal(call(&world, "GET", NODE_PATH "?limit=2&continue=3%3An2", NULL, NULL), 410);
  assert_string_equal(world.failure, "The provided continue parameter is too old");
  world_deinit(&world);
}

static void selectors_choose_by_fields_and_namespace(void **state) {
  static const struct {
    const char *path, *found;
  } cases[] = {
      {PODS_PATH "?fieldSelector=spec.nodeName%3Dn1", "a"},
      {PODS_PATH "?fieldSelector=spec.nodeName%3D", "b"},
      {PODS_PATH "?fieldSelector=spec.nodeName%21%3Dn1", "b"},
      {PODS_PATH "?fieldSelector=metadata.name%3Db,spec.nodeName%3Dn1", ""},
      {PODS_PATH "?fieldSelector=status.phase%3DPending", "ab"},
      {"/api/v1/namespaces/other/pods", ""},
      {"/api/v1/pods", "ab"},
  };
  World world;
  world_init(&world, 0, 1);
  create_pod(&world, "a");
  create_pod(&world, "b");
  assert_int_equal(post(&world, PODS_PATH "/a/binding", "{\"target\":{\"name\":\"n1\"}}"), 201);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    assert_int_equal(call(&world, "GET", cases[i].path, NULL, NULL), 200);
    bool has_a = strstr(text_string(&world.body), "\"name\":\"a\"") != NULL;
    bool has_b = strstr(text_string(&world.body), "\"name\":\"b\"") != NULL;
    assert_int_equal(has_a, strchr(cases[i].found, 'a') != NULL);
    assert_int_equal(has_b, strchr(cases[i].found, 'b') != NULL);
  }
  world_deinit(&world);
}

/* ---- watches ---- */

static void watch_events_come_in_the_order_of_their_versions(void **state) {
  for (uint64_t seed = 1; seed <= 20; seed++) {
    World world;
    Watch watch;
    world_init(&world, 9, seed);
    create_node(&world, "n1");
    watch_start(&watch, &world, &kube_node_type, NODE_PATH "?watch=1&resourceVersion=1");
    assert_int_equal(watch.status, 200);
    create_node(&world, "n2");
    assert_int_equal(call(&world, "PATCH", NODE_PATH "/n1", KUBE_MERGE_PATCH, "{\"spec\":{\"x\":\"1\"}}"),
                     200);
    assert_int_equal(call(&world, "DELETE", NODE_PATH "/n2", NULL, NULL), 200);
    create_pod(&world, "not-mine");
    pass_time(&world, 50);
    assert_string_equal(text_string(&watch.story), "ADDED n2@2; MODIFIED n1@3; DELETED n2@4; ");
    watch_stop(&watch);
    world_deinit(&world);
  }
}

static void a_watch_goes_on_from_its_version_and_refuses_one_that_is_forgotten(void **state) {
  World world;
  Watch watch;
  world_init(&world, 0, 1);
  create_node(&world, "n1");
  create_node(&world, "n2");
  watch_start(&watch, &world, &kube_node_type, NODE_PATH "?watch=1&resourceVersion=1");
  assert_string_equal(text_string(&watch.story), "ADDED n2@2; ");
  watch_stop(&watch);
  sim_api_compact(world.api);
  watch_start(&watch, &world, &kube_node_type, NODE_PATH "?watch=1&resourceVersion=1");
  assert_string_equal(text_string(&watch.story), "ERROR 410 Expired; end");
  watch_stop(&watch);
  watch_start(&watch, &world, &kube_node_type, NODE_PATH "?watch=1&resourceVersion=2");
  assert_string_equal(text_string(&watch.story), "");
  watch_stop(&watch);
  world_deinit(&world);
}

static void the_history_is_bounded_and_other_kinds_do_not_age_a_watch(void **state) {
  World world;
  Watch nodes, pods;
  Error err = {0};
  world_init(&world, 0, 1);
  watch_start(&nodes, &world, &kube_node_type, NODE_PATH "?watch=1&resourceVersion=0");
  for (int i = 0; i < SIM_API_HISTORY_MAX + 10; i++) {
    json_auto_t *pod = json_pack("{s:{s:o}}", "metadata", "name", json_sprintf("p%d", i));
    assert_ok(sim_api_create(world.api, PODS_PATH, pod, &err));
  }
  assert_true(sim_api_store(world.api)->history.count <= SIM_API_HISTORY_MAX);
  create_node(&world, "n1");
  pass_time(&world, 20);
  assert_non_null(strstr(text_string(&nodes.story), "ADDED n1@"));
  watch_start(&pods, &world, &kube_pod_type, "/api/v1/pods?watch=1&resourceVersion=0");
  assert_string_equal(text_string(&pods.story), "ERROR 410 Expired; end");
  watch_stop(&pods);
  watch_stop(&nodes);
  world_deinit(&world);
}

static void an_object_that_enters_or_leaves_a_selector_is_added_or_deleted(void **state) {
  World world;
  Watch watch;
  world_init(&world, 0, 1);
  watch_start(&watch, &world, &kube_pod_type,
              "/api/v1/pods?watch=1&resourceVersion=0&fieldSelector=spec.nodeName%3D");
  create_pod(&world, "p");
  assert_int_equal(post(&world, PODS_PATH "/p/binding", "{\"target\":{\"name\":\"n1\"}}"), 201);
  pass_time(&world, 20);
  assert_string_equal(text_string(&watch.story), "ADDED p@1; DELETED p@2; ");
  watch_stop(&watch);
  world_deinit(&world);
}

static void an_idle_watch_gets_bookmarks_and_ends_after_its_time(void **state) {
  World world;
  Watch watch;
  world_init(&world, 0, 1);
  watch_start(&watch, &world, &kube_node_type,
              NODE_PATH "?watch=1&resourceVersion=0&allowWatchBookmarks=true&timeoutSeconds=100");
  create_pod(&world, "p");
  pass_time(&world, 99000);
  assert_string_equal(text_string(&watch.story), "BOOKMARK @1; ");
  pass_time(&world, 2000);
  assert_string_equal(text_string(&watch.story), "BOOKMARK @1; end");
  assert_null(watch.call);
  watch_stop(&watch);
  world_deinit(&world);
}

/* ---- faults ---- */

static void a_failing_server_changes_nothing_and_a_lost_answer_was_carried_out(void **state) {
  World world;
  world_init(&world, 0, 1);
  sim_api_fail_next(world.api, 1, 503);
  assert_int_equal(post(&world, NODE_PATH, "{\"metadata\":{\"name\":\"n1\"}}"), 503);
  assert_null(sim_api_store_find(sim_api_store(world.api), SIM_API_NODES, "n1"));
  sim_api_lose_next(world.api, 1);
  assert_int_equal(post(&world, NODE_PATH, "{\"metadata\":{\"name\":\"n1\"}}"), -1);
  assert_string_equal(world.failure, "the connection to the simulated API server broke");
  assert_non_null(sim_api_store_find(sim_api_store(world.api), SIM_API_NODES, "n1"));
  world_deinit(&world);
}

static void cut_watches_end_with_an_error(void **state) {
  World world;
  Watch watch;
  world_init(&world, 0, 1);
  watch_start(&watch, &world, &kube_node_type, NODE_PATH "?watch=1&resourceVersion=0");
  sim_api_cut_watches(world.api);
  pass_time(&world, 20);
  assert_string_equal(text_string(&watch.story), "the connection to the simulated API server broke");
  watch_stop(&watch);
  world_deinit(&world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(objects_are_created_with_identity_and_read_back),
      cmocka_unit_test(bad_requests_are_refused_in_words),
      cmocka_unit_test(a_json_patch_whose_test_fails_gets_422_and_changes_nothing),
      cmocka_unit_test(the_status_is_patched_apart_from_the_rest),
      cmocka_unit_test(a_patch_that_changes_nothing_makes_no_new_version),
      cmocka_unit_test(an_outdated_resource_version_in_a_patch_is_a_conflict),
      cmocka_unit_test(a_pod_is_bound_once),
      cmocka_unit_test(pages_show_one_moment),
      cmocka_unit_test(selectors_choose_by_fields_and_namespace),
      cmocka_unit_test(watch_events_come_in_the_order_of_their_versions),
      cmocka_unit_test(a_watch_goes_on_from_its_version_and_refuses_one_that_is_forgotten),
      cmocka_unit_test(the_history_is_bounded_and_other_kinds_do_not_age_a_watch),
      cmocka_unit_test(an_object_that_enters_or_leaves_a_selector_is_added_or_deleted),
      cmocka_unit_test(an_idle_watch_gets_bookmarks_and_ends_after_its_time),
      cmocka_unit_test(a_failing_server_changes_nothing_and_a_lost_answer_was_carried_out),
      cmocka_unit_test(cut_watches_end_with_an_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
