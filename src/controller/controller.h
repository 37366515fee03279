/* SPDX-License-Identifier: Apache-2.0 */
/* The controller: watches pods and nodes, plans, writes wanted layouts to nodes, and says on pods what
 * happens.
 *
 *     pod or node changes -> dirty -> batch window (idle 200 ms, at most 2 s) -> one pass -> writes, Events
 *
 * The window is for pods: while more of them arrive it waits for the batch to be complete. A pass starts only
 * when both caches are synced and every write of the last one was answered and seen in the watch; a node that
 * does not answer its plan delays nobody, because only API calls are waited for.
 *
 * Of several controllers that share a Lease only its holder makes passes. The others keep their caches, so
 * that the next one can go on at once. Who loses the Lease takes back what it has not sent yet. */
#pragma once

#include "base/host.h"
#include "controller/leader.h"
#include "controller/memory.h"
#include "kube/client.h"
#include "kube/informer.h"
#include "metrics/metrics.h"

enum {
  CONTROLLER_BATCH_IDLE_MS = 200,
  CONTROLLER_BATCH_TIMEOUT_MS = 2000,
  CONTROLLER_SEEN_MS = 2000, /* a write that the watch does not show by then is no longer waited for */
  CONTROLLER_AGAIN_MS = 200, /* the next pass, where one could not write or say all there was */
  CONTROLLER_EVENTS_IN_FLIGHT_MAX = 128,
};

typedef struct Controller Controller;

typedef struct ControllerOptions {
  uint32_t batch_idle_ms;    /* plan when no new pod came for so long */
  uint32_t batch_timeout_ms; /* ... but at the latest after this */
  PlanLeftover leftover;
  int64_t starvation_ms;               /* pods of this age come before others of their priority; 0: none do */
  int recut_limit;                     /* of one node and minute; 0: none */
  const PlanClock *clock;              /* limits the time for one plan; NULL: its steps do */
  const char *scheduler;               /* through which the agents reserve slices; NULL: the default one */
  const char *instance;                /* who writes Events: the pod or host name; NULL: "facet" */
  bool observe;                        /* plan and tell, but write nothing to nodes */
  Metrics *metrics;                    /* borrowed; NULL: nobody counts */
  const ControllerLeaseOptions *lease; /* copied; NULL: there is no other controller */
} ControllerOptions;

Controller *controller_new(const ControllerOptions *options, Host *host, KubeTransport *transport);
void controller_start(Controller *controller);
bool controller_leads(const Controller *controller); /* true where there is no other */
/* Takes over what can change while it runs: the batch window, starvation_ms and recut_limit. */
void controller_reconfigure(Controller *controller, const ControllerOptions *options);
/* Have both lists come? Otherwise *ret_why is what is missing, a sentence. A controller that stands by is
 * ready, too. */
bool controller_is_ready(const Controller *controller, const char **ret_why);
/* What is only known when somebody asks: gauges of the cluster. */
void controller_fill_metrics(const Controller *controller);
/* What it sees, plans and waits for, for people (debug.c). */
void controller_debug_format(const Controller *controller, Text *ret_text);
/* Before the end: no pass begins any more, what was sent is waited for, the Lease goes to the next. Then
 * on_left, perhaps at once, at the latest after CONTROLLER_LEAVE_MS. */
void controller_leave(Controller *controller, void (*on_left)(void *userdata), void *userdata);
void controller_free(Controller *controller);
DEFINE_CLEANUP(Controller, controller_free)
