/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/text.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

static LogConfig current = {.level = LOG_LEVEL_INFO};

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

void log_configure(LogConfig config) {
  current = config;
}

int log_level_parse(const char *word, LogLevel *ret_level) {
  for (size_t i = 0; i < COUNT_OF(level_names); i++)
    if (strcmp(word, level_names[i]) == 0) {
      *ret_level = (LogLevel)i;
      return 0;
    }
  return -1;
}

/* Turns the marks of LOG_QUOTED into quotes and escapes what stands between them. */
static void quote_fields(const char *fields, Text *out) {
  bool quoted = false;
  for (const char *p = fields; *p; p++) {
    if (*p == '\001' || *p == '\002') {
      quoted = *p == '\001';
      text_append(out, "\"");
    } else if (quoted && (*p == '"' || *p == '\\')) {
      text_format(out, "\\%c", *p);
    } else if ((unsigned char)*p < 0x20) {
      text_format(out, "\\x%02x", (unsigned)*p);
    } else {
      text_append_bytes(out, p, 1);
    }
  }
  if (quoted) /* the fields were cut inside a quoted text */
    text_append(out, "\"");
}

static void write_line(LogLevel level, const char *component, const char *message, const char *fields) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  struct tm parts;
  gmtime_r(&now.tv_sec, &parts);
  char stamp[32];
  strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &parts);
  CLEANUP(text_deinit) Text line = {0};
  text_format(&line, "time=%s.%03ldZ level=%s component=%s msg=", stamp, now.tv_nsec / 1000000,
              level_names[level], component);
  text_append_json(&line, message);
  if (fields[0])
    text_format(&line, " %s", fields);
  text_append(&line, "\n");
  (void)!write(STDERR_FILENO, text_string(&line), line.size);
}

void log_write(LogLevel level, const char *component, const char *message, const char *fields_format, ...) {
  if (level > current.level)
    return;
  char fields[2048];
  va_list arguments;
  va_start(arguments, fields_format);
  vsnprintf(fields, sizeof fields, fields_format, arguments);
  va_end(arguments);
  CLEANUP(text_deinit) Text quoted = {0};
  quote_fields(fields, &quoted);
  if (current.sink)
    current.sink(current.userdata, level, component, message, text_string(&quoted));
  else
    write_line(level, component, message, text_string(&quoted));
}
