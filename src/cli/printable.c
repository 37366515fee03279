/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/printable.h"

#include "base/text.h"
#include "kube/store.h"

#include <string.h>

const char *cli_valid(Arena *arena, const char *text) {
  text = string_or_empty(text);
  size_t size = strlen(text);
  return kube_store_valid_size(text, size) == size ? text : kube_store_text(arena, text, size);
}

/* U+0080 to U+009F, which terminals obey as they do U+0000 to U+001F. */
static bool is_c1(const unsigned char *p) {
  return p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f;
}

/* U+2028, U+2029, and the marks that turn the direction of writing: U+200E, U+200F, U+202A to U+202E, U+2066
 * to U+2069. They could make a line say something else than it does. */
static bool is_turn(const unsigned char *p) {
  if (p[0] != 0xe2 || (p[1] != 0x80 && p[1] != 0x81))
    return false;
  return p[1] == 0x81 ? p[2] >= 0xa6 && p[2] <= 0xa9
                      : p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae);
}

/* How many bytes at p no terminal should get. */
static size_t odd_size(const unsigned char *p) {
  return *p < ' ' || *p == 0x7f ? 1 : is_c1(p) ? 2 : is_turn(p) ? 3 : 0;
}

static bool is_plain(const char *text) {
  for (const unsigned char *p = (const unsigned char *)text; *p; p++)
    if (odd_size(p))
      return false;
  return true;
}

const char *cli_printable(Arena *arena, const char *text) {
  text = cli_valid(arena, text);
  if (is_plain(text))
    return text;
  char *plain = arena_strdup(arena, text);
  for (unsigned char *p = (unsigned char *)plain; *p;) {
    size_t odd = odd_size(p);
    memset(p, '?', odd);
    p += odd ? odd : 1;
  }
  return plain;
}
