/* SPDX-License-Identifier: Apache-2.0 */
/* The two table-driven decoders: the message's fields out of `bytes` into the struct at `target`, which was
 * zeroed. Strings go into the arena. On failure target holds what was read so far. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "kube/bytes.h"
#include "kube/json_pull.h"
#include "kube/reader.h"
#include "kube/schema.h"

int kube_decode_protobuf(const KubeMessage *message, KubeBytes bytes, Arena *arena, void *target,
                         Error *err) MUST_CHECK;
int kube_decode_json(const KubeMessage *message, KubeBytes bytes, Arena *arena, void *target,
                     Error *err) MUST_CHECK;
/* The same at a cursor; where it fails, the cursor stands near what is wrong. */
int kube_decode_json_at(const KubeMessage *message, KubeJson *json, Arena *arena, void *target,
                        Error *err) MUST_CHECK;

/* kube_object_decode() of an object that stands somewhere in a stream. */
int kube_object_decode_bytes(const KubeType *type, KubeFormat format, KubeBytes bytes,
                             KubeObject **ret_object, Error *err) MUST_CHECK;

/* The same of a JSON object at a cursor; where it fails, the cursor stands near what is wrong. */
int kube_object_decode_json(const KubeType *type, KubeJson *json, KubeObject **ret_object,
                            Error *err) MUST_CHECK;

/* "k8s\0" and runtime.Unknown around a protobuf message. */
typedef struct KubeEnvelope {
  KubeBytes kind; /* size 0 where absent */
  KubeBytes raw;
} KubeEnvelope;
enum { KUBE_ENVELOPE_MAGIC_SIZE = 4 };
int kube_envelope_open(KubeBytes bytes, KubeEnvelope *ret_envelope, Error *err) MUST_CHECK;
/* Fails where bytes do not begin with the magic (of which they hold all four). */
int kube_envelope_check_magic(KubeBytes bytes, Error *err) MUST_CHECK;
/* The kind inside a runtime.TypeMeta. */
int kube_envelope_kind(KubeBytes type_meta, KubeBytes *ret_kind, Error *err) MUST_CHECK;
/* Fails where the kind is there and is not wanted + suffix ("Pod" + "List"). */
int kube_envelope_check_kind(KubeBytes kind, const char *wanted, const char *suffix, Error *err) MUST_CHECK;
