/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/service.h"

#include "base/log.h"

#include <string.h>

static void answer_metrics(void *userdata, HttpAnswer *answer) {
  const CliService *service = userdata;
  service->served.fill_metrics(service->served.program);
  answer->content_type = METRICS_CONTENT_TYPE;
  metrics_format(service->metrics, &answer->body);
}

/* Who answers, turns. */
static void answer_health(void *userdata, HttpAnswer *answer) {
  text_append(&answer->body, "ok\n");
}

static void answer_readiness(void *userdata, HttpAnswer *answer) {
  const CliService *service = userdata;
  const char *why;
  if (service->served.is_ready(service->served.program, &why)) {
    text_append(&answer->body, "ok\n");
    return;
  }
  answer->status = 503;
  text_format(&answer->body, "not ready: %s\n", why);
}

static void answer_debug(void *userdata, HttpAnswer *answer) {
  const CliService *service = userdata;
  service->served.format_debug(service->served.program, &answer->body);
}

/* The last one is for the socket alone. */
static const HttpRoute routes[] = {{"/metrics", answer_metrics},
                                   {"/healthz", answer_health},
                                   {"/readyz", answer_readiness},
                                   {"/debug", answer_debug}};

static void on_turn(void *userdata, uint64_t busy_us) {
  metrics_observe(((CliService *)userdata)->metrics, METRIC_EVENT_LOOP_LAG, NULL, (double)busy_us / 1e6);
}

static void on_counted(void *userdata, const char *method, int status, uint64_t took_ms) {
  Metrics *metrics = ((CliService *)userdata)->metrics;
  char code[16] = "none";
  if (status)
    snprintf(code, sizeof code, "%d", status);
  metrics_add(metrics, METRIC_API_REQUESTS, METRIC_LABELS(method, code), 1);
  if (status && strcmp(method, "WATCH") != 0)
    metrics_observe(metrics, METRIC_API_DURATION, METRIC_LABELS(method), (double)took_ms / 1000);
}

static uint64_t read_us(void) {
  return uv_hrtime() / 1000;
}

void cli_service_init(CliService *service, CliShell *shell) {
  *service = (CliService){.shell = shell, .metrics = metrics_new(read_us)};
  metrics_set(service->metrics, METRIC_BUILD, METRIC_LABELS(FACET_VERSION), 1);
  shell->on_turn = on_turn;
  shell->turn_userdata = service;
}

KubeTransport *cli_service_count(CliService *service, KubeTransport *transport) {
  service->counted = kube_counted_new(&service->shell->host, transport, on_counted, service);
  return kube_counted_seam(service->counted);
}

static bool is_given(const char *option) {
  return option && *option;
}

int cli_service_start(CliService *service, const CliServiceOptions *options, const CliServed *served,
                      Error *err) {
  uv_loop_t *loop = &service->shell->loop;
  service->served = *served;
  if (is_given(options->metrics_address)) {
    service->pages = http_server_new(loop, routes, COUNT_OF(routes) - 1, service);
    int r = http_server_listen_tcp(service->pages, options->metrics_address, err);
    if (r < 0)
      return error_prefix(err, "--metrics-address");
    log_info("shell", "serving metrics", "address=%s port=%d", options->metrics_address,
             http_server_port(service->pages));
  }
  if (is_given(options->debug_socket)) {
    service->socket = http_server_new(loop, routes, COUNT_OF(routes), service);
    int r = http_server_listen_unix(service->socket, options->debug_socket, err);
    if (r < 0)
      return error_prefix(err, "--debug-socket");
  }
  return 0;
}

void cli_service_deinit(CliService *service) {
  if (!service->shell)
    return;
  service->shell->on_turn = NULL;
  http_server_free(service->pages);
  http_server_free(service->socket);
  kube_counted_free(service->counted);
  metrics_free(service->metrics);
}
