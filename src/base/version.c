/* SPDX-License-Identifier: Apache-2.0 */
#include "base/version.h"

#include "base/text.h"

enum { PART_MAX = 99999 };

static bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

/* Behind the digits; NULL where there are none or too many. */
static const char *parse_part(const char *text, int *ret_part) {
  int part = 0;
  if (!is_digit(*text))
    return NULL;
  for (; is_digit(*text); text++) {
    part = part * 10 + (*text - '0');
    if (part > PART_MAX)
      return NULL;
  }
  *ret_part = part;
  return text;
}

bool version_parse(const char *text, Version *ret_version) {
  Version version = {{0}};
  *ret_version = version;
  text = string_or_empty(text);
  text += *text == 'v';
  for (int i = 0; i < VERSION_PARTS; i++) {
    text = parse_part(text, &version.parts[i]);
    if (!text)
      return false;
    if (*text != '.' || !is_digit(text[1]))
      break;
    text++;
  }
  *ret_version = version;
  return true;
}

int version_compare(const Version *a, const Version *b) {
  for (int i = 0; i < VERSION_PARTS; i++)
    if (a->parts[i] != b->parts[i])
      return a->parts[i] - b->parts[i];
  return 0;
}
