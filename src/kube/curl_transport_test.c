/* SPDX-License-Identifier: Apache-2.0 */
/* Against a small real HTTP/1.1 server on a thread of its own, over plain http. TLS and HTTP/2 are tested
 * against a real API server, end to end. */
#include "kube/curl_transport.h"

#include "base/memory.h"
#include "base/test.h"
#include "base/text.h"
#include "kube/curl_error.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <sys/socket.h>

enum { LARGE_SIZE = 32 << 20 };

/* One call and all that was heard of it. */
typedef struct Heard {
  KubeCurl **curl;
  KubeCall *call;
  Text body;
  char content_type[64];
  size_t size; /* of a large body that is not kept */
  int heads, status, retry_after_s;
  int dones;
  Error err; /* of on_done; code 0: success */
  void (*during_body)(struct Heard *heard);
  void (*at_done)(struct Heard *heard);
  struct Heard *other;
} Heard;

typedef struct Stage {
  uv_loop_t loop;
  struct MHD_Daemon *server;
  char url[64];
  KubeConfig config;
  KubeCurl *curl;
  int silent_fd; /* a port on which nobody answers; -1: none */
} Stage;

/* What the server saw last; written by its thread, read when the call is over. */
static pthread_mutex_t seen_lock = PTHREAD_MUTEX_INITIALIZER;
static Text seen;

static enum MHD_Result note_header(void *userdata, enum MHD_ValueKind kind, const char *key,
                                   const char *value) {
  static const char *const noted[] = {"User-Agent", "Accept",          "Content-Type", "Authorization",
                                      "Expect",     "Accept-Encoding", "Host"};
  for (size_t i = 0; i < COUNT_OF(noted); i++)
    if (strcasecmp(key, noted[i]) == 0)
      text_format(&seen, "%s: %s\n", noted[i], value);
  return MHD_YES;
}

/* "/endless": a line now and then, for as long as somebody listens. */
static ssize_t produce_endless(void *userdata, uint64_t position, char *buffer, size_t size) {
  memset(buffer, 'e', 1);
  return 1;
}

static ssize_t produce_large(void *userdata, uint64_t position, char *buffer, size_t size) {
  if (position >= LARGE_SIZE)
    return MHD_CONTENT_READER_END_OF_STREAM;
  memset(buffer, 'l', size);
  return (ssize_t)(size < LARGE_SIZE - position ? size : LARGE_SIZE - position);
}

/* "/broken": half an answer and then a closed connection. */
static ssize_t produce_broken(void *userdata, uint64_t position, char *buffer, size_t size) {
  if (position > 0)
    return MHD_CONTENT_READER_END_WITH_ERROR;
  buffer[0] = 'b';
  return 1;
}

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned status, const char *type,
                               struct MHD_Response *response) {
  MHD_add_response_header(response, "Content-Type", type);
  if (status == 429)
    MHD_add_response_header(response, "Retry-After", "7");
  enum MHD_Result result = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  return result;
}

static struct MHD_Response *from_text(const char *text) {
  return MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY);
}

static struct MHD_Response *from_stream(MHD_ContentReaderCallback produce) {
  return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 65536, produce, NULL, NULL);
}

static enum MHD_Result route(struct MHD_Connection *connection, const char *url) {
  if (strcmp(url, "/endless") == 0)
    return respond(connection, 200, "text/plain", from_stream(produce_endless));
  if (strcmp(url, "/large") == 0)
    return respond(connection, 200, "text/plain", from_stream(produce_large));
  if (strcmp(url, "/broken") == 0)
    return respond(connection, 200, "text/plain", from_stream(produce_broken));
  if (strcmp(url, "/busy") == 0)
    return respond(connection, 429, "application/json", from_text("{\"code\":429}"));
  if (strcmp(url, "/unauthorized") == 0)
    return respond(connection, 401, "application/json", from_text("{\"code\":401}"));
  if (strcmp(url, "/empty") == 0)
    return respond(connection, 204, "application/json", from_text(""));
  return respond(connection, 200, "application/vnd.kubernetes.protobuf", from_text("hello"));
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **memory) {
  static int started;
  pthread_mutex_lock(&seen_lock);
  bool is_first = *memory == NULL, is_body = !is_first && *upload_size > 0;
  if (is_first) {
    const char *query = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "q");
    text_clear(&seen);
    text_format(&seen, "%s %s%s%s\n", method, url, query ? " q=" : "", string_or_empty(query));
    MHD_get_connection_values(connection, MHD_HEADER_KIND, note_header, NULL);
    *memory = &started;
  } else if (is_body) {
    text_append_bytes(&seen, upload, *upload_size);
    *upload_size = 0;
  }
  pthread_mutex_unlock(&seen_lock);
  return is_first || is_body ? MHD_YES : route(connection, url);
}

