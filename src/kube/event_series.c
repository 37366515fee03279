/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/event_series.h"

#include "base/memory.h"
#include "kube/time.h"

#include <string.h>

static char *identity_of(const KubeEvent *event) {
  return mem_format("%s\n%s\n%s\n%d\n%s", event->kind, string_or_empty(OBJECT_UID(event->regarding->uid)),
                    event->reason, event->is_warning, event->note);
}

static void drop(KubeEventSeries *series, size_t i) {
  free(series->past.items[i].identity);
  array_remove(&series->past, i);
}

/* Those that are over go, and the oldest where there are too many. They stand in the order of their last
 * time. */
static void make_room(KubeEventSeries *series, uint64_t now_ms) {
  while (series->past.count && (series->past.count >= KUBE_EVENT_SERIES_MAX ||
                                now_ms - series->past.items[0].last_ms >= KUBE_EVENT_SERIES_MS))
    drop(series, 0);
}

static void format_repetition(uint32_t count, int64_t wall_ms, Text *ret_body) {
  char time_text[KUBE_MICRO_TIME_SIZE];
  kube_time_format_micro(wall_ms, time_text);
  text_format(ret_body, "{\"series\":{\"count\":%u,\"lastObservedTime\":\"%s\"}}", count, time_text);
}

const char *kube_event_series_next(KubeEventSeries *series, const KubeEvent *event, uint64_t now_ms,
                                   int64_t wall_ms, uint64_t unique, Text *ret_body) {
  char *identity = identity_of(event);
  KubeEventPast next = {.identity = identity, .count = 0};
  for (size_t i = 0; i < series->past.count; i++)
    if (strcmp(series->past.items[i].identity, identity) == 0 &&
        now_ms - series->past.items[i].last_ms < KUBE_EVENT_SERIES_MS) {
      free(identity);
      next = series->past.items[i];
      array_remove(&series->past, i);
      break;
    }
  make_room(series, now_ms);
  next.count++;
  next.last_ms = now_ms;
  if (next.count == 1) {
    kube_event_format_name(event->regarding, wall_ms, unique, next.name);
    kube_event_format(event, wall_ms, unique, ret_body);
  } else {
    format_repetition(next.count, wall_ms, ret_body);
  }
  *array_push(&series->past) = next;
  return next.count > 1 ? series->past.items[series->past.count - 1].name : NULL;
}

void kube_event_series_forget(KubeEventSeries *series) {
  while (series->past.count)
    drop(series, series->past.count - 1);
}

void kube_event_series_deinit(KubeEventSeries *series) {
  kube_event_series_forget(series);
  array_deinit(&series->past);
}
