/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/apiserver/encode.h"

#include <assert.h>
#include <string.h>

/* What stands behind the backslash; 0: the byte stands for itself; 'u': by its number. */
static char escape_of(unsigned char byte) {
  static const char of_controls[0x20] = {
      ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
  if (byte >= 0x20)
    return byte == '"' || byte == '\\' ? (char)byte : 0;
  return of_controls[byte] ? of_controls[byte] : 'u';
}

static void encode_string(const char *bytes, size_t size, Text *out) {
  size_t begin = 0;
  text_append_bytes(out, "\"", 1);
  for (size_t i = 0; i < size; i++) {
    char escape = escape_of((unsigned char)bytes[i]);
    if (!escape)
      continue;
    text_append_bytes(out, bytes + begin, i - begin);
    begin = i + 1;
    if (escape == 'u')
      text_format(out, "\\u%04X", (unsigned)bytes[i]);
    else
      text_append_bytes(out, (const char[]){'\\', escape}, 2);
  }
  text_append_bytes(out, bytes + begin, size - begin);
  text_append_bytes(out, "\"", 1);
}

static void encode_object(const json_t *object, Text *out) {
  const char *separator = "{", *key;
  json_t *value;
  json_object_foreach((json_t *)object, key, value) {
    text_append_bytes(out, separator, 1);
    encode_string(key, strlen(key), out);
    text_append_bytes(out, ":", 1);
    sim_api_encode(value, out);
    separator = ",";
  }
  text_append(out, *separator == '{' ? "{}" : "}");
}

static void encode_array(const json_t *array, Text *out) {
  text_append_bytes(out, "[", 1);
  for (size_t i = 0; i < json_array_size(array); i++) {
    text_append_bytes(out, ",", i > 0);
    sim_api_encode(json_array_get(array, i), out);
  }
  text_append_bytes(out, "]", 1);
}

void sim_api_encode(const json_t *value, Text *out) {
  switch (json_typeof(value)) {
  case JSON_OBJECT:
    encode_object(value, out);
    return;
  case JSON_ARRAY:
    encode_array(value, out);
    return;
  case JSON_STRING:
    encode_string(json_string_value(value), json_string_length(value), out);
    return;
  default: { /* short, and not many: numbers, true, false, null */
    CLEANUP(cleanup_free) char *text = json_dumps(value, JSON_ENCODE_ANY);
    text_append(out, text);
  }
  }
}

void sim_api_texts_deinit(SimApiTexts *texts) {
  for (size_t i = 0; i < SIM_API_TEXTS_MAX; i++)
    text_deinit(&texts->kept[i].text);
}

const Text *sim_api_texts_get(SimApiTexts *texts, const json_t *object) {
  const json_t *meta = json_object_get(object, "metadata");
  const char *version_text = json_string_value(json_object_get(meta, "resourceVersion"));
  assert(version_text);
  uint64_t version = strtoull(version_text, NULL, 10);
  SimApiKeptText *kept = &texts->kept[version % SIM_API_TEXTS_MAX];
  if (kept->version == version)
    return &kept->text;
  kept->version = version;
  text_clear(&kept->text);
  sim_api_encode(object, &kept->text);
  return &kept->text;
}
