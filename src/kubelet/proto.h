/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf's wire format, as far as the kubelet's messages need it. Private to wire.c.
 *
 *     decoding: kubelet_proto_each() calls a function for every field of a message; the function takes what
 *               it knows with the kubelet_proto_get_ functions, which check the field's type, and ignores the
 *               rest.
 *     encoding: kubelet_proto_put_ functions append fields to a Text; like all of proto3 they leave out what
 *               has its default value. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"

#include <stdint.h>

typedef struct KubeletProtoField {
  uint32_t number;
  uint32_t wire_type;
  uint64_t value;    /* of varints and fixed widths */
  const void *bytes; /* of length-delimited fields */
  size_t size;
} KubeletProtoField;

typedef int KubeletProtoOnField(void *target, const KubeletProtoField *field, Arena *arena, Error *err);

int kubelet_proto_each(const void *bytes, size_t size, KubeletProtoOnField *on_field, void *target,
                       Arena *arena, Error *err) MUST_CHECK;
/* A nested message. */
int kubelet_proto_get_message(const KubeletProtoField *field, KubeletProtoOnField *on_field, void *target,
                              Arena *arena, Error *err) MUST_CHECK;
/* Refuses strings with a NUL inside, which C would cut silently. */
int kubelet_proto_get_string(const KubeletProtoField *field, Arena *arena, const char **ret,
                             Error *err) MUST_CHECK;
int kubelet_proto_get_bool(const KubeletProtoField *field, bool *ret, Error *err) MUST_CHECK;
int kubelet_proto_get_int32(const KubeletProtoField *field, int32_t *ret, Error *err) MUST_CHECK;
/* One more item of a LIST that grows in the arena: *ret_item points to it, zeroed. Negative beyond
 * KUBELET_ITEMS_MAX. */
int kubelet_proto_push(Arena *arena, void **items, size_t *count, size_t item_size, void **ret_item,
                       Error *err) MUST_CHECK;
#define KUBELET_PROTO_PUSH(arena, list, ret_item, err)                                                       \
  kubelet_proto_push(arena, (void **)&(list)->items, &(list)->count, sizeof *(list)->items,                  \
                     (void **)(ret_item), err)

void kubelet_proto_put_string(Text *out, uint32_t number, const char *value); /* NULL as "" */
void kubelet_proto_put_item(Text *out, uint32_t number, const char *value);   /* of a repeated field */
void kubelet_proto_put_bool(Text *out, uint32_t number, bool value);
void kubelet_proto_put_int32(Text *out, uint32_t number, int32_t value);
void kubelet_proto_put_message(Text *out, uint32_t number, const Text *message);
