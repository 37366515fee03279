/* SPDX-License-Identifier: Apache-2.0 */
/* Clients are plain sockets of this thread that do not wait; the loop turns between their looks. */
#include "base/test.h"

#include "base/memory.h"
#include "http/request.h"
#include "http/server.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { LARGE_SIZE = 32 << 20 /* more than sockets hold */ };

typedef struct Stage {
  uv_loop_t loop;
  HttpServer *server;
  char folder[32], path[64];
  int answers;
} Stage;

static void answer_hello(void *userdata, HttpAnswer *answer) {
  ((Stage *)userdata)->answers++;
  text_append(&answer->body, "hello\n");
}

static void answer_sick(void *userdata, HttpAnswer *answer) {
  answer->status = 503;
  answer->content_type = "text/special";
  text_append(&answer->body, "not ready\n");
}

static void answer_large(void *userdata, HttpAnswer *answer) {
  CLEANUP(cleanup_free) char *bytes = mem_alloc(LARGE_SIZE);
  memset(bytes, 'l', LARGE_SIZE);
  text_append_bytes(&answer->body, bytes, LARGE_SIZE);
}

static const HttpRoute routes[] = {
    {"/hello", answer_hello}, {"/sick", answer_sick}, {"/large", answer_large}};

static int set_up(void **state) {
  Stage *stage = mem_alloc(sizeof *stage);
  uv_loop_init(&stage->loop);
  stage->server = http_server_new(&stage->loop, routes, COUNT_OF(routes), stage);
  snprintf(stage->folder, sizeof stage->folder, "/tmp/facet-http-XXXXXX");
  assert_non_null(mkdtemp(stage->folder));
  snprintf(stage->path, sizeof stage->path, "%s/socket", stage->folder);
  *state = stage;
  return 0;
}

static int tear_down(void **state) {
  Stage *stage = *state;
  http_server_free(stage->server);
  uv_run(&stage->loop, UV_RUN_DEFAULT);
  int r = uv_loop_close(&stage->loop); /* a handle left open makes it fail */
  assert_int_equal(rmdir(stage->folder), 0);
  free(stage);
  return r;
}

/* ---- clients ---- */

static int connect_tcp(const Stage *stage, int family) {
  uint16_t port = htons((uint16_t)http_server_port(stage->server));
  struct sockaddr_in v4 = {
      .sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = in6addr_loopback};
  int fd = socket(family, SOCK_STREAM, 0);
  int r = family == AF_INET ? connect(fd, (struct sockaddr *)&v4, sizeof v4)
                            : connect(fd, (struct sockaddr *)&v6, sizeof v6);
  assert_int_equal(r, 0);
  return fd;
}

static int connect_unix(const char *path) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
  return fd;
}

