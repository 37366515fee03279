/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/reader_testing.h"

static void print(void *userdata, KubeObject *object) {
  testing_print_object(userdata, object);
  kube_object_free(object);
}

/* Feeds the bytes in pieces; the objects and the list's metadata as text, or the error's text. */
static Text read_list(const KubeType *type, KubeFormat format, const char *bytes, size_t size, size_t piece) {
  Error err;
  Text out = {0};
  CLEANUP(kube_list_reader_freep) KubeListReader *reader = kube_list_reader_new(type, format, print, &out);
  int result = 0;
  for (size_t i = 0; i < size && result == 0; i += piece)
    result = kube_list_reader_feed(reader, bytes + i, size - i < piece ? size - i : piece, &err);
  const char *resource_version = NULL, *continue_ = NULL;
  if (result == 0)
    result = kube_list_reader_finish(reader, &resource_version, &continue_, &err);
  if (result < 0)
    text_format(&out, "error: %s\n", err.text);
  else
    text_format(&out, "resourceVersion %s, continue %s\n", string_or_empty(resource_version),
                string_or_empty(continue_));
  return out;
}

static const struct {
  const char *file;
  const KubeType *type;
} lists[] = {{"pods", &kube_pod_type},
             {"nodes", &kube_node_type},
             {"empty-pods", &kube_pod_type},
             {"namespaces", &kube_namespace_type},
             {"volumes", &kube_persistent_volume_type},
             {"claims", &kube_persistent_volume_claim_type},
             {"classes", &kube_storage_class_type}};

static void lists_read_the_same_from_both_formats_at_any_split(void **state) {
  static const size_t pieces[] = {1, 2, 7, 100, SIZE_MAX};
  for (size_t i = 0; i < COUNT_OF(lists); i++) {
    CLEANUP(text_deinit) Text name = {0};
    text_format(&name, "%s.txt", lists[i].file);
    CLEANUP(text_deinit) Text wanted = testing_read(text_string(&name));
    for (KubeFormat format = KUBE_PROTOBUF; format <= KUBE_JSON; format++) {
      CLEANUP(text_deinit) Text bytes = testing_read_format(lists[i].file, format);
      for (size_t p = 0; p < COUNT_OF(pieces); p++) {
        size_t piece = pieces[p] < bytes.size ? pieces[p] : bytes.size;
        CLEANUP(text_deinit) Text found = read_list(lists[i].type, format, bytes.bytes, bytes.size, piece);
        assert_string_equal(text_string(&found), text_string(&wanted));
      }
    }
  }
}

#define BYTES(literal) literal, sizeof(literal) - 1
#define MAGIC          "k8s\0"

/* A list as "name name ... | resourceVersion continue", or the error. */
typedef struct Case {
  KubeFormat format;
  const char *bytes;
  size_t size;
  const char *result;
} Case;

