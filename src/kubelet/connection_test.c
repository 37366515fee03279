/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet/connection.h"

#include "base/test.h"
#include "kubelet/memory_port_test.h"

#define SOCKET "/a.sock"

typedef struct World {
  Host host;
  MemoryPort port;
  KubeletConnection *client, *server;
  KubeletStream *raw; /* where the server is none of ours */
  Text story, received;
  bool is_closing_on_call, is_closing_on_end;
} World;

static void close_connection(KubeletConnection **connection) {
  kubelet_connection_close(TAKE(*connection));
}

static void on_call(void *userdata, GrpcCall *call, const char *method, const void *message, size_t size) {
  World *world = userdata;
  text_format(&world->story, "call %s;", method);
  if (world->is_closing_on_call) {
    close_connection(&world->server);
    return;
  }
  if (strcmp(method, "/silent") == 0)
    return;
  grpc_call_send(call, message, size);
  grpc_call_finish(call, GRPC_OK, "");
}

static void on_server_lost(void *userdata, const Error *err) {
  World *world = userdata;
  text_format(&world->story, "server lost: %s;", err->text);
  world->server = NULL;
}

static void on_client_lost(void *userdata, const Error *err) {
  World *world = userdata;
  text_format(&world->story, "client lost: %s;", err->text);
  world->client = NULL;
}

static void on_end(void *userdata, GrpcStatus status, const char *text) {
  World *world = userdata;
  text_format(&world->story, "end %d %s;", (int)status, text);
  if (world->is_closing_on_end)
    close_connection(&world->client);
}

static void on_accept(void *userdata, KubeletStream *stream) {
  World *world = userdata;
  world->server =
      kubelet_connection_accept(&world->host, &world->port.seam, stream, on_call, on_server_lost, world);
}

static void on_raw_bytes(void *userdata, const void *bytes, size_t size) {
  text_append_bytes(&((World *)userdata)->received, bytes, size);
}

static void on_raw_closed(void *userdata, const Error *err) {
  ((World *)userdata)->raw = NULL;
}

static void on_raw_connected(void *userdata) {
}

static const KubeletStreamEvents raw_events = {on_raw_connected, on_raw_bytes, on_raw_closed};

static void on_raw_accept(void *userdata, KubeletStream *stream) {
  World *world = userdata;
  world->raw = stream;
  world->port.seam.attach(&world->port.seam, stream, &raw_events, world);
}

static int world_init(void **state) {
  World *world = mem_alloc(sizeof *world);
  host_init(&world->host, 1);
  memory_port_init(&world->port);
  *state = world;
  return 0;
}

static int world_deinit(void **state) {
  World *world = *state;
  kubelet_connection_close(world->client);
  kubelet_connection_close(world->server);
  memory_port_run(&world->port, &world->host);
  assert_int_equal(host_next_ms(&world->host), HOST_NEVER);
  memory_port_deinit(&world->port);
  text_deinit(&world->story);
  text_deinit(&world->received);
  host_deinit(&world->host);
  free(world);
  return 0;
}

static void run(World *world) {
  memory_port_run(&world->port, &world->host);
}

static void start(World *world, void (*accept)(void *userdata, KubeletStream *stream)) {
  KubeletListener *listener = NULL;
  Error err = {0};
  assert_ok(world->port.seam.listen(&world->port.seam, SOCKET, accept, world, &listener, &err));
  world->client = kubelet_connection_dial(&world->host, &world->port.seam, SOCKET, on_client_lost, world);
}

static void call(World *world, const char *method) {
  const GrpcReply reply = {.on_end = on_end, .userdata = world};
  grpc_session_call(kubelet_connection_session(world->client), method, "", 0, 0, &reply);
}

#define assert_story(world, expected)                                                                        \
  do {                                                                                                       \
    assert_string_equal(text_string(&(world)->story), expected);                                             \
    text_clear(&(world)->story);                                                                             \
  } while (0)

static void calls_may_start_before_the_peer_has_answered(void **state) {
  World *world = *state;
  start(world, on_accept);
  call(world, "/echo");
  run(world);
  assert_story(world, "call /echo;end 0 ;");
}

