/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's multi interface on a libuv loop: libcurl says which sockets and which timer it waits for, the
 * loop says when they are ready, and each such turn ends with the finished calls being answered.
 *
 *     loop: socket ready, timer -> turn(): curl_multi_socket_action() --> on_head, on_body
 *                                          finished calls             --> on_done
 *                                          drop calls that are over, add those that were started meanwhile
 *
 * libcurl must not be re-entered from its callbacks. While a turn runs, start and cancel therefore only mark
 * the call; the end of the turn makes it so. */
#include "kube/curl_transport.h"

#include "base/array.h"
#include "base/log_gate.h"
#include "base/memory.h"
#include "base/text.h"
#include "kube/curl_error.h"
#include "kube/curl_request.h"
#include "kube/exec_run.h"

#include <assert.h>
#include <string.h>
#include <time.h>

enum {
  CONNECTIONS_MAX = 4, /* HTTP/2 needs one for each hundred calls at a time; HTTP/1.1 one for each */
  CROWD = 32,          /* calls at a time that leave memory behind worth giving back */
};

struct KubeCall {
  KubeCurl *curl;
  CURL *easy;
  struct curl_slist *headers;
  KubeRequest request;      /* its texts are our copies; body is not kept */
  uint64_t arrivals_before; /* of the transport, when the call started */
  uint64_t arrivals_last;   /* ... and when something came for it */
  bool is_added;            /* libcurl has it */
  bool has_head;            /* on_head was called */
  bool is_over;             /* answered or cancelled: no callback any more */
  char detail[CURL_ERROR_SIZE];
};

struct KubeCurl {
  KubeTransport seam;
  uv_loop_t *loop;
  uv_timer_t timer;
  CURLM *multi;
  KubeCurlTarget target;
  KubeExecRun *exec;                /* the plugin is being asked; NULL */
  KubeOnExecFailed *on_exec_failed; /* NULL: nobody listens */
  void *exec_userdata;
  LogGate exec_gate;
  ARRAY(KubeCall *) calls;
  size_t crowd;      /* the most calls at a time since memory was given back */
  uint64_t arrivals; /* pieces that came from the server, of any call */
  bool in_turn;
  bool is_silent; /* the connection swallows requests: start afresh after this turn */
  bool is_freed;
};

/* A socket that libcurl waits for. */
typedef struct Watch {
  uv_poll_t poll;
  KubeCurl *curl;
  curl_socket_t fd;
} Watch;

static void turn(KubeCurl *curl, curl_socket_t fd, int ready);

static void on_watch_closed(uv_handle_t *handle) {
  free(handle->data);
}

static void on_socket_ready(uv_poll_t *poll, int status, int events) {
  Watch *watch = poll->data;
  int ready = (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
  /* Of a broken socket libcurl learns more by using it than by being told. */
  turn(watch->curl, watch->fd, status < 0 ? CURL_CSELECT_IN | CURL_CSELECT_OUT : ready);
}

static Watch *add_watch(KubeCurl *curl, curl_socket_t fd) {
  Watch *watch = mem_alloc(sizeof *watch);
  watch->curl = curl;
  watch->fd = fd;
  int r = uv_poll_init_socket(curl->loop, &watch->poll, fd);
  assert(r == 0); /* fails only for a file descriptor that is no socket */
  watch->poll.data = watch;
  curl_multi_assign(curl->multi, fd, watch);
  return watch;
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socket_data) {
  KubeCurl *curl = userdata;
  Watch *watch = socket_data;
  if (what == CURL_POLL_REMOVE) {
    curl_multi_assign(curl->multi, fd, NULL);
    if (watch)
      uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
    return 0;
  }
  if (!watch)
    watch = add_watch(curl, fd);
  int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
  uv_poll_start(&watch->poll, events, on_socket_ready);
  return 0;
}

static void on_timer(uv_timer_t *timer) {
  turn(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *userdata) {
  KubeCurl *curl = userdata;
  if (timeout_ms < 0)
    uv_timer_stop(&curl->timer);
  else
    uv_timer_start(&curl->timer, on_timer, (uint64_t)timeout_ms, 0);
  return 0;
}

static CURLM *make_multi(KubeCurl *curl) {
  CURLM *multi = curl_multi_init();
  if (!multi)
    mem_fail();
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, curl);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, curl);
  curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
  curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)CONNECTIONS_MAX);
  return multi;
}

static void report_head(KubeCall *call) {
  long status = 0;
  const char *content_type = NULL;
  curl_off_t retry_after_s = 0; /* libcurl says 0 where the header is absent */
  curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &content_type);
  curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
  if (status < 200)
    return; /* 100 Continue and the like: the real one follows */
  if (status == 401)
    call->curl->target.is_refused = true;
  call->has_head = true;
  if (retry_after_s > INT32_MAX)
    retry_after_s = INT32_MAX;
  call->request.on_head(call->request.userdata, (int)status, content_type,
                        retry_after_s > 0 ? (int)retry_after_s : -1);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is libcurl's */