static const Case cases[] = {
    {KUBE_JSON, BYTES(" { } \n"), "| "},
    {KUBE_JSON, BYTES("{\"items\":[],\"metadata\":{\"continue\":\"c\",\"resourceVersion\":\"1\"}}"), "| 1 c"},
    {KUBE_JSON, BYTES("{\"items\":null,\"kind\":\"PodList\",\"metadata\":null,\"x\":{\"items\":[{}]}}"),
     "| "},
    {KUBE_JSON, BYTES("{\"items\":null,\"kind\":\"PodList\",\"x\":{\"items\":[{}]},\"n\":1}"), "| "},
    {KUBE_JSON, BYTES("{\"items\":[{\"metadata\":{\"name\":\"a\"}} , {\"metadata\":{\"name\":\"b]\"}} ]}"),
     "a b] | "},
    {KUBE_JSON, BYTES("{\"n\":1,\"items\":[],\"items\":[{\"metadata\":{\"name\":\"a\"}}]}"), "a | "},
    {KUBE_JSON, BYTES("{\"kind\":\"NodeList\"}"),
     "error: list of Pods: the API server sent a NodeList instead of a PodList"},
    {KUBE_JSON, BYTES("{\"kind\":7}"),
     "error: list of Pods: found '7' at byte 8 where a string was expected"},
    {KUBE_JSON, BYTES("{\"items\":{}}"),
     "error: list of Pods: found '{' at byte 9 where the array of items was expected"},
    {KUBE_JSON, BYTES("{\"items\":[7]}"),
     "error: list of Pods: found '7' at byte 10 where an object or ']' was expected"},
    {KUBE_JSON, BYTES("{\"items\":[{},]}"),
     "error: list of Pods: found ']' at byte 13 where an object was expected"},
    {KUBE_JSON, BYTES("{\"items\":[{}{}]}"),
     "error: list of Pods: found '{' at byte 12 where ',' or ']' was expected"},
    {KUBE_JSON, BYTES("{\"items\":[{]}"),
     "error: list of Pods: cannot read a Pod: found ']' at byte 11 where a string was expected"},
    {KUBE_JSON, BYTES("{\"items\":[{\"metadata\":{\"namespace\":\"n\",\"name\":\"a\",\"labels\":1}}]}"),
     "error: list of Pods: cannot read the Pod n/a: \"labels\" is a number at byte 59 where an object was"
     " expected"},
    {KUBE_JSON, BYTES("{\"a\":1 \"b\":2}"),
     "error: list of Pods: found '\"' at byte 7 where ',' or '}' was expected"},
    {KUBE_JSON, BYTES("{\"a\" 1}"), "error: list of Pods: found '1' at byte 5 where ':' was expected"},
    {KUBE_JSON, BYTES("{\"a\":1,}"),
     "error: list of Pods: found '}' at byte 7 where a name in quotes was expected"},
    {KUBE_JSON, BYTES("{1}"),
     "error: list of Pods: found '1' at byte 1 where a name in quotes or '}' was expected"},
    {KUBE_JSON, BYTES("[]"), "error: list of Pods: found '[' at byte 0 where an object was expected"},
    {KUBE_JSON, BYTES("{}{}"),
     "error: list of Pods: found '{' at byte 2 where the end of the list was expected"},
    {KUBE_PROTOBUF, BYTES(MAGIC "\x12\x00"), "| "},
    {KUBE_PROTOBUF, BYTES(MAGIC "\x0a\x09\x12\x07PodList\x12\x04\x0a\x02\x12\x00\x1a\x00\x22\x00"), "| "},
    {KUBE_PROTOBUF, BYTES(MAGIC "\x12\x0a\x12\x00\x0a\x06\x12\x01\x37\x1a\x01\x63"), " | 7 c"},
    {KUBE_PROTOBUF, BYTES(MAGIC "\x12\x0e\x18\x05\x12\x05\x0a\x03\x0a\x01\x61\x2a\x03xyz"), "a | "},
    {KUBE_PROTOBUF, BYTES("\x0a\x00\x12\x00"),
     "error: list of Pods: the protobuf at byte 0 does not begin with k8s and a zero byte"},
    {KUBE_PROTOBUF, BYTES(MAGIC "\x0a\x0a\x12\x08NodeList"),
     "error: list of Pods: the API server sent a NodeList instead of a PodList"},
    {KUBE_PROTOBUF, BYTES(MAGIC "\x12\x03\x12\x02\x0a"),
     "error: list of Pods: the protobuf field 2 before byte 8 claims 2 bytes, beyond the end of the list"},
    {KUBE_PROTOBUF, BYTES(MAGIC "\x12\x01\x12\x00"),
     "error: list of Pods: the protobuf field 2 before byte 8 claims 0 bytes, beyond the end of the list"},
    {KUBE_PROTOBUF, BYTES(MAGIC "\x12\x00\x12\x00"), "error: list of Pods: a second list begins at byte 8"},
    {KUBE_PROTOBUF, BYTES(MAGIC "\x10\x00"),
     "error: list of Pods: the protobuf field 2 before byte 6 has wire type 0 instead of 2"},
    {KUBE_PROTOBUF, BYTES(MAGIC "\x13"),
     "error: list of Pods: the protobuf field 2 at byte 4 has wire type 3, which Kubernetes does not use"},
    {KUBE_PROTOBUF, BYTES(MAGIC "\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
     "error: list of Pods: the protobuf field 3 before byte 15 claims 18446744073709551615 bytes, beyond the "
     "end"
     " of the list"},
    {KUBE_PROTOBUF, BYTES(MAGIC "\x12\x80\x80\x80\x08\x12\x81\x80\x80\x04"),
     "error: list of Pods: the Pod at byte 14 has 8388609 bytes; at most 8388608 are read"},
    {KUBE_PROTOBUF, BYTES(MAGIC "\x12\x05\x12\x03\x0a\x01\x12"),
     "error: list of Pods: cannot read a Pod: the protobuf message is cut off at byte 11"},
};

static void print_name(void *userdata, KubeObject *object) {
  const ObjectMeta *meta = object->value;
  text_format(userdata, "%s ", string_or_empty(meta->name));
  kube_object_free(object);
}

static Text read_names(const Case *c, size_t piece) {
  Error err;
  Text out = {0};
  CLEANUP(kube_list_reader_freep)
  KubeListReader *reader = kube_list_reader_new(&kube_pod_type, c->format, print_name, &out);
  int result = 0;
  for (size_t i = 0; i < c->size && result == 0; i += piece)
    result = kube_list_reader_feed(reader, c->bytes + i, c->size - i < piece ? c->size - i : piece, &err);
  const char *resource_version = NULL, *continue_ = NULL;
  if (result == 0)
    result = kube_list_reader_finish(reader, &resource_version, &continue_, &err);
  if (result < 0) {
    text_clear(&out);
    text_format(&out, "error: %s", err.text);
  } else {
    text_format(&out, "| %s", string_or_empty(resource_version));
    if (continue_)
      text_format(&out, " %s", continue_);
  }
  return out;
}

static void lists_of_all_shapes_are_read_or_refused(void **state) {
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    for (size_t piece = 1; piece <= cases[i].size; piece++) {
      CLEANUP(text_deinit) Text result = read_names(&cases[i], piece);
      CLEANUP(text_deinit) Text name = {0};
      text_format(&name, "case %zu in pieces of %zu", i, piece);
      testing_assert_text(text_string(&name), text_string(&result), cases[i].result);
    }
  }
}

static void an_answer_that_ends_in_the_middle_is_no_list(void **state) {
  for (KubeFormat format = KUBE_PROTOBUF; format <= KUBE_JSON; format++) {
    CLEANUP(text_deinit) Text bytes = testing_read_format("pods", format);
    /* Behind the list, runtime.Unknown ends with two empty fields that nobody needs. */
    bool protobuf = format == KUBE_PROTOBUF;
    size_t end = protobuf ? bytes.size - 4 : bytes.size - 1;
    for (size_t size = 0; size < end; size++) {
      Case c = {format, bytes.bytes, size, NULL};
      CLEANUP(text_deinit) Text result = read_names(&c, size ? size : 1), wanted = {0};
      text_format(&wanted, "error: list of Pods: the answer ends in the middle, after %zu bytes", size);
      assert_string_equal(text_string(&result), text_string(&wanted));
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lists_read_the_same_from_both_formats_at_any_split),
      cmocka_unit_test(lists_of_all_shapes_are_read_or_refused),
      cmocka_unit_test(an_answer_that_ends_in_the_middle_is_no_list),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
