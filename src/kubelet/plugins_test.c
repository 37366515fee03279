/* SPDX-License-Identifier: Apache-2.0 */
/* Registration: sockets, kubelets that come, go, refuse and stall, and what makes a list current. */
#include "kubelet/plugins_fixture_test.h"

static void a_resource_is_registered_and_its_list_sent(void **state) {
  World *world = *state;
  kubelet_start(world);
  set(world, RESOURCE, "MIG-a MIG-b!");
  assert_false(kubelet_plugins_is_current(world->plugins, RESOURCE));
  run(world);
  assert_story(world, "register " RESOURCE " at facet-mig-1g.10gb.sock;options;registered " RESOURCE
                      ";list MIG-a MIG-b!;");
  assert_true(kubelet_plugins_is_current(world->plugins, RESOURCE));
  assert_false(kubelet_plugins_is_current(world->plugins, "nvidia.com/other"));
}

static void an_empty_list_is_announced_too(void **state) {
  World *world = *state;
  kubelet_start(world);
  set(world, RESOURCE, "");
  run(world);
  assert_story(world,
               "register " RESOURCE " at facet-mig-1g.10gb.sock;options;registered " RESOURCE ";list;");
}

static void every_resource_has_a_socket_of_its_own(void **state) {
  World *world = *state;
  kubelet_start(world);
  set(world, RESOURCE, "a");
  set(world, "nvidia.com/gpu", "b");
  set(world, "example.com/slice", "c");
  run(world);
  assert_non_null(memory_port_find(&world->port, SOCKET));
  assert_non_null(memory_port_find(&world->port, FOLDER "/facet-gpu.sock"));
  assert_non_null(memory_port_find(&world->port, FOLDER "/facet-example.com_slice.sock"));
  assert_true(kubelet_plugins_is_current(world->plugins, "nvidia.com/gpu"));
  assert_true(kubelet_plugins_is_current(world->plugins, "example.com/slice"));
}

static void a_list_is_sent_only_when_it_changed(void **state) {
  World *world = *state;
  start_registered(world, "a b");
  set(world, RESOURCE, "a b");
  run(world);
  assert_story(world, "");
  set(world, RESOURCE, "a b!");
  run(world);
  assert_story(world, "list a b!;");
  set(world, RESOURCE, "");
  run(world);
  assert_story(world, "list;");
}

static void every_open_stream_gets_the_list(void **state) {
  World *world = *state;
  start_registered(world, "a");
  open_watch(world->endpoints.items[0]);
  run(world);
  assert_story(world, "list a;");
  set(world, RESOURCE, "a b");
  run(world);
  assert_story(world, "list a b;list a b;");
}

static void a_kubelet_that_starts_late_is_found(void **state) {
  World *world = *state;
  set(world, RESOURCE, "a");
  run(world);
  assert_story(world, "trouble " RESOURCE ": cannot register " RESOURCE
                      " with the kubelet at /dp/kubelet.sock: no such file (gRPC status 14);");
  run_for(world, 60000);
  assert_story(world, ""); /* the same trouble is told once */
  kubelet_start(world);
  run(world);
  assert_story(world,
               "register " RESOURCE " at facet-mig-1g.10gb.sock;options;registered " RESOURCE ";list a;");
}

static void a_restarted_kubelet_is_registered_with_at_once(void **state) {
  World *world = *state;
  start_registered(world, "a");
  kubelet_kill(world);
  run(world);
  assert_false(kubelet_plugins_is_current(world->plugins, RESOURCE));
  assert_story(world, "trouble " RESOURCE ": cannot register " RESOURCE
                      " with the kubelet at /dp/kubelet.sock: connection refused (gRPC status 14);");
  kubelet_start(world);
  assert_null(memory_port_find(&world->port, SOCKET));
  run(world);
  assert_story(world,
               "register " RESOURCE " at facet-mig-1g.10gb.sock;options;registered " RESOURCE ";list a;");
  assert_true(kubelet_plugins_is_current(world->plugins, RESOURCE));
}

static void a_kubelet_that_restarts_unseen_is_found_by_looking(void **state) {
  World *world = *state;
  start_registered(world, "a");
  kubelet_kill(world);
  run(world);
  world->port.on_change = NULL; /* the watch misses everything from here on */
  run_for(world, 30000);
  text_clear(&world->story);
  kubelet_start(world);
  run_for(world, 5000);
  assert_true(kubelet_plugins_is_current(world->plugins, RESOURCE));
}

