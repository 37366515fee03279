/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/counting.h"

void agent_counting_note_stage(Metrics *metrics, const char *stage, uint64_t took_ms) {
  metrics_observe(metrics, METRIC_STAGE_DURATION, METRIC_LABELS(stage), (double)took_ms / 1000);
}

void agent_counting_note_failure(Metrics *metrics, const char *where, const Error *why) {
  metrics_add(metrics, METRIC_FAILURES, METRIC_LABELS(where, error_code_name(why->code)), 1);
}

void agent_counting_note_job(Metrics *metrics, GpuJobKind kind, const GpuResult *result) {
  const char *name = kind == GPU_JOB_CREATE ? "create" : kind == GPU_JOB_DESTROY ? "destroy" : "observe";
  if (result->err.code)
    agent_counting_note_failure(metrics, name, &result->err);
  else if (kind != GPU_JOB_OBSERVE)
    agent_counting_note_stage(metrics, name, result->took_ms);
}

void agent_counting_note_report(Metrics *metrics, uint64_t took_ms, const Error *why) {
  metrics_add(metrics, METRIC_REPORTS, METRIC_LABELS(why ? "failed" : "written"), 1);
  if (why)
    agent_counting_note_failure(metrics, "report", why);
  else
    agent_counting_note_stage(metrics, "report", took_ms);
}
