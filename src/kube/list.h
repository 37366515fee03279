/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a list reader: two streams that find the parts of a list in the bytes of an answer, and what
 * becomes of the parts. */
#pragma once

#include "kube/decode.h"
#include "kube/gather.h"
#include "kube/json_scan.h"
#include "kube/wire.h"

/* metav1.ListMeta */
typedef struct KubeListMeta {
  const char *resource_version;
  const char *continue_;
} KubeListMeta;

/* Where the parts go. */
typedef struct KubeListParts {
  const KubeType *type;
  KubeFormat format;
  KubeOnObject *on_object;
  void *userdata;
  Arena arena; /* of meta */
  KubeListMeta meta;
} KubeListParts;
int kube_list_take_kind(KubeListParts *parts, KubeBytes kind, Error *err) MUST_CHECK;
int kube_list_take_meta(KubeListParts *parts, KubeBytes meta, Error *err) MUST_CHECK;
int kube_list_take_item(KubeListParts *parts, KubeBytes item, Error *err) MUST_CHECK;

/* A stream of zeroes is at the start of an answer. */
typedef struct KubeProtobufList {
  enum {
    KUBE_PROTOBUF_LIST_MAGIC,
    KUBE_PROTOBUF_LIST_HEADER, /* between fields, or in a field's header */
    KUBE_PROTOBUF_LIST_SKIP,   /* in a field that nobody wants */
    KUBE_PROTOBUF_LIST_TAKE,   /* in one that is gathered */
  } state;
  bool inside;   /* in the list itself; else around it, in runtime.Unknown */
  bool complete; /* the list has ended */
  uint64_t end;  /* of the list in the stream, while inside */
  char header[KUBE_WIRE_HEADER_MAX];
  size_t header_size;
  uint32_t number; /* of the current field */
  uint64_t skip;
  KubeGather gather;
} KubeProtobufList;
int kube_protobuf_list_feed(KubeProtobufList *list, KubeListParts *parts, KubeBytes rest,
                            Error *err) MUST_CHECK;
/* The stream may end here. */
bool kube_protobuf_list_is_complete(const KubeProtobufList *list);

typedef enum KubeJsonListState {
  KUBE_JSON_LIST_OPEN,
  KUBE_JSON_LIST_FIRST_NAME, /* or the end */
  KUBE_JSON_LIST_NAME,
  KUBE_JSON_LIST_IN_NAME,
  KUBE_JSON_LIST_COLON,
  KUBE_JSON_LIST_VALUE,
  KUBE_JSON_LIST_IN_VALUE,
  KUBE_JSON_LIST_FIRST_ITEM, /* or the end of the items */
  KUBE_JSON_LIST_ITEM,
  KUBE_JSON_LIST_IN_ITEM,
  KUBE_JSON_LIST_AFTER_ITEM,
  KUBE_JSON_LIST_AFTER_VALUE,
  KUBE_JSON_LIST_END,
} KubeJsonListState;

typedef enum KubeJsonListMember {
  KUBE_JSON_LIST_OTHER,
  KUBE_JSON_LIST_KIND,
  KUBE_JSON_LIST_API_VERSION,
  KUBE_JSON_LIST_META,
  KUBE_JSON_LIST_ITEMS,
} KubeJsonListMember;

/* What becomes of the parts of a list in JSON. Values and items are borrowed for the call, and items are not
 * yet held against the grammar. */
typedef struct KubeJsonListSink {
  /* A member other than an array of items, with its value where that was gathered. */
  int (*on_member)(void *userdata, KubeJsonListMember member, KubeBytes value, Error *err);
  /* The array of items begins behind this place; may be NULL. */
  int (*on_items)(void *userdata, uint64_t offset, Error *err);
  int (*on_item)(void *userdata, KubeBytes item, Error *err);
  void *userdata;
  bool any_items;  /* else they must be objects */
  bool cuts_items; /* those that are too large: list->value.is_cut tells; else they are an error */
} KubeJsonListSink;

typedef struct KubeJsonList {
  KubeJsonListState state;
  KubeJsonListMember member;
  KubeJsonTake take_others; /* what becomes of members that are not named above */
  bool is_bare;             /* an array of items without the list around it */
  KubeJsonValue value;
} KubeJsonList;
/* KUBE_JSON_DONE at the list's end, with the cursor behind it. On failure the cursor stands at what is wrong,
 * or behind the item or value whose taker refused it. */
int kube_json_list_feed(KubeJsonList *list, const KubeJsonListSink *sink, KubeBytes *rest,
                        Error *err) MUST_CHECK;
