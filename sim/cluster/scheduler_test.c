/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "sim/apiserver/server.h"
#include "sim/cluster/scheduler.h"

#define PODS "/api/v1/namespaces/default/pods"

typedef struct World {
  Host host;
  SimApi *api;
  SimScheduler *scheduler;
} World;

static void pass_time(World *world, uint64_t duration_ms) {
  uint64_t end_ms = world->host.now_ms + duration_ms;
  host_run_timers(&world->host);
  while (host_next_ms(&world->host) <= end_ms) {
    host_advance(&world->host, host_next_ms(&world->host), 1700000000000);
    host_run_timers(&world->host);
  }
  host_advance(&world->host, end_ms, 1700000000000);
}

static void create(World *world, const char *path, const char *text) {
  Error err = {0};
  json_auto_t *object = json_loads(text, 0, NULL);
  assert_non_null(object);
  assert_ok(sim_api_create(world->api, path, object, &err));
}

static void create_node(World *world, const char *name, const char *gpus) {
  char text[256];
  snprintf(text, sizeof text,
           "{\"metadata\":{\"name\":\"%s\"},\"status\":{\"allocatable\":{\"example.com/"
           "gpu\":\"%s\",\"pods\":\"110\"}}}",
           name, gpus);
  create(world, "/api/v1/nodes", text);
}

/* spec: further members, each behind a comma. */
static void create_pod(World *world, const char *name, const char *spec) {
  char text[512];
  snprintf(text, sizeof text,
           "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"containers\":[{\"name\":\"main\",\"resources\":{"
           "\"limits\":{"
           "\"example.com/gpu\":\"1\"}}}]%s}}",
           name, spec);
  create(world, PODS, text);
}

static const char *node_of(World *world, const char *name) {
  char key[64];
  snprintf(key, sizeof key, "default/%s", name);
  const json_t *pod = sim_api_store_find(sim_api_store(world->api), SIM_API_PODS, key);
  return json_string_value(json_object_get(json_object_get(pod, "spec"), "nodeName"));
}

static int setup(void **state) {
  World *world = mem_alloc(sizeof *world);
  host_init(&world->host, 1);
  host_advance(&world->host, 0, 1700000000000);
  world->api = sim_api_new(&(SimApiOptions){.latency_ms = 1}, &world->host);
  world->scheduler = sim_scheduler_new(&world->host, sim_api_seam(world->api));
  sim_scheduler_start(world->scheduler);
  *state = world;
  return 0;
}

static int teardown(void **state) {
  World *world = *state;
  sim_scheduler_free(world->scheduler);
  sim_api_free(world->api);
  host_deinit(&world->host);
  free(world);
  return 0;
}

static void the_most_important_pod_comes_first(void **state) {
  World *world = *state;
  create(world, "/apis/scheduling.k8s.io/v1/priorityclasses",
         "{\"metadata\":{\"name\":\"first\"},\"value\":1000000000,\"preemptionPolicy\":\"Never\"}");
  create_pod(world, "a", "");
  create_pod(world, "z", ",\"priorityClassName\":\"first\"");
  pass_time(world, 100);
  create_node(world, "n1", "1");
  pass_time(world, 100);
  assert_null(node_of(world, "a"));
  assert_string_equal(node_of(world, "z"), "n1");
}

