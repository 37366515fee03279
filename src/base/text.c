/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include "base/memory.h"

#include <stdarg.h>
#include <string.h>

enum { FORMATTED_MOSTLY = 32 /* bytes of one text_format() at most, mostly */ };

static void reserve(Text *text, size_t more) {
  if (text->capacity - text->size > more)
    return;
  size_t capacity = text->capacity ? text->capacity : 64;
  while (capacity - text->size <= more)
    capacity *= 2;
  text->bytes = mem_grow(text->bytes, capacity, 1);
  text->capacity = capacity;
}

void text_append_bytes(Text *text, const void *bytes, size_t size) {
  reserve(text, size);
  if (size)
    memcpy(text->bytes + text->size, bytes, size);
  text->size += size;
  text->bytes[text->size] = '\0';
}

void text_append(Text *text, const char *string) {
  text_append_bytes(text, string, strlen(string));
}

void text_append_number(Text *text, uint64_t number) {
  char digits[20]; /* of the largest one */
  size_t begin = sizeof digits;
  do
    digits[--begin] = (char)('0' + number % 10);
  while (number /= 10);
  text_append_bytes(text, digits + begin, sizeof digits - begin);
}

/* Into the room that there is; where that is too small, again. */
void text_format(Text *text, const char *format, ...) {
  reserve(text, FORMATTED_MOSTLY);
  size_t room = text->capacity - text->size;
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(text->bytes + text->size, room, format, arguments);
  va_end(arguments);
  if (size < 0)
    mem_fail();
  if ((size_t)size >= room) {
    reserve(text, (size_t)size);
    va_start(arguments, format);
    vsnprintf(text->bytes + text->size, (size_t)size + 1, format, arguments);
    va_end(arguments);
  }
  text->size += (size_t)size;
}

void text_append_item(Text *text, const char *separator, const char *item) {
  if (!item || !*item)
    return;
  if (text->size)
    text_append(text, separator);
  text_append(text, item);
}

void text_append_json(Text *text, const char *string) {
  text_append(text, "\"");
  const char *plain = string; /* not appended yet */
  for (const char *p = string; *p; p++) {
    unsigned char c = (unsigned char)*p;
    if (c >= 0x20 && c != '"' && c != '\\')
      continue;
    text_append_bytes(text, plain, (size_t)(p - plain));
    text_format(text, c < 0x20 ? "\\u%04x" : "\\%c", c);
    plain = p + 1;
  }
  text_append(text, plain);
  text_append(text, "\"");
}

void text_clear(Text *text) {
  text->size = 0;
  if (text->bytes)
    text->bytes[0] = '\0';
}

void text_drop_front(Text *text, size_t size) {
  if (size >= text->size) {
    text_clear(text);
    return;
  }
  memmove(text->bytes, text->bytes + size, text->size - size);
  text->size -= size;
  text->bytes[text->size] = '\0';
}

const char *text_string(const Text *text) {
  return text->bytes ? text->bytes : "";
}

char *text_take(Text *text) {
  char *bytes = text->bytes ? text->bytes : mem_strdup("");
  *text = (Text){0};
  return bytes;
}

void text_deinit(Text *text) {
  free(text->bytes);
  *text = (Text){0};
}

bool string_has_prefix(const char *string, const char *prefix) {
  return strncmp(string, prefix, strlen(prefix)) == 0;
}

bool string_has_suffix(const char *string, const char *suffix) {
  size_t string_size = strlen(string), suffix_size = strlen(suffix);
  return string_size >= suffix_size && memcmp(string + string_size - suffix_size, suffix, suffix_size) == 0;
}

bool string_equal(const char *a, const char *b) {
  if (!a || !b)
    return a == b;
  return strcmp(a, b) == 0;
}

const char *string_or_empty(const char *string) {
  return string ? string : "";
}
