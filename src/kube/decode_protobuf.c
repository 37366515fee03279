/* SPDX-License-Identifier: Apache-2.0 */
/* The protobuf side of the tables. Lists get exactly the room they need: at the first item, the headers of
 * the rest of the message are counted, which costs a hop per field. A sub-message that occurs twice would
 * have to be merged; no Kubernetes serializer writes that, so it is refused. */
#include "kube/decode.h"
#include "kube/store.h"
#include "kube/wire.h"

#include <assert.h>
#include <inttypes.h>

/* Where each field of the message stands in `seen` is its place in the table. */
enum { FIELDS_MAX = 64 };

static const KubeField *find_field(const KubeMessage *message, uint32_t number) {
  for (size_t i = 0; i < message->field_count; i++)
    if (message->fields[i].number == number)
      return &message->fields[i];
  return NULL;
}

static KubeWireType wire_type_of(const KubeField *known) {
  return known->kind == KUBE_INT32 || known->kind == KUBE_BOOL ? KUBE_WIRE_VARINT : KUBE_WIRE_BYTES;
}

static int check_type(const KubeField *known, const KubeWireField *field, Error *err) {
  if (field->type == wire_type_of(known))
    return 0;
  return error_set(err, ERROR_PROTOCOL, "\"%s\" before byte %" PRIu64 " has wire type %d instead of %d",
                   known->name, field->bytes.offset, (int)field->type, (int)wire_type_of(known));
}

/* How often the field occurs from here on. What is malformed ends the count and is reported when its turn
 * comes. */
static size_t count_fields(KubeBytes rest, uint32_t number) {
  size_t count = 0;
  Error ignored;
  KubeWireField field;
  while (rest.size > 0 && kube_wire_next(&rest, &field, &ignored) == 0)
    count += field.number == number;
  return count;
}

/* Finds the field `number` of a small message; the payload is empty where it is absent. */
static int find_bytes(KubeBytes message, uint32_t number, KubeWireField *ret_field, Error *err) {
  *ret_field = (KubeWireField){.bytes = {message.at, 0, message.offset}};
  while (message.size > 0) {
    KubeWireField field;
    int result = kube_wire_next(&message, &field, err);
    if (result < 0)
      return result;
    if (field.number == number)
      *ret_field = field;
  }
  return 0;
}

static int decode_time(KubeBytes bytes, int64_t *ret_seconds, Error *err) {
  KubeWireField seconds;
  int result = find_bytes(bytes, 1, &seconds, err);
  if (result == 0)
    *ret_seconds = (int64_t)seconds.value;
  return result;
}

/* A map entry is a message {1: key, 2: value}; the value of a quantity is again a message {1: text}. */
static int decode_entry(const KubeField *known, KubeBytes bytes, Arena *arena, void *target, Error *err) {
  KubeWireField key, value;
  int result = find_bytes(bytes, 1, &key, err);
  if (result < 0)
    return result;
  result = find_bytes(bytes, 2, &value, err);
  if (result < 0)
    return result;
  if (known->kind == KUBE_QUANTITIES) {
    result = find_bytes(value.bytes, 1, &value, err);
    if (result < 0)
      return result;
  }
  KeyValue *entry = kube_store_push(known, target);
  entry->key = kube_store_text(arena, key.bytes.at, key.bytes.size);
  entry->value = kube_store_text(arena, value.bytes.at, value.bytes.size);
  return 0;
}

static int decode_field(const KubeField *known, const KubeWireField *field, Arena *arena, void *target,
                        Error *err) {
  char *place = (char *)target + known->offset;
  KubeBytes bytes = field->bytes;
  switch (known->kind) {
  case KUBE_STRING:
    *(const char **)place = bytes.size ? kube_store_text(arena, bytes.at, bytes.size) : NULL;
    return 0;
  case KUBE_INT32:
    *(int32_t *)place = (int32_t)field->value;
    return 0;
  case KUBE_BOOL:
    *(bool *)place = field->value != 0;
    return 0;
  case KUBE_TIME:
    return decode_time(bytes, (int64_t *)place, err);
  case KUBE_MESSAGE:
    if (known->present_offset >= 0)
      *(bool *)((char *)target + known->present_offset) = true;
    return kube_decode_protobuf(known->message, bytes, arena, place, err);
  case KUBE_LIST:
    return kube_decode_protobuf(known->message, bytes, arena, kube_store_push(known, target), err);
  case KUBE_STRINGS:
    *(const char **)kube_store_push(known, target) = kube_store_text(arena, bytes.at, bytes.size);
    return 0;
  case KUBE_MAP:
  case KUBE_QUANTITIES:
    return decode_entry(known, bytes, arena, target, err);
  }
  return 0;
}

/* At a field's first sight its list gets room; at a sub-message's second sight the message is refused. */
static int note_field(const KubeField *known, const KubeWireField *field, KubeBytes rest, bool first,
                      Arena *arena, void *target, Error *err) {
  if (first && kube_store_is_list(known))
    return kube_store_reserve(arena, known, target, 1 + count_fields(rest, field->number), err);
  if (!first && known->kind == KUBE_MESSAGE)
    return error_set(err, ERROR_PROTOCOL, "\"%s\" at byte %" PRIu64 " occurs a second time", known->name,
                     field->bytes.offset);
  return 0;
}

static void sort_maps(const KubeMessage *message, void *target) {
  for (size_t i = 0; i < message->field_count; i++) {
    const KubeField *field = &message->fields[i];
    if (field->kind == KUBE_MAP || field->kind == KUBE_QUANTITIES)
      kube_store_sort((KeyValues *)((char *)target + field->offset));
  }
}

int kube_decode_protobuf(const KubeMessage *message, KubeBytes bytes, Arena *arena, void *target,
                         Error *err) {
  assert(message->field_count <= FIELDS_MAX);
  uint64_t seen = 0;
  while (bytes.size > 0) {
    KubeWireField field;
    int result = kube_wire_next(&bytes, &field, err);
    if (result < 0)
      return result;
    const KubeField *known = find_field(message, field.number);
    if (!known)
      continue;
    uint64_t bit = UINT64_C(1) << (known - message->fields);
    result = check_type(known, &field, err);
    if (result == 0)
      result = note_field(known, &field, bytes, !(seen & bit), arena, target, err);
    if (result == 0)
      result = decode_field(known, &field, arena, target, err);
    if (result < 0)
      return result;
    seen |= bit;
  }
  sort_maps(message, target);
  return 0;
}
