/* SPDX-License-Identifier: Apache-2.0 */
/* Readers of Kubernetes objects: table-driven, streaming, sans-I/O, one arena per object.
 *
 * Fed byte by byte or in one piece they give the same result. Unknown fields are skipped at no cost of
 * memory; a single object larger than KUBE_OBJECT_SIZE_MAX is an error that names the limit. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include "kube/schema.h"

enum {
  KUBE_OBJECT_SIZE_MAX = 8 << 20, /* bytes of one encoded object */
  KUBE_JSON_DEPTH_MAX = 64,
};

typedef enum KubeFormat { KUBE_PROTOBUF, KUBE_JSON } KubeFormat;

/* From a Content-Type header: protobuf where it says so, else JSON. */
KubeFormat kube_format_of(const char *content_type);

/* A decoded object: the struct of its type and all it points to live in `arena`. */
typedef struct KubeObject {
  Arena arena;
  const KubeType *type;
  void *value; /* Pod *, Node *: begins with ObjectMeta */
} KubeObject;

void kube_object_free(KubeObject *object);
DEFINE_CLEANUP(KubeObject, kube_object_free)

/* One bare object (protobuf: the message without the k8s envelope; JSON: the object). */
int kube_object_decode(const KubeType *type, KubeFormat format, const void *bytes, size_t size,
                       KubeObject **ret_object, Error *err) MUST_CHECK;
/* With the envelope of an API answer ("k8s\0" + Unknown) in protobuf. */
int kube_object_decode_answer(const KubeType *type, KubeFormat format, const void *bytes, size_t size,
                              KubeObject **ret_object, Error *err) MUST_CHECK;

/* metav1.Status: what the API server says of a failure. */
typedef struct KubeStatus {
  int code;        /* 410, 422, ... 0 where absent */
  char reason[64]; /* "Expired", "NotFound", "Invalid" */
  char message[ERROR_TEXT_SIZE];
  int retry_after_s; /* -1 where absent */
} KubeStatus;
/* Reads a Status in either format (protobuf with its envelope); garbage leaves the first bytes as the
 * message. */
void kube_status_decode(KubeFormat format, const void *bytes, size_t size, KubeStatus *ret_status);

/* The answer to a LIST, as a stream. */
typedef struct KubeListReader KubeListReader;
typedef void KubeOnObject(void *userdata, KubeObject *object); /* takes the object */
/* on_object is called from inside feed; it must not free the reader. */
KubeListReader *kube_list_reader_new(const KubeType *type, KubeFormat format, KubeOnObject *on_object,
                                     void *userdata);
void kube_list_reader_free(KubeListReader *reader);
DEFINE_CLEANUP(KubeListReader, kube_list_reader_free)
/* Once it failed, the reader is only good to be freed. */
int kube_list_reader_feed(KubeListReader *reader, const void *bytes, size_t size, Error *err) MUST_CHECK;
/* At the end of the stream: an error where it ended in the middle. Strings live as long as the reader. */
int kube_list_reader_finish(KubeListReader *reader, const char **ret_resource_version,
                            const char **ret_continue, Error *err) MUST_CHECK;

/* The answer to a WATCH, as a stream of events. */
typedef enum KubeEventType {
  KUBE_EVENT_ADDED,
  KUBE_EVENT_MODIFIED,
  KUBE_EVENT_DELETED,
  KUBE_EVENT_BOOKMARK, /* object holds the resource version only; annotation k8s.io/initial-events-end may be
                          set */
  KUBE_EVENT_ERROR,    /* status is filled, object is NULL */
} KubeEventType;

typedef struct KubeWatchEvent {
  KubeEventType type;
  KubeObject *object; /* taken by the callback */
  KubeStatus status;
} KubeWatchEvent;

typedef struct KubeWatchReader KubeWatchReader;
typedef void KubeOnWatchEvent(void *userdata, KubeWatchEvent *event);
/* on_event is called from inside feed; it must not free the reader. */
KubeWatchReader *kube_watch_reader_new(const KubeType *type, KubeFormat format, KubeOnWatchEvent *on_event,
                                       void *userdata);
void kube_watch_reader_free(KubeWatchReader *reader);
DEFINE_CLEANUP(KubeWatchReader, kube_watch_reader_free)
/* Once it failed, the reader is only good to be freed. The stream may end anywhere: connections break. */
int kube_watch_reader_feed(KubeWatchReader *reader, const void *bytes, size_t size, Error *err) MUST_CHECK;
