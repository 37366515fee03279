/* SPDX-License-Identifier: Apache-2.0 */
/* A list in JSON, {"kind": "PodList", "metadata": {...}, "items": [{...}, ...]} with its members in any
 * order: this automaton knows the brackets of the list and of its items; everything inside them is one value
 * to it, gathered where it is wanted and passed over where not. */
#include "kube/json_pull.h"
#include "kube/list.h"

#include <string.h>

typedef KubeJsonListState State;

static void begin_value(KubeJsonList *list, State state, const KubeBytes *rest, KubeJsonTake take) {
  list->state = state;
  kube_json_value_begin(&list->value, rest->offset, *rest->at, take);
}

/* Where the byte between values is the wanted one, moves over it. */
static int take_byte(KubeJsonList *list, KubeBytes *rest, char wanted, State next, const char *name,
                     Error *err) {
  if (*rest->at != wanted)
    return kube_json_fail(rest, name, err);
  kube_bytes_advance(rest, 1);
  list->state = next;
  return 0;
}

static int begin_name(KubeJsonList *list, const KubeBytes *rest, const char *wanted, Error *err) {
  if (*rest->at != '"')
    return kube_json_fail(rest, wanted, err);
  begin_value(list, KUBE_JSON_LIST_IN_NAME, rest, KUBE_JSON_KEEP);
  return 0;
}

static int begin_item(KubeJsonList *list, const KubeJsonListSink *sink, const KubeBytes *rest,
                      const char *wanted, Error *err) {
  bool may_begin = sink->any_items ? !strchr("]},:", *rest->at) : *rest->at == '{';
  if (!may_begin)
    return kube_json_fail(rest, wanted, err);
  begin_value(list, KUBE_JSON_LIST_IN_ITEM, rest, sink->cuts_items ? KUBE_JSON_BITE : KUBE_JSON_GRAB);
  return 0;
}

static int begin_member(KubeJsonList *list, const KubeJsonListSink *sink, KubeBytes *rest, Error *err) {
  if (list->member == KUBE_JSON_LIST_ITEMS && *rest->at == '[') {
    kube_bytes_advance(rest, 1);
    list->state = KUBE_JSON_LIST_FIRST_ITEM;
    return sink->on_items ? sink->on_items(sink->userdata, rest->offset, err) : 0;
  }
  begin_value(list, KUBE_JSON_LIST_IN_VALUE, rest,
              list->member == KUBE_JSON_LIST_OTHER ? list->take_others : KUBE_JSON_KEEP);
  return 0;
}

static int end_items(KubeJsonList *list, KubeBytes *rest, const char *wanted, Error *err) {
  return take_byte(list, rest, ']', list->is_bare ? KUBE_JSON_LIST_END : KUBE_JSON_LIST_AFTER_VALUE, wanted,
                   err);
}

/* A byte of the list's own structure. */
static int feed_structure(KubeJsonList *list, const KubeJsonListSink *sink, KubeBytes *rest, Error *err) {
  char c = *rest->at;
  switch (list->state) {
  case KUBE_JSON_LIST_OPEN:
    return take_byte(list, rest, '{', KUBE_JSON_LIST_FIRST_NAME, "an object", err);
  case KUBE_JSON_LIST_FIRST_NAME:
    if (c == '}')
      return take_byte(list, rest, '}', KUBE_JSON_LIST_END, NULL, err);
    return begin_name(list, rest, "a name in quotes or '}'", err);
  case KUBE_JSON_LIST_NAME:
    return begin_name(list, rest, "a name in quotes", err);
  case KUBE_JSON_LIST_COLON:
    return take_byte(list, rest, ':', KUBE_JSON_LIST_VALUE, "':'", err);
  case KUBE_JSON_LIST_VALUE:
    return begin_member(list, sink, rest, err);
  case KUBE_JSON_LIST_FIRST_ITEM:
    if (c == ']')
      return end_items(list, rest, NULL, err);
    return begin_item(list, sink, rest, "an object or ']'", err);
  case KUBE_JSON_LIST_ITEM:
    return begin_item(list, sink, rest, "an object", err);
  case KUBE_JSON_LIST_AFTER_ITEM:
    if (c == ',')
      return take_byte(list, rest, ',', KUBE_JSON_LIST_ITEM, NULL, err);
    return end_items(list, rest, "',' or ']'", err);
  case KUBE_JSON_LIST_AFTER_VALUE:
    if (c == ',')
      return take_byte(list, rest, ',', KUBE_JSON_LIST_NAME, NULL, err);
    return take_byte(list, rest, '}', KUBE_JSON_LIST_END, "',' or '}'", err);
  default:
    return kube_json_fail(rest, "the end of the list", err);
  }
}

static int end_name(KubeJsonList *list, KubeBytes name, Error *err) {
  KubeJson json = {.rest = name};
  KubeJsonText text;
  int result = kube_json_read_text(&json, &text, err);
  if (result < 0)
    return result;
  list->member = kube_json_text_equal(&text, "items")        ? KUBE_JSON_LIST_ITEMS
                 : kube_json_text_equal(&text, "metadata")   ? KUBE_JSON_LIST_META
                 : kube_json_text_equal(&text, "kind")       ? KUBE_JSON_LIST_KIND
                 : kube_json_text_equal(&text, "apiVersion") ? KUBE_JSON_LIST_API_VERSION
                                                             : KUBE_JSON_LIST_OTHER;
  return 0;
}

static int feed_value(KubeJsonList *list, const KubeJsonListSink *sink, KubeBytes *rest, Error *err) {
  KubeBytes value;
  int result = kube_json_value_feed(&list->value, rest, &value, err);
  if (result != KUBE_JSON_DONE)
    return result;
  switch (list->state) {
  case KUBE_JSON_LIST_IN_NAME:
    list->state = KUBE_JSON_LIST_COLON;
    return end_name(list, value, err);
  case KUBE_JSON_LIST_IN_ITEM:
    list->state = KUBE_JSON_LIST_AFTER_ITEM;
    return sink->on_item(sink->userdata, value, err);
  default:
    list->state = KUBE_JSON_LIST_AFTER_VALUE;
    return sink->on_member(sink->userdata, list->member, value, err);
  }
}

static bool is_in_value(const KubeJsonList *list) {
  return list->state == KUBE_JSON_LIST_IN_NAME || list->state == KUBE_JSON_LIST_IN_VALUE ||
         list->state == KUBE_JSON_LIST_IN_ITEM;
}

int kube_json_list_feed(KubeJsonList *list, const KubeJsonListSink *sink, KubeBytes *rest, Error *err) {
  while (rest->size > 0) {
    int result = 0;
    if (is_in_value(list))
      result = feed_value(list, sink, rest, err);
    else if (kube_json_is_space(*rest->at))
      kube_bytes_advance(rest, kube_json_fast_space(rest->at, rest->size));
    else
      result = feed_structure(list, sink, rest, err);
    if (result < 0)
      return result;
    if (list->state == KUBE_JSON_LIST_END)
      return KUBE_JSON_DONE;
  }
  return 0;
}
