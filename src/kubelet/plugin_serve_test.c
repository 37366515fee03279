/* SPDX-License-Identifier: Apache-2.0 */
/* What a registered plugin answers, and how many connections and streams it bears. */
#include "kubelet/plugins_fixture_test.h"

/* What the kubelet's other questions are answered with. */
typedef struct Answer {
  Text message;
  Text end;
} Answer;

static void on_answer(void *userdata, const void *message, size_t size) {
  text_append_bytes(&((Answer *)userdata)->message, message, size);
}

static void on_answer_end(void *userdata, GrpcStatus status, const char *text) {
  text_format(&((Answer *)userdata)->end, "%d %s", (int)status, text);
}

static void answer_deinit(Answer *answer) {
  text_deinit(&answer->message);
  text_deinit(&answer->end);
}

static void ask(World *world, const char *method, const Text *message, Answer *answer) {
  const GrpcReply reply = {.on_message = on_answer, .on_end = on_answer_end, .userdata = answer};
  grpc_session_call(kubelet_connection_session(world->endpoints.items[0]->connection), method, message->bytes,
                    message->size, 0, &reply);
  run(world);
}

static void allocate_answers_the_environment_of_each_container(void **state) {
  World *world = *state;
  start_registered(world, "a b");
  CLEANUP(answer_deinit) Answer answer = {0};
  CLEANUP(text_deinit) Text request = {0};
  CLEANUP(arena_deinit) Arena arena = {0};
  const char *a = "a", *b = "b";
  Strings ids[] = {{&a, 1}, {&b, 1}};
  KubeletAllocations allocations = {0};
  Error err = {0};
  kubelet_allocate_encode(&(KubeletIdLists){ids, 2}, &request);
  ask(world, KUBELET_METHOD_ALLOCATE, &request, &answer);
  assert_string_equal(text_string(&answer.end), "0 ");
  assert_ok(
      kubelet_allocations_decode(answer.message.bytes, answer.message.size, &arena, &allocations, &err));
  assert_int_equal(allocations.count, 2);
  assert_string_equal(allocations.items[1].envs.items[0].key, "NVIDIA_VISIBLE_DEVICES");
  assert_string_equal(allocations.items[1].envs.items[0].value, "b");
}

static void a_refused_allocation_says_why(void **state) {
  World *world = *state;
  start_registered(world, "a");
  CLEANUP(answer_deinit) Answer answer = {0};
  CLEANUP(text_deinit) Text request = {0};
  const char *id = "gone";
  Strings ids[] = {{&id, 1}};
  kubelet_allocate_encode(&(KubeletIdLists){ids, 1}, &request);
  ask(world, KUBELET_METHOD_ALLOCATE, &request, &answer);
  assert_string_equal(text_string(&answer.end), "9 the slice gone of " RESOURCE " does not exist any more");
}

static void assert_preferred(World *world, const KubeletPreferred *container, const char *expected) {
  CLEANUP(answer_deinit) Answer answer = {0};
  CLEANUP(text_deinit) Text request = {0}, told = {0};
  CLEANUP(arena_deinit) Arena arena = {0};
  KubeletPreferred items[] = {*container};
  KubeletIdLists answers = {0};
  Error err = {0};
  kubelet_preferreds_encode(&(KubeletPreferreds){items, 1}, &request);
  ask(world, KUBELET_METHOD_PREFERRED, &request, &answer);
  assert_string_equal(text_string(&answer.end), "0 ");
  assert_ok(
      kubelet_preferred_answers_decode(answer.message.bytes, answer.message.size, &arena, &answers, &err));
  assert_int_equal(answers.count, 1);
  for (size_t i = 0; i < answers.items[0].count; i++)
    text_format(&told, "%s ", answers.items[0].items[i]);
  assert_string_equal(text_string(&told), expected);
}

