/* SPDX-License-Identifier: Apache-2.0 */
/* What the node says of itself: one merge patch of nodes/status with annotations, capacity and allocatable
 * together, and only what differs from the node as the API server has it. Pure. */
#pragma once

#include "agent/publish.h"
#include "base/text.h"
#include "cluster/object.h"

typedef struct AgentReport {
  const GpuObservation *observation; /* NULL: the GPUs could not be read */
  const Map *used;                   /* ids of slices that pods hold; NULL: unknown */
  const AgentResources *resources;
  const bool
      *known; /* for each resource: the kubelet has exactly these; only then the amounts are published */
  const char *answered_plan; /* plan id that is done; NULL: leave as it is */
  const char *error;         /* a sentence, or NULL: none */
  const char *stage;         /* what the agent waits for, or "" or NULL: nothing */
  int64_t offer;   /* what the node's label MIG_LABEL_OFFER reaches with these amounts; 0: as it is */
  bool is_strange; /* another plugin publishes */
  bool withdrawn;  /* the node offers nothing, whatever there is */
  bool retired;    /* ... and says nothing of its GPUs any more */
} AgentReport;

/* Appends the patch's body; false (and nothing) where the node says all of it already. */
bool agent_report_format(const Node *node, const AgentReport *report, Text *ret_body);
/* The node's label MIG_LABEL_OFFER; 0 where it has none that makes sense. */
int64_t agent_report_get_offer(const Node *node);
/* Does the node offer exactly the partitions of the resource? */
bool agent_report_shows(const Node *node, const AgentResource *resource);
