/* SPDX-License-Identifier: Apache-2.0 */
/* What the server does with pods beyond storing them: names, defaults, priority, labels, graceful deletion -
 * in the words of Kubernetes 1.36. */
#include "sim/apiserver/world_fixture.h"

static const json_t *pod_of(World *world, const char *name) {
  char key[128];
  snprintf(key, sizeof key, "default/%s", name);
  return sim_api_store_find(sim_api_store(world->api), SIM_API_PODS, key);
}

static const json_t *member(World *world, const char *name, const char *section, const char *field) {
  return json_object_get(json_object_get(pod_of(world, name), section), field);
}

static void bind_pod(World *world, const char *name) {
  char path[128];
  snprintf(path, sizeof path, PODS_PATH "/%s/binding", name);
  assert_int_equal(post(world, path, "{\"target\":{\"name\":\"n1\"}}"), 201);
}

static void create_class(World *world) {
  assert_int_equal(post(world, "/apis/scheduling.k8s.io/v1/priorityclasses",
                        "{\"metadata\":{\"name\":\"first\"},\"value\":1000000000,"
                        "\"preemptionPolicy\":\"Never\"}"),
                   201);
}

/* ---- creation ---- */

static void generated_names_differ_and_keep_their_base(void **state) {
  World world;
  world_init(&world, 0, 1);
  const char *body = "{\"metadata\":{\"generateName\":\"job-\"},\"spec\":{}}";
  assert_int_equal(post(&world, PODS_PATH, body), 201);
  assert_int_equal(post(&world, PODS_PATH, body), 201);
  const Map *pods = &sim_api_store(world.api)->objects[SIM_API_PODS];
  assert_int_equal(pods->count, 2);
  for (size_t i = 0; i < pods->count; i++) {
    assert_int_equal(strlen(pods->entries[i].key), strlen("default/job-12345"));
    assert_memory_equal(pods->entries[i].key, "default/job-", strlen("default/job-"));
  }
  world_deinit(&world);
}

static void a_long_base_of_a_generated_name_is_cut_to_58_characters(void **state) {
  char base[64 + 1], body[128];
  World world;
  world_init(&world, 0, 1);
  memset(base, 'a', sizeof base - 1);
  base[sizeof base - 1] = '\0';
  snprintf(body, sizeof body, "{\"metadata\":{\"generateName\":\"%s\"},\"spec\":{}}", base);
  assert_int_equal(post(&world, PODS_PATH, body), 201);
  const Map *pods = &sim_api_store(world.api)->objects[SIM_API_PODS];
  assert_int_equal(strlen(pods->entries[0].key), strlen("default/") + 63);
  world_deinit(&world);
}

static void owners_and_labels_are_kept(void **state) {
  World world;
  world_init(&world, 0, 1);
  assert_int_equal(
      post(&world, PODS_PATH,
           "{\"metadata\":{\"name\":\"p\",\"labels\":{\"a\":\"b\"},\"ownerReferences\":[{\"kind\":"
           "\"Node\",\"name\":\"n1\"}]},\"spec\":{}}"),
      201);
  const json_t *owners = member(&world, "p", "metadata", "ownerReferences");
  assert_string_equal(json_string_value(json_object_get(json_array_get(owners, 0), "name")), "n1");
  assert_string_equal(look(&world, SIM_API_PODS, "default/p", "metadata", "labels", "a"), "b");
  world_deinit(&world);
}

static void a_missing_namespace_refuses_and_a_created_one_does_not(void **state) {
  World world;
  world_init(&world, 0, 1);
  const char *path = "/api/v1/namespaces/facet-system/pods", *body = "{\"metadata\":{\"name\":\"p\"}}";
  assert_int_equal(post(&world, path, body), 404);
  assert_string_equal(world.failure, "namespaces \"facet-system\" not found");
  assert_int_equal(post(&world, "/api/v1/namespaces", "{\"metadata\":{\"name\":\"facet-system\"}}"), 201);
  assert_int_equal(post(&world, path, body), 201);
  assert_int_equal(call(&world, "GET", "/api/v1/namespaces/facet-system", NULL, NULL), 200);
  assert_int_equal(call(&world, "GET", "/api/v1/namespaces/facet-system/secrets", NULL, NULL), 404);
  world_deinit(&world);
}

