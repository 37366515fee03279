/* SPDX-License-Identifier: Apache-2.0 */
/* The protobuf wire format, field by field. Groups are refused: Kubernetes has none. */
#pragma once

#include "base/error.h"
#include "kube/bytes.h"

typedef enum KubeWireType {
  KUBE_WIRE_VARINT = 0,
  KUBE_WIRE_FIXED64 = 1,
  KUBE_WIRE_BYTES = 2, /* strings, sub-messages, map entries */
  KUBE_WIRE_FIXED32 = 5,
} KubeWireType;

enum {
  KUBE_WIRE_MORE = 1,        /* kube_wire_header: the header goes on behind the given bytes */
  KUBE_WIRE_HEADER_MAX = 20, /* two varints of ten bytes */
};

typedef struct KubeWireField {
  uint32_t number;
  KubeWireType type;
  uint64_t value;  /* of KUBE_WIRE_VARINT */
  KubeBytes bytes; /* what follows the header: the payload of the other types */
} KubeWireField;

/* Reads a field's header (tag, then length or varint) and moves the cursor behind it; 0 or KUBE_WIRE_MORE.
 * Only bytes.size and bytes.offset of the field's payload are filled: it need not be there yet. Unless 0 is
 * returned, cursor and field are left somewhere in the middle. */
int kube_wire_header(KubeBytes *rest, KubeWireField *ret_field, Error *err) MUST_CHECK;
/* Reads a whole field of a message that is all there and moves the cursor behind it. On failure too, cursor
 * and field are left somewhere in the middle. */
int kube_wire_next(KubeBytes *rest, KubeWireField *ret_field, Error *err) MUST_CHECK;
