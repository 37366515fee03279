/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/decode.h"

#include "kube/reader_testing.h"

/* Decodes a pod and finds the line that begins with `path` in its text. */
static void assert_field(const char *json, const char *wanted) {
  Error err;
  CLEANUP(kube_object_freep) KubeObject *object = NULL;
  assert_ok(kube_object_decode(&kube_pod_type, KUBE_JSON, json, strlen(json), &object, &err));
  CLEANUP(text_deinit) Text text = {0};
  testing_print_object(&text, object);
  CLEANUP(text_deinit) Text line = {0};
  text_format(&line, "\n%s\n", wanted);
  if (!strstr(text_string(&text), text_string(&line)))
    fail_msg("%s: no line %s in\n%s", json, wanted, text_string(&text));
}

static const struct {
  const char *json, *line;
} good[] = {
    {"{\"metadata\":{\"name\":\"a\",\"name\":\"b\"}}", "metadata.name: \"b\""},
    {"{\"metadata\":{\"name\":\"a\"},\"metadata\":{\"uid\":\"u\"}}", "metadata.name: \"a\""},
    {"{\"metadata\":{\"name\":\"\"}}", "metadata.name: NULL"},
    {"{\"metadata\":{\"name\":null,\"labels\":null}}", "metadata.labels: "},
    {"{\"metadata\":{\"labels\":{\"b\":\"1\",\"a\":\"2\",\"b\":\"3\"}}}",
     "metadata.labels: \"a\"=\"2\" \"b\"=\"3\""},
    {"{\"metadata\":{\"labels\":{\"a\":\"1\"},\"labels\":{\"b\":\"2\"}}}", "metadata.labels: \"b\"=\"2\""},
    {"{\"metadata\":{\"labels\":{\"a\":null}}}", "metadata.labels: \"a\"=\"\""},
    {"{\"metadata\":{\"creationTimestamp\":null}}", "metadata.creationTimestamp: 0"},
    {"{\"spec\":{\"priority\":2147483647}}", "spec.priority: 2147483647"},
    {"{\"spec\":{\"priority\":-2147483648}}", "spec.priority: -2147483648"},
    {"{\"spec\":{\"overhead\":{\"cpu\":0.5,\"memory\":\"1Gi\"}}}",
     "spec.overhead: \"cpu\"=\"0.5\" \"memory\"=\"1Gi\""},
    {"{\"spec\":{\"resources\":{}}}", "spec.resources: present"},
    {"{\"spec\":{\"resources\":null}}", "spec.resources: absent"},
    {"{\"spec\":{\"containers\":[{\"name\":\"a\"},{}],\"containers\":[{}]}}", "spec.containers: 1"},
    {"{\"unknown\":[1,{\"x\":[true,null,\"\\\"]\"]}],\"metadata\":{\"name\":\"a\"}}", "metadata.name: \"a\""},
    {" { \"metadata\" : { \"n\\u0061me\" : \"a\" } } \n", "metadata.name: \"a\""},
};

static void values_are_read_as_kubernetes_means_them(void **state) {
  for (size_t i = 0; i < COUNT_OF(good); i++)
    assert_field(good[i].json, good[i].line);
}

static const struct {
  const char *json, *error;
} bad[] = {
    {"", "cannot read a Pod: the JSON ends at byte 0 where an object was expected"},
    {"[]", "cannot read a Pod: found '[' at byte 0 where an object was expected"},
    {"{} x", "cannot read a Pod: found 'x' at byte 3 where the end was expected"},
    {"{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\"},\"spec\":7}",
     "cannot read the Pod n/a: \"spec\" is a number at byte 48 where an object was expected"},
    {"{\"metadata\":{\"name\":true}}",
     "cannot read a Pod: \"name\" is true or false at byte 20 where a string was expected"},
    {"{\"metadata\":{\"labels\":[]}}",
     "cannot read a Pod: \"labels\" is an array at byte 22 where an object was expected"},
    {"{\"metadata\":{\"labels\":{\"a\":1}}}",
     "cannot read a Pod: \"labels\" is a number at byte 27 where a string was expected"},
    {"{\"spec\":{\"containers\":[null]}}",
     "cannot read a Pod: \"containers\" is null at byte 23 where an object was expected"},
    {"{\"spec\":{\"containers\":[{}",
     "cannot read a Pod: the JSON ends at byte 25 where ',' or ']' was expected"},
    {"{\"spec\":{\"priority\":2147483648}}",
     "cannot read a Pod: \"priority\" at byte 20 does not fit into 32 bits"},
    {"{\"spec\":{\"priority\":9223372036854775808}}",
     "cannot read a Pod: \"priority\": the number at byte 20 is not a 64-bit integer"},
    {"{\"spec\":{\"priority\":1e3}}",
     "cannot read a Pod: \"priority\": the number at byte 20 is not a 64-bit integer"},
    {"{\"metadata\":{\"creationTimestamp\":\"yesterday\"}}",
     "cannot read a Pod: \"creationTimestamp\" at byte 34 is not a time like 2026-01-31T12:00:00Z"},
    {"{\"x\":tru}", "cannot read a Pod: found '}' at byte 8 where true, false or null was expected"},
    {"{\"x\":1,}", "cannot read a Pod: found '}' at byte 7 where a string was expected"},
    {"{\"x\" 1}", "cannot read a Pod: found '1' at byte 5 where ':' was expected"},
    {"{\"x\":1 \"y\":2}", "cannot read a Pod: found '\"' at byte 7 where ',' or '}' was expected"},
    {"{\"metadata\":{\"labels\":{\"a\":\"\\ud800\"}}}",
     "cannot read a Pod: broken escape in the string at byte 28"},
};

static void what_does_not_fit_is_refused_with_name_and_byte(void **state) {
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    Error err = {0};
    KubeObject *object = NULL;
    assert_true(
        kube_object_decode(&kube_pod_type, KUBE_JSON, bad[i].json, strlen(bad[i].json), &object, &err) < 0);
    testing_assert_text(bad[i].json, err.text, bad[i].error);
    assert_null(object);
  }
}

/* An object with `depth` brackets in all, in a member that nobody reads. */
static Text nest(int depth) {
  Text json = {0};
  text_append(&json, "{\"x\":");
  for (int i = 1; i < depth; i++)
    text_append(&json, "[");
  for (int i = 1; i < depth; i++)
    text_append(&json, "]");
  text_append(&json, "}");
  return json;
}

static void objects_nest_to_the_limit_and_no_deeper(void **state) {
  Error err;
  CLEANUP(kube_object_freep) KubeObject *object = NULL;
  CLEANUP(text_deinit) Text within = nest(KUBE_JSON_DEPTH_MAX), beyond = {0};
  assert_ok(kube_object_decode(&kube_pod_type, KUBE_JSON, within.bytes, within.size, &object, &err));
  beyond = nest(KUBE_JSON_DEPTH_MAX + 1);
  KubeObject *none;
  assert_fails(kube_object_decode(&kube_pod_type, KUBE_JSON, beyond.bytes, beyond.size, &none, &err),
               "cannot read a Pod: brackets are nested deeper than 64 at byte 68");
  text_deinit(&beyond);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_are_read_as_kubernetes_means_them),
      cmocka_unit_test(what_does_not_fit_is_refused_with_name_and_byte),
      cmocka_unit_test(objects_nest_to_the_limit_and_no_deeper),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
