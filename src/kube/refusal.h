/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP status of the API server as a sentence: what was asked, what the server said, what helps.
 * Private to kube/. */
#pragma once

#include "kube/reader.h"

/* status >= 300. The path may carry its query, which the sentence leaves out. Returns the negative code. */
int kube_refusal_set(const char *method, const char *path, int status, const KubeStatus *failure, Error *err);