static void the_priority_comes_from_the_class(void **state) {
  World world;
  world_init(&world, 0, 1);
  create_class(&world);
  assert_int_equal(
      post(&world, PODS_PATH, "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"priorityClassName\":\"first\"}}"),
      201);
  assert_int_equal(json_integer_value(member(&world, "p", "spec", "priority")), 1000000000);
  assert_string_equal(look(&world, SIM_API_PODS, "default/p", "spec", "preemptionPolicy", NULL), "Never");
  create_pod(&world, "q");
  assert_int_equal(json_integer_value(member(&world, "q", "spec", "priority")), 0);
  assert_string_equal(look(&world, SIM_API_PODS, "default/q", "spec", "preemptionPolicy", NULL),
                      "PreemptLowerPriority");
  world_deinit(&world);
}

static void unknown_classes_and_priorities_without_one_are_forbidden(void **state) {
  World world;
  world_init(&world, 0, 1);
  assert_int_equal(
      post(&world, PODS_PATH, "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"priorityClassName\":\"first\"}}"),
      403);
  assert_string_equal(world.failure, "pods \"p\" is forbidden: no PriorityClass with name first was found");
  assert_int_equal(post(&world, PODS_PATH, "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"priority\":5}}"), 403);
  assert_string_equal(world.failure,
                      "pods \"p\" is forbidden: the integer value of priority (5) must not be provided in "
                      "pod spec; priority admission controller computed 0 from the given PriorityClass name");
  assert_null(pod_of(&world, "p"));
  world_deinit(&world);
}

static void a_limit_without_a_request_is_the_request(void **state) {
  World world;
  world_init(&world, 0, 1);
  assert_int_equal(
      post(&world, PODS_PATH,
           "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"resources\":{\"limits\":{"
           "\"gpu\":\"2\",\"cpu\":\"4\"},\"requests\":{\"cpu\":\"1\"}}},{\"resources\":{\"limits\":{"
           "\"gpu\":\"1\"}}}]}}"),
      201);
  CLEANUP(cleanup_free)
  char *containers = json_dumps(member(&world, "p", "spec", "containers"), JSON_COMPACT | JSON_SORT_KEYS);
  assert_string_equal(containers,
                      "[{\"resources\":{\"limits\":{\"cpu\":\"4\",\"gpu\":\"2\"},\"requests\":{\"cpu\":\"1\","
                      "\"gpu\":\"2\"}}},"
                      "{\"resources\":{\"limits\":{\"gpu\":\"1\"},\"requests\":{\"gpu\":\"1\"}}}]");
  world_deinit(&world);
}

/* ---- label selectors ---- */

static void labels_select(void **state) {
  static const struct {
    const char *selector;
    const char *found;
  } cases[] = {
      {"facet.gpu%2Freservation%3Dgpu-1", "a"},
      {"facet.gpu%2Freservation%3D%3Dgpu-1", "a"},
      {"facet.gpu%2Freservation%21%3Dgpu-1", "bc"},
      {"facet.gpu%2Freservation", "ab"},
      {"%21facet.gpu%2Freservation", "c"},
      {"facet.gpu%2Freservation,old%3Dyes", "b"},
      {"old%3D", ""},
  };
  World world;
  world_init(&world, 0, 1);
  post(&world, PODS_PATH, "{\"metadata\":{\"name\":\"a\",\"labels\":{\"facet.gpu/reservation\":\"gpu-1\"}}}");
  post(&world, PODS_PATH,
       "{\"metadata\":{\"name\":\"b\",\"labels\":{\"facet.gpu/reservation\":\"gpu-10\",\"old\":\"yes\"}}}");
  post(&world, PODS_PATH, "{\"metadata\":{\"name\":\"c\"}}");
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char path[160];
    snprintf(path, sizeof path, PODS_PATH "?labelSelector=%s", cases[i].selector);
    assert_int_equal(call(&world, "GET", path, NULL, NULL), 200);
    for (const char *name = "abc"; *name; name++) {
      char wanted[] = {'"', 'n', 'a', 'm', 'e', '"', ':', '"', *name, '"', '\0'};
      assert_int_equal(strstr(text_string(&world.body), wanted) != NULL,
                       strchr(cases[i].found, *name) != NULL);
    }
  }
  assert_int_equal(call(&world, "GET", PODS_PATH "?labelSelector=a%20in%20(b)", NULL, NULL), 400);
  assert_string_equal(world.failure, "unable to parse requirement: \"a in (b)\"");
  world_deinit(&world);
}

/* ---- deletion ---- */

