/* SPDX-License-Identifier: Apache-2.0 */
/* What the server says to a request: a status and a body, or a watch to begin. */
#pragma once

#include "base/text.h"
#include "sim/apiserver/target.h"

typedef struct SimApiAnswer {
  int status;
  int retry_after_s; /* the header; -1: none */
  Text body;
  bool is_watch; /* the target's selector and version say of what and from where */
  SimApiTarget target;
} SimApiAnswer;

void sim_api_answer_text(SimApiAnswer *answer, int status, const Text *text);
/* A metav1.Status with its reason ("NotFound") and message. */
void sim_api_answer_refuse(SimApiAnswer *answer, int status, const char *reason, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* A Status as text, for watches that end with one. */
void sim_api_answer_format_status(int status, const char *reason, const char *message, Text *out);

/* routes.c: carries out the request on the store. wall_ms stamps what is created. */
typedef struct SimApiRequest {
  const char *method, *path, *content_type;
  const char *body;
  size_t body_size;
  int64_t wall_ms;
} SimApiRequest;
void sim_api_route(SimApiStore *store, const SimApiRequest *request, SimApiAnswer *ret_answer);