static void assert_seen(const char *expected) {
  pthread_mutex_lock(&seen_lock);
  assert_string_equal(text_string(&seen), expected);
  pthread_mutex_unlock(&seen_lock);
}

static bool was_seen(const char *part) {
  pthread_mutex_lock(&seen_lock);
  bool found = strstr(text_string(&seen), part) != NULL;
  pthread_mutex_unlock(&seen_lock);
  return found;
}

static int set_up(void **state) {
  Stage *stage = mem_alloc(sizeof *stage);
  Error err = {0};
  uv_loop_init(&stage->loop);
  stage->silent_fd = -1;
  struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  stage->server = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_request, NULL,
                                   MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&loopback, MHD_OPTION_END);
  assert_non_null(stage->server);
  unsigned port = MHD_get_daemon_info(stage->server, MHD_DAEMON_INFO_BIND_PORT)->port;
  snprintf(stage->url, sizeof stage->url, "http://127.0.0.1:%u", port);
  stage->config = (KubeConfig){.server = stage->url, .source = (char *)"the test"};
  assert_ok(kube_curl_new(&stage->loop, &stage->config, &stage->curl, &err));
  *state = stage;
  return 0;
}

static int tear_down(void **state) {
  Stage *stage = *state;
  kube_curl_free(stage->curl);
  uv_run(&stage->loop, UV_RUN_DEFAULT);
  int r = uv_loop_close(&stage->loop); /* a handle left open makes it fail */
  MHD_stop_daemon(stage->server);
  cleanup_close(&stage->silent_fd);
  free(stage);
  return r;
}

static void use_config(Stage *stage) {
  Error err = {0};
  kube_curl_free(stage->curl);
  stage->curl = NULL;
  assert_ok(kube_curl_new(&stage->loop, &stage->config, &stage->curl, &err));
}

static void on_head(void *userdata, int status, const char *content_type, int retry_after_s) {
  Heard *heard = userdata;
  assert_int_equal(heard->heads + heard->dones, 0);
  heard->heads++;
  heard->status = status;
  heard->retry_after_s = retry_after_s;
  snprintf(heard->content_type, sizeof heard->content_type, "%s", string_or_empty(content_type));
}

static void on_body(void *userdata, const void *bytes, size_t size) {
  Heard *heard = userdata;
  assert_int_equal(heard->heads, 1);
  assert_int_equal(heard->dones, 0);
  heard->size += size;
  if (heard->body.size < 4096)
    text_append_bytes(&heard->body, bytes, size);
  if (heard->during_body)
    heard->during_body(heard);
}

static void on_done(void *userdata, const Error *err) {
  Heard *heard = userdata;
  assert_int_equal(heard->dones, 0);
  heard->dones++;
  heard->err = err ? *err : (Error){0};
  if (heard->at_done)
    heard->at_done(heard);
}

static void cleanup_heard(Heard *heard) {
  text_deinit(&heard->body);
}

static void start_request(Stage *stage, Heard *heard, KubeRequest request) {
  request.on_head = on_head;
  request.on_body = on_body;
  request.on_done = on_done;
  request.userdata = heard;
  heard->curl = &stage->curl;
  heard->call = kube_transport_start(kube_curl_seam(stage->curl), &request);
  assert_int_equal(heard->heads + heard->dones, 0); /* never from inside */
}

