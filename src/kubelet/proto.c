/* SPDX-License-Identifier: Apache-2.0 */
/* A message is a row of fields; a field is a varint (number << 3 | wire type) and a value:
 *
 *     type 0  varint            bool, int32
 *     type 1  8 bytes           skipped
 *     type 2  varint n, n bytes string, message
 *     type 5  4 bytes           skipped
 *
 * Types 3 and 4 were groups; nothing of Kubernetes uses them, so they are refused as malformed. */
#include "kubelet/proto.h"

#include "base/memory.h"
#include "kubelet/wire.h"

#include <assert.h>
#include <string.h>

enum { TYPE_VARINT = 0, TYPE_FIXED64 = 1, TYPE_BYTES = 2, TYPE_FIXED32 = 5, VARINT_SIZE_MAX = 10 };

typedef struct Reader {
  const uint8_t *start, *at, *end;
} Reader;

static int malformed(const Reader *reader, const char *what, Error *err) {
  return error_set(err, ERROR_PROTOCOL, "malformed protobuf at byte %zu: %s",
                   (size_t)(reader->at - reader->start), what);
}

static int read_varint(Reader *reader, uint64_t *ret, Error *err) {
  uint64_t value = 0;
  for (unsigned i = 0; i < VARINT_SIZE_MAX; i++) {
    if (reader->at + i == reader->end)
      return malformed(reader, "it ends inside a number", err);
    uint8_t byte = reader->at[i];
    if (i == VARINT_SIZE_MAX - 1 && byte > 1)
      break;
    value |= (uint64_t)(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      reader->at += i + 1;
      *ret = value;
      return 0;
    }
  }
  return malformed(reader, "a number longer than 64 bits", err);
}

static int read_bytes(Reader *reader, uint64_t size, KubeletProtoField *field, Error *err) {
  if (size > (uint64_t)(reader->end - reader->at))
    return malformed(reader, "a field reaches beyond the end", err);
  field->bytes = reader->at;
  field->size = (size_t)size;
  reader->at += size;
  return 0;
}

static int read_field(Reader *reader, KubeletProtoField *field, Error *err) {
  uint64_t key = 0, size = 0;
  int result = read_varint(reader, &key, err);
  if (result < 0)
    return result;
  if (key >> 3 == 0 || key >> 3 > (1 << 29) - 1)
    return malformed(reader, "a field number out of range", err);
  *field = (KubeletProtoField){.number = (uint32_t)(key >> 3), .wire_type = (uint32_t)(key & 7)};
  switch (field->wire_type) {
  case TYPE_VARINT:
    return read_varint(reader, &field->value, err);
  case TYPE_FIXED64:
    return read_bytes(reader, 8, field, err);
  case TYPE_BYTES:
    result = read_varint(reader, &size, err);
    return result < 0 ? result : read_bytes(reader, size, field, err);
  case TYPE_FIXED32:
    return read_bytes(reader, 4, field, err);
  default:
    return malformed(reader, "an unknown field type", err);
  }
}

int kubelet_proto_each(const void *bytes, size_t size, KubeletProtoOnField *on_field, void *target,
                       Arena *arena, Error *err) {
  if (size == 0)
    return 0;
  Reader reader = {.start = bytes, .at = bytes, .end = (const uint8_t *)bytes + size};
  while (reader.at < reader.end) {
    KubeletProtoField field = {0};
    int result = read_field(&reader, &field, err);
    if (result < 0)
      return result;
    result = on_field(target, &field, arena, err);
    if (result < 0)
      return result;
  }
  return 0;
}

static int expect(const KubeletProtoField *field, uint32_t wire_type, Error *err) {
  if (field->wire_type == wire_type)
    return 0;
  return error_set(err, ERROR_PROTOCOL, "malformed protobuf: field %u has type %u instead of %u",
                   field->number, field->wire_type, wire_type);
}

int kubelet_proto_get_message(const KubeletProtoField *field, KubeletProtoOnField *on_field, void *target,
                              Arena *arena, Error *err) {
  int result = expect(field, TYPE_BYTES, err);
  if (result < 0)
    return result;
  return kubelet_proto_each(field->bytes, field->size, on_field, target, arena, err);
}

int kubelet_proto_get_string(const KubeletProtoField *field, Arena *arena, const char **ret, Error *err) {
  int result = expect(field, TYPE_BYTES, err);
  if (result < 0)
    return result;
  if (field->size && memchr(field->bytes, '\0', field->size))
    return error_set(err, ERROR_PROTOCOL, "malformed protobuf: the string of field %u holds a NUL byte",
                     field->number);
  *ret = field->size ? arena_strndup(arena, field->bytes, field->size) : "";
  return 0;
}

int kubelet_proto_get_bool(const KubeletProtoField *field, bool *ret, Error *err) {
  int result = expect(field, TYPE_VARINT, err);
  if (result < 0)
    return result;
  *ret = field->value != 0;
  return 0;
}

int kubelet_proto_get_int32(const KubeletProtoField *field, int32_t *ret, Error *err) {
  int result = expect(field, TYPE_VARINT, err);
  if (result < 0)
    return result;
  *ret = (int32_t)(uint32_t)field->value;
  return 0;
}

/* Capacities are powers of two, so the count alone says when the next one is due. */
int kubelet_proto_push(Arena *arena, void **items, size_t *count, size_t item_size, void **ret_item,
                       Error *err) {
  if (*count >= KUBELET_ITEMS_MAX)
    return error_set(err, ERROR_LIMIT, "a list of more than %d entries", KUBELET_ITEMS_MAX);
  if ((*count & (*count - 1)) == 0) {
    void *grown = arena_alloc(arena, (*count ? *count * 2 : 1) * item_size);
    if (*count)
      memcpy(grown, *items, *count * item_size);
    *items = grown;
  }
  *ret_item = (char *)*items + (*count)++ * item_size;
  return 0;
}

static void put_varint(Text *out, uint64_t value) {
  uint8_t bytes[VARINT_SIZE_MAX];
  size_t size = 0;
  for (; value >= 0x80; value >>= 7)
    bytes[size++] = (uint8_t)(value | 0x80);
  bytes[size++] = (uint8_t)value;
  text_append_bytes(out, bytes, size);
}

static void put_key(Text *out, uint32_t number, uint32_t wire_type) {
  put_varint(out, (uint64_t)number << 3 | wire_type);
}

static void put_bytes(Text *out, uint32_t number, const void *bytes, size_t size) {
  put_key(out, number, TYPE_BYTES);
  put_varint(out, size);
  text_append_bytes(out, bytes, size);
}

void kubelet_proto_put_string(Text *out, uint32_t number, const char *value) {
  if (value && *value)
    kubelet_proto_put_item(out, number, value);
}

void kubelet_proto_put_item(Text *out, uint32_t number, const char *value) {
  put_bytes(out, number, value, strlen(value));
}

void kubelet_proto_put_bool(Text *out, uint32_t number, bool value) {
  if (!value)
    return;
  put_key(out, number, TYPE_VARINT);
  put_varint(out, 1);
}

void kubelet_proto_put_int32(Text *out, uint32_t number, int32_t value) {
  if (!value)
    return;
  put_key(out, number, TYPE_VARINT);
  put_varint(out, (uint64_t)(int64_t)value);
}

void kubelet_proto_put_message(Text *out, uint32_t number, const Text *message) {
  put_bytes(out, number, message->bytes, message->size);
}