static size_t on_curl_header(char *line, size_t size, size_t count, void *userdata) {
  KubeCall *call = userdata;
  call->arrivals_last = ++call->curl->arrivals;
  bool is_end = count > 0 && (line[0] == '\r' || line[0] == '\n');
  if (is_end && !call->has_head && !call->is_over)
    report_head(call);
  return size * count;
}

static size_t on_curl_body(char *bytes, size_t size, size_t count, void *userdata) {
  KubeCall *call = userdata;
  call->arrivals_last = ++call->curl->arrivals;
  if (!call->is_over)
    call->request.on_body(call->request.userdata, bytes, size * count);
  return call->is_over ? 0 : size * count; /* fewer bytes taken than given: libcurl ends the transfer */
}

/* False while the connection was still being made. */
static bool was_sent(const KubeCall *call) {
  curl_off_t sending_us = 0;
  curl_easy_getinfo(call->easy, CURLINFO_PRETRANSFER_TIME_T, &sending_us);
  return sending_us > 0;
}

static void set_failure(KubeCall *call, CURLcode code, Error *err) {
  KubeCurlFailure failure = {
      .code = code,
      .detail = call->detail,
      .server = call->curl->target.config.server,
      .source = call->curl->target.config.source,
      .method = call->request.method,
      .path = call->request.path,
      .timeout_ms = call->request.timeout_ms,
      .connected = was_sent(call),
  };
  long errno_value = 0;
  curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &errno_value);
  curl_easy_getinfo(call->easy, CURLINFO_SSL_VERIFYRESULT, &failure.verify_result);
  failure.errno_value = code == CURLE_COULDNT_CONNECT ? (int)errno_value : 0;
  kube_curl_error_set(&failure, err);
}

static void answer(KubeCall *call, CURLcode code) {
  Error err = {0};
  if (call->is_over)
    return;
  call->is_over = true;
  if (code != CURLE_OK)
    set_failure(call, code, &err);
  call->request.on_done(call->request.userdata, code == CURLE_OK ? NULL : &err);
}

/* A request that timed out while nothing at all came from the server condemns the connection: TCP may be well
 * while what is behind it is gone, and all calls share it. They fail together and the next begin afresh. */
static bool is_connection_silent(const KubeCall *call, CURLcode code) {
  return code == CURLE_OPERATION_TIMEDOUT && was_sent(call) && call->curl->arrivals == call->arrivals_before;
}

static void answer_silent(KubeCurl *curl) {
  for (size_t i = 0; i < curl->calls.count; i++) {
    KubeCall *call = curl->calls.items[i];
    if (!call->is_added) /* a callback started it just now */
      continue;
    snprintf(call->detail, sizeof call->detail, "the server went silent");
    answer(call, CURLE_GOT_NOTHING);
  }
}

static void answer_finished(KubeCurl *curl) {
  CURLMsg *message = NULL;
  int left = 0;
  while ((message = curl_multi_info_read(curl->multi, &left))) {
    KubeCall *call = NULL;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
    if (!call->is_over && is_connection_silent(call, message->data.result))
      curl->is_silent = true;
    answer(call, message->data.result);
  }
  if (curl->is_silent)
    answer_silent(curl);
}

static void call_free(KubeCall *call) {
  if (call->is_added)
    curl_multi_remove_handle(call->curl->multi, call->easy);
  curl_easy_cleanup(call->easy);
  curl_slist_free_all(call->headers);
  free((char *)call->request.method);
  free((char *)call->request.path);
  free(call);
}

/* A call takes some 50 KB while it is in flight, which lies between what stays: what is kept of the pods and
 * nodes that the calls were about. */
static void disperse(KubeCurl *curl) {
  curl->crowd = curl->calls.count;
  mem_give_back();
}

static void drop_calls_over(KubeCurl *curl) {
  size_t kept = 0;
  for (size_t i = 0; i < curl->calls.count; i++) {
    KubeCall *call = curl->calls.items[i];
    if (call->is_over)
      call_free(call);
    else
      curl->calls.items[kept++] = call;
  }
  curl->calls.count = kept;
  if (curl->crowd >= CROWD && kept <= curl->crowd / 8)
    disperse(curl);
}

static void add_call(KubeCall *call) {
  CURLMcode code = curl_multi_add_handle(call->curl->multi, call->easy);
  assert(code == CURLM_OK);
  call->is_added = true;
}

static void on_timer_closed(uv_handle_t *handle) {
  free(handle->data);
  curl_global_cleanup();
}

static void destroy(KubeCurl *curl) {
  drop_calls_over(curl);
  assert(curl->calls.count == 0);
  curl_multi_cleanup(curl->multi);
  array_deinit(&curl->calls);
  kube_curl_target_deinit(&curl->target);
  uv_close((uv_handle_t *)&curl->timer, on_timer_closed);
}

static void start_afresh(KubeCurl *curl) {
  curl->is_silent = false;
  curl_multi_cleanup(curl->multi);
  uv_timer_stop(&curl->timer);
  curl->multi = make_multi(curl);
}

