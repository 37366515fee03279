/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and sockets to listen on. Private to http/. */
#pragma once

#include "base/error.h"

#include <uv.h>

/* Binds; a port that is taken is told by uv_listen() only. */
int http_listen_bind_tcp(uv_tcp_t *tcp, const char *address, Error *err) MUST_CHECK;
/* A listening descriptor at the path, made with mode 0600. */
int http_listen_open_unix(const char *path, int *ret_fd, Error *err) MUST_CHECK;
