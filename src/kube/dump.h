/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what kubectl prints of a cluster, `kubectl get nodes,pods -A -o json` or `-o yaml`: Lists of mixed
 * kinds, PodLists, NodeLists, bare arrays of objects or single objects, any number of documents one behind
 * the other. It is a stream: beside what it hands out, memory holds one object at a time.
 *
 * An object that makes no sense is reported and left out, and the rest goes on. Reading ends early only where
 * nobody can tell any more what belongs to what. */
#pragma once

#include "kube/reader.h"

enum { KUBE_DUMP_PENDING_MAX = 256 << 20 /* bytes of items whose kind the list says behind them */ };

typedef struct KubeDumpSource {
  /* Fills the buffer with at least one byte and at most `room`; *ret_size 0 is the end. */
  int (*read)(void *userdata, char *buffer, size_t room, size_t *ret_size, Error *err);
  void *userdata;
} KubeDumpSource;

typedef struct KubeDumpSink {
  KubeOnObject *on_object; /* takes the object */
  /* "line 3, column 5: item 2: cannot read the Pod demo/b: ..." */
  void (*on_bad)(void *userdata, const Error *err);
  void *userdata;
} KubeDumpSink;

typedef struct KubeDumpCounts {
  size_t objects; /* handed out */
  size_t bad;     /* reported */
  size_t skipped; /* of kinds that we do not read */
} KubeDumpCounts;

/* Counts are there after a failure, too; the error says line and column. */
int kube_dump_read(const KubeDumpSource *source, const KubeDumpSink *sink, KubeDumpCounts *ret_counts,
                   Error *err) MUST_CHECK;
