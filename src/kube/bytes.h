/* SPDX-License-Identifier: Apache-2.0 */
/* A stretch of a stream that knows where it stands in it, so that errors can say the byte. As a cursor it is
 * what is left to read. */
#pragma once

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct KubeBytes {
  const char *at;
  size_t size;
  uint64_t offset; /* of `at` in the stream */
} KubeBytes;

/* Moves the cursor over `size` bytes, which are there. */
static inline void kube_bytes_advance(KubeBytes *bytes, size_t size) {
  bytes->at += size;
  bytes->size -= size;
  bytes->offset += size;
}

/* Added to the offsets of bytes whose place nobody could make use of: errors then leave it to who reads the
 * stream to say line and column. */
#define KUBE_OFFSET_UNTOLD (UINT64_C(1) << 63)

typedef struct KubePlace {
  char text[32];
} KubePlace;

/* " at byte 12", or "". */
static inline KubePlace kube_place(uint64_t offset) {
  KubePlace place = {""};
  if (!(offset & KUBE_OFFSET_UNTOLD))
    snprintf(place.text, sizeof place.text, " at byte %" PRIu64, offset);
  return place;
}
