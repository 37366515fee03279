/* SPDX-License-Identifier: Apache-2.0 */
/* The transport seam: HTTP requests to the API server and their answers as bytes. Implementations: libcurl
 * over TLS and HTTP/2 (kube/curl_transport.h), the in-memory API server of the demo (sim/apiserver).
 *
 * Callbacks come from the event loop, never from inside kube_transport_start(). After done, or after cancel,
 * no further callback comes and the call is gone. Callbacks may start and cancel calls. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct KubeTransport KubeTransport;
typedef struct KubeCall KubeCall; /* a request in flight, owned by the transport */

typedef struct KubeRequest {
  const char *method;       /* "GET", "PATCH", "POST", "PUT", "DELETE" */
  const char *path;         /* "/api/v1/pods?watch=1", already escaped */
  const char *content_type; /* of the body; NULL without one */
  const char *accept;       /* NULL: JSON */
  const void *body;         /* copied by start */
  size_t body_size;
  uint32_t timeout_ms; /* for the whole call; 0: none (watches) */
  /* Once, before any body. retry_after_s is -1 where the header is absent. */
  void (*on_head)(void *userdata, int status, const char *content_type, int retry_after_s);
  void (*on_body)(void *userdata, const void *bytes, size_t size);
  /* err NULL: the answer is complete. Otherwise the connection failed: a sentence with the server's address.
   */
  void (*on_done)(void *userdata, const Error *err);
  void *userdata;
} KubeRequest;

struct KubeTransport {
  /* The server behind it may begin a watch with a list (WatchList); who finds that it does not clears this.
   */
  bool streams_lists;
  KubeCall *(*start)(KubeTransport *transport, const KubeRequest *request);
  void (*cancel)(KubeTransport *transport, KubeCall *call);
  /* The same, of a call that brought nothing for so long that the connection is in doubt: where nothing came
   * on it for other calls either, all of them fail, and the next begin on a fresh one. NULL: cancel. */
  void (*cancel_silent)(KubeTransport *transport, KubeCall *call);
};

static inline KubeCall *kube_transport_start(KubeTransport *transport, const KubeRequest *request) {
  return transport->start(transport, request);
}

static inline void kube_transport_cancel(KubeTransport *transport, KubeCall *call) {
  transport->cancel(transport, call);
}

static inline void kube_transport_cancel_silent(KubeTransport *transport, KubeCall *call) {
  if (transport->cancel_silent)
    transport->cancel_silent(transport, call);
  else
    transport->cancel(transport, call);
}
