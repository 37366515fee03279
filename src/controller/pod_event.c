/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/pod_event.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { POD_NAME_SIZE_MAX = 200 }; /* of the 253 that an object's name may have */

static void format_micro_time(int64_t wall_ms, char *ret_text, size_t size) {
  time_t seconds = (time_t)(wall_ms / 1000);
  struct tm parts;
  gmtime_r(&seconds, &parts);
  char date[32];
  strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  snprintf(ret_text, size, "%s.%03d000Z", date, (int)(wall_ms % 1000));
}

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

/* Pod names may be 253 characters long and an event's name not longer, so the pod's part is cut; what is left
 * of it must end in a letter or digit before the dot. */
static void append_name(Text *body, const Pod *pod, int64_t wall_ms, uint64_t unique) {
  char name[254];
  int size = fitting_size(pod->meta.name, POD_NAME_SIZE_MAX);
  while (size > 0 && (pod->meta.name[size - 1] == '-' || pod->meta.name[size - 1] == '.'))
    size--;
  snprintf(name, sizeof name, "%.*s.%llx%04llx", size, pod->meta.name, (unsigned long long)wall_ms,
           (unsigned long long)unique & 0xffff);
  append_member(body, "name", name);
}

static void append_note(Text *body, const char *note) {
  char cut[CONTROLLER_NOTE_SIZE_MAX + 1];
  bool fits = strlen(note) <= CONTROLLER_NOTE_SIZE_MAX;
  int size = fitting_size(note, fits ? CONTROLLER_NOTE_SIZE_MAX : CONTROLLER_NOTE_SIZE_MAX - 3);
  snprintf(cut, sizeof cut, "%.*s%s", size, note, fits ? "" : "...");
  append_member(body, "note", cut);
}

void controller_pod_event_format(const Pod *pod, bool triggered, const char *note, const char *instance,
                                 int64_t wall_ms, uint64_t unique, Text *ret_body) {
  char time_text[64];
  format_micro_time(wall_ms, time_text, sizeof time_text);
  text_append(ret_body, "{\"apiVersion\":\"events.k8s.io/v1\",\"kind\":\"Event\",\"metadata\":{");
  append_name(ret_body, pod, wall_ms, unique);
  text_append(ret_body, ",");
  append_member(ret_body, "namespace", pod->meta.namespace_);
  text_append(ret_body, "},");
  append_member(ret_body, "eventTime", time_text);
  text_append(ret_body, ",\"reportingController\":\"facet.gpu/controller\",");
  append_member(ret_body, "reportingInstance", instance);
  text_append(ret_body, ",\"action\":\"Repartition\",");
  append_member(ret_body, "reason", triggered ? "TriggeredRepartition" : "NotTriggeredRepartition");
  text_append(ret_body, ",\"type\":\"Normal\",\"regarding\":{\"apiVersion\":\"v1\",\"kind\":\"Pod\",");
  append_member(ret_body, "namespace", pod->meta.namespace_);
  text_append(ret_body, ",");
  append_member(ret_body, "name", pod->meta.name);
  text_append(ret_body, ",");
  append_member(ret_body, "uid", pod->meta.uid);
  text_append(ret_body, "},");
  append_note(ret_body, note);
  text_append(ret_body, "}");
}
