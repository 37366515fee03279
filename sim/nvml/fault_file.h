/* SPDX-License-Identifier: Apache-2.0 */
/* The fault plan of a machine, shared by the processes that use it: the file "faults" in its folder, one
 * fault a line, with its own lock, because calls are counted while somebody else's change goes on. Where
 * there is no such file, a call costs one attempt to open it. */
#pragma once

#include "sim/nvml/fault.h"

/* An empty plan where there is none. ERROR_PROTOCOL with the line where somebody broke the file. */
int sim_fault_file_load(const char *folder, SimFaults *ret_faults, Error *err) MUST_CHECK;
int sim_fault_file_add(const char *folder, const SimFault *fault, Error *err) MUST_CHECK;
int sim_fault_file_clear(const char *folder, Error *err) MUST_CHECK;
/* sim_faults_count_call on the shared plan. */
int sim_fault_file_count_call(const char *folder, const char *function, int gpu, SimFault *ret_due,
                              Error *err) MUST_CHECK;
