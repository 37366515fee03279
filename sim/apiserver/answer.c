/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/apiserver/answer.h"

#include <stdarg.h>

void sim_api_answer_text(SimApiAnswer *answer, int status, const Text *text) {
  answer->status = status;
  text_clear(&answer->body);
  text_append_bytes(&answer->body, text->bytes, text->size);
}

void sim_api_answer_format_status(int status, const char *reason, const char *message, Text *out) {
  json_auto_t *value =
      json_pack("{s:s,s:s,s:{},s:s,s:s,s:s,s:i}", "kind", "Status", "apiVersion", "v1", "metadata", "status",
                "Failure", "message", message, "reason", reason, "code", status);
  sim_api_encode(value, out);
}

void sim_api_answer_refuse(SimApiAnswer *answer, int status, const char *reason, const char *format, ...) {
  char message[ERROR_TEXT_SIZE];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  answer->status = status;
  text_clear(&answer->body);
  sim_api_answer_format_status(status, reason, message, &answer->body);
}
