/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "base/memory.h"
#include "http/request.h"

static int parse(const char *text, HttpRequest *request) {
  return http_request_parse(text, strlen(text), request);
}

static void a_request_is_read_once_its_head_is_complete(void **state) {
  static const char text[] = "GET /metrics?name=x HTTP/1.1\r\nHost: n1:9402\r\nAccept: */*\r\n\r\n";
  for (size_t size = 0; size < sizeof text - 1; size++) {
    HttpRequest request;
    assert_int_equal(http_request_parse(text, size, &request), HTTP_REQUEST_MORE);
  }
  HttpRequest request;
  assert_int_equal(parse(text, &request), HTTP_REQUEST_DONE);
  assert_string_equal(request.path, "/metrics");
  assert_false(request.is_head);
}

static void heads_of_all_sorts_are_read(void **state) {
  static const struct {
    const char *text, *path;
    bool is_head;
  } requests[] = {
      {"GET / HTTP/1.0\r\n\r\n", "/", false},
      {"GET /a HTTP/1.1\n\n", "/a", false},
      {"HEAD /healthz HTTP/1.1\r\nhost: x\r\n\r\n", "/healthz", true},
      {"GET /a HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "/a", false},
      {"GET /a HTTP/1.1\r\n\r\nand what follows", "/a", false},
      {"GET /%61 HTTP/1.1\r\n\r\n", "/%61", false},
  };
  for (size_t i = 0; i < COUNT_OF(requests); i++) {
    HttpRequest request;
    assert_int_equal(parse(requests[i].text, &request), HTTP_REQUEST_DONE);
    assert_string_equal(request.path, requests[i].path);
    assert_int_equal(request.is_head, requests[i].is_head);
  }
}

static void everything_else_is_refused(void **state) {
  static const struct {
    const char *text;
    int status;
  } requests[] = {
      {"\r\n\r\n", 400},
      {"\n\n", 400},
      {"GET\r\n\r\n", 400},
      {"GET /\r\n\r\n", 400},
      {"GET  HTTP/1.1\r\n\r\n", 400},
      {" / HTTP/1.1\r\n\r\n", 400},
      {"GET metrics HTTP/1.1\r\n\r\n", 400},
      {"GET http://n1/metrics HTTP/1.1\r\n\r\n", 400},
      {"GET /a\x01 HTTP/1.1\r\n\r\n", 400},
      {"GET /a\x80 HTTP/1.1\r\n\r\n", 400},
      {"GET /?\x7f HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTQ/1.1\r\n\r\n", 400},
      {"GET / HTTP/1\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\n\r\n", 505},
      {"GET / HTTP/0.9\r\n\r\n", 505},
      {"POST / HTTP/1.1\r\n\r\n", 405},
      {"get / HTTP/1.1\r\n\r\n", 405},
      {"GETT / HTTP/1.1\r\n\r\n", 405},
      {"GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", 413},
      {"GET / HTTP/1.1\r\ncontent-length:0007\r\n\r\n", 413},
      {"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 413},
      {"\x16\x03\x01\x02\n\n", 400}, /* TLS */
  };
  for (size_t i = 0; i < COUNT_OF(requests); i++) {
    HttpRequest request;
    assert_int_equal(parse(requests[i].text, &request), requests[i].status);
  }
}

static void a_path_has_a_limit(void **state) {
  CLEANUP(cleanup_free) char *path = mem_alloc(HTTP_PATH_SIZE + 1);
  memset(path, '/', HTTP_PATH_SIZE - 1);
  CLEANUP(cleanup_free) char *longest = mem_format("GET %s HTTP/1.1\r\n\r\n", path);
  CLEANUP(cleanup_free) char *longer = mem_format("GET %s/ HTTP/1.1\r\n\r\n", path);
  HttpRequest request;
  assert_int_equal(parse(longest, &request), HTTP_REQUEST_DONE);
  assert_int_equal(strlen(request.path), HTTP_PATH_SIZE - 1);
  assert_int_equal(parse(longer, &request), 414);
}

static void a_head_has_a_limit(void **state) {
  static const char line[] = "GET / HTTP/1.1\r\nX: ";
  for (int over = 0; over <= 1; over++) {
    CLEANUP(cleanup_free) char *text = mem_alloc(HTTP_HEAD_SIZE_MAX + 2);
    memset(text, 'x', HTTP_HEAD_SIZE_MAX + (size_t)over);
    memcpy(text, line, sizeof line - 1);
    HttpRequest request;
    assert_int_equal(http_request_parse(text, HTTP_HEAD_SIZE_MAX - 1, &request), HTTP_REQUEST_MORE);
    assert_int_equal(http_request_parse(text, HTTP_HEAD_SIZE_MAX, &request), 431);
    memcpy(text + HTTP_HEAD_SIZE_MAX + over - 4, "\r\n\r\n", 4);
    assert_int_equal(parse(text, &request), over ? 431 : HTTP_REQUEST_DONE);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_request_is_read_once_its_head_is_complete),
      cmocka_unit_test(heads_of_all_sorts_are_read),
      cmocka_unit_test(everything_else_is_refused),
      cmocka_unit_test(a_path_has_a_limit),
      cmocka_unit_test(a_head_has_a_limit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
