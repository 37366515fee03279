/* SPDX-License-Identifier: Apache-2.0 */
/* Real sockets in a folder of their own. The loop runs until the expected thing has happened; a case that
 * waits for something that never comes is ended by Meson's time limit. */
#include "kubelet/uv_port.h"

#include "base/array.h"
#include "base/test.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

typedef struct World World;

/* One end of a connection as its owner sees it. */
typedef struct End {
  World *world;
  KubeletStream *stream; /* NULL: closed */
  Text received;
  bool is_connected, is_echoing, is_closing_on_bytes, is_freeing_port_on_bytes;
  char why[ERROR_TEXT_SIZE];
} End;

struct World {
  uv_loop_t loop;
  KubeletUvPort *port;
  KubeletPort *seam;
  char folder[64], path[96];
  KubeletListener *listener;
  End client, server;
  int accepted;
  bool is_rejecting;
  Text changes;
};

static void on_connected(void *userdata) {
  ((End *)userdata)->is_connected = true;
}

static void on_bytes(void *userdata, const void *bytes, size_t size) {
  End *end = userdata;
  text_append_bytes(&end->received, bytes, size);
  if (end->is_echoing)
    end->world->seam->write(end->world->seam, end->stream, bytes, size);
  if (end->is_closing_on_bytes)
    end->world->seam->close(end->world->seam, TAKE(end->stream));
  if (end->is_freeing_port_on_bytes)
    kubelet_uv_port_free(TAKE(end->world->port));
}

static void on_closed(void *userdata, const Error *err) {
  End *end = userdata;
  end->stream = NULL;
  snprintf(end->why, sizeof end->why, "%s", err->text);
}

static const KubeletStreamEvents events = {on_connected, on_bytes, on_closed};

static void on_accept(void *userdata, KubeletStream *stream) {
  World *world = userdata;
  world->accepted++;
  world->seam->attach(world->seam, stream, &events, &world->server);
  if (world->is_rejecting)
    world->seam->close(world->seam, stream);
  else
    world->server.stream = stream;
}

static void on_change(void *userdata, const char *name) {
  text_format(&((World *)userdata)->changes, "%s;", name);
}

static int world_init(void **state) {
  World *world = mem_alloc(sizeof *world);
  snprintf(world->folder, sizeof world->folder, "/tmp/facet-uv-port-XXXXXX");
  assert_non_null(mkdtemp(world->folder));
  snprintf(world->path, sizeof world->path, "%s/a.sock", world->folder);
  assert_int_equal(uv_loop_init(&world->loop), 0);
  world->port = kubelet_uv_port_new(&world->loop);
  world->seam = kubelet_uv_port_seam(world->port);
  world->client.world = world->server.world = world;
  *state = world;
  return 0;
}

static int world_deinit(void **state) {
  World *world = *state;
  kubelet_uv_port_free(world->port);
  uv_run(&world->loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&world->loop), 0); /* no handle is left */
  unlink(world->path);
  assert_int_equal(rmdir(world->folder), 0);
  text_deinit(&world->client.received);
  text_deinit(&world->server.received);
  text_deinit(&world->changes);
  free(world);
  return 0;
}

#define run_until(world, condition)                                                                          \
  while (!(condition))                                                                                       \
  uv_run(&(world)->loop, UV_RUN_ONCE)

static void start_listening(World *world) {
  Error err = {0};
  assert_ok(world->seam->listen(world->seam, world->path, on_accept, world, &world->listener, &err));
}

static void dial(World *world, const char *path) {
  world->client.stream = world->seam->dial(world->seam, path, &events, &world->client);
}

static void connect_both(World *world) {
  start_listening(world);
  dial(world, world->path);
  run_until(world, world->client.is_connected && world->accepted);
}

static void bytes_pass_in_both_directions(void **state) {
  World *world = *state;
  connect_both(world);
  world->server.is_echoing = true;
  world->seam->write(world->seam, world->client.stream, "hello", 5);
  run_until(world, world->client.received.size == 5);
  assert_string_equal(text_string(&world->client.received), "hello");
}

static void many_bytes_arrive_whole_and_in_order(void **state) {
  World *world = *state;
  connect_both(world);
  CLEANUP(text_deinit) Text sent = {0};
  for (int i = 0; i < 400000; i++)
    text_format(&sent, "%d ", i);
  for (size_t i = 0; i < sent.size; i += 100000) {
    size_t left = sent.size - i;
    world->seam->write(world->seam, world->client.stream, sent.bytes + i, left < 100000 ? left : 100000);
  }
  run_until(world, world->server.received.size == sent.size);
  assert_memory_equal(world->server.received.bytes, sent.bytes, sent.size);
}

static void a_peer_that_closes_is_told_as_such(void **state) {
  World *world = *state;
  char expected[200];
  connect_both(world);
  world->seam->close(world->seam, TAKE(world->server.stream));
  run_until(world, !world->client.stream);
  snprintf(expected, sizeof expected, "the peer closed the connection at %s", world->path);
  assert_string_equal(world->client.why, expected);
  assert_string_equal(world->server.why, ""); /* who closes hears nothing */
}

