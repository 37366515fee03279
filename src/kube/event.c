/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/event.h"

#include "kube/time.h"

#include <stdio.h>
#include <string.h>

enum { OBJECT_NAME_SIZE_MAX = 200 }; /* of the 253 that an object's name may have */

static void append_member(Text *body, const char *name, const char *value) {
  text_format(body, "\"%s\":", name);
  text_append_json(body, string_or_empty(value));
}

/* How much of the text fits into so many bytes without cutting a character in two. */
static int fitting_size(const char *text, size_t size_max) {
  size_t size = strlen(text);
  if (size <= size_max)
    return (int)size;
  for (size = size_max; size > 0 && (text[size] & 0xc0) == 0x80;)
    size--;
  return (int)size;
}

/* Names may be 253 characters long and an event's name not longer, so the object's part is cut; what is left
 * of it must end in a letter or digit before the dot. */
void kube_event_format_name(const ObjectMeta *regarding, int64_t wall_ms, uint64_t unique,
                            char ret_name[KUBE_EVENT_NAME_SIZE]) {
  int size = fitting_size(regarding->name, OBJECT_NAME_SIZE_MAX);
  while (size > 0 && (regarding->name[size - 1] == '-' || regarding->name[size - 1] == '.'))
    size--;
  snprintf(ret_name, KUBE_EVENT_NAME_SIZE, "%.*s.%llx%04llx", size, regarding->name,
           (unsigned long long)wall_ms, (unsigned long long)unique & 0xffff);
}

static void append_name(Text *body, const ObjectMeta *meta, int64_t wall_ms, uint64_t unique) {
  char name[KUBE_EVENT_NAME_SIZE];
  kube_event_format_name(meta, wall_ms, unique, name);
  append_member(body, "name", name);
}

static void append_note(Text *body, const char *note) {
  char cut[KUBE_EVENT_NOTE_SIZE_MAX + 1];
  bool fits = strlen(note) <= KUBE_EVENT_NOTE_SIZE_MAX;
  int size = fitting_size(note, fits ? KUBE_EVENT_NOTE_SIZE_MAX : KUBE_EVENT_NOTE_SIZE_MAX - 3);
  snprintf(cut, sizeof cut, "%.*s%s", size, note, fits ? "" : "...");
  append_member(body, "note", cut);
}

void kube_event_format(const KubeEvent *event, int64_t wall_ms, uint64_t unique, Text *ret_body) {
  const ObjectMeta *meta = event->regarding;
  const char *namespace_ = meta->namespace_ && *meta->namespace_ ? meta->namespace_ : NULL;
  char time_text[KUBE_MICRO_TIME_SIZE];
  kube_time_format_micro(wall_ms, time_text);
  text_append(ret_body, "{\"apiVersion\":\"events.k8s.io/v1\",\"kind\":\"Event\",\"metadata\":{");
  append_name(ret_body, meta, wall_ms, unique);
  text_append(ret_body, ",");
  append_member(ret_body, "namespace", namespace_ ? namespace_ : KUBE_EVENT_CLUSTER_NAMESPACE);
  text_append(ret_body, "},");
  append_member(ret_body, "eventTime", time_text);
  text_append(ret_body, ",");
  append_member(ret_body, "reportingController", event->controller);
  text_append(ret_body, ",");
  append_member(ret_body, "reportingInstance", event->instance);
  text_append(ret_body, ",\"action\":\"Repartition\",");
  append_member(ret_body, "reason", event->reason);
  text_append(ret_body, ",");
  append_member(ret_body, "type", event->is_warning ? "Warning" : "Normal");
  text_append(ret_body, ",\"regarding\":{\"apiVersion\":\"v1\",");
  append_member(ret_body, "kind", event->kind);
  text_append(ret_body, ",");
  if (namespace_) {
    append_member(ret_body, "namespace", namespace_);
    text_append(ret_body, ",");
  }
  append_member(ret_body, "name", meta->name);
  text_append(ret_body, ",");
  append_member(ret_body, "uid", OBJECT_UID(meta->uid));
  text_append(ret_body, "},");
  append_note(ret_body, event->note);
  text_append(ret_body, "}");
}
