/* SPDX-License-Identifier: Apache-2.0 */
/* A known number of bytes out of a stream: used where they are when they came in one piece, else put
 * together. */
#pragma once

#include "base/text.h"
#include "kube/bytes.h"

#include <stdbool.h>

typedef struct KubeGather {
  Text kept;
  size_t wanted;
  uint64_t offset;
} KubeGather;

void kube_gather_begin(KubeGather *gather, uint64_t offset, size_t wanted);
/* True with all bytes once they are there; they are valid until begin or the end of the fed bytes. */
bool kube_gather_feed(KubeGather *gather, KubeBytes *rest, KubeBytes *ret_bytes);
void kube_gather_deinit(KubeGather *gather);
