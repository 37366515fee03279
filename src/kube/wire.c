/* SPDX-License-Identifier: Apache-2.0 */
/* A message is a row of fields, each a header and a payload:
 *
 *     tag = varint(number << 3 | type)     type 0: a varint follows, which is the value
 *                                          type 1, 5: 8 or 4 bytes follow
 *                                          type 2: varint(length), then that many bytes
 *
 * Knowing lengths in advance is what makes skipping free: a field that nobody wants costs its header. */
#include "kube/wire.h"

#include <inttypes.h>

enum { VARINT_MAX = 10, FIELD_NUMBER_MAX = (1 << 29) - 1 };

static int fail_cut(const KubeBytes *rest, Error *err) {
  return error_set(err, ERROR_PROTOCOL, "the protobuf message is cut off at byte %" PRIu64,
                   rest->offset + rest->size);
}

/* The tenth byte of a varint holds the 64th bit alone. */
static int read_long_varint(KubeBytes *rest, uint64_t *ret_value, Error *err) {
  uint64_t value = 0;
  for (size_t i = 0; i < VARINT_MAX; i++) {
    if (i == rest->size)
      return KUBE_WIRE_MORE;
    uint8_t byte = (uint8_t)rest->at[i];
    if (i == VARINT_MAX - 1 && byte > 1)
      break;
    value |= (uint64_t)(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      kube_bytes_advance(rest, i + 1);
      *ret_value = value;
      return 0;
    }
  }
  return error_set(err, ERROR_PROTOCOL, "the protobuf number at byte %" PRIu64 " does not fit into 64 bits",
                   rest->offset);
}

/* Nearly all tags and most lengths are one byte. */
static inline int read_varint(KubeBytes *rest, uint64_t *ret_value, Error *err) {
  if (rest->size == 0 || (uint8_t)*rest->at >= 0x80)
    return read_long_varint(rest, ret_value, err);
  *ret_value = (uint8_t)*rest->at;
  kube_bytes_advance(rest, 1);
  return 0;
}

static int split_tag(uint64_t tag, uint64_t offset, KubeWireField *field, Error *err) {
  uint64_t number = tag >> 3;
  if (number == 0 || number > FIELD_NUMBER_MAX)
    return error_set(err, ERROR_PROTOCOL,
                     "the protobuf field number %" PRIu64 " at byte %" PRIu64 " is not allowed", number,
                     offset);
  field->number = (uint32_t)number;
  field->type = (KubeWireType)(tag & 7);
  return 0;
}

/* What follows the tag, up to the payload. */
static int read_size(KubeBytes *rest, uint64_t tag_offset, KubeWireField *field, Error *err) {
  uint64_t size = 0;
  int result = 0;
  field->value = 0;
  switch (field->type) {
  case KUBE_WIRE_VARINT:
    result = read_varint(rest, &field->value, err);
    break;
  case KUBE_WIRE_FIXED64:
    size = 8;
    break;
  case KUBE_WIRE_BYTES:
    result = read_varint(rest, &size, err);
    break;
  case KUBE_WIRE_FIXED32:
    size = 4;
    break;
  default:
    return error_set(err, ERROR_PROTOCOL,
                     "the protobuf field %" PRIu32 " at byte %" PRIu64
                     " has wire type %d, which Kubernetes does not use",
                     field->number, tag_offset, (int)field->type);
  }
  field->bytes.at = NULL;
  field->bytes.size = size;
  field->bytes.offset = rest->offset;
  return result;
}

/* Works in place, in the caller's field and cursor: this is the innermost loop of every list, and copies of
 * structs just written are what costs most in it. */
int kube_wire_header(KubeBytes *rest, KubeWireField *ret_field, Error *err) {
  uint64_t tag, offset = rest->offset;
  int result = read_varint(rest, &tag, err);
  if (result != 0)
    return result;
  result = split_tag(tag, offset, ret_field, err);
  return result < 0 ? result : read_size(rest, offset, ret_field, err);
}

int kube_wire_next(KubeBytes *rest, KubeWireField *ret_field, Error *err) {
  int result = kube_wire_header(rest, ret_field, err);
  if (result == KUBE_WIRE_MORE)
    return fail_cut(rest, err);
  if (result < 0)
    return result;
  size_t size = ret_field->bytes.size;
  if (size > rest->size)
    return error_set(err, ERROR_PROTOCOL,
                     "the protobuf field %" PRIu32 " at byte %" PRIu64
                     " claims %zu bytes, but only %zu are left",
                     ret_field->number, rest->offset, size, rest->size);
  ret_field->bytes.at = rest->at;
  kube_bytes_advance(rest, size);
  return 0;
}