static void a_pod_can_name_its_node_by_a_field(void **state) {
  World *world = *state;
  create_node(world, "n1", "1");
  create_node(world, "n2", "1");
  create_pod(world, "p",
             ",\"affinity\":{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":{"
             "\"nodeSelectorTerms\":[{\"matchFields\":[{\"key\":\"metadata.name\",\"operator\":\"In\","
             "\"values\":[\"n2\"]}]}]}}}");
  pass_time(world, 100);
  assert_string_equal(node_of(world, "p"), "n2");
}

static void a_pod_of_another_scheduler_is_left_alone(void **state) {
  World *world = *state;
  create_node(world, "n1", "1");
  create_pod(world, "p", ",\"schedulerName\":\"other\"");
  pass_time(world, 100);
  assert_null(node_of(world, "p"));
}

static void a_paused_scheduler_decides_nothing(void **state) {
  World *world = *state;
  create_node(world, "n1", "1");
  sim_scheduler_pause(world->scheduler, true);
  create_pod(world, "p", "");
  pass_time(world, 5000);
  assert_null(node_of(world, "p"));
  sim_scheduler_pause(world->scheduler, false);
  pass_time(world, 100);
  assert_string_equal(node_of(world, "p"), "n1");
}

static void a_slow_binding_is_seen_late_and_counts_at_once(void **state) {
  World *world = *state;
  create_node(world, "n1", "1");
  sim_scheduler_delay_bindings(world->scheduler, 100, 3000);
  pass_time(world, 100);
  create_pod(world, "p", "");
  pass_time(world, 20);
  sim_scheduler_delay_bindings(world->scheduler, 0, 0);
  create_pod(world, "q", "");
  pass_time(world, 100);
  assert_null(node_of(world, "p"));
  assert_null(node_of(world, "q"));
  pass_time(world, 3000);
  assert_string_equal(node_of(world, "p"), "n1");
  assert_null(node_of(world, "q"));
}

static void set_zone(World *world, const char *path, const char *zone) {
  json_auto_t *patch = json_pack("{s:{s:{s:s?}}}", "metadata", "labels", "zone", zone);
  sim_api_patch(world->api, path, patch);
}

/* Where it was bound it stays, whatever would fit it better by now. */
static void a_binding_whose_answer_was_lost_counts_although_the_watch_is_behind(void **state) {
  World *world = *state;
  create_node(world, "n1", "1");
  set_zone(world, "/api/v1/nodes/n1", "a");
  pass_time(world, 100);
  sim_scheduler_delay_bindings(world->scheduler, 100, 3000);
  create_pod(world, "p", ",\"nodeSelector\":{\"zone\":\"a\"}");
  create_pod(world, "q", "");
  pass_time(world, 20);
  sim_api_stall_watches(world->api, SIM_API_PODS, 20000);
  sim_api_lose_next(world->api, 1);
  pass_time(world, 4000);
  assert_string_equal(node_of(world, "p"), "n1");
  sim_scheduler_delay_bindings(world->scheduler, 0, 0);
  sim_scheduler_pause(world->scheduler, true); /* whatever it has under way is answered */
  pass_time(world, 4000);
  create_node(world, "n2", "1");
  set_zone(world, "/api/v1/nodes/n1", NULL);
  set_zone(world, "/api/v1/nodes/n2", "a");
  sim_scheduler_pause(world->scheduler, false);
  pass_time(world, 10000);
  assert_string_equal(node_of(world, "q"), "n2");
}

static void a_pod_that_goes_during_its_binding_frees_its_place(void **state) {
  World *world = *state;
  create_node(world, "n1", "1");
  sim_scheduler_delay_bindings(world->scheduler, 100, 3000);
  create_pod(world, "p", "");
  pass_time(world, 100);
  assert_null(node_of(world, "p"));
  sim_api_delete_pod(world->api, "default", "p");
  sim_scheduler_delay_bindings(world->scheduler, 0, 0);
  create_pod(world, "q", "");
  pass_time(world, 3000);
  assert_string_equal(node_of(world, "q"), "n1");
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      CASE(the_most_important_pod_comes_first),
      CASE(a_pod_can_name_its_node_by_a_field),
      CASE(a_pod_of_another_scheduler_is_left_alone),
      CASE(a_paused_scheduler_decides_nothing),
      CASE(a_slow_binding_is_seen_late_and_counts_at_once),
      CASE(a_binding_whose_answer_was_lost_counts_although_the_watch_is_behind),
      CASE(a_pod_that_goes_during_its_binding_frees_its_place),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
