/* SPDX-License-Identifier: Apache-2.0 */
/* What the options of `facet demo` ask for: which GPUs, how many nodes, which pods. */
#pragma once

#include "sim/nvml/state.h"

enum { CLI_DEMO_DEMANDS_MAX = 32, CLI_DEMO_PODS_MAX = 1000, CLI_DEMO_NODES_MAX = 50 };

typedef struct CliDemoDemand {
  char profile[MIG_PROFILE_NAME_SIZE];
  int count;
} CliDemoDemand;

typedef struct CliDemoWish {
  char machine[1024]; /* of each node, for the simulated driver */
  SimState state;     /* the same, understood */
  int node_count;
  CliDemoDemand demands[CLI_DEMO_DEMANDS_MAX];
  int demand_count;
  int pod_count; /* of all demands */
  /* The second act: so many of the first pods end, and then one more comes. */
  int ending_count; /* 0: there is no second act */
  char second_profile[MIG_PROFILE_NAME_SIZE];
} CliDemoWish;

/* gpus: "2xH100-80GB,A30"; pods: "3x2g.20gb,7g.80gb", NULL for five of the smallest slices and a second act,
 * in which a slice of half a GPU is asked for. Errors say what is known. */
int cli_demo_wish_parse(const char *gpus, const char *pods, int64_t nodes, CliDemoWish *ret_wish,
                        Error *err) MUST_CHECK;