static void nobody_there_is_told_from_the_loop(void **state) {
  World *world = *state;
  char expected[200];
  dial(world, world->path);
  assert_string_equal(world->client.why, "");
  run_until(world, !world->client.stream);
  snprintf(expected, sizeof expected, "cannot connect to %s: no such file or directory", world->path);
  assert_string_equal(world->client.why, expected);
}

static void a_socket_that_nobody_serves_refuses(void **state) {
  World *world = *state;
  char expected[200];
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memcpy(address.sun_path, world->path, strlen(world->path));
  assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
  close(fd);
  dial(world, world->path);
  run_until(world, !world->client.stream);
  snprintf(expected, sizeof expected, "cannot connect to %s: connection refused", world->path);
  assert_string_equal(world->client.why, expected);
}

static void a_path_too_long_for_a_socket_is_refused_by_dial_and_listen(void **state) {
  World *world = *state;
  char path[200], expected[400];
  Error err = {0};
  snprintf(path, sizeof path, "%s/%0*d", world->folder, (int)(107 - strlen(world->folder)), 0);
  snprintf(expected, sizeof expected, "the socket path %s has 108 bytes, Unix sockets allow 107", path);
  assert_fails(world->seam->listen(world->seam, path, on_accept, world, &world->listener, &err), expected);
  dial(world, path);
  run_until(world, !world->client.stream);
  assert_string_equal(world->client.why, expected);
  path[107] = '\0';
  assert_ok(world->seam->listen(world->seam, path, on_accept, world, &world->listener, &err));
  dial(world, path);
  run_until(world, world->client.is_connected);
}

static void closing_while_connecting_is_silent(void **state) {
  World *world = *state;
  start_listening(world);
  dial(world, world->path);
  world->seam->close(world->seam, TAKE(world->client.stream));
  uv_run(&world->loop, UV_RUN_NOWAIT);
  uv_run(&world->loop, UV_RUN_NOWAIT);
  assert_false(world->client.is_connected);
  assert_string_equal(world->client.why, "");
}

static void a_stream_may_be_closed_in_its_own_callback(void **state) {
  World *world = *state;
  connect_both(world);
  world->server.is_closing_on_bytes = true;
  world->seam->write(world->seam, world->client.stream, "bye", 3);
  run_until(world, !world->client.stream);
  assert_null(world->server.stream);
}

static void an_accepted_stream_may_be_closed_at_once(void **state) {
  World *world = *state;
  world->is_rejecting = true;
  start_listening(world);
  dial(world, world->path);
  run_until(world, !world->client.stream);
  assert_int_equal(world->accepted, 1);
}

static void the_port_may_be_freed_in_a_callback(void **state) {
  World *world = *state;
  connect_both(world);
  world->server.is_freeing_port_on_bytes = true;
  world->seam->write(world->seam, world->client.stream, "x", 1);
  uv_run(&world->loop, UV_RUN_DEFAULT);
  assert_null(world->port);
  assert_string_equal(world->client.why, "");
}

static void freeing_the_port_silences_a_stream_that_was_about_to_end(void **state) {
  World *world = *state;
  char path[200];
  memset(path, 'x', sizeof path); /* too long: the stream ends before the loop ever turns */
  path[sizeof path - 1] = '\0';
  dial(world, path);
  kubelet_uv_port_free(TAKE(world->port));
  uv_run(&world->loop, UV_RUN_DEFAULT);
  assert_string_equal(world->client.why, "");
}

static void writing_to_a_peer_that_went_is_an_error_of_the_stream(void **state) {
  World *world = *state;
  connect_both(world);
  world->seam->close(world->seam, TAKE(world->server.stream));
  while (world->client.stream) {
    world->seam->write(world->seam, world->client.stream, "x", 1);
    uv_run(&world->loop, UV_RUN_NOWAIT);
  }
  assert_true(strlen(world->client.why) > 0);
}

static void a_peer_that_does_not_read_ends_the_stream_at_the_queue_limit(void **state) {
  World *world = *state;
  char expected[200];
  size_t size = 4 << 20;
  CLEANUP(cleanup_free) char *bytes = mem_alloc(size);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memcpy(address.sun_path, world->path, strlen(world->path));
  start_listening(world);
  assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
  run_until(world, world->accepted);
  for (int i = 0; i < KUBELET_WRITE_QUEUE_SIZE_MAX / (4 << 20); i++)
    world->seam->write(world->seam, world->server.stream, bytes, size);
  uv_run(&world->loop, UV_RUN_NOWAIT);
  assert_non_null(world->server.stream); /* the kernel took some, the rest is within the limit */
  world->seam->write(world->seam, world->server.stream, bytes, size);
  assert_string_equal(world->server.why, "");
  run_until(world, !world->server.stream);
  snprintf(expected, sizeof expected, "the peer at %s does not read: more than 33554432 bytes wait",
           world->path);
  assert_string_equal(world->server.why, expected);
  close(fd);
}

