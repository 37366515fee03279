/* SPDX-License-Identifier: Apache-2.0 */
/* NVML's functions have no object, so one simulator is "in use" per process: the one given to sim_nvml_use,
 * or the one that the first nvmlInit opens by the environment and the last nvmlShutdown closes. */
#include "sim/nvml/call.h"

#include "sim/nvml/driver.h"
#include "sim/nvml/event.h"
#include "sim/nvml/functions.h"
#include "sim/nvml/meddle.h"
#include "sim/nvml/object.h"
#include "sim/nvml/permission.h"

#include <errno.h>
#include <string.h>
#include <time.h>

static pthread_mutex_t library = PTHREAD_MUTEX_INITIALIZER; /* guards the two below and what they count */
static SimNvml *in_use;
static bool in_use_is_ours; /* opened by nvmlInit */

void sim_call_complain(const Error *err) {
  fprintf(stderr, "facet-sim-nvml: %s\n", err->text);
}

/* A machine that cannot be is a driver that is not there; a state that cannot be read is anybody's guess. */
static NvmlReturn failed(const Error *err) {
  sim_call_complain(err);
  switch (err->code) {
  case ERROR_NOT_FOUND:
  case ERROR_UNSUPPORTED:
  case ERROR_LIMIT:
  case ERROR_INVALID:
    return NVML_DRIVER_NOT_LOADED;
  default:
    return NVML_UNKNOWN;
  }
}

static int open_environment(Error *err) {
  SimNvmlEnvironment environment;
  int result = sim_nvml_read_environment(&environment, err);
  if (result == 0)
    result = sim_nvml_new(&environment.options, &in_use, err);
  if (result == 0)
    in_use_is_ours = true;
  return result;
}

/* A driver refuses the libraries of others. */
static int check_library(Error *err) {
  SimState state;
  if (sim_library_branch == 0 || sim_nvml_load(in_use, &state, err) < 0)
    return 0; /* a state that cannot be read is complained about by who needs it */
  int branch = sim_driver_library_branch(state.driver);
  if (branch == sim_library_branch)
    return 0;
  return error_set(err, ERROR_UNSUPPORTED,
                   "this is the library of driver %d, and the machine's driver is %.20s: load the one in the "
                   "folder %d beside it (facet-sim-nvml library)",
                   sim_library_branch, state.driver, branch);
}

static void forget(void) {
  if (in_use_is_ours)
    sim_nvml_free(in_use);
  in_use = NULL;
  in_use_is_ours = false;
}

/* Undoes one nvmlInit. */
static NvmlReturn let_go(void) {
  NvmlReturn result = NVML_UNINITIALIZED;
  pthread_mutex_lock(&library);
  if (in_use && in_use->init_count > 0) {
    result = NVML_SUCCESS;
    if (--in_use->init_count == 0)
      sim_event_sets_end(in_use);
    if (in_use->init_count == 0 && in_use_is_ours)
      forget();
  }
  pthread_mutex_unlock(&library);
  return result;
}

/* One line for each call, for who wonders what a client does. */
static void trace(const char *function, const void *handle) {
  char place[64];
  sim_handle_format(handle, place);
  fprintf(stderr, "facet-sim-nvml: %s%s\n", function, place);
}

/* The simulator in use, where the fault plan lets the call go on. */
static NvmlReturn find_in_use(SimNvml **ret_nvml, const char *function, const void *handle,
                              SimFault *ret_after) {
  pthread_mutex_lock(&library);
  *ret_nvml = in_use && in_use->init_count > 0 ? in_use : NULL;
  pthread_mutex_unlock(&library);
  *ret_after = (SimFault){0};
  if (!*ret_nvml)
    return NVML_UNINITIALIZED;
  if (!function)
    return NVML_SUCCESS;
  if ((*ret_nvml)->trace)
    trace(function, handle);
  if ((*ret_nvml)->unprivileged && sim_permission_is_needed(function))
    return NVML_NO_PERMISSION;
  int meddled = sim_meddle(*ret_nvml, function, sim_handle_gpu_index(handle), ret_after);
  return meddled == SIM_MEDDLE_NOTHING ? NVML_SUCCESS : (NvmlReturn)meddled;
}

void sim_nvml_use(SimNvml *nvml) {
  pthread_mutex_lock(&library);
  forget();
  in_use = nvml;
  pthread_mutex_unlock(&library);
}

/* The simulator is opened and counted before the plan is asked, and let go of where the plan says no. */
NvmlReturn sim_call_init(void) {
  Error err = {0};
  pthread_mutex_lock(&library);
  if (!in_use && open_environment(&err) < 0) {
    pthread_mutex_unlock(&library);
    return failed(&err);
  }
  if (in_use_is_ours && check_library(&err) < 0) {
    if (in_use->init_count == 0)
      forget();
    pthread_mutex_unlock(&library);
    sim_call_complain(&err);
    return NVML_LIB_RM_VERSION_MISMATCH;
  }
  SimNvml *nvml = in_use;
  nvml->init_count++;
  pthread_mutex_unlock(&library);
  SimFault after;
  int meddled = sim_meddle(nvml, "nvmlInit", -1, &after);
  if (meddled == SIM_MEDDLE_NOTHING)
    meddled = sim_meddle_carry_out(nvml, &after);
  if (meddled == SIM_MEDDLE_NOTHING)
    return NVML_SUCCESS;
  (void)let_go();
  return (NvmlReturn)meddled;
}