static void a_dropped_stream_leads_to_a_new_registration(void **state) {
  World *world = *state;
  start_registered(world, "a");
  run_for(world, 20000);
  grpc_call_cancel(TAKE(world->endpoints.items[0]->watch));
  run(world);
  assert_story(world,
               "register " RESOURCE " at facet-mig-1g.10gb.sock;options;registered " RESOURCE ";list a;");
}

static void a_stream_dropped_right_after_registering_is_registered_again_at_once(void **state) {
  World *world = *state;
  start_registered(world, "a");
  grpc_call_cancel(TAKE(world->endpoints.items[0]->watch));
  run(world);
  assert_story(world,
               "register " RESOURCE " at facet-mig-1g.10gb.sock;options;registered " RESOURCE ";list a;");
  grpc_call_cancel(TAKE(world->endpoints.items[1]->watch));
  run_for(world, 199);
  assert_story(world, "");
  run_for(world, 1);
  assert_story(world,
               "register " RESOURCE " at facet-mig-1g.10gb.sock;options;registered " RESOURCE ";list a;");
}

static void a_stream_that_keeps_dropping_is_not_chased(void **state) {
  World *world = *state;
  start_registered(world, "a");
  int registrations = 0;
  for (uint64_t i = 0; i < 600; i++) {
    Endpoint *endpoint = world->endpoints.items[world->endpoints.count - 1];
    if (endpoint->watch)
      grpc_call_cancel(TAKE(endpoint->watch));
    run_for(world, 100);
    registrations += strstr(text_string(&world->story), "register ") != NULL;
    text_clear(&world->story);
  }
  /* In a minute: 0, 200, 400 ... ms and then every 10 s. */
  assert_in_range(registrations, 8, 13);
}

static void a_refused_registration_is_tried_again_with_back_off(void **state) {
  World *world = *state;
  world->refuses = "bad version";
  kubelet_start(world);
  set(world, RESOURCE, "a");
  run(world);
  assert_story(world, "register " RESOURCE " at facet-mig-1g.10gb.sock;trouble " RESOURCE
                      ": cannot register " RESOURCE
                      " with the kubelet at /dp/kubelet.sock: bad version (gRPC status 2);");
  static const uint64_t waits_ms[] = {100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};
  for (size_t i = 0; i < COUNT_OF(waits_ms); i++) {
    run_for(world, waits_ms[i] - 1);
    assert_story(world, "");
    run_for(world, 1);
    assert_story(world, "register " RESOURCE " at facet-mig-1g.10gb.sock;");
  }
  world->refuses = NULL;
  run_for(world, 10000);
  assert_true(kubelet_plugins_is_current(world->plugins, RESOURCE));
}

static void a_kubelet_that_does_not_answer_is_given_up_after_a_while(void **state) {
  World *world = *state;
  world->is_mute = true;
  kubelet_start(world);
  set(world, RESOURCE, "a");
  run_for(world, 14999);
  assert_story(world, "register " RESOURCE " at facet-mig-1g.10gb.sock;");
  run_for(world, 1);
  assert_story(world, "trouble " RESOURCE ": cannot register " RESOURCE
                      " with the kubelet at /dp/kubelet.sock: no answer within 15000 ms (gRPC status 4);");
}

static void an_open_stream_counts_more_than_a_lost_answer(void **state) {
  World *world = *state;
  world->is_forgetful = true;
  start_registered(world, "a");
  run_for(world, 60000);
  assert_story(world, "registered " RESOURCE ";");
  assert_true(kubelet_plugins_is_current(world->plugins, RESOURCE));
}

static void a_kubelet_that_never_asks_for_the_list_is_registered_with_again(void **state) {
  World *world = *state;
  world->is_idle = true;
  start_registered(world, "a");
  run_for(world, 10000);
  assert_story(world, "trouble " RESOURCE ": the kubelet at /dp/kubelet.sock registered " RESOURCE
                      " but does not ask for its list;register " RESOURCE
                      " at facet-mig-1g.10gb.sock;options;registered " RESOURCE ";");
}

