/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet/pod_resources.h"

#include "base/test.h"
#include "kubelet/connection.h"
#include "kubelet/memory_port_test.h"

#define SOCKET "/pod-resources/kubelet.sock"

typedef struct World {
  Host host;
  MemoryPort port;
  KubeletPodResources *client;
  Text story;
  bool is_asking_again, is_freeing; /* inside the next callback */
  /* the kubelet */
  KubeletListener *listener;
  ARRAY(KubeletConnection *) connections;
  GrpcCall *open_list, *open_allocatable; /* not answered yet */
  GrpcStatus refuses;
  const char *refusal;
  bool is_mute, is_garbage, is_empty;
} World;

static void tell_helds(World *world, const char *question, const KubeletHelds *helds, const Error *err) {
  text_format(&world->story, "%s", question);
  if (err)
    text_format(&world->story, " failed (%s): %s", error_code_name(err->code), err->text);
  for (size_t i = 0; helds && i < helds->count; i++)
    text_format(&world->story, " %s:%s=%s", string_or_empty(helds->items[i].pod), helds->items[i].resource,
                helds->items[i].ids.items[0]);
  text_append(&world->story, ";");
}

#define assert_story(world, expected)                                                                        \
  do {                                                                                                       \
    assert_string_equal(text_string(&(world)->story), expected);                                             \
    text_clear(&(world)->story);                                                                             \
  } while (0)

static void on_allocatable(void *userdata, const KubeletHelds *helds, const Error *err) {
  tell_helds(userdata, "allocatable", helds, err);
}

static void on_get(void *userdata, const KubeletHelds *helds, const Error *err) {
  tell_helds(userdata, "get", helds, err);
}

static void on_list(void *userdata, const KubeletHelds *helds, const Error *err) {
  World *world = userdata;
  bool is_asking_again = world->is_asking_again;
  world->is_asking_again = false;
  if (is_asking_again)
    assert_true(kubelet_pod_resources_list(world->client, on_list, world));
  if (world->is_freeing)
    kubelet_pod_resources_free(TAKE(world->client));
  tell_helds(world, "list", helds, err);
}

/* The kubelet */

static void on_gone(void *userdata) {
  *(GrpcCall **)userdata = NULL;
}

static void check_get(const char *method, const void *message, size_t size) {
  CLEANUP(arena_deinit) Arena arena = {0};
  KubeletPodName name = {0};
  Error err = {0};
  assert_string_equal(method, KUBELET_METHOD_PODS_GET);
  assert_ok(kubelet_pod_name_decode(message, size, &arena, &name, &err));
  assert_string_equal(name.namespace_, "n");
  assert_string_equal(name.pod, "p");
}

static void on_call(void *userdata, GrpcCall *call, const char *method, const void *message, size_t size) {
  World *world = userdata;
  CLEANUP(text_deinit) Text answer = {0};
  const char *id = "MIG-a";
  KubeletHeld held = {.pod = "p", .namespace_ = "n", .container = "c", .resource = "r", .ids = {&id, 1}};
  const KubeletHelds helds = {.items = &held, .count = 1};
  bool is_allocatable = strcmp(method, KUBELET_METHOD_ALLOCATABLE) == 0;
  bool is_list = strcmp(method, KUBELET_METHOD_PODS_LIST) == 0;
  if (world->is_mute) {
    GrpcCall **open = is_list ? &world->open_list : &world->open_allocatable;
    *open = call;
    grpc_call_on_gone(call, on_gone, open);
    return;
  }
  if (world->refuses) {
    grpc_call_finish(call, world->refuses, world->refusal);
    return;
  }
  if (!is_list && !is_allocatable)
    check_get(method, message, size);
  (is_allocatable ? kubelet_allocatable_encode : kubelet_helds_encode)(&helds, &answer);
  if (world->is_garbage)
    answer.bytes[0] = 0x7f;
  if (!world->is_empty)
    grpc_call_send(call, answer.bytes, answer.size);
  grpc_call_finish(call, GRPC_OK, "");
}

static void on_lost(void *userdata, const Error *err) {
  World *world = userdata;
  text_append(&world->story, "hung up;");
  array_clear(&world->connections);
}

static void on_accept(void *userdata, KubeletStream *stream) {
  World *world = userdata;
  text_append(&world->story, "connected;");
  *array_push(&world->connections) =
      kubelet_connection_accept(&world->host, &world->port.seam, stream, on_call, on_lost, world);
}

static void kubelet_start(World *world) {
  Error err = {0};
  assert_ok(world->port.seam.listen(&world->port.seam, SOCKET, on_accept, world, &world->listener, &err));
}

static void kubelet_kill(World *world) {
  if (world->listener)
    world->listener->is_closed = true;
  for (size_t i = 0; i < world->connections.count; i++)
    kubelet_connection_close(world->connections.items[i]);
  array_clear(&world->connections);
}

