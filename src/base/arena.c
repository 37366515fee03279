/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks double from 512 bytes (or what was asked for) to 64 KiB, so that a small pod costs one small block
 * and a large snapshot few large ones; an allocation larger than the next block gets a block of its own size.
 */
#include "base/arena.h"

#include "base/memory.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

enum {
  FIRST_BLOCK = 512,
  LARGEST_BLOCK = 64 * 1024,
  FORMATTED_MOSTLY = 256, /* bytes of one arena_format() at most, mostly */
};

struct ArenaBlock {
  ArenaBlock *next;
  size_t size; /* of bytes[] */
  max_align_t bytes[];
};

static size_t round_up(size_t size) {
  size_t unit = sizeof(max_align_t) < 16 ? 16 : _Alignof(max_align_t);
  return (size + unit - 1) / unit * unit;
}

static void add_block(Arena *arena, size_t needed) {
  size_t first = arena->first ? arena->first : FIRST_BLOCK;
  size_t size = !arena->blocks ? first : arena->step ? arena->step : arena->blocks->size * 2;
  if (size > LARGEST_BLOCK)
    size = LARGEST_BLOCK;
  if (size < needed)
    size = needed;
  ArenaBlock *block = mem_alloc_raw(1, sizeof *block + size);
  block->size = size;
  block->next = arena->blocks;
  arena->blocks = block;
  arena->used = 0;
  arena->total += size;
}

/* Not zeroed: most of what is handed out is filled at once, and the rest of a block may never be. */
static void *hand_out(Arena *arena, size_t size) {
  size = round_up(size ? size : 1);
  if (!arena->blocks || arena->blocks->size - arena->used < size)
    add_block(arena, size);
  void *place = (char *)arena->blocks->bytes + arena->used;
  arena->used += size;
  return place;
}

void *arena_alloc(Arena *arena, size_t size) {
  return memset(hand_out(arena, size), 0, size);
}

char *arena_strdup(Arena *arena, const char *text) {
  return text ? arena_strndup(arena, text, strlen(text)) : NULL;
}

char *arena_strndup(Arena *arena, const char *text, size_t size) {
  char *copy = hand_out(arena, size + 1);
  if (size)
    memcpy(copy, text, size);
  copy[size] = '\0';
  return copy;
}

void *arena_copy(Arena *arena, const void *source, size_t size) {
  void *copy = hand_out(arena, size);
  if (size)
    memcpy(copy, source, size);
  return copy;
}

char *arena_format_list(Arena *arena, const char *format, va_list arguments) {
  assert(format);
  char formatted[FORMATTED_MOSTLY];
  va_list again;
  va_copy(again, arguments);
  int size = vsnprintf(formatted, sizeof formatted, format, arguments);
  if (size < 0)
    mem_fail();
  char *text = NULL;
  if ((size_t)size < sizeof formatted) {
    text = arena_strndup(arena, formatted, (size_t)size);
  } else {
    text = hand_out(arena, (size_t)size + 1);
    vsnprintf(text, (size_t)size + 1, format, again);
  }
  va_end(again);
  return text;
}

char *arena_format(Arena *arena, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *text = arena_format_list(arena, format, arguments);
  va_end(arguments);
  return text;
}

void arena_deinit(Arena *arena) {
  ArenaBlock *next;
  for (ArenaBlock *block = arena->blocks; block; block = next) {
    next = block->next;
    free(block);
  }
  *arena = (Arena){0};
}