static void a_kubelet_that_restarts_while_we_register_gets_its_own_registration(void **state) {
  World *world = *state;
  world->is_mute = true;
  kubelet_start(world);
  set(world, RESOURCE, "a");
  run(world);
  text_clear(&world->story);
  kubelet_kill(world);
  world->is_mute = false;
  kubelet_start(world);
  run(world);
  assert_story(world,
               "trouble " RESOURCE ": cannot register " RESOURCE
               " with the kubelet at /dp/kubelet.sock: the peer closed the connection (gRPC status 14);"
               "register " RESOURCE " at facet-mig-1g.10gb.sock;options;registered " RESOURCE ";list a;");
}

static void a_deleted_socket_is_made_again_without_disturbing_the_kubelet(void **state) {
  World *world = *state;
  start_registered(world, "a");
  memory_port_remove(&world->port, SOCKET);
  run(world);
  assert_non_null(memory_port_find(&world->port, SOCKET));
  run_for(world, 60000);
  assert_story(world, "");
  assert_true(kubelet_plugins_is_current(world->plugins, RESOURCE));
}

static void a_strangers_socket_under_our_name_is_replaced_without_a_race(void **state) {
  World *world = *state;
  start_registered(world, "a");
  int before = world->port.listen_count;
  for (int i = 0; i < 100; i++) {
    memory_port_touch(&world->port, SOCKET);
    run_for(world, 100);
  }
  assert_in_range(world->port.listen_count - before, 2, 3);
  assert_story(world, "trouble " RESOURCE ": somebody has changed or replaced our socket " SOCKET
                      ": it is made again;");
  assert_true(kubelet_plugins_is_current(world->plugins, RESOURCE));
  run_for(world, 10000);
  assert_int_equal(memory_port_find(&world->port, SOCKET)->identity, world->port.identities); /* ours */
}

static void a_socket_that_cannot_be_made_is_told_and_tried_again(void **state) {
  World *world = *state;
  kubelet_start(world);
  world->port.listen_error = "the disk is full";
  set(world, RESOURCE, "a");
  run_for(world, 5000);
  assert_story(world, "trouble " RESOURCE ": the disk is full;");
  world->port.listen_error = NULL;
  run_for(world, 10000);
  assert_true(kubelet_plugins_is_current(world->plugins, RESOURCE));
}

static void a_deleted_socket_that_cannot_be_made_again_costs_no_open_stream(void **state) {
  World *world = *state;
  start_registered(world, "a");
  world->port.listen_error = "the disk is full";
  memory_port_remove(&world->port, SOCKET);
  run_for(world, 20000);
  assert_story(world, "trouble " RESOURCE ": the disk is full;");
  world->port.listen_error = NULL;
  run_for(world, 5000);
  assert_non_null(memory_port_find(&world->port, SOCKET));
  assert_true(kubelet_plugins_is_current(world->plugins, RESOURCE));
  assert_story(world, "well " RESOURCE ";");
}

static void a_folder_that_cannot_be_watched_is_told_once_and_looked_at(void **state) {
  World *world = *state;
  world->port.watch_error = "no such folder";
  run_for(world, 20000);
  assert_story(world, "trouble -: no such folder;");
  set(world, RESOURCE, "a");
  run_for(world, 20000);
  text_clear(&world->story);
  kubelet_start(world);
  run_for(world, 10000);
  assert_true(kubelet_plugins_is_current(world->plugins, RESOURCE));
}

static void a_touched_kubelet_socket_costs_no_open_stream(void **state) {
  World *world = *state;
  start_registered(world, "a");
  world->listener->identity = memory_port_touch(&world->port, KUBELET); /* as chmod would */
  run(world);
  assert_story(world,
               "register " RESOURCE " at facet-mig-1g.10gb.sock;options;registered " RESOURCE ";list a;");
  assert_non_null(world->endpoints.items[0]->watch);
  set(world, RESOURCE, "a b");
  run(world);
  assert_story(world, "list a b;list a b;");
}

static void names_that_make_no_socket_are_refused(void **state) {
  World *world = *state;
  const KubeletPartitions none = {0};
  Error err = {0};
  static const char *const rows[] = {
      "", "gpu", "/gpu", "nvidia.com/", "nvidia.com/a/b", "nvidia.com/a b", "../x/y"};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    char expected[128];
    snprintf(expected, sizeof expected, "\"%s\" is not a resource name of the form domain/name", rows[i]);
    assert_fails(kubelet_plugins_set(world->plugins, rows[i], &none, &err), expected);
  }
}

