/* SPDX-License-Identifier: Apache-2.0 */
/* Events (events.k8s.io/v1): what facet does to an object, or why nothing. */
#pragma once

#include "base/text.h"
#include "cluster/object.h"

enum { KUBE_EVENT_NOTE_SIZE_MAX = 1000 }; /* the API allows 1024 bytes */
enum { KUBE_EVENT_NAME_SIZE = 254 };
#define KUBE_EVENT_CLUSTER_NAMESPACE "default" /* of events on objects that are in no namespace */

typedef struct KubeEvent {
  const char *kind; /* of the object: "Pod" */
  const ObjectMeta *regarding;
  const char *controller, *instance; /* who says it: "facet.gpu/agent", "node-1" */
  const char *reason;                /* "RepartitionFailed" */
  bool is_warning;
  const char *note; /* a sentence; cut where it is too long */
} KubeEvent;

/* The name that kube_event_format() gives it. */
void kube_event_format_name(const ObjectMeta *regarding, int64_t wall_ms, uint64_t unique,
                            char ret_name[KUBE_EVENT_NAME_SIZE]);
/* Appends the body of POST /apis/events.k8s.io/v1/namespaces/<ns>/events. */
void kube_event_format(const KubeEvent *event, int64_t wall_ms, uint64_t unique, Text *ret_body);
