/* SPDX-License-Identifier: Apache-2.0 */
/* CDI specifications (Container Device Interface, 0.5 and newer): what a container runtime adds to a
 * container that gets a slice. Made from what `nvidia-ctk cdi generate` says about this driver, libraries and
 * hooks, and the slice's own nodes in /dev. One specification with one entry per slice:
 *
 *     facet.gpu/gpu=MIG-... -> the common edits, /dev/nvidia<minor>, and two of the kind
 *                              /dev/nvidia-caps/nvidia-cap<minor>
 *
 * Pure. */
#pragma once

#include "base/text.h"
#include "gpu/driver.h"

#define AGENT_CDI_KIND "facet.gpu/gpu"

enum { AGENT_CDI_EDITS_MAX = 4 << 20 /* bytes of nvidia-ctk's output */ };

typedef struct AgentCdiEdits AgentCdiEdits;

/* The output of `nvidia-ctk cdi generate --format=json`. */
int agent_cdi_edits_parse(const char *text, AgentCdiEdits **ret_edits, Error *err) MUST_CHECK;
void agent_cdi_edits_free(AgentCdiEdits *edits);
DEFINE_CLEANUP(AgentCdiEdits, agent_cdi_edits_free)

/* What the kernel says of NVIDIA's capability nodes. */
typedef struct AgentCdiKernel {
  const char *mig_minors; /* text of /proc/driver/nvidia-caps/mig-minors */
  const char *numbers;    /* text of /proc/devices */
} AgentCdiKernel;

/* Appends the specification of a slice, or of the whole GPU where `instance` is NULL. */
int agent_cdi_spec_format(const AgentCdiEdits *edits, const AgentCdiKernel *kernel, const GpuObserved *gpu,
                          const GpuInstance *instance, Text *ret_spec, Error *err) MUST_CHECK;
