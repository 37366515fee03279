/* SPDX-License-Identifier: Apache-2.0 */
/* Which Events were sent lately, so that one that repeats becomes the series of the first one and no other
 * object, as with client-go's recorder (tools/events): about the same object, with the same reason and type,
 * within 6 minutes of the last. Unlike there the note must be the same, too: it is what people look for. */
#pragma once

#include "base/array.h"
#include "kube/event.h"

enum { KUBE_EVENT_SERIES_MS = 360000, KUBE_EVENT_SERIES_MAX = 64 };

typedef struct KubeEventPast {
  char *identity;
  char name[KUBE_EVENT_NAME_SIZE]; /* of the object */
  uint32_t count;
  uint64_t last_ms;
} KubeEventPast;

/* One of zeroes is empty. */
typedef struct KubeEventSeries {
  ARRAY(KubeEventPast) past;
} KubeEventSeries;

/* Appends the body of what is to be sent. A name: PATCH that Event by a merge patch; lent until the next
 * call. NULL: POST a new one. */
const char *kube_event_series_next(KubeEventSeries *series, const KubeEvent *event, uint64_t now_ms,
                                   int64_t wall_ms, uint64_t unique, Text *ret_body);
/* The server refused one of both: what repeats from now on begins anew. */
void kube_event_series_forget(KubeEventSeries *series);
void kube_event_series_deinit(KubeEventSeries *series);
