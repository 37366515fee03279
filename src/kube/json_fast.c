/* SPDX-License-Identifier: Apache-2.0 */
/* Both parts look at many bytes at once and get a mask with a bit for each.
 *
 * Finding an end goes by blocks of 64 bytes, as Langdale and Lemire do it ("Parsing Gigabytes of JSON per
 * Second", 2019): from the bits of the quotes follow the bits that are inside of strings, each being the
 * parity of the quotes before it, and brackets elsewhere are counted.
 *
 *     text       {"a": "x{", "b"
 *     quotes      1 1  1  1  1 1
 *     in string   11   111   11     (the opening quote is in, the closing one is not) */
#include "kube/json_fast.h"

#include "kube/json_scan.h"

#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { STEP = 16, BLOCK = 64 };

/* ---- space and strings ---- */

#ifdef __SSE2__
static unsigned find_special(const char *text) {
  __m128i bytes = _mm_loadu_si128((const __m128i *)text);
  __m128i quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
  __m128i backslashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
  __m128i controls = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
  return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quotes, backslashes), controls));
}

static unsigned find_blanks(const char *text) {
  __m128i bytes = _mm_loadu_si128((const __m128i *)text);
  return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')));
}
#endif

static bool is_special(char c) {
  return c == '"' || c == '\\' || (unsigned char)c < 0x20;
}

size_t kube_json_fast_plain(const char *text, size_t size) {
  size_t i = 0;
#ifdef __SSE2__
  for (; size - i >= STEP; i += STEP) {
    unsigned special = find_special(text + i);
    if (special)
      return i + (size_t)__builtin_ctz(special);
  }
#endif
  while (i < size && !is_special(text[i]))
    i++;
  return i;
}

/* Mostly there is none, one blank, or a line's end and a row of blanks. */
size_t kube_json_fast_space(const char *text, size_t size) {
  size_t i = 0;
  while (i < size && kube_json_is_space(text[i])) {
    i++;
#ifdef __SSE2__
    while (size - i >= STEP && text[i] == ' ') {
      unsigned others = ~find_blanks(text + i) & 0xffff;
      i += others ? (size_t)__builtin_ctz(others) : STEP;
    }
#endif
  }
  return i;
}

/* ---- over a value ---- */

typedef struct Skip {
  const char *at;
  const char *end;
  uint64_t objects; /* bit d: the bracket at depth d is that of an object */
  int depth, depth_max;
} Skip;

static void skip_space(Skip *skip) {
  if (skip->at < skip->end && (unsigned char)*skip->at <= ' ')
    skip->at += kube_json_fast_space(skip->at, (size_t)(skip->end - skip->at));
}

static bool take(Skip *skip, char c) {
  if (skip->at == skip->end || *skip->at != c)
    return false;
  skip->at++;
  return true;
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Behind the backslash. */
static bool skip_escape(Skip *skip) {
  size_t left = (size_t)(skip->end - skip->at);
  if (left == 0 || !*skip->at || !strchr("\"\\/bfnrtu", *skip->at))
    return false;
  if (*skip->at++ != 'u')
    return true;
  if (left < 5)
    return false;
  for (int i = 0; i < 4; i++)
    if (!is_hex(*skip->at++))
      return false;
  return true;
}

/* Behind the opening quote. */
static bool skip_string(Skip *skip) {
  for (;;) {
    skip->at += kube_json_fast_plain(skip->at, (size_t)(skip->end - skip->at));
    if (take(skip, '"'))
      return true;
    if (!take(skip, '\\') || !skip_escape(skip))
      return false;
  }
}

static bool skip_digits(Skip *skip) {
  const char *begin = skip->at;
  while (skip->at < skip->end && is_digit(*skip->at))
    skip->at++;
  return skip->at > begin;
}

static bool skip_number(Skip *skip) {
  take(skip, '-');
  if (!take(skip, '0') && !skip_digits(skip))
    return false;
  if (take(skip, '.') && !skip_digits(skip))
    return false;
  if (take(skip, 'e') || take(skip, 'E')) {
    if (!take(skip, '+'))
      take(skip, '-');
    if (!skip_digits(skip))
      return false;
  }
  return skip->at < skip->end; /* else more of it may come */
}

static bool skip_word(Skip *skip, const char *word, size_t size) {
  if ((size_t)(skip->end - skip->at) < size || memcmp(skip->at, word, size) != 0)
    return false;
  skip->at += size;
  return true;
}

static bool skip_scalar(Skip *skip) {
  switch (*skip->at) {
  case '"':
    skip->at++;
    return skip_string(skip);
  case 't':
    return skip_word(skip, "true", 4);
  case 'f':
    return skip_word(skip, "false", 5);
  case 'n':
    return skip_word(skip, "null", 4);
  default:
    return skip_number(skip);
  }
}

/* The name of a member, with its colon and the space around it. */
static bool skip_name(Skip *skip) {
  skip_space(skip);
  if (!take(skip, '"') || !skip_string(skip))
    return false;
  skip_space(skip);
  if (!take(skip, ':'))
    return false;
  skip_space(skip);
  return true;
}

static bool is_in_object(const Skip *skip) {
  return skip->objects >> (skip->depth - 1) & 1;
}

/* Moves on to the next value inside the brackets around, or out of them: false where neither is there. */
static bool skip_to_next(Skip *skip) {
  while (skip->depth > 0) {
    bool object = is_in_object(skip);
    skip_space(skip);
    if (take(skip, ',')) {
      if (object)
        return skip_name(skip);
      skip_space(skip);
      return true;
    }
    if (!take(skip, object ? '}' : ']'))
      return false;
    skip->depth--;
  }
  return true;
}

/* Behind an opening bracket: to the first value, or over the closing one. */
static bool skip_open(Skip *skip, bool object) {
  if (skip->depth == skip->depth_max)
    return false;
  skip->at++;
  skip_space(skip);
  if (take(skip, object ? '}' : ']'))
    return skip_to_next(skip);
  uint64_t bit = UINT64_C(1) << skip->depth++;
  skip->objects = object ? skip->objects | bit : skip->objects & ~bit;
  return object ? skip_name(skip) : true;
}

size_t kube_json_fast_skip(const char *text, size_t size, int depth) {
  Skip skip = {.at = text, .end = text + size, .depth_max = depth};
  skip_space(&skip);
  do {
    if (skip.at == skip.end)
      return 0;
    bool object = *skip.at == '{';
    bool is_sound =
        object || *skip.at == '[' ? skip_open(&skip, object) : skip_scalar(&skip) && skip_to_next(&skip);
    if (!is_sound)
      return 0;
  } while (skip.depth > 0);
  return (size_t)(skip.at - text);
}

/* ---- the end of a value ---- */

/* A bit for each byte of a block. */
typedef struct Masks {
  uint64_t quotes, backslashes, controls, opens, closes;
} Masks;

#ifdef __SSE2__
static uint64_t mask_of(__m128i matches, int i) {
  return (uint64_t)(uint16_t)_mm_movemask_epi8(matches) << (i * STEP);
}

static Masks look_at(const char *text) {
  Masks masks = {0};
  for (int i = 0; i < BLOCK / STEP; i++) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(text + i * STEP));
    __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20)); /* '[' becomes '{', ']' becomes '}' */
    masks.quotes |= mask_of(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), i);
    masks.backslashes |= mask_of(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')), i);
    masks.controls |= mask_of(_mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes), i);
    masks.opens |= mask_of(_mm_cmpeq_epi8(folded, _mm_set1_epi8('{')), i);
    masks.closes |= mask_of(_mm_cmpeq_epi8(folded, _mm_set1_epi8('}')), i);
  }
  return masks;
}

