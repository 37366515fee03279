/* SPDX-License-Identifier: Apache-2.0 */
/* metav1.Status, read by a table like any object. Whatever stands between us and the API server may answer in
 * its own words (a proxy's HTML, an empty body): then those are the message. */
#include "kube/decode.h"

#include <string.h>

typedef struct Status {
  int32_t code;
  int32_t retry_after_s;
  const char *reason;
  const char *message;
} Status;

/* Numbers of apimachinery meta/v1 generated.proto. */
static const KubeField details_fields[] = {
    {"retryAfterSeconds", 5, KUBE_INT32, offsetof(Status, retry_after_s), NULL, 0, -1, 0},
};
static const KubeMessage details = {details_fields, COUNT_OF(details_fields)};

static const KubeField status_fields[] = {
    {"message", 3, KUBE_STRING, offsetof(Status, message), NULL, 0, -1, 0},
    {"reason", 4, KUBE_STRING, offsetof(Status, reason), NULL, 0, -1, 0},
    {"details", 5, KUBE_MESSAGE, 0, &details, 0, -1, 0},
    {"code", 6, KUBE_INT32, offsetof(Status, code), NULL, 0, -1, 0},
};
static const KubeMessage status_message = {status_fields, COUNT_OF(status_fields)};

static int decode(KubeFormat format, KubeBytes bytes, Arena *arena, Status *status, Error *err) {
  if (format == KUBE_JSON)
    return kube_decode_json(&status_message, bytes, arena, status, err);
  KubeEnvelope envelope;
  int result = kube_envelope_open(bytes, &envelope, err);
  return result < 0 ? result : kube_decode_protobuf(&status_message, envelope.raw, arena, status, err);
}

/* The first bytes, with everything that would spoil a line of text as a space. */
static void copy_garbage(const char *bytes, size_t size, char *text, size_t text_size) {
  size_t used = size < text_size - 1 ? size : text_size - 1;
  for (size_t i = 0; i < used; i++)
    text[i] = bytes[i] >= 0x20 && bytes[i] < 0x7f ? bytes[i] : ' ';
  text[used] = '\0';
}

void kube_status_decode(KubeFormat format, const void *bytes, size_t size, KubeStatus *ret_status) {
  CLEANUP(arena_deinit) Arena arena = {0};
  Status status = {0};
  Error ignored;
  *ret_status = (KubeStatus){.retry_after_s = -1};
  if (decode(format, (KubeBytes){bytes, size, 0}, &arena, &status, &ignored) < 0 ||
      (!status.message && !status.reason && !status.code)) {
    copy_garbage(bytes, size, ret_status->message, sizeof ret_status->message);
    return;
  }
  ret_status->code = status.code;
  /* Protobuf writes 0 where there is none. */
  if (status.retry_after_s > 0)
    ret_status->retry_after_s = status.retry_after_s;
  snprintf(ret_status->reason, sizeof ret_status->reason, "%s", string_or_empty(status.reason));
  snprintf(ret_status->message, sizeof ret_status->message, "%s", string_or_empty(status.message));
}
