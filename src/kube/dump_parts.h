/* SPDX-License-Identifier: Apache-2.0 */
/* Between the parts of the dump reader: dump_json.c and dump_yaml.c cut the stream into objects, dump.c reads
 * them. */
#pragma once

#include "kube/decode.h"
#include "kube/dump.h"
#include "kube/json_fast.h"

/* The answer of kube_dump_take(): the object's kind stands nowhere yet. */
enum { KUBE_DUMP_NO_KIND = 1 };
enum { KUBE_DUMP_WORD_SIZE = 256 /* of a kind, of an apiVersion; longer ones are none of ours */ };

typedef struct KubeDump {
  const KubeDumpSource *source;
  const KubeDumpSink *sink;
  KubeDumpCounts counts;
} KubeDump;

/* What a list says of its items, "" where it says nothing. */
typedef struct KubeDumpWords {
  char kind[KUBE_DUMP_WORD_SIZE]; /* "List", "PodList" */
  char api_version[KUBE_DUMP_WORD_SIZE];
} KubeDumpWords;

typedef struct KubeDumpPlace {
  size_t line, column; /* from 1 */
} KubeDumpPlace;

typedef struct KubeDumpItem {
  KubeBytes json;             /* offsets carry KUBE_OFFSET_UNTOLD */
  const KubeDumpWords *words; /* of the list around it */
  bool is_last_word;          /* the list will say no more: without a kind it is bad */
  size_t number;              /* in the list, from 1; 0: a document of its own */
  KubeDumpPlace (*locate)(void *userdata, uint64_t offset);
  void *userdata;
} KubeDumpItem;

/* Reads the object and hands it out, counts it, or reports it. */
int kube_dump_take(KubeDump *dump, const KubeDumpItem *item);
/* The same without the report: what was wrong is the caller's error. */
int kube_dump_try(KubeDump *dump, const KubeDumpItem *item, Error *err) MUST_CHECK;
/* Puts "line 3, column 5" in front. */
int kube_dump_fail_at(KubeDumpPlace place, Error *err);
void kube_dump_report(KubeDump *dump, const Error *bad);

#define KUBE_DUMP_HOW "make the file with: kubectl get nodes,pods -A -o json"

/* Both begin with what was read of the stream to tell them apart. */
int kube_dump_json(KubeDump *dump, const char *bytes, size_t size, Error *err) MUST_CHECK;
int kube_dump_yaml(KubeDump *dump, const char *bytes, size_t size, Error *err) MUST_CHECK;