static void start_get(Stage *stage, Heard *heard, const char *path, uint32_t timeout_ms) {
  start_request(stage, heard, (KubeRequest){.method = "GET", .path = path, .timeout_ms = timeout_ms});
}

static void run(Stage *stage) {
  uv_run(&stage->loop, UV_RUN_DEFAULT);
}

static void run_until(Stage *stage, const size_t *size, size_t wanted) {
  while (*size < wanted)
    assert_true(uv_run(&stage->loop, UV_RUN_ONCE));
}

static void an_answer_comes_as_head_body_and_end(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard heard = {0};
  start_get(stage, &heard, "/api/v1/pods?q=a%2Fb", 0);
  run(stage);
  assert_int_equal(heard.status, 200);
  assert_string_equal(heard.content_type, "application/vnd.kubernetes.protobuf");
  assert_int_equal(heard.retry_after_s, -1);
  assert_string_equal(text_string(&heard.body), "hello");
  assert_int_equal(heard.dones, 1);
  assert_int_equal(heard.err.code, 0);
  CLEANUP(cleanup_free)
  char *expected = mem_format("GET /api/v1/pods q=a/b\nHost: %s\nUser-Agent: facet/" FACET_VERSION
                              " (linux)\nAccept: application/json\n",
                              stage->url + strlen("http://"));
  assert_seen(expected);
}

static void a_body_is_sent_with_its_type(void **state) {
  Stage *stage = *state;
  static const char *const methods[] = {"PATCH", "POST", "PUT", "DELETE"};
  for (size_t i = 0; i < COUNT_OF(methods); i++) {
    CLEANUP(cleanup_heard) Heard heard = {0};
    char body[] = "{\"a\":1}";
    start_request(stage, &heard,
                  (KubeRequest){.method = methods[i],
                                .path = "/x",
                                .content_type = "application/merge-patch+json",
                                .accept = "text/special",
                                .body = body,
                                .body_size = strlen(body)});
    memset(body, 'X', sizeof body); /* it was copied */
    run(stage);
    CLEANUP(cleanup_free)
    char *expected =
        mem_format("%s /x\nHost: %s\nUser-Agent: facet/" FACET_VERSION " (linux)\nAccept: text/special\n"
                   "Content-Type: application/merge-patch+json\n{\"a\":1}",
                   methods[i], stage->url + strlen("http://"));
    assert_seen(expected);
    assert_int_equal(heard.err.code, 0);
  }
}

static void a_delete_may_have_no_body(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard heard = {0};
  start_request(stage, &heard, (KubeRequest){.method = "DELETE", .path = "/empty"});
  run(stage);
  assert_true(was_seen("DELETE /empty\n"));
  assert_int_equal(heard.status, 204);
  assert_int_equal(heard.size, 0);
  assert_int_equal(heard.dones, 1);
}

static void a_refusal_is_an_answer_like_any_other(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard heard = {0};
  start_get(stage, &heard, "/busy", 0);
  run(stage);
  assert_int_equal(heard.status, 429);
  assert_int_equal(heard.retry_after_s, 7);
  assert_string_equal(text_string(&heard.body), "{\"code\":429}");
  assert_int_equal(heard.err.code, 0);
}

static void a_large_body_arrives_whole(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard heard = {0};
  start_get(stage, &heard, "/large", 0);
  run(stage);
  assert_int_equal(heard.size, LARGE_SIZE);
  assert_int_equal(heard.err.code, 0);
}

static void many_calls_run_side_by_side(void **state) {
  Stage *stage = *state;
  Heard heard[40] = {0};
  for (size_t i = 0; i < COUNT_OF(heard); i++)
    start_get(stage, &heard[i], i % 4 ? "/hello" : "/large", 0);
  run(stage);
  for (size_t i = 0; i < COUNT_OF(heard); i++) {
    assert_int_equal(heard[i].dones, 1);
    assert_int_equal(heard[i].size, i % 4 ? 5 : LARGE_SIZE);
    cleanup_heard(&heard[i]);
  }
}

