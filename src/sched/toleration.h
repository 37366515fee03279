/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a pod tolerates a taint; two filters ask. */
#pragma once

#include "cluster/object.h"

bool sched_tolerates(const Pod *pod, const Taint *taint);
