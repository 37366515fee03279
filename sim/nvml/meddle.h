/* SPDX-License-Identifier: Apache-2.0 */
/* Where the fault plan meets a call: every function of NVML asks here before it does anything. */
#pragma once

#include "sim/nvml/fault.h"
#include "sim/nvml/sim_nvml.h"

/* Counts the call in the process's plan and in the shared one. What is due before the work happens here, and
 * its code is the answer (SIM_MEDDLE_NOTHING: go on); what is due after the work is left in ret_after. */
enum { SIM_MEDDLE_NOTHING = -1 };
int sim_meddle(SimNvml *nvml, const char *function, int gpu_index, SimFault *ret_after);
/* Does what the fault says, if anything; the code to return or SIM_MEDDLE_NOTHING. */
int sim_meddle_carry_out(SimNvml *nvml, const SimFault *fault);
