/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer target for everything that reads Kubernetes objects. The first byte chooses the reader and its
 * format, the second one the size of the pieces that the rest is fed in. */
#include "kube/dump_testing.h"
#include "kube/reader.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Input {
  KubeFormat format;
  const char *bytes;
  size_t size;
  size_t piece;
} Input;

static void drop_object(void *userdata, KubeObject *object) {
  kube_object_free(object);
}

static void drop_event(void *userdata, KubeWatchEvent *event) {
  kube_object_free(event->object);
}

static void drop_bad(void *userdata, const Error *err) {
}

static size_t piece_at(const Input *input, size_t i) {
  return input->size - i < input->piece ? input->size - i : input->piece;
}

static void read_object(const Input *input) {
  Error err;
  CLEANUP(kube_object_freep) KubeObject *bare = NULL;
  CLEANUP(kube_object_freep) KubeObject *answer = NULL;
  (void)!kube_object_decode(&kube_pod_type, input->format, input->bytes, input->size, &bare, &err);
  (void)!kube_object_decode_answer(&kube_node_type, input->format, input->bytes, input->size, &answer, &err);
}

static void read_list(const Input *input) {
  Error err;
  CLEANUP(kube_list_reader_freep)
  KubeListReader *reader = kube_list_reader_new(&kube_pod_type, input->format, drop_object, NULL);
  for (size_t i = 0; i < input->size; i += input->piece)
    if (kube_list_reader_feed(reader, input->bytes + i, piece_at(input, i), &err) < 0)
      return;
  const char *resource_version, *continue_;
  (void)!kube_list_reader_finish(reader, &resource_version, &continue_, &err);
}

static void read_watch(const Input *input) {
  Error err;
  CLEANUP(kube_watch_reader_freep)
  KubeWatchReader *reader = kube_watch_reader_new(&kube_pod_type, input->format, drop_event, NULL);
  for (size_t i = 0; i < input->size; i += input->piece)
    if (kube_watch_reader_feed(reader, input->bytes + i, piece_at(input, i), &err) < 0)
      return;
}

static void read_dump(const Input *input) {
  Error err;
  KubeStatus status;
  KubeDumpCounts counts;
  KubeDumpSink sink = {.on_object = drop_object, .on_bad = drop_bad};
  (void)!dump_read_bytes(input->bytes, input->size, input->piece, &sink, &counts, &err);
  kube_status_decode(input->format, input->bytes, input->size, &status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static void (*const readers[])(const Input *) = {read_object, read_list, read_watch, read_dump};
  if (size < 2)
    return 0;
  Input input = {(KubeFormat)(data[0] & 1), (const char *)data + 2, size - 2, 1 + (size_t)data[1]};
  readers[data[0] >> 1 & 3](&input);
  return 0;
}
