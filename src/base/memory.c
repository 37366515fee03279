/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

void mem_fail(void) {
  static const char text[] = "facet: out of memory\n";
  (void)!write(STDERR_FILENO, text, sizeof text - 1);
  abort();
}

/* glibc raises its threshold with each large block that is freed, and keeps the next ones in the heap. */
void mem_stay_small(void) {
  enum { LARGE_BYTES = 64 * 1024, SLACK_BYTES = 64 * 1024 };
  mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
  mallopt(M_TRIM_THRESHOLD, SLACK_BYTES);
  mallopt(M_TOP_PAD, SLACK_BYTES / 4);
  mallopt(M_ARENA_MAX, 1);
}

void mem_give_back(void) {
  malloc_trim(0);
}

void *mem_alloc(size_t size) {
  void *block = calloc(1, size ? size : 1);
  if (!block)
    mem_fail();
  return block;
}

void *mem_alloc_raw(size_t count, size_t item_size) {
  return mem_grow(NULL, count, item_size);
}

int *mem_alloc_none(size_t count) {
  int *numbers = mem_alloc_raw(count, sizeof *numbers);
  if (count)
    memset(numbers, 0xff, count * sizeof *numbers);
  return numbers;
}

void *mem_grow(void *old, size_t count, size_t item_size) {
  void *block = reallocarray(old, count ? count : 1, item_size ? item_size : 1);
  if (!block)
    mem_fail();
  return block;
}

char *mem_strdup(const char *text) {
  return text ? mem_strndup(text, strlen(text)) : NULL;
}

char *mem_strndup(const char *text, size_t size) {
  char *copy = mem_alloc_raw(size + 1, 1);
  if (size)
    memcpy(copy, text, size);
  copy[size] = '\0';
  return copy;
}

char *mem_format(const char *format, ...) {
  char *text = NULL;
  va_list arguments;
  va_start(arguments, format);
  int written = vasprintf(&text, format, arguments);
  va_end(arguments);
  if (written < 0)
    mem_fail();
  return text;
}
