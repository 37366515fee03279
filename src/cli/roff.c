/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/roff.h"

#include <ctype.h>
#include <string.h>

enum { WIDTH = 78 };

void cli_roff_text(Text *out, const char *text, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (text[i] == '\\')
      text_append(out, "\\e");
    else if (text[i] == '-')
      text_append(out, "\\-");
    else
      text_append_bytes(out, text + i, 1);
  }
}

void cli_roff_line(Text *out, const char *text, size_t size) {
  if (size && (*text == '.' || *text == '\''))
    text_append(out, "\\&");
  cli_roff_text(out, text, size);
  text_append(out, "\n");
}

void cli_roff_in(Text *out, char font, const char *text, size_t size) {
  text_format(out, "\\f%c", font);
  cli_roff_text(out, text, size);
  text_append(out, "\\fR");
}

/* Options, paths and variables are copied: they are not hyphenated. */
static const char *guard_of(const char *word, size_t size) {
  bool is_name = strcspn(word, "-/_") < size ||
                 (size > 1 && isupper((unsigned char)word[0]) && isupper((unsigned char)word[1]));
  return is_name ? "\\%" : "";
}

/* Words of a paragraph, which is filled anyway, in lines of a width that mandoc likes. */
static void append_filled(Text *out, const char *roff) {
  size_t column = 0;
  for (const char *word = roff; *word;) {
    size_t size = strcspn(word, " ");
    const char *guard = guard_of(word, size);
    size_t width = size + strlen(guard);
    if (column && column + 1 + width > WIDTH)
      column = 0;
    else if (column)
      text_append(out, " ");
    if (!column)
      text_format(out, "%s%s", word == roff ? "" : "\n", *word == '.' || *word == '\'' ? "\\&" : "");
    text_format(out, "%s%.*s", guard, (int)size, word);
    column += 1 + width;
    word += size + strspn(word + size, " ");
  }
  text_append(out, "\n");
}

void cli_roff_prose(Text *out, const char *text, size_t size) {
  CLEANUP(text_deinit) Text roff = {0};
  for (const char *end = text + size; text < end;) {
    const char *tick = memchr(text, '`', (size_t)(end - text));
    const char *close = tick ? memchr(tick + 1, '`', (size_t)(end - tick - 1)) : NULL;
    cli_roff_text(&roff, text, (size_t)((close ? tick : end) - text));
    if (close)
      cli_roff_in(&roff, 'B', tick + 1, (size_t)(close - tick - 1));
    text = close ? close + 1 : end;
  }
  append_filled(out, text_string(&roff));
}