static void a_stream_can_be_cancelled_from_outside(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard heard = {0};
  start_get(stage, &heard, "/endless", 0);
  run_until(stage, &heard.size, 3);
  kube_transport_cancel(kube_curl_seam(stage->curl), heard.call);
  size_t size = heard.size;
  run(stage);
  assert_int_equal(heard.size, size);
  assert_int_equal(heard.dones, 0);
}

static void cancel_itself(Heard *heard) {
  kube_transport_cancel(kube_curl_seam(*heard->curl), heard->call);
}

static void cancel_other(Heard *heard) {
  if (!heard->other)
    return;
  kube_transport_cancel(kube_curl_seam(*heard->curl), heard->other->call);
  heard->other = NULL;
}

static void a_callback_may_cancel_its_own_call(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard heard = {.during_body = cancel_itself};
  start_get(stage, &heard, "/endless", 0);
  run(stage);
  assert_true(heard.size > 0);
  assert_int_equal(heard.dones, 0);
}

static void a_callback_may_cancel_another_call(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard other = {0}, heard = {.during_body = cancel_other, .other = &other};
  start_get(stage, &other, "/endless", 0);
  run_until(stage, &other.size, 1);
  start_get(stage, &heard, "/hello", 0);
  run(stage);
  assert_int_equal(heard.dones, 1);
  assert_int_equal(other.dones, 0);
}

static void a_call_can_be_cancelled_before_it_began(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard heard = {0};
  start_get(stage, &heard, "/hello", 0);
  cancel_itself(&heard);
  run(stage);
  assert_int_equal(heard.heads + heard.dones, 0);
}

static Stage *the_stage;

static void start_other(Heard *heard) {
  Heard *other = heard->other;
  if (!other)
    return;
  heard->other = NULL;
  start_get(the_stage, other, "/hello", 0);
}

static void callbacks_may_start_calls(void **state) {
  the_stage = *state;
  CLEANUP(cleanup_heard)
  Heard third = {0}, second = {.at_done = start_other, .other = &third},
        first = {.during_body = start_other, .other = &second};
  start_get(the_stage, &first, "/hello", 0);
  run(the_stage);
  assert_int_equal(first.dones + second.dones + third.dones, 3);
  assert_string_equal(text_string(&third.body), "hello");
}

static void start_and_cancel_other(Heard *heard) {
  Heard *other = heard->other;
  start_other(heard);
  if (other)
    cancel_itself(other);
}

static void a_call_started_and_cancelled_in_a_callback_never_was(void **state) {
  the_stage = *state;
  CLEANUP(cleanup_heard) Heard other = {0}, heard = {.during_body = start_and_cancel_other, .other = &other};
  start_get(the_stage, &heard, "/hello", 0);
  run(the_stage);
  assert_int_equal(heard.dones, 1);
  assert_int_equal(other.heads + other.dones, 0);
}

static void free_transport(Heard *heard) {
  kube_curl_free(TAKE(*heard->curl));
}

static void it_may_be_freed_inside_a_body_callback(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard other = {0}, heard = {.during_body = free_transport};
  start_get(stage, &other, "/endless", 0);
  run_until(stage, &other.size, 1);
  start_get(stage, &heard, "/endless", 0);
  run(stage);
  assert_null(stage->curl);
  assert_int_equal(heard.dones + other.dones, 0);
}

static void it_may_be_freed_inside_a_done_callback(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard other = {0}, heard = {.at_done = free_transport};
  start_get(stage, &other, "/endless", 0);
  start_get(stage, &heard, "/hello", 0);
  run(stage);
  assert_null(stage->curl);
  assert_int_equal(other.dones, 0);
}

static void it_may_be_freed_with_calls_in_every_state(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard running = {0}, fresh = {0};
  start_get(stage, &running, "/endless", 0);
  run_until(stage, &running.size, 1);
  start_get(stage, &fresh, "/hello", 0);
  kube_curl_free(TAKE(stage->curl));
  run(stage);
  assert_int_equal(running.dones + fresh.heads + fresh.dones, 0);
}