static void a_pod_on_a_node_is_deleted_by_its_kubelet(void **state) {
  World world;
  world_init(&world, 0, 1);
  create_pod(&world, "waits");
  create_pod(&world, "runs");
  bind_pod(&world, "runs");
  assert_int_equal(call(&world, "DELETE", PODS_PATH "/waits", NULL, NULL), 200);
  assert_null(pod_of(&world, "waits"));
  assert_int_equal(call(&world, "DELETE", PODS_PATH "/runs", NULL, NULL), 200);
  assert_string_equal(look(&world, SIM_API_PODS, "default/runs", "metadata", "deletionTimestamp", NULL),
                      "2023-11-14T22:13:50Z");
  assert_int_equal(json_integer_value(member(&world, "runs", "metadata", "deletionGracePeriodSeconds")), 30);
  assert_int_equal(call(&world, "DELETE", PODS_PATH "/runs?gracePeriodSeconds=0", NULL, NULL), 200);
  assert_null(pod_of(&world, "runs"));
  world_deinit(&world);
}

static void a_pod_that_is_over_goes_at_once(void **state) {
  World world;
  world_init(&world, 0, 1);
  create_pod(&world, "p");
  bind_pod(&world, "p");
  assert_int_equal(
      call(&world, "PATCH", PODS_PATH "/p/status", KUBE_MERGE_PATCH, "{\"status\":{\"phase\":\"Failed\"}}"),
      200);
  assert_int_equal(call(&world, "DELETE", PODS_PATH "/p", NULL, NULL), 200);
  assert_null(pod_of(&world, "p"));
  world_deinit(&world);
}

static void a_second_deletion_can_only_shorten_the_grace_period(void **state) {
  static const struct {
    const char *body;
    json_int_t seconds;
  } steps[] = {{"{\"gracePeriodSeconds\":10}", 10},
               {"{\"gracePeriodSeconds\":20}", 10},
               {"{}", 10},
               {"{\"gracePeriodSeconds\":1}", 1}};
  World world;
  world_init(&world, 0, 1);
  create_pod(&world, "p");
  bind_pod(&world, "p");
  for (size_t i = 0; i < COUNT_OF(steps); i++) {
    assert_int_equal(call(&world, "DELETE", PODS_PATH "/p", "application/json", steps[i].body), 200);
    assert_int_equal(json_integer_value(member(&world, "p", "metadata", "deletionGracePeriodSeconds")),
                     steps[i].seconds);
  }
  assert_int_equal(call(&world, "DELETE", PODS_PATH "/p", "application/json", "{\"gracePeriodSeconds\":0}"),
                   200);
  assert_null(pod_of(&world, "p"));
  world_deinit(&world);
}

static void a_deletion_of_another_pod_of_that_name_is_a_conflict(void **state) {
  World world;
  world_init(&world, 0, 1);
  create_pod(&world, "p");
  assert_int_equal(
      call(&world, "DELETE", PODS_PATH "/p", "application/json", "{\"preconditions\":{\"uid\":\"x\"}}"), 409);
  assert_string_equal(world.failure,
                      "Operation cannot be fulfilled on Pod \"p\": the UID in the precondition (x) does not "
                      "match the UID in record (00000000-0000-4000-8000-000000000001). The object might have "
                      "been deleted and then recreated");
  assert_int_equal(call(&world, "DELETE", PODS_PATH "/p", "application/json",
                        "{\"preconditions\":{\"resourceVersion\":\"7\"}}"),
                   409);
  assert_string_equal(
      world.failure,
      "Operation cannot be fulfilled on Pod \"p\": the ResourceVersion in the precondition (7) "
      "does not match the ResourceVersion in record (1). The object might have been modified");
  assert_int_equal(call(&world, "DELETE", PODS_PATH "/p", "application/json", "{"), 400);
  assert_int_equal(
      call(
          &world, "DELETE", PODS_PATH "/p", "application/json",
          "{\"preconditions\":{\"uid\":\"00000000-0000-4000-8000-000000000001\",\"resourceVersion\":\"1\"}}"),
      200);
  assert_null(pod_of(&world, "p"));
  world_deinit(&world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(generated_names_differ_and_keep_their_base),
      cmocka_unit_test(a_long_base_of_a_generated_name_is_cut_to_58_characters),
      cmocka_unit_test(owners_and_labels_are_kept),
      cmocka_unit_test(a_missing_namespace_refuses_and_a_created_one_does_not),
      cmocka_unit_test(the_priority_comes_from_the_class),
      cmocka_unit_test(unknown_classes_and_priorities_without_one_are_forbidden),
      cmocka_unit_test(a_limit_without_a_request_is_the_request),
      cmocka_unit_test(labels_select),
      cmocka_unit_test(a_pod_on_a_node_is_deleted_by_its_kubelet),
      cmocka_unit_test(a_pod_that_is_over_goes_at_once),
      cmocka_unit_test(a_second_deletion_can_only_shorten_the_grace_period),
      cmocka_unit_test(a_deletion_of_another_pod_of_that_name_is_a_conflict),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
