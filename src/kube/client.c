/* SPDX-License-Identifier: Apache-2.0 */
/* Each call collects its answer and is gone before its callback runs, so that the callback may do anything:
 * call again, or free the client. */
#include "kube/client.h"

#include "base/array.h"
#include "base/memory.h"
#include "base/text.h"
#include "kube/refusal.h"

#include <assert.h>

/* The transport keeps the time of a call; this much later we stop believing in the transport. */
enum { TRANSPORT_GRACE_MS = 1000 };

typedef struct ClientCall {
  KubeClient *client;
  KubeCall *call;  /* NULL before it is started */
  bool is_waiting; /* for its turn */
  bool is_urgent, is_patient;
  uint64_t patient_until_ms; /* lets others go first until then */
  bool is_refused;           /* there were too many */
  HostTimer timer;
  char *method, *path, *content_type;
  char *request_body; /* until it is started */
  size_t request_size;
  KubeOnAnswer *on_answer;
  void *userdata;
  int status;
  KubeFormat format;
  int retry_after_s;
  uint32_t timeout_ms;
  Text body;
} ClientCall;

struct KubeClient {
  Host *host;
  KubeTransport *transport;
  ARRAY(ClientCall *) calls; /* in the order in which they were made */
  HostTimer turn_timer;      /* when the next waiting call may go */
  uint64_t full_ms;          /* when the whole burst is to be had again */
  uint64_t paused_until_ms;
};

enum {
  CALL_MS = 1000 / KUBE_CALLS_PER_S, /* by so much later each call makes it */
  BURST_MS = KUBE_CALLS_BURST * CALL_MS,
};

/* Touches neither the client nor the host: an answer's callback may have freed them. */
static void call_free(ClientCall *call) {
  text_deinit(&call->body);
  free(call->method);
  free(call->path);
  free(call->content_type);
  free(call->request_body);
  free(call);
}

static void forget(ClientCall *call) {
  KubeClient *client = call->client;
  for (size_t i = 0; i < client->calls.count; i++) {
    if (client->calls.items[i] != call)
      continue;
    array_remove(&client->calls, i);
    return;
  }
  assert(!"a call that its client does not know");
}

/* The server is busy: whatever asks, asks later. */
static void note_busy(KubeClient *client, int status, int retry_after_s) {
  bool is_busy = status == 429 || (status == 503 && retry_after_s > 0);
  if (!is_busy)
    return;
  int pause_s = retry_after_s > 0 ? retry_after_s : KUBE_PAUSE_DEFAULT_S;
  if (pause_s > KUBE_PAUSE_MAX_S)
    pause_s = KUBE_PAUSE_MAX_S;
  uint64_t until_ms = client->host->now_ms + (uint64_t)pause_s * 1000;
  if (until_ms > client->paused_until_ms)
    client->paused_until_ms = until_ms;
}

/* When the next call may go. */
static uint64_t next_turn_ms(const KubeClient *client) {
  uint64_t at_ms = client->full_ms + CALL_MS > BURST_MS ? client->full_ms + CALL_MS - BURST_MS : 0;
  return at_ms > client->paused_until_ms ? at_ms : client->paused_until_ms;
}

/* The waiting call that goes next, and when; NULL: none waits. */
static ClientCall *find_next(const KubeClient *client, uint64_t *ret_at_ms) {
  ClientCall *next = NULL;
  bool is_other_in_flight = false;
  for (size_t i = 0; i < client->calls.count; i++) {
    ClientCall *call = client->calls.items[i];
    if (call->is_waiting && (!next || (next->is_patient && !call->is_patient)))
      next = call;
    is_other_in_flight |= call->call && !call->is_patient && !call->is_urgent;
  }
  *ret_at_ms = next_turn_ms(client);
  if (next && next->is_patient && is_other_in_flight && next->patient_until_ms > *ret_at_ms)
    *ret_at_ms = next->patient_until_ms;
  return next;
}

/* The callback of the timer starts what may go by then. */
static void set_turn(KubeClient *client) {
  uint64_t now_ms = client->host->now_ms, at_ms;
  if (find_next(client, &at_ms))
    timer_set(client->host, &client->turn_timer, at_ms > now_ms ? at_ms - now_ms : 0);
}

/* Ends the call: out of the list first, then the callback, then its memory. */
static void answer(ClientCall *call, const Error *err) {
  KubeAnswer result = {.method = call->method, .path = call->path, .err = err};
  timer_cancel(call->client->host, &call->timer);
  forget(call);
  set_turn(call->client); /* who waited for this one may go */
  if (!err) {
    result.status = call->status;
    result.format = call->format;
    result.body = text_string(&call->body);
    result.body_size = call->body.size;
  }
  if (!err && call->status >= 300) {
    kube_status_decode(call->format, result.body, result.body_size, &result.failure);
    if (call->retry_after_s >= 0)
      result.failure.retry_after_s = call->retry_after_s;
    note_busy(call->client, call->status, result.failure.retry_after_s);
  }
  call->on_answer(call->userdata, &result);
  call_free(call);
}

static void on_head(void *userdata, int status, const char *content_type, int retry_after_s) {
  ClientCall *call = userdata;
  call->status = status;
  call->format = kube_format_of(content_type);
  call->retry_after_s = retry_after_s;
}

