/* SPDX-License-Identifier: Apache-2.0 */
/* What the controller tells of itself to metrics. Where nobody counts (metrics NULL) nothing is kept. */
#pragma once

#include "base/host.h"
#include "base/map.h"
#include "controller/pass.h"
#include "kube/informer.h"
#include "metrics/metrics.h"

typedef struct ControllerCounting {
  Metrics *metrics;
  const Host *host;
  Map told; /* node -> when it was told a plan that its agent has not answered (uint64_t, owned) */
} ControllerCounting;

void controller_counting_deinit(ControllerCounting *counting);
/* began_us: metrics_now_us() before the pass; batch_began_ms: when the first pod of the batch came, 0: none.
 */
void controller_counting_note_pass(ControllerCounting *counting, const ControllerPass *pass,
                                   uint64_t began_us, uint64_t batch_began_ms);
void controller_counting_note_written(ControllerCounting *counting, const char *node, uint64_t sent_ms);
void controller_counting_note_not_written(ControllerCounting *counting, bool outdated, const Error *why);
void controller_counting_note_word(ControllerCounting *counting, const Error *why); /* NULL: it was written */
/* where: "watch", "node_write", "event". */
void controller_counting_note_failure(ControllerCounting *counting, const char *where, const Error *why);
void controller_counting_note_node(ControllerCounting *counting,
                                   const Node *node); /* is its plan answered? */
void controller_counting_forget_node(ControllerCounting *counting, const char *node);
/* Gauges: slices and nodes by state, objects, who leads. */
void controller_counting_fill(const ControllerCounting *counting, const KubeInformer *nodes,
                              const KubeInformer *pods, bool leads);
