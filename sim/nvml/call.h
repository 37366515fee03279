/* SPDX-License-Identifier: Apache-2.0 */
/* What every NVML function does first: find the simulator in use, ask its fault plan (by the function's name;
 * NULL: do not ask), look at its state, resolve the handle.
 * Asking works on a view, a copy of the committed state; changing works on an edit, which holds the machine
 * from begin to end and is therefore declared with CLEANUP(sim_edit_end). */
#pragma once

#include "sim/nvml/fault.h"
#include "sim/nvml/handle.h"
#include "sim/nvml/sim_nvml.h"
#include "sim/nvml/store.h"

/* Sets of handle kinds. */
enum {
  SIM_GPUS = 1 << SIM_HANDLE_GPU,
  SIM_GIS = 1 << SIM_HANDLE_GI,
  SIM_CIS = 1 << SIM_HANDLE_CI,
  SIM_MIGS = 1 << SIM_HANDLE_MIG,
  SIM_DEVICES = SIM_GPUS | SIM_MIGS,
};

typedef struct SimView {
  SimNvml *nvml;
  SimState state;
  SimPlace place; /* of the handle */
} SimView;

typedef struct SimEdit {
  SimNvml *nvml;
  SimChange change;
  SimPlace place;
  SimFault after; /* what goes wrong once it is committed */
} SimEdit;

/* The whole machine; `place` is not set. UNINITIALIZED before nvmlInit, UNKNOWN where the state cannot be
 * read (with a line on stderr). */
NvmlReturn sim_view_open(SimView *view, const char *function);
/* Also INVALID_ARGUMENT for a handle that is not one of these kinds or is stale. */
NvmlReturn sim_view_handle(SimView *view, const char *function, const void *handle, unsigned kinds);
/* The edit needs no initial value, and can be ended whatever comes of it. */
NvmlReturn sim_edit_handle(SimEdit *edit, const char *function, const void *handle, unsigned kinds);
/* Spends the time that the driver would need; the machine stays held, others see the old state. */
void sim_edit_spend(SimEdit *edit, uint32_t milliseconds);
uint32_t sim_edit_next_serial(SimEdit *edit);
/* Tells those who wait for events that the GPU's MIG configuration changed. */
void sim_edit_post_change(SimEdit *edit);
NvmlReturn sim_edit_commit(SimEdit *edit);
void sim_edit_end(SimEdit *edit); /* a cleanup function as it is */

/* nvmlInit and nvmlShutdown, which change the process, not the machine. */
NvmlReturn sim_call_init(void);
NvmlReturn sim_call_shutdown(void);
/* What functions do that are not simulated: NOT_SUPPORTED, where nothing else is wrong. */
NvmlReturn sim_call_refuse(const char *function);
/* A clock that all processes share and nobody sets. */
uint64_t sim_call_now_ms(void);
void sim_call_sleep(SimNvml *nvml, uint32_t milliseconds);
/* One line on stderr: a person who simulates wants to know why. */
void sim_call_complain(const Error *err);

/* Copies a name or UUID into a caller's buffer: INSUFFICIENT_SIZE, INVALID_ARGUMENT for no buffer. */
NvmlReturn sim_call_copy_text(const char *text, char *ret_text, unsigned length);