static int world_init(void **state) {
  World *world = mem_alloc(sizeof *world);
  host_init(&world->host, 1);
  memory_port_init(&world->port);
  world->client = kubelet_pod_resources_new(&world->host, &world->port.seam, SOCKET);
  *state = world;
  return 0;
}

static int world_deinit(void **state) {
  World *world = *state;
  kubelet_pod_resources_free(world->client);
  kubelet_kill(world);
  memory_port_run(&world->port, &world->host);
  memory_port_deinit(&world->port);
  array_deinit(&world->connections);
  text_deinit(&world->story);
  host_deinit(&world->host);
  free(world);
  return 0;
}

static void run(World *world) {
  memory_port_run(&world->port, &world->host);
}

static void list(World *world) {
  assert_true(kubelet_pod_resources_list(world->client, on_list, world));
}

static void allocatable(World *world) {
  assert_true(kubelet_pod_resources_allocatable(world->client, on_allocatable, world));
}

static void get(World *world) {
  assert_true(kubelet_pod_resources_get(world->client, "n", "p", on_get, world));
}

static void all_questions_are_answered_on_one_kept_connection(void **state) {
  World *world = *state;
  kubelet_start(world);
  list(world);
  get(world);
  allocatable(world);
  run(world);
  assert_story(world, "connected;list p:r=MIG-a;get p:r=MIG-a;allocatable :r=MIG-a;");
  list(world);
  run(world);
  assert_story(world, "list p:r=MIG-a;");
}

static void a_question_is_open_only_once(void **state) {
  World *world = *state;
  kubelet_start(world);
  list(world);
  assert_false(kubelet_pod_resources_list(world->client, on_list, world));
  get(world);
  assert_false(kubelet_pod_resources_get(world->client, "n", "q", on_get, world));
  allocatable(world);
  run(world);
  list(world);
  run(world);
}

static void a_missing_socket_is_an_error_in_words(void **state) {
  World *world = *state;
  list(world);
  allocatable(world);
  assert_story(world, "");
  run(world);
  assert_story(world, "allocatable failed (unavailable): the kubelet's pod-resources socket " SOCKET
                      " does not answer: no such file;list failed (unavailable): the kubelet's pod-resources "
                      "socket " SOCKET " does not answer: no such file;");
}

static void after_a_failure_the_next_question_dials_again(void **state) {
  World *world = *state;
  list(world);
  run(world);
  text_clear(&world->story);
  kubelet_start(world);
  list(world);
  run(world);
  assert_story(world, "connected;list p:r=MIG-a;");
  kubelet_kill(world);
  run(world);
  assert_story(world, "");
  kubelet_start(world);
  list(world);
  run(world);
  assert_story(world, "connected;list p:r=MIG-a;");
}

static void a_kubelet_that_goes_fails_the_open_question(void **state) {
  World *world = *state;
  kubelet_start(world);
  world->is_mute = true;
  list(world);
  run(world);
  kubelet_kill(world);
  run(world);
  assert_story(world, "connected;list failed (unavailable): the kubelet's pod-resources socket " SOCKET
                      " does not answer: the peer closed the connection;");
}

static void a_kubelet_that_hangs_is_given_up_and_dialled_anew(void **state) {
  World *world = *state;
  kubelet_start(world);
  world->is_mute = true;
  list(world);
  memory_port_run_for(&world->port, &world->host, KUBELET_ANSWER_TIMEOUT_MS - 1);
  assert_story(world, "connected;");
  memory_port_run_for(&world->port, &world->host, 1);
  assert_story(world, "list failed (timeout): the kubelet's pod-resources socket " SOCKET
                      " does not answer: no answer within 3000 ms;hung up;");
  world->is_mute = false;
  list(world);
  run(world);
  assert_story(world, "connected;list p:r=MIG-a;");
}

static void a_hanging_question_does_not_cost_the_other_one_its_answer(void **state) {
  World *world = *state;
  kubelet_start(world);
  world->is_mute = true;
  list(world);
  memory_port_run_for(&world->port, &world->host, KUBELET_ANSWER_TIMEOUT_MS - 1);
  allocatable(world);
  memory_port_run_for(&world->port, &world->host, 1);
  assert_story(world, "connected;list failed (timeout): the kubelet's pod-resources socket " SOCKET
                      " does not answer: no answer within 3000 ms;");
  grpc_call_send(world->open_allocatable, "", 0);
  grpc_call_finish(TAKE(world->open_allocatable), GRPC_OK, "");
  run(world);
  assert_story(world, "allocatable;");
}

