/* SPDX-License-Identifier: Apache-2.0 */
/* What standard output can show. */
#pragma once

#include <stdbool.h>

/* A terminal, and nobody asked for none by $NO_COLOR or TERM=dumb. */
bool cli_terminal_has_colours(void);
/* $COLUMNS where it is set, else the width of the terminal; 0 where standard output is none. */
int cli_terminal_columns(void);
/* By $LC_ALL, $LC_CTYPE, $LANG, the first that is set: is it a UTF-8 locale? */
bool cli_terminal_is_utf8(void);
