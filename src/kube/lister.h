/* SPDX-License-Identifier: Apache-2.0 */
/* All objects of one type, listed once, page by page; for those who look and do not stay (kube/informer.h is
 * for programs that do). Sends GETs only. A failure ends it. */
#pragma once

#include "kube/reader.h"
#include "kube/transport.h"

enum {
  KUBE_LISTER_PAGE = 500,         /* objects a page */
  KUBE_LISTER_TIMEOUT_MS = 60000, /* for a page */
};

typedef struct KubeLister KubeLister;

typedef struct KubeListerOptions {
  const KubeType *type;
  KubeOnObject *on_object; /* takes the object */
  /* Once, at the end: NULL, or what went wrong. Never from inside kube_lister_new(); may free the lister. */
  void (*on_done)(void *userdata, const Error *err);
  void *userdata;
} KubeListerOptions;

/* Begins at once. */
KubeLister *kube_lister_new(KubeTransport *transport, const KubeListerOptions *options);
/* Not from inside on_object. */
void kube_lister_free(KubeLister *lister);
DEFINE_CLEANUP(KubeLister, kube_lister_free)