static void say(int fd, const char *text) {
  assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* All that comes until the server closes; the caller frees. Closes the socket. */
static char *hear(Stage *stage, int fd) {
  Text heard = {0};
  char piece[65536];
  for (;;) {
    ssize_t size = recv(fd, piece, sizeof piece, MSG_DONTWAIT);
    if (size > 0)
      text_append_bytes(&heard, piece, (size_t)size);
    else if (size == 0 || errno != EAGAIN)
      break;
    else
      uv_run(&stage->loop, UV_RUN_ONCE);
  }
  close(fd);
  return heard.bytes ? text_take(&heard) : mem_strdup("");
}

static char *ask(Stage *stage, const char *request) {
  int fd = connect_tcp(stage, AF_INET);
  say(fd, request);
  return hear(stage, fd);
}

static void listen_any(Stage *stage) {
  Error err;
  assert_ok(http_server_listen_tcp(stage->server, "127.0.0.1:0", &err));
}

/* ---- pages ---- */

static void a_page_is_answered(void **state) {
  Stage *stage = *state;
  listen_any(stage);
  CLEANUP(cleanup_free) char *heard = ask(stage, "GET /hello?x HTTP/1.1\r\nHost: x\r\n\r\n");
  assert_string_equal(heard,
                      "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 6\r\n"
                      "Connection: close\r\n\r\nhello\n");
  CLEANUP(cleanup_free) char *sick = ask(stage, "GET /sick HTTP/1.1\r\n\r\n");
  assert_string_equal(sick, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/special\r\n"
                            "Content-Length: 10\r\nConnection: close\r\n\r\nnot ready\n");
}

static void a_head_alone_may_be_asked_for(void **state) {
  Stage *stage = *state;
  listen_any(stage);
  CLEANUP(cleanup_free) char *heard = ask(stage, "HEAD /hello HTTP/1.1\r\n\r\n");
  assert_string_equal(heard,
                      "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 6\r\n"
                      "Connection: close\r\n\r\n");
}

static void what_is_not_there_is_said_with_what_is(void **state) {
  Stage *stage = *state;
  listen_any(stage);
  CLEANUP(cleanup_free) char *heard = ask(stage, "GET / HTTP/1.1\r\n\r\n");
  assert_true(string_has_prefix(heard, "HTTP/1.1 404 Not Found\r\n"));
  assert_true(string_has_suffix(heard, "There is nothing here; there is:\n/hello\n/sick\n/large\n"));
}

static void a_wrong_request_gets_its_status_and_no_page(void **state) {
  Stage *stage = *state;
  listen_any(stage);
  CLEANUP(cleanup_free) char *post = ask(stage, "POST /hello HTTP/1.1\r\n\r\n");
  assert_true(string_has_prefix(post, "HTTP/1.1 405 Method Not Allowed\r\n"));
  assert_non_null(strstr(post, "\r\nAllow: GET, HEAD\r\n"));
  CLEANUP(cleanup_free) char *garbage = ask(stage, "\x16\x03\x01\r\n\r\n");
  assert_true(string_has_prefix(garbage, "HTTP/1.1 400 Bad Request\r\n"));
  assert_int_equal(stage->answers, 0);
}

static void a_head_that_does_not_end_is_refused_at_its_limit(void **state) {
  Stage *stage = *state;
  listen_any(stage);
  CLEANUP(cleanup_free) char *text = mem_alloc(HTTP_HEAD_SIZE_MAX + 1);
  memset(text, 'x', HTTP_HEAD_SIZE_MAX);
  CLEANUP(cleanup_free) char *heard = ask(stage, text);
  assert_true(string_has_prefix(heard, "HTTP/1.1 431 Request Header Fields Too Large\r\n"));
}

static void a_request_may_come_byte_by_byte(void **state) {
  Stage *stage = *state;
  listen_any(stage);
  int fd = connect_tcp(stage, AF_INET);
  for (const char *p = "GET /hello HTTP/1.1\r\n\r\n"; *p; p++) {
    assert_int_equal(send(fd, p, 1, MSG_NOSIGNAL), 1);
    uv_run(&stage->loop, UV_RUN_NOWAIT);
  }
  CLEANUP(cleanup_free) char *heard = hear(stage, fd);
  assert_true(string_has_suffix(heard, "\r\n\r\nhello\n"));
}

static void a_large_page_arrives_whole(void **state) {
  Stage *stage = *state;
  listen_any(stage);
  CLEANUP(cleanup_free) char *heard = ask(stage, "GET /large HTTP/1.1\r\n\r\n");
  const char *body = strstr(heard, "\r\n\r\n");
  assert_non_null(body);
  assert_int_equal(strlen(body + 4), LARGE_SIZE);
}

/* ---- who holds it up ---- */

static void who_says_nothing_is_sent_away_in_the_end(void **state) {
  Stage *stage = *state;
  listen_any(stage);
  http_server_set_connection_ms(stage->server, 20);
  int silent = connect_tcp(stage, AF_INET), half = connect_tcp(stage, AF_INET);
  say(half, "GET /hello HT");
  CLEANUP(cleanup_free) char *nothing = hear(stage, silent);
  CLEANUP(cleanup_free) char *nothing_either = hear(stage, half);
  assert_string_equal(nothing, "");
  assert_string_equal(nothing_either, "");
}

static void on_test_timer(uv_timer_t *timer) {
  *(bool *)timer->data = true;
}

static void who_does_not_read_its_page_is_sent_away_too(void **state) {
  Stage *stage = *state;
  listen_any(stage);
  http_server_set_connection_ms(stage->server, 20);
  int fd = connect_tcp(stage, AF_INET);
  uv_run(&stage->loop, UV_RUN_NOWAIT); /* it is accepted */
  say(fd, "GET /large HTTP/1.1\r\n\r\n");
  http_server_set_connection_ms(stage->server, HTTP_CONNECTION_MS);
  CLEANUP(cleanup_free) char *other = ask(stage, "GET /hello HTTP/1.1\r\n\r\n"); /* meanwhile */
  assert_true(string_has_suffix(other, "hello\n"));
  bool is_over = false; /* due after the connection's own timer */
  uv_timer_t timer;
  uv_timer_init(&stage->loop, &timer);
  timer.data = &is_over;
  uv_timer_start(&timer, on_test_timer, 40, 0);
  while (!is_over)
    uv_run(&stage->loop, UV_RUN_ONCE);
  uv_close((uv_handle_t *)&timer, NULL);
  CLEANUP(cleanup_free) char *heard = hear(stage, fd);
  assert_true(strlen(heard) < LARGE_SIZE);
  uv_run(&stage->loop, UV_RUN_NOWAIT);
}

static void there_are_so_many_connections_and_no_more(void **state) {
  Stage *stage = *state;
  listen_any(stage);
  int fds[HTTP_CONNECTIONS_MAX];
  for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
    fds[i] = connect_tcp(stage, AF_INET);
    uv_run(&stage->loop, UV_RUN_NOWAIT);
  }
  int late = connect_tcp(stage, AF_INET);
  CLEANUP(cleanup_free) char *nothing = hear(stage, late);
  assert_string_equal(nothing, "");
  for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
    say(fds[i], "GET /hello HTTP/1.1\r\n\r\n");
    CLEANUP(cleanup_free) char *heard = hear(stage, fds[i]);
    assert_true(string_has_suffix(heard, "hello\n"));
  }
  assert_int_equal(stage->answers, HTTP_CONNECTIONS_MAX);
}

