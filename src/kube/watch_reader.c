/* SPDX-License-Identifier: Apache-2.0 */
/* A watch is a row of events, each {type, object}:
 *
 *     protobuf   4-byte big-endian length, WatchEvent {1: type, 2: RawExtension {1: raw}}, and raw is an
 *                answer of its own: "k8s\0" Unknown {typeMeta, 2: the object}
 *     JSON       {"type": "ADDED", "object": {...}}, one behind the other
 *
 * The object of an ERROR is a Status. */
#include "kube/decode.h"
#include "kube/gather.h"
#include "kube/json_pull.h"
#include "kube/json_scan.h"
#include "kube/wire.h"

#include "base/memory.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* Around the object in a frame: type, typeMeta, tags and lengths. */
enum { FRAME_LENGTH_SIZE = 4, FRAME_OVERHEAD_MAX = 1024 };

struct KubeWatchReader {
  const KubeType *type;
  KubeFormat format;
  KubeOnWatchEvent *on_event;
  void *userdata;
  bool in_event;       /* else in a frame's length, or between JSON events */
  KubeGather frame;    /* protobuf */
  KubeJsonValue value; /* JSON */
  uint64_t offset;
  bool failed;
};

/* An event as it stands in the stream. */
typedef struct RawEvent {
  KubeBytes type;
  KubeBytes object;
} RawEvent;

KubeWatchReader *kube_watch_reader_new(const KubeType *type, KubeFormat format, KubeOnWatchEvent *on_event,
                                       void *userdata) {
  assert(type && on_event);
  KubeWatchReader *reader = mem_alloc(sizeof *reader);
  reader->type = type;
  reader->format = format;
  reader->on_event = on_event;
  reader->userdata = userdata;
  kube_gather_begin(&reader->frame, 0, FRAME_LENGTH_SIZE);
  return reader;
}

void kube_watch_reader_free(KubeWatchReader *reader) {
  if (!reader)
    return;
  kube_gather_deinit(&reader->frame);
  kube_json_value_deinit(&reader->value);
  free(reader);
}

static int find_event_type(KubeBytes word, KubeEventType *ret_type, Error *err) {
  static const char *const names[] = {
      [KUBE_EVENT_ADDED] = "ADDED",     [KUBE_EVENT_MODIFIED] = "MODIFIED",
      [KUBE_EVENT_DELETED] = "DELETED", [KUBE_EVENT_BOOKMARK] = "BOOKMARK",
      [KUBE_EVENT_ERROR] = "ERROR",
  };
  for (size_t i = 0; i < COUNT_OF(names); i++) {
    if (strlen(names[i]) == word.size && memcmp(names[i], word.at, word.size) == 0) {
      *ret_type = (KubeEventType)i;
      return 0;
    }
  }
  return error_set(err, ERROR_PROTOCOL, "unknown type of event \"%.*s\" at byte %" PRIu64,
                   (int)(word.size < 32 ? word.size : 32), word.at ? word.at : "", word.offset);
}

static int decode_object(const KubeWatchReader *reader, KubeBytes bytes, KubeObject **ret_object,
                         Error *err) {
  KubeEnvelope answer = {.raw = bytes};
  int result = 0;
  if (reader->format == KUBE_PROTOBUF)
    result = kube_envelope_open(bytes, &answer, err);
  if (result == 0)
    result = kube_envelope_check_kind(answer.kind, reader->type->kind, "", err);
  if (result < 0)
    return result;
  return kube_object_decode_bytes(reader->type, reader->format, answer.raw, ret_object, err);
}

static int deliver(KubeWatchReader *reader, const RawEvent *raw, Error *err) {
  KubeWatchEvent event = {.status.retry_after_s = -1};
  int result = find_event_type(raw->type, &event.type, err);
  if (result < 0)
    return result;
  if (event.type == KUBE_EVENT_ERROR)
    kube_status_decode(reader->format, raw->object.at, raw->object.size, &event.status);
  else
    result = decode_object(reader, raw->object, &event.object, err);
  if (result < 0)
    return result;
  reader->on_event(reader->userdata, &event);
  return 0;
}

