/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/terminal.h"

#include "base/text.h"
#include "cli/wrap.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool cli_terminal_has_colours(void) {
  const char *unwanted = getenv("NO_COLOR");
  return isatty(STDOUT_FILENO) && !(unwanted && *unwanted) && !string_equal(getenv("TERM"), "dumb");
}

/* $COLUMNS where it is set, else the width of the terminal; 0 where standard output is none. */
static int count_columns(void) {
  const char *wanted = getenv("COLUMNS");
  struct winsize size;
  if (wanted && *wanted)
    return (int)strtol(wanted, NULL, 10);
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

void cli_terminal_print(const char *text) {
  CLEANUP(text_deinit) Text wrapped = {0};
  cli_wrap(text, count_columns(), &wrapped);
  fputs(text_string(&wrapped), stdout);
}

bool cli_terminal_is_utf8(void) {
  static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
  const char *locale = NULL;
  for (size_t i = 0; i < COUNT_OF(names) && !(locale && *locale); i++)
    locale = getenv(names[i]);
  for (const char *p = string_or_empty(locale); *p; p++)
    if (strncasecmp(p, "utf-8", 5) == 0 || strncasecmp(p, "utf8", 4) == 0)
      return true;
  return false;
}
