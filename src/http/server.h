/* SPDX-License-Identifier: Apache-2.0 */
/* A small HTTP/1.1 server for pages that are made on the spot: metrics, health, debugging. On a libuv loop,
 * over TCP or a Unix socket. One request a connection; no request bodies, no TLS.
 *
 * Nobody can hold it up: a head has at most HTTP_HEAD_SIZE_MAX bytes, there are at most HTTP_CONNECTIONS_MAX
 * connections (further ones are closed at once), and each ends after HTTP_CONNECTION_MS (by default),
 * whatever it does. */
#pragma once

#include "base/error.h"
#include "base/text.h"

#include <uv.h>

enum {
  HTTP_CONNECTIONS_MAX = 32,
  HTTP_CONNECTION_MS = 10000,
};

typedef struct HttpAnswer {
  int status;               /* set to 200 */
  const char *content_type; /* set to plain text */
  Text body;
} HttpAnswer;

typedef struct HttpRoute {
  const char *path;
  void (*answer)(void *userdata, HttpAnswer *answer);
} HttpRoute;

typedef struct HttpServer HttpServer;

/* The routes are borrowed; all get the same userdata. */
HttpServer *http_server_new(uv_loop_t *loop, const HttpRoute *routes, size_t route_count, void *userdata);
/* ":9402" (every address, IPv6 and IPv4), "127.0.0.1:9402", "[::1]:9402", "localhost:9402". Port 0: any. */
int http_server_listen_tcp(HttpServer *server, const char *address, Error *err) MUST_CHECK;
/* Its file has mode 0600 from the start. One that nobody serves any more is replaced. */
int http_server_listen_unix(HttpServer *server, const char *path, Error *err) MUST_CHECK;
void http_server_set_connection_ms(HttpServer *server, uint32_t connection_ms);
int http_server_port(const HttpServer *server); /* of TCP */
/* Closes everything; the memory goes with the loop's next turns. Not from inside an answer. */
void http_server_free(HttpServer *server);
DEFINE_CLEANUP(HttpServer, http_server_free)
