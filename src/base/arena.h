/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for things that die together: allocate freely, release everything at once.
 * Used one per decoded object and one per controller pass. An Arena of zeroes is ready for use. */
#pragma once

#include "base/cleanup.h"

#include <stdarg.h>
#include <stddef.h>

typedef struct ArenaBlock ArenaBlock;

typedef struct Arena {
  ArenaBlock *blocks; /* newest first */
  size_t used;        /* bytes handed out of the newest block */
  size_t total;       /* bytes held in all blocks */
  size_t first;       /* bytes of the first block; 0: 512 */
  size_t step; /* bytes of the further ones; 0: each is twice as large as the one before, up to 64 KiB */
} Arena;

void *arena_alloc(Arena *arena, size_t size);       /* zeroed, aligned for any type */
char *arena_strdup(Arena *arena, const char *text); /* NULL stays NULL */
char *arena_strndup(Arena *arena, const char *text, size_t size);
char *arena_format(Arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);
char *arena_format_list(Arena *arena, const char *format, va_list arguments) PRINTF_LIKE(2, 0);
void *arena_copy(Arena *arena, const void *source, size_t size);
void arena_deinit(
    Arena *arena); /* releases all and leaves an empty, usable arena; a cleanup function as it is */
