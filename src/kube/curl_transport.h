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
/* The exec plugin was asked again, and failed: what it gave before is used on. The same sentence comes at
 * most once a minute (base/log_gate.h); held_back: how often it did not since. */
typedef void KubeOnExecFailed(void *userdata, const Error *err, uint32_t held_back);
void kube_curl_hear_exec(KubeCurl *curl, KubeOnExecFailed *on_failed, void *userdata);
KubeTransport *kube_curl_seam(KubeCurl *curl);
