/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#undef error_set
#undef error_set_errno
#undef error_prefix

/* A cut text must look cut: an operator who reads half a sentence should know that it is half. */
static void mark_cut(Error *err, int needed) {
  if (needed >= ERROR_TEXT_SIZE)
    memcpy(err->text + ERROR_TEXT_SIZE - 4, "...", 4);
}

int error_set(Error *err, ErrorCode code, const char *format, ...) {
  assert(err && code > 0);
  va_list arguments;
  va_start(arguments, format);
  int needed = vsnprintf(err->text, sizeof err->text, format, arguments);
  va_end(arguments);
  err->code = (int)code;
  mark_cut(err, needed);
  return -(int)code;
}

int error_set_errno(Error *err, ErrorCode code, int errno_value, const char *format, ...) {
  assert(err && code > 0);
  char what[ERROR_TEXT_SIZE];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  return error_set(err, code, "%s: %s", what, strerror(errno_value));
}

int error_prefix(Error *err, const char *format, ...) {
  assert(err && err->code > 0);
  char old[ERROR_TEXT_SIZE];
  memcpy(old, err->text, sizeof old);
  va_list arguments;
  va_start(arguments, format);
  int used = vsnprintf(err->text, sizeof err->text, format, arguments);
  va_end(arguments);
  if (used < 0 || used >= ERROR_TEXT_SIZE)
    used = ERROR_TEXT_SIZE - 1;
  int rest = snprintf(err->text + used, sizeof err->text - (size_t)used, ": %s", old);
  mark_cut(err, used + rest);
  return -err->code;
}

const char *error_code_name(int code) {
  static const char *const names[] = {
      [0] = "none",
      [ERROR_INVALID] = "invalid",
      [ERROR_NOT_FOUND] = "not_found",
      [ERROR_IO] = "io",
      [ERROR_DENIED] = "denied",
      [ERROR_TIMEOUT] = "timeout",
      [ERROR_LIMIT] = "limit",
      [ERROR_PROTOCOL] = "protocol",
      [ERROR_UNAVAILABLE] = "unavailable",
      [ERROR_UNSUPPORTED] = "unsupported",
      [ERROR_CONFLICT] = "conflict",
      [ERROR_GPU] = "gpu",
      [ERROR_LOST] = "lost",
  };
  if (code < 0 || (size_t)code >= COUNT_OF(names))
    return "unknown";
  return names[code];
}
