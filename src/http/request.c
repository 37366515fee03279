/* SPDX-License-Identifier: Apache-2.0 */
/* Only the first line is looked at, and that nobody sends a body. */
#include "http/request.h"

#include "base/cleanup.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
  BAD_REQUEST = 400,
  NOT_ALLOWED = 405,
  TOO_LARGE = 413,
  LONG_PATH = 414,
  LARGE_HEAD = 431,
  OLD_VERSION = 505
};

/* Size of the head with the empty line behind it; 0: that has not come yet. */
static size_t head_size(const char *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (bytes[i] != '\n')
      continue;
    if (i + 1 < size && bytes[i + 1] == '\n')
      return i + 2;
    if (i + 2 < size && bytes[i + 1] == '\r' && bytes[i + 2] == '\n')
      return i + 3;
  }
  return 0;
}

/* The word up to the blank, and what is behind it; NULL: there is none. */
static const char *take_word(const char *at, const char *end, size_t *ret_size) {
  const char *blank = memchr(at, ' ', (size_t)(end - at));
  if (!blank || blank == at)
    return NULL;
  *ret_size = (size_t)(blank - at);
  return blank + 1;
}

static int take_method(const char *method, size_t size, HttpRequest *request) {
  request->is_head = size == 4 && memcmp(method, "HEAD", 4) == 0;
  return request->is_head || (size == 3 && memcmp(method, "GET", 3) == 0) ? HTTP_REQUEST_DONE : NOT_ALLOWED;
}

static int take_path(const char *path, size_t size, HttpRequest *request) {
  const char *query = memchr(path, '?', size);
  size_t length = query ? (size_t)(query - path) : size;
  if (*path != '/')
    return BAD_REQUEST;
  if (length >= sizeof request->path)
    return LONG_PATH;
  for (size_t i = 0; i < size; i++)
    if ((unsigned char)path[i] <= ' ' || (unsigned char)path[i] >= 0x7f)
      return BAD_REQUEST;
  snprintf(request->path, sizeof request->path, "%.*s", (int)length, path);
  return HTTP_REQUEST_DONE;
}

static int parse_line(const char *line, const char *end, HttpRequest *request) {
  size_t method_size, path_size;
  const char *path = take_word(line, end, &method_size);
  const char *version = path ? take_word(path, end, &path_size) : NULL;
  if (!version || end - version < 8 || memcmp(version, "HTTP/", 5) != 0)
    return BAD_REQUEST;
  if (memcmp(version, "HTTP/1.", 7) != 0)
    return OLD_VERSION;
  int r = take_method(line, method_size, request);
  return r == HTTP_REQUEST_DONE ? take_path(path, path_size, request) : r;
}

/* Does a header announce a body? */
static bool has_body(const char *head, const char *end) {
  static const char length[] = "content-length:", encoding[] = "transfer-encoding:";
  for (const char *line = head; line < end;) {
    size_t left = (size_t)(end - line);
    const char *next = memchr(line, '\n', left);
    if (left > sizeof encoding && strncasecmp(line, encoding, sizeof encoding - 1) == 0)
      return true;
    if (left > sizeof length && strncasecmp(line, length, sizeof length - 1) == 0) {
      const char *value = line + sizeof length - 1;
      while (value < end && (*value == ' ' || *value == '0'))
        value++;
      if (value < end && *value >= '1' && *value <= '9')
        return true;
    }
    if (!next)
      return false;
    line = next + 1;
  }
  return false;
}

int http_request_parse(const char *bytes, size_t size, HttpRequest *ret_request) {
  size_t head = head_size(bytes, size);
  if (!head)
    return size < HTTP_HEAD_SIZE_MAX ? HTTP_REQUEST_MORE : LARGE_HEAD;
  if (head > HTTP_HEAD_SIZE_MAX)
    return LARGE_HEAD;
  const char *end = memchr(bytes, '\n', head), *line_end = end;
  if (line_end > bytes && line_end[-1] == '\r')
    line_end--;
  HttpRequest request = {0};
  int r = parse_line(bytes, line_end, &request);
  if (r != HTTP_REQUEST_DONE)
    return r;
  if (has_body(end + 1, bytes + head))
    return TOO_LARGE;
  *ret_request = request;
  return HTTP_REQUEST_DONE;
}
