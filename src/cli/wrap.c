/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/wrap.h"

#include <string.h>

enum { FURTHER_IN = 4, INDENT_MAX = 30 };

static bool stays_whole(const char *line) {
  return string_has_prefix(line, "    $ ") || string_has_prefix(line, "  |");
}

static int count_columns(const char *text, size_t size) {
  int columns = 0;
  for (size_t i = 0; i < size; i++)
    columns += ((unsigned char)text[i] & 0xc0) != 0x80;
  return columns;
}

/* A word with the spaces before it goes where it ends within the line; else it begins the next one. */
static void wrap_line(const char *line, size_t size, int columns, Text *out) {
  int indent = (int)strspn(line, " ") + FURTHER_IN, used = 0;
  indent = indent < INDENT_MAX ? indent : INDENT_MAX;
  for (size_t i = 0; i < size;) {
    size_t spaces = 0, letters = 0;
    while (i + spaces < size && line[i + spaces] == ' ')
      spaces++;
    while (i + spaces + letters < size && line[i + spaces + letters] != ' ')
      letters++;
    int width = count_columns(line + i + spaces, letters);
    if (used > indent && used + (int)spaces + width > columns) {
      text_format(out, "\n%*s", indent, "");
      used = indent;
    } else {
      text_append_bytes(out, line + i, spaces);
      used += (int)spaces;
    }
    text_append_bytes(out, line + i + spaces, letters);
    used += width;
    i += spaces + letters;
  }
}

void cli_wrap(const char *text, int columns, Text *out) {
  if (columns < CLI_WRAP_COLUMNS_MIN) {
    text_append(out, text);
    return;
  }
  while (*text) {
    size_t size = strcspn(text, "\n");
    if (stays_whole(text) || count_columns(text, size) <= columns)
      text_append_bytes(out, text, size);
    else
      wrap_line(text, size, columns, out);
    text += size;
    if (*text)
      text_append(out, "\n"), text++;
  }
}
