/* SPDX-License-Identifier: Apache-2.0 */
/* A KubeObject lives in its own arena: one block holds handle, struct and strings of a small object. */
#include "kube/decode.h"
#include "kube/json_pull.h"

#include "cluster/object.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

KubeFormat kube_format_of(const char *content_type) {
  static const char protobuf[] = "application/vnd.kubernetes.protobuf";
  bool is_protobuf = content_type && strncasecmp(content_type, protobuf, strlen(protobuf)) == 0;
  return is_protobuf ? KUBE_PROTOBUF : KUBE_JSON;
}

static KubeObject *object_new(const KubeType *type) {
  Arena arena = {0};
  KubeObject *object = arena_alloc(&arena, sizeof *object);
  object->type = type;
  object->value = arena_alloc(&arena, type->size);
  if (type->part)
    *(void **)((char *)object->value + type->part) = arena_alloc(&arena, type->part_size);
  object->arena = arena;
  return object;
}

void kube_object_free(KubeObject *object) {
  if (!object)
    return;
  Arena arena = object->arena;
  arena_deinit(&arena);
}

/* Names the object as far as it was read. */
static int prefix_object(const KubeObject *object, Error *err) {
  const ObjectMeta *meta = object->value;
  if (!meta->name)
    return error_prefix(err, "cannot read a %s", object->type->kind);
  return error_prefix(err, "cannot read the %s %s%s%s", object->type->kind, string_or_empty(meta->namespace_),
                      meta->namespace_ ? "/" : "", meta->name);
}

int kube_object_decode_bytes(const KubeType *type, KubeFormat format, KubeBytes bytes,
                             KubeObject **ret_object, Error *err) {
  if (bytes.size > KUBE_OBJECT_SIZE_MAX)
    return error_set(err, ERROR_LIMIT, "the %s%s has %zu bytes; at most %d are read", type->kind,
                     kube_place(bytes.offset).text, bytes.size, KUBE_OBJECT_SIZE_MAX);
  CLEANUP(kube_object_freep) KubeObject *object = object_new(type);
  int result = format == KUBE_PROTOBUF
                   ? kube_decode_protobuf(type->message, bytes, &object->arena, object->value, err)
                   : kube_decode_json(type->message, bytes, &object->arena, object->value, err);
  if (result < 0)
    return prefix_object(object, err);
  *ret_object = TAKE(object);
  return 0;
}

int kube_object_decode_json(const KubeType *type, KubeJson *json, KubeObject **ret_object, Error *err) {
  CLEANUP(kube_object_freep) KubeObject *object = object_new(type);
  int result = kube_decode_json_at(type->message, json, &object->arena, object->value, err);
  if (result < 0)
    return prefix_object(object, err);
  *ret_object = TAKE(object);
  return 0;
}

int kube_object_decode(const KubeType *type, KubeFormat format, const void *bytes, size_t size,
                       KubeObject **ret_object, Error *err) {
  return kube_object_decode_bytes(type, format, (KubeBytes){bytes, size, 0}, ret_object, err);
}

int kube_object_decode_answer(const KubeType *type, KubeFormat format, const void *bytes, size_t size,
                              KubeObject **ret_object, Error *err) {
  KubeEnvelope answer = {.raw = {bytes, size, 0}};
  int result = format == KUBE_PROTOBUF ? kube_envelope_open(answer.raw, &answer, err)
                                       : kube_json_find_text(answer.raw, "kind", &answer.kind, err);
  if (result == 0)
    result = kube_envelope_check_kind(answer.kind, type->kind, "", err);
  if (result < 0)
    return result;
  return kube_object_decode_bytes(type, format, answer.raw, ret_object, err);
}
