/* SPDX-License-Identifier: Apache-2.0 */
/* The plugins against a kubelet that behaves as the real one (v1.36, pkg/kubelet/cm/devicemanager): on start
 * it removes every socket of the folder and makes its own; before it answers Register it connects back and
 * asks for the options; afterwards it opens ListAndWatch on that connection. */
#include "kubelet/plugins.h"

#include "base/test.h"
#include "kubelet/connection.h"
#include "kubelet/memory_port_test.h"

#define FOLDER   "/dp"
#define KUBELET  FOLDER "/kubelet.sock"
#define RESOURCE "nvidia.com/mig-1g.10gb"
#define SOCKET   FOLDER "/facet-mig-1g.10gb.sock"

typedef struct World World;

/* The kubelet's side of one plugin. */
typedef struct Endpoint {
  World *world;
  char *name;
  KubeletConnection *connection;
  GrpcCall *registration; /* waits for our look at the options */
  GrpcCall *watch;
} Endpoint;

struct World {
  Host host;
  MemoryPort port;
  KubeletPlugins *plugins;
  Text story;
  /* the kubelet */
  KubeletListener *listener;
  ARRAY(KubeletConnection *) clients; /* connections to its socket */
  ARRAY(Endpoint *) endpoints;
  const char *refuses; /* what Register is answered with; NULL: it succeeds */
  bool is_mute;        /* never answers Register */
  bool is_idle;        /* never asks for ListAndWatch */
};

static void tell(World *world, const char *format, ...) PRINTF_LIKE(2, 3);

static void tell(World *world, const char *format, ...) {
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  text_append(&world->story, line);
}

#define assert_story(world, expected)                                                                        \
  do {                                                                                                       \
    assert_string_equal(text_string(&(world)->story), expected);                                             \
    text_clear(&(world)->story);                                                                             \
  } while (0)

/* The kubelet */

static void on_endpoint_lost(void *userdata, const Error *err) {
  Endpoint *endpoint = userdata;
  endpoint->connection = NULL;
}

static void on_list(void *userdata, const void *message, size_t size) {
  Endpoint *endpoint = userdata;
  CLEANUP(arena_deinit) Arena arena = {0};
  KubeletPartitions partitions = {0};
  Error err = {0};
  assert_ok(kubelet_partitions_decode(message, size, &arena, &partitions, &err));
  tell(endpoint->world, "list");
  for (size_t i = 0; i < partitions.count; i++)
    tell(endpoint->world, " %s%s", partitions.items[i].id, partitions.items[i].healthy ? "" : "!");
  tell(endpoint->world, ";");
}

static void on_list_end(void *userdata, GrpcStatus status, const char *text) {
  ((Endpoint *)userdata)->watch = NULL;
}

static void open_watch(Endpoint *endpoint) {
  const GrpcReply reply = {.on_message = on_list, .on_end = on_list_end, .userdata = endpoint};
  endpoint->watch = grpc_session_call(kubelet_connection_session(endpoint->connection),
                                      KUBELET_METHOD_LIST_AND_WATCH, "", 0, 0, &reply);
}

static void on_options(void *userdata, const void *message, size_t size) {
  bool preferred = false, pre_start = true;
  Error err = {0};
  assert_ok(kubelet_options_decode(message, size, &preferred, &pre_start, &err));
  assert_true(preferred);
  assert_false(pre_start);
}

static void on_options_end(void *userdata, GrpcStatus status, const char *text) {
  Endpoint *endpoint = userdata;
  World *world = endpoint->world;
  if (!endpoint->registration)
    return;
  if (status != GRPC_OK) {
    grpc_call_finish(TAKE(endpoint->registration), GRPC_UNKNOWN, "no way back");
    return;
  }
  tell(world, "options;");
  grpc_call_send(endpoint->registration, "", 0);
  grpc_call_finish(TAKE(endpoint->registration), GRPC_OK, "");
  if (!world->is_idle)
    open_watch(endpoint);
}

static void on_registration_gone(void *userdata) {
  ((Endpoint *)userdata)->registration = NULL;
}

