/* SPDX-License-Identifier: Apache-2.0 */
/* What was read, as the explaining layer wants it. */
#pragma once

#include "cli/cluster_input.h"
#include "explain/trial.h"

/* Borrows everything from the input. */
void cli_explain_cluster(const ClusterInput *input, ExplainCluster *ret_cluster);
