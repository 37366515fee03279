/* SPDX-License-Identifier: Apache-2.0 */
/* A hash of bytes, for tables in memory only. Private to kube/. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Eight bytes a step; multiply and fold, so that each of them counts in each bit. */
static inline uint32_t kube_hash_bytes(const char *at, size_t size) {
  uint64_t hash = size * UINT64_C(0x9e3779b97f4a7c15), part;
  for (; size >= sizeof part; at += sizeof part, size -= sizeof part) {
    memcpy(&part, at, sizeof part);
    hash = (hash ^ part) * UINT64_C(0x9fb21c651e98df25);
    hash ^= hash >> 29;
  }
  part = 0;
  memcpy(&part, at, size);
  hash = (hash ^ part) * UINT64_C(0x9fb21c651e98df25);
  return (uint32_t)(hash >> 32);
}
