/* SPDX-License-Identifier: Apache-2.0 */
/* For the transport's tests: a small HTTP/1.1 server on a thread of its own, whose paths misbehave in their
 * own ways, and what it saw of the last request. */
#pragma once

#include "base/test.h"

#include "base/text.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <strings.h>
#include <sys/socket.h>

enum { LARGE_SIZE = 32 << 20 };

/* What the server saw last; written by its thread, read when the call is over. */
static pthread_mutex_t seen_lock = PTHREAD_MUTEX_INITIALIZER;
static Text seen;

static inline enum MHD_Result note_header(void *userdata, enum MHD_ValueKind kind, const char *key,
                                          const char *value) {
  static const char *const noted[] = {"User-Agent", "Accept",          "Content-Type", "Authorization",
                                      "Expect",     "Accept-Encoding", "Host"};
  for (size_t i = 0; i < COUNT_OF(noted); i++)
    if (strcasecmp(key, noted[i]) == 0)
      text_format(&seen, "%s: %s\n", noted[i], value);
  return MHD_YES;
}

/* "/endless": a line now and then, for as long as somebody listens. */
static inline ssize_t produce_endless(void *userdata, uint64_t position, char *buffer, size_t size) {
  memset(buffer, 'e', 1);
  return 1;
}

/* "/flood": as much as the connection carries, for as long as somebody listens. */
static inline ssize_t produce_flood(void *userdata, uint64_t position, char *buffer, size_t size) {
  memset(buffer, 'f', size);
  return (ssize_t)size;
}

static inline ssize_t produce_large(void *userdata, uint64_t position, char *buffer, size_t size) {
  if (position >= LARGE_SIZE)
    return MHD_CONTENT_READER_END_OF_STREAM;
  memset(buffer, 'l', size);
  return (ssize_t)(size < LARGE_SIZE - position ? size : LARGE_SIZE - position);
}

/* "/broken": half an answer and then a closed connection. */
static inline ssize_t produce_broken(void *userdata, uint64_t position, char *buffer, size_t size) {
  if (position > 0)
    return MHD_CONTENT_READER_END_WITH_ERROR;
  buffer[0] = 'b';
  return 1;
}

static inline enum MHD_Result respond(struct MHD_Connection *connection, unsigned status, const char *type,
                                      struct MHD_Response *response) {
  MHD_add_response_header(response, "Content-Type", type);
  if (status == 429)
    MHD_add_response_header(response, "Retry-After", "7");
  enum MHD_Result result = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  return result;
}

static inline struct MHD_Response *from_text(const char *text) {
  return MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY);
}

static inline struct MHD_Response *from_stream(MHD_ContentReaderCallback produce) {
  return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 65536, produce, NULL, NULL);
}

static inline enum MHD_Result route(struct MHD_Connection *connection, const char *url) {
  if (strcmp(url, "/endless") == 0)
    return respond(connection, 200, "text/plain", from_stream(produce_endless));
  if (strcmp(url, "/flood") == 0)
    return respond(connection, 200, "text/plain", from_stream(produce_flood));
  if (strcmp(url, "/large") == 0)
    return respond(connection, 200, "text/plain", from_stream(produce_large));
  if (strcmp(url, "/broken") == 0)
    return respond(connection, 200, "text/plain", from_stream(produce_broken));
  if (strcmp(url, "/busy") == 0)
    return respond(connection, 429, "application/json", from_text("{\"code\":429}"));
  if (strcmp(url, "/unauthorized") == 0)
    return respond(connection, 401, "application/json", from_text("{\"code\":401}"));
  if (strcmp(url, "/empty") == 0)
    return respond(connection, 204, "application/json", from_text(""));
  return respond(connection, 200, "application/vnd.kubernetes.protobuf", from_text("hello"));
}

static inline enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection, const char *url,
                                         const char *method, const char *version, const char *upload,
                                         size_t *upload_size, void **memory) {
  static int started;
  pthread_mutex_lock(&seen_lock);
  bool is_first = *memory == NULL, is_body = !is_first && *upload_size > 0;
  if (is_first) {
    const char *query = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "q");
    text_clear(&seen);
    text_format(&seen, "%s %s%s%s\n", method, url, query ? " q=" : "", string_or_empty(query));
    MHD_get_connection_values(connection, MHD_HEADER_KIND, note_header, NULL);
    *memory = &started;
  } else if (is_body) {
    text_append_bytes(&seen, upload, *upload_size);
    *upload_size = 0;
  }
  pthread_mutex_unlock(&seen_lock);
  return is_first || is_body ? MHD_YES : route(connection, url);
}

static inline void assert_seen(const char *expected) {
  pthread_mutex_lock(&seen_lock);
  assert_string_equal(text_string(&seen), expected);
  pthread_mutex_unlock(&seen_lock);
}

static inline bool was_seen(const char *part) {
  pthread_mutex_lock(&seen_lock);
  bool found = strstr(text_string(&seen), part) != NULL;
  pthread_mutex_unlock(&seen_lock);
  return found;
}
