/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/observing.h"

#include "base/log.h"

void controller_observing_note(ControllerObserving *observing, const ControllerPass *pass, Metrics *metrics) {
  for (size_t i = 0; i < pass->writes.count; i++) {
    const ControllerWrite *write = &pass->writes.items[i];
    if (string_equal(map_find(&observing->told, write->node), write->summary))
      continue;
    free(map_put(&observing->told, write->node, mem_strdup(write->summary)));
    metrics_add(metrics, METRIC_NODE_WRITES, METRIC_LABELS("observed"), 1);
    log_info("controller", "node not written: only observing", "node=%s slices=" LOG_QUOTED, write->node,
             write->summary);
  }
}

void controller_observing_forget_node(ControllerObserving *observing, const char *node) {
  free(map_remove(&observing->told, node));
}

void controller_observing_deinit(ControllerObserving *observing) {
  for (size_t i = 0; i < observing->told.count; i++)
    free(observing->told.entries[i].value);
  map_deinit(&observing->told);
}
