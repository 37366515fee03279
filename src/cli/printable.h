/* SPDX-License-Identifier: Apache-2.0 */
/* What a file or a cluster says, made fit for output: it may hold names that no API server would accept. */
#pragma once

#include "base/arena.h"

/* For a terminal: without control characters, and valid UTF-8. NULL is "". In the arena, or the text itself.
 */
const char *cli_printable(Arena *arena, const char *text);
/* For JSON and YAML, which escape what must be: valid UTF-8. NULL is "". In the arena, or the text itself. */
const char *cli_valid(Arena *arena, const char *text);
