/* SPDX-License-Identifier: Apache-2.0 */
/* Small calls to the API server: one request, one collected answer, one callback.
 *
 * A client spares the server: after KUBE_CALLS_BURST calls at once it sends KUBE_CALLS_PER_S, in order, and
 * when the server says 429 (priority and fairness) or 503 with a Retry-After, nothing for so long. Calls wait
 * inside; the one that was rejected is answered with that. A server that answers many calls at once answers
 * all of them late, so patient calls wait until the others are answered. */
#pragma once

#include "base/host.h"
#include "kube/reader.h"
#include "kube/transport.h"

enum { KUBE_ANSWER_SIZE_MAX = 4 << 20, KUBE_CALL_TIMEOUT_MS = 10000, KUBE_CALLS_MAX = 512 };
enum {
  KUBE_CALLS_BURST = 256,
  KUBE_CALLS_PER_S = 200,
  KUBE_PAUSE_DEFAULT_S = 1, /* where a 429 does not say for how long */
  KUBE_PAUSE_MAX_S = 30,
  KUBE_PATIENCE_MS = 2000,
};

typedef struct KubeAnswer {
  const char *method, *path; /* of the call */
  /* NULL: status and body are those of the server. Otherwise nothing is known of what the server did. */
  const Error *err;
  int status; /* HTTP status */
  KubeFormat format;
  const void *body;
  size_t body_size;
  KubeStatus failure; /* filled where status >= 300 */
} KubeAnswer;

typedef void KubeOnAnswer(void *userdata, const KubeAnswer *answer); /* everything borrowed for the call */

typedef struct KubeClient KubeClient;
KubeClient *kube_client_new(Host *host, KubeTransport *transport);
/* Cancels all calls without their callbacks. */
void kube_client_free(KubeClient *client);
DEFINE_CLEANUP(KubeClient, kube_client_free)

typedef struct KubeCallOptions {
  const char *method;
  const char *path;
  const char *content_type;
  const char *body; /* copied; NULL for none */
  size_t body_size;
  uint32_t timeout_ms; /* 0: KUBE_CALL_TIMEOUT_MS */
  bool is_urgent;      /* is sent at once all the same: what keeps a lease */
  bool is_patient; /* lets others go first, for KUBE_PATIENCE_MS at most: Events, while plans are written */
  KubeOnAnswer *on_answer; /* never called from inside kube_client_call */
  void *userdata;
} KubeCallOptions;
/* Where KUBE_CALLS_MAX calls wait or are in flight already, answers with ERROR_LIMIT (from the loop). */
void kube_client_call(KubeClient *client, const KubeCallOptions *options);

#define KUBE_MERGE_PATCH "application/merge-patch+json"
#define KUBE_JSON_PATCH  "application/json-patch+json"

/* True where the answer says success; else *err is one sentence: what the server said or why there was no
 * answer. */
bool kube_answer_is_ok(const KubeAnswer *answer, Error *err);
