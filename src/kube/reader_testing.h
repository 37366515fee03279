/* SPDX-License-Identifier: Apache-2.0 */
/* For the readers' tests: fixtures written by Kubernetes' own serializers (test/tools/kube-fixtures), and
 * decoded objects as text, printed by walking the tables. */
#pragma once

#include "base/test.h"

#include "base/text.h"
#include "cluster/object.h"
#include "kube/reader.h"
#include "kube/testdata.h"

#include <inttypes.h>
#include <stdio.h>

/* Equal, or the test fails naming the case. */
static inline void testing_assert_text(const char *name, const char *found, const char *wanted) {
  if (strcmp(found, wanted) != 0)
    fail_msg("%s: found\n%s\ninstead of\n%s", name, found, wanted);
}

/* The bytes of a file in testdata/. */
static inline Text testing_read(const char *name) {
  CLEANUP(text_deinit) Text path = {0};
  text_format(&path, "%s/%s", KUBE_TESTDATA, name);
  CLEANUP(cleanup_fclose) FILE *file = fopen(text_string(&path), "rb");
  if (!file)
    fail_msg("cannot open %s", text_string(&path));
  Text content = {0};
  char chunk[4096];
  size_t size;
  while ((size = fread(chunk, 1, sizeof chunk, file)) > 0)
    text_append_bytes(&content, chunk, size);
  return content;
}

static inline Text testing_read_format(const char *name, KubeFormat format) {
  CLEANUP(text_deinit) Text path = {0};
  text_format(&path, "%s.%s", name, format == KUBE_PROTOBUF ? "pb" : "json");
  return testing_read(text_string(&path));
}

static inline void testing_print_string(Text *out, const char *string) {
  if (string)
    text_append_json(out, string);
  else
    text_append(out, "NULL");
}

static inline void testing_print_map(Text *out, const KeyValues *map) {
  for (size_t i = 0; i < map->count; i++) {
    text_append(out, i ? " " : "");
    testing_print_string(out, map->items[i].key);
    text_append(out, "=");
    testing_print_string(out, map->items[i].value);
  }
}

static inline void testing_print_message(Text *out, const char *path, const KubeMessage *message,
                                         const char *value);

static inline void testing_print_items(Text *out, const char *path, const KubeField *field,
                                       const char *place) {
  const LIST(char) *list = (const void *)place;
  text_format(out, "%s: %zu\n", path, list->count);
  for (size_t i = 0; i < list->count; i++) {
    CLEANUP(text_deinit) Text item = {0};
    text_format(&item, "%s[%zu]", path, i);
    testing_print_message(out, text_string(&item), field->message, list->items + i * field->item_size);
  }
}

static inline void testing_print_field(Text *out, const char *path, const KubeField *field,
                                       const char *value) {
  const char *place = kube_field_place(field, value);
  if (field->present_offset >= 0)
    text_format(out, "%s: %s\n", path, *kube_field_presence(field, value) ? "present" : "absent");
  if (field->kind == KUBE_MESSAGE) {
    testing_print_message(out, path, field->message, place);
    return;
  }
  if (field->kind == KUBE_LIST) {
    testing_print_items(out, path, field, place);
    return;
  }
  text_format(out, "%s: ", path);
  const Strings *strings = (const void *)place;
  switch (field->kind) {
  case KUBE_STRING:
    testing_print_string(out, *(const char *const *)place);
    break;
  case KUBE_UID:
    testing_print_string(out, OBJECT_UID(*(const ObjectUid *)place));
    break;
  case KUBE_VERSION:
    testing_print_string(out, OBJECT_VERSION(*(const ObjectVersion *)place));
    break;
  case KUBE_INT32:
    text_format(out, "%" PRId32, *(const int32_t *)place);
    break;
  case KUBE_BOOL:
    text_append(out, *(const bool *)place ? "true" : "false");
    break;
  case KUBE_TIME:
    text_format(out, "%" PRId64, *(const int64_t *)place);
    break;
  case KUBE_STRINGS:
    for (size_t i = 0; i < strings->count; i++) {
      text_append(out, i ? " " : "");
      testing_print_string(out, strings->items[i]);
    }
    break;
  default:
    testing_print_map(out, (const void *)place);
  }
  text_append(out, "\n");
}

static inline void testing_print_message(Text *out, const char *path, const KubeMessage *message,
                                         const char *value) {
  for (size_t i = 0; i < message->field_count; i++) {
    CLEANUP(text_deinit) Text field = {0};
    text_format(&field, "%s%s%s", path, *path ? "." : "", message->fields[i].name);
    testing_print_field(out, text_string(&field), &message->fields[i], value);
  }
}

/* Every known field of the object, one a line. */
static inline void testing_print_object(Text *out, const KubeObject *object) {
  text_format(out, "%s\n", object->type->kind);
  testing_print_message(out, "", object->type->message, object->value);
}
