/* SPDX-License-Identifier: Apache-2.0 */
/* A GPU's slots as one line of text:
 *
 *     |2g.20gb new      |1g.10gb*|1g.10gb*|1g.10gb*|1g.10gb*|1g.10gb |   .    |
 */
#pragma once

#include "base/text.h"
#include "mig/layout.h"

enum { DRAW_SLOT_WIDTH = 9 }; /* columns of one memory slot, its left border included */

typedef enum DrawState { DRAW_FREE, DRAW_USED, DRAW_NEW } DrawState;

/* Appends the line. states[i] belongs to layout->instances[i]. Colours: green used, yellow new, none free. */
void cli_draw_layout(const MigLayout *layout, const DrawState *states, bool colours, Text *out);
