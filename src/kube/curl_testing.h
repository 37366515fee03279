/* SPDX-License-Identifier: Apache-2.0 */
/* For the transport's tests: a transport in front of the small HTTP server, and what a call told. */
#pragma once

#include "kube/curl_transport.h"

#include "base/memory.h"
#include "kube/http_server_testing.h"

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

static inline int set_up(void **state) {
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

static inline int tear_down(void **state) {
  Stage *stage = *state;
  kube_curl_free(stage->curl);
  uv_run(&stage->loop, UV_RUN_DEFAULT);
  int r = uv_loop_close(&stage->loop); /* a handle left open makes it fail */
  MHD_stop_daemon(stage->server);
  cleanup_close(&stage->silent_fd);
  free(stage);
  return r;
}

static inline void use_config(Stage *stage) {
  Error err = {0};
  kube_curl_free(stage->curl);
  stage->curl = NULL;
  assert_ok(kube_curl_new(&stage->loop, &stage->config, &stage->curl, &err));
}

static inline void on_head(void *userdata, int status, const char *content_type, int retry_after_s) {
  Heard *heard = userdata;
  assert_int_equal(heard->heads + heard->dones, 0);
  heard->heads++;
  heard->status = status;
  heard->retry_after_s = retry_after_s;
  snprintf(heard->content_type, sizeof heard->content_type, "%s", string_or_empty(content_type));
}

static inline void on_body(void *userdata, const void *bytes, size_t size) {
  Heard *heard = userdata;
  assert_int_equal(heard->heads, 1);
  assert_int_equal(heard->dones, 0);
  heard->size += size;
  if (heard->body.size < 4096)
    text_append_bytes(&heard->body, bytes, size);
  if (heard->during_body)
    heard->during_body(heard);
}

static inline void on_done(void *userdata, const Error *err) {
  Heard *heard = userdata;
  assert_int_equal(heard->dones, 0);
  heard->dones++;
  heard->err = err ? *err : (Error){0};
  if (heard->at_done)
    heard->at_done(heard);
}

static inline void cleanup_heard(Heard *heard) {
  text_deinit(&heard->body);
}

static inline void start_request(Stage *stage, Heard *heard, KubeRequest request) {
  request.on_head = on_head;
  request.on_body = on_body;
  request.on_done = on_done;
  request.userdata = heard;
  heard->curl = &stage->curl;
  heard->call = kube_transport_start(kube_curl_seam(stage->curl), &request);
  assert_int_equal(heard->heads + heard->dones, 0); /* never from inside */
}

static inline void start_get(Stage *stage, Heard *heard, const char *path, uint32_t timeout_ms) {
  start_request(stage, heard, (KubeRequest){.method = "GET", .path = path, .timeout_ms = timeout_ms});
}

static inline void run(Stage *stage) {
  uv_run(&stage->loop, UV_RUN_DEFAULT);
}

static inline void run_until(Stage *stage, const size_t *size, size_t wanted) {
  while (*size < wanted)
    assert_true(uv_run(&stage->loop, UV_RUN_ONCE));
}

static inline int clean_environment(void **state) {
  static const char *const names[] = {"http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"};
  for (size_t i = 0; i < COUNT_OF(names); i++)
    setenv(names[i], "http://127.0.0.1:1", 1); /* loopback must not go through it */
  return 0;
}

static inline int forget_seen(void **state) {
  text_deinit(&seen);
  return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
