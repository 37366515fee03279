/* SPDX-License-Identifier: Apache-2.0 */
/* The two patch formats that facet writes, on jansson values. Both change `target` in place and may leave it
 * half changed where they fail: the caller patches a copy. */
#pragma once

#include "base/error.h"

#include <jansson.h>

/* RFC 7396: null removes, objects merge, everything else replaces. */
void sim_api_patch_merge(json_t *target, const json_t *patch);
/* RFC 6902: test, add, remove, replace. A test for null passes where there is nothing, as in Kubernetes. */
int sim_api_patch_apply(json_t *target, const json_t *operations, Error *err) MUST_CHECK;
