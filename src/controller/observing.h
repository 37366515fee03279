/* SPDX-License-Identifier: Apache-2.0 */
/* --observe: node writes are told in the log instead of sent, each change once. */
#pragma once

#include "controller/pass.h"
#include "metrics/metrics.h"

typedef struct ControllerObserving {
  Map told; /* node -> what it would have been told last (char *, owned) */
} ControllerObserving;

void controller_observing_note(ControllerObserving *observing, const ControllerPass *pass, Metrics *metrics);
void controller_observing_forget_node(ControllerObserving *observing, const char *node);
void controller_observing_deinit(ControllerObserving *observing);
