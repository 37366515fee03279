/* SPDX-License-Identifier: Apache-2.0 */
/* A list in protobuf is two messages deep, and both are read field by field as they come:
 *
 *     "k8s\0"  Unknown { 1: TypeMeta,  2: raw ---------------------------------------,  3, 4: skipped }
 *                                         XList { 1: ListMeta, 2: item, 2: item, ... }
 *
 * The length of raw says where the list ends in the stream; no field of the list may reach beyond. */
#include "kube/list.h"

#include <inttypes.h>

/* Fields around the list, and fields of the list. */
enum { ANSWER_TYPE_META = 1, ANSWER_RAW = 2, LIST_META = 1, LIST_ITEM = 2 };

/* Behind a field: the list ends where its length said. */
static void end_field(KubeProtobufList *list, uint64_t offset) {
  list->state = KUBE_PROTOBUF_LIST_HEADER;
  if (list->inside && offset == list->end) {
    list->inside = false;
    list->complete = true;
  }
}

static int take_payload(KubeProtobufList *list, KubeListParts *parts, KubeBytes payload, Error *err) {
  int result;
  if (!list->inside) {
    KubeBytes kind;
    result = kube_envelope_kind(payload, &kind, err);
    if (result == 0)
      result = kube_list_take_kind(parts, kind, err);
  } else if (list->number == LIST_ITEM) {
    result = kube_list_take_item(parts, payload, err);
  } else {
    result = kube_list_take_meta(parts, payload, err);
  }
  end_field(list, payload.offset + payload.size);
  return result;
}

static int enter_list(KubeProtobufList *list, KubeBytes payload, Error *err) {
  if (list->complete)
    return error_set(err, ERROR_PROTOCOL, "a second list begins at byte %" PRIu64, payload.offset);
  list->inside = true;
  list->end = payload.offset + payload.size;
  end_field(list, payload.offset);
  return 0;
}

/* A length that leads out of the list, or out of what can be counted. */
static int check_payload(const KubeProtobufList *list, KubeBytes payload, Error *err) {
  uint64_t end = list->inside ? list->end : UINT64_MAX;
  if (payload.offset <= end && payload.size <= end - payload.offset)
    return 0;
  return error_set(err, ERROR_PROTOCOL,
                   "the protobuf field %" PRIu32 " before byte %" PRIu64
                   " claims %zu bytes, beyond the end of the list",
                   list->number, payload.offset, payload.size);
}

static int begin_field(KubeProtobufList *list, KubeListParts *parts, const KubeWireField *field, Error *err) {
  list->number = field->number;
  KubeBytes payload = field->bytes;
  int result = check_payload(list, payload, err);
  if (result < 0)
    return result;
  bool wanted = list->inside ? field->number == LIST_META || field->number == LIST_ITEM
                             : field->number == ANSWER_TYPE_META || field->number == ANSWER_RAW;
  if (wanted && field->type != KUBE_WIRE_BYTES)
    return error_set(err, ERROR_PROTOCOL,
                     "the protobuf field %" PRIu32 " before byte %" PRIu64 " has wire type %d instead of %d",
                     field->number, payload.offset, (int)field->type, (int)KUBE_WIRE_BYTES);
  if (wanted && !list->inside && field->number == ANSWER_RAW)
    return enter_list(list, payload, err);
  if (wanted && payload.size > KUBE_OBJECT_SIZE_MAX)
    return error_set(err, ERROR_LIMIT, "the %s at byte %" PRIu64 " has %zu bytes; at most %d are read",
                     parts->type->kind, payload.offset, payload.size, KUBE_OBJECT_SIZE_MAX);
  if (wanted && payload.size == 0)
    return take_payload(list, parts, (KubeBytes){"", 0, payload.offset}, err);
  if (payload.size == 0) {
    end_field(list, payload.offset);
    return 0;
  }
  list->state = wanted ? KUBE_PROTOBUF_LIST_TAKE : KUBE_PROTOBUF_LIST_SKIP;
  list->skip = payload.size;
  if (wanted)
    kube_gather_begin(&list->gather, payload.offset, payload.size);
  return 0;
}

/* Headers are few and short: they are put together byte by byte. */
static int feed_header(KubeProtobufList *list, KubeListParts *parts, KubeBytes *rest, Error *err) {
  list->header[list->header_size++] = *rest->at;
  kube_bytes_advance(rest, 1);
  KubeBytes header = {list->header, list->header_size, rest->offset - list->header_size};
  KubeWireField field;
  int result = kube_wire_header(&header, &field, err);
  if (result == KUBE_WIRE_MORE)
    return 0;
  list->header_size = 0;
  return result < 0 ? result : begin_field(list, parts, &field, err);
}

static void feed_skip(KubeProtobufList *list, KubeBytes *rest) {
  size_t size = list->skip < rest->size ? list->skip : rest->size;
  kube_bytes_advance(rest, size);
  list->skip -= size;
  if (list->skip == 0)
    end_field(list, rest->offset);
}

static int feed_magic(KubeProtobufList *list, KubeBytes *rest, Error *err) {
  KubeBytes magic;
  if (list->gather.wanted == 0)
    kube_gather_begin(&list->gather, rest->offset, KUBE_ENVELOPE_MAGIC_SIZE);
  if (!kube_gather_feed(&list->gather, rest, &magic))
    return 0;
  list->state = KUBE_PROTOBUF_LIST_HEADER;
  return kube_envelope_check_magic(magic, err);
}

static int feed_some(KubeProtobufList *list, KubeListParts *parts, KubeBytes *rest, Error *err) {
  KubeBytes payload;
  switch (list->state) {
  case KUBE_PROTOBUF_LIST_MAGIC:
    return feed_magic(list, rest, err);
  case KUBE_PROTOBUF_LIST_HEADER:
    return feed_header(list, parts, rest, err);
  case KUBE_PROTOBUF_LIST_SKIP:
    feed_skip(list, rest);
    return 0;
  case KUBE_PROTOBUF_LIST_TAKE:
    break;
  }
  return kube_gather_feed(&list->gather, rest, &payload) ? take_payload(list, parts, payload, err) : 0;
}

int kube_protobuf_list_feed(KubeProtobufList *list, KubeListParts *parts, KubeBytes rest, Error *err) {
  while (rest.size > 0) {
    int result = feed_some(list, parts, &rest, err);
    if (result < 0)
      return result;
  }
  return 0;
}

bool kube_protobuf_list_is_complete(const KubeProtobufList *list) {
  return list->complete && list->state == KUBE_PROTOBUF_LIST_HEADER && list->header_size == 0;
}
