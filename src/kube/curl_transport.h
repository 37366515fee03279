/* SPDX-License-Identifier: Apache-2.0 */
/* The transport over libcurl: TLS, HTTP/2, all streams on one connection, on a libuv loop. */
#pragma once

#include "kube/config.h"
#include "kube/transport.h"

#include <uv.h>

typedef struct KubeCurl KubeCurl;

/* Reads certificates and tokens once to fail early with a sentence (missing or expired certificate,
 * unreadable file); the config is copied. Does not connect. */
int kube_curl_new(uv_loop_t *loop, const KubeConfig *config, KubeCurl **ret_curl, Error *err) MUST_CHECK;
/* Cancels everything; closes its loop handles (they finish with the loop's next turns). */
void kube_curl_free(KubeCurl *curl);
KubeTransport *kube_curl_seam(KubeCurl *curl);
