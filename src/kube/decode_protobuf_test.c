/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/decode.h"

#include "kube/reader_testing.h"
#include "kube/store.h"

/* Messages are put together as text of bytes: field(number, type 2, bytes). */
static void put_varint(Text *out, uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    text_append_bytes(out, &(char){(char)(value | 0x80)}, 1);
  text_append_bytes(out, &(char){(char)value}, 1);
}

static void put_bytes(Text *out, uint32_t number, const void *bytes, size_t size) {
  put_varint(out, number << 3 | 2);
  put_varint(out, size);
  text_append_bytes(out, bytes, size);
}

static void put_string(Text *out, uint32_t number, const char *string) {
  put_bytes(out, number, string, strlen(string));
}

static void put_number(Text *out, uint32_t number, uint64_t value) {
  put_varint(out, number << 3);
  put_varint(out, value);
}

/* Field `number` of `out` becomes `inner`, which is released. */
static void put_message(Text *out, uint32_t number, Text *inner) {
  put_bytes(out, number, text_string(inner), inner->size);
  text_deinit(inner);
}

static int decode(const Text *bytes, KubeObject **ret_object, Error *err) {
  return kube_object_decode(&kube_pod_type, KUBE_PROTOBUF, text_string(bytes), bytes->size, ret_object, err);
}

static void assert_decodes(Text *bytes, const char *line) {
  Error err;
  CLEANUP(kube_object_freep) KubeObject *object = NULL;
  assert_ok(decode(bytes, &object, &err));
  text_deinit(bytes);
  CLEANUP(text_deinit) Text text = {0};
  testing_print_object(&text, object);
  if (!strstr(text_string(&text), line))
    fail_msg("no line %s in\n%s", line, text_string(&text));
}

static void assert_refused(Text *bytes, const char *wanted) {
  Error err = {0};
  KubeObject *object;
  assert_fails(decode(bytes, &object, &err), wanted);
  text_deinit(bytes);
}

static void unknown_fields_of_all_wire_types_are_skipped(void **state) {
  Text meta = {0}, pod = {0};
  put_number(&meta, 7, UINT64_MAX);
  put_string(&meta, 1, "a");
  put_varint(&meta, 100 << 3 | 1);
  text_append(&meta, "12345678");
  put_varint(&meta, 101 << 3 | 5);
  text_append(&meta, "1234");
  put_bytes(&meta, 17, "anything \xff", 10);
  put_string(&meta, 3, "n");
  put_message(&pod, 1, &meta);
  assert_decodes(&pod, "metadata.namespace: \"n\"\n");
}

static void a_negative_int32_takes_ten_bytes(void **state) {
  Text spec = {0}, pod = {0};
  put_number(&spec, 25, (uint64_t)INT64_C(-5));
  put_message(&pod, 2, &spec);
  assert_decodes(&pod, "spec.priority: -5\n");
}

static void of_a_scalar_that_occurs_twice_the_last_wins(void **state) {
  Text meta = {0}, pod = {0};
  put_string(&meta, 1, "first");
  put_string(&meta, 1, "last");
  put_message(&pod, 1, &meta);
  assert_decodes(&pod, "metadata.name: \"last\"\n");
}

static void list_items_may_be_apart(void **state) {
  Text spec = {0}, pod = {0}, one = {0}, two = {0};
  put_string(&one, 1, "one");
  put_string(&two, 1, "two");
  put_message(&spec, 2, &one);
  put_string(&spec, 10, "node");
  put_message(&spec, 2, &two);
  put_message(&pod, 2, &spec);
  assert_decodes(&pod, "spec.containers[1].name: \"two\"\n");
}

static void a_map_entry_without_key_or_value_has_empty_ones(void **state) {
  Text meta = {0}, pod = {0}, value = {0};
  put_string(&value, 2, "v");
  put_message(&meta, 11, &value);
  put_string(&meta, 12, "");
  put_message(&pod, 1, &meta);
  assert_decodes(&pod, "metadata.labels: \"\"=\"v\"\nmetadata.annotations: \"\"=\"\"\n");
}

static void map_entries_are_sorted_and_unique(void **state) {
  static const char *const pairs[][2] = {{"b", "1"}, {"a", "2"}, {"b", "3"}};
  Text meta = {0}, pod = {0};
  for (size_t i = 0; i < COUNT_OF(pairs); i++) {
    Text entry = {0};
    put_string(&entry, 1, pairs[i][0]);
    put_string(&entry, 2, pairs[i][1]);
    put_message(&meta, 11, &entry);
  }
  put_message(&pod, 1, &meta);
  assert_decodes(&pod, "metadata.labels: \"a\"=\"2\" \"b\"=\"3\"\n");
}

static void a_sub_message_that_occurs_twice_is_refused(void **state) {
  Text pod = {0};
  put_string(&pod, 2, "");
  put_string(&pod, 2, "");
  assert_refused(&pod, "cannot read a Pod: \"spec\" at byte 4 occurs a second time");
}

static void a_known_field_of_another_wire_type_is_refused(void **state) {
  Text meta = {0}, pod = {0};
  put_string(&meta, 1, "web");
  put_number(&meta, 3, 1);
  put_message(&pod, 1, &meta);
  assert_refused(&pod, "cannot read the Pod web: \"namespace\" before byte 9 has wire type 0 instead of 2");
}

static void a_length_beyond_the_message_around_is_refused(void **state) {
  Text meta = {0}, pod = {0};
  put_varint(&meta, 1 << 3 | 2);
  put_varint(&meta, 3);
  text_append(&meta, "ab");
  put_message(&pod, 1, &meta);
  text_append(&pod, "c");
  assert_refused(&pod,
                 "cannot read a Pod: the protobuf field 1 at byte 4 claims 3 bytes, but only 2 are left");
}

/* A pod with that many scheduling gates. */
static Text pod_with_gates(size_t count) {
  Text spec = {0}, pod = {0};
  for (size_t i = 0; i < count; i++)
    put_string(&spec, 38, "");
  put_message(&pod, 2, &spec);
  return pod;
}

static void lists_are_read_up_to_the_limit(void **state) {
  Error err;
  CLEANUP(kube_object_freep) KubeObject *object = NULL;
  CLEANUP(text_deinit) Text within = pod_with_gates(KUBE_ITEMS_MAX);
  assert_ok(decode(&within, &object, &err));
  const Pod *pod = object->value;
  assert_int_equal(pod_common(pod)->scheduling_gates.count, KUBE_ITEMS_MAX);
  Text beyond = pod_with_gates(KUBE_ITEMS_MAX + 1);
  assert_refused(&beyond,
                 "cannot read a Pod: \"schedulingGates\" has 1048577 entries; at most 1048576 are read");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(unknown_fields_of_all_wire_types_are_skipped),
      cmocka_unit_test(a_negative_int32_takes_ten_bytes),
      cmocka_unit_test(of_a_scalar_that_occurs_twice_the_last_wins),
      cmocka_unit_test(list_items_may_be_apart),
      cmocka_unit_test(a_map_entry_without_key_or_value_has_empty_ones),
      cmocka_unit_test(map_entries_are_sorted_and_unique),
      cmocka_unit_test(a_sub_message_that_occurs_twice_is_refused),
      cmocka_unit_test(a_known_field_of_another_wire_type_is_refused),
      cmocka_unit_test(a_length_beyond_the_message_around_is_refused),
      cmocka_unit_test(lists_are_read_up_to_the_limit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