/* The bytes of a RawExtension {1: raw}. */
static int open_extension(KubeBytes extension, KubeBytes *ret_raw, Error *err) {
  while (extension.size > 0) {
    KubeWireField field;
    int result = kube_wire_next(&extension, &field, err);
    if (result < 0)
      return result;
    if (field.number == 1)
      *ret_raw = field.bytes;
  }
  return 0;
}

static int read_frame(KubeWatchReader *reader, KubeBytes frame, Error *err) {
  RawEvent raw = {.type = {frame.at, 0, frame.offset}, .object = {frame.at, 0, frame.offset}};
  while (frame.size > 0) {
    KubeWireField field;
    int result = kube_wire_next(&frame, &field, err);
    if (result == 0 && field.number == 2)
      result = open_extension(field.bytes, &raw.object, err);
    if (result < 0)
      return result;
    if (field.number == 1)
      raw.type = field.bytes;
  }
  return deliver(reader, &raw, err);
}

static int begin_frame(KubeWatchReader *reader, KubeBytes length, Error *err) {
  const unsigned char *bytes = (const unsigned char *)length.at;
  size_t size = (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
  if (size > KUBE_OBJECT_SIZE_MAX + FRAME_OVERHEAD_MAX)
    return error_set(err, ERROR_LIMIT, "the event at byte %" PRIu64 " has %zu bytes; at most %d are read",
                     length.offset, size, KUBE_OBJECT_SIZE_MAX);
  if (size == 0)
    return error_set(err, ERROR_PROTOCOL, "the event at byte %" PRIu64 " is empty", length.offset);
  reader->in_event = true;
  kube_gather_begin(&reader->frame, length.offset + FRAME_LENGTH_SIZE, size);
  return 0;
}

static int feed_protobuf(KubeWatchReader *reader, KubeBytes *rest, Error *err) {
  KubeBytes bytes;
  if (!kube_gather_feed(&reader->frame, rest, &bytes))
    return 0;
  if (!reader->in_event)
    return begin_frame(reader, bytes, err);
  int result = read_frame(reader, bytes, err);
  reader->in_event = false;
  kube_gather_begin(&reader->frame, rest->offset, FRAME_LENGTH_SIZE);
  return result;
}

static int read_member(KubeJson *json, RawEvent *raw, Error *err) {
  KubeJsonText name, text;
  int result = kube_json_next_name(json, &name, err);
  if (result != 0)
    return result;
  if (kube_json_text_equal(&name, "object"))
    return kube_json_skip(json, &raw->object, err);
  if (!kube_json_text_equal(&name, "type"))
    return kube_json_skip(json, NULL, err);
  result = kube_json_read_text(json, &text, err);
  if (result == 0)
    raw->type = text.raw;
  return result;
}

static int read_value(KubeWatchReader *reader, KubeBytes value, Error *err) {
  KubeJson json = {.rest = value};
  RawEvent raw = {.type = {value.at, 0, value.offset}, .object = {value.at, 0, value.offset}};
  int result = kube_json_open(&json, '{', err);
  while (result == 0)
    result = read_member(&json, &raw, err);
  return result < 0 ? result : deliver(reader, &raw, err);
}

static int feed_json(KubeWatchReader *reader, KubeBytes *rest, Error *err) {
  if (!reader->in_event) {
    if (kube_json_is_space(*rest->at)) {
      kube_bytes_advance(rest, 1);
      return 0;
    }
    reader->in_event = true;
    kube_json_value_begin(&reader->value, rest->offset, *rest->at, KUBE_JSON_KEEP);
  }
  KubeBytes value;
  int result = kube_json_value_feed(&reader->value, rest, &value, err);
  if (result != KUBE_JSON_DONE)
    return result;
  reader->in_event = false;
  return read_value(reader, value, err);
}

int kube_watch_reader_feed(KubeWatchReader *reader, const void *bytes, size_t size, Error *err) {
  assert(!reader->failed);
  KubeBytes rest = {bytes, size, reader->offset};
  reader->offset += size;
  while (rest.size > 0) {
    int result =
        reader->format == KUBE_PROTOBUF ? feed_protobuf(reader, &rest, err) : feed_json(reader, &rest, err);
    if (result < 0) {
      reader->failed = true;
      return error_prefix(err, "watch of %ss", reader->type->kind);
    }
  }
  return 0;
}
