/* SPDX-License-Identifier: Apache-2.0 */
/* A JSON document in memory, pulled value by value: who knows what comes next asks for it. Errors say the
 * byte.
 *
 *     kube_json_open(&json, '{', err);
 *     while ((r = kube_json_next_name(&json, &name, err)) == 0)
 *       ... value ... */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "kube/bytes.h"

#include <stdbool.h>

/* kube_json_next_...: the object or array ended. */
enum { KUBE_JSON_CLOSED = 1 };

typedef struct KubeJson {
  KubeBytes rest;
  int depth;
  bool fresh; /* just behind an opening bracket */
} KubeJson;

/* A string as it stands between its quotes. */
typedef struct KubeJsonText {
  KubeBytes raw;
  bool escaped; /* has escapes */
} KubeJsonText;

typedef enum KubeJsonKind {
  KUBE_JSON_KIND_NONE, /* the end, or nothing that begins a value */
  KUBE_JSON_KIND_OBJECT,
  KUBE_JSON_KIND_ARRAY,
  KUBE_JSON_KIND_STRING,
  KUBE_JSON_KIND_NUMBER,
  KUBE_JSON_KIND_BOOL,
  KUBE_JSON_KIND_NULL,
} KubeJsonKind;

/* What the next value is, by its first byte. */
KubeJsonKind kube_json_kind(KubeJson *json);
/* "a string", "an object", ... for messages */
const char *kube_json_kind_name(KubeJsonKind kind);

int kube_json_open(KubeJson *json, char bracket, Error *err) MUST_CHECK;
int kube_json_next_name(KubeJson *json, KubeJsonText *ret_name, Error *err) MUST_CHECK;
int kube_json_next_item(KubeJson *json, Error *err) MUST_CHECK;
int kube_json_read_text(KubeJson *json, KubeJsonText *ret_text, Error *err) MUST_CHECK;
int kube_json_read_int(KubeJson *json, int64_t *ret_value, Error *err) MUST_CHECK;
int kube_json_read_bool(KubeJson *json, bool *ret_value, Error *err) MUST_CHECK;
/* Passes over a value of any kind; ret_value, where not NULL, gets its bytes. */
int kube_json_skip(KubeJson *json, KubeBytes *ret_value, Error *err) MUST_CHECK;
/* The text of the document's member of that name: size 0 where there is none, or no string. */
int kube_json_find_text(KubeBytes document, const char *name, KubeBytes *ret_text, Error *err) MUST_CHECK;
/* Nothing but whitespace may follow. */
int kube_json_check_end(KubeJson *json, Error *err) MUST_CHECK;

/* The text with its escapes resolved, as a string of the arena. */
int kube_json_text_decode(const KubeJsonText *text, Arena *arena, const char **ret_string,
                          Error *err) MUST_CHECK;
bool kube_json_text_equal(const KubeJsonText *text, const char *string);
