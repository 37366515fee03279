/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a list's parts is the same for both formats; how they are found in the stream is not, and
 * stands in list_protobuf.c and list_json.c. */
#include "kube/list.h"

#include "base/memory.h"

#include <assert.h>
#include <inttypes.h>

struct KubeListReader {
  KubeListParts parts;
  KubeProtobufList protobuf;
  KubeJsonList json;
  uint64_t offset; /* bytes fed so far */
  bool failed;
};

/* Numbers of apimachinery meta/v1 generated.proto. */
static const KubeField list_meta_fields[] = {
    {"resourceVersion", 2, KUBE_STRING, offsetof(KubeListMeta, resource_version), NULL, 0, -1, 0},
    {"continue", 3, KUBE_STRING, offsetof(KubeListMeta, continue_), NULL, 0, -1, 0},
};
static const KubeMessage list_meta = {list_meta_fields, COUNT_OF(list_meta_fields)};

int kube_list_take_kind(KubeListParts *parts, KubeBytes kind, Error *err) {
  return kube_envelope_check_kind(kind, parts->type->kind, "List", err);
}

int kube_list_take_meta(KubeListParts *parts, KubeBytes meta, Error *err) {
  return parts->format == KUBE_PROTOBUF
             ? kube_decode_protobuf(&list_meta, meta, &parts->arena, &parts->meta, err)
             : kube_decode_json(&list_meta, meta, &parts->arena, &parts->meta, err);
}

int kube_list_take_item(KubeListParts *parts, KubeBytes item, Error *err) {
  KubeObject *object;
  int result = kube_object_decode_bytes(parts->type, parts->format, item, &object, err);
  if (result < 0)
    return result;
  parts->on_object(parts->userdata, object);
  return 0;
}

static int take_json_kind(KubeListParts *parts, KubeBytes value, Error *err) {
  KubeJson json = {.rest = value};
  KubeJsonText text;
  int result = kube_json_read_text(&json, &text, err);
  return result < 0 ? result : kube_list_take_kind(parts, text.raw, err);
}

/* "items": null is how Go writes a list that was never made; it is as good as []. */
static int take_json_member(void *userdata, KubeJsonListMember member, KubeBytes value, Error *err) {
  KubeJson json = {.rest = value};
  if (kube_json_kind(&json) == KUBE_JSON_KIND_NULL)
    return 0;
  switch (member) {
  case KUBE_JSON_LIST_KIND:
    return take_json_kind(userdata, value, err);
  case KUBE_JSON_LIST_META:
    return kube_list_take_meta(userdata, value, err);
  case KUBE_JSON_LIST_ITEMS:
    return kube_json_fail(&value, "the array of items", err);
  default:
    return 0;
  }
}

static int take_json_item(void *userdata, KubeBytes item, Error *err) {
  return kube_list_take_item(userdata, item, err);
}

/* Behind the list only space may come. */
static int feed_json(KubeListReader *reader, KubeBytes rest, Error *err) {
  const KubeJsonListSink sink = {
      .on_member = take_json_member, .on_item = take_json_item, .userdata = &reader->parts};
  int result = kube_json_list_feed(&reader->json, &sink, &rest, err);
  if (result != KUBE_JSON_DONE)
    return result;
  kube_bytes_advance(&rest, kube_json_fast_space(rest.at, rest.size));
  return rest.size == 0 ? 0 : kube_json_fail(&rest, "the end of the list", err);
}

KubeListReader *kube_list_reader_new(const KubeType *type, KubeFormat format, KubeOnObject *on_object,
                                     void *userdata) {
  assert(type && on_object);
  KubeListReader *reader = mem_alloc(sizeof *reader);
  reader->parts =
      (KubeListParts){.type = type, .format = format, .on_object = on_object, .userdata = userdata};
  return reader;
}

void kube_list_reader_free(KubeListReader *reader) {
  if (!reader)
    return;
  kube_gather_deinit(&reader->protobuf.gather);
  kube_json_value_deinit(&reader->json.value);
  arena_deinit(&reader->parts.arena);
  free(reader);
}

int kube_list_reader_feed(KubeListReader *reader, const void *bytes, size_t size, Error *err) {
  assert(!reader->failed);
  KubeBytes rest = {bytes, size, reader->offset};
  reader->offset += size;
  int result = reader->parts.format == KUBE_PROTOBUF
                   ? kube_protobuf_list_feed(&reader->protobuf, &reader->parts, rest, err)
                   : feed_json(reader, rest, err);
  if (result == 0)
    return 0;
  reader->failed = true;
  return error_prefix(err, "list of %ss", reader->parts.type->kind);
}

int kube_list_reader_finish(KubeListReader *reader, const char **ret_resource_version,
                            const char **ret_continue, Error *err) {
  assert(!reader->failed);
  bool complete = reader->parts.format == KUBE_PROTOBUF ? kube_protobuf_list_is_complete(&reader->protobuf)
                                                        : reader->json.state == KUBE_JSON_LIST_END;
  if (!complete)
    return error_set(err, ERROR_PROTOCOL,
                     "list of %ss: the answer ends in the middle, after %" PRIu64 " bytes",
                     reader->parts.type->kind, reader->offset);
  *ret_resource_version = reader->parts.meta.resource_version;
  *ret_continue = reader->parts.meta.continue_;
  return 0;
}