static void a_client_may_go_at_any_time(void **state) {
  Stage *stage = *state;
  listen_any(stage);
  static const char request[] = "GET /large HTTP/1.1\r\n\r\n";
  for (size_t size = 0; size < sizeof request; size++) {
    int fd = connect_tcp(stage, AF_INET);
    assert_int_equal(send(fd, request, size, MSG_NOSIGNAL), size);
    uv_run(&stage->loop, UV_RUN_NOWAIT);
    close(fd);
  }
  CLEANUP(cleanup_free) char *heard = ask(stage, "GET /hello HTTP/1.1\r\n\r\n");
  assert_true(string_has_suffix(heard, "hello\n"));
}

static void the_server_may_end_while_clients_are_there(void **state) {
  Stage *stage = *state;
  listen_any(stage);
  int fd = connect_tcp(stage, AF_INET), reading = connect_tcp(stage, AF_INET);
  say(reading, "GET /large HTTP/1.1\r\n\r\n");
  uv_run(&stage->loop, UV_RUN_NOWAIT);
  uv_run(&stage->loop, UV_RUN_NOWAIT);
  http_server_free(TAKE(stage->server));
  uv_run(&stage->loop, UV_RUN_DEFAULT);
  close(fd);
  close(reading);
}

/* ---- addresses ---- */

static void every_form_of_an_address_is_taken(void **state) {
  Stage *stage = *state;
  static const struct {
    const char *address;
    bool v4, v6;
  } addresses[] = {
      {":0", true, true}, {"[::1]:0", false, true}, {"localhost:0", true, false}, {"[::]:0", true, true}};
  CLEANUP(cleanup_close) int probe = socket(AF_INET6, SOCK_STREAM, 0);
  struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
  bool has_v6 = probe >= 0 && bind(probe, (struct sockaddr *)&loopback, sizeof loopback) == 0;
  if (!has_v6)
    print_message("# this machine has no IPv6: skipped there\n");
  for (size_t i = 0; i < COUNT_OF(addresses); i++) {
    for (int family = 0; family < 2; family++) {
      if (family ? !addresses[i].v6 || !has_v6 : !addresses[i].v4)
        continue;
      http_server_free(stage->server);
      stage->server = http_server_new(&stage->loop, routes, COUNT_OF(routes), stage);
      Error err;
      assert_ok(http_server_listen_tcp(stage->server, addresses[i].address, &err));
      int fd = connect_tcp(stage, family ? AF_INET6 : AF_INET);
      say(fd, "GET /hello HTTP/1.1\r\n\r\n");
      CLEANUP(cleanup_free) char *heard = hear(stage, fd);
      assert_true(string_has_suffix(heard, "hello\n"));
    }
  }
}

