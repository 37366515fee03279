/* SPDX-License-Identifier: Apache-2.0 */
/* Is a slice in use? Two witnesses, and one of them is enough: the kubelet, who knows what pods hold, and the
 * driver, who knows what runs, also outside Kubernetes. Pure. */
#pragma once

#include "base/map.h"
#include "gpu/driver.h"

/* `held`: ids that pods hold; NULL where nobody knows, and then every slice is in use: nothing may be taken
 * from under a pod. So is one that is not complete: no pod could ever get it, and a plan that counted on it
 * would wait for ever. */
bool agent_use_is_used(const GpuInstance *instance, const Map *held);