static void without_an_opinion_the_first_available_ones_are_preferred(void **state) {
  World *world = *state;
  start_registered(world, "a b c");
  const char *abc[] = {"a", "b", "c"}, *c[] = {"c"};
  assert_preferred(world, &(KubeletPreferred){.available = {abc, 3}, .size = 2}, "a b ");
  assert_preferred(world, &(KubeletPreferred){.available = {abc, 3}, .must_include = {c, 1}, .size = 2},
                   "c a ");
  assert_preferred(world, &(KubeletPreferred){.available = {abc, 3}, .size = 9}, "a b c ");
  assert_preferred(world, &(KubeletPreferred){.available = {abc, 3}, .size = -1}, "");
}

static void the_agents_preference_is_handed_on(void **state) {
  World *world = *state;
  KubeletPluginsOptions options = options_of(world);
  options.on_preferred = on_preferred_last;
  kubelet_plugins_free(world->plugins);
  world->plugins = kubelet_plugins_new(&world->host, &world->port.seam, &options);
  start_registered(world, "a b c");
  const char *abc[] = {"a", "b", "c"};
  assert_preferred(world, &(KubeletPreferred){.available = {abc, 3}, .size = 1}, "c ");
}

static uint32_t wait_a_moment(void *userdata, const char *resource, const KubeletPreferred *request) {
  return request->size == 1 ? 20 : 0;
}

static void start_patient(World *world) {
  KubeletPluginsOptions options = options_of(world);
  options.preferred_delay_ms = wait_a_moment;
  kubelet_plugins_free(world->plugins);
  world->plugins = kubelet_plugins_new(&world->host, &world->port.seam, &options);
  start_registered(world, "a b");
}

static void ask_for_one(World *world, Answer *answer) {
  const char *ab[] = {"a", "b"};
  KubeletPreferred items[] = {{.available = {ab, 2}, .size = 1}};
  CLEANUP(text_deinit) Text request = {0};
  kubelet_preferreds_encode(&(KubeletPreferreds){items, 1}, &request);
  ask(world, KUBELET_METHOD_PREFERRED, &request, answer);
}

static void a_preference_may_wait_for_what_is_about_to_be_known(void **state) {
  World *world = *state;
  start_patient(world);
  CLEANUP(answer_deinit) Answer answer = {0};
  ask_for_one(world, &answer);
  run_for(world, 19);
  assert_string_equal(text_string(&answer.end), "");
  run_for(world, 1);
  assert_string_equal(text_string(&answer.end), "0 ");
  const char *ab[] = {"a", "b"};
  assert_preferred(world, &(KubeletPreferred){.available = {ab, 2}, .size = 2}, "a b "); /* at once */
}

static void a_kubelet_that_goes_meanwhile_is_not_answered(void **state) {
  World *world = *state;
  start_patient(world);
  CLEANUP(answer_deinit) Answer answer = {0};
  ask_for_one(world, &answer);
  kubelet_connection_close(TAKE(world->endpoints.items[0]->connection));
  run_for(world, 100);
}

static void pre_start_is_answered_trivially(void **state) {
  World *world = *state;
  start_registered(world, "a");
  CLEANUP(answer_deinit) Answer answer = {0};
  ask(world, KUBELET_METHOD_PRE_START, &(Text){0}, &answer);
  assert_string_equal(text_string(&answer.end), "0 ");
  assert_int_equal(answer.message.size, 0);
}

static void a_malformed_or_unknown_question_is_refused(void **state) {
  World *world = *state;
  start_registered(world, "a");
  Text garbage = {.bytes = (char[]){"\x0a\x7f"}, .size = 2};
  CLEANUP(answer_deinit) Answer allocate = {0}, preferred = {0}, unknown = {0};
  ask(world, KUBELET_METHOD_ALLOCATE, &garbage, &allocate);
  assert_string_equal(text_string(&allocate.end),
                      "3 AllocateRequest: malformed protobuf at byte 2: a field reaches beyond the end");
  ask(world, KUBELET_METHOD_PREFERRED, &garbage, &preferred);
  assert_string_equal(
      text_string(&preferred.end),
      "3 PreferredAllocationRequest: malformed protobuf at byte 2: a field reaches beyond the end");
  ask(world, "/v1beta1.DevicePlugin/Dance", &(Text){0}, &unknown);
  assert_string_equal(text_string(&unknown.end), "12 unknown method /v1beta1.DevicePlugin/Dance");
}

