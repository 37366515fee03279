/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

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

void text_format(Text *text, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  va_list again;
  va_copy(again, arguments);
  int size = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  if (size < 0)
    mem_fail();
  reserve(text, (size_t)size);
  vsnprintf(text->bytes + text->size, (size_t)size + 1, format, again);
  va_end(again);
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
  for (const char *p = string; *p; p++) {
    unsigned char c = (unsigned char)*p;
    if (c == '"' || c == '\\')
      text_format(text, "\\%c", c);
    else if (c < 0x20)
      text_format(text, "\\u%04x", c);
    else
      text_append_bytes(text, p, 1);
  }
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
