/* SPDX-License-Identifier: Apache-2.0 */
/* What the API server puts around protobuf: four bytes of magic, then
 * runtime.Unknown {1: TypeMeta {1: apiVersion, 2: kind}, 2: raw, 3: contentEncoding, 4: contentType}. */
#include "kube/decode.h"
#include "kube/wire.h"

#include <inttypes.h>
#include <string.h>

int kube_envelope_check_magic(KubeBytes bytes, Error *err) {
  if (memcmp(bytes.at, "k8s", KUBE_ENVELOPE_MAGIC_SIZE) == 0)
    return 0;
  return error_set(err, ERROR_PROTOCOL,
                   "the protobuf at byte %" PRIu64 " does not begin with k8s and a zero byte", bytes.offset);
}

int kube_envelope_kind(KubeBytes type_meta, KubeBytes *ret_kind, Error *err) {
  KubeBytes kind = {type_meta.at, 0, type_meta.offset};
  while (type_meta.size > 0) {
    KubeWireField field;
    int result = kube_wire_next(&type_meta, &field, err);
    if (result < 0)
      return result;
    if (field.number == 2)
      kind = field.bytes;
  }
  *ret_kind = kind;
  return 0;
}

int kube_envelope_open(KubeBytes bytes, KubeEnvelope *ret_envelope, Error *err) {
  if (bytes.size < KUBE_ENVELOPE_MAGIC_SIZE)
    return error_set(err, ERROR_PROTOCOL, "the protobuf at byte %" PRIu64 " is only %zu bytes long",
                     bytes.offset, bytes.size);
  int result = kube_envelope_check_magic(bytes, err);
  if (result < 0)
    return result;
  kube_bytes_advance(&bytes, KUBE_ENVELOPE_MAGIC_SIZE);
  KubeEnvelope envelope = {.kind = {bytes.at, 0, bytes.offset}, .raw = {bytes.at, 0, bytes.offset}};
  while (bytes.size > 0) {
    KubeWireField field;
    result = kube_wire_next(&bytes, &field, err);
    if (result == 0 && field.number == 1)
      result = kube_envelope_kind(field.bytes, &envelope.kind, err);
    if (result < 0)
      return result;
    if (field.number == 2)
      envelope.raw = field.bytes;
  }
  *ret_envelope = envelope;
  return 0;
}

int kube_envelope_check_kind(KubeBytes kind, const char *wanted, const char *suffix, Error *err) {
  size_t size = strlen(wanted);
  bool same = kind.size == size + strlen(suffix) && memcmp(kind.at, wanted, size) == 0 &&
              memcmp(kind.at + size, suffix, strlen(suffix)) == 0;
  if (same || kind.size == 0)
    return 0;
  return error_set(err, ERROR_PROTOCOL, "the API server sent a %.*s instead of a %s%s",
                   (int)(kind.size < 64 ? kind.size : 64), kind.at, wanted, suffix);
}
