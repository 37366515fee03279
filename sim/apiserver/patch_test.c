/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "sim/apiserver/patch.h"

typedef struct Case {
  const char *target, *patch;
  const char *expected; /* the result, or the error's text where it begins with '!' */
} Case;

static json_t *load(const char *text) {
  json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
  assert_non_null(value);
  return value;
}

static void assert_json(const json_t *value, const char *expected) {
  json_auto_t *wanted = load(expected);
  char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
  char *wanted_text = json_dumps(wanted, JSON_COMPACT | JSON_SORT_KEYS);
  assert_string_equal(text, wanted_text);
  free(text);
  free(wanted_text);
}

static void a_merge_patch_adds_replaces_and_removes(void **state) {
  static const Case cases[] = {
      {"{}", "{\"a\":{\"b\":\"1\"}}", "{\"a\":{\"b\":\"1\"}}"},
      {"{\"a\":{\"b\":\"1\"}}", "{\"a\":{\"c\":\"2\"}}", "{\"a\":{\"b\":\"1\",\"c\":\"2\"}}"},
      {"{\"a\":{\"b\":\"1\"}}", "{\"a\":{\"b\":null}}", "{\"a\":{}}"},
      {"{\"a\":{\"b\":\"1\"}}", "{\"a\":null}", "{}"},
      {"{\"a\":[1,2]}", "{\"a\":[3]}", "{\"a\":[3]}"},
      {"{\"a\":\"text\"}", "{\"a\":{\"b\":1,\"c\":null}}", "{\"a\":{\"b\":1}}"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    json_auto_t *target = load(cases[i].target), *patch = load(cases[i].patch);
    sim_api_patch_merge(target, patch);
    assert_json(target, cases[i].expected);
  }
}

#define NODE "{\"metadata\":{\"annotations\":{\"a/b\":\"1\",\"c~d\":\"2\"}},\"list\":[\"x\",\"y\"]}"

static void json_patch_operations_apply_in_order_or_say_which_does_not(void **state) {
  static const Case cases[] = {
      {NODE, "[{\"op\":\"test\",\"path\":\"/metadata/annotations/a~1b\",\"value\":\"1\"}]", NODE},
      {NODE, "[{\"op\":\"test\",\"path\":\"/metadata/annotations/a~1b\",\"value\":\"2\"}]",
       "!operation 0: \"test\" of /metadata/annotations/a~1b does not apply"},
      {NODE, "[{\"op\":\"test\",\"path\":\"/metadata/annotations/new\",\"value\":null}]", NODE},
      {NODE, "[{\"op\":\"test\",\"path\":\"/metadata/annotations/c~0d\",\"value\":null}]",
       "!operation 0: \"test\" of /metadata/annotations/c~0d does not apply"},
      {"{\"a\":{}}", "[{\"op\":\"add\",\"path\":\"/a/b\",\"value\":\"1\"}]", "{\"a\":{\"b\":\"1\"}}"},
      {"{}", "[{\"op\":\"add\",\"path\":\"/a/b\",\"value\":\"1\"}]", "!operation 0: there is no place /a/b"},
      {"{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"/a\"}]", "{}"},
      {"{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"/b\"}]", "!operation 0: \"remove\" of /b does not apply"},
      {"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":2}]", "{\"a\":2}"},
      {"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/b\",\"value\":2}]",
       "!operation 0: \"replace\" of /b does not apply"},
      {"{\"a\":[1,3]}", "[{\"op\":\"add\",\"path\":\"/a/1\",\"value\":2}]", "{\"a\":[1,2,3]}"},
      {"{\"a\":[1]}", "[{\"op\":\"add\",\"path\":\"/a/-\",\"value\":2}]", "{\"a\":[1,2]}"},
      {"{\"a\":[1]}", "[{\"op\":\"remove\",\"path\":\"/a/0\"}]", "{\"a\":[]}"},
      {"{\"a\":[1]}", "[{\"op\":\"add\",\"path\":\"/a/x\",\"value\":2}]",
       "!operation 0: \"add\" of /a/x does not apply"},
      {"{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"/a\"},{\"op\":\"test\",\"path\":\"/a\",\"value\":1}]",
       "!operation 1: \"test\" of /a does not apply"},
      {"{\"a\":1}", "[{\"op\":\"move\",\"path\":\"/a\"}]", "!operation 0: \"move\" of /a does not apply"},
      {"{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"a\"}]", "!operation 0: there is no place a"},
      {"{\"a\":1}", "[{}]", "!operation 0: there is no place "},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    json_auto_t *target = load(cases[i].target), *patch = load(cases[i].patch);
    Error err = {0};
    if (cases[i].expected[0] == '!') {
      assert_fails(sim_api_patch_apply(target, patch, &err), cases[i].expected + 1);
      continue;
    }
    assert_ok(sim_api_patch_apply(target, patch, &err));
    assert_json(target, cases[i].expected);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_merge_patch_adds_replaces_and_removes),
      cmocka_unit_test(json_patch_operations_apply_in_order_or_say_which_does_not),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
