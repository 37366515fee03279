/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/pod_event.h"

void controller_pod_event_format(const Pod *pod, bool triggered, const char *note, const char *instance,
                                 int64_t wall_ms, uint64_t unique, Text *ret_body) {
  kube_event_format(&(KubeEvent){.kind = "Pod",
                                 .regarding = &pod->meta,
                                 .controller = "facet.gpu/controller",
                                 .instance = instance,
                                 .reason = triggered ? "TriggeredRepartition" : "NotTriggeredRepartition",
                                 .note = note},
                    wall_ms, unique, ret_body);
}
