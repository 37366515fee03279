/* SPDX-License-Identifier: Apache-2.0 */
/* Which fields of Kubernetes objects we keep: one table per message drives the protobuf reader, the JSON
 * reader and nothing else. Numbers are those of k8s.io/api core/v1 generated.proto and apimachinery meta/v1
 * (Kubernetes 1.36), names are the JSON names; offsets say where in the C struct (cluster/object.h) the value
 * goes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum KubeFieldKind {
  KUBE_STRING,     /* const char *; NULL where empty, for protobuf cannot tell that from absent */
  KUBE_UID,        /* ObjectUid, read as a string */
  KUBE_VERSION,    /* ObjectVersion, read as a string */
  KUBE_INT32,      /* int32_t */
  KUBE_BOOL,       /* bool */
  KUBE_TIME,       /* int64_t, Unix seconds; protobuf {1: seconds}, JSON RFC 3339 */
  KUBE_MESSAGE,    /* the sub-message's fields go into the same struct, at `offset` */
  KUBE_LIST,       /* LIST(T) of sub-messages, `item_size` bytes each */
  KUBE_STRINGS,    /* Strings */
  KUBE_MAP,        /* KeyValues: map<string, string>; sorted by key */
  KUBE_QUANTITIES, /* ResourceTexts: map<string, Quantity>, sorted; protobuf Quantity is {1: string} */
} KubeFieldKind;

typedef struct KubeMessage KubeMessage;

typedef struct KubeField {
  const char *name;
  uint32_t number;
  KubeFieldKind kind;
  size_t offset;
  const KubeMessage *message; /* of KUBE_MESSAGE and KUBE_LIST */
  size_t item_size;           /* of KUBE_LIST */
  ptrdiff_t present_offset;   /* a bool set where the message is there at all; -1: none */
  size_t part; /* not 0: the field is in the type's part, to which the pointer at this offset points */
} KubeField;

/* The name of a message whose JSON members stand among those of the message around it; its offset is 0. */
#define KUBE_EMBEDDED ""

struct KubeMessage {
  const KubeField *fields;
  size_t field_count;
};

/* A type of object at the top: what a list or a watch yields. */
typedef struct KubeType {
  const char *kind; /* "Pod" */
  const char *path; /* "/api/v1/pods" */
  const KubeMessage *message;
  size_t size; /* of the C struct, which begins with ObjectMeta */
  size_t part; /* offset of the pointer to a second struct, which many objects may have in common; 0: none */
  size_t part_size;
  /* Offset of a LIST(T) that no reader fills, of T without pointers and alignment; 0: none. Whoever trims
   * objects may. */
  size_t extra;
  size_t extra_item_size;
} KubeType;

/* Where the field's value is, or the message's fields, and the bool that says whether the message is there.
 * The part, if the field is in it, must be there. */
static inline void *kube_field_base(const KubeField *field, const void *target) {
  return field->part ? *(void *const *)((const char *)target + field->part) : (void *)target;
}

static inline void *kube_field_place(const KubeField *field, const void *target) {
  return (char *)kube_field_base(field, target) + field->offset;
}

static inline bool *kube_field_presence(const KubeField *field, const void *target) {
  return (bool *)((char *)kube_field_base(field, target) + field->present_offset);
}

extern const KubeType kube_pod_type;
extern const KubeType kube_node_type;
/* Of these, dumps are read; nothing watches them. */
extern const KubeType kube_namespace_type;
extern const KubeType kube_persistent_volume_type;
extern const KubeType kube_persistent_volume_claim_type;
extern const KubeType kube_storage_class_type;
/* Of leader election. */
extern const KubeType kube_lease_type;

/* What a dump is read for. */
extern const KubeType *const kube_types[];
extern const size_t kube_type_count;
