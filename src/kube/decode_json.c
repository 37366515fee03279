/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON side of the tables, in one pass: the items of a list are read one by one into a chain, and get
 * exactly the room they need once all are there. Of members with the same name the last one wins; null leaves
 * things as they are. */
#include "kube/decode.h"
#include "kube/json_pull.h"
#include "kube/json_scan.h"
#include "kube/store.h"
#include "kube/time.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

typedef struct Decoder {
  KubeJson json;
  Arena *arena;
  Arena scratch; /* of lists that are not complete */
} Decoder;

typedef struct Link Link;
struct Link {
  Link *next;
  max_align_t item[];
};

typedef struct Chain {
  Link *first, *last;
  size_t count;
} Chain;

static int decode_object(const KubeMessage *message, Decoder *decoder, void *target, Error *err);

static void *chain_push(Decoder *decoder, Chain *chain, const KubeField *field) {
  Link *link = arena_alloc(&decoder->scratch, sizeof *link + kube_store_item_size(field));
  *(chain->last ? &chain->last->next : &chain->first) = link;
  chain->last = link;
  chain->count++;
  return link->item;
}

static int chain_store(Decoder *decoder, const Chain *chain, const KubeField *field, void *target,
                       Error *err) {
  int result = kube_store_reserve(decoder->arena, field, target, chain->count, err);
  for (const Link *link = chain->first; link && result == 0; link = link->next)
    memcpy(kube_store_push(field, target), link->item, kube_store_item_size(field));
  return result;
}

/* Most names are told apart by their first letter. */
static const KubeField *find_field(const KubeMessage *message, const KubeJsonText *name) {
  const KubeMessage *embedded = NULL;
  char first = name->raw.size ? *name->raw.at : '\0';
  for (size_t i = 0; i < message->field_count; i++) {
    const KubeField *field = &message->fields[i];
    if (!*field->name)
      embedded = field->message;
    else if ((*field->name == first || name->escaped) && kube_json_text_equal(name, field->name))
      return field;
  }
  return embedded ? find_field(embedded, name) : NULL;
}