static void what_is_no_address_is_refused(void **state) {
  Stage *stage = *state;
  static const char *const addresses[] = {"",    "9402",         ":",        ":x",   ":65536",
                                          ":-1", "nowhere:9402", "1.2.3:80", "[::1]"};
  for (size_t i = 0; i < COUNT_OF(addresses); i++) {
    http_server_free(stage->server);
    stage->server = http_server_new(&stage->loop, routes, COUNT_OF(routes), stage);
    Error err;
    CLEANUP(cleanup_free)
    char *expected = mem_format("\"%s\" is no address to listen on; wanted is [ADDRESS]:PORT, such as :9402, "
                                "127.0.0.1:9402 or [::1]:9402",
                                addresses[i]);
    assert_fails(http_server_listen_tcp(stage->server, addresses[i], &err), expected);
  }
}

static void a_port_that_is_taken_is_said(void **state) {
  Stage *stage = *state;
  listen_any(stage);
  CLEANUP(cleanup_free) char *address = mem_format("127.0.0.1:%d", http_server_port(stage->server));
  CLEANUP(http_server_freep)
  HttpServer *second = http_server_new(&stage->loop, routes, COUNT_OF(routes), stage);
  CLEANUP(cleanup_free) char *expected = mem_format("cannot listen on %s: address already in use", address);
  Error err;
  assert_fails(http_server_listen_tcp(second, address, &err), expected);
}

/* ---- Unix ---- */

static void a_unix_socket_is_for_its_owner_alone_and_goes_with_the_server(void **state) {
  Stage *stage = *state;
  Error err;
  assert_ok(http_server_listen_unix(stage->server, stage->path, &err));
  struct stat status;
  assert_int_equal(stat(stage->path, &status), 0);
  assert_int_equal(status.st_mode & 0777, 0600);
  int fd = connect_unix(stage->path);
  say(fd, "GET /hello HTTP/1.0\r\n\r\n");
  CLEANUP(cleanup_free) char *heard = hear(stage, fd);
  assert_true(string_has_suffix(heard, "hello\n"));
  http_server_free(TAKE(stage->server));
  assert_int_equal(stat(stage->path, &status), -1);
}

static void a_socket_that_a_dead_process_left_is_replaced_and_a_living_one_is_not(void **state) {
  Stage *stage = *state;
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  snprintf(name.sun_path, sizeof name.sun_path, "%s", stage->path);
  int dead = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_int_equal(bind(dead, (struct sockaddr *)&name, sizeof name), 0);
  close(dead);
  Error err;
  assert_ok(http_server_listen_unix(stage->server, stage->path, &err));
  CLEANUP(http_server_freep)
  HttpServer *second = http_server_new(&stage->loop, routes, COUNT_OF(routes), stage);
  CLEANUP(cleanup_free)
  char *expected = mem_format("cannot listen on %s: another process serves it", stage->path);
  assert_fails(http_server_listen_unix(second, stage->path, &err), expected);
}

static void a_file_that_is_no_socket_is_left_alone(void **state) {
  Stage *stage = *state;
  fclose(fopen(stage->path, "w"));
  CLEANUP(cleanup_free)
  char *expected =
      mem_format("cannot listen on %s: there is a file of that name which is no socket", stage->path);
  Error err;
  assert_fails(http_server_listen_unix(stage->server, stage->path, &err), expected);
  assert_int_equal(unlink(stage->path), 0);
}

int main(void) {
  signal(SIGPIPE, SIG_IGN); /* as the shell does */
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      TEST(a_page_is_answered),
      TEST(a_head_alone_may_be_asked_for),
      TEST(what_is_not_there_is_said_with_what_is),
      TEST(a_wrong_request_gets_its_status_and_no_page),
      TEST(a_head_that_does_not_end_is_refused_at_its_limit),
      TEST(a_request_may_come_byte_by_byte),
      TEST(a_large_page_arrives_whole),
      TEST(who_says_nothing_is_sent_away_in_the_end),
      TEST(who_does_not_read_its_page_is_sent_away_too),
      TEST(there_are_so_many_connections_and_no_more),
      TEST(a_client_may_go_at_any_time),
      TEST(the_server_may_end_while_clients_are_there),
      TEST(every_form_of_an_address_is_taken),
      TEST(what_is_no_address_is_refused),
      TEST(a_port_that_is_taken_is_said),
      TEST(a_unix_socket_is_for_its_owner_alone_and_goes_with_the_server),
      TEST(a_socket_that_a_dead_process_left_is_replaced_and_a_living_one_is_not),
      TEST(a_file_that_is_no_socket_is_left_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
