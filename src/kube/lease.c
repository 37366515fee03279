/* SPDX-License-Identifier: Apache-2.0 */
/* A patch, where client-go puts the whole object: what else stands in the Lease stays, and the version in it
 * makes it as exclusive. */
#include "kube/lease.h"

#include "cluster/object.h"
#include "kube/time.h"

#include <stdio.h>
#include <string.h>

bool kube_lease_is_same(const KubeLease *a, const KubeLease *b) {
  return strcmp(a->holder, b->holder) == 0 && a->duration_s == b->duration_s &&
         a->acquired_ms / 1000 == b->acquired_ms / 1000 && a->renewed_ms / 1000 == b->renewed_ms / 1000 &&
         a->transitions == b->transitions;
}

int kube_lease_decode(KubeFormat format, const void *bytes, size_t size, KubeLease *ret_lease, Error *err) {
  CLEANUP(kube_object_freep) KubeObject *object = NULL;
  int r = kube_object_decode_answer(&kube_lease_type, format, bytes, size, &object, err);
  if (r < 0)
    return r;
  const Lease *lease = object->value;
  KubeLease result = {.duration_s = lease->duration_seconds,
                      .acquired_ms = lease->acquire_time * 1000,
                      .renewed_ms = lease->renew_time * 1000,
                      .transitions = lease->transitions};
  snprintf(result.holder, sizeof result.holder, "%s", string_or_empty(lease->holder_identity));
  int length = snprintf(result.version, sizeof result.version, "%s",
                        string_or_empty(lease->meta.resource_version.text));
  if (length <= 0 || (size_t)length >= sizeof result.version)
    return error_set(err, ERROR_PROTOCOL,
                     "the API server's answer is not a Lease: it has no resourceVersion");
  *ret_lease = result;
  return 0;
}

static void append_spec(const KubeLease *lease, Text *body) {
  char acquired[KUBE_MICRO_TIME_SIZE], renewed[KUBE_MICRO_TIME_SIZE];
  kube_time_format_micro(lease->acquired_ms, acquired);
  kube_time_format_micro(lease->renewed_ms, renewed);
  text_append(body, "\"spec\":{\"holderIdentity\":");
  text_append_json(body, lease->holder);
  text_format(body,
              ",\"leaseDurationSeconds\":%d,\"acquireTime\":\"%s\",\"renewTime\":\"%s\","
              "\"leaseTransitions\":%d}",
              lease->duration_s, acquired, renewed, lease->transitions);
}

void kube_lease_format_object(const KubeLease *lease, const char *namespace_, const char *name,
                              Text *ret_body) {
  text_append(ret_body,
              "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{\"namespace\":");
  text_append_json(ret_body, namespace_);
  text_append(ret_body, ",\"name\":");
  text_append_json(ret_body, name);
  text_append(ret_body, "},");
  append_spec(lease, ret_body);
  text_append(ret_body, "}");
}

void kube_lease_format_patch(const KubeLease *lease, Text *ret_body) {
  text_append(ret_body, "{\"metadata\":{\"resourceVersion\":");
  text_append_json(ret_body, lease->version);
  text_append(ret_body, "},");
  append_spec(lease, ret_body);
  text_append(ret_body, "}");
}
