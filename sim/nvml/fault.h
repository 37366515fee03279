/* SPDX-License-Identifier: Apache-2.0 */
/* A fault plan: which calls of NVML go wrong, and how. A value that counts calls; where it is kept is
 * somebody else's business (fault_file.h). One fault as text, the same on the command line, in a machine file
 * and in FACET_SIM_NVML_FAULTS:
 *
 *     FUNCTION EFFECT [call=N] [times=N|always] [gpu=I]
 *
 * FUNCTION is a name of NVML with or without "nvml" and its version suffix, or a pattern with '*'.
 * EFFECT: what the call does in the place of its work, or with "after:" in front, when the work is done:
 *     UNKNOWN, IN_USE, ... returns this code (SUCCESS: says so and does nothing; for destroys and MIG mode)
 *     hang                 never returns; hang=MS: takes so much longer and then goes on
 *     kill                 the calling process dies by SIGKILL */
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "sim/nvml/abi.h"

#include <stdint.h>

enum {
  SIM_FAULTS_MAX = 64,
  SIM_FAULT_FUNCTION_SIZE = 64,
};

typedef enum SimFaultKind {
  SIM_FAULT_NONE,
  SIM_FAULT_RETURN,
  SIM_FAULT_HANG,
  SIM_FAULT_KILL,
} SimFaultKind;

typedef struct SimFault {
  char function[SIM_FAULT_FUNCTION_SIZE]; /* pattern, with "nvml", without version suffix */
  SimFaultKind kind;
  bool after;       /* the call does its work first */
  NvmlReturn code;  /* of SIM_FAULT_RETURN */
  uint32_t hang_ms; /* of SIM_FAULT_HANG; 0: for ever */
  int gpu;          /* calls about this GPU only; -1: all calls */
  uint32_t call;    /* the first call that goes wrong, from 1 */
  uint32_t times;   /* so many calls go wrong; 0: all from then on */
  uint32_t seen;    /* calls counted so far */
} SimFault;

typedef struct SimFaults {
  int count;
  SimFault list[SIM_FAULTS_MAX];
} SimFaults;

/* ERROR_INVALID with what is wrong in the text. */
int sim_fault_parse(const char *text, SimFault *ret_fault, Error *err) MUST_CHECK;
/* The text of it, with "seen=N" where calls were counted already; sim_fault_parse takes it. */
void sim_fault_format(const SimFault *fault, Text *text);

/* ERROR_LIMIT where the plan is full. */
int sim_faults_add(SimFaults *faults, const SimFault *fault, Error *err) MUST_CHECK;
/* Whether a fault of the plan names this function of NVML, called about this GPU (-1: about none). */
bool sim_faults_concern(const SimFaults *faults, const char *function, int gpu);
/* Counts this call in all faults that name it; the first that is due, or one of kind SIM_FAULT_NONE. */
SimFault sim_faults_count_call(SimFaults *faults, const char *function, int gpu);
