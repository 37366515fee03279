/* SPDX-License-Identifier: Apache-2.0 */
/* NVML's functions have no object, so one simulator is "in use" per process: the one given to sim_nvml_use,
 * or the one that the first nvmlInit opens by the environment and the last nvmlShutdown closes. */
#include "sim/nvml/call.h"

#include "sim/nvml/object.h"

#include <string.h>

static pthread_mutex_t library = PTHREAD_MUTEX_INITIALIZER; /* guards the two below and what they count */
static SimNvml *in_use;
static bool in_use_is_ours; /* opened by nvmlInit */

static void complain(const Error *err) {
  fprintf(stderr, "facet-sim-nvml: %s\n", err->text);
}

/* A machine that cannot be is a driver that is not there; a state that cannot be read is anybody's guess. */
static NvmlReturn failed(const Error *err) {
  complain(err);
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

static void forget(void) {
  if (in_use_is_ours)
    sim_nvml_free(in_use);
  in_use = NULL;
  in_use_is_ours = false;
}

void sim_nvml_use(SimNvml *nvml) {
  pthread_mutex_lock(&library);
  forget();
  in_use = nvml;
  pthread_mutex_unlock(&library);
}

NvmlReturn sim_call_init(void) {
  Error err = {0};
  pthread_mutex_lock(&library);
  if (!in_use && open_environment(&err) < 0) {
    pthread_mutex_unlock(&library);
    return failed(&err);
  }
  in_use->init_count++;
  pthread_mutex_unlock(&library);
  return NVML_SUCCESS;
}

NvmlReturn sim_call_shutdown(void) {
  NvmlReturn result = NVML_UNINITIALIZED;
  pthread_mutex_lock(&library);
  if (in_use && in_use->init_count > 0) {
    result = NVML_SUCCESS;
    if (--in_use->init_count == 0 && in_use_is_ours)
      forget();
  }
  pthread_mutex_unlock(&library);
  return result;
}

static NvmlReturn find_in_use(SimNvml **ret_nvml) {
  pthread_mutex_lock(&library);
  *ret_nvml = in_use && in_use->init_count > 0 ? in_use : NULL;
  pthread_mutex_unlock(&library);
  return *ret_nvml ? NVML_SUCCESS : NVML_UNINITIALIZED;
}

NvmlReturn sim_view_open(SimView *view) {
  NvmlReturn result = find_in_use(&view->nvml);
  if (result != NVML_SUCCESS)
    return result;
  Error err = {0};
  if (sim_nvml_load(view->nvml, &view->state, &err) < 0) {
    complain(&err);
    return NVML_UNKNOWN;
  }
  return NVML_SUCCESS;
}

NvmlReturn sim_view_handle(SimView *view, const void *handle, unsigned kinds) {
  NvmlReturn result = sim_view_open(view);
  if (result != NVML_SUCCESS)
    return result;
  return sim_handle_resolve(&view->state, handle, kinds, &view->place);
}

NvmlReturn sim_edit_handle(SimEdit *edit, const void *handle, unsigned kinds) {
  NvmlReturn result = find_in_use(&edit->nvml);
  if (result != NVML_SUCCESS)
    return result;
  Error err = {0};
  if (sim_change_begin(&edit->change, &edit->nvml->store, &err) < 0) {
    complain(&err);
    return NVML_UNKNOWN;
  }
  return sim_handle_resolve(&edit->change.state, handle, kinds, &edit->place);
}

void sim_edit_spend(SimEdit *edit, uint32_t milliseconds) {
  sim_call_sleep(edit->nvml, (uint32_t)(milliseconds * edit->nvml->latency));
}

uint32_t sim_edit_next_serial(SimEdit *edit) {
  return ++edit->change.state.last_serial;
}

NvmlReturn sim_edit_commit(SimEdit *edit) {
  Error err = {0};
  if (sim_change_commit(&edit->change, &err) < 0) {
    complain(&err);
    return NVML_UNKNOWN;
  }
  return NVML_SUCCESS;
}

void sim_edit_end(SimEdit *edit) {
  sim_change_end(&edit->change);
}

void sim_call_sleep(SimNvml *nvml, uint32_t milliseconds) {
  if (milliseconds > 0)
    nvml->sleep(nvml->sleep_userdata, milliseconds);
}

NvmlReturn sim_event_set_take(int *ret_slot) {
  NvmlReturn result = NVML_UNINITIALIZED;
  pthread_mutex_lock(&library);
  if (in_use && in_use->init_count > 0) {
    int slot = 0;
    while (slot < SIM_EVENT_SETS_MAX && in_use->event_sets[slot])
      slot++;
    result = slot < SIM_EVENT_SETS_MAX ? NVML_SUCCESS : NVML_INSUFFICIENT_RESOURCES;
    if (result == NVML_SUCCESS) {
      in_use->event_sets[slot] = true;
      *ret_slot = slot;
    }
  }
  pthread_mutex_unlock(&library);
  return result;
}

bool sim_event_set_is_taken(int slot) {
  pthread_mutex_lock(&library);
  bool taken = in_use && slot >= 0 && slot < SIM_EVENT_SETS_MAX && in_use->event_sets[slot];
  pthread_mutex_unlock(&library);
  return taken;
}

void sim_event_set_release(int slot) {
  pthread_mutex_lock(&library);
  if (in_use)
    in_use->event_sets[slot] = false;
  pthread_mutex_unlock(&library);
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