static KubeJsonKind json_kind_of(const KubeField *field) {
  switch (field->kind) {
  case KUBE_STRING:
  case KUBE_UID:
  case KUBE_VERSION:
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
  if (kind == KUBE_JSON_KIND_NONE)
    return kube_json_fail(&json->rest, kube_json_kind_name(wanted), err);
  return error_set(err, ERROR_INVALID, "\"%s\" is %s%s where %s was expected", name,
                   kube_json_kind_name(kind), kube_place(json->rest.offset).text,
                   kube_json_kind_name(wanted));
}

static int decode_string(Decoder *decoder, const char **ret_string, Error *err) {
  KubeBytes start = decoder->json.rest;
  KubeJsonText text;
  int result = kube_json_read_text(&decoder->json, &text, err);
  if (result < 0)
    return result;
  result = kube_json_text_decode(&text, decoder->arena, ret_string, err);
  if (result < 0)
    decoder->json.rest = start;
  return result;
}

/* An empty string is an absent one: protobuf cannot tell them apart. */
static int decode_field_string(Decoder *decoder, const char **place, Error *err) {
  const char *string;
  int result = decode_string(decoder, &string, err);
  if (result == 0)
    *place = *string ? string : NULL;
  return result;
}

static int decode_int32(const KubeField *field, KubeJson *json, int32_t *place, Error *err) {
  KubeBytes start = json->rest;
  int64_t value;
  int result = kube_json_read_int(json, &value, err);
  if (result < 0)
    return error_prefix(err, "\"%s\"", field->name);
  *place = (int32_t)value;
  if (*place == value)
    return 0;
  json->rest = start;
  return error_set(err, ERROR_INVALID, "\"%s\"%s does not fit into 32 bits", field->name,
                   kube_place(start.offset).text);
}

static int decode_time(const KubeField *field, KubeJson *json, int64_t *place, Error *err) {
  KubeBytes start = json->rest;
  KubeJsonText text;
  int result = kube_json_read_text(json, &text, err);
  if (result < 0 || kube_time_parse(text.raw.at, text.raw.size, place))
    return result;
  json->rest = start;
  return error_set(err, ERROR_INVALID, "\"%s\"%s is not a time like 2026-01-31T12:00:00Z", field->name,
                   kube_place(text.raw.offset).text);
}

static int decode_item(const KubeField *field, Decoder *decoder, Chain *chain, Error *err) {
  int result =
      check_kind(field->name, field->kind == KUBE_LIST ? KUBE_JSON_KIND_OBJECT : KUBE_JSON_KIND_STRING,
                 &decoder->json, err);
  if (result < 0)
    return result;
  if (field->kind == KUBE_LIST)
    return decode_object(field->message, decoder, chain_push(decoder, chain, field), err);
  return decode_string(decoder, chain_push(decoder, chain, field), err);
}

static int decode_array(const KubeField *field, Decoder *decoder, void *target, Error *err) {
  Chain chain = {0};
  int result = kube_json_open(&decoder->json, '[', err);
  if (result < 0)
    return result;
  while ((result = kube_json_next_item(&decoder->json, err)) == 0) {
    result = decode_item(field, decoder, &chain, err);
    if (result < 0)
      return result;
  }
  return result < 0 ? result : chain_store(decoder, &chain, field, target, err);
}

/* Quantities may also be written as numbers; then the number's text is the quantity. */
static int decode_map_value(const KubeField *field, Decoder *decoder, const char **ret_value, Error *err) {
  KubeJson *json = &decoder->json;
  KubeJsonKind kind = kube_json_kind(json);
  if (kind == KUBE_JSON_KIND_NULL) {
    *ret_value = "";
    return kube_json_skip(json, NULL, err);
  }
  if (field->kind == KUBE_QUANTITIES && kind == KUBE_JSON_KIND_NUMBER) {
    KubeBytes number;
    int result = kube_json_skip(json, &number, err);
    if (result == 0)
      *ret_value = arena_strndup(decoder->arena, number.at, number.size);
    return result;
  }
  int result = check_kind(field->name, KUBE_JSON_KIND_STRING, json, err);
  return result < 0 ? result : decode_string(decoder, ret_value, err);
}

static int decode_map(const KubeField *field, Decoder *decoder, void *target, Error *err) {
  Chain chain = {0};
  int result = kube_json_open(&decoder->json, '{', err);
  if (result < 0)
    return result;
  KubeJsonText name;
  while ((result = kube_json_next_name(&decoder->json, &name, err)) == 0) {
    KeyValue *entry = chain_push(decoder, &chain, field);
    result = kube_json_text_decode(&name, decoder->arena, &entry->key, err);
    if (result == 0)
      result = decode_map_value(field, decoder, &entry->value, err);
    if (result < 0)
      return result;
  }
  if (result == KUBE_JSON_CLOSED)
    result = chain_store(decoder, &chain, field, target, err);
  if (result < 0)
    return result;
  kube_store_sort(kube_field_place(field, target));
  return 0;
}

static int decode_message(const KubeField *field, Decoder *decoder, void *target, Error *err) {
  if (field->present_offset >= 0)
    *kube_field_presence(field, target) = true;
  return decode_object(field->message, decoder, kube_field_place(field, target), err);
}

static int decode_value(const KubeField *field, Decoder *decoder, void *target, Error *err) {
  KubeJson *json = &decoder->json;
  if (kube_json_kind(json) == KUBE_JSON_KIND_NULL)
    return kube_json_skip(json, NULL, err);
  int result = check_kind(field->name, json_kind_of(field), json, err);
  if (result < 0)
    return result;
  void *place = kube_field_place(field, target);
  switch (field->kind) {
  case KUBE_STRING:
  case KUBE_UID:
  case KUBE_VERSION:
    return decode_field_string(decoder, place, err);
  case KUBE_INT32:
    return decode_int32(field, json, place, err);
  case KUBE_BOOL:
    return kube_json_read_bool(json, place, err);
  case KUBE_TIME:
    return decode_time(field, json, place, err);
  case KUBE_MESSAGE:
    return decode_message(field, decoder, target, err);
  case KUBE_LIST:
  case KUBE_STRINGS:
    return decode_array(field, decoder, target, err);
  default:
    return decode_map(field, decoder, target, err);
  }
}

static int decode_object(const KubeMessage *message, Decoder *decoder, void *target, Error *err) {
  KubeJson *json = &decoder->json;
  int result = kube_json_open(json, '{', err);
  if (result < 0)
    return result;
  KubeJsonText name;
  while ((result = kube_json_next_name(json, &name, err)) == 0) {
    const KubeField *field = find_field(message, &name);
    result = field ? decode_value(field, decoder, target, err) : kube_json_skip(json, NULL, err);
    if (result < 0)
      return result;
  }
  return result < 0 ? result : 0;
}

int kube_decode_json_at(const KubeMessage *message, KubeJson *json, Arena *arena, void *target, Error *err) {
  Decoder decoder = {.json = *json, .arena = arena};
  int result = decode_object(message, &decoder, target, err);
  if (result == 0)
    result = kube_json_check_end(&decoder.json, err);
  arena_deinit(&decoder.scratch);
  *json = decoder.json;
  return result;
}

int kube_decode_json(const KubeMessage *message, KubeBytes bytes, Arena *arena, void *target, Error *err) {
  KubeJson json = {.rest = bytes};
  return kube_decode_json_at(message, &json, arena, target, err);
}
