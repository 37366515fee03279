/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/reader_testing.h"

#include "base/memory.h"

/* runtime.Unknown around nothing: {1: {1: "v1", 2: "Pod"}, 2: ""}. */
static const char empty_pod[] = "k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod\x12\x00";
static const char a_status[] = "k8s\0\x0a\x0c\x0a\x02v1\x12\x06Status\x12\x00";

static void the_content_type_says_the_format(void **state) {
  assert_int_equal(kube_format_of("application/vnd.kubernetes.protobuf"), KUBE_PROTOBUF);
  assert_int_equal(kube_format_of("application/vnd.kubernetes.protobuf;stream=watch"), KUBE_PROTOBUF);
  assert_int_equal(kube_format_of("Application/Vnd.Kubernetes.Protobuf"), KUBE_PROTOBUF);
  assert_int_equal(kube_format_of("application/json"), KUBE_JSON);
  assert_int_equal(kube_format_of("text/html"), KUBE_JSON);
  assert_int_equal(kube_format_of(NULL), KUBE_JSON);
}

static int decode_answer(KubeFormat format, const void *bytes, size_t size, Error *err) {
  CLEANUP(kube_object_freep) KubeObject *object = NULL;
  int result = kube_object_decode_answer(&kube_pod_type, format, bytes, size, &object, err);
  if (result == 0)
    assert_ptr_equal(object->type, &kube_pod_type);
  return result;
}

static void an_answer_must_be_of_the_wanted_kind(void **state) {
  Error err;
  assert_ok(decode_answer(KUBE_PROTOBUF, empty_pod, sizeof empty_pod - 1, &err));
  assert_fails(decode_answer(KUBE_PROTOBUF, a_status, sizeof a_status - 1, &err),
               "the API server sent a Status instead of a Pod");
  const char *json = "{\"metadata\":{},\"kind\":\"Pod\"}", *wrong = "{\"kind\":\"Status\"}", *none = "{}";
  assert_ok(decode_answer(KUBE_JSON, json, strlen(json), &err));
  assert_ok(decode_answer(KUBE_JSON, none, strlen(none), &err));
  assert_fails(decode_answer(KUBE_JSON, wrong, strlen(wrong), &err),
               "the API server sent a Status instead of a Pod");
}

static void an_answer_without_its_envelope_is_refused(void **state) {
  Error err;
  assert_fails(decode_answer(KUBE_PROTOBUF, "k8", 2, &err), "the protobuf at byte 0 is only 2 bytes long");
  assert_fails(decode_answer(KUBE_PROTOBUF, "k8s\1\x12\0", 6, &err),
               "the protobuf at byte 0 does not begin with k8s and a zero byte");
  for (size_t size = 0; size < sizeof empty_pod - 1; size++) {
    bool between_fields = size == 4 || size == sizeof empty_pod - 3;
    assert_int_equal(decode_answer(KUBE_PROTOBUF, empty_pod, size, &err) == 0, between_fields);
  }
}

static void an_object_is_read_up_to_the_limit(void **state) {
  Error err;
  CLEANUP(kube_object_freep) KubeObject *object = NULL;
  CLEANUP(cleanup_free) char *json = mem_alloc(KUBE_OBJECT_SIZE_MAX + 1);
  memset(json, ' ', KUBE_OBJECT_SIZE_MAX + 1);
  memcpy(json, "{}", 2);
  assert_ok(kube_object_decode(&kube_pod_type, KUBE_JSON, json, KUBE_OBJECT_SIZE_MAX, &object, &err));
  KubeObject *none;
  assert_fails(kube_object_decode(&kube_pod_type, KUBE_JSON, json, KUBE_OBJECT_SIZE_MAX + 1, &none, &err),
               "the Pod at byte 0 has 8388609 bytes; at most 8388608 are read");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_content_type_says_the_format),
      cmocka_unit_test(an_answer_must_be_of_the_wanted_kind),
      cmocka_unit_test(an_answer_without_its_envelope_is_refused),
      cmocka_unit_test(an_object_is_read_up_to_the_limit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
