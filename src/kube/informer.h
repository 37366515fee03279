/* SPDX-License-Identifier: Apache-2.0 */
/* A live copy of all objects of one type: lists, watches, resumes after a cut, lists again on 410 Gone, backs
 * off with jitter, and says when it is synced. Runs over the transport and host seams.
 *
 *     IDLE -> LISTING -> WATCHING -(stream ends)-> WATCHING from the last resource version
 *                 ^-----------------(410, garbage)------/      any failure: WAITING for the back-off */
#pragma once

#include "base/host.h"
#include "base/map.h"
#include "kube/reader.h"
#include "kube/transport.h"

enum {
  KUBE_INFORMER_BACKOFF_FIRST_MS = 200,
  KUBE_INFORMER_BACKOFF_MAX_MS = 30000,
  KUBE_INFORMER_WATCH_SECONDS = 300, /* timeoutSeconds, plus up to as much again at random */
  KUBE_INFORMER_SILENCE_MS = 150000, /* no byte, not even a bookmark: the connection is dead */
  KUBE_INFORMER_PAGE = 500,          /* objects a page of a list */
};

typedef struct KubeInformer KubeInformer;

typedef struct KubeInformerOptions {
  const KubeType *type;
  const char *selector; /* query part, escaped: "fieldSelector=spec.nodeName%3Dn1", or NULL */
  /* A page has to be here within, and a watch to begin: who asks for a handful of objects need not wait as long
   * as for thousands when the request got lost. 0: 60 s. */
  uint32_t answer_ms;
  /* Takes out of the struct what nobody needs, before it is kept; memory from the arena. NULL: nothing. */
  void (*trim)(void *object, Arena *arena);
  /* An object appeared or changed (old NULL: new) or went away (new NULL). Both are borrowed for the call. */
  void (*on_change)(void *userdata, const void *old, const void *new_);
  /* All objects are here (again, after a relist). */
  void (*on_synced)(void *userdata);
  /* Trouble worth a log line: once per failure, with the server's words. It goes on trying by itself. */
  void (*on_trouble)(void *userdata, const Error *err, uint64_t retry_ms);
  void *userdata;
} KubeInformerOptions;

KubeInformer *kube_informer_new(Host *host, KubeTransport *transport, const KubeInformerOptions *options);
void kube_informer_start(KubeInformer *informer);
/* Not from inside its own callbacks. */
void kube_informer_free(KubeInformer *informer);
DEFINE_CLEANUP(KubeInformer, kube_informer_free)
bool kube_informer_is_synced(const KubeInformer *informer);
/* By "namespace/name" or "name": the struct of the type, or NULL. Valid until the next loop turn. */
const void *kube_informer_find(const KubeInformer *informer, const char *key);
size_t kube_informer_count(const KubeInformer *informer);
const void *kube_informer_at(const KubeInformer *informer, size_t i); /* in no particular order */
