/* SPDX-License-Identifier: Apache-2.0 */
/* Which slices the kubelet should give to whom while some of them are to be taken away. Pure. */
#pragma once

#include "agent/publish.h"
#include "agent/withdrawal.h"

/* GetPreferredAllocation. The kubelet does not say which pod it asks for: `for_reservation` tells that it is
 * likely the reservation pod, which gets the targets first. Everybody else gets them last. Among equals as
 * agent_publish_prefer() has it. */
void agent_steer_prefer(const GpuObservation *observation, const Map *used, const AgentTargets *targets,
                        bool for_reservation, const KubeletPreferred *request, Arena *arena,
                        Strings *ret_ids);
