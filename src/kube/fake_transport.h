/* SPDX-License-Identifier: Apache-2.0 */
/* An API server played by the test: records each request and lets the test answer it in pieces. Tests only.
 */
#pragma once

#include "base/array.h"
#include "base/test.h"
#include "kube/transport.h"

struct KubeCall {
  KubeRequest request; /* texts and body are copies */
  bool is_over;        /* answered or cancelled */
  bool was_cancelled;
  bool was_silent; /* cancelled because of that */
};

typedef struct FakeTransport {
  KubeTransport seam;
  ARRAY(KubeCall *) calls; /* all that were ever started */
} FakeTransport;

static inline KubeCall *fake_start(KubeTransport *transport, const KubeRequest *request) {
  FakeTransport *fake = (FakeTransport *)transport;
  KubeCall *call = mem_alloc(sizeof *call);
  call->request = *request;
  call->request.method = mem_strdup(request->method);
  call->request.path = mem_strdup(request->path);
  call->request.content_type = mem_strdup(request->content_type);
  call->request.body = request->body ? mem_strndup(request->body, request->body_size) : NULL;
  *array_push(&fake->calls) = call;
  return call;
}

static inline void fake_cancel(KubeTransport *transport, KubeCall *call) {
  assert_false(call->is_over);
  call->is_over = call->was_cancelled = true;
}

static inline void fake_cancel_silent(KubeTransport *transport, KubeCall *call) {
  fake_cancel(transport, call);
  call->was_silent = true;
}

static inline void fake_init(FakeTransport *fake) {
  *fake = (FakeTransport){
      .seam = {.start = fake_start, .cancel = fake_cancel, .cancel_silent = fake_cancel_silent}};
}

static inline void fake_deinit(FakeTransport *fake) {
  for (size_t i = 0; i < fake->calls.count; i++) {
    free((char *)fake->calls.items[i]->request.method);
    free((char *)fake->calls.items[i]->request.path);
    free((char *)fake->calls.items[i]->request.content_type);
    free((char *)fake->calls.items[i]->request.body);
    free(fake->calls.items[i]);
  }
  array_deinit(&fake->calls);
}

/* The newest call, which must still be open. */
static inline KubeCall *fake_open_call(FakeTransport *fake) {
  assert_true(fake->calls.count > 0);
  KubeCall *call = fake->calls.items[fake->calls.count - 1];
  assert_false(call->is_over);
  return call;
}

static inline void fake_head(KubeCall *call, int status, int retry_after_s) {
  call->request.on_head(call->request.userdata, status, "application/json", retry_after_s);
}

static inline void fake_body(KubeCall *call, const char *text) {
  call->request.on_body(call->request.userdata, text, strlen(text));
}

static inline void fake_done(KubeCall *call, const Error *err) {
  call->is_over = true;
  call->request.on_done(call->request.userdata, err);
}

static inline void fake_break(KubeCall *call) {
  Error err = {0};
  error_set(&err, ERROR_UNAVAILABLE, "the connection broke");
  fake_done(call, &err);
}

static inline void fake_answer(KubeCall *call, int status, const char *body) {
  fake_head(call, status, -1);
  fake_body(call, body);
  if (!call->is_over)
    fake_done(call, NULL);
}
