/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/json_pull.h"

#include "base/test.h"

static int decode(const char *json, Arena *arena, const char **ret_string, Error *err) {
  KubeJson cursor = {.rest = {json, strlen(json), 0}};
  KubeJsonText text;
  int result = kube_json_read_text(&cursor, &text, err);
  return result < 0 ? result : kube_json_text_decode(&text, arena, ret_string, err);
}

static const struct {
  const char *json, *string;
} good[] = {
    {"\"\"", ""},
    {"\"plain\"", "plain"},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
    {"\"a\\u0041\\u00e9\\u20AC\\ud83d\\uDE00z\"", "aA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"},
    {"\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"", "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"},
    {"\"\\ud800\\udc00\\udbff\\udfff\"", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
    {"\"\xc3\xa9\xf0\x9f\x98\x80\"", "\xc3\xa9\xf0\x9f\x98\x80"},
    {"\"nul \\u0000 becomes visible\"", "nul \xef\xbf\xbd becomes visible"},
};

static const struct {
  const char *json, *error;
} bad[] = {
    {"\"ab\\q\"", "broken escape in the string at byte 3"},
    {"\"\\u12\"", "broken escape in the string at byte 1"},
    {"\"\\u12g4\"", "broken escape in the string at byte 1"},
    {"\"x\\ud83d\"", "broken escape in the string at byte 2"},
    {"\"x\\ud83dyyyyyy\"", "broken escape in the string at byte 2"},
    {"\"x\\ud83d\\u0041\"", "broken escape in the string at byte 2"},
    {"\"x\\ude00\"", "broken escape in the string at byte 2"},
    {"\"\xff\"", "the string holds bytes that are not UTF-8 at byte 1"},
    {"\"ab\xc3\"", "the string holds bytes that are not UTF-8 at byte 3"},
    {"\"\xed\xa0\x80\"", "the string holds bytes that are not UTF-8 at byte 1"},
    {"\"a\tb\"", "found byte 0x09 at byte 2 where a string without control characters was expected"},
    {"\"ab", "the JSON ends at byte 3 where the end of a string was expected"},
    {"\"ab\\\"", "the JSON ends at byte 5 where the end of a string was expected"},
    {"\"ab\\", "the JSON ends at byte 4 where the end of a string was expected"},
    {"7", "found '7' at byte 0 where a string was expected"},
};

static void escapes_and_surrogate_pairs_become_utf_8(void **state) {
  Error err;
  CLEANUP(arena_deinit) Arena arena = {0};
  for (size_t i = 0; i < COUNT_OF(good); i++) {
    const char *string = NULL;
    assert_ok(decode(good[i].json, &arena, &string, &err));
    assert_string_equal(string, good[i].string);
  }
}

static void broken_strings_are_refused_at_their_byte(void **state) {
  Error err;
  CLEANUP(arena_deinit) Arena arena = {0};
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    const char *string;
    assert_fails(decode(bad[i].json, &arena, &string, &err), bad[i].error);
  }
}

static bool equal(const char *json, const char *string) {
  Error err;
  KubeJson cursor = {.rest = {json, strlen(json), 0}};
  KubeJsonText text;
  assert_ok(kube_json_read_text(&cursor, &text, &err));
  return kube_json_text_equal(&text, string);
}

static void names_compare_with_their_escapes_resolved(void **state) {
  assert_true(equal("\"name\"", "name"));
  assert_false(equal("\"name\"", "names"));
  assert_false(equal("\"names\"", "name"));
  assert_true(equal("\"n\\u0061me\"", "name"));
  assert_false(equal("\"n\\u0062me\"", "name"));
  assert_false(equal("\"nam\\q\"", "name"));
  char json[302];
  memset(json, 'a', sizeof json);
  memcpy(json, "\"\\u0061", 7);
  memcpy(json + 300, "\"", 2);
  assert_false(equal(json, "a"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(escapes_and_surrogate_pairs_become_utf_8),
      cmocka_unit_test(broken_strings_are_refused_at_their_byte),
      cmocka_unit_test(names_compare_with_their_escapes_resolved),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
