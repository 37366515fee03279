/* SPDX-License-Identifier: Apache-2.0 */
/* A transport around another one that tells of each call how it ended. */
#pragma once

#include "base/cleanup.h"
#include "base/host.h"
#include "kube/transport.h"

typedef struct KubeCounted KubeCounted;

/* method: "GET", "PATCH", ..., and "WATCH" for watches, which are told of when their head comes. status: of
 * HTTP; 0 where no answer came. Calls that are cancelled before are not told of. */
typedef void KubeOnCounted(void *userdata, const char *method, int status, uint64_t took_ms);

/* `inner` is borrowed. */
KubeCounted *kube_counted_new(Host *host, KubeTransport *inner, KubeOnCounted *on_counted, void *userdata);
KubeTransport *kube_counted_seam(KubeCounted *counted);
/* All calls are over or cancelled before. */
void kube_counted_free(KubeCounted *counted);
DEFINE_CLEANUP(KubeCounted, kube_counted_free)
