/* SPDX-License-Identifier: Apache-2.0 */
/* A growing text (or byte) buffer, always ending in a NUL that is not counted. A Text of zeroes is empty and
 * usable; text_string() of it is "". */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Text {
  char *bytes; /* NULL while nothing was ever appended */
  size_t size;
  size_t capacity;
} Text;

void text_append(Text *text, const char *string);
void text_append_bytes(Text *text, const void *bytes, size_t size);
void text_append_number(Text *text, uint64_t number);                    /* in decimal */
void text_format(Text *text, const char *format, ...) PRINTF_LIKE(2, 3); /* appends */
/* Appends one more of a list: behind the separator where the text holds something; nothing where the item is
 * NULL or "". */
void text_append_item(Text *text, const char *separator, const char *item);
void text_append_json(Text *text, const char *string); /* appends a JSON string with its quotes */
void text_clear(Text *text);
void text_drop_front(Text *text, size_t size); /* forgets the first `size` bytes */
const char *text_string(const Text *text);
char *text_take(Text *text);  /* the caller frees; the Text is empty again */
void text_deinit(Text *text); /* a cleanup function as it is */

bool string_has_prefix(const char *string, const char *prefix);
bool string_has_suffix(const char *string, const char *suffix);
/* Equal, where NULL equals only NULL. */
bool string_equal(const char *a, const char *b);
/* NULL as "". */
const char *string_or_empty(const char *string);