static void refusals_and_nonsense_are_errors_in_words(void **state) {
  World *world = *state;
  kubelet_start(world);
  static const struct {
    GrpcStatus refuses;
    bool is_garbage, is_empty;
    const char *error;
  } rows[] = {
      {GRPC_RESOURCE_EXHAUSTED, false, false,
       "list failed (limit): the kubelet at " SOCKET
       " refuses /v1.PodResourcesLister/List: rejected by rate limit (gRPC status 8);"},
      {GRPC_UNIMPLEMENTED, false, false,
       "list failed (unsupported): the kubelet at " SOCKET
       " refuses /v1.PodResourcesLister/List: rejected by rate limit (gRPC status 12);"},
      {GRPC_PERMISSION_DENIED, false, false,
       "list failed (denied): the kubelet at " SOCKET
       " refuses /v1.PodResourcesLister/List: rejected by rate limit (gRPC status 7);"},
      {GRPC_UNKNOWN, false, false,
       "list failed (protocol): the kubelet at " SOCKET
       " refuses /v1.PodResourcesLister/List: rejected by rate limit (gRPC status 2);"},
      {GRPC_CANCELLED, false, false,
       "list failed (unavailable): the kubelet's pod-resources socket " SOCKET
       " does not answer: rejected by rate limit;"},
      {GRPC_OK, true, false,
       "list failed (protocol): the answer of the kubelet at " SOCKET
       ": ListPodResourcesResponse: malformed protobuf at byte 1: an unknown field type;"},
      {GRPC_OK, false, true,
       "list failed (protocol): the kubelet at " SOCKET
       " answers /v1.PodResourcesLister/List without a message;"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    world->refuses = rows[i].refuses;
    world->refusal = "rejected by rate limit";
    world->is_garbage = rows[i].is_garbage;
    world->is_empty = rows[i].is_empty;
    list(world);
    run(world);
    if (i == 0)
      text_drop_front(&world->story, strlen("connected;"));
    assert_story(world, rows[i].error);
  }
}

static void a_pod_that_the_kubelet_does_not_know_holds_nothing(void **state) {
  World *world = *state;
  kubelet_start(world);
  static const struct {
    GrpcStatus refuses;
    const char *refusal, *story;
  } rows[] = {
      {GRPC_UNKNOWN, "pod p in namespace n not found", "connected;get;"}, /* Kubernetes 1.36 */
      {GRPC_NOT_FOUND, "no such pod", "get;"},
      {GRPC_UNKNOWN, "pod q in namespace n not found",
       "get failed (protocol): the kubelet at " SOCKET
       " refuses /v1.PodResourcesLister/Get: pod q in namespace n not found (gRPC status 2);"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    world->refuses = rows[i].refuses;
    world->refusal = rows[i].refusal;
    get(world);
    run(world);
    assert_story(world, rows[i].story);
  }
}

static void the_asker_may_ask_again_in_his_callback(void **state) {
  World *world = *state;
  kubelet_start(world);
  world->is_asking_again = true;
  list(world);
  run(world);
  assert_story(world, "connected;list p:r=MIG-a;list p:r=MIG-a;");
}

static void the_asker_may_ask_again_when_the_kubelet_went(void **state) {
  World *world = *state;
  world->is_asking_again = true;
  list(world);
  run(world);
  assert_story(world, "list failed (unavailable): the kubelet's pod-resources socket " SOCKET
                      " does not answer: no such file;list failed (unavailable): the kubelet's pod-resources "
                      "socket " SOCKET " does not answer: no such file;");
}

static void the_client_may_be_freed_in_a_callback(void **state) {
  World *world = *state;
  kubelet_start(world);
  world->is_freeing = true;
  list(world);
  allocatable(world);
  run(world);
  assert_null(world->client);
  assert_story(world, "connected;list p:r=MIG-a;hung up;");
}

static void freeing_calls_nobody_back(void **state) {
  World *world = *state;
  kubelet_start(world);
  list(world);
  kubelet_pod_resources_free(TAKE(world->client));
  run(world);
  assert_story(world, "");
  assert_int_equal(host_next_ms(&world->host), HOST_NEVER);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_init, world_deinit)
  const struct CMUnitTest tests[] = {
      CASE(all_questions_are_answered_on_one_kept_connection),
      CASE(a_question_is_open_only_once),
      CASE(a_missing_socket_is_an_error_in_words),
      CASE(after_a_failure_the_next_question_dials_again),
      CASE(a_kubelet_that_goes_fails_the_open_question),
      CASE(a_kubelet_that_hangs_is_given_up_and_dialled_anew),
      CASE(a_hanging_question_does_not_cost_the_other_one_its_answer),
      CASE(refusals_and_nonsense_are_errors_in_words),
      CASE(a_pod_that_the_kubelet_does_not_know_holds_nothing),
      CASE(the_asker_may_ask_again_in_his_callback),
      CASE(the_asker_may_ask_again_when_the_kubelet_went),
      CASE(the_client_may_be_freed_in_a_callback),
      CASE(freeing_calls_nobody_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
