/* SPDX-License-Identifier: Apache-2.0 */
/* A list in JSON, {"kind": "PodList", "metadata": {...}, "items": [{...}, ...]} with its members in any
 * order: this automaton knows the brackets of the list and of its items; everything inside them is one value
 * to it, gathered where it is wanted and passed over where not. */
#include "kube/json_pull.h"
#include "kube/list.h"

typedef KubeJsonListState State;

static void begin_value(KubeJsonList *list, State state, const KubeBytes *rest, bool keep) {
  list->state = state;
  kube_json_value_begin(&list->value, rest->offset, keep);
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
  begin_value(list, KUBE_JSON_LIST_IN_NAME, rest, true);
  return 0;
}

static int begin_item(KubeJsonList *list, const KubeBytes *rest, const char *wanted, Error *err) {
  if (*rest->at != '{')
    return kube_json_fail(rest, wanted, err);
  begin_value(list, KUBE_JSON_LIST_IN_ITEM, rest, true);
  return 0;
}

static int begin_member(KubeJsonList *list, KubeBytes *rest) {
  if (list->member == KUBE_JSON_LIST_ITEMS && *rest->at == '[') {
    kube_bytes_advance(rest, 1);
    list->state = KUBE_JSON_LIST_FIRST_ITEM;
    return 0;
  }
  begin_value(list, KUBE_JSON_LIST_IN_VALUE, rest, list->member != KUBE_JSON_LIST_OTHER);
  return 0;
}

/* A byte of the list's own structure. */
static int feed_structure(KubeJsonList *list, KubeBytes *rest, Error *err) {
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
    return begin_member(list, rest);
  case KUBE_JSON_LIST_FIRST_ITEM:
    if (c == ']')
      return take_byte(list, rest, ']', KUBE_JSON_LIST_AFTER_VALUE, NULL, err);
    return begin_item(list, rest, "an object or ']'", err);
  case KUBE_JSON_LIST_ITEM:
    return begin_item(list, rest, "an object", err);
  case KUBE_JSON_LIST_AFTER_ITEM:
    if (c == ',')
      return take_byte(list, rest, ',', KUBE_JSON_LIST_ITEM, NULL, err);
    return take_byte(list, rest, ']', KUBE_JSON_LIST_AFTER_VALUE, "',' or ']'", err);
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
  list->member = kube_json_text_equal(&text, "items")      ? KUBE_JSON_LIST_ITEMS
                 : kube_json_text_equal(&text, "metadata") ? KUBE_JSON_LIST_META
                 : kube_json_text_equal(&text, "kind")     ? KUBE_JSON_LIST_KIND
                                                           : KUBE_JSON_LIST_OTHER;
  return 0;
}

static int end_kind(KubeListParts *parts, KubeBytes value, Error *err) {
  KubeJson json = {.rest = value};
  KubeJsonText text;
  int result = kube_json_read_text(&json, &text, err);
  return result < 0 ? result : kube_list_take_kind(parts, text.raw, err);
}

/* "items": null is how Go writes a list that was never made; it is as good as []. */
static int end_member(KubeJsonList *list, KubeListParts *parts, KubeBytes value, Error *err) {
  KubeJson json = {.rest = value};
  if (kube_json_kind(&json) == KUBE_JSON_KIND_NULL)
    return 0;
  switch (list->member) {
  case KUBE_JSON_LIST_KIND:
    return end_kind(parts, value, err);
  case KUBE_JSON_LIST_META:
    return kube_list_take_meta(parts, value, err);
  case KUBE_JSON_LIST_ITEMS:
    return kube_json_fail(&value, "the array of items", err);
  case KUBE_JSON_LIST_OTHER:
    break;
  }
  return 0;
}

static int feed_value(KubeJsonList *list, KubeListParts *parts, KubeBytes *rest, Error *err) {
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
    return kube_list_take_item(parts, value, err);
  default:
    list->state = KUBE_JSON_LIST_AFTER_VALUE;
    return end_member(list, parts, value, err);
  }
}

static bool is_in_value(const KubeJsonList *list) {
  return list->state == KUBE_JSON_LIST_IN_NAME || list->state == KUBE_JSON_LIST_IN_VALUE ||
         list->state == KUBE_JSON_LIST_IN_ITEM;
}

int kube_json_list_feed(KubeJsonList *list, KubeListParts *parts, KubeBytes rest, Error *err) {
  while (rest.size > 0) {
    int result = 0;
    if (is_in_value(list))
      result = feed_value(list, parts, &rest, err);
    else if (kube_json_is_space(*rest.at))
      kube_bytes_advance(&rest, 1);
    else
      result = feed_structure(list, &rest, err);
    if (result < 0)
      return result;
  }
  return 0;
}
