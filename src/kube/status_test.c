/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/reader_testing.h"

static KubeStatus decode(KubeFormat format, const char *text) {
  KubeStatus status;
  kube_status_decode(format, text, strlen(text), &status);
  return status;
}

static void the_server_s_words_are_the_same_in_both_formats(void **state) {
  for (KubeFormat format = KUBE_PROTOBUF; format <= KUBE_JSON; format++) {
    CLEANUP(text_deinit) Text bytes = testing_read_format("status", format);
    KubeStatus status;
    kube_status_decode(format, bytes.bytes, bytes.size, &status);
    assert_int_equal(status.code, 410);
    assert_string_equal(status.reason, "Expired");
    assert_string_equal(status.message, "too old resource version: 12 (4711)");
    assert_int_equal(status.retry_after_s, 3);
  }
}

static void what_is_absent_is_empty(void **state) {
  KubeStatus status = decode(KUBE_JSON, "{\"kind\":\"Status\",\"code\":429}");
  assert_int_equal(status.code, 429);
  assert_string_equal(status.reason, "");
  assert_string_equal(status.message, "");
  assert_int_equal(status.retry_after_s, -1);
}

static void what_is_no_status_is_quoted_from_its_beginning(void **state) {
  KubeStatus status = decode(KUBE_JSON, "<html>\n502 Bad Gateway\t</html>");
  assert_int_equal(status.code, 0);
  assert_string_equal(status.reason, "");
  assert_string_equal(status.message, "<html> 502 Bad Gateway </html>");
  assert_int_equal(status.retry_after_s, -1);
  assert_string_equal(decode(KUBE_JSON, "{\"error\":1}").message, "{\"error\":1}");
  assert_string_equal(decode(KUBE_JSON, "").message, "");
  assert_string_equal(decode(KUBE_PROTOBUF, "{\"code\":403}").message, "{\"code\":403}");
}

static void long_words_are_cut(void **state) {
  CLEANUP(text_deinit) Text json = {0};
  text_append(&json, "{\"reason\":\"");
  for (int i = 0; i < 100; i++)
    text_append(&json, "r");
  text_append(&json, "\",\"message\":\"");
  for (int i = 0; i < 1000; i++)
    text_append(&json, "m");
  text_append(&json, "\"}");
  KubeStatus status = decode(KUBE_JSON, text_string(&json));
  assert_int_equal(strlen(status.reason), sizeof status.reason - 1);
  assert_int_equal(strlen(status.message), sizeof status.message - 1);
  text_drop_front(&json, 1);
  assert_int_equal(strlen(decode(KUBE_JSON, text_string(&json)).message), sizeof status.message - 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_server_s_words_are_the_same_in_both_formats),
      cmocka_unit_test(what_is_absent_is_empty),
      cmocka_unit_test(what_is_no_status_is_quoted_from_its_beginning),
      cmocka_unit_test(long_words_are_cut),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