static void a_closed_connection_is_a_failure(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard heard = {0};
  start_get(stage, &heard, "/broken?q=1", 0);
  run(stage);
  assert_int_equal(heard.heads, 1);
  assert_int_equal(heard.err.code, ERROR_UNAVAILABLE);
  CLEANUP(cleanup_free)
  char *beginning = mem_format("the connection to the API server %s broke during GET /broken: ", stage->url);
  assert_true(string_has_prefix(heard.err.text, beginning));
}

/* A TCP port of this machine on which nobody answers: `backlog` 0 refuses, else connects and stays silent. */
static void open_silent_port(Stage *stage, int backlog) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
  if (backlog)
    assert_int_equal(listen(fd, backlog), 0);
  snprintf(stage->url, sizeof stage->url, "http://127.0.0.1:%u", ntohs(address.sin_port));
  use_config(stage);
  stage->silent_fd = fd;
}

static void a_refused_connection_names_the_address(void **state) {
  Stage *stage = *state;
  open_silent_port(stage, 0);
  CLEANUP(cleanup_heard) Heard heard = {0};
  start_get(stage, &heard, "/x", 0);
  run(stage);
  CLEANUP(cleanup_free)
  char *expected = mem_format("cannot reach the API server %s: connection refused; is it "
                              "running and is the address right?",
                              stage->url);
  assert_string_equal(heard.err.text, expected);
  assert_int_equal(heard.err.code, ERROR_UNAVAILABLE);
  assert_int_equal(heard.heads, 0);
}

static void a_server_that_does_not_answer_in_time_is_named(void **state) {
  Stage *stage = *state;
  open_silent_port(stage, 4);
  CLEANUP(cleanup_heard) Heard heard = {0};
  start_get(stage, &heard, "/api/v1/nodes/n1?q=1", 50);
  run(stage);
  CLEANUP(cleanup_free)
  char *expected =
      mem_format("the API server %s did not answer GET /api/v1/nodes/n1 within 0.05 s", stage->url);
  assert_string_equal(heard.err.text, expected);
  assert_int_equal(heard.err.code, ERROR_TIMEOUT);
}

static void a_silent_connection_takes_all_its_calls_with_it(void **state) {
  Stage *stage = *state;
  open_silent_port(stage, 4);
  CLEANUP(cleanup_heard) Heard watch = {0}, heard = {0};
  start_get(stage, &watch, "/watch", 0);
  start_get(stage, &heard, "/x", 50);
  run(stage);
  assert_int_equal(heard.err.code, ERROR_TIMEOUT);
  assert_int_equal(watch.err.code, ERROR_UNAVAILABLE);
  CLEANUP(cleanup_free)
  char *expected = mem_format(
      "the connection to the API server %s broke during GET /watch: the server went silent", stage->url);
  assert_string_equal(watch.err.text, expected);
}

static void a_late_answer_beside_a_lively_stream_fails_alone(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard stream = {0}, slow = {0};
  start_get(stage, &stream, "/endless", 0);
  run_until(stage, &stream.size, 1);
  start_get(stage, &slow, "/endless", 50);
  while (!slow.dones)
    uv_run(&stage->loop, UV_RUN_ONCE);
  assert_int_equal(slow.err.code, ERROR_TIMEOUT);
  assert_int_equal(stream.dones, 0);
  cancel_itself(&stream);
}

static char token_path[] = "/tmp/facet-token-XXXXXX";

static void write_token(const char *text) {
  CLEANUP(cleanup_fclose) FILE *file = fopen(token_path, "we");
  assert_non_null(file);
  fputs(text, file);
}

static void call_once(Stage *stage, const char *path) {
  CLEANUP(cleanup_heard) Heard heard = {0};
  start_get(stage, &heard, path, 0);
  run(stage);
  assert_int_equal(heard.err.code, 0);
}

