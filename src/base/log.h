/* SPDX-License-Identifier: Apache-2.0 */
/* One line per event on stderr: time=... level=... component=... msg="..." key=value ...
 * Only programs log (controller/, agent/, cli/); library folders return errors instead.
 *     log_info("agent", "slice created", "gpu=%d profile=%s", index, profile); */
#pragma once

#include "base/cleanup.h"

#include <stdint.h>

typedef enum LogLevel { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG } LogLevel;

/* Where lines go and which: set once by main. `sink` NULL writes to stderr. */
typedef struct LogConfig {
  LogLevel level;
  void (*sink)(void *userdata, LogLevel level, const char *component, const char *message,
               const char *fields);
  void *userdata;
} LogConfig;

void log_configure(LogConfig config);
/* Negative where the word is none of error, warn, info, debug. */
int log_level_parse(const char *word, LogLevel *ret_level);
/* In a fields format: the text in quotes, with quotes and control characters inside escaped. */
#define LOG_QUOTED "\001%s\002"

/* `fields_format` gives the fields after the message, "" for none; write key="%s" where a value may hold
 * spaces. */
void log_write(LogLevel level, const char *component, const char *message, const char *fields_format, ...)
    PRINTF_LIKE(4, 5);

#define log_error(component, message, ...) log_write(LOG_LEVEL_ERROR, component, message, __VA_ARGS__)
#define log_warn(component, message, ...)  log_write(LOG_LEVEL_WARN, component, message, __VA_ARGS__)
#define log_info(component, message, ...)  log_write(LOG_LEVEL_INFO, component, message, __VA_ARGS__)
#define log_debug(component, message, ...) log_write(LOG_LEVEL_DEBUG, component, message, __VA_ARGS__)
