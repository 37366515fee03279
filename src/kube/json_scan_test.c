/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/json_scan.h"

#include "base/test.h"

#include "base/memory.h"
#include "kube/reader.h"

/* Scans in pieces; ret_used: where the scan stopped. */
static int scan_pieces(const char *json, size_t size, size_t piece, size_t *ret_used, Error *err) {
  KubeJsonScan scan = {0};
  *ret_used = 0;
  for (size_t i = 0; i < size; i += piece) {
    KubeBytes rest = {json + i, size - i < piece ? size - i : piece, i};
    int result = kube_json_scan(&scan, &rest, err);
    *ret_used = rest.offset;
    if (result != 0)
      return result;
  }
  return 0;
}

static const struct {
  const char *json;
  size_t used; /* where the value ends */
} good[] = {
    {"{}", 2},
    {"[] ", 2},
    {"  \t\r\n{ } x", 8},
    {"\"\"", 2},
    {"\"a\\\"b\\\\\" ", 8},
    {"\"\\u00e9\\ud83d\\ude00\\/\\b\\f\\n\\r\\t\"", 32},
    {"\"\xc3\xa9\x7f\"", 5},
    {"true,", 4},
    {"false", 5},
    {"null}", 4},
    {"0,", 1},
    {"-0.5e+10]", 8},
    {"12345678901234567890123 ", 23},
    {"1E5 ", 3},
    {"[1,2.5,-3e-2,[],{},\"\",true,false,null] ", 38},
    {"{\"a\":{\"b\":[{\"c\":0}]},\"d\":1}{", 27},
    {" [ 1 , { \"a\" : 2 } ] ", 20},
    {"[[[]]]]", 6},
};

static const struct {
  const char *json;
  const char *error;
} bad[] = {
    {"}", "found '}' at byte 0 where a value was expected"},
    {"[1,]", "found ']' at byte 3 where a value was expected"},
    {"[,1]", "found ',' at byte 1 where a value or ']' was expected"},
    {"[1}", "found '}' at byte 2 where ',' or the closing bracket was expected"},
    {"[1 2]", "found '2' at byte 3 where ',' or the closing bracket was expected"},
    {"{1:2}", "found '1' at byte 1 where a name in quotes or '}' was expected"},
    {"{\"a\"]", "found ']' at byte 4 where ':' was expected"},
    {"{\"a\":}", "found '}' at byte 5 where a value was expected"},
    {"{\"a\":1,}", "found '}' at byte 7 where a name in quotes was expected"},
    {"{\"a\":1]", "found ']' at byte 6 where ',' or the closing bracket was expected"},
    {"\"a\nb\"", "found byte 0x0a at byte 2 where a string without control characters was expected"},
    {"\"\\x\"", "found 'x' at byte 2 where an escape was expected"},
    {"\"\\u00g0\"", "found 'g' at byte 5 where a hexadecimal digit was expected"},
    {"trux", "found 'x' at byte 3 where true, false or null was expected"},
    {"[nul]", "found ']' at byte 4 where true, false or null was expected"},
    {"-a", "found 'a' at byte 1 where a digit was expected"},
    {"[01]", "found '1' at byte 2 where ',' or the closing bracket was expected"},
    {"1.]", "found ']' at byte 2 where a digit was expected"},
    {"1e]", "found ']' at byte 2 where a digit or a sign was expected"},
    {"1e+]", "found ']' at byte 3 where a digit was expected"},
    {"+1", "found '+' at byte 0 where a value was expected"},
    {".5", "found '.' at byte 0 where a value was expected"},
    {"'a'", "found ''' at byte 0 where a value was expected"},
    {"\xff", "found byte 0xff at byte 0 where a value was expected"},
};