static void a_token_file_is_read_again_when_the_server_refuses_it(void **state) {
  Stage *stage = *state;
  int fd = mkstemp(token_path);
  assert_true(fd >= 0);
  close(fd);
  write_token(" first\n");
  stage->config.token_file = token_path;
  use_config(stage);
  call_once(stage, "/x");
  assert_true(was_seen("Authorization: Bearer first\n"));
  write_token("second");
  call_once(stage, "/unauthorized");
  assert_true(was_seen("Authorization: Bearer first\n"));
  call_once(stage, "/x");
  assert_true(was_seen("Authorization: Bearer second\n"));
  write_token("");
  call_once(stage, "/unauthorized");
  call_once(stage, "/x"); /* an unreadable file leaves the old token in place */
  assert_true(was_seen("Authorization: Bearer second\n"));
  unlink(token_path);
}

static void user_and_password_go_as_basic_authentication(void **state) {
  Stage *stage = *state;
  stage->config.username = (char *)"me";
  stage->config.password = (char *)"pw";
  use_config(stage);
  call_once(stage, "/x");
  assert_true(was_seen("Authorization: Basic bWU6cHc=\n"));
}

static void a_server_may_have_a_path_of_its_own(void **state) {
  Stage *stage = *state;
  snprintf(stage->url + strlen(stage->url), 16, "/k8s/c-1");
  use_config(stage);
  call_once(stage, "/api/v1/pods");
  assert_true(was_seen("GET /k8s/c-1/api/v1/pods\n"));
}

static void a_tls_server_name_changes_the_name_and_not_the_address(void **state) {
  Stage *stage = *state;
  stage->config.tls_server_name = (char *)"kubernetes.default.svc";
  use_config(stage);
  call_once(stage, "/x");
  CLEANUP(cleanup_free) char *host = mem_format("Host: %s\n", stage->url + strlen("http://"));
  assert_true(was_seen(host));
}

static void an_address_that_is_none_is_refused_early(void **state) {
  Stage *stage = *state;
  Error err = {0};
  KubeCurl *curl = NULL;
  KubeConfig config = {.server = (char *)"https://a b:99999", .source = (char *)"the test"};
  assert_fails(kube_curl_new(&stage->loop, &config, &curl, &err),
               "the server \"https://a b:99999\" of the test is not a valid address; write it as "
               "https://HOST:PORT");
  config = (KubeConfig){
      .server = (char *)"https://h", .tls_server_name = (char *)"a b", .source = (char *)"the test"};
  assert_fails(kube_curl_new(&stage->loop, &config, &curl, &err),
               "the tls-server-name \"a b\" of the test is not a host name");
  assert_null(curl);
}

typedef struct Failure {
  KubeCurlFailure failure;
  ErrorCode code;
  const char *expected;
} Failure;

#define BASE                                                                                                 \
  .server = "https://h:6443", .source = "context \"c\" of F", .method = "GET", .path = "/api/v1/pods?watch=1"