static void a_socket_path_must_fit_a_socket_address(void **state) {
  World *world = *state;
  const KubeletPartitions none = {0};
  Error err = {0};
  char resource[160] = "nvidia.com/";
  size_t overhead = strlen(FOLDER "/facet-.sock");
  memset(resource + strlen("nvidia.com/"), 'x', 108 - overhead);
  char expected[300];
  snprintf(expected, sizeof expected,
           "the socket path " FOLDER "/facet-%s.sock has 108 bytes, Unix sockets allow 107",
           resource + strlen("nvidia.com/"));
  assert_fails(kubelet_plugins_set(world->plugins, resource, &none, &err), expected);
  resource[strlen(resource) - 1] = '\0';
  assert_ok(kubelet_plugins_set(world->plugins, resource, &none, &err));
}

static void two_resources_cannot_share_a_socket(void **state) {
  World *world = *state;
  const KubeletPartitions none = {0};
  Error err = {0};
  set(world, "a.com/b", "");
  assert_fails(kubelet_plugins_set(world->plugins, "nvidia.com/a.com_b", &none, &err),
               "the resources a.com/b and nvidia.com/a.com_b would share the socket /dp/facet-a.com_b.sock");
}

static void resources_are_limited(void **state) {
  World *world = *state;
  const KubeletPartitions none = {0};
  Error err = {0};
  char resource[32];
  for (int i = 0; i < KUBELET_RESOURCES_MAX; i++) {
    snprintf(resource, sizeof resource, "nvidia.com/r%d", i);
    set(world, resource, "");
  }
  assert_fails(kubelet_plugins_set(world->plugins, "nvidia.com/one-more", &none, &err),
               "cannot add the resource nvidia.com/one-more: there are 64 already");
}

static void a_socket_left_behind_tells_of_an_earlier_life(void **state) {
  World *world = *state;
  assert_false(kubelet_plugins_was_published(world->plugins, RESOURCE));
  memory_port_touch(&world->port, SOCKET);
  assert_true(kubelet_plugins_was_published(world->plugins, RESOURCE));
  assert_false(kubelet_plugins_was_published(world->plugins, "nvidia.com/gpu"));
}

/* ---- rivals ---- */

#define RIVAL FOLDER "/nvidia-mig-1g.10gb.sock"

static void whoever_yields_keeps_its_streams_and_sends_nothing(void **state) {
  World *world = *state;
  start_registered(world, "a");
  kubelet_plugins_yield(world->plugins, RESOURCE);
  assert_true(kubelet_plugins_has_yielded(world->plugins, RESOURCE));
  assert_false(kubelet_plugins_is_current(world->plugins, RESOURCE));
  set(world, RESOURCE, "a b");
  run_for(world, 60000);
  assert_story(world, "");
  assert_non_null(world->endpoints.items[0]->watch);
}

static void whoever_yielded_does_not_register_when_its_stream_ends(void **state) {
  World *world = *state;
  start_registered(world, "a");
  kubelet_plugins_yield(world->plugins, RESOURCE);
  grpc_call_cancel(TAKE(world->endpoints.items[0]->watch));
  run_for(world, 60000);
  assert_story(world, "");
}

static void a_claim_registers_with_the_latest_list(void **state) {
  World *world = *state;
  start_registered(world, "a");
  kubelet_plugins_yield(world->plugins, RESOURCE);
  set(world, RESOURCE, "a b");
  kubelet_plugins_claim(world->plugins, RESOURCE);
  run(world);
  assert_story(world,
               "register " RESOURCE " at facet-mig-1g.10gb.sock;options;registered " RESOURCE ";list a b;");
  assert_true(kubelet_plugins_is_current(world->plugins, RESOURCE));
}

static void a_restarted_kubelet_ends_the_yielding(void **state) {
  World *world = *state;
  start_registered(world, "a");
  kubelet_plugins_yield(world->plugins, RESOURCE);
  kubelet_kill(world);
  kubelet_start(world);
  run(world);
  assert_false(kubelet_plugins_has_yielded(world->plugins, RESOURCE));
  assert_true(kubelet_plugins_is_current(world->plugins, RESOURCE));
}