static void connect_back(World *world, GrpcCall *call, const KubeletRegister *request) {
  Endpoint *endpoint = mem_alloc(sizeof *endpoint);
  *array_push(&world->endpoints) = endpoint;
  char path[256];
  snprintf(path, sizeof path, FOLDER "/%s", request->endpoint);
  endpoint->world = world;
  endpoint->name = mem_strdup(request->resource_name);
  endpoint->registration = call;
  grpc_call_on_gone(call, on_registration_gone, endpoint);
  endpoint->connection =
      kubelet_connection_dial(&world->host, &world->port.seam, path, on_endpoint_lost, endpoint);
  const GrpcReply reply = {.on_message = on_options, .on_end = on_options_end, .userdata = endpoint};
  grpc_session_call(kubelet_connection_session(endpoint->connection), KUBELET_METHOD_OPTIONS, "", 0, 0,
                    &reply);
}

static void on_kubelet_call(void *userdata, GrpcCall *call, const char *method, const void *message,
                            size_t size) {
  World *world = userdata;
  CLEANUP(arena_deinit) Arena arena = {0};
  KubeletRegister request = {0};
  Error err = {0};
  assert_string_equal(method, KUBELET_METHOD_REGISTER);
  assert_ok(kubelet_register_decode(message, size, &arena, &request, &err));
  assert_string_equal(request.version, "v1beta1");
  assert_true(request.preferred_allocation);
  tell(world, "register %s at %s;", request.resource_name, request.endpoint);
  if (world->refuses)
    grpc_call_finish(call, GRPC_UNKNOWN, world->refuses);
  else if (!world->is_mute)
    connect_back(world, call, &request);
}

static void on_client_lost(void *userdata, const Error *err) {
  World *world = userdata;
  array_clear(&world->clients); /* the cases never have two at a time when one is lost */
}

static void on_kubelet_accept(void *userdata, KubeletStream *stream) {
  World *world = userdata;
  *array_push(&world->clients) = kubelet_connection_accept(&world->host, &world->port.seam, stream,
                                                           on_kubelet_call, on_client_lost, world);
}

static void kubelet_start(World *world) {
  Error err = {0};
  while (world->port.files.count)
    memory_port_remove(&world->port, world->port.files.items[0].path);
  assert_ok(
      world->port.seam.listen(&world->port.seam, KUBELET, on_kubelet_accept, world, &world->listener, &err));
}

/* Killed: its socket file stays, its connections end. */
static void kubelet_kill(World *world) {
  if (world->listener)
    world->listener->is_closed = true;
  world->listener = NULL;
  for (size_t i = 0; i < world->endpoints.count; i++) {
    Endpoint *endpoint = world->endpoints.items[i];
    endpoint->registration = NULL;
    if (endpoint->connection)
      kubelet_connection_close(endpoint->connection);
    free(endpoint->name);
    free(endpoint);
  }
  array_clear(&world->endpoints);
  for (size_t i = 0; i < world->clients.count; i++)
    kubelet_connection_close(world->clients.items[i]);
  array_clear(&world->clients);
}

/* The agent */

static int on_allocate(void *userdata, const char *resource, const Strings *ids, Arena *arena,
                       KubeletAllocation *ret_allocation, Error *err) {
  if (strcmp(ids->items[0], "gone") == 0)
    return error_set(err, ERROR_NOT_FOUND, "the slice gone of %s does not exist any more", resource);
  KeyValue *env = arena_alloc(arena, sizeof *env);
  *env = (KeyValue){.key = "NVIDIA_VISIBLE_DEVICES", .value = ids->items[0]};
  ret_allocation->envs = (KeyValues){.items = env, .count = 1};
  return 0;
}

static void on_preferred_last(void *userdata, const char *resource, const KubeletPreferred *request,
                              Arena *arena, Strings *ret_ids) {
  *ret_ids = (Strings){.items = &request->available.items[request->available.count - 1], .count = 1};
}

static void on_registered(void *userdata, const char *resource) {
  tell(userdata, "registered %s;", resource);
}

static void on_trouble(void *userdata, const char *resource, const Error *err) {
  tell(userdata, "trouble %s: %s;", resource ? resource : "-", err->text);
}

