/* SPDX-License-Identifier: Apache-2.0 */
/* The reference of the planner's benchmark: how nos plans, on A100-80GB GPUs that are empty, for pods that
 * ask one slice each and nothing else. */
#pragma once

#include <stdint.h>

enum { NOS_GPUS_PER_NODE = 8, NOS_PROFILES = 5 /* 1g, 2g, 3g, 4g, 7g */ };

typedef struct NosResult {
  int admitted; /* pods that find a slice among those of the plan */
  int added;    /* a pod counts as often as the rule puts it on a node */
} NosResult;

/* `profiles` has the profile of each pod, smallest first. */
NosResult nos_rule_plan(int node_count, const uint8_t *profiles, int pod_count);
