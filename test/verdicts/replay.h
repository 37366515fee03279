/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded verdicts of kube-scheduler, one case a line:
 *
 *     {"nodes": [...], "pods": [... on nodes, or nominated], "pod": {...},
 *      "verdicts": [{"Node": "n0", "Code": "Success"},
 *                   {"Node": "n1", "Code": "Unschedulable", "Plugin": "NodePorts", "Why": "..."}]}
 *
 * and, where a case needs them, "namespaces", "persistentVolumes", "persistentVolumeClaims",
 * "storageClasses": lists of objects. Whatever is not there does not exist. */
#pragma once

#include "base/error.h"

#include <stddef.h>

typedef struct ReplayCounts {
  size_t cases, verdicts, mismatches;
} ReplayCounts;

/* Told of every verdict that differs, as a sentence. */
typedef void ReplayOnMismatch(void *userdata, const char *text);

/* Replays one line, number `line` of its file, and adds to the counts. */
int replay_case(const char *json, size_t line, ReplayCounts *counts, ReplayOnMismatch *on_mismatch,
                void *userdata, Error *err) MUST_CHECK;
/* All lines of a file, which may be compressed by gzip. */
int replay_file(const char *path, ReplayCounts *counts, ReplayOnMismatch *on_mismatch, void *userdata,
                Error *err) MUST_CHECK;
