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
  const char *resource_version, *continue_;
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
} lists[] = {{"pods", &kube_pod_type}, {"nodes", &kube_node_type}, {"empty-pods", &kube_pod_type}};

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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lists_read_the_same_from_both_formats_at_any_split),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
