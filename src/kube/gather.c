/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/gather.h"

void kube_gather_begin(KubeGather *gather, uint64_t offset, size_t wanted) {
  text_clear(&gather->kept);
  gather->offset = offset;
  gather->wanted = wanted;
}

bool kube_gather_feed(KubeGather *gather, KubeBytes *rest, KubeBytes *ret_bytes) {
  size_t missing = gather->wanted - gather->kept.size;
  KubeBytes part = {rest->at, rest->size < missing ? rest->size : missing, rest->offset};
  kube_bytes_advance(rest, part.size);
  if (part.size == gather->wanted) {
    *ret_bytes = part;
    return true;
  }
  text_append_bytes(&gather->kept, part.at, part.size);
  *ret_bytes = (KubeBytes){text_string(&gather->kept), gather->kept.size, gather->offset};
  return part.size == missing;
}

void kube_gather_deinit(KubeGather *gather) {
  text_deinit(&gather->kept);
}
