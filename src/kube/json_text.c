/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a JSON string: escapes and surrogate pairs to UTF-8. The result is never longer than the
 * source: \u0041 takes six bytes for one, and a pair twelve for four. */
#include "kube/json_pull.h"
#include "kube/store.h"

#include <inttypes.h>
#include <string.h>

static int fail_escape(const KubeBytes *rest, Error *err) {
  return error_set(err, ERROR_INVALID, "broken escape in the string%s", kube_place(rest->offset).text);
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Reads "\uXXXX" and moves over it. */
static int read_unit(KubeBytes *rest, uint32_t *ret_unit, Error *err) {
  if (rest->size < 6 || rest->at[0] != '\\' || rest->at[1] != 'u')
    return fail_escape(rest, err);
  uint32_t unit = 0;
  for (size_t i = 2; i < 6; i++) {
    int digit = hex_digit(rest->at[i]);
    if (digit < 0)
      return fail_escape(rest, err);
    unit = unit << 4 | (uint32_t)digit;
  }
  kube_bytes_advance(rest, 6);
  *ret_unit = unit;
  return 0;
}

/* A code point out of one unit, or of a surrogate pair. NUL has no place in a C string. */
static int read_code(KubeBytes *rest, uint32_t *ret_code, Error *err) {
  KubeBytes start = *rest;
  uint32_t high, low;
  int result = read_unit(rest, &high, err);
  if (result < 0)
    return result;
  if (high < 0xd800 || high > 0xdfff) {
    *ret_code = high ? high : 0xfffd;
    return 0;
  }
  if (high > 0xdbff || read_unit(rest, &low, err) < 0 || low < 0xdc00 || low > 0xdfff)
    return fail_escape(&start, err);
  *ret_code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
  return 0;
}

static size_t put_utf8(char *out, uint32_t code) {
  if (code < 0x80) {
    out[0] = (char)code;
    return 1;
  }
  size_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
  for (size_t i = more; i > 0; i--, code >>= 6)
    out[i] = (char)(0x80 | (code & 0x3f));
  out[0] = (char)(lead[more] | code);
  return more + 1;
}

/* Reads the escape at the cursor and writes what it stands for. */
static int decode_escape(KubeBytes *rest, char *out, size_t *ret_size, Error *err) {
  static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
  const char *name = rest->size > 1 && rest->at[1] ? strchr(names, rest->at[1]) : NULL;
  if (name) {
    *out = values[name - names];
    *ret_size = 1;
    kube_bytes_advance(rest, 2);
    return 0;
  }
  uint32_t code = 0;
  int result = read_code(rest, &code, err);
  if (result < 0)
    return result;
  *ret_size = put_utf8(out, code);
  return 0;
}

static int decode_escaped(KubeBytes rest, char *out, Error *err) {
  while (rest.size > 0) {
    const char *escape = memchr(rest.at, '\\', rest.size);
    size_t plain = escape ? (size_t)(escape - rest.at) : rest.size;
    memcpy(out, rest.at, plain);
    out += plain;
    kube_bytes_advance(&rest, plain);
    if (!escape)
      break;
    size_t size;
    int result = decode_escape(&rest, out, &size, err);
    if (result < 0)
      return result;
    out += size;
  }
  return 0;
}

int kube_json_text_decode(const KubeJsonText *text, Arena *arena, const char **ret_string, Error *err) {
  size_t valid = kube_store_valid_size(text->raw.at, text->raw.size);
  if (valid < text->raw.size)
    return error_set(err, ERROR_INVALID, "the string holds bytes that are not UTF-8%s",
                     kube_place(text->raw.offset + valid).text);
  if (!text->escaped) {
    *ret_string = arena_strndup(arena, text->raw.at, text->raw.size);
    return 0;
  }
  char *string = arena_alloc(arena, text->raw.size + 1);
  int result = decode_escaped(text->raw, string, err);
  if (result < 0)
    return result;
  *ret_string = string;
  return 0;
}

/* Names are plain but for the odd writer's; a longer one than this is none of ours. */
enum { NAME_MAX_SIZE = 255 };

bool kube_json_text_equal(const KubeJsonText *text, const char *string) {
  size_t size = strlen(string);
  if (!text->escaped)
    return size == text->raw.size && memcmp(string, text->raw.at, size) == 0;
  char plain[NAME_MAX_SIZE + 1] = "";
  Error ignored;
  return text->raw.size <= NAME_MAX_SIZE && decode_escaped(text->raw, plain, &ignored) == 0 &&
         strcmp(plain, string) == 0;
}