static void listening_replaces_a_socket_that_is_in_the_way(void **state) {
  World *world = *state;
  KubeletListener *second = NULL;
  Error err = {0};
  start_listening(world);
  uint64_t before = world->seam->identity(world->seam, world->path);
  assert_ok(world->seam->listen(world->seam, world->path, on_accept, world, &second, &err));
  assert_int_not_equal(before, world->seam->identity(world->seam, world->path));
  dial(world, world->path);
  run_until(world, world->client.is_connected);
}

static void listening_does_not_replace_what_is_no_socket(void **state) {
  World *world = *state;
  char expected[200];
  Error err = {0};
  close(open(world->path, O_CREAT | O_WRONLY, 0600));
  snprintf(expected, sizeof expected, "%s exists and is not a socket", world->path);
  assert_fails(world->seam->listen(world->seam, world->path, on_accept, world, &world->listener, &err),
               expected);
}

static void listening_in_a_missing_folder_fails_in_words(void **state) {
  World *world = *state;
  char path[96], expected[200];
  Error err = {0};
  snprintf(path, sizeof path, "%s/none/a.sock", world->folder);
  snprintf(expected, sizeof expected, "cannot bind %s: No such file or directory", path);
  assert_fails(world->seam->listen(world->seam, path, on_accept, world, &world->listener, &err), expected);
}

static void unlistening_removes_the_socket_file(void **state) {
  World *world = *state;
  start_listening(world);
  world->seam->unlisten(world->seam, world->listener);
  assert_int_equal(access(world->path, F_OK), -1);
}

static void unlistening_leaves_a_socket_that_is_another_ones(void **state) {
  World *world = *state;
  KubeletListener *second = NULL;
  Error err = {0};
  start_listening(world);
  assert_ok(world->seam->listen(world->seam, world->path, on_accept, world, &second, &err));
  world->seam->unlisten(world->seam, world->listener);
  uv_run(&world->loop, UV_RUN_NOWAIT);
  assert_int_equal(access(world->path, F_OK), 0);
}

static void the_identity_of_a_file_changes_when_it_is_replaced(void **state) {
  World *world = *state;
  char kept[110];
  snprintf(kept, sizeof kept, "%s.kept", world->path);
  assert_int_equal(world->seam->identity(world->seam, world->path), 0);
  close(open(world->path, O_CREAT | O_WRONLY, 0600));
  uint64_t first = world->seam->identity(world->seam, world->path);
  assert_int_not_equal(first, 0);
  assert_int_equal(world->seam->identity(world->seam, world->path), first);
  assert_int_equal(rename(world->path, kept), 0); /* so that the new file cannot get the same inode number */
  close(open(world->path, O_CREAT | O_WRONLY, 0600));
  assert_int_not_equal(world->seam->identity(world->seam, world->path), first);
  unlink(kept);
}

static void the_folder_tells_what_appears_and_goes(void **state) {
  World *world = *state;
  Error err = {0};
  assert_ok(world->seam->watch(world->seam, world->folder, on_change, world, &err));
  close(open(world->path, O_CREAT | O_WRONLY, 0600));
  run_until(world, strstr(text_string(&world->changes), "a.sock;"));
  text_clear(&world->changes);
  unlink(world->path);
  run_until(world, strstr(text_string(&world->changes), "a.sock;"));
  world->seam->unwatch(world->seam);
  text_clear(&world->changes);
  close(open(world->path, O_CREAT | O_WRONLY, 0600));
  uv_run(&world->loop, UV_RUN_NOWAIT);
  assert_string_equal(text_string(&world->changes), "");
}

static void a_folder_that_is_not_there_cannot_be_watched(void **state) {
  World *world = *state;
  Error err = {0};
  assert_fails(world->seam->watch(world->seam, "/nowhere/at/all", on_change, world, &err),
               "cannot watch the folder /nowhere/at/all: no such file or directory");
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_init, world_deinit)
  const struct CMUnitTest tests[] = {
      CASE(bytes_pass_in_both_directions),
      CASE(many_bytes_arrive_whole_and_in_order),
      CASE(a_peer_that_closes_is_told_as_such),
      CASE(nobody_there_is_told_from_the_loop),
      CASE(a_socket_that_nobody_serves_refuses),
      CASE(a_path_too_long_for_a_socket_is_refused_by_dial_and_listen),
      CASE(closing_while_connecting_is_silent),
      CASE(a_stream_may_be_closed_in_its_own_callback),
      CASE(an_accepted_stream_may_be_closed_at_once),
      CASE(the_port_may_be_freed_in_a_callback),
      CASE(freeing_the_port_silences_a_stream_that_was_about_to_end),
      CASE(writing_to_a_peer_that_went_is_an_error_of_the_stream),
      CASE(a_peer_that_does_not_read_ends_the_stream_at_the_queue_limit),
      CASE(listening_replaces_a_socket_that_is_in_the_way),
      CASE(listening_does_not_replace_what_is_no_socket),
      CASE(listening_in_a_missing_folder_fails_in_words),
      CASE(unlistening_removes_the_socket_file),
      CASE(unlistening_leaves_a_socket_that_is_another_ones),
      CASE(the_identity_of_a_file_changes_when_it_is_replaced),
      CASE(the_folder_tells_what_appears_and_goes),
      CASE(a_folder_that_is_not_there_cannot_be_watched),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
