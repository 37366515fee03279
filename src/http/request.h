/* SPDX-License-Identifier: Apache-2.0 */
/* The head of an HTTP/1.x request, as far as a server needs it that only shows pages: bytes in, method and
 * path out. No I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum {
  HTTP_HEAD_SIZE_MAX = 8192,
  HTTP_PATH_SIZE = 256,
  HTTP_REQUEST_MORE = 0,   /* the head is not complete */
  HTTP_REQUEST_DONE = 200, /* any other result is the status to refuse with */
};

typedef struct HttpRequest {
  bool is_head;              /* HEAD: no body is wanted */
  char path[HTTP_PATH_SIZE]; /* without the query; nothing is unescaped */
} HttpRequest;

/* What was received so far, from its first byte on. */
int http_request_parse(const char *bytes, size_t size, HttpRequest *ret_request);
