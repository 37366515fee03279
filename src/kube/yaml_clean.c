/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/yaml_clean.h"

#include <stdint.h>
#include <string.h>

/* YAML 1.1, 5.1: character set. */
static bool is_printable(uint32_t code) {
  if (code < 0x7f)
    return code >= ' ' || code == '\t' || code == '\n' || code == '\r';
  return code == 0x85 || (code >= 0xa0 && code <= 0xd7ff) || (code >= 0xe000 && code <= 0xfffd) ||
         (code >= 0x10000 && code <= 0x10ffff);
}

/* By the first byte; 0 where none begins with it. */
static size_t size_of(unsigned char first) {
  return first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
}

/* Is it one, in its shortest form? */
static bool is_character(const unsigned char *at, size_t size) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  uint32_t code = size == 1 ? at[0] : at[0] & (0x7fu >> size);
  for (size_t i = 1; i < size; i++) {
    if ((at[i] & 0xc0) != 0x80)
      return false;
    code = code << 6 | (at[i] & 0x3f);
  }
  return code >= least[size] && is_printable(code);
}

size_t kube_yaml_clean(const char *bytes, size_t size, bool is_end, char *ret_text, size_t room,
                       size_t *ret_taken) {
  const unsigned char *at = (const unsigned char *)bytes, *end = at + size;
  char *out = ret_text;
  while (at < end && room - (size_t)(out - ret_text) >= KUBE_YAML_CHARACTER_MAX) {
    size_t wanted = size_of(*at);
    if (wanted > (size_t)(end - at) && !is_end)
      break;
    bool is_sound = wanted && wanted <= (size_t)(end - at) && is_character(at, wanted);
    size_t written = is_sound ? wanted : strlen(KUBE_YAML_MARK);
    memcpy(out, is_sound ? (const char *)at : KUBE_YAML_MARK, written);
    out += written;
    at += is_sound ? wanted : 1;
  }
  *ret_taken = (size_t)((const char *)at - bytes);
  return (size_t)(out - ret_text);
}
