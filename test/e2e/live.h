/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of kube_live: checks in TAP, a loop with a deadline, a relay before the API server, calls and
 * informers whose answers are kept. */
#pragma once

#include "base/host.h"
#include "base/memory.h"
#include "base/text.h"
#include "kube/client.h"
#include "kube/config.h"
#include "kube/curl_transport.h"
#include "kube/informer.h"
#include "tcp_relay.h"

#include <stdarg.h>
#include <string.h>

enum {
  DEADLINE_MS = 30000,
  TICK_MS = 5,
};

/* What one informer told. */
typedef struct Watched {
  KubeInformer *informer;
  int added, changed, removed, synced;
  Error trouble;
} Watched;

typedef struct Live {
  uv_loop_t loop;
  uv_timer_t tick;
  Host host;
  KubeConfig config; /* of the user, pointed at the relay */
  TcpRelay *relay;
  KubeCurl *curl;
  KubeClient *client;
  Watched pods, nodes;
} Live;

/* A collected answer. */
typedef struct Reply {
  bool is_here, is_ok;
  int status;
  Error err;
  Text body;
} Reply;

static int checks, failures;

static inline void PRINTF_LIKE(2, 3) check(bool passed, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  printf("%s %d - ", passed ? "ok" : "not ok", ++checks);
  vprintf(format, arguments);
  printf("\n");
  fflush(stdout);
  va_end(arguments);
  failures += !passed;
}

static inline void check_text(const char *name, const char *text, const char *expected) {
  check(strcmp(text, expected) == 0, "%s", name);
  if (strcmp(text, expected) != 0)
    printf("# got:      %s\n# expected: %s\n", text, expected);
}

static inline _Noreturn void bail_out(const Error *err) {
  printf("Bail out! %s\n", err->text);
  exit(1);
}

static inline void on_tick(uv_timer_t *timer) {
}

static inline void turn(Live *live) {
  uv_run(&live->loop, UV_RUN_ONCE);
  host_advance(&live->host, uv_now(&live->loop), 0);
  host_run_timers(&live->host);
}

/* Runs the loop until the condition holds; false after the deadline. */
static inline bool run_until(Live *live, bool (*is_done)(Live *live, const void *what), const void *what) {
  uint64_t deadline_ms = live->host.now_ms + DEADLINE_MS;
  while (!is_done(live, what) && live->host.now_ms < deadline_ms)
    turn(live);
  return is_done(live, what);
}

static inline void on_answer(void *userdata, const KubeAnswer *answer) {
  Reply *reply = userdata;
  reply->is_here = true;
  reply->status = answer->status;
  reply->is_ok = kube_answer_is_ok(answer, &reply->err);
  text_append_bytes(&reply->body, answer->body, answer->body_size);
}

static inline bool is_reply_here(Live *live, const void *what) {
  const Reply *reply = what;
  return reply->is_here;
}

static inline void send_call(KubeClient *client, Reply *reply, const char *method, const char *path,
                             const char *type, const char *body) {
  KubeCallOptions options = {.method = method,
                             .path = path,
                             .content_type = type,
                             .body = body,
                             .body_size = body ? strlen(body) : 0,
                             .on_answer = on_answer,
                             .userdata = reply};
  kube_client_call(client, &options);
}

static inline Reply call(Live *live, const char *method, const char *path, const char *type,
                         const char *body) {
  Reply reply = {0};
  send_call(live->client, &reply, method, path, type, body);
  if (!run_until(live, is_reply_here, &reply))
    error_set(&reply.err, ERROR_TIMEOUT, "no answer");
  return reply;
}

static inline void reply_deinit(Reply *reply) {
  text_deinit(&reply->body);
}

static inline void call_and_check(Live *live, const char *method, const char *path, const char *type,
                                  const char *body) {
  CLEANUP(reply_deinit) Reply reply = call(live, method, path, type, body);
  check(reply.is_ok, "%s %s", method, path);
  if (!reply.is_ok)
    printf("# %s\n", reply.err.text);
}

static inline void on_change(void *userdata, const void *old, const void *new_) {
  Watched *watched = userdata;
  watched->added += !old;
  watched->removed += !new_;
  watched->changed += old && new_;
}

static inline void on_synced(void *userdata) {
  Watched *watched = userdata;
  watched->synced++;
}

static inline void on_trouble(void *userdata, const Error *err, uint64_t retry_ms) {
  Watched *watched = userdata;
  watched->trouble = *err;
  printf("# trouble: %s (again in %llu ms)\n", err->text, (unsigned long long)retry_ms);
}

static inline void start_informer(Live *live, Watched *watched, KubeCurl *curl, const KubeType *type) {
  KubeInformerOptions options = {.type = type,
                                 .on_change = on_change,
                                 .on_synced = on_synced,
                                 .on_trouble = on_trouble,
                                 .userdata = watched};
  *watched = (Watched){.informer = kube_informer_new(&live->host, kube_curl_seam(curl), &options)};
  kube_informer_start(watched->informer);
}

static inline bool has_trouble(Live *live, const void *what) {
  const Watched *watched = what;
  return watched->trouble.code != 0;
}

/* Points the configuration at a relay in front of its server. */
static inline void put_relay_between(Live *live) {
  const char *colon = strrchr(live->config.server, ':');
  int port = colon ? (int)strtol(colon + 1, NULL, 10) : 443;
  if (!string_has_prefix(live->config.server, "https://127.0.0.1:")) {
    printf("1..0 # SKIP the server is %s, and only one on https://127.0.0.1 can stand behind the relay\n",
           live->config.server);
    exit(0);
  }
  live->relay = tcp_relay_new(&live->loop, port);
  free(live->config.server);
  live->config.server = mem_format("https://127.0.0.1:%d", tcp_relay_port(live->relay));
}

static inline void open_live(Live *live, const char *kubeconfig) {
  Error err = {0};
  uv_loop_init(&live->loop);
  uv_timer_init(&live->loop, &live->tick);
  uv_timer_start(&live->tick, on_tick, TICK_MS, TICK_MS);
  host_init(&live->host, 1);
  host_advance(&live->host, uv_now(&live->loop), 0);
  if (kube_config_load(kubeconfig, NULL, &live->config, &err) < 0)
    bail_out(&err);
  put_relay_between(live);
  if (kube_curl_new(&live->loop, &live->config, &live->curl, &err) < 0)
    bail_out(&err);
  live->client = kube_client_new(&live->host, kube_curl_seam(live->curl));
}

static inline void close_live(Live *live) {
  kube_informer_free(live->pods.informer);
  kube_informer_free(live->nodes.informer);
  kube_client_free(live->client);
  kube_curl_free(live->curl);
  tcp_relay_free(live->relay);
  uv_close((uv_handle_t *)&live->tick, NULL);
  uv_run(&live->loop, UV_RUN_DEFAULT);
  check(uv_loop_close(&live->loop) == 0, "nothing is left on the loop");
  host_deinit(&live->host);
  kube_config_deinit(&live->config);
}
