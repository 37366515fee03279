/* SPDX-License-Identifier: Apache-2.0 */
/* Lines that are too long for a terminal, broken between words. */
#pragma once

#include "base/text.h"

enum { CLI_WRAP_COLUMNS_MIN = 40 /* in narrower terminals nothing is broken */ };

/* Appends the text line by line; what does not fit goes on below, four columns further in than the line
 * begins. Commands ("    $ ...") stay whole, for they are copied, and so do drawings ("  |..."). columns 0:
 * all lines stay. */
void cli_wrap(const char *text, int columns, Text *out);
