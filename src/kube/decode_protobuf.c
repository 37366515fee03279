/* SPDX-License-Identifier: Apache-2.0 */
/* The protobuf side of the tables. Lists get exactly the room they need: at a message's first list item, the
 * items of all its lists are counted, which costs a hop per field. A sub-message that occurs twice would
 * have to be merged; no Kubernetes serializer writes that, so it is refused. */
#include "kube/decode.h"
#include "kube/store.h"
#include "kube/wire.h"

#include <assert.h>
#include <inttypes.h>

/* Of one message: each has a bit in `seen`, by its place in the table. */
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

static int check_field(const KubeField *known, const KubeWireField *field, bool again, Error *err) {
  if (field->type != wire_type_of(known))
    return error_set(err, ERROR_PROTOCOL, "\"%s\" before byte %" PRIu64 " has wire type %d instead of %d",
                     known->name, field->bytes.offset, (int)field->type, (int)wire_type_of(known));
  if (again && known->kind == KUBE_MESSAGE)
    return error_set(err, ERROR_PROTOCOL, "\"%s\" at byte %" PRIu64 " occurs a second time", known->name,
                     field->bytes.offset);
  return 0;
}

/* Gives every list of the message room for its items in the bytes from the first one on. What is malformed
 * ends the count and is reported when its turn comes. */
static int reserve_lists(const KubeMessage *message, KubeBytes bytes, Arena *arena, void *target,
                         Error *err) {
  size_t counts[FIELDS_MAX] = {0};
  Error ignored;
  KubeWireField field;
  while (bytes.size > 0 && kube_wire_next(&bytes, &field, &ignored) == 0) {
    const KubeField *known = find_field(message, field.number);
    if (known)
      counts[known - message->fields]++;
  }
  int result = 0;
  for (size_t i = 0; i < message->field_count && result == 0; i++)
    if (counts[i] > 0 && kube_store_is_list(&message->fields[i]))
      result = kube_store_reserve(arena, &message->fields[i], target, counts[i], err);
  return result;
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
static int decode_entry(const KubeField *known, KubeBytes entry, Arena *arena, void *target, Error *err) {
  KubeBytes key = {entry.at, 0, entry.offset}, value = key;
  KubeWireField field;
  while (entry.size > 0) {
    int result = kube_wire_next(&entry, &field, err);
    if (result < 0)
      return result;
    if (field.number == 1)
      key = field.bytes;
    else if (field.number == 2)
      value = field.bytes;
  }
  if (known->kind == KUBE_QUANTITIES) {
    int result = find_bytes(value, 1, &field, err);
    if (result < 0)
      return result;
    value = field.bytes;
  }
  KeyValue *stored = kube_store_push(known, target);
  stored->key = kube_store_text(arena, key.at, key.size);
  stored->value = kube_store_text(arena, value.at, value.size);
  return 0;
}

static int decode_field(const KubeField *known, const KubeWireField *field, Arena *arena, void *target,
                        Error *err) {
  char *place = kube_field_place(known, target);
  KubeBytes bytes = field->bytes;
  switch (known->kind) {
  case KUBE_STRING:
  case KUBE_UID:
  case KUBE_VERSION:
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
      *kube_field_presence(known, target) = true;
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

static void sort_maps(const KubeMessage *message, void *target) {
  for (size_t i = 0; i < message->field_count; i++) {
    const KubeField *field = &message->fields[i];
    if (field->kind == KUBE_MAP || field->kind == KUBE_QUANTITIES)
      kube_store_sort(kube_field_place(field, target));
  }
}

int kube_decode_protobuf(const KubeMessage *message, KubeBytes bytes, Arena *arena, void *target,
                         Error *err) {
  assert(message->field_count <= FIELDS_MAX);
  uint64_t seen = 0;
  bool reserved = false;
  while (bytes.size > 0) {
    KubeBytes here = bytes;
    KubeWireField field;
    int result = kube_wire_next(&bytes, &field, err);
    if (result < 0)
      return result;
    const KubeField *known = find_field(message, field.number);
    if (!known)
      continue;
    uint64_t bit = UINT64_C(1) << (known - message->fields);
    result = check_field(known, &field, seen & bit, err);
    if (result == 0 && !reserved && kube_store_is_list(known)) {
      result = reserve_lists(message, here, arena, target, err);
      reserved = true;
    }
    if (result == 0)
      result = decode_field(known, &field, arena, target, err);
    if (result < 0)
      return result;
    seen |= bit;
  }
  sort_maps(message, target);
  return 0;
}