static void on_visitor_lost(void *userdata, const Error *err) {
  (*(int *)userdata)++;
}

static void too_many_connections_cost_the_oldest_idle_one(void **state) {
  World *world = *state;
  start_registered(world, "a");
  int lost[KUBELET_CONNECTIONS_MAX] = {0};
  KubeletConnection *visitors[KUBELET_CONNECTIONS_MAX];
  for (size_t i = 0; i < KUBELET_CONNECTIONS_MAX; i++) {
    visitors[i] = kubelet_connection_dial(&world->host, &world->port.seam, SOCKET, on_visitor_lost, &lost[i]);
    run(world);
  }
  assert_story(world, "trouble " RESOURCE ": more than 8 connections to " SOCKET ": one was closed;");
  assert_int_equal(lost[0], 1);
  assert_true(kubelet_plugins_is_current(world->plugins, RESOURCE));
  for (size_t i = 1; i < KUBELET_CONNECTIONS_MAX; i++) {
    assert_int_equal(lost[i], 0);
    kubelet_connection_close(visitors[i]);
  }
  run(world);
}

/* Streams that are read are worth more than a newcomer. */
static void too_many_connections_cost_the_newest_one_where_all_watch(void **state) {
  World *world = *state;
  start_registered(world, "a");
  int lost[KUBELET_CONNECTIONS_MAX] = {0};
  Endpoint visitors[KUBELET_CONNECTIONS_MAX];
  for (size_t i = 0; i < KUBELET_CONNECTIONS_MAX; i++) {
    visitors[i] = (Endpoint){.world = world};
    visitors[i].connection =
        kubelet_connection_dial(&world->host, &world->port.seam, SOCKET, on_visitor_lost, &lost[i]);
    open_watch(&visitors[i]);
    run(world);
  }
  for (size_t i = 0; i < KUBELET_CONNECTIONS_MAX - 1; i++) {
    assert_int_equal(lost[i], 0);
    kubelet_connection_close(visitors[i].connection);
  }
  assert_int_equal(lost[KUBELET_CONNECTIONS_MAX - 1], 1);
  run(world);
}

static void too_many_streams_are_refused(void **state) {
  World *world = *state;
  start_registered(world, "a");
  for (int i = 1; i < 16; i++)
    open_watch(world->endpoints.items[0]);
  run(world);
  CLEANUP(answer_deinit) Answer answer = {0};
  ask(world, KUBELET_METHOD_LIST_AND_WATCH, &(Text){0}, &answer);
  assert_string_equal(text_string(&answer.end), "8 too many ListAndWatch streams are open");
}

/* The kubelet asks nobody to allocate any more, whatever it is still told over the other stream. */
static void of_two_streams_neither_is_of_use_when_one_ends(void **state) {
  World *world = *state;
  start_registered(world, "a");
  GrpcCall *older = world->endpoints.items[0]->watch;
  open_watch(world->endpoints.items[0]);
  run_for(world, 20000);
  assert_story(world, "list a;");
  grpc_call_cancel(older);
  run(world);
  assert_story(world,
               "register " RESOURCE " at facet-mig-1g.10gb.sock;options;registered " RESOURCE ";list a;");
  set(world, RESOURCE, "a b");
  run(world);
  assert_story(world, "list a b;"); /* once */
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_init, world_deinit)
  const struct CMUnitTest tests[] = {
      CASE(allocate_answers_the_environment_of_each_container),
      CASE(a_refused_allocation_says_why),
      CASE(without_an_opinion_the_first_available_ones_are_preferred),
      CASE(the_agents_preference_is_handed_on),
      CASE(a_preference_may_wait_for_what_is_about_to_be_known),
      CASE(a_kubelet_that_goes_meanwhile_is_not_answered),
      CASE(pre_start_is_answered_trivially),
      CASE(a_malformed_or_unknown_question_is_refused),
      CASE(too_many_connections_cost_the_oldest_idle_one),
      CASE(too_many_connections_cost_the_newest_one_where_all_watch),
      CASE(too_many_streams_are_refused),
      CASE(of_two_streams_neither_is_of_use_when_one_ends),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
