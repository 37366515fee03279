/* SPDX-License-Identifier: Apache-2.0 */
/* A client on a played transport, and what its answers were. For tests. */
#pragma once

#include "base/test.h"
#include "base/text.h"
#include "kube/client.h"
#include "kube/fake_transport.h"

/* What the last callback said, copied. */

typedef struct Heard {
  KubeClient *client;
  int count;
  int status;
  size_t body_size;
  char body[256];
  KubeStatus failure;
  bool is_ok;
  Error err;
  enum { DO_NOTHING, DO_CALL_AGAIN, DO_FREE } then;
} Heard;

typedef struct Stage {
  Host host;
  FakeTransport fake;
  KubeClient *client;
  Heard heard;
} Stage;

static inline KubeCallOptions options_of(Heard *heard);

static inline void on_answer(void *userdata, const KubeAnswer *answer) {
  Heard *heard = userdata;
  heard->count++;
  heard->status = answer->status;
  heard->body_size = answer->body_size;
  snprintf(heard->body, sizeof heard->body, "%s", answer->body ? (const char *)answer->body : "");
  heard->failure = answer->failure;
  heard->is_ok = kube_answer_is_ok(answer, &heard->err);
  if (heard->then == DO_FREE)
    kube_client_free(TAKE(heard->client));
  if (heard->then == DO_CALL_AGAIN) {
    KubeCallOptions options = options_of(heard);
    heard->then = DO_NOTHING;
    kube_client_call(heard->client, &options);
  }
}

static inline KubeCallOptions options_of(Heard *heard) {
  return (KubeCallOptions){
      .method = "PATCH",
      .path = "/api/v1/nodes/n1/status",
      .content_type = KUBE_MERGE_PATCH,
      .body = "{}",
      .body_size = 2,
      .on_answer = on_answer,
      .userdata = heard,
  };
}

static inline int set_up(void **state) {
  Stage *stage = mem_alloc(sizeof *stage);
  host_init(&stage->host, 1);
  fake_init(&stage->fake);
  stage->client = kube_client_new(&stage->host, &stage->fake.seam);
  stage->heard.client = stage->client;
  *state = stage;
  return 0;
}

static inline int tear_down(void **state) {
  Stage *stage = *state;
  kube_client_free(stage->heard.client);
  fake_deinit(&stage->fake);
  host_deinit(&stage->host);
  free(stage);
  return 0;
}

static inline KubeCall *call(Stage *stage) {
  KubeCallOptions options = options_of(&stage->heard);
  kube_client_call(stage->client, &options);
  return fake_open_call(&stage->fake);
}

static inline void advance(Stage *stage, uint64_t ms) {
  host_advance(&stage->host, stage->host.now_ms + ms, 0);
  host_run_timers(&stage->host);
}
