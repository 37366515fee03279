/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent tells of itself to metrics; where nobody counts (NULL) it is nothing. */
#pragma once

#include "gpu/driver.h"
#include "metrics/metrics.h"

/* stage: "create", "destroy", "publish", "report". */
void agent_counting_note_stage(Metrics *metrics, const char *stage, uint64_t took_ms);
/* where: "observe", "create", "destroy", "publish", "report", "watch". */
void agent_counting_note_failure(Metrics *metrics, const char *where, const Error *why);
void agent_counting_note_job(Metrics *metrics, GpuJobKind kind, const GpuResult *result);
void agent_counting_note_report(Metrics *metrics, uint64_t took_ms,
                                const Error *why); /* NULL: it was written */
