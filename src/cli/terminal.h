/* SPDX-License-Identifier: Apache-2.0 */
/* What standard output can show. */
#pragma once

#include <stdbool.h>

/* A terminal, and nobody asked for none by $NO_COLOR or TERM=dumb. */
bool cli_terminal_has_colours(void);
/* On standard output, lines that are too long for the terminal, or $COLUMNS, broken as cli/wrap.h says. */
void cli_terminal_print(const char *text);
/* By $LC_ALL, $LC_CTYPE, $LANG, the first that is set: is it a UTF-8 locale? */
bool cli_terminal_is_utf8(void);
