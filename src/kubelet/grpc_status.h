/* SPDX-License-Identifier: Apache-2.0 */
/* How statuses and deadlines are written in HTTP/2 headers, and which gRPC status a failure below gRPC means.
 * Private to the gRPC files. */
#pragma once

#include "base/text.h"
#include "kubelet/grpc.h"

enum { GRPC_TIMEOUT_SIZE = 16 };

/* grpc-message: everything outside printable ASCII, and '%', as %XX. */
void grpc_message_encode(const char *text, Text *out);
/* Undoes the encoding into `ret` (GRPC_STATUS_TEXT_SIZE bytes, always ended by a NUL); what is not a proper
 * %XX stays as it is, NUL bytes become '?'. */
void grpc_message_decode(const void *bytes, size_t size, char *ret);
/* grpc-status: a decimal number; what is none, or unknown, is GRPC_UNKNOWN. */
GrpcStatus grpc_status_decode(const void *bytes, size_t size);
/* grpc-timeout: at most 8 digits and a unit, rounded up. */
void grpc_timeout_encode(uint32_t timeout_ms, char ret[GRPC_TIMEOUT_SIZE]);
/* What an answer without grpc-status means (grpc/doc/http-grpc-status-mapping.md). */
GrpcStatus grpc_status_of_http(int http_status);
/* What a stream reset with this HTTP/2 error code means (grpc/doc/PROTOCOL-HTTP2.md, "Errors"). */
GrpcStatus grpc_status_of_reset(uint32_t http2_error);