static void nvidias_plugin_is_noticed_when_it_comes_and_when_it_goes(void **state) {
  World *world = *state;
  start_registered(world, "a");
  memory_port_touch(&world->port, RIVAL);
  run_for(world, 60000);
  assert_story(world, "rival " RESOURCE ";");
  assert_true(kubelet_plugins_has_yielded(world->plugins, RESOURCE));
  memory_port_remove(&world->port, RIVAL);
  run(world);
  assert_story(world,
               "register " RESOURCE " at facet-mig-1g.10gb.sock;options;registered " RESOURCE ";list a;");
}

static void nvidias_plugin_that_was_there_before_us_is_no_rival_until_it_registers_again(void **state) {
  World *world = *state;
  kubelet_start(world);
  memory_port_touch(&world->port, RIVAL);
  set(world, RESOURCE, "a");
  run_for(world, 60000);
  assert_story(world,
               "register " RESOURCE " at facet-mig-1g.10gb.sock;options;registered " RESOURCE ";list a;");
  memory_port_touch(&world->port, RIVAL); /* it was restarted */
  run(world);
  assert_story(world, "rival " RESOURCE ";");
}

static void the_socket_of_another_resource_is_no_rival(void **state) {
  World *world = *state;
  start_registered(world, "a");
  memory_port_touch(&world->port, FOLDER "/nvidia-mig-2g.20gb.sock");
  run_for(world, 60000);
  assert_story(world, "");
}

static void freeing_removes_the_sockets(void **state) {
  World *world = *state;
  start_registered(world, "a");
  kubelet_plugins_free(TAKE(world->plugins));
  assert_null(memory_port_find(&world->port, SOCKET));
  assert_non_null(memory_port_find(&world->port, KUBELET));
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_init, world_deinit)
  const struct CMUnitTest tests[] = {
      CASE(a_resource_is_registered_and_its_list_sent),
      CASE(an_empty_list_is_announced_too),
      CASE(every_resource_has_a_socket_of_its_own),
      CASE(a_list_is_sent_only_when_it_changed),
      CASE(every_open_stream_gets_the_list),
      CASE(a_kubelet_that_starts_late_is_found),
      CASE(a_restarted_kubelet_is_registered_with_at_once),
      CASE(a_kubelet_that_restarts_unseen_is_found_by_looking),
      CASE(a_dropped_stream_leads_to_a_new_registration),
      CASE(a_stream_dropped_right_after_registering_is_registered_again_at_once),
      CASE(a_stream_that_keeps_dropping_is_not_chased),
      CASE(a_refused_registration_is_tried_again_with_back_off),
      CASE(a_kubelet_that_does_not_answer_is_given_up_after_a_while),
      CASE(an_open_stream_counts_more_than_a_lost_answer),
      CASE(a_kubelet_that_never_asks_for_the_list_is_registered_with_again),
      CASE(a_kubelet_that_restarts_while_we_register_gets_its_own_registration),
      CASE(a_deleted_socket_is_made_again_without_disturbing_the_kubelet),
      CASE(a_strangers_socket_under_our_name_is_replaced_without_a_race),
      CASE(a_socket_that_cannot_be_made_is_told_and_tried_again),
      CASE(a_deleted_socket_that_cannot_be_made_again_costs_no_open_stream),
      CASE(a_folder_that_cannot_be_watched_is_told_once_and_looked_at),
      CASE(a_touched_kubelet_socket_costs_no_open_stream),
      CASE(names_that_make_no_socket_are_refused),
      CASE(a_socket_path_must_fit_a_socket_address),
      CASE(two_resources_cannot_share_a_socket),
      CASE(resources_are_limited),
      CASE(a_socket_left_behind_tells_of_an_earlier_life),
      CASE(whoever_yields_keeps_its_streams_and_sends_nothing),
      CASE(whoever_yielded_does_not_register_when_its_stream_ends),
      CASE(a_claim_registers_with_the_latest_list),
      CASE(a_restarted_kubelet_ends_the_yielding),
      CASE(nvidias_plugin_is_noticed_when_it_comes_and_when_it_goes),
      CASE(nvidias_plugin_that_was_there_before_us_is_no_rival_until_it_registers_again),
      CASE(the_socket_of_another_resource_is_no_rival),
      CASE(freeing_removes_the_sockets),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