static void turn(KubeCurl *curl, curl_socket_t fd, int ready) {
  assert(!curl->in_turn);
  int running = 0;
  curl->in_turn = true;
  curl_multi_socket_action(curl->multi, fd, ready, &running);
  answer_finished(curl);
  curl->in_turn = false;
  if (curl->is_freed) {
    destroy(curl);
    return;
  }
  drop_calls_over(curl);
  if (curl->is_silent)
    start_afresh(curl);
  for (size_t i = 0; i < curl->calls.count; i++)
    if (!curl->calls.items[i]->is_added)
      add_call(curl->calls.items[i]);
}

/* Where it gives none, what there is, is used: the server tells what it thinks of it. */
static void on_exec(void *userdata, const KubeExecCredential *credential, const Error *err) {
  KubeCurl *curl = userdata;
  uint32_t held_back;
  curl->exec = NULL;
  if (credential)
    kube_curl_target_take(&curl->target, credential, uv_now(curl->loop));
  else if (curl->on_exec_failed && log_gate_pass(&curl->exec_gate, err->text, uv_now(curl->loop), &held_back))
    curl->on_exec_failed(curl->exec_userdata, err, held_back);
}

static KubeCall *start(KubeTransport *transport, const KubeRequest *request) {
  KubeCurl *curl = (KubeCurl *)transport;
  assert(!curl->is_freed && request->on_head && request->on_body && request->on_done);
  KubeCall *call = mem_alloc(sizeof *call);
  *array_push(&curl->calls) = call;
  curl->crowd = curl->calls.count > curl->crowd ? curl->calls.count : curl->crowd;
  call->curl = curl;
  call->request = *request;
  call->request.method = mem_strdup(request->method);
  call->request.path = mem_strdup(request->path);
  call->request.body = NULL;
  call->arrivals_before = call->arrivals_last = curl->arrivals;
  if (!curl->exec && kube_curl_target_asks_exec(&curl->target, uv_now(curl->loop), time(NULL)))
    curl->exec = kube_exec_run_start(curl->loop, &curl->target.config, on_exec, curl);
  call->easy = kube_curl_request_new(&curl->target, request, uv_now(curl->loop), &call->headers);
  curl_easy_setopt(call->easy, CURLOPT_PRIVATE, call);
  curl_easy_setopt(call->easy, CURLOPT_ERRORBUFFER, call->detail);
  curl_easy_setopt(call->easy, CURLOPT_HEADERFUNCTION, on_curl_header);
  curl_easy_setopt(call->easy, CURLOPT_HEADERDATA, call);
  curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, on_curl_body);
  curl_easy_setopt(call->easy, CURLOPT_WRITEDATA, call);
  if (!curl->in_turn)
    add_call(call);
  return call;
}

static void cancel(KubeTransport *transport, KubeCall *call) {
  KubeCurl *curl = (KubeCurl *)transport;
  assert(call->curl == curl && !call->is_over);
  call->is_over = true;
  if (!curl->in_turn)
    drop_calls_over(curl);
}

/* The other calls are told in a turn of their own. */
static void cancel_silent(KubeTransport *transport, KubeCall *call) {
  KubeCurl *curl = (KubeCurl *)transport;
  bool is_silent = curl->arrivals == call->arrivals_last;
  cancel(transport, call);
  if (!is_silent)
    return;
  curl->is_silent = true;
  if (!curl->in_turn)
    uv_timer_start(&curl->timer, on_timer, 0, 0);
}

int kube_curl_new(uv_loop_t *loop, const KubeConfig *config, KubeCurl **ret_curl, Error *err) {
  assert(loop && config && config->server && config->source);
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    mem_fail();
  KubeCurlTarget target = {0};
  int r = kube_curl_target_init(&target, config, uv_now(loop), err);
  if (r < 0) {
    curl_global_cleanup();
    return r;
  }
  KubeCurl *curl = mem_alloc(sizeof *curl);
  curl->seam = (KubeTransport){
      .streams_lists = true, .start = start, .cancel = cancel, .cancel_silent = cancel_silent};
  curl->loop = loop;
  curl->target = target;
  uv_timer_init(loop, &curl->timer);
  curl->timer.data = curl;
  curl->multi = make_multi(curl);
  *ret_curl = curl;
  return 0;
}

void kube_curl_free(KubeCurl *curl) {
  if (!curl || curl->is_freed)
    return;
  curl->is_freed = true;
  kube_exec_run_cancel(TAKE(curl->exec));
  for (size_t i = 0; i < curl->calls.count; i++)
    curl->calls.items[i]->is_over = true;
  if (!curl->in_turn)
    destroy(curl);
}

void kube_curl_hear_exec(KubeCurl *curl, KubeOnExecFailed *on_failed, void *userdata) {
  curl->on_exec_failed = on_failed;
  curl->exec_userdata = userdata;
}

KubeTransport *kube_curl_seam(KubeCurl *curl) {
  return &curl->seam;
}
