/* SPDX-License-Identifier: Apache-2.0 */
/* The controller: watches pods and nodes, plans, writes wanted layouts to nodes, and says why on pods. */
#pragma once

#include "base/host.h"
#include "kube/client.h"
#include "kube/informer.h"
#include "plan/plan.h"

typedef struct Controller Controller;

typedef struct ControllerOptions {
  uint32_t batch_idle_ms;    /* plan when no new pod came for so long; default 200 */
  uint32_t batch_timeout_ms; /* ... but at the latest after this; default 2000 */
  PlanLeftover leftover;
} ControllerOptions;

enum {
  CONTROLLER_BATCH_IDLE_MS = 200,
  CONTROLLER_BATCH_TIMEOUT_MS = 2000,
  CONTROLLER_ANSWER_MS = 30000, /* an agent that has not echoed its plan by then is not counted on */
  CONTROLLER_ACTIONS_MAX = 512, /* writes of one pass */
};

Controller *controller_new(const ControllerOptions *options, Host *host, KubeTransport *transport);
void controller_start(Controller *controller);
void controller_free(Controller *controller);
DEFINE_CLEANUP(Controller, controller_free)
