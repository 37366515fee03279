/* SPDX-License-Identifier: Apache-2.0 */
/* A stretch of a stream that knows where it stands in it, so that errors can say the byte. As a cursor it is
 * what is left to read. */
#pragma once

#include <stddef.h>
#include <stdint.h>

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