/* The bits behind a backslash that is not itself behind one. */
static uint64_t find_escaped(KubeJsonEnd *end, uint64_t backslashes) {
  uint64_t escaped = end->escaped;
  backslashes &= ~escaped;
  end->escaped = false;
  while (backslashes) {
    int i = __builtin_ctzll(backslashes);
    end->escaped = i == BLOCK - 1;
    escaped |= end->escaped ? 0 : UINT64_C(2) << i;
    backslashes &= end->escaped ? 0 : ~(UINT64_C(3) << i);
  }
  return escaped;
}

static uint64_t parity_before(uint64_t bits) {
  for (int shift = 1; shift < BLOCK; shift *= 2)
    bits ^= bits << shift;
  return bits;
}

/* Counts the brackets in their order: true where the last one closes, which *ret_at tells. */
static bool count_brackets(KubeJsonEnd *end, uint64_t opens, uint64_t closes, int *ret_at) {
  for (uint64_t both = opens | closes; both; both &= both - 1) {
    int at = __builtin_ctzll(both);
    end->depth += opens >> at & 1 ? 1 : -1;
    if (end->depth > 0)
      continue;
    *ret_at = at;
    return true;
  }
  return false;
}

/* True where the value ends in the block. False and *ret_taken = false: byte by byte, please. */
static bool find_in_block(KubeJsonEnd *end, const char *text, bool *ret_taken, int *ret_at) {
  KubeJsonEnd before = *end;
  Masks masks = look_at(text);
  uint64_t escaped = masks.backslashes || end->escaped ? find_escaped(end, masks.backslashes) : 0;
  uint64_t inside = parity_before(masks.quotes & ~escaped) ^ (end->in_string ? ~UINT64_C(0) : 0);
  *ret_taken = end->depth > 0 && !(inside & masks.controls) && !(masks.backslashes & ~inside);
  if (!*ret_taken) {
    *end = before;
    return false;
  }
  end->in_string = inside >> (BLOCK - 1);
  return count_brackets(end, masks.opens & ~inside, masks.closes & ~inside, ret_at);
}
#endif

/* True where the value ends with this byte. */
static bool find_in_byte(KubeJsonEnd *end, char c) {
  if (end->in_string) {
    if (end->escaped && c != '\n') {
      end->escaped = false;
      return false;
    }
    end->escaped = c == '\\';
    end->in_string = c != '"' && c != '\n';
    return !end->in_string && end->depth == 0;
  }
  end->in_string = c == '"';
  if (c == '{' || c == '[')
    end->depth++;
  else if (c == '}' || c == ']')
    return --end->depth <= 0;
  return false;
}

bool kube_json_end_find(KubeJsonEnd *end, KubeBytes *rest) {
  size_t i = 0;
  bool is_found = false;
  while (i < rest->size && !is_found) {
#ifdef __SSE2__
    bool is_taken = false;
    int at = BLOCK - 1;
    if (rest->size - i >= BLOCK)
      is_found = find_in_block(end, rest->at + i, &is_taken, &at);
    if (is_taken) {
      i += (size_t)at + 1;
      continue;
    }
#endif
    size_t stop = rest->size - i < BLOCK ? rest->size : i + BLOCK;
    while (i < stop && !is_found)
      is_found = find_in_byte(end, rest->at[i++]);
  }
  kube_bytes_advance(rest, i);
  return is_found;
}
