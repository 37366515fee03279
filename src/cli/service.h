/* SPDX-License-Identifier: Apache-2.0 */
/* What a long-running program shows of itself: /metrics, /healthz and /readyz over TCP, and the same with
 * /debug over a Unix socket that only its owner can open. */
#pragma once

#include "cli/shell.h"
#include "cli/verb.h"
#include "http/server.h"
#include "kube/counted_transport.h"
#include "metrics/metrics.h"

typedef struct CliServiceOptions {
  const char *metrics_address, *debug_socket; /* NULL or "": none */
} CliServiceOptions;

#define CLI_SERVICE_OPTIONS(Struct, member)                                                                  \
  {"--metrics-address", CLI_STRING, offsetof(Struct, member.metrics_address), "[ADDRESS]:PORT",              \
   "Serve /metrics, /healthz and /readyz there, e.g. :9402, 127.0.0.1:9402 or [::1]:9402 (default: "         \
   "nowhere)."},                                                                                             \
  {                                                                                                          \
    "--debug-socket", CLI_STRING, offsetof(Struct, member.debug_socket), "FILE",                             \
        "Serve the same, and what `facet debug` shows, on this Unix socket of mode 0600 (default: nowhere)." \
  }

/* The program behind it. */
typedef struct CliServed {
  const void *program;
  bool (*is_ready)(const void *program, const char **ret_why);
  void (*fill_metrics)(const void *program); /* gauges, before they are shown */
  void (*format_debug)(const void *program, Text *ret_text);
} CliServed;

typedef struct CliService {
  CliShell *shell;
  Metrics *metrics; /* for the program */
  KubeCounted *counted;
  HttpServer *pages, *socket;
  CliServed served;
} CliService;

/* Makes the metrics and counts the loop's turns from now on. */
void cli_service_init(CliService *service, CliShell *shell);
/* The transport, whose calls are counted; once. */
KubeTransport *cli_service_count(CliService *service, KubeTransport *transport);
int cli_service_start(CliService *service, const CliServiceOptions *options, const CliServed *served,
                      Error *err) MUST_CHECK;
void cli_service_deinit(CliService *service); /* after the program */
