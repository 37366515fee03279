/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON side of the tables. Lists are counted before they are read, so that they get exactly the room they
 * need. Of members with the same name the last one wins; null leaves things as they are. */
#include "kube/decode.h"
#include "kube/json_pull.h"
#include "kube/store.h"
#include "kube/time.h"

#include <inttypes.h>
#include <string.h>

static int decode_object(const KubeMessage *message, KubeJson *json, Arena *arena, void *target, Error *err);

static const KubeField *find_field(const KubeMessage *message, const KubeJsonText *name) {
  for (size_t i = 0; i < message->field_count; i++)
    if (kube_json_text_equal(name, message->fields[i].name))
      return &message->fields[i];
  return NULL;
}

static KubeJsonKind json_kind_of(const KubeField *field) {
  switch (field->kind) {
  case KUBE_STRING:
  case KUBE_TIME:
    return KUBE_JSON_KIND_STRING;
  case KUBE_INT32:
    return KUBE_JSON_KIND_NUMBER;
  case KUBE_BOOL:
    return KUBE_JSON_KIND_BOOL;
  case KUBE_LIST:
  case KUBE_STRINGS:
    return KUBE_JSON_KIND_ARRAY;
  case KUBE_MESSAGE:
  case KUBE_MAP:
  case KUBE_QUANTITIES:
    break;
  }
  return KUBE_JSON_KIND_OBJECT;
}

static int check_kind(const char *name, KubeJsonKind wanted, KubeJson *json, Error *err) {
  KubeJsonKind kind = kube_json_kind(json);
  if (kind == wanted)
    return 0;
  return error_set(err, ERROR_INVALID, "\"%s\" is %s at byte %" PRIu64 " where %s was expected", name,
                   kube_json_kind_name(kind), json->rest.offset, kube_json_kind_name(wanted));
}

static int decode_string(KubeJson *json, Arena *arena, const char **ret_string, Error *err) {
  KubeJsonText text;
  int result = kube_json_read_text(json, &text, err);
  return result < 0 ? result : kube_json_text_decode(&text, arena, ret_string, err);
}

/* An empty string is an absent one: protobuf cannot tell them apart. */
static int decode_field_string(KubeJson *json, Arena *arena, const char **place, Error *err) {
  const char *string;
  int result = decode_string(json, arena, &string, err);
  if (result == 0)
    *place = *string ? string : NULL;
  return result;
}

static int decode_int32(const KubeField *field, KubeJson *json, int32_t *place, Error *err) {
  uint64_t offset = json->rest.offset;
  int64_t value;
  int result = kube_json_read_int(json, &value, err);
  if (result < 0)
    return error_prefix(err, "\"%s\"", field->name);
  if (value < INT32_MIN || value > INT32_MAX)
    return error_set(err, ERROR_INVALID, "\"%s\" at byte %" PRIu64 " does not fit into 32 bits", field->name,
                     offset);
  *place = (int32_t)value;
  return 0;
}

static int decode_time(const KubeField *field, KubeJson *json, int64_t *place, Error *err) {
  KubeJsonText text;
  int result = kube_json_read_text(json, &text, err);
  if (result < 0)
    return result;
  if (!kube_time_parse(text.raw.at, text.raw.size, place))
    return error_set(err, ERROR_INVALID, "\"%s\" at byte %" PRIu64 " is not a time like 2026-01-31T12:00:00Z",
                     field->name, text.raw.offset);
  return 0;
}

/* How many entries the array or object at the cursor has; also proves that it is sound to its end. */
static int count_entries(KubeJson json, size_t *ret_count, Error *err) {
  bool object = kube_json_kind(&json) == KUBE_JSON_KIND_OBJECT;
  KubeJsonText name;
  size_t count = 0;
  int result = kube_json_open(&json, object ? '{' : '[', err);
  if (result < 0)
    return result;
  while ((result = object ? kube_json_next_name(&json, &name, err) : kube_json_next_item(&json, err)) == 0) {
    result = kube_json_skip(&json, NULL, err);
    if (result < 0)
      return result;
    count++;
  }
  if (result < 0)
    return result;
  *ret_count = count;
  return 0;
}

static int decode_item(const KubeField *field, KubeJson *json, Arena *arena, void *target, Error *err) {
  int result = check_kind(
      field->name, field->kind == KUBE_LIST ? KUBE_JSON_KIND_OBJECT : KUBE_JSON_KIND_STRING, json, err);
  if (result < 0)
    return result;
  if (field->kind == KUBE_LIST)
    return decode_object(field->message, json, arena, kube_store_push(field, target), err);
  return decode_string(json, arena, kube_store_push(field, target), err);
}

