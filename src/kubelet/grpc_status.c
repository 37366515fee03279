/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet/grpc_status.h"

#include <nghttp2/nghttp2.h>

#include <inttypes.h>

enum { GRPC_STATUS_LAST = 16, TIMEOUT_VALUE_MAX = 99999999 };

static bool is_plain(unsigned char c) {
  return c >= 0x20 && c <= 0x7e && c != '%';
}

void grpc_message_encode(const char *text, Text *out) {
  for (const char *p = text; *p; p++) {
    unsigned char c = (unsigned char)*p;
    if (is_plain(c))
      text_append_bytes(out, p, 1);
    else
      text_format(out, "%%%02X", c);
  }
}

static int hex_digit(unsigned char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return -1;
}

void grpc_message_decode(const void *bytes, size_t size, char *ret) {
  const unsigned char *in = bytes;
  size_t length = 0;
  for (size_t i = 0; i < size && length < GRPC_STATUS_TEXT_SIZE - 1; i++) {
    int c = in[i];
    if (c == '%' && i + 2 < size && hex_digit(in[i + 1]) >= 0 && hex_digit(in[i + 2]) >= 0) {
      c = hex_digit(in[i + 1]) * 16 + hex_digit(in[i + 2]);
      i += 2;
    }
    ret[length++] = c ? (char)c : '?';
  }
  ret[length] = '\0';
}

GrpcStatus grpc_status_decode(const void *bytes, size_t size) {
  const unsigned char *in = bytes;
  int value = 0;
  if (size < 1 || size > 2)
    return GRPC_UNKNOWN;
  for (size_t i = 0; i < size; i++) {
    if (in[i] < '0' || in[i] > '9')
      return GRPC_UNKNOWN;
    value = value * 10 + (in[i] - '0');
  }
  return value <= GRPC_STATUS_LAST ? (GrpcStatus)value : GRPC_UNKNOWN;
}

void grpc_timeout_encode(uint32_t timeout_ms, char ret[GRPC_TIMEOUT_SIZE]) {
  if (timeout_ms <= TIMEOUT_VALUE_MAX)
    snprintf(ret, GRPC_TIMEOUT_SIZE, "%" PRIu32 "m", timeout_ms);
  else
    snprintf(ret, GRPC_TIMEOUT_SIZE, "%" PRIu32 "S", timeout_ms / 1000 + (timeout_ms % 1000 ? 1 : 0));
}

GrpcStatus grpc_status_of_http(int http_status) {
  switch (http_status) {
  case 400:
    return GRPC_INTERNAL;
  case 401:
    return GRPC_UNAUTHENTICATED;
  case 403:
    return GRPC_PERMISSION_DENIED;
  case 404:
    return GRPC_UNIMPLEMENTED;
  case 429:
  case 502:
  case 503:
  case 504:
    return GRPC_UNAVAILABLE;
  default:
    return GRPC_UNKNOWN;
  }
}

GrpcStatus grpc_status_of_reset(uint32_t http2_error) {
  switch (http2_error) {
  case NGHTTP2_REFUSED_STREAM:
    return GRPC_UNAVAILABLE;
  case NGHTTP2_CANCEL:
    return GRPC_CANCELLED;
  case NGHTTP2_ENHANCE_YOUR_CALM:
    return GRPC_RESOURCE_EXHAUSTED;
  case NGHTTP2_INADEQUATE_SECURITY:
    return GRPC_PERMISSION_DENIED;
  default:
    return GRPC_INTERNAL;
  }
}
