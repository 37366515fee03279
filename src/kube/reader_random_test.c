/* SPDX-License-Identifier: Apache-2.0 */
/* Real answers with random damage: whatever the readers say of it, they say the same at any split, and they
 * touch no byte that is not theirs (which the sanitizers watch). FACET_SEED=n replays a run. */
#include "kube/dump_testing.h"
#include "kube/reader_testing.h"

#include "base/memory.h"
#include "base/random.h"

#include <stdlib.h>

enum { ROUNDS = 6000 };

static void print_object(void *userdata, KubeObject *object) {
  testing_print_object(userdata, object);
  kube_object_free(object);
}

static void print_event(void *userdata, KubeWatchEvent *event) {
  text_format(userdata, "event %d, status %d %s\n", event->type, event->status.code, event->status.message);
  if (event->object)
    print_object(userdata, event->object);
}

static void print_bad(void *userdata, const Error *err) {
  text_format(userdata, "bad: %s\n", err->text);
}

static Text read_list(KubeFormat format, const char *bytes, size_t size, size_t piece) {
  Error err = {0};
  Text out = {0};
  CLEANUP(kube_list_reader_freep)
  KubeListReader *reader = kube_list_reader_new(&kube_pod_type, format, print_object, &out);
  int result = 0;
  for (size_t i = 0; i < size && result == 0; i += piece)
    result = kube_list_reader_feed(reader, bytes + i, size - i < piece ? size - i : piece, &err);
  const char *resource_version = NULL, *continue_ = NULL;
  if (result == 0)
    result = kube_list_reader_finish(reader, &resource_version, &continue_, &err);
  text_format(&out, "end: %s %s %s\n", err.text, string_or_empty(resource_version),
              string_or_empty(continue_));
  return out;
}

static Text read_watch(KubeFormat format, const char *bytes, size_t size, size_t piece) {
  Error err = {0};
  Text out = {0};
  CLEANUP(kube_watch_reader_freep)
  KubeWatchReader *reader = kube_watch_reader_new(&kube_pod_type, format, print_event, &out);
  int result = 0;
  for (size_t i = 0; i < size && result == 0; i += piece)
    result = kube_watch_reader_feed(reader, bytes + i, size - i < piece ? size - i : piece, &err);
  text_format(&out, "end: %s\n", err.text);
  return out;
}

static Text read_dump(KubeFormat format, const char *bytes, size_t size, size_t piece) {
  Error err = {0};
  Text out = {0};
  KubeDumpCounts counts;
  KubeDumpSink sink = {.on_object = print_object, .on_bad = print_bad, .userdata = &out};
  int result = dump_read_bytes(bytes, size, piece, &sink, &counts, &err);
  text_format(&out, "end: %d %s, %zu skipped\n", result, err.text, counts.skipped);
  KubeStatus status;
  kube_status_decode(format, bytes, size, &status);
  text_format(&out, "status %d %s %s\n", status.code, status.reason, status.message);
  return out;
}

static void damage(Random *random, Text *bytes) {
  static const char interesting[] = "\0\x01\x02\x0a\x12\x7f\x80\xff{}[]\",:\\u0tn-e ";
  char *bytes_at = bytes->bytes;
  for (uint64_t n = 1 + random_below(random, 4); n > 0; n--) {
    size_t place = random_below(random, bytes->size);
    switch (random_below(random, 4)) {
    case 0:
      bytes_at[place] ^= (char)(1 << random_below(random, 8));
      break;
    case 1:
      bytes_at[place] = interesting[random_below(random, sizeof interesting - 1)];
      break;
    case 2:
      bytes_at[place] = (char)random_next(random);
      break;
    default: /* a stretch moves over another one */
      memmove(bytes_at + place, bytes_at + random_below(random, place + 1),
              random_below(random, bytes->size - place) / 8);
    }
  }
  if (random_below(random, 8) == 0)
    bytes->size = 1 + random_below(random, bytes->size);
}

static uint64_t seed_of_run(void) {
  const char *text = getenv("FACET_SEED");
  return text ? strtoull(text, NULL, 10) : 20260701;
}

static void damage_and_read(const char *file, KubeFormat format,
                            Text (*read)(KubeFormat, const char *, size_t, size_t)) {
  Random random = {seed_of_run()};
  CLEANUP(text_deinit) Text whole = testing_read_format(file, format);
  for (int round = 0; round < ROUNDS; round++) {
    CLEANUP(text_deinit) Text bytes = {0};
    text_append_bytes(&bytes, whole.bytes, whole.size);
    damage(&random, &bytes);
    /* Exactly as large as its content, so that a sanitizer sees the first byte too many. */
    CLEANUP(cleanup_free) char *exact = mem_alloc(bytes.size);
    memcpy(exact, bytes.bytes, bytes.size);
    size_t piece = 1 + random_below(&random, 64);
    CLEANUP(text_deinit) Text once = read(format, exact, bytes.size, bytes.size);
    CLEANUP(text_deinit) Text split = read(format, exact, bytes.size, piece);
    if (strcmp(text_string(&once), text_string(&split)) != 0)
      fail_msg("seed %" PRIu64 ", %s, format %d, round %d, pieces of %zu: once\n%s\nsplit\n%s", seed_of_run(),
               file, format, round, piece, text_string(&once), text_string(&split));
  }
}

static void damaged_lists_do_no_harm(void **state) {
  damage_and_read("pods", KUBE_PROTOBUF, read_list);
  damage_and_read("pods", KUBE_JSON, read_list);
  damage_and_read("empty-pods", KUBE_PROTOBUF, read_list);
  damage_and_read("empty-pods", KUBE_JSON, read_list);
}

static void damaged_watches_do_no_harm(void **state) {
  damage_and_read("watch", KUBE_PROTOBUF, read_watch);
  damage_and_read("watch", KUBE_JSON, read_watch);
}

static void damaged_dumps_and_statuses_do_no_harm(void **state) {
  damage_and_read("pods", KUBE_JSON, read_dump);
  damage_and_read("status", KUBE_JSON, read_dump);
  damage_and_read("status", KUBE_PROTOBUF, read_dump);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(damaged_lists_do_no_harm),
      cmocka_unit_test(damaged_watches_do_no_harm),
      cmocka_unit_test(damaged_dumps_and_statuses_do_no_harm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
