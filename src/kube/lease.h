/* SPDX-License-Identifier: Apache-2.0 */
/* What a Lease (coordination.k8s.io/v1) says about who leads, and the bodies that write it. */
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "kube/reader.h"

#include <stdbool.h>
#include <stdint.h>

enum {
  KUBE_LEASE_HOLDER_SIZE = 320, /* longer identities of others are cut */
  KUBE_LEASE_VERSION_SIZE = 64,
};

typedef struct KubeLease {
  char holder[KUBE_LEASE_HOLDER_SIZE]; /* "": nobody */
  int32_t duration_s;                  /* 0: not said */
  int64_t acquired_ms, renewed_ms;     /* Unix time, by the holder's clock; whole seconds where it was read */
  int32_t transitions;
  char version[KUBE_LEASE_VERSION_SIZE]; /* resourceVersion that this is */
} KubeLease;

/* Do both say the same about who leads and since when? The version does not count. */
bool kube_lease_is_same(const KubeLease *a, const KubeLease *b);
/* The answer to a GET, POST or PATCH. */
int kube_lease_decode(KubeFormat format, const void *bytes, size_t size, KubeLease *ret_lease,
                      Error *err) MUST_CHECK;
/* For a POST of a new one. */
void kube_lease_format_object(const KubeLease *lease, const char *namespace_, const char *name,
                              Text *ret_body);
/* A merge patch that the server takes only while the Lease still has lease->version. */
void kube_lease_format_patch(const KubeLease *lease, Text *ret_body);
