/* SPDX-License-Identifier: Apache-2.0 */
/* What must be true of a simulated cluster, for its tests. Each check fails with a sentence. */
#pragma once

#include "base/log.h"
#include "plan/plan.h"
#include "sim/cluster/cluster.h"

/* At any time; of one node, whose machine was looked at before. */

int sim_check_node_held(const SimClusterNode *node, const SimState *state, Error *err) MUST_CHECK;
int sim_check_node_offers(const SimCluster *cluster, int i, const SimState *state, Error *err) MUST_CHECK;
bool sim_check_has_slice(const SimState *state, const char *uuid);

/* At any time. */

/* NVML: every GPU's layout is legal. */
int sim_check_layouts(SimCluster *cluster, Error *err) MUST_CHECK;
/* Every slice that a kubelet gave to a pod exists, unless the pod is a reservation. */
int sim_check_held(SimCluster *cluster, Error *err) MUST_CHECK;
/* No node offers more slices of a profile than its GPUs have, but for those that a reservation pod holds. */
int sim_check_offers(SimCluster *cluster, Error *err) MUST_CHECK;

/* When everything is quiet and every program is there. */

/* No reservation pod, and no plan that is not answered. */
int sim_check_rest(const SimCluster *cluster, Error *err) MUST_CHECK;
/* No pod waits that fits somewhere, or that could be admitted by cutting. */
int sim_check_served(SimCluster *cluster, Error *err) MUST_CHECK;

/* For looking. */
size_t sim_check_count_cut(SimCluster *cluster, const char *profile); /* on all nodes */
size_t sim_check_count_reservations(const SimCluster *cluster);
const char *sim_check_text(const json_t *object, const char *section, const char *field); /* "": absent */
/* Of programs whose log a test does not read: a sink that drops it. */
void sim_check_drop_log(void *userdata, LogLevel level, const char *component, const char *message,
                        const char *fields);