static void set(World *world, const char *resource, const char *ids) {
  KubeletPartition items[16];
  KubeletPartitions partitions = {.items = items};
  CLEANUP(cleanup_free) char *copy = mem_strdup(ids);
  char *rest = copy;
  Error err = {0};
  for (char *id; (id = strsep(&rest, " "));) {
    size_t length = strlen(id);
    bool is_unhealthy = length && id[length - 1] == '!';
    if (is_unhealthy)
      id[length - 1] = '\0';
    if (*id)
      items[partitions.count++] = (KubeletPartition){.id = id, .healthy = !is_unhealthy};
  }
  assert_ok(kubelet_plugins_set(world->plugins, resource, &partitions, &err));
}

static KubeletPluginsOptions options_of(World *world) {
  return (KubeletPluginsOptions){.folder = FOLDER,
                                 .on_allocate = on_allocate,
                                 .on_registered = on_registered,
                                 .on_trouble = on_trouble,
                                 .userdata = world};
}

static int world_init(void **state) {
  World *world = mem_alloc(sizeof *world);
  host_init(&world->host, 1);
  memory_port_init(&world->port);
  const KubeletPluginsOptions options = options_of(world);
  world->plugins = kubelet_plugins_new(&world->host, &world->port.seam, &options);
  *state = world;
  return 0;
}

static int world_deinit(void **state) {
  World *world = *state;
  kubelet_plugins_free(world->plugins);
  kubelet_kill(world);
  memory_port_run(&world->port, &world->host);
  assert_int_equal(host_next_ms(&world->host), HOST_NEVER);
  memory_port_deinit(&world->port);
  array_deinit(&world->endpoints);
  array_deinit(&world->clients);
  text_deinit(&world->story);
  host_deinit(&world->host);
  free(world);
  return 0;
}

static void run(World *world) {
  memory_port_run(&world->port, &world->host);
}

static void run_for(World *world, uint64_t duration_ms) {
  memory_port_run_for(&world->port, &world->host, duration_ms);
}

/* A kubelet that has our one resource with this list. */
static void start_registered(World *world, const char *ids) {
  kubelet_start(world);
  set(world, RESOURCE, ids);
  run(world);
  text_clear(&world->story);
}

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
  assert_story(world, "");
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
  run_for(world, 99);
  assert_story(world, "");
  assert_false(kubelet_plugins_is_current(world->plugins, RESOURCE));
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
  /* In a minute: 100, 200, 400 ... ms and then every 10 s. */
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
  assert_story(world, "");
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
      CASE(a_stream_that_keeps_dropping_is_not_chased),
      CASE(a_refused_registration_is_tried_again_with_back_off),
      CASE(a_kubelet_that_does_not_answer_is_given_up_after_a_while),
      CASE(a_kubelet_that_never_asks_for_the_list_is_registered_with_again),
      CASE(a_kubelet_that_restarts_while_we_register_gets_its_own_registration),
      CASE(a_deleted_socket_is_made_again_without_disturbing_the_kubelet),
      CASE(a_socket_that_cannot_be_made_is_told_and_tried_again),
      CASE(a_deleted_socket_that_cannot_be_made_again_costs_no_open_stream),
      CASE(a_folder_that_cannot_be_watched_is_told_once_and_looked_at),
      CASE(a_touched_kubelet_socket_costs_no_open_stream),
      CASE(allocate_answers_the_environment_of_each_container),
      CASE(a_refused_allocation_says_why),
      CASE(without_an_opinion_the_first_available_ones_are_preferred),
      CASE(the_agents_preference_is_handed_on),
      CASE(pre_start_is_answered_trivially),
      CASE(a_malformed_or_unknown_question_is_refused),
      CASE(too_many_connections_cost_the_oldest_idle_one),
      CASE(too_many_streams_are_refused),
      CASE(names_that_make_no_socket_are_refused),
      CASE(a_socket_path_must_fit_a_socket_address),
      CASE(two_resources_cannot_share_a_socket),
      CASE(resources_are_limited),
      CASE(freeing_removes_the_sockets),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
