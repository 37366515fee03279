/* SPDX-License-Identifier: Apache-2.0 */
/* A pushdown automaton: the state says what may come next, one bit per depth says whether the bracket around
 * is an object's or an array's. Inside a string, where most bytes of a list are, only quote, backslash and
 * control characters are looked for. Whether strings are valid UTF-8 is asked by who keeps them. */
#include "kube/json_scan.h"

#include "kube/json_fast.h"
#include "kube/reader.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static const char *const expected[KUBE_JSON_EXPONENT + 1] = {
    [KUBE_JSON_VALUE] = "a value",
    [KUBE_JSON_VALUE_OR_CLOSE] = "a value or ']'",
    [KUBE_JSON_NAME] = "a name in quotes",
    [KUBE_JSON_NAME_OR_CLOSE] = "a name in quotes or '}'",
    [KUBE_JSON_COLON] = "':'",
    [KUBE_JSON_COMMA_OR_CLOSE] = "',' or the closing bracket",
    [KUBE_JSON_STRING] = "a string without control characters",
    [KUBE_JSON_ESCAPE] = "an escape",
    [KUBE_JSON_HEX] = "a hexadecimal digit",
    [KUBE_JSON_LITERAL] = "true, false or null",
    [KUBE_JSON_MINUS] = "a digit",
    [KUBE_JSON_POINT] = "a digit",
    [KUBE_JSON_E] = "a digit or a sign",
    [KUBE_JSON_E_SIGN] = "a digit",
};

/* What a step says, besides 0 (go on) and KUBE_JSON_DONE. */
enum { UNEXPECTED = -1, TOO_DEEP = -2 };

static bool is_digit(unsigned char c) {
  return c >= '0' && c <= '9';
}

