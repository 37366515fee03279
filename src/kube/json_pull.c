/* SPDX-License-Identifier: Apache-2.0 */
/* Names and values that are read here are held against the grammar token by token; what is passed over is
 * left to the quick skip, and where that says no, to the scan. One flag is enough to tell where a comma must
 * stand: only right behind an opening bracket there is none, and whoever comes back from an inner bracket is
 * not there. */
#include "kube/json_pull.h"

#include "kube/json_fast.h"
#include "kube/json_scan.h"
#include "kube/reader.h"
#include "kube/store.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static void skip_space(KubeJson *json) {
  if (json->rest.size > 0 && kube_json_is_space(*json->rest.at))
    kube_bytes_advance(&json->rest, kube_json_fast_space(json->rest.at, json->rest.size));
}

/* Whether the next byte behind spaces is c; then moves over it. */
static bool take_byte(KubeJson *json, char c) {
  skip_space(json);
  if (json->rest.size == 0 || *json->rest.at != c)
    return false;
  kube_bytes_advance(&json->rest, 1);
  return true;
}

KubeJsonKind kube_json_kind(KubeJson *json) {
  skip_space(json);
  if (json->rest.size == 0)
    return KUBE_JSON_KIND_NONE;
  switch (*json->rest.at) {
  case '{':
    return KUBE_JSON_KIND_OBJECT;
  case '[':
    return KUBE_JSON_KIND_ARRAY;
  case '"':
    return KUBE_JSON_KIND_STRING;
  case 't':
  case 'f':
    return KUBE_JSON_KIND_BOOL;
  case 'n':
    return KUBE_JSON_KIND_NULL;
  }
  return strchr("-0123456789", *json->rest.at) && *json->rest.at ? KUBE_JSON_KIND_NUMBER
                                                                 : KUBE_JSON_KIND_NONE;
}

const char *kube_json_kind_name(KubeJsonKind kind) {
  static const char *const names[] = {
      [KUBE_JSON_KIND_NONE] = "nothing",    [KUBE_JSON_KIND_OBJECT] = "an object",
      [KUBE_JSON_KIND_ARRAY] = "an array",  [KUBE_JSON_KIND_STRING] = "a string",
      [KUBE_JSON_KIND_NUMBER] = "a number", [KUBE_JSON_KIND_BOOL] = "true or false",
      [KUBE_JSON_KIND_NULL] = "null",
  };
  return names[kind];
}

int kube_json_open(KubeJson *json, char bracket, Error *err) {
  assert(bracket == '{' || bracket == '[');
  skip_space(json);
  if (json->depth == KUBE_JSON_DEPTH_MAX)
    return kube_json_fail_depth(&json->rest, err);
  if (!take_byte(json, bracket))
    return kube_json_fail(&json->rest, bracket == '{' ? "an object" : "an array", err);
  json->depth++;
  json->fresh = true;
  return 0;
}

/* Moves to the next entry inside brackets: over the comma, or over the closing bracket. */
static int next_entry(KubeJson *json, char bracket, Error *err) {
  bool fresh = json->fresh;
  json->fresh = false;
  if (take_byte(json, bracket)) {
    json->depth--;
    return KUBE_JSON_CLOSED;
  }
  if (fresh || take_byte(json, ','))
    return 0;
  return kube_json_fail(&json->rest, bracket == '}' ? "',' or '}'" : "',' or ']'", err);
}

int kube_json_next_name(KubeJson *json, KubeJsonText *ret_name, Error *err) {
  int result = next_entry(json, '}', err);
  if (result != 0)
    return result;
  result = kube_json_read_text(json, ret_name, err);
  if (result < 0)
    return result;
  return take_byte(json, ':') ? 0 : kube_json_fail(&json->rest, "':'", err);
}

int kube_json_next_item(KubeJson *json, Error *err) {
  return next_entry(json, ']', err);
}

