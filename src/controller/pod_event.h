/* SPDX-License-Identifier: Apache-2.0 */
/* Events on pods (events.k8s.io/v1): what facet does for a waiting pod, or why nothing. */
#pragma once

#include "base/text.h"
#include "cluster/object.h"
#include "kube/event.h"

enum { CONTROLLER_NOTE_SIZE_MAX = KUBE_EVENT_NOTE_SIZE_MAX };

/* The body of POST /apis/events.k8s.io/v1/namespaces/<ns>/events. */
void controller_pod_event_format(const Pod *pod, bool triggered, const char *note, const char *instance,
                                 int64_t wall_ms, uint64_t unique, Text *ret_body);
