/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with publishing on this node, for facet.gpu/error: at most one sentence per subject. A
 * subject is what the sentence speaks of, e.g. a resource name. Pure. */
#pragma once

#include "base/map.h"

typedef struct AgentTroubles {
  Map sentences; /* subject -> char *, owned */
} AgentTroubles;

/* sentence NULL: that trouble is over. True where anything changed. */
bool agent_trouble_set(AgentTroubles *troubles, const char *subject, const char *sentence);
/* The oldest sentence and how many more there are, or NULL where all is well. The buffer is the caller's. */
const char *agent_trouble_format(const AgentTroubles *troubles, char *buffer, size_t size);
void agent_trouble_deinit(AgentTroubles *troubles);