int kube_json_read_text(KubeJson *json, KubeJsonText *ret_text, Error *err) {
  if (!take_byte(json, '"'))
    return kube_json_fail(&json->rest, "a string", err);
  KubeJsonText text = {.raw = json->rest};
  for (;;) {
    kube_bytes_advance(&json->rest, kube_json_fast_plain(json->rest.at, json->rest.size));
    if (json->rest.size == 0 || *json->rest.at == '"')
      break;
    if (*json->rest.at != '\\')
      return kube_json_fail(&json->rest, "a string without control characters", err);
    text.escaped = true;
    kube_bytes_advance(&json->rest, json->rest.size > 1 ? 2 : 1);
  }
  text.raw.size = json->rest.offset - text.raw.offset;
  if (!take_byte(json, '"'))
    return kube_json_fail(&json->rest, "the end of a string", err);
  *ret_text = text;
  return 0;
}

/* The digits are gathered as a negative number, whose range is the larger one by one. */
static bool parse_int(KubeBytes number, int64_t *ret_value) {
  bool negative = *number.at == '-';
  int64_t value = 0;
  for (size_t i = negative; i < number.size; i++) {
    int digit = number.at[i] - '0';
    if (digit < 0 || digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
        __builtin_sub_overflow(value, digit, &value))
      return false;
  }
  if (!negative && value == INT64_MIN)
    return false;
  *ret_value = negative ? value : -value;
  return true;
}

int kube_json_read_int(KubeJson *json, int64_t *ret_value, Error *err) {
  KubeBytes number = {0};
  int result = kube_json_skip(json, &number, err);
  if (result < 0)
    return result;
  assert(number.size > 0 && number.at);
  if (parse_int(number, ret_value))
    return 0;
  json->rest = number;
  return error_set(err, ERROR_INVALID, "the number%s is not a 64-bit integer",
                   kube_place(number.offset).text);
}

int kube_json_read_bool(KubeJson *json, bool *ret_value, Error *err) {
  KubeBytes word = {0};
  int result = kube_json_skip(json, &word, err);
  if (result < 0)
    return result;
  assert(word.size > 0 && word.at);
  *ret_value = *word.at == 't';
  return 0;
}

/* The careful way, which knows what is wrong and where. */
static int scan_value(KubeJson *json, Error *err) {
  KubeJsonScan scan = {.outer = json->depth};
  int result = kube_json_scan(&scan, &json->rest, err);
  if (result < 0)
    return result;
  return result == KUBE_JSON_DONE ? 0 : kube_json_fail(&json->rest, "the end of a value", err);
}

int kube_json_skip(KubeJson *json, KubeBytes *ret_value, Error *err) {
  skip_space(json);
  KubeBytes value = json->rest;
  size_t size = kube_json_fast_skip(json->rest.at, json->rest.size, KUBE_JSON_DEPTH_MAX - json->depth);
  kube_bytes_advance(&json->rest, size);
  int result = size > 0 ? 0 : scan_value(json, err);
  if (result < 0)
    return result;
  value.size = json->rest.offset - value.offset;
  if (ret_value)
    *ret_value = value;
  return 0;
}

int kube_json_check_end(KubeJson *json, Error *err) {
  skip_space(json);
  return json->rest.size == 0 ? 0 : kube_json_fail(&json->rest, "the end", err);
}

int kube_json_find_text(KubeBytes document, const char *name, KubeBytes *ret_text, Error *err) {
  KubeJson json = {.rest = document};
  KubeJsonText member, text = {0};
  int result = kube_json_open(&json, '{', err);
  if (result < 0)
    return result;
  while ((result = kube_json_next_name(&json, &member, err)) == 0) {
    bool found = kube_json_text_equal(&member, name) && kube_json_kind(&json) == KUBE_JSON_KIND_STRING;
    result = found ? kube_json_read_text(&json, &text, err) : kube_json_skip(&json, NULL, err);
    if (result < 0)
      return result;
    if (found)
      break;
  }
  if (result < 0)
    return result;
  *ret_text = text.raw;
  return 0;
}