static const Failure failures[] = {
    {{BASE, .code = CURLE_COULDNT_CONNECT, .detail = "x", .errno_value = 113},
     ERROR_UNAVAILABLE,
     "cannot reach the API server https://h:6443: no route to host; is it running and is the address right?"},
    {{BASE, .code = CURLE_COULDNT_RESOLVE_HOST, .detail = "Could not resolve host: h"},
     ERROR_UNAVAILABLE,
     "cannot reach the API server https://h:6443: could not resolve host: h; is it running and is the "
     "address "
     "right?"},
    {{BASE, .code = CURLE_OPERATION_TIMEDOUT, .detail = "x"},
     ERROR_TIMEOUT,
     "cannot reach the API server https://h:6443: no connection within 10 s; is it running and is the "
     "address "
     "right?"},
    {{BASE, .code = CURLE_OPERATION_TIMEDOUT, .detail = "x", .connected = true, .timeout_ms = 10000},
     ERROR_TIMEOUT,
     "the API server https://h:6443 did not answer GET /api/v1/pods within 10 s"},
    {{BASE, .code = CURLE_PEER_FAILED_VERIFICATION, .detail = "x",
      .verify_result = X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN},
     ERROR_DENIED,
     "the certificate of the API server https://h:6443 is not trusted: self-signed certificate in "
     "certificate "
     "chain; is the certificate-authority of context \"c\" of F that of this cluster?"},
    {{BASE, .code = CURLE_PEER_FAILED_VERIFICATION,
      .detail = "SSL: no alternative certificate subject name "
                "matches target host name 'h'"},
     ERROR_DENIED,
     "the certificate of the API server https://h:6443 is for another name: SSL: no alternative certificate "
     "subject name matches target host name 'h'; correct the server's address or set tls-server-name "
     "(context "
     "\"c\" of F)"},
    {{BASE, .code = CURLE_PEER_FAILED_VERIFICATION, .detail = "no match",
      .verify_result = X509_V_ERR_UNSPECIFIED},
     ERROR_DENIED,
     "the certificate of the API server https://h:6443 is for another name: no match; correct the server's "
     "address "
     "or set tls-server-name (context \"c\" of F)"},
    {{BASE, .code = CURLE_SSL_CONNECT_ERROR, .detail = "wrong version number"},
     ERROR_UNAVAILABLE,
     "no TLS with the API server https://h:6443: wrong version number; does it speak https?"},
    {{BASE, .code = CURLE_SSL_CERTPROBLEM, .detail = "bad key"},
     ERROR_DENIED,
     "the certificates of context \"c\" of F cannot be used: bad key"},
    {{BASE, .code = CURLE_GOT_NOTHING, .detail = ""},
     ERROR_UNAVAILABLE,
     "the connection to the API server https://h:6443 broke during GET /api/v1/pods: Server returned nothing "
     "(no "
     "headers, no data)"},
};

static void each_failure_is_a_sentence(void **state) {
  for (size_t i = 0; i < COUNT_OF(failures); i++) {
    Error err = {0};
    assert_int_equal(kube_curl_error_set(&failures[i].failure, &err), -(int)failures[i].code);
    assert_string_equal(err.text, failures[i].expected);
  }
}

static int clean_environment(void **state) {
  static const char *const names[] = {"http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"};
  for (size_t i = 0; i < COUNT_OF(names); i++)
    setenv(names[i], "http://127.0.0.1:1", 1); /* loopback must not go through it */
  return 0;
}

static int forget_seen(void **state) {
  text_deinit(&seen);
  return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(an_answer_comes_as_head_body_and_end),
      TEST(a_body_is_sent_with_its_type),
      TEST(a_delete_may_have_no_body),
      TEST(a_refusal_is_an_answer_like_any_other),
      TEST(a_large_body_arrives_whole),
      TEST(many_calls_run_side_by_side),
      TEST(a_stream_can_be_cancelled_from_outside),
      TEST(a_callback_may_cancel_its_own_call),
      TEST(a_callback_may_cancel_another_call),
      TEST(a_call_can_be_cancelled_before_it_began),
      TEST(callbacks_may_start_calls),
      TEST(a_call_started_and_cancelled_in_a_callback_never_was),
      TEST(it_may_be_freed_inside_a_body_callback),
      TEST(it_may_be_freed_inside_a_done_callback),
      TEST(it_may_be_freed_with_calls_in_every_state),
      TEST(a_closed_connection_is_a_failure),
      TEST(a_refused_connection_names_the_address),
      TEST(a_server_that_does_not_answer_in_time_is_named),
      TEST(a_silent_connection_takes_all_its_calls_with_it),
      TEST(a_late_answer_beside_a_lively_stream_fails_alone),
      TEST(a_token_file_is_read_again_when_the_server_refuses_it),
      TEST(user_and_password_go_as_basic_authentication),
      TEST(a_server_may_have_a_path_of_its_own),
      TEST(a_tls_server_name_changes_the_name_and_not_the_address),
      TEST(an_address_that_is_none_is_refused_early),
      cmocka_unit_test(each_failure_is_a_sentence),
  };
  return cmocka_run_group_tests(tests, clean_environment, forget_seen);
}
