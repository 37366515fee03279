/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/reader_testing.h"

#define BYTES(literal) literal, sizeof(literal) - 1

/* An event as "ADDED research/trainer-0 4711" and the like. */
static void print_event(void *userdata, KubeWatchEvent *event) {
  static const char *const names[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"};
  Text *out = userdata;
  text_format(out, "%s", names[event->type]);
  if (event->type == KUBE_EVENT_ERROR)
    text_format(out, " %d %s: %s\n", event->status.code, event->status.reason, event->status.message);
  else {
    const ObjectMeta *meta = event->object->value;
    text_format(out, " %s/%s %s\n", string_or_empty(meta->namespace_), string_or_empty(meta->name),
                string_or_empty(meta->resource_version.text));
  }
  kube_object_free(event->object);
}

/* The events, and the error where there is one. */
static Text read_watch(KubeFormat format, const char *bytes, size_t size, size_t piece) {
  Error err;
  Text out = {0};
  CLEANUP(kube_watch_reader_freep)
  KubeWatchReader *reader = kube_watch_reader_new(&kube_pod_type, format, print_event, &out);
  for (size_t i = 0; i < size; i += piece) {
    if (kube_watch_reader_feed(reader, bytes + i, size - i < piece ? size - i : piece, &err) < 0) {
      text_format(&out, "error: %s\n", err.text);
      break;
    }
  }
  return out;
}

static void events_read_the_same_from_both_formats_at_any_split(void **state) {
  for (KubeFormat format = KUBE_PROTOBUF; format <= KUBE_JSON; format++) {
    CLEANUP(text_deinit) Text bytes = testing_read_format("watch", format);
    for (size_t piece = 1; piece <= bytes.size; piece += piece < 20 ? 1 : 97) {
      CLEANUP(text_deinit) Text events = read_watch(format, bytes.bytes, bytes.size, piece);
      assert_string_equal(text_string(&events), "ADDED research/trainer-0 4711\n"
                                                "MODIFIED default/plain 12\n"
                                                "DELETED default/hollow \n"
                                                "BOOKMARK / 4712\n"
                                                "ERROR 410 Expired: too old resource version: 12 (4711)\n");
    }
  }
}

static void keep_annotation(void *userdata, KubeWatchEvent *event) {
  Text *out = userdata;
  if (event->type == KUBE_EVENT_BOOKMARK) {
    const KeyValues *annotations = &pod_common(event->object->value)->annotations;
    assert_int_equal(annotations->count, 1);
    text_format(out, "%s=%s", annotations->items[0].key, annotations->items[0].value);
  }
  kube_object_free(event->object);
}

static void a_bookmark_may_mark_the_end_of_the_initial_events(void **state) {
  for (KubeFormat format = KUBE_PROTOBUF; format <= KUBE_JSON; format++) {
    Error err;
    CLEANUP(text_deinit) Text bytes = testing_read_format("watch", format), out = {0};
    CLEANUP(kube_watch_reader_freep)
    KubeWatchReader *reader = kube_watch_reader_new(&kube_pod_type, format, keep_annotation, &out);
    assert_ok(kube_watch_reader_feed(reader, bytes.bytes, bytes.size, &err));
    assert_string_equal(text_string(&out), "k8s.io/initial-events-end=true");
  }
}

/* A stream that ends in the middle of an event yields the events before, and no error: connections break. */
static void a_cut_stream_yields_whole_events_only(void **state) {
  for (KubeFormat format = KUBE_PROTOBUF; format <= KUBE_JSON; format++) {
    CLEANUP(text_deinit) Text bytes = testing_read_format("watch", format);
    CLEANUP(text_deinit) Text all = read_watch(format, bytes.bytes, bytes.size, bytes.size);
    for (size_t size = 0; size < bytes.size; size++) {
      CLEANUP(text_deinit) Text some = read_watch(format, bytes.bytes, size, size ? size : 1);
      assert_memory_equal(text_string(&all), text_string(&some), some.size);
      assert_true(some.size == 0 || text_string(&some)[some.size - 1] == '\n');
    }
  }
}

static const struct {
  KubeFormat format;
  const char *bytes;
  size_t size;
  const char *events;
} cases[] = {
    {KUBE_JSON, BYTES(" \n\t"), ""},
    {KUBE_JSON,
     BYTES("{\"object\":{\"metadata\":{\"name\":\"a\"}},\"x\":1,\"type\":\"ADDED\"}{\"type\":\"DELETED\","
           "\"object\":{}}"),
     "ADDED /a \nDELETED / \n"},
    {KUBE_JSON, BYTES("{\"type\":\"ADDED\",\"object\":{}}\n{\"type\":\"BOOM\"}"),
     "ADDED / \nerror: watch of Pods: unknown type of event \"BOOM\" at byte 38\n"},
    {KUBE_JSON, BYTES("{}"), "error: watch of Pods: unknown type of event \"\" at byte 0\n"},
    {KUBE_JSON, BYTES("[]"), "error: watch of Pods: found '[' at byte 0 where an object was expected\n"},
    {KUBE_JSON, BYTES("{\"type\":\"ADDED\",\"object\":{\"metadata\":7}}"),
     "error: watch of Pods: cannot read a Pod: \"metadata\" is a number at byte 37 where an object was "
     "expected\n"},
    {KUBE_JSON, BYTES("{\"type\":\"ADDED\",}"),
     "error: watch of Pods: found '}' at byte 16 where a name in quotes was expected\n"},
    {KUBE_JSON, BYTES("{\"type\":\"ERROR\",\"object\":\"what\"}"), "ERROR 0 : \"what\"\n"},
    {KUBE_PROTOBUF, BYTES("\0\0\0\0"), "error: watch of Pods: the event at byte 0 is empty\n"},
    {KUBE_PROTOBUF,
     BYTES("\0\0\0\x07\x0a\x05"
           "ADDED"),
     "error: watch of Pods: the protobuf at byte 4 is only 0 bytes long\n"},
    {KUBE_PROTOBUF,
     BYTES("\0\0\0\x15\x0a\x05"
           "ADDED"
           "\x12\x0c\x0a\x0ak8s\0\x0a\x00\x12\x02\x0a\x00"),
     "ADDED / \n"},
    {KUBE_PROTOBUF, BYTES("\0\0\0\x02\x0a\x05"),
     "error: watch of Pods: the protobuf field 1 at byte 6 claims 5 bytes, but only 0 are left\n"},
    {KUBE_PROTOBUF, BYTES("\x00\x80\x04\x01"),
     "error: watch of Pods: the event at byte 0 has 8389633 bytes; at most 8388608 are read\n"},
};

static void events_of_all_shapes_are_read_or_refused(void **state) {
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    for (size_t piece = 1; piece <= cases[i].size; piece++) {
      CLEANUP(text_deinit) Text events = read_watch(cases[i].format, cases[i].bytes, cases[i].size, piece);
      testing_assert_text(cases[i].bytes, text_string(&events), cases[i].events);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(events_read_the_same_from_both_formats_at_any_split),
      cmocka_unit_test(a_bookmark_may_mark_the_end_of_the_initial_events),
      cmocka_unit_test(a_cut_stream_yields_whole_events_only),
      cmocka_unit_test(events_of_all_shapes_are_read_or_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
