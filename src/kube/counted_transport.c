/* SPDX-License-Identifier: Apache-2.0 */
/* The wrapped call is gone before the owner hears of its end, as with every transport. */
#include "kube/counted_transport.h"

#include "base/memory.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

struct KubeCall {
  KubeCounted *counted;
  KubeCall *inner;
  KubeRequest request; /* the owner's callbacks; its texts are not kept */
  char method[8];
  uint64_t began_ms;
  int status;
  bool is_told;
  bool is_over;
  int depth; /* functions on the stack that still need it */
};

struct KubeCounted {
  KubeTransport seam;
  Host *host;
  KubeTransport *inner;
  KubeOnCounted *on_counted;
  void *userdata;
};

static void tell(KubeCall *call) {
  KubeCounted *counted = call->counted;
  if (!call->is_told)
    counted->on_counted(counted->userdata, call->method, call->status,
                        counted->host->now_ms - call->began_ms);
  call->is_told = true;
}

static void leave(KubeCall *call) {
  if (--call->depth == 0 && call->is_over)
    free(call);
}

static void on_head(void *userdata, int status, const char *content_type, int retry_after_s) {
  KubeCall *call = userdata;
  call->status = status;
  call->depth++;
  if (strcmp(call->method, "WATCH") == 0)
    tell(call);
  call->request.on_head(call->request.userdata, status, content_type, retry_after_s);
  leave(call);
}

static void on_body(void *userdata, const void *bytes, size_t size) {
  KubeCall *call = userdata;
  call->depth++;
  call->request.on_body(call->request.userdata, bytes, size);
  leave(call);
}

static void on_done(void *userdata, const Error *err) {
  KubeCall *call = userdata;
  const KubeRequest request = call->request;
  if (err)
    call->status = 0;
  tell(call);
  free(call);
  request.on_done(request.userdata, err);
}

static KubeCall *start(KubeTransport *transport, const KubeRequest *request) {
  KubeCounted *counted = (KubeCounted *)transport;
  KubeCall *call = mem_alloc(sizeof *call);
  bool is_watch = strstr(request->path, "watch=1") != NULL;
  *call = (KubeCall){.counted = counted, .request = *request, .began_ms = counted->host->now_ms};
  snprintf(call->method, sizeof call->method, "%s", is_watch ? "WATCH" : request->method);
  KubeRequest wrapped = *request;
  wrapped.on_head = on_head;
  wrapped.on_body = on_body;
  wrapped.on_done = on_done;
  wrapped.userdata = call;
  call->inner = kube_transport_start(counted->inner, &wrapped);
  return call;
}

static void cancel(KubeTransport *transport, KubeCall *call) {
  kube_transport_cancel(call->counted->inner, call->inner);
  call->is_over = true;
  if (!call->depth)
    free(call);
}

KubeCounted *kube_counted_new(Host *host, KubeTransport *inner, KubeOnCounted *on_counted, void *userdata) {
  KubeCounted *counted = mem_alloc(sizeof *counted);
  *counted = (KubeCounted){.seam = {.start = start, .cancel = cancel},
                           .host = host,
                           .inner = inner,
                           .on_counted = on_counted,
                           .userdata = userdata};
  return counted;
}

KubeTransport *kube_counted_seam(KubeCounted *counted) {
  return &counted->seam;
}

void kube_counted_free(KubeCounted *counted) {
  free(counted);
}
