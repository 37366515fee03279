/* SPDX-License-Identifier: Apache-2.0 */
/* Event sets: what a process registered for, and waiting for it. The events themselves are part of the
 * machine's state, so every process that waits gets each of them once per set. */
#pragma once

#include "sim/nvml/call.h"

/* Single and double bit ECC errors, Xid, clock and MIG configuration changes. */
enum { SIM_EVENTS_SUPPORTED = 0x1 | 0x2 | NVML_EVENT_XID | 0x10 | NVML_EVENT_MIG_CONFIG_CHANGE };

/* UNINITIALIZED; INSUFFICIENT_RESOURCES where there are too many; INVALID_ARGUMENT for no set that exists. A
 * set knows nothing of what happened before it was created. */
NvmlReturn sim_event_set_take(NvmlEventSet *ret_set);
NvmlReturn sim_event_set_release(NvmlEventSet set);
/* All of them: NVML is shut down. */
void sim_event_sets_end(SimNvml *nvml);
NvmlReturn sim_event_set_register(NvmlEventSet set, int gpu_index, uint64_t types);
/* The oldest event not yet delivered that the set is registered for. GPU_IS_LOST, at once, where there is
 * none and a GPU it is registered for is lost; else TIMEOUT. */
NvmlReturn sim_event_set_wait(NvmlEventSet set, unsigned timeout_ms, SimEvent *ret_event);