static bool is_hex(unsigned char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static int end_value(KubeJsonScan *scan) {
  scan->state = KUBE_JSON_COMMA_OR_CLOSE;
  return scan->depth == 0 ? KUBE_JSON_DONE : 0;
}

static int open_bracket(KubeJsonScan *scan, bool object) {
  if (scan->outer + scan->depth == KUBE_JSON_DEPTH_MAX)
    return TOO_DEEP;
  uint64_t bit = UINT64_C(1) << scan->depth++;
  scan->objects = object ? scan->objects | bit : scan->objects & ~bit;
  scan->state = object ? KUBE_JSON_NAME_OR_CLOSE : KUBE_JSON_VALUE_OR_CLOSE;
  return 0;
}

static bool is_in_object(const KubeJsonScan *scan) {
  assert(scan->depth > 0);
  return scan->objects >> (scan->depth - 1) & 1;
}

static int close_bracket(KubeJsonScan *scan, unsigned char c) {
  if (c != (is_in_object(scan) ? '}' : ']'))
    return UNEXPECTED;
  scan->depth--;
  return end_value(scan);
}

static int begin_literal(KubeJsonScan *scan, const char *word) {
  scan->literal = word + 1;
  scan->state = KUBE_JSON_LITERAL;
  return 0;
}

static int begin_token(KubeJsonScan *scan, KubeJsonState state) {
  scan->state = state;
  return 0;
}

static int begin_value(KubeJsonScan *scan, unsigned char c) {
  scan->in_name = false;
  switch (c) {
  case '{':
  case '[':
    return open_bracket(scan, c == '{');
  case '"':
    return begin_token(scan, KUBE_JSON_STRING);
  case 't':
    return begin_literal(scan, "true");
  case 'f':
    return begin_literal(scan, "false");
  case 'n':
    return begin_literal(scan, "null");
  case '-':
    return begin_token(scan, KUBE_JSON_MINUS);
  case '0':
    return begin_token(scan, KUBE_JSON_ZERO);
  }
  return is_digit(c) ? begin_token(scan, KUBE_JSON_INTEGER) : UNEXPECTED;
}

/* A byte between tokens. */
static int scan_structure(KubeJsonScan *scan, unsigned char c) {
  if (kube_json_is_space((char)c))
    return 0;
  switch (scan->state) {
  case KUBE_JSON_VALUE_OR_CLOSE:
    return c == ']' ? close_bracket(scan, c) : begin_value(scan, c);
  case KUBE_JSON_NAME_OR_CLOSE:
    if (c == '}')
      return close_bracket(scan, c);
    break;
  case KUBE_JSON_COLON:
    return c == ':' ? begin_token(scan, KUBE_JSON_VALUE) : UNEXPECTED;
  case KUBE_JSON_COMMA_OR_CLOSE:
    if (c != ',')
      return close_bracket(scan, c);
    return begin_token(scan, is_in_object(scan) ? KUBE_JSON_NAME : KUBE_JSON_VALUE);
  case KUBE_JSON_NAME:
    break;
  default:
    return begin_value(scan, c);
  }
  scan->in_name = true;
  return c == '"' ? begin_token(scan, KUBE_JSON_STRING) : UNEXPECTED;
}

static int scan_string_byte(KubeJsonScan *scan, unsigned char c) {
  if (c == '\\')
    return begin_token(scan, KUBE_JSON_ESCAPE);
  if (c != '"')
    return c < 0x20 ? UNEXPECTED : 0;
  return scan->in_name ? begin_token(scan, KUBE_JSON_COLON) : end_value(scan);
}

static int scan_escape(KubeJsonScan *scan, unsigned char c) {
  if (c == 'u') {
    scan->hex_left = 4;
    return begin_token(scan, KUBE_JSON_HEX);
  }
  if (c == '\0' || !strchr("\"\\/bfnrt", c))
    return UNEXPECTED;
  return begin_token(scan, KUBE_JSON_STRING);
}

static int scan_hex(KubeJsonScan *scan, unsigned char c) {
  if (!is_hex(c))
    return UNEXPECTED;
  return --scan->hex_left ? 0 : begin_token(scan, KUBE_JSON_STRING);
}

static int scan_literal(KubeJsonScan *scan, unsigned char c) {
  if (c != (unsigned char)*scan->literal)
    return UNEXPECTED;
  return *++scan->literal ? 0 : end_value(scan);
}

/* The state behind byte c of a number; KUBE_JSON_VALUE where c is not part of it. */
static KubeJsonState next_of_number(KubeJsonState state, unsigned char c) {
  bool digit = is_digit(c), e = c == 'e' || c == 'E';
  switch (state) {
  case KUBE_JSON_MINUS:
    return c == '0' ? KUBE_JSON_ZERO : digit ? KUBE_JSON_INTEGER : KUBE_JSON_VALUE;
  case KUBE_JSON_ZERO:
    return c == '.' ? KUBE_JSON_POINT : e ? KUBE_JSON_E : KUBE_JSON_VALUE;
  case KUBE_JSON_INTEGER:
    return digit ? KUBE_JSON_INTEGER : c == '.' ? KUBE_JSON_POINT : e ? KUBE_JSON_E : KUBE_JSON_VALUE;
  case KUBE_JSON_POINT:
    return digit ? KUBE_JSON_FRACTION : KUBE_JSON_VALUE;
  case KUBE_JSON_FRACTION:
    return digit ? KUBE_JSON_FRACTION : e ? KUBE_JSON_E : KUBE_JSON_VALUE;
  case KUBE_JSON_E:
    return digit ? KUBE_JSON_EXPONENT : c == '+' || c == '-' ? KUBE_JSON_E_SIGN : KUBE_JSON_VALUE;
  default:
    return digit ? KUBE_JSON_EXPONENT : KUBE_JSON_VALUE;
  }
}

static bool may_end_number(KubeJsonState state) {
  return state == KUBE_JSON_ZERO || state == KUBE_JSON_INTEGER || state == KUBE_JSON_FRACTION ||
         state == KUBE_JSON_EXPONENT;
}

/* A byte inside a token. */
static int scan_token(KubeJsonScan *scan, unsigned char c) {
  switch (scan->state) {
  case KUBE_JSON_STRING:
    return scan_string_byte(scan, c);
  case KUBE_JSON_ESCAPE:
    return scan_escape(scan, c);
  case KUBE_JSON_HEX:
    return scan_hex(scan, c);
  case KUBE_JSON_LITERAL:
    return scan_literal(scan, c);
  default:
    break;
  }
  KubeJsonState next = next_of_number(scan->state, c);
  return next == KUBE_JSON_VALUE ? UNEXPECTED : begin_token(scan, next);
}

/* Where nothing happens for a while: the plain bytes of a string. */
static void pass_plain(KubeBytes *rest) {
  kube_bytes_advance(rest, kube_json_fast_plain(rest->at, rest->size));
}

int kube_json_fail(const KubeBytes *at, const char *wanted, Error *err) {
  if (at->size == 0)
    return error_set(err, ERROR_INVALID, "the JSON ends%s where %s was expected", kube_place(at->offset).text,
                     wanted);
  unsigned char found = (unsigned char)*at->at;
  if (found > 0x20 && found < 0x7f)
    return error_set(err, ERROR_INVALID, "found '%c'%s where %s was expected", found,
                     kube_place(at->offset).text, wanted);
  return error_set(err, ERROR_INVALID, "found byte 0x%02x%s where %s was expected", found,
                   kube_place(at->offset).text, wanted);
}

int kube_json_fail_depth(const KubeBytes *at, Error *err) {
  return error_set(err, ERROR_LIMIT, "brackets are nested deeper than %d%s", KUBE_JSON_DEPTH_MAX,
                   kube_place(at->offset).text);
}

static int fail_step(const KubeJsonScan *scan, int result, const KubeBytes *rest, Error *err) {
  if (result == TOO_DEEP)
    return kube_json_fail_depth(rest, err);
  assert(expected[scan->state]);
  return kube_json_fail(rest, expected[scan->state], err);
}

int kube_json_scan(KubeJsonScan *scan, KubeBytes *rest, Error *err) {
  while (rest->size > 0) {
    if (scan->state == KUBE_JSON_STRING) {
      pass_plain(rest);
      if (rest->size == 0)
        break;
    }
    unsigned char c = (unsigned char)*rest->at;
    if (may_end_number(scan->state) && next_of_number(scan->state, c) == KUBE_JSON_VALUE) {
      if (end_value(scan) == KUBE_JSON_DONE)
        return KUBE_JSON_DONE;
      continue;
    }
    int result = scan->state < KUBE_JSON_STRING ? scan_structure(scan, c) : scan_token(scan, c);
    if (result < 0)
      return fail_step(scan, result, rest, err);
    kube_bytes_advance(rest, 1);
    if (result == KUBE_JSON_DONE)
      return KUBE_JSON_DONE;
  }
  return 0;
}

void kube_json_value_begin(KubeJsonValue *value, uint64_t offset, char first, KubeJsonTake take) {
  value->take = take;
  value->is_cut = false;
  value->is_hasty =
      take != KUBE_JSON_PASS && take != KUBE_JSON_KEEP && (first == '{' || first == '[' || first == '"');
  value->scan = (KubeJsonScan){0};
  value->end = (KubeJsonEnd){0};
  text_clear(&value->kept);
  value->offset = offset;
}

static int find_end(KubeJsonValue *value, KubeBytes *rest, Error *err) {
  if (!value->is_hasty)
    return kube_json_scan(&value->scan, rest, err);
  return kube_json_end_find(&value->end, rest) ? KUBE_JSON_DONE : 0;
}

/* Either the value is that large, or it goes on because something in it is broken. */
static int fail_size(KubeJsonValue *value, Error *err) {
  KubeBytes kept = {text_string(&value->kept), value->kept.size, value->offset};
  if (value->is_hasty && kube_json_scan(&value->scan, &kept, err) < 0)
    return -err->code;
  return error_set(err, ERROR_LIMIT, "the object%s is larger than %d bytes", kube_place(value->offset).text,
                   KUBE_OBJECT_SIZE_MAX);
}

int kube_json_value_feed(KubeJsonValue *value, KubeBytes *rest, KubeBytes *ret_value, Error *err) {
  KubeBytes part = *rest;
  int result = find_end(value, rest, err);
  if (result < 0)
    return result;
  part.size = rest->offset - part.offset;
  if (value->take == KUBE_JSON_PASS || value->take == KUBE_JSON_SEEK) {
    *ret_value = (KubeBytes){part.at, 0, value->offset};
    return result;
  }
  size_t room = KUBE_OBJECT_SIZE_MAX - value->kept.size;
  if (part.size > room && value->take != KUBE_JSON_BITE)
    return fail_size(value, err);
  value->is_cut |= part.size > room;
  part.size = part.size > room ? room : part.size;
  if (result == KUBE_JSON_DONE && value->kept.size == 0) {
    *ret_value = part;
    return KUBE_JSON_DONE;
  }
  text_append_bytes(&value->kept, part.at, part.size);
  *ret_value = (KubeBytes){text_string(&value->kept), value->kept.size, value->offset};
  return result;
}

void kube_json_value_deinit(KubeJsonValue *value) {
  text_deinit(&value->kept);
}
