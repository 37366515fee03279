/* SPDX-License-Identifier: Apache-2.0 */
/* The CDI files of this node, one per slice (or whole GPU): <folder>/facet-<uuid>.json. Written before its
 * slice is announced, removed after it is gone from the GPU and from the kubelet's list. UUIDs come back when
 * a place is cut again, so a file is never trusted because it is there: each life of the agent writes its
 * own, and begins by removing those whose slice does not exist. */
#pragma once

#include "agent/cdi_spec.h"
#include "base/host.h"
#include "base/map.h"

enum { AGENT_CDI_RETRY_MS = 5000 };

/* Where the edits come from: a seam, because asking nvidia-ctk takes a while. */
typedef struct AgentCdiSource AgentCdiSource;
typedef void AgentOnCdiEdits(void *userdata, const char *text,
                             const Error *err); /* text NULL: err says why */
struct AgentCdiSource {
  /* The answer comes from the event loop, exactly once; one question at a time. */
  void (*ask)(AgentCdiSource *source, AgentOnCdiEdits *on_edits, void *userdata);
  void (*cancel)(AgentCdiSource *source); /* no answer comes any more */
};

typedef struct AgentCdiOptions {
  AgentCdiSource *source; /* NULL: containers get their slices by the environment variable */
  const char *folder;     /* "/var/run/cdi" */
  const char *proc;       /* "/proc" */
} AgentCdiOptions;

typedef struct AgentCdi AgentCdi;

/* NULL without a source. on_change: more slices may be ready. */
AgentCdi *agent_cdi_new(const AgentCdiOptions *options, Host *host, void (*on_change)(void *userdata),
                        void *userdata);
void agent_cdi_free(AgentCdi *cdi); /* the files stay: containers may be started again */
/* The GPUs as they are now; false while no file can be written because the edits are not known. */
bool agent_cdi_prepare(AgentCdi *cdi, const GpuObservation *observation);
/* Is the file of this slice there? Writes it where it is not. */
bool agent_cdi_is_ready(AgentCdi *cdi, const GpuObservation *observation, const char *id);
/* Removes the files of slices that do not exist; only when the kubelet has forgotten them. */
void agent_cdi_clean(AgentCdi *cdi, const GpuObservation *observation);
/* Why slices are held back, or NULL. */
const char *agent_cdi_trouble(const AgentCdi *cdi);