static void the_end_of_a_value_is_found_at_any_split(void **state) {
  Error err;
  for (size_t i = 0; i < COUNT_OF(good); i++) {
    for (size_t piece = 1; piece <= 40; piece++) {
      size_t size = strlen(good[i].json), used;
      int result = scan_pieces(good[i].json, size, piece, &used, &err);
      if (result != KUBE_JSON_DONE || used != good[i].used)
        fail_msg("%s in pieces of %zu: result %d after %zu bytes", good[i].json, piece, result, used);
    }
  }
}

static void a_value_that_is_cut_goes_on(void **state) {
  Error err;
  for (size_t i = 0; i < COUNT_OF(good); i++) {
    for (size_t size = 0; size < good[i].used; size++) {
      size_t used;
      if (scan_pieces(good[i].json, size, 1, &used, &err) != 0)
        fail_msg("%.*s did not ask for more", (int)size, good[i].json);
    }
  }
}

static void what_is_not_json_is_refused_at_its_byte(void **state) {
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    for (size_t piece = 1; piece <= 8; piece++) {
      Error err = {0};
      size_t used;
      int result = scan_pieces(bad[i].json, strlen(bad[i].json), piece, &used, &err);
      if (result >= 0 || strcmp(err.text, bad[i].error) != 0)
        fail_msg("%s in pieces of %zu: %s", bad[i].json, piece, err.text);
    }
  }
}

static void brackets_nest_to_the_limit_and_no_deeper(void **state) {
  Error err = {0};
  char json[2 * KUBE_JSON_DEPTH_MAX + 2];
  size_t used;
  memset(json, '[', KUBE_JSON_DEPTH_MAX);
  memset(json + KUBE_JSON_DEPTH_MAX, ']', KUBE_JSON_DEPTH_MAX);
  assert_int_equal(scan_pieces(json, 2 * KUBE_JSON_DEPTH_MAX, 3, &used, &err), KUBE_JSON_DONE);
  json[KUBE_JSON_DEPTH_MAX] = '[';
  assert_fails(scan_pieces(json, KUBE_JSON_DEPTH_MAX + 1, 3, &used, &err),
               "brackets are nested deeper than 64 at byte 64");
}

/* What value_feed yields for a value of `size` bytes that comes in two pieces. */
static int feed_string(size_t size, bool keep, size_t split, KubeBytes *ret_value, KubeJsonValue *value,
                       Error *err) {
  CLEANUP(cleanup_free) char *json = mem_alloc(size);
  memset(json, 'a', size);
  json[0] = json[size - 1] = '"';
  kube_json_value_begin(value, 5, '{', keep ? KUBE_JSON_KEEP : KUBE_JSON_PASS);
  KubeBytes first = {json, split, 5}, second = {json + split, size - split, 5 + split};
  int result = kube_json_value_feed(value, &first, ret_value, err);
  return result < 0 ? result : kube_json_value_feed(value, &second, ret_value, err);
}

static void a_value_is_kept_up_to_the_limit(void **state) {
  Error err;
  KubeJsonValue value = {0};
  KubeBytes found;
  assert_int_equal(feed_string(KUBE_OBJECT_SIZE_MAX, true, 100, &found, &value, &err), KUBE_JSON_DONE);
  assert_int_equal(found.size, KUBE_OBJECT_SIZE_MAX);
  assert_fails(feed_string(KUBE_OBJECT_SIZE_MAX + 1, true, 100, &found, &value, &err),
               "the object at byte 5 is larger than 8388608 bytes");
  assert_int_equal(feed_string(KUBE_OBJECT_SIZE_MAX + 1, false, 100, &found, &value, &err), KUBE_JSON_DONE);
  assert_int_equal(found.size, 0);
  kube_json_value_deinit(&value);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_end_of_a_value_is_found_at_any_split),
      cmocka_unit_test(a_value_that_is_cut_goes_on),
      cmocka_unit_test(what_is_not_json_is_refused_at_its_byte),
      cmocka_unit_test(brackets_nest_to_the_limit_and_no_deeper),
      cmocka_unit_test(a_value_is_kept_up_to_the_limit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
