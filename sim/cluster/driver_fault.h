/* SPDX-License-Identifier: Apache-2.0 */
/* What can go wrong between a program and NVML, as a layer of functions over the simulated ones: calls that
 * fail, a process that dies or hangs in the middle of a job, a GPU that fell off the bus. */
#pragma once

#include "gpu/nvml_abi.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum SimDriverFaultKind {
  SIM_DRIVER_SOUND,
  SIM_DRIVER_REFUSES, /* the call returns the code, undone */
  SIM_DRIVER_DIES,    /* the calling process is no more, and nothing else of the job happens */
  SIM_DRIVER_HANGS,   /* the same, but whoever waits for it learns of that from his clock */
} SimDriverFaultKind;

/* Counts the calls that change a GPU. */
typedef struct SimDriverFault {
  SimDriverFaultKind kind;
  uint32_t call;  /* the first that goes wrong: 1 is the next one */
  uint32_t times; /* REFUSES: so many in a row */
  NvmlReturn code;
} SimDriverFault;

typedef struct SimDriverFaults {
  SimDriverFault next;
  SimDriverFaultKind over; /* DIES, HANGS: it has happened; no call does anything any more */
  int lost_gpu;            /* index; -1: none */
  bool left_half;          /* a fault has ever kept somebody from taking back half of a slice */
} SimDriverFaults;

/* The function with that name, which obeys the faults that are in use; else that of the simulator. */
void *sim_driver_fault_symbol(const char *name);
/* NULL: none. The functions of NVML have no object, so one is in use per process. */
void sim_driver_fault_use(SimDriverFaults *used);