static int decode_array(const KubeField *field, KubeJson *json, Arena *arena, void *target, Error *err) {
  int result = kube_json_open(json, '[', err);
  if (result < 0)
    return result;
  while ((result = kube_json_next_item(json, err)) == 0) {
    result = decode_item(field, json, arena, target, err);
    if (result < 0)
      return result;
  }
  return result < 0 ? result : 0;
}

/* Quantities may also be written as numbers; then the number's text is the quantity. */
static int decode_map_value(const KubeField *field, KubeJson *json, Arena *arena, const char **ret_value,
                            Error *err) {
  KubeJsonKind kind = kube_json_kind(json);
  if (kind == KUBE_JSON_KIND_NULL) {
    *ret_value = "";
    return kube_json_skip(json, NULL, err);
  }
  if (field->kind == KUBE_QUANTITIES && kind == KUBE_JSON_KIND_NUMBER) {
    KubeBytes number;
    int result = kube_json_skip(json, &number, err);
    if (result == 0)
      *ret_value = arena_strndup(arena, number.at, number.size);
    return result;
  }
  int result = check_kind(field->name, KUBE_JSON_KIND_STRING, json, err);
  return result < 0 ? result : decode_string(json, arena, ret_value, err);
}

static int decode_map(const KubeField *field, KubeJson *json, Arena *arena, void *target, Error *err) {
  int result = kube_json_open(json, '{', err);
  if (result < 0)
    return result;
  KubeJsonText name;
  while ((result = kube_json_next_name(json, &name, err)) == 0) {
    KeyValue *entry = kube_store_push(field, target);
    result = kube_json_text_decode(&name, arena, &entry->key, err);
    if (result == 0)
      result = decode_map_value(field, json, arena, &entry->value, err);
    if (result < 0)
      return result;
  }
  if (result < 0)
    return result;
  kube_store_sort((KeyValues *)((char *)target + field->offset));
  return 0;
}

static int decode_list(const KubeField *field, KubeJson *json, Arena *arena, void *target, Error *err) {
  size_t count;
  int result = count_entries(*json, &count, err);
  if (result == 0)
    result = kube_store_reserve(arena, field, target, count, err);
  if (result < 0)
    return result;
  if (field->kind == KUBE_LIST || field->kind == KUBE_STRINGS)
    return decode_array(field, json, arena, target, err);
  return decode_map(field, json, arena, target, err);
}

static int decode_message(const KubeField *field, KubeJson *json, Arena *arena, void *target, Error *err) {
  if (field->present_offset >= 0)
    *(bool *)((char *)target + field->present_offset) = true;
  return decode_object(field->message, json, arena, (char *)target + field->offset, err);
}

static int decode_value(const KubeField *field, KubeJson *json, Arena *arena, void *target, Error *err) {
  if (kube_json_kind(json) == KUBE_JSON_KIND_NULL)
    return kube_json_skip(json, NULL, err);
  int result = check_kind(field->name, json_kind_of(field), json, err);
  if (result < 0)
    return result;
  void *place = (char *)target + field->offset;
  switch (field->kind) {
  case KUBE_STRING:
    return decode_field_string(json, arena, place, err);
  case KUBE_INT32:
    return decode_int32(field, json, place, err);
  case KUBE_BOOL:
    return kube_json_read_bool(json, place, err);
  case KUBE_TIME:
    return decode_time(field, json, place, err);
  case KUBE_MESSAGE:
    return decode_message(field, json, arena, target, err);
  default:
    return decode_list(field, json, arena, target, err);
  }
}

static int decode_object(const KubeMessage *message, KubeJson *json, Arena *arena, void *target, Error *err) {
  int result = kube_json_open(json, '{', err);
  if (result < 0)
    return result;
  KubeJsonText name;
  while ((result = kube_json_next_name(json, &name, err)) == 0) {
    const KubeField *field = find_field(message, &name);
    result = field ? decode_value(field, json, arena, target, err) : kube_json_skip(json, NULL, err);
    if (result < 0)
      return result;
  }
  return result < 0 ? result : 0;
}

int kube_decode_json(const KubeMessage *message, KubeBytes bytes, Arena *arena, void *target, Error *err) {
  KubeJson json = {.rest = bytes};
  int result = decode_object(message, &json, arena, target, err);
  return result < 0 ? result : kube_json_check_end(&json, err);
}
