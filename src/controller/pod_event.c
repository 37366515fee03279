/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/pod_event.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

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

/* Pod names may be 253 characters long and an event's name not longer, so the pod's part is cut. */
static void append_name(Text *body, const Pod *pod, int64_t wall_ms, uint64_t unique) {
  char name[254];
  snprintf(name, sizeof name, "%.200s.%llx%04llx", pod->meta.name, (unsigned long long)wall_ms,
           (unsigned long long)unique & 0xffff);
  append_member(body, "name", name);
}

void controller_pod_event_format(const Pod *pod, bool triggered, const char *note, const char *instance,
                                 int64_t wall_ms, uint64_t unique, Text *ret_body) {
  char time_text[64], cut_note[CONTROLLER_NOTE_SIZE_MAX + 1];
  format_micro_time(wall_ms, time_text, sizeof time_text);
  snprintf(cut_note, sizeof cut_note, "%s", note);
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
  append_member(ret_body, "note", cut_note);
  text_append(ret_body, "}");
}