NvmlReturn sim_call_shutdown(void) {
  SimNvml *nvml;
  SimFault after;
  NvmlReturn result = find_in_use(&nvml, "nvmlShutdown", NULL, &after);
  return result == NVML_SUCCESS ? let_go() : result;
}

/* A call that only asks has done its work when it has looked. */
NvmlReturn sim_view_open(SimView *view, const char *function) {
  return sim_view_handle(view, function, NULL, 0);
}

NvmlReturn sim_call_refuse(const char *function) {
  SimView view;
  NvmlReturn result = sim_view_open(&view, function);
  return result == NVML_SUCCESS ? NVML_NOT_SUPPORTED : result;
}

NvmlReturn sim_view_handle(SimView *view, const char *function, const void *handle, unsigned kinds) {
  SimFault after;
  NvmlReturn result = find_in_use(&view->nvml, function, handle, &after);
  if (result != NVML_SUCCESS)
    return result;
  int meddled = sim_meddle_carry_out(view->nvml, &after);
  if (meddled != SIM_MEDDLE_NOTHING)
    return (NvmlReturn)meddled;
  Error err = {0};
  if (sim_nvml_load(view->nvml, &view->state, &err) < 0) {
    sim_call_complain(&err);
    return NVML_UNKNOWN;
  }
  return kinds ? sim_handle_resolve(&view->state, handle, kinds, &view->place) : NVML_SUCCESS;
}

NvmlReturn sim_edit_handle(SimEdit *edit, const char *function, const void *handle, unsigned kinds) {
  edit->change.store = NULL; /* the state is large, and read below */
  NvmlReturn result = find_in_use(&edit->nvml, function, handle, &edit->after);
  if (result != NVML_SUCCESS)
    return result;
  Error err = {0};
  if (sim_change_begin(&edit->change, &edit->nvml->store, &err) < 0) {
    sim_call_complain(&err);
    return NVML_UNKNOWN;
  }
  return sim_handle_resolve(&edit->change.state, handle, kinds, &edit->place);
}

void sim_edit_spend(SimEdit *edit, uint32_t milliseconds) {
  double latency = edit->nvml->latency < 0 ? edit->change.state.options.latency : edit->nvml->latency;
  sim_call_sleep(edit->nvml, (uint32_t)(milliseconds * latency));
}

uint32_t sim_edit_next_serial(SimEdit *edit) {
  return ++edit->change.state.last_serial;
}

void sim_edit_post_change(SimEdit *edit) {
  sim_state_post(&edit->change.state, (SimEvent){.gpu_index = (uint8_t)edit->place.gpu_index,
                                                 .type = NVML_EVENT_MIG_CONFIG_CHANGE,
                                                 .gi_id = -1,
                                                 .ci_id = -1});
}

NvmlReturn sim_edit_commit(SimEdit *edit) {
  Error err = {0};
  if (edit->after.kind == SIM_FAULT_RETURN && edit->after.code == NVML_SUCCESS)
    return NVML_SUCCESS; /* only pretended */
  if (sim_change_commit(&edit->change, &err) < 0) {
    sim_call_complain(&err);
    return NVML_UNKNOWN;
  }
  if (edit->after.kind == SIM_FAULT_NONE)
    return NVML_SUCCESS;
  sim_edit_end(edit); /* who hangs after his work does not hold up others */
  int meddled = sim_meddle_carry_out(edit->nvml, &edit->after);
  return meddled == SIM_MEDDLE_NOTHING ? NVML_SUCCESS : (NvmlReturn)meddled;
}

void sim_edit_end(SimEdit *edit) {
  sim_change_end(&edit->change);
}

uint64_t sim_call_now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void sleep_really(uint32_t milliseconds) {
  struct timespec rest = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L};
  while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
    ;
}

void sim_call_sleep(SimNvml *nvml, uint32_t milliseconds) {
  if (milliseconds == 0)
    return;
  if (nvml->sleep)
    nvml->sleep(nvml->sleep_userdata, milliseconds);
  else
    sleep_really(milliseconds);
}

NvmlReturn sim_call_copy_text(const char *text, char *ret_text, unsigned length) {
  if (!ret_text)
    return NVML_INVALID_ARGUMENT;
  size_t size = strlen(text) + 1;
  if (length < size)
    return NVML_INSUFFICIENT_SIZE;
  memcpy(ret_text, text, size);
  return NVML_SUCCESS;
}
