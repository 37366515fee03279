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
  KubeCall *call; /* NULL where it was never started */
  HostTimer timer;
  char *method, *path;
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
  ARRAY(ClientCall *) calls;
};

/* Touches neither the client nor the host: an answer's callback may have freed them. */
static void call_free(ClientCall *call) {
  text_deinit(&call->body);
  free(call->method);
  free(call->path);
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

/* Ends the call: out of the list first, then the callback, then its memory. */
static void answer(ClientCall *call, const Error *err) {
  KubeAnswer result = {.method = call->method, .path = call->path, .err = err};
  timer_cancel(call->client->host, &call->timer);
  forget(call);
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
  error_set(&err, ERROR_LIMIT, "%s %s was not sent: %d calls to the API server are in flight already",
            call->method, call->path, KUBE_CALLS_MAX);
  answer(call, &err);
}

KubeClient *kube_client_new(Host *host, KubeTransport *transport) {
  assert(host && transport);
  KubeClient *client = mem_alloc(sizeof *client);
  client->host = host;
  client->transport = transport;
  return client;
}

void kube_client_free(KubeClient *client) {
  if (!client)
    return;
  for (size_t i = 0; i < client->calls.count; i++) {
    if (client->calls.items[i]->call)
      kube_transport_cancel(client->transport, client->calls.items[i]->call);
    timer_cancel(client->host, &client->calls.items[i]->timer);
    call_free(client->calls.items[i]);
  }
  array_deinit(&client->calls);
  free(client);
}

static size_t count_in_flight(const KubeClient *client) {
  size_t count = 0;
  for (size_t i = 0; i < client->calls.count; i++)
    count += client->calls.items[i]->call != NULL;
  return count;
}

void kube_client_call(KubeClient *client, const KubeCallOptions *options) {
  assert(options->method && options->path && options->on_answer);
  bool has_room = count_in_flight(client) < KUBE_CALLS_MAX;
  ClientCall *call = mem_alloc(sizeof *call);
  *array_push(&client->calls) = call;
  call->client = client;
  call->method = mem_strdup(options->method);
  call->path = mem_strdup(options->path);
  call->on_answer = options->on_answer;
  call->userdata = options->userdata;
  call->timer = (HostTimer){.fire = has_room ? on_timeout : on_too_many, .userdata = call};
  call->timeout_ms = options->timeout_ms ? options->timeout_ms : KUBE_CALL_TIMEOUT_MS;
  timer_set(client->host, &call->timer, has_room ? call->timeout_ms + TRANSPORT_GRACE_MS : 0);
  if (!has_room)
    return;
  KubeRequest request = {
      .method = options->method,
      .path = options->path,
      .content_type = options->content_type,
      .body = options->body,
      .body_size = options->body_size,
      .timeout_ms = call->timeout_ms,
      .on_head = on_head,
      .on_body = on_body,
      .on_done = on_done,
      .userdata = call,
  };
  call->call = kube_transport_start(client->transport, &request);
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