static void a_server_speaks_before_it_is_spoken_to(void **state) {
  World *world = *state;
  KubeletListener *listener = NULL;
  Error err = {0};
  assert_ok(world->port.seam.listen(&world->port.seam, SOCKET, on_accept, world, &listener, &err));
  world->raw = world->port.seam.dial(&world->port.seam, SOCKET, &raw_events, world);
  run(world);
  assert_true(world->received.size > 9);
  world->port.seam.close(&world->port.seam, world->raw);
  run(world);
  assert_story(world, "server lost: the peer closed the connection;");
}

static void a_lost_peer_is_told_before_the_calls_end(void **state) {
  World *world = *state;
  start(world, on_accept);
  call(world, "/silent");
  run(world);
  close_connection(&world->server);
  run(world);
  assert_story(world, "call /silent;client lost: the peer closed the connection;end 14 the peer closed the "
                      "connection;");
}

static void a_peer_that_speaks_no_http2_is_lost_with_the_reason(void **state) {
  World *world = *state;
  start(world, on_raw_accept);
  call(world, "/echo");
  run(world);
  world->port.seam.write(&world->port.seam, world->raw, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
  run(world);
#define WHY                                                                                                  \
  "the HTTP/2 session has ended: Remote peer returned unexpected data while we expected SETTINGS frame.  "   \
  "Perhaps, peer does not support HTTP/2 properly."
  assert_story(world, "client lost: " WHY ";end 14 " WHY ";");
  assert_null(world->client);
  assert_null(world->raw);
}

static void a_client_that_speaks_no_http2_is_lost_with_the_reason(void **state) {
  World *world = *state;
  KubeletListener *listener = NULL;
  Error err = {0};
  assert_ok(world->port.seam.listen(&world->port.seam, SOCKET, on_accept, world, &listener, &err));
  world->raw = world->port.seam.dial(&world->port.seam, SOCKET, &raw_events, world);
  world->port.seam.write(&world->port.seam, world->raw, "GET / HTTP/1.1\r\nHost: here\r\n\r\n", 30);
  run(world);
  assert_story(world,
               "server lost: the peer does not speak HTTP/2 as it should: Received bad client magic byte "
               "string;");
}

static void the_server_may_close_inside_a_call(void **state) {
  World *world = *state;
  start(world, on_accept);
  world->is_closing_on_call = true;
  call(world, "/echo");
  run(world);
  assert_story(world, "call /echo;client lost: the peer closed the connection;end 14 the peer closed the "
                      "connection;");
}

static void the_client_may_close_inside_an_end(void **state) {
  World *world = *state;
  start(world, on_accept);
  world->is_closing_on_end = true;
  call(world, "/echo");
  run(world);
  assert_null(world->client);
  assert_story(world, "call /echo;end 0 ;server lost: the peer closed the connection;");
}

static void closing_ends_the_calls_without_losing_the_peer(void **state) {
  World *world = *state;
  start(world, on_accept);
  call(world, "/silent");
  run(world);
  close_connection(&world->client);
  assert_story(world, "call /silent;end 14 the connection was closed;");
}

static bool has_frame(const Text *bytes, char type) {
  for (size_t i = 0; i + 9 <= bytes->size;) {
    const uint8_t *frame = (const uint8_t *)bytes->bytes + i;
    if (frame[3] == type)
      return true;
    i += 9 + ((size_t)frame[0] << 16 | (size_t)frame[1] << 8 | frame[2]);
  }
  return false;
}

static void the_last_words_of_a_broken_session_are_sent(void **state) {
  enum { GOAWAY = 7 };
  World *world = *state;
  static const char settings_then_data_on_stream_0[] = "\0\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0";
  start(world, on_raw_accept);
  run(world);
  text_clear(&world->received);
  world->port.seam.write(&world->port.seam, world->raw, settings_then_data_on_stream_0, 18);
  run(world);
  assert_null(world->client);
  assert_true(has_frame(&world->received, GOAWAY));
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_init, world_deinit)
  const struct CMUnitTest tests[] = {
      CASE(calls_may_start_before_the_peer_has_answered),
      CASE(a_server_speaks_before_it_is_spoken_to),
      CASE(a_lost_peer_is_told_before_the_calls_end),
      CASE(a_peer_that_speaks_no_http2_is_lost_with_the_reason),
      CASE(a_client_that_speaks_no_http2_is_lost_with_the_reason),
      CASE(the_server_may_close_inside_a_call),
      CASE(the_client_may_close_inside_an_end),
      CASE(closing_ends_the_calls_without_losing_the_peer),
      CASE(the_last_words_of_a_broken_session_are_sent),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