static void on_body(void *userdata, const void *bytes, size_t size) {
  ClientCall *call = userdata;
  if (size <= KUBE_ANSWER_SIZE_MAX - call->body.size) {
    text_append_bytes(&call->body, bytes, size);
    return;
  }
  Error err = {0};
  error_set(&err, ERROR_LIMIT, "the API server's answer to %s %s is larger than %d MiB", call->method,
            call->path, KUBE_ANSWER_SIZE_MAX >> 20);
  kube_transport_cancel(call->client->transport, call->call);
  answer(call, &err);
}

static void on_done(void *userdata, const Error *err) {
  answer(userdata, err);
}

static void on_timeout(void *userdata) {
  ClientCall *call = userdata;
  Error err = {0};
  error_set(&err, ERROR_TIMEOUT, "the API server did not answer %s %s within %u s", call->method, call->path,
            call->timeout_ms / 1000);
  kube_transport_cancel(call->client->transport, call->call);
  answer(call, &err);
}

static void on_too_many(void *userdata) {
  ClientCall *call = userdata;
  Error err = {0};
  error_set(&err, ERROR_LIMIT, "%s %s was not sent: %d calls to the API server wait or are in flight already",
            call->method, call->path, KUBE_CALLS_MAX);
  answer(call, &err);
}

static void start(ClientCall *call) {
  KubeClient *client = call->client;
  uint64_t now_ms = client->host->now_ms;
  client->full_ms = (client->full_ms > now_ms ? client->full_ms : now_ms) + CALL_MS;
  call->is_waiting = false;
  timer_set(client->host, &call->timer, call->timeout_ms + TRANSPORT_GRACE_MS);
  KubeRequest request = {
      .method = call->method,
      .path = call->path,
      .content_type = call->content_type,
      .body = call->request_body,
      .body_size = call->request_size,
      .timeout_ms = call->timeout_ms,
      .on_head = on_head,
      .on_body = on_body,
      .on_done = on_done,
      .userdata = call,
  };
  call->call = kube_transport_start(client->transport, &request);
  free(TAKE(call->request_body));
}

static void start_waiting(KubeClient *client) {
  uint64_t at_ms;
  for (ClientCall *call; (call = find_next(client, &at_ms)) && at_ms <= client->host->now_ms;)
    start(call);
  set_turn(client);
}

static void on_turn(void *userdata) {
  start_waiting(userdata);
}

KubeClient *kube_client_new(Host *host, KubeTransport *transport) {
  assert(host && transport);
  KubeClient *client = mem_alloc(sizeof *client);
  client->host = host;
  client->transport = transport;
  client->turn_timer = (HostTimer){.fire = on_turn, .userdata = client};
  return client;
}

void kube_client_free(KubeClient *client) {
  if (!client)
    return;
  timer_cancel(client->host, &client->turn_timer);
  for (size_t i = 0; i < client->calls.count; i++) {
    if (client->calls.items[i]->call)
      kube_transport_cancel(client->transport, client->calls.items[i]->call);
    timer_cancel(client->host, &client->calls.items[i]->timer);
    call_free(client->calls.items[i]);
  }
  array_deinit(&client->calls);
  free(client);
}

static size_t count_calls(const KubeClient *client) {
  size_t count = 0;
  for (size_t i = 0; i < client->calls.count; i++)
    count += !client->calls.items[i]->is_refused;
  return count;
}

static ClientCall *add_call(KubeClient *client, const KubeCallOptions *options) {
  ClientCall *call = mem_alloc(sizeof *call);
  *array_push(&client->calls) = call;
  call->client = client;
  call->method = mem_strdup(options->method);
  call->path = mem_strdup(options->path);
  call->content_type = mem_strdup(options->content_type);
  call->request_body = options->body ? mem_strndup(options->body, options->body_size) : NULL;
  call->request_size = options->body_size;
  call->on_answer = options->on_answer;
  call->userdata = options->userdata;
  call->timeout_ms = options->timeout_ms ? options->timeout_ms : KUBE_CALL_TIMEOUT_MS;
  return call;
}

void kube_client_call(KubeClient *client, const KubeCallOptions *options) {
  assert(options->method && options->path && options->on_answer);
  bool is_refused = count_calls(client) >= KUBE_CALLS_MAX && !options->is_urgent;
  ClientCall *call = add_call(client, options);
  call->is_refused = is_refused;
  call->timer = (HostTimer){.fire = is_refused ? on_too_many : on_timeout, .userdata = call};
  if (is_refused) {
    timer_set(client->host, &call->timer, 0);
    return;
  }
  if (options->is_urgent) {
    call->is_urgent = true;
    start(call);
    return;
  }
  call->is_patient = options->is_patient;
  call->patient_until_ms = client->host->now_ms + KUBE_PATIENCE_MS;
  call->is_waiting = true;
  start_waiting(client);
}

bool kube_answer_is_ok(const KubeAnswer *answer, Error *err) {
  if (answer->err) {
    *err = *answer->err;
    return false;
  }
  if (answer->status >= 200 && answer->status < 300)
    return true;
  kube_refusal_set(answer->method, answer->path, answer->status, &answer->failure, err);
  return false;
}
