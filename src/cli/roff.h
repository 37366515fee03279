/* SPDX-License-Identifier: Apache-2.0 */
/* Plain text as roff: a line must not begin with '.' or '\'', a backslash is written \e, and a dash that
 * people may copy \-. */
#pragma once

#include "base/text.h"

/* Within a line that has begun. */
void cli_roff_text(Text *out, const char *text, size_t size);
/* The same in a font: 'B' bold, 'I' italic. */
void cli_roff_in(Text *out, char font, const char *text, size_t size);
/* A line as it stands. */
void cli_roff_line(Text *out, const char *text, size_t size);
/* Lines of a paragraph that is filled; what stands in `...` is bold. */
void cli_roff_prose(Text *out, const char *text, size_t size);
